"""A client without a daemon: plays turns as the events of runs, so that a test decides what arrives when."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from midfill_daemon.client import Client, Tool
from midfill_daemon.contract import Delta, Event, Health, InlineModel, Raw, Result, Status
from midfill_daemon.errors import DaemonDown, MidfillError
from midfill_daemon.paths import Paths
from midfill_lsp.completion import Ask, Desk, complete
from midfill_lsp.fit import Fitted
from midfill_lsp.link import Link
from midfill_lsp.machine import Machine, Reading
from midfill_lsp.settings import Settings
from midfill_lsp.trace import Trace
from support.buffers import snapshot_of
from support.daemons import Clock

Turn = str | Exception | asyncio.Event
"""A piece of text, a failure, or an event to wait for."""

NOWHERE = Paths(*[Path("/nonexistent")] * 4)
MODEL = InlineModel(ready=True, name="m", revision="r1", prefill_tokens_s=100.0)
"""A model that reads slowly, so that nothing is asked for ahead of time."""


def healthy(model: InlineModel = MODEL) -> Health:
    return Health(version="1", protocol=1, pid=1, inline=model)


class ScriptedClient(Client):
    """Each run plays the next list of turns, the last one again and again. `asked` has every request in order."""

    def __init__(self, *runs: list[Turn], revision: str = "r1") -> None:
        super().__init__(NOWHERE, {}, start=False)
        self.runs = list(runs) or [["answer"]]
        self.revision = revision
        self.asked: list[Raw] = []
        self.closed = 0
        """Runs that were closed before their end."""
        self.started = asyncio.Event()
        self.handshakes: list[Health | MidfillError] = [healthy()]
        """What `connect` gives, the last one again and again."""
        self.shaken = 0
        self.pushed: list[list[Raw | MidfillError]] = []
        """What each `follow` gives; after the last of them it waits for ever."""
        self.posted: list[list[Raw]] = []
        self.posting_fails: MidfillError | None = None

    async def run(
        self, task: str, request: Raw, tools: Mapping[str, Tool] | None = None
    ) -> AsyncGenerator[Event, None]:
        self.asked.append({"task": task, **request})
        self.started.set()
        turns = self.runs.pop(0) if len(self.runs) > 1 else self.runs[0]
        try:
            yield Status("revision", self.revision)
            for turn in turns:
                if isinstance(turn, asyncio.Event):
                    await turn.wait()
                elif isinstance(turn, str):
                    yield Delta(turn)
                else:
                    raise turn
        except (GeneratorExit, asyncio.CancelledError):
            self.closed += 1
            raise
        yield Result()

    @property
    def is_connected(self) -> bool:
        return self.shaken > 0

    async def connect(self) -> Health:
        self.shaken += 1
        given = self.handshakes.pop(0) if len(self.handshakes) > 1 else self.handshakes[0]
        if isinstance(given, MidfillError):
            raise given
        return given

    async def follow(self, after: int | None = None) -> AsyncGenerator[Raw, None]:
        if not self.pushed:
            await asyncio.Event().wait()
        for event in self.pushed.pop(0):
            if isinstance(event, MidfillError):
                raise event
            yield event

    async def feedback(self, rows: list[Raw]) -> None:
        if self.posting_fails:
            raise self.posting_fails
        self.posted.append(rows)

    @property
    def prefixes(self) -> list[str]:
        return [request["prefix"] for request in self.asked]


GONE = DaemonDown("the daemon went away")


@dataclass(slots=True)
class Nap:
    """A sleep that lasts until it is ended by hand."""

    slept_s: list[float] = field(default_factory=list)
    _sleepers: list[asyncio.Event] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        sleeper = asyncio.Event()
        self._sleepers.append(sleeper)
        await sleeper.wait()

    def end(self) -> None:
        """Everybody who sleeps wakes up."""
        for sleeper in self._sleepers:
            sleeper.set()
        self._sleepers.clear()


class AtRest(Machine):
    """A machine that nobody looks at: the look would be taken in a thread, which may outlive a test."""

    def reading(self) -> Reading:
        return Reading()


def desk_of(client: ScriptedClient, sleep: Callable[[float], Any] | None = None, **settings: Any) -> Desk:
    """A desk without debounce unless `settings` say otherwise; its clock stands still."""
    link = Link(client, lambda _: None)
    link.model = MODEL
    chosen = Settings(**{"debounce_s": 0.0, **settings})
    clock = Clock()
    return Desk(link, chosen, "window", machine=AtRest(), clock=clock, sleep=sleep or clock.sleep)


@dataclass(slots=True)
class Asked:
    """One request that has begun: its task and its trace."""

    task: asyncio.Task[Fitted | None]
    trace: Trace

    async def text(self) -> str | None:
        """What was suggested; None for superseded."""
        async with asyncio.timeout(20):
            fitted = await self.task
        return None if fitted is None else fitted.text


def ask(desk: Desk, buffer: str, *, by_hand: bool = False, path: str = "file", **fields: Any) -> Asked:
    """Begin a request at the caret of `buffer`."""
    trace = Trace("t1", path, "plaintext", by_hand)
    asked = Ask(snapshot_of(buffer, path=path), by_hand, **{"since_change_s": 0.0, **fields})
    return Asked(asyncio.create_task(complete(asked, desk, trace)), trace)
