"""The registry that owns running generations, and says which requests they may still answer."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from midfill_daemon.contract import CompletionRequest
from midfill_daemon.errors import MidfillError
from midfill_lsp import fit, known, typed
from midfill_lsp.answer import Answer, Guess, Known
from midfill_lsp.pace import Portion
from midfill_lsp.typed import Place
from midfill_workspace.snapshot import Snapshot

TELLING_CHARS = 8
"""Visible characters of a contradicted answer from which on it is kept for this place, should the user come back to it."""

LINGER_S = 0.15
"""How long a generation outlives its last waiter, besides the wait that the client declares: editors cancel
20-200 ms before they ask again, and closing at each cancel multiplies the calls by ten (measured)."""


@dataclass(slots=True, eq=False)
class Flight:
    """One generation: where it was asked for, what has arrived, and who waits for it."""

    snapshot: Snapshot
    portion: Portion
    """How much of it is read; what lies beyond the first suggestion is for the cache."""
    text: str = ""
    given: int = 0
    """How much of `text` was known before: a guess continues an answer that the user is expected to take."""
    guess: Guess | None = None
    """Set when nobody asked for it."""
    variant: int = 0
    """Which sample it is; 0 is what the model says first."""
    answer: Answer | None = None
    """Its text once it has ended and been shaped."""
    reused: float | None = None
    """The share of its prompt that the engine had read before."""
    request: CompletionRequest | None = None
    """What is sent for it, once that has been made."""
    told: frozenset[str] = frozenset()
    """The other files that the model was told of."""
    redacted: int = 0
    """How many secrets were taken out of what is sent."""
    revision: str = ""
    rules: tuple[str, ...] = ()
    """The ids of the filters that shaped the finished text."""
    error: MidfillError | None = None
    place: Place = field(init=False)
    ahead: str = ""
    """What the user has typed since it began, as of the last change."""
    task: asyncio.Task[None] | None = None
    waiters: int = 0
    linger: asyncio.TimerHandle | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced, whenever another line is complete."""

    def __post_init__(self) -> None:
        self.place = typed.place_of(self.snapshot)

    @property
    def ended(self) -> bool:
        return self.task is not None and self.task.done()

    def has_hope(self, added: str) -> bool:
        """Whether it may answer who has typed this. One that has just ended stays registered until the loop gets to it:
        who was given it again and again for an answer that it does not have would never let the loop get there."""
        return not self.ended or (self.error is None and self.text.startswith(added))

    def was_closed(self) -> bool:
        """Of one that has ended: whether that was before it had said what it had to. Raises what a defect raised in it."""
        assert self.task is not None
        if not self.task.cancelled():
            self.task.result()
        return self.task.cancelled()

    def follow(self, lines: Sequence[str]) -> str | None:
        """Note what was typed since and return it, while this generation still fits it; else None."""
        added = typed.since(self.place, lines)
        if added is None or not typed.agrees(self.text, added):
            return None
        self.ahead = added
        return added

    def known(self, added: str) -> Known:
        """What it has to say beyond the typed text, in complete lines until it has ended."""
        text = self.text if self.ended else self.text[: self.text.rfind("\n") + 1]
        answer = self.answer or Answer(text, guess=self.guess)
        return Known(answer, len(added) if answer.text.startswith(added) else len(answer.text))

    def add(self, piece: str) -> None:
        self.text += piece
        if "\n" in piece:
            self.news.set()
            self.news = asyncio.Event()


class Flights:
    """The running generation of each document. No lock: one event loop owns this."""

    def __init__(self, linger_s: Callable[[], float]) -> None:
        self._running: dict[str, Flight] = {}
        self._linger_s = linger_s

    def is_running(self, uri: str) -> bool:
        return uri in self._running

    @property
    def is_guessing(self) -> bool:
        return any(flight.guess is not None for flight in self._running.values())

    def find(self, snapshot: Snapshot) -> tuple[Flight, str] | None:
        """The generation that may answer a request at this caret, and what was typed since it began."""
        flight = self._running.get(snapshot.uri)
        added = flight.follow(snapshot.lines) if flight else None
        if flight is None or added is None or not flight.has_hope(added):
            return None
        here = typed.caret_after(flight.place, added) == (snapshot.line, snapshot.column)
        return (flight, added) if here else None

    def start(self, flight: Flight, pieces: AsyncGenerator[str, None], on_done: Callable[[Flight], None]) -> None:
        """Run a generation; the one before it of the same document is closed."""
        uri = flight.snapshot.uri
        self.end(uri)
        self._running[uri] = flight
        flight.task = asyncio.create_task(self._fly(flight, pieces))
        flight.task.add_done_callback(lambda task: self._land(flight, task, on_done))

    def judge(self, uri: str, lines: Sequence[str]) -> None:
        """After a change: close the generation if the text has left it behind."""
        flight = self._running.get(uri)
        if flight is not None and flight.follow(lines) is None:
            self._close(flight)

    def end(self, uri: str) -> None:
        """Close the document's generation; who waits for it sees it end without an answer."""
        flight = self._running.get(uri)
        if flight is not None:
            self._close(flight)

    async def answered(self, flight: Flight, added: str, over: asyncio.Future[None]) -> bool:
        """Wait until a generation has something useful beyond what was typed, or has ended with what it had to say.

        False when it was closed, or a newer request has taken over. Raises what a defect of ours raised in it.
        """
        self._enter(flight)
        try:
            while not over.done():
                if known.has_unit(flight.known(added).text):
                    return True
                if flight.ended:
                    return not flight.was_closed()
                await _news(flight, over)
        finally:
            self._leave(flight)
        return False

    def _enter(self, flight: Flight) -> None:
        flight.waiters += 1
        if flight.linger is not None:
            flight.linger.cancel()

    def _leave(self, flight: Flight) -> None:
        """Without a waiter it lives on for a moment, or to its end once it has shown something useful; a guess needs none."""
        flight.waiters -= 1
        if flight.waiters == 0 and flight.guess is None and not known.has_unit(flight.text[flight.given :]):
            loop = asyncio.get_running_loop()
            flight.linger = loop.call_later(self._linger_s() + LINGER_S, self._close_if_alone, flight)

    def _close_if_alone(self, flight: Flight) -> None:
        if flight.waiters == 0:
            self._close(flight)

    def _close(self, flight: Flight) -> None:
        self._forget(flight)
        if flight.task is not None:
            flight.task.cancel()

    def _forget(self, flight: Flight) -> None:
        if self._running.get(flight.snapshot.uri) is flight:
            del self._running[flight.snapshot.uri]
        if flight.linger is not None:
            flight.linger.cancel()

    def _land(self, flight: Flight, task: asyncio.Task[None], on_done: Callable[[Flight], None]) -> None:
        self._forget(flight)
        if not task.cancelled() and task.exception() is None:
            on_done(flight)

    async def _fly(self, flight: Flight, pieces: AsyncGenerator[str, None]) -> None:
        """Collect text until the model is done or there is enough; leaving the loop closes the stream."""
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    flight.add(piece)
                    if not typed.agrees(flight.text, flight.ahead):
                        if len(flight.text.strip()) >= TELLING_CHARS:
                            return
                        # The user was faster than the model and has written something else: the same as being closed.
                        raise asyncio.CancelledError
                    end = _enough(flight)
                    if end is not None:
                        flight.text = flight.text[:end]
                        return
        except MidfillError as exc:
            flight.error = exc


async def _news(flight: Flight, over: asyncio.Future[None]) -> None:
    """Return when the generation has another complete line or ends, or the waiter is over."""
    assert flight.task is not None
    line = asyncio.ensure_future(flight.news.wait())
    awaited: set[asyncio.Future[Any]] = {over, line, flight.task}
    try:
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
    finally:
        line.cancel()


def _enough(flight: Flight) -> int | None:
    end = fit.enough(flight.text, flight.snapshot, flight.portion.reads)
    if end is None and known.complete_lines(flight.text[flight.given :]) >= flight.portion.lines:
        end = len(flight.text)
    return None if end is None else max(end, flight.given)
