"""The registry that owns running generations; `typed_since` says which documents they still answer."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from midfill_daemon.contract import Shape
from midfill_daemon.errors import MidfillError
from midfill_lsp import fit
from midfill_workspace.snapshot import Snapshot

LINGER_S = 0.15
"""How long a generation outlives its last waiter, besides the wait that the client declares: editors cancel
20-200 ms before they ask again, and closing at each cancel multiplies the calls by ten (measured)."""


def typed_since(then: Snapshot, lines: Sequence[str]) -> str | None:
    """What was inserted at the caret of `then`, if these lines differ from it by that alone; else None.

    Compares the caret's line and the number of lines, not the whole file: an edit far away does not disagree.
    """
    added = len(lines) - len(then.lines)
    last = then.line + added
    if added < 0 or last >= len(lines) or not lines[then.line].startswith(then.before):
        return None
    inserted = "".join(lines[then.line : last + 1])[then.column :]
    rest = then.lines[then.line][then.column :]
    if not inserted.endswith(rest):
        return None
    return inserted[: len(inserted) - len(rest)].replace("\r\n", "\n").replace("\r", "\n")


def agrees(text: str, typed: str) -> bool:
    """Whether text generated so far may still turn out to be what is being typed."""
    return text.startswith(typed) or typed.startswith(text)


@dataclass(slots=True, eq=False)
class Flight:
    """One generation: where it was asked for, what has arrived, and who waits for it."""

    snapshot: Snapshot
    shape: Shape
    text: str = ""
    revision: str = ""
    rules: tuple[str, ...] = ()
    """The ids of the filters that shaped the finished text."""
    error: MidfillError | None = None
    task: asyncio.Task[None] | None = None
    waiters: int = 0
    linger: asyncio.TimerHandle | None = None
    arrived: list[float] = field(default_factory=list)
    """Clock times of the first and the last piece of text."""

    def typed(self, lines: Sequence[str]) -> str | None:
        """What was typed since, while this generation still fits it; else None."""
        typed = typed_since(self.snapshot, lines)
        return typed if typed is not None and agrees(self.text, typed) else None


class Flights:
    """At most one generation per document. No lock: one event loop owns this."""

    def __init__(self, linger_s: Callable[[], float]) -> None:
        self._running: dict[str, Flight] = {}
        self._linger_s = linger_s

    def find(self, snapshot: Snapshot) -> Flight | None:
        """The running generation that answers a request at this caret."""
        flight = self._running.get(snapshot.uri)
        typed = flight.typed(snapshot.lines) if flight else None
        if flight is None or typed is None:
            return None
        return flight if _caret_after(flight.snapshot, typed) == (snapshot.line, snapshot.column) else None

    def start(self, flight: Flight, pieces: AsyncGenerator[str, None], on_done: Callable[[Flight], None]) -> None:
        """Run a generation; one that runs for the same document is closed."""
        self.end(flight.snapshot.uri)
        self._running[flight.snapshot.uri] = flight
        flight.task = asyncio.create_task(_fly(flight, pieces))
        flight.task.add_done_callback(lambda task: self._land(flight, on_done, cancelled=task.cancelled()))

    def judge(self, uri: str, lines: Sequence[str]) -> None:
        """After a change: close the document's generation if the text has gone another way."""
        flight = self._running.get(uri)
        if flight is not None and flight.typed(lines) is None:
            self.end(uri)

    def end(self, uri: str) -> None:
        """Close the document's generation, if one runs; its waiters see it end without an answer."""
        flight = self._running.pop(uri, None)
        if flight is not None and flight.task is not None:
            flight.task.cancel()

    def end_all(self) -> None:
        for uri in tuple(self._running):
            self.end(uri)

    async def wait(self, flight: Flight, over: asyncio.Future[None]) -> bool:
        """Wait until the generation ends or the waiter is `over` (superseded). True when it ended by itself."""
        assert flight.task is not None
        self._enter(flight)
        try:
            await asyncio.wait({flight.task, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._leave(flight)
        return flight.task.done() and not flight.task.cancelled()

    def _enter(self, flight: Flight) -> None:
        flight.waiters += 1
        if flight.linger is not None:
            flight.linger.cancel()

    def _leave(self, flight: Flight) -> None:
        flight.waiters -= 1
        if flight.waiters == 0:
            loop = asyncio.get_running_loop()
            flight.linger = loop.call_later(self._linger_s() + LINGER_S, self._end_if_alone, flight)

    def _end_if_alone(self, flight: Flight) -> None:
        if flight.waiters == 0 and self._running.get(flight.snapshot.uri) is flight:
            self.end(flight.snapshot.uri)

    def _land(self, flight: Flight, on_done: Callable[[Flight], None], *, cancelled: bool) -> None:
        if self._running.get(flight.snapshot.uri) is flight:
            del self._running[flight.snapshot.uri]
        if flight.linger is not None:
            flight.linger.cancel()
        if not cancelled:
            on_done(flight)


async def _fly(flight: Flight, pieces: AsyncGenerator[str, None]) -> None:
    """Collect text until the model is done or there is enough; leaving the block closes the stream."""
    clock = asyncio.get_running_loop().time
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                flight.text += piece
                flight.arrived = [*flight.arrived[:1], clock()]
                end = fit.enough(flight.text, flight.snapshot, flight.shape)
                if end is not None:
                    flight.text = flight.text[:end]
                    return
    except MidfillError as exc:
        flight.error = exc


def _caret_after(then: Snapshot, typed: str) -> tuple[int, int]:
    added = typed.count("\n")
    column = len(typed) - typed.rfind("\n") - 1 if added else then.column + len(typed)
    return then.line + added, column
