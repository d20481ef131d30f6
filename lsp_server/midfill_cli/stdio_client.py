"""A small LSP client that starts a server and talks to it over stdio: for the demo, the tests and the benches."""

import asyncio
import itertools
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

CLOSE_S = 5.0
UNREAD_LIMIT = 1000
METHOD_NOT_FOUND = -32601


class LspError(Exception):
    """The server answered a request with an error."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.data = data


class ServerGone(Exception):
    """The server closed the connection or ended."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request in flight; await it for the result, or cancel it by its id."""

    id: int | str
    future: asyncio.Future[Any]

    def __await__(self) -> Generator[Any, None, Any]:
        return self.future.__await__()


@dataclass(slots=True)
class StdioClient:
    """`async with StdioClient([...]) as client:` starts the server and closes it at the end."""

    command: Sequence[str]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    stderr: Path | None = None
    """A file for the server's stderr; None: it is shared with this process."""
    handlers: dict[str, Callable[[Any], None]] = field(default_factory=dict)
    """Called with the params of a notification; those without a handler go to `notifications`."""
    answers: dict[str, Callable[[Any], Any]] = field(default_factory=lambda: dict(ANSWERS))
    """How requests of the server are answered."""
    notifications: asyncio.Queue[tuple[str, Any]] = field(default_factory=lambda: asyncio.Queue(UNREAD_LIMIT))
    """The newest ones; the oldest is dropped when nobody reads."""
    strays: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    """Answers to nothing that `request` has sent: to raw bytes, or with a null id."""
    exit_code: int | None = None
    _process: asyncio.subprocess.Process = field(init=False)
    _reading: asyncio.Task[None] = field(init=False)
    _pending: dict[int | str, asyncio.Future[Any]] = field(default_factory=dict)
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    async def start(self) -> None:
        errors: IO[bytes] | None = self.stderr.open("ab") if self.stderr else None
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=self.env,
                cwd=self.cwd,
            )
        finally:
            if errors:
                errors.close()
        self._reading = asyncio.create_task(self._read())

    async def initialize(
        self,
        options: object = None,
        encodings: Sequence[str] = ("utf-16",),
        client_name: str = "midfill-client",
        root: Path | None = None,
    ) -> dict[str, Any]:
        """The two steps of the handshake; answers what the server said about itself."""
        folders = [{"uri": root.as_uri(), "name": root.name}] if root else None
        answer: dict[str, Any] = await self.request(
            "initialize",
            {
                "processId": None,
                "clientInfo": {"name": client_name},
                "rootUri": root.as_uri() if root else None,
                "workspaceFolders": folders,
                "initializationOptions": options,
                "capabilities": {
                    "general": {"positionEncodings": list(encodings)},
                    "textDocument": {"inlineCompletion": {}},
                    "workspace": {"configuration": True, "workspaceFolders": True},
                },
            },
        )
        self.notify("initialized", {})
        return answer

    def request(self, method: str, params: object = None) -> Request:
        """Sent at once; the answer is awaited: the result, LspError or ServerGone."""
        request = Request(next(self._ids), asyncio.get_running_loop().create_future())
        if self._reading.done():
            request.future.set_exception(ServerGone())
            return request
        self._pending[request.id] = request.future
        self._send({"id": request.id, "method": method} | _params(params))
        return request

    def cancel(self, request_id: int | str) -> None:
        self.notify("$/cancelRequest", {"id": request_id})

    def notify(self, method: str, params: object = None) -> None:
        self._send({"method": method} | _params(params))

    def send_raw(self, data: bytes) -> None:
        """Bytes as they are, for tests of a hostile client."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)

    async def close(self) -> int:
        """Shutdown and exit; a server that does not end in time is killed. Answers the exit code."""
        with suppress(LspError, ServerGone, TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_S):
                await self.request("shutdown")
                self.notify("exit")
        return await self.wait()

    async def wait(self) -> int:
        """Closes the server's input and waits for its end; kills it when that takes too long."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                self.exit_code = await self._process.wait()
        except TimeoutError:
            self._process.kill()
            self.exit_code = await self._process.wait()
        await self._reading
        return self.exit_code

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.send_raw(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _read(self) -> None:
        assert self._process.stdout is not None
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self._receive(json.loads(await _read_body(self._process.stdout)))
        for future in self._pending.values():
            if not future.done():
                future.set_exception(ServerGone())
                future.exception()  # Marks it as seen: nobody has to wait for every answer.
        self._pending.clear()

    def _receive(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            self._settle(message)
        elif "id" in message:
            self._answer(message)
        else:
            self._notice(message["method"], message.get("params"))

    def _settle(self, message: dict[str, Any]) -> None:
        future = self._pending.pop(message["id"], None)
        if future is None:
            self.strays.put_nowait(message)
        elif not future.done():
            error = message.get("error")
            if error:
                future.set_exception(LspError(error["code"], error["message"], error.get("data")))
                future.exception()
            else:
                future.set_result(message["result"])

    def _answer(self, message: dict[str, Any]) -> None:
        answer = self.answers.get(message["method"])
        if answer is None:
            self._send({"id": message["id"], "error": {"code": METHOD_NOT_FOUND, "message": "not supported"}})
        else:
            self._send({"id": message["id"], "result": answer(message.get("params"))})

    def _notice(self, method: str, params: Any) -> None:
        handler = self.handlers.get(method)
        if handler is not None:
            handler(params)
            return
        if self.notifications.full():
            self.notifications.get_nowait()
        self.notifications.put_nowait((method, params))


def _no_settings(params: Any) -> list[None]:
    return [None] * len(params["items"])


def _accept(params: Any) -> None:
    """A registration or a progress token is taken note of by saying null."""


ANSWERS: Mapping[str, Callable[[Any], Any]] = {
    "client/registerCapability": _accept,
    "client/unregisterCapability": _accept,
    "window/workDoneProgress/create": _accept,
    "workspace/configuration": _no_settings,
}


def _params(params: object) -> dict[str, object]:
    return {} if params is None else {"params": params}


async def _read_body(stream: asyncio.StreamReader) -> bytes:
    headers = await stream.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b":", 1) for line in headers.split(b"\r\n") if line)
    return await stream.readexactly(int(fields[b"content-length"]))
