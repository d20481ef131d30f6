"""The daemon's HTTP shell: body -> TASKS[name].run -> event lines; a closed connection cancels; the one catch-all."""

import asyncio
import json
import logging
import math
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass, field
from hmac import compare_digest
from importlib.metadata import version
from typing import Any, Generic, TypeVar

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from midfill_daemon import contract, errors
from midfill_daemon.contract import Event, Health, InlineModel
from midfill_daemon.errors import BadInput, Draining, MidfillError, NotAllowed, NotFound
from midfill_daemon.events import Hub
from midfill_daemon.gateway import Model
from midfill_daemon.identity import Caller, local_caller
from midfill_daemon.metrics import Metrics
from midfill_daemon.pipeline import AnyTask, Run, Runs, Services
from midfill_daemon.tasks import completion

log = logging.getLogger(__name__)

BODY_LIMIT_BYTES = 4 * 1024 * 1024
FEEDBACK_LIMIT = 500
ID_DIGITS = 19
EVENTS_AHEAD = 100
"""How far a model may run ahead of a client that reads slowly."""

SentT = TypeVar("SentT")

HTTP_STATUS: Mapping[str, int] = {"bad_input": 400, "not_allowed": 403, "not_found": 404, "draining": 503, "busy": 429}


@dataclass(slots=True)
class Daemon:
    """What the routes share. `stop` is set once the process should end; `clock` is monotonic seconds."""

    services: Services
    tasks: Mapping[str, AnyTask]
    write_feedback: Callable[[Mapping[str, Any]], None]
    stop: asyncio.Event
    hub: Hub = field(default_factory=Hub)
    runs: Runs = field(default_factory=Runs)
    metrics: Metrics = field(default_factory=Metrics)
    clock: Callable[[], float] = time.monotonic
    handshake_s: float = 1.0
    """How long a handshake waits for a model that has not said yet what it is."""
    environment: str = ""
    started_s: float = field(init=False)
    used_s: float = field(init=False)
    draining: bool = False
    caller: Caller = field(default_factory=local_caller)

    def __post_init__(self) -> None:
        self.started_s = self.used_s = self.clock()

    def touch(self) -> None:
        """Note that somebody uses the daemon; it exits after a long time without."""
        self.used_s = self.clock()

    def drain(self) -> None:
        """Refuse new work and end once the work in progress is done."""
        self.draining = True
        self.settle()

    def settle(self) -> None:
        if self.draining and not len(self.runs):
            self.stop.set()


# --- routes ---------------------------------------------------------------------------------------


async def health(request: Request) -> Response:
    daemon = _daemon(request)
    answer = Health(
        version=version("midfill"),
        protocol=contract.PROTOCOL_VERSION,
        pid=os.getpid(),
        inline=await inline_model(daemon),
        uptime_s=round(daemon.clock() - daemon.started_s, 3),
        draining=daemon.draining,
        environment=daemon.environment,
    )
    return JSONResponse(asdict(answer))


async def inline_model(daemon: Daemon) -> InlineModel:
    """The inline tier for the handshake; asks the service, but not for longer than `handshake_s`."""
    asking = asyncio.ensure_future(daemon.services.gateway.model("inline"))
    with suppress(MidfillError, TimeoutError):
        return _ready(await asyncio.wait_for(asyncio.shield(asking), daemon.handshake_s))
    asking.add_done_callback(lambda task: task.cancelled() or task.exception())
    known = daemon.services.gateway.known("inline")
    if isinstance(known, MidfillError):
        return InlineModel(ready=False, code=known.code, reason=known.message)
    if known is not None:
        return _ready(known)
    return InlineModel(ready=False, code="loading", reason="the model is still loading")


def _ready(model: Model) -> InlineModel:
    return InlineModel(
        ready=True,
        name=model.info.name,
        provider=model.tier.provider,
        format=model.format,
        revision=model.revision(completion.PROMPT_VERSION),
        context_tokens=model.info.context_tokens,
        prompt_tokens=model.prompt_tokens,
        context_share=model.context_share,
        max_tokens=model.tier.max_tokens,
        chars_per_token=model.info.chars_per_token,
        prefill_tokens_s=model.info.prefill_tokens_s,
        local=model.info.local,
        reads_ahead=model.info.reads_ahead,
    )


async def models(request: Request) -> Response:
    gateway = _daemon(request).services.gateway
    return JSONResponse({"models": [await gateway.summary(name) for name in gateway.names()]})


async def run_task(request: Request) -> Response:
    daemon = _daemon(request)
    task = daemon.tasks.get(request.path_params["name"])
    if task is None:
        raise NotFound(f"no task {request.path_params['name']!r}; there are {', '.join(daemon.tasks)}")
    if daemon.draining:
        raise Draining("this daemon is about to exit")
    raw = _object(await _json(request))
    daemon.touch()
    return EventStream(_events(daemon, task, raw), contract.encode_all)


async def answer_call(request: Request) -> Response:
    daemon = _daemon(request)
    answer = await _json(request)
    daemon.runs.deliver(daemon.caller, request.path_params["run"], request.path_params["call"], answer)
    return JSONResponse({"ok": True})


async def events(request: Request) -> Response:
    daemon = _daemon(request)
    after = request.query_params.get("after")
    if after is not None and not (after.isdecimal() and len(after) <= ID_DIGITS):
        raise BadInput("after: must be the id of an event")
    pushed = daemon.hub.follow(daemon.caller, None if after is None else int(after))
    return EventStream(pushed, _pushed_lines)


def _pushed_lines(events: Sequence[contract.Raw]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


async def feedback(request: Request) -> Response:
    daemon = _daemon(request)
    rows = _object(await _json(request)).get("events")
    if not isinstance(rows, list) or len(rows) > FEEDBACK_LIMIT:
        raise BadInput(f"events: must be a list of at most {FEEDBACK_LIMIT}")
    # All or nothing, so that a batch that is refused may be sent again without its bad row.
    for row in [_feedback_row(_object(row), daemon.caller) for row in rows]:
        daemon.write_feedback(row)
    return JSONResponse({"stored": len(rows)})


def _feedback_row(raw: contract.Raw, caller: Caller) -> Mapping[str, Any]:
    texts = {name: raw.get(name, "") for name in ("kind", "trace", "editor")}
    if not all(isinstance(text, str) and len(text) <= 128 for text in texts.values()) or not texts["kind"]:
        raise BadInput("events[]: kind, trace and editor must be short texts, and kind not empty")
    data = raw.get("data", {})
    if not isinstance(data, dict) or _size_chars(data) > 4096:
        raise BadInput("events[].data: must be an object of at most 4096 characters")
    return {**texts, "data": data, "caller": caller.user}


def _size_chars(data: contract.Raw) -> float:
    try:
        return len(json.dumps(data))
    except RecursionError:  # What could just be read may be too deep to be written.
        return math.inf


async def metrics(request: Request) -> Response:
    return PlainTextResponse(_daemon(request).metrics.text())


async def drain(request: Request) -> Response:
    _object(await _json(request))
    _daemon(request).drain()
    return JSONResponse({"draining": True})


async def stop(request: Request) -> Response:
    _object(await _json(request))
    _daemon(request).stop.set()
    return JSONResponse({"stopping": True})


ROUTES = (
    Route("/v1/health", health),
    Route("/v1/models", models),
    Route("/v1/tasks/{name}", run_task, methods=["POST"]),
    Route("/v1/runs/{run}/calls/{call}", answer_call, methods=["POST"]),
    Route("/v1/events", events),
    Route("/v1/feedback", feedback, methods=["POST"]),
    Route("/v1/drain", drain, methods=["POST"]),
    Route("/v1/stop", stop, methods=["POST"]),
    Route("/metrics", metrics),
)


# --- one run --------------------------------------------------------------------------------------


async def _events(daemon: Daemon, task: AnyTask, raw: contract.Raw) -> AsyncGenerator[Event, None]:
    """The events of one run. Every failure becomes the last one; this is the daemon's one catch-all."""
    run = Run(daemon.caller, daemon.services)
    daemon.runs.enter(run)
    started_s, outcome = daemon.clock(), "closed"
    try:
        async with aclosing(task.run(raw, run)) as stream:
            async for event in stream:
                yield event
        outcome = "ok"
    except MidfillError as exc:
        outcome = exc.code
        yield _failure(exc)
    except Exception:
        outcome = "internal"
        log.exception("task.crashed", extra={"task": task.name, "run": run.id})
        yield _failure(errors.Internal("something went wrong inside Midfill; see its log"))
    finally:
        daemon.runs.leave(run)
        daemon.touch()
        daemon.metrics.count(task.name, outcome, daemon.clock() - started_s)
        daemon.settle()


def _failure(error: MidfillError) -> Event:
    return contract.Failure(error.code, error.message, error.retry_after_s)


class EventStream(Response, Generic[SentT]):
    """Sends events, as `encode` writes them, as they come. When the client goes away the producer is cancelled at once.

    Starlette's StreamingResponse does this by one of two paths, chosen by the ASGI version that the server reports,
    and on neither does it close the generator; here both are explicit.
    """

    def __init__(self, events: AsyncGenerator[SentT, None], encode: Callable[[Sequence[SentT]], bytes]) -> None:
        super().__init__(media_type="application/x-ndjson")
        del self.headers["content-length"]
        self._events, self._encode = events, encode
        self._waiting: asyncio.Queue[SentT | None] = asyncio.Queue(EVENTS_AHEAD)
        """None: no more will come."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        producing = asyncio.ensure_future(self._produce())
        tasks = {asyncio.ensure_future(self._send(send)), asyncio.ensure_future(_disconnected(receive))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks.add(producing)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _produce(self) -> None:
        async with aclosing(self._events) as events:
            async for event in events:
                await self._waiting.put(event)
        await self._waiting.put(None)

    async def _send(self, send: Send) -> None:
        """Events that are ready together leave as one message: a message costs both sides far more than an event."""
        body, more = await self._next()
        # Not before: the head leaves in one write with the first events.
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        while more:
            await send({"type": "http.response.body", "body": body, "more_body": True})
            body, more = await self._next()
        await send({"type": "http.response.body", "body": body})

    async def _next(self) -> tuple[bytes, bool]:
        """What is ready, encoded, and whether more will come."""
        ready = [await self._waiting.get()]
        while not self._waiting.empty():
            ready.append(self._waiting.get_nowait())
        return self._encode([event for event in ready if event is not None]), ready[-1] is not None


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


# --- the border -----------------------------------------------------------------------------------


def _daemon(request: Request) -> Daemon:
    daemon = request.app.state.daemon
    assert isinstance(daemon, Daemon)
    return daemon


async def _json(request: Request) -> Any:
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise BadInput("content-type: must be application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            raise BadInput(f"body: more than {BODY_LIMIT_BYTES} bytes")
    try:
        return json.loads(bytes(body))
    except (ValueError, RecursionError) as exc:
        raise BadInput("body: not JSON") from exc


def _object(value: Any) -> contract.Raw:
    if not isinstance(value, dict):
        raise BadInput("body: must be a JSON object")
    return value


class LoopbackOnly:
    """For the TCP listener: the token, the Host, and no Origin, so that no web page can reach the daemon."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        host = headers.get(b"host", b"").rsplit(b":", 1)[0]
        if b"origin" in headers or host not in (b"127.0.0.1", b"localhost"):
            await _refusal(NotAllowed("requests from web pages are refused"))(scope, receive, send)
        elif not compare_digest(headers.get(b"authorization", b""), self.expected):
            await _refusal(NotAllowed("the token is missing or wrong"))(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _refusal(error: MidfillError) -> Response:
    body = {"type": "error", "code": error.code, "message": error.message}
    return JSONResponse(body, status_code=HTTP_STATUS.get(error.code, 500))


async def _on_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, MidfillError)
    return _refusal(error)


def build_app(daemon: Daemon, token: str | None = None) -> Starlette:
    """The ASGI application; `token` is set for the TCP listener only."""
    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(LoopbackOnly, token=token)] if token else [],
        exception_handlers={MidfillError: _on_error},
    )
    app.state.daemon = daemon
    return app
