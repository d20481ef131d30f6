"""The embedded engine: keeps llama.cpp's server alive in a child process and speaks to it as to any llama-server."""

import asyncio
import json
import logging
import math
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import aclosing, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from midfill_daemon import engine, errors, weights
from midfill_daemon.backoff import Backoff
from midfill_daemon.models import Tier
from midfill_daemon.providers import Generation, ModelInfo, Piece, Provider, Usage
from midfill_daemon.providers.llama_server import LlamaServer

log = logging.getLogger(__name__)

ENGINE = (sys.executable, "-P", "-m", "midfill_daemon.engine")
CONTEXT_TOKENS = 2048
SLOTS = 1
"""Two slots halve the speed of both; one slot keeps several editors warm by the engine's prompt cache in RAM."""
BATCH_TOKENS = 64
"""With 64 a cancelled prompt frees its slot in about 0.3 s, with 128 in 0.6 s; 32 makes reading slower."""
HEALTHY_S = 60.0
"""An engine that lived this long did not die of its start: the next restart is immediate again."""
LOOK_AGAIN_S = 1.0
PROBE = Generation(prompt="x", max_tokens=1)
WARM_UP = "def read_lines(path):\n    with open(path) as file:\n        return [line.rstrip() for line in file]\n\n" * 4
"""About 120 tokens. Reading them tells the prefill speed, which the first handshake already reports."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to start the engine."""

    locate: Callable[[], Path]
    """The model file; raises ModelMissing, and is asked again until it does not."""
    connect: Callable[[str, str], Provider]
    """A provider for the engine's URL and API key."""
    context_tokens: int = CONTEXT_TOKENS
    slots: int = SLOTS
    timeout_s: float = 30.0
    """The longest wait of a request for an engine that is loading."""
    doubt_s: float = 10.0
    """How long requests may have waited in all, since it last gave any a token, until the engine is probed."""
    probe_s: float = 10.0
    """It is stuck when it does not write one token in so long: llama.cpp was seen to spin without ever answering again."""
    command: tuple[str, ...] = ENGINE


def make(tier: Tier, models: Path) -> "Embedded":
    """The provider of a tier; nothing is started yet."""

    def locate() -> Path:
        return weights.gguf(Path(tier.url)) if tier.url else weights.locate(weights.find(weights.DEFAULT), models)[0]

    def connect(url: str, api_key: str) -> Provider:
        return LlamaServer(url, api_key=api_key, timeout_s=tier.timeout_s, model=tier.model)

    return Embedded(
        Plan(locate, connect, tier.context_tokens or CONTEXT_TOKENS, tier.slots or SLOTS, tier.timeout_s),
    )


@dataclass(slots=True)
class Embedded:
    """A Provider that owns its service. `start` begins to load the model; else the first request does."""

    plan: Plan
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    backoff: Backoff = field(default_factory=Backoff)
    _keeper: asyncio.Task[None] | None = None
    _state: Provider | errors.MidfillError | None = None
    """The service, or why there is none; None while it loads."""
    _settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when `_state` is not None."""
    _ready_s: float = 0.0
    _waited_s: float = 0.0
    """How long requests have waited since the engine last said anything; most are closed before they time out."""
    _doubtful: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self) -> None:
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep(), name="engine")

    async def describe(self) -> ModelInfo:
        service = await self._service()
        with _may_stop():
            return await service.describe()

    async def stream(self, generation: Generation) -> AsyncGenerator[Piece | Usage, None]:
        service = await self._service()
        with _may_stop(), self._waiting():
            async with aclosing(service.stream(generation)) as values:
                async for value in values:
                    self._waited_s = -math.inf  # Whatever this request waits for from here on says nothing.
                    yield value

    @contextmanager
    def _waiting(self) -> Generator[None, None, None]:
        """Adds up how long requests wait in vain."""
        began_s = self.clock()
        try:
            yield
        finally:
            self._waited_s = max(0.0, self._waited_s + self.clock() - began_s)
            if self._waited_s >= self.plan.doubt_s:
                self._doubtful.set()

    async def count_tokens(self, text: str) -> int:
        service = await self._service()
        with _may_stop():
            return await service.count_tokens(text)

    async def close(self) -> None:
        """Returns when the engine's process is gone."""
        if self._keeper is None:
            return
        self._keeper.cancel()
        await asyncio.wait({self._keeper})
        self._settle(errors.ProviderDown("the embedded engine is stopped"))

    async def _service(self) -> Provider:
        self.start()
        try:
            async with asyncio.timeout(self.plan.timeout_s):
                await self._settled.wait()
        except TimeoutError as exc:
            raise errors.ProviderDown("the model is loading") from exc
        if isinstance(self._state, errors.MidfillError):
            # A new exception each time: a shared one would collect the tracebacks of all who raise it.
            raise errors.from_wire(self._state.code, self._state.message)
        assert self._state is not None, "settled without a state"
        return self._state

    def _settle(self, state: Provider | errors.MidfillError | None) -> None:
        self._state = state
        if state is None:
            self._settled.clear()
        else:
            self._settled.set()

    async def _keep(self) -> None:
        """Run one engine after the other, for as long as the daemon lives."""
        while True:
            model = await self._model()
            self._settle(None)
            self._ready_s = self.clock()
            try:
                await self._run(model)
            except errors.MidfillError as exc:
                self._fail(exc)
            if self.clock() - self._ready_s >= HEALTHY_S:
                self.backoff.succeeded()
            self.backoff.failed(self.clock())
            await self.sleep(self.backoff.wait_s(self.clock()))

    async def _model(self) -> Path:
        """The model file, as soon as there is one."""
        while True:
            try:
                return self.plan.locate()
            except errors.ModelMissing as exc:
                self._fail(exc)
            await self.sleep(LOOK_AGAIN_S)

    def _fail(self, error: errors.MidfillError) -> None:
        known = isinstance(self._state, errors.MidfillError) and self._state.message == error.message
        if not known:
            log.warning("engine.down", extra={"code": error.code, "reason": error.message})
        self._settle(error)

    async def _run(self, model: Path) -> None:
        """One life of the engine. Always ends by raising."""
        api_key = secrets.token_urlsafe(32)
        async with _child(self.plan.command) as child:
            url = await child.greet(self._settings(model, api_key))
            service = self.plan.connect(url, api_key)
            try:
                await _read(service, Generation(prompt=WARM_UP, max_tokens=0))
                self._ready_s = self.clock()
                self._settle(service)
                log.info("engine.ready", extra={"pid": child.process.pid})
                await _either(child.answers.read(), self._until_stuck(service))
            finally:
                self._settle(None)  # From here on requests wait for the next life.
                await service.close()
        raise _stopped()

    async def _until_stuck(self, service: Provider) -> None:
        """Returns when the engine answers nobody any more, and not us either."""
        self._waited_s = 0.0
        while True:
            self._doubtful.clear()
            await self._doubtful.wait()
            try:
                async with asyncio.timeout(self.plan.probe_s):
                    await _read(service, PROBE)
            except (TimeoutError, errors.MidfillError):
                log.warning("engine.stuck")
                return
            self._waited_s = 0.0

    def _settings(self, model: Path, api_key: str) -> engine.Settings:
        cores = _cores()
        return engine.Settings(
            model=str(model),
            api_key=api_key,
            threads=max(1, cores - 1),
            prompt_threads=cores,
            context_tokens=self.plan.context_tokens,
            slots=self.plan.slots,
            batch=BATCH_TOKENS,
        )


def _stopped() -> errors.ProviderDown:
    return errors.ProviderDown("the embedded engine stopped and is being restarted")


@contextmanager
def _may_stop() -> Generator[None, None, None]:
    """A request may find its service closed between two steps, which httpx reports as a RuntimeError."""
    try:
        yield
    except RuntimeError as exc:
        raise _stopped() from exc


def _cores() -> int:
    """The processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class _Child:
    """A running engine. It alone holds the far end of `answers`, which therefore ends when the engine does."""

    process: subprocess.Popen[bytes]
    orders: IO[bytes]
    answers: asyncio.StreamReader

    async def greet(self, settings: engine.Settings) -> str:
        """Hand over the settings and wait for the URL."""
        with suppress(BrokenPipeError):  # A dead engine has no answer either.
            self.orders.write(json.dumps(asdict(settings)).encode() + b"\n")
        try:
            answer = json.loads(await self.answers.readline())
        except ValueError as exc:
            raise errors.ProviderError("the embedded engine died while it loaded the model") from exc
        if "error" in answer:
            raise errors.from_wire(answer["error"], answer["message"])
        return str(answer["url"])


@asynccontextmanager
async def _child(command: tuple[str, ...]) -> AsyncGenerator[_Child, None]:
    """An engine process, which is gone on leaving.

    Not asyncio's own subprocesses: cancelling while one of those is being created can wait for ever (3.11).
    """
    process = _start(command)
    assert process.stdin is not None, "started with pipes"
    assert process.stdout is not None, "started with pipes"
    with process:
        try:
            answers = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(answers)
            pipe, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, process.stdout)
            with closing(pipe):
                yield _Child(process, process.stdin, answers)
        finally:
            process.kill()  # Closing stdin would do, but it has nothing to save and may be stuck.


def _start(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Called in the main thread: on Linux the engine dies with the thread that started it."""
    try:
        # Its stderr is ours: the daemon's log.
        return subprocess.Popen(command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
    except OSError as exc:
        raise errors.ProviderDown(f"the embedded engine cannot be started: {exc.strerror}") from exc


async def _read(service: Provider, generation: Generation) -> None:
    async with aclosing(service.stream(generation)) as values:
        async for _ in values:
            pass


async def _either(*endings: Coroutine[Any, Any, object]) -> None:
    """Wait for the first of them; the others are cancelled."""
    tasks = [asyncio.ensure_future(ending) for ending in endings]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
