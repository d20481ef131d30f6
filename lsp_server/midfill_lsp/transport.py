"""LSP over stdio on top of pygls: every request is answered, whatever it looks like, and nothing is logged of its text."""

import asyncio
import json
import logging
import os
import re
import threading
import traceback
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from types import GeneratorType
from typing import Any, NamedTuple

from cattrs import Converter
from lsprotocol import types
from lsprotocol.types import ErrorCodes
from pygls.exceptions import JsonRpcException
from pygls.feature_manager import is_thread_function
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

from midfill_daemon.errors import MidfillError
from midfill_lsp import pipes
from midfill_lsp.frames import Damaged, Frame, FrameParser, Oversized
from midfill_lsp.params import UNPARSABLE, BadParams, is_request, strict_converter, structure

log = logging.getLogger(__name__)

Handler = Callable[..., Any]
MessageId = int | str
Steps = Generator[tuple[Handler, tuple[Any, ...], dict[str, Any] | None], Any, Any]
"""How pygls writes its built-in features: each step yields a handler to call and gets its outcome sent."""

PARENT_POLL_S = 3.0
CANCEL_S = 1.0

_HEAD_METHOD = re.compile(rb'"method"\s*:\s*"([A-Za-z0-9/$_-]{1,80})"')
_HEAD_ID = re.compile(rb'"id"\s*:\s*(-?[0-9]{1,18}|"[A-Za-z0-9_:-]{0,80}")')
_HEAD_URI = re.compile(rb'"uri"\s*:\s*"([!#-\[\]-~]+)"')


class Route(NamedTuple):
    handler: Handler
    needs_id: bool


async def serve(server: "Server") -> int:
    """Speaks LSP on this process's stdin and stdout until exit or end of input; answers the exit code."""
    return await serve_on(server, *pipes.take_stdio())


async def serve_on(server: "Server", input_fd: int, output_fd: int) -> int:
    """As `serve`, on two descriptors that are closed at the end."""
    protocol = server.protocol
    ended = asyncio.Event()
    protocol.ended = ended.set
    server._stop_event = threading.Event()
    parser = FrameParser()

    def opened(writer: pipes.Writer) -> None:
        protocol.write = writer.write

    def receive(data: bytes) -> None:
        for frame in parser.feed(data):
            protocol.receive(frame)

    watch = asyncio.create_task(watch_parent(lambda: server.process_id, ended.set))
    try:
        async with pipes.connection(input_fd, output_fd, opened, receive, ended.set):
            await ended.wait()
            await protocol.cancel_all()
    finally:
        watch.cancel()
        server.shutdown()  # type: ignore[no-untyped-call]
    return protocol.exit_code


async def watch_parent(
    parent: Callable[[], int | None], ended: Callable[[], None], poll_s: float = PARENT_POLL_S
) -> None:
    """Ends the server when the editor is gone though something else still holds our stdin open.

    A process that was never seen alive does not count: in a container the editor's id means nothing.
    """
    for passed in (False, True):
        while _is_alive(parent()) is passed:  # noqa: ASYNC110 - a process that is not our child can only be polled
            await asyncio.sleep(poll_s)
    log.info("lsp.editor_gone")
    ended()


def _is_alive(process_id: int | None) -> bool:
    # On Windows os.kill ends the process, whatever the signal; there the end of stdin must do.
    if process_id is None or process_id <= 0 or os.name == "nt":
        return False
    try:
        os.kill(process_id, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


class Server(LanguageServer):
    """The stock server with our protocol, and without pop-ups about its own errors."""

    protocol: "Protocol"

    def __init__(self, name: str, version: str, **options: Any) -> None:
        super().__init__(name, version, protocol_cls=Protocol, converter_factory=strict_converter, **options)

    def report_server_error(self, error: Exception, source: Any) -> None:
        log.error("lsp.server_error", extra={"error": type(error).__name__, "source": source.__name__})


class Protocol(LanguageServerProtocol):
    """Replaces the message handling of pygls, which drops what it cannot parse, keeps every finished
    notification in memory, and logs message bodies. Features, commands and sending stay as they are."""

    def __init__(self, server: LanguageServer, converter: Converter) -> None:
        # pygls logs whole messages, and so document text and secrets, at INFO and ERROR.
        logging.getLogger("pygls").setLevel(logging.CRITICAL + 1)
        super().__init__(server, converter)
        # Notebook cells would go through the text documents of pygls; they are not advertised.
        for method in [name for name in self.fm.builtin_features if name.startswith("notebookDocument/")]:
            del self.fm.builtin_features[method]
        self.write: Callable[[bytes], None] = _nothing
        """Where messages go."""
        self.ended: Callable[[], None] = _nothing
        """Called once the connection should be closed."""
        self.on_bad_notification: Callable[[str, object], None] = _nothing
        """Called with method and raw params of a notification that was lost because it does not parse.

        The method is "" when broken headers may have swallowed any message. A document whose didOpen or
        didChange was lost is out of step with the editor."""
        self._initialized = False
        self._exited = False
        self._routes: dict[str, Route] = {}
        self._running: dict[MessageId, list[asyncio.Future[Any]]] = {}
        self._background: set[asyncio.Future[Any]] = set()
        self._encoder = json.JSONEncoder(default=self._serialize_message, separators=(",", ":"))

    @property
    def exit_code(self) -> int:
        return 0 if self._shutdown else 1

    # --- in: frame -> message -> handler -------------------------------------------------------

    def receive(self, frame: Frame) -> None:
        """Handles one frame of the stream; never raises."""
        try:
            if self._exited:
                return
            if isinstance(frame, bytes):
                self._receive_body(frame)
            elif isinstance(frame, Damaged):
                self._receive_damage(frame)
            else:
                self._receive_oversized(frame)
        except Exception as exc:  # noqa: BLE001 - one message may fail, the connection may not
            _log_failure("lsp.receive_failed", "", exc)

    def _receive_body(self, body: bytes) -> None:
        try:
            message = json.loads(body)
        except (ValueError, RecursionError) as exc:
            log.warning("lsp.bad_json", extra={"error": type(exc).__name__, "bytes": len(body)})
            self._refuse(None, ErrorCodes.ParseError, "the message is not JSON")
            self._tell_lost(body)
        else:
            self.handle_message(message)

    def _receive_damage(self, frame: Damaged) -> None:
        log.warning("lsp.damaged_stream", extra={"reason": frame.reason})
        self._refuse(None, ErrorCodes.ParseError, frame.reason)
        self.on_bad_notification("", None)

    def _receive_oversized(self, frame: Oversized) -> None:
        log.warning("lsp.oversized", extra={"bytes": frame.size})
        found = _HEAD_ID.search(frame.head.partition(b'"params"')[0])
        if found:
            self._refuse(json.loads(found[1]), ErrorCodes.InvalidRequest, "the message is too large")
        else:
            self._refuse(None, ErrorCodes.ParseError, "the message is too large")
            self._tell_lost(frame.head)

    def _tell_lost(self, body: bytes) -> None:
        """Best effort from the raw text: which notification about which document was unreadable."""
        head, _, rest = body.partition(b'"params"')
        method, uri = _HEAD_METHOD.search(head), _HEAD_URI.search(rest)
        document = {"uri": uri[1].decode()} if uri else {}
        self.on_bad_notification(method[1].decode() if method else "", {"textDocument": document})

    def handle_message(self, message: object) -> None:
        """Takes decoded JSON, where pygls takes a message that it has structured before."""
        if not isinstance(message, dict):
            self._refuse(None, ErrorCodes.InvalidRequest, "a message must be one JSON object")
            return
        msg_id, method, raw = _as_id(message.get("id")), message.get("method"), message.get("params")
        if message.get("jsonrpc") != self.VERSION:
            self._refuse(msg_id, ErrorCodes.InvalidRequest, "jsonrpc: must be 2.0")
        elif isinstance(method, str) and msg_id is not None:
            self._handle_request(msg_id, method, raw)
        elif isinstance(method, str) and "id" not in message:
            self._handle_notification(method, raw)
        elif "method" not in message and ("result" in message or "error" in message):
            self._handle_answer(msg_id, message.get("result"), message.get("error"))
        else:
            self._refuse(msg_id, ErrorCodes.InvalidRequest, "id or method is not valid")

    def _handle_request(self, msg_id: MessageId, method: str, raw: Any) -> None:
        try:
            handler = self._admit(method).handler
            outcome = self._start(handler, (structure(self._converter, method, raw),))
        except Exception as exc:  # noqa: BLE001 - whatever a handler raises, the client gets an answer
            self._answer_failure(msg_id, method, exc)
            return
        if isinstance(outcome, Awaitable):
            task = asyncio.ensure_future(outcome)
            self._running.setdefault(msg_id, []).append(task)
            task.add_done_callback(partial(self._finish_request, msg_id, method))
        else:
            self._send_response(msg_id, outcome)

    def _admit(self, method: str) -> Route:
        """The route of a request that may be made in this state of the connection."""
        if not self._initialized and method != types.INITIALIZE:
            raise JsonRpcException("the server is not initialized", ErrorCodes.ServerNotInitialized)
        if self._shutdown:
            raise JsonRpcException("the server is shutting down", ErrorCodes.InvalidRequest)
        if self._initialized and method == types.INITIALIZE:
            raise JsonRpcException("the server is initialized already", ErrorCodes.InvalidRequest)
        route = self._route(method)
        if route is None:
            raise JsonRpcException("the method is not known", ErrorCodes.MethodNotFound)
        return route

    def _finish_request(self, msg_id: MessageId, method: str, task: asyncio.Future[Any]) -> None:
        # A client may use an id twice at a time; each of the requests gets its own answer.
        tasks = self._running[msg_id]
        tasks.remove(task)
        if not tasks:
            del self._running[msg_id]
        if task.cancelled():
            self._refuse(msg_id, types.LSPErrorCodes.RequestCancelled, "the request was cancelled")
        elif (exc := task.exception()) is not None:
            self._answer_failure(msg_id, method, exc)
        else:
            self._send_response(msg_id, task.result())

    def _handle_notification(self, method: str, raw: object) -> None:
        if method == types.CANCEL_REQUEST:
            self._cancel(raw)
        elif method == types.EXIT or (self._initialized and not self._shutdown):
            self._run_notification(method, raw)

    def _run_notification(self, method: str, raw: object) -> None:
        route = self._route(method)
        if route is None or route.needs_id:
            log.debug("lsp.notification_ignored", extra={"method": ascii(method[:80])})
            return
        try:
            value = structure(self._converter, method, raw)
        except BadParams as exc:
            log.warning("lsp.bad_notification", extra={"method": method, "error": type(exc).__name__})
            self.on_bad_notification(method, raw)
            return
        outcome = self._start(route.handler, (value,))
        if isinstance(outcome, Awaitable):
            task = asyncio.ensure_future(outcome)
            self._background.add(task)
            task.add_done_callback(partial(self._finish_notification, method))

    def _finish_notification(self, method: str, task: asyncio.Future[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            _log_failure("lsp.notification_failed", method, exc)

    def _cancel(self, raw: object) -> None:
        msg_id = _as_id(raw.get("id")) if isinstance(raw, dict) else None
        if msg_id is not None:
            for task in self._running.get(msg_id, ()):
                task.cancel()

    def _handle_answer(self, msg_id: MessageId | None, result: object, error: object) -> None:
        """Settles a request of ours. An answer of a wrong shape fails it: nobody may wait for ever."""
        if msg_id is None or msg_id not in self._request_futures:
            log.debug("lsp.answer_ignored")
            return
        future = self._request_futures.pop(msg_id)
        kind = self._result_types.pop(msg_id, None)
        if future.done():
            return
        try:
            if error is not None:
                raise JsonRpcException.from_error(self._converter.structure(error, types.ResponseError))
            answer = {"id": msg_id, "jsonrpc": self.VERSION, "result": result}
            future.set_result(self._converter.structure(answer, kind).result if kind else result)
        except (JsonRpcException, *UNPARSABLE) as exc:
            future.set_exception(exc)

    # --- handlers ---------------------------------------------------------------------------------

    def _route(self, method: str) -> Route | None:
        route = self._routes.get(method)
        if route is None:
            handler = self.fm.builtin_features.get(method) or self.fm.features.get(method)
            if handler is None:
                return None  # Not remembered: a client could invent names without end.
            route = self._routes[method] = Route(handler, is_request(method))
        return route

    def _start(self, handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> Any:
        """The handler's result, or an awaitable of it; plain handlers and built-in steps are done at once,
        so that their effects keep the order of the messages."""
        if is_thread_function(handler):
            call = partial(handler, *args, **(kwargs or {}))
            return asyncio.get_running_loop().run_in_executor(self._server.thread_pool, call)
        outcome = handler(*args, **(kwargs or {}))
        return self._advance(outcome, None) if isinstance(outcome, GeneratorType) else outcome

    def _advance(self, steps: Steps, value: Any) -> Any:
        while True:
            try:
                handler, args, kwargs = steps.send(value)
            except StopIteration as end:
                return end.value
            value = self._start(handler, args, kwargs)
            if isinstance(value, Awaitable):
                return self._advance_later(steps, value)

    async def _advance_later(self, steps: Steps, pending: Awaitable[Any]) -> Any:
        outcome = self._advance(steps, await pending)
        return await outcome if isinstance(outcome, Awaitable) else outcome

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Steps:
        self._initialized = True
        return (yield from super().lsp_initialize(params))

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *args: Any) -> Steps:
        self._shutdown = True
        for task in self._in_flight():
            task.cancel()
        yield from self._user_handler(types.SHUTDOWN, *args)

    @lsp_method(types.EXIT)
    def lsp_exit(self, *args: Any) -> Steps:
        # First of all, so that a failing handler cannot keep the process alive.
        self._exited = True
        self.ended()
        yield from self._user_handler(types.EXIT, *args)

    # These keep no documents and folders: the texts of pygls cost O(file) per key and break lines wrongly.

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> Steps:
        yield from self._user_handler(types.TEXT_DOCUMENT_DID_OPEN, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> Steps:
        yield from self._user_handler(types.TEXT_DOCUMENT_DID_CHANGE, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> Steps:
        yield from self._user_handler(types.TEXT_DOCUMENT_DID_CLOSE, params)

    @lsp_method(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def lsp_workspace__did_change_workspace_folders(self, params: types.DidChangeWorkspaceFoldersParams) -> Steps:
        yield from self._user_handler(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, params)

    def _user_handler(self, method: str, *args: Any) -> Steps:
        handler = self.fm.features.get(method)
        if handler is not None:
            yield handler, args, None

    async def cancel_all(self) -> None:
        """Cancels every handler and waits for them, though not for ever."""
        tasks = self._in_flight()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CANCEL_S)

    def _in_flight(self) -> list[asyncio.Future[Any]]:
        return [*self._background, *(task for tasks in self._running.values() for task in tasks)]

    # --- out ------------------------------------------------------------------------------------------

    def _answer_failure(self, msg_id: MessageId, method: str, exc: BaseException) -> None:
        if isinstance(exc, BadParams):
            self._refuse(msg_id, ErrorCodes.InvalidParams, str(exc))
        elif isinstance(exc, JsonRpcException):
            self._refuse(msg_id, exc.code, exc.message)
        elif isinstance(exc, MidfillError):
            self._refuse(msg_id, types.LSPErrorCodes.RequestFailed, exc.message, {"code": exc.code})
        else:
            _log_failure("lsp.request_failed", method, exc)
            self._refuse(msg_id, ErrorCodes.InternalError, "internal error")

    def _refuse(self, msg_id: MessageId | None, code: int, message: str, data: object = None) -> None:
        error = {"code": int(code), "message": message} | ({"data": data} if data is not None else {})
        self._send_data({"jsonrpc": self.VERSION, "id": msg_id, "error": error})

    def _send_response(self, msg_id: MessageId, result: object = None, error: object = None) -> None:
        try:
            self._send_data({"jsonrpc": self.VERSION, "id": msg_id, "result": result})
        except UNPARSABLE as exc:
            _log_failure("lsp.result_not_json", "", exc)
            self._refuse(msg_id, ErrorCodes.InternalError, "internal error")

    def _send_data(self, data: Any) -> None:
        """One write a message. ASCII, so that a lone surrogate survives and characters count as bytes."""
        body = self._encoder.encode(data)
        self.write(f"Content-Length: {len(body)}\r\n\r\n{body}".encode("ascii"))


def _as_id(value: object) -> MessageId | None:
    """The id of a message, or None for anything that JSON-RPC does not allow as one (true is an int, too)."""
    return value if type(value) is int or type(value) is str else None


def _nothing(*_: object) -> None:
    """The hook that nobody has set."""


def _log_failure(event: str, method: str, exc: BaseException) -> None:
    """The stack without the exception's message, which may quote the user's text."""
    stack = "".join(traceback.format_tb(exc.__traceback__))
    log.error(event, extra={"method": ascii(method[:80]), "error": type(exc).__name__, "stack": stack})
