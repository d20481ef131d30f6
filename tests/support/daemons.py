"""A daemon in the test's own process, behind real HTTP on a Unix socket, with models that a test steers by events."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sized
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from midfill_daemon import config, contract, lifecycle
from midfill_daemon.bucket import Buckets
from midfill_daemon.contract import Event
from midfill_daemon.errors import ProviderError
from midfill_daemon.events import Hub
from midfill_daemon.gateway import Gateway
from midfill_daemon.identity import Caller
from midfill_daemon.models import Tier, TierName
from midfill_daemon.paths import Paths, locate
from midfill_daemon.pipeline import AnyTask, Run, Services
from midfill_daemon.providers import Generation, ModelInfo, Piece, Provider, Usage
from midfill_daemon.server import Daemon
from midfill_daemon.tasks import TASKS

WAIT_S = 20.0
"""How long a test waits for what should have happened; nothing that works comes near it."""

ASKED: dict[str, Any] = {"path": "a.py", "language": "python", "prefix": "x = ", "suffix": "\n"}
"""A good request of the completion task."""

ME = Caller("me")
STAY = config.Daemon(stay=True)


@dataclass(slots=True)
class Clock:
    """Stands still until it is told to go on; sleeping on it takes no time but makes it go on."""

    now_s: float = 1000.0
    slept_s: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


async def soon(happened: Callable[[], bool]) -> None:
    """Let the loop turn until it happened; by rounds, which do not depend on how busy the machine is."""
    for _ in range(5000):
        if happened():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not happen")


async def soon_as_many(things: Sized, count: int) -> None:
    await soon(lambda: len(things) == count)


async def within(event: asyncio.Event) -> None:
    """Wait for what another task sets off through a socket."""
    await asyncio.wait_for(event.wait(), WAIT_S)


# --- a model that a test steers --------------------------------------------------------------------

Turn = str | Usage | ProviderError | asyncio.Event
"""A piece of text, what is known of the prompt, a failure, or an event to wait for."""


@dataclass(slots=True)
class Steered:
    """A provider that plays one list of turns per call, the last one again and again, and says what happens to it."""

    turns: list[list[Turn]] = field(default_factory=lambda: [["answer"]])
    info: ModelInfo = field(default_factory=lambda: ModelInfo("steered", 8192, slots=2))
    usage: Usage = field(default_factory=lambda: Usage(prompt_tokens=5, cached_tokens=2, output_tokens=1))
    description_fails: Exception | None = None
    """Raised by `describe` while it is set."""
    clock: Clock | None = None
    """Goes on by 10 ms before each piece."""
    described: int = 0
    generations: list[Generation] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    async def describe(self) -> ModelInfo:
        self.described += 1
        if self.description_fails:
            raise self.description_fails
        return self.info

    async def count_tokens(self, text: str) -> int:
        return len(text) // 3

    async def close(self) -> None:
        self.closed = True

    async def stream(self, generation: Generation) -> AsyncGenerator[Piece | Usage, None]:
        self.generations.append(generation)
        self.started.set()
        turns = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
        try:
            for turn in turns:
                if isinstance(turn, asyncio.Event):
                    await turn.wait()
                    continue
                if isinstance(turn, ProviderError):
                    raise turn
                if isinstance(turn, Usage):
                    yield turn
                    continue
                if self.clock:
                    self.clock.now_s += 0.01
                yield Piece(turn)
        except (GeneratorExit, asyncio.CancelledError):
            self.cancelled.set()
            raise
        yield self.usage


@dataclass(slots=True)
class Endless:
    """A model that never ends by itself; `tokens` counts what was taken from it."""

    tokens: int = 0
    text: str = "word "
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def describe(self) -> ModelInfo:
        return ModelInfo("endless", 8192)

    async def count_tokens(self, text: str) -> int:
        return len(text) // 3

    async def close(self) -> None:
        """Nothing is open."""

    async def stream(self, generation: Generation) -> AsyncGenerator[Piece | Usage, None]:
        try:
            while True:
                self.tokens += 1
                yield Piece(self.text)
                await asyncio.sleep(0)
        except (GeneratorExit, asyncio.CancelledError):
            self.cancelled.set()
            raise


# --- the parts of a daemon --------------------------------------------------------------------------


def gateway_of(
    provider: Provider,
    rows: list[Mapping[str, Any]] | None = None,
    clock: Callable[[], float] = lambda: 1000.0,
    tiers: Mapping[TierName, Tier] | None = None,
    others: Mapping[TierName, Provider] | None = None,
    queue_limit: int = 64,
) -> Gateway:
    """A gateway whose inline tier is `provider`; `others` are further tiers, `tiers` how to use them."""
    providers: dict[TierName, Provider] = {"inline": provider, **(others or {})}
    used = {name: (tiers or {}).get(name, Tier("scripted")) for name in providers}
    written = [] if rows is None else rows
    return Gateway(used, providers, written.append, queue_limit, clock)


def services_of(provider: Provider, **options: Any) -> Services:
    return Services(gateway_of(provider, **options), Buckets(rate=1e6, burst=1_000_000))


async def events_of(task: AnyTask, raw: Mapping[str, Any], services: Services) -> list[Event]:
    """All events of one run, without HTTP."""
    async with aclosing(task.run(raw, Run(ME, services))) as stream:
        return [event async for event in stream]


# --- a whole daemon behind HTTP ----------------------------------------------------------------------


@dataclass(slots=True)
class Running:
    """A daemon that listens, and an HTTP client of its socket."""

    daemon: Daemon
    paths: Paths
    http: httpx.AsyncClient
    rows: list[Mapping[str, Any]]
    feedback: list[Mapping[str, Any]]
    serving: asyncio.Task[None]

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self.http.post(path, json={} if body is None else body)

    def ask(self, **change: Any) -> Any:
        """The open stream of a completion, as a context manager."""
        return self.http.stream("POST", "/v1/tasks/completion", json={**ASKED, **change})

    async def complete(self, **change: Any) -> list[Event]:
        response = await self.post("/v1/tasks/completion", {**ASKED, **change})
        return [contract.decode(line) for line in response.iter_lines()]


async def without_runs(daemon: Daemon) -> None:
    """Wait until the daemon has seen that its clients left."""
    await soon(lambda: len(daemon.runs) == 0)


def home(folder: Path) -> Paths:
    """The folders of a daemon below `folder`, made."""
    paths = locate({"MIDFILL_HOME": str(folder)})
    paths.ensure()
    return paths


def daemon_of(provider: Provider, tasks: Mapping[str, AnyTask] = TASKS, **fields: Any) -> Daemon:
    """A daemon that nobody serves yet; what it writes is lost unless `fields` say otherwise."""
    given = {"services": services_of(provider), "write_feedback": [].append, "hub": Hub(first_id=100), **fields}
    return Daemon(tasks=tasks, stop=asyncio.Event(), **given)


@asynccontextmanager
async def serving(
    folder: Path,
    provider: Provider,
    tasks: Mapping[str, AnyTask] = TASKS,
    settings: config.Daemon = STAY,
    grace_s: int = lifecycle.GRACE_S,
    **fields: Any,
) -> AsyncIterator[Running]:
    """A daemon in this process, served as the real one is; at the end it must stop by itself."""
    paths = home(folder)
    rows: list[Mapping[str, Any]] = []
    feedback: list[Mapping[str, Any]] = []
    given = {"services": services_of(provider, rows=rows), "write_feedback": feedback.append, **fields}
    daemon = daemon_of(provider, tasks, **given)
    chosen = config.Config(daemon=settings)
    listener = lifecycle.listen(chosen, paths)
    server = asyncio.create_task(lifecycle.serve(daemon, chosen, paths, listener, None, grace_s))
    try:
        async with http_of(listener) as http:
            yield Running(daemon, paths, http, rows, feedback, server)
    finally:
        daemon.stop.set()
        await asyncio.wait_for(server, WAIT_S)


def http_of(listener: lifecycle.Listener) -> httpx.AsyncClient:
    """A client that knows the listener's token, if it has one."""
    if listener.token is None:
        transport = httpx.AsyncHTTPTransport(uds=listener.address)
        return httpx.AsyncClient(transport=transport, base_url="http://midfill", timeout=WAIT_S)
    headers = {"authorization": f"Bearer {listener.token}"}
    return httpx.AsyncClient(base_url=listener.address, headers=headers, timeout=WAIT_S, trust_env=False)
