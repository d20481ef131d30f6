"""The registry that owns running generations, and says which requests they may still answer."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

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
    answer: Answer | None = None
    """Its text once it has ended and been shaped."""
    reused: float | None = None
    """The share of its prompt that the engine had read before."""
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

    def follow(self, lines: Sequence[str]) -> str | None:
        """Note what was typed since and return it, while this generation still fits it; else None."""
        added = typed.since(self.place, lines)
        if added is None or not typed.agrees(self.text, added):
            return None
        self.ahead = added
        return added

    def known(self, added: str) -> Known:
        """What it has to say beyond the typed text, in complete lines until it has ended."""
        running = self.task is not None and not self.task.done()
        text = self.text[: self.text.rfind("\n") + 1] if running else self.text
        answer = self.answer or Answer(text, guess=self.guess)
        return Known(answer, len(added) if answer.text.startswith(added) else len(answer.text))

    def has_lost_its_line(self, added: str) -> bool:
        """Whether it has said nothing yet, while the user has typed on and begun another line."""
        line, line_break, _ = added.partition("\n")
        return len(self.text) == self.given and line_break != "" and line.strip() != ""

    def add(self, piece: str) -> None:
        self.text += piece
        if "\n" in piece:
            self.news.set()
            self.news = asyncio.Event()


class Flights:
    """The newest generation of each document and, where the model has room for it, the one before.

    No lock: one event loop owns this.
    """

    def __init__(
        self,
        linger_s: Callable[[], float],
        side_by_side: Callable[[], int],
        on_contradicted: Callable[[str, int], None] = lambda uri, line: None,
    ) -> None:
        self._running: dict[str, list[Flight]] = {}
        self._on_contradicted = on_contradicted
        self._linger_s = linger_s
        self._side_by_side = side_by_side

    def is_running(self, uri: str) -> bool:
        return bool(self._running.get(uri))

    @property
    def is_guessing(self) -> bool:
        return any(flight.guess is not None for flights in self._running.values() for flight in flights)

    def find(self, snapshot: Snapshot) -> list[tuple[Flight, str]]:
        """The generations that may answer a request at this caret, and what was typed since each began; newest first."""
        found: list[tuple[Flight, str]] = []
        for flight in reversed(self._running.get(snapshot.uri, ())):
            added = flight.follow(snapshot.lines)
            if added is not None and typed.caret_after(flight.place, added) == (snapshot.line, snapshot.column):
                found.append((flight, added))
        return found

    def start(self, flight: Flight, pieces: AsyncGenerator[str, None], on_done: Callable[[Flight], None]) -> None:
        """Run a generation; the oldest one of the document is closed when there would be too many."""
        uri = flight.snapshot.uri
        while len(self._running.get(uri, ())) >= self._side_by_side():
            self._close(self._running[uri][0])
        self._running.setdefault(uri, []).append(flight)
        flight.task = asyncio.create_task(self._fly(flight, pieces))
        flight.task.add_done_callback(lambda task: self._land(flight, task, on_done))

    def judge(self, uri: str, lines: Sequence[str]) -> None:
        """After a change: close the generations that the text has left behind."""
        for flight in tuple(self._running.get(uri, ())):
            if flight.follow(lines) is None:
                self._close(flight)

    def end(self, uri: str) -> None:
        """Close the document's generations; their waiters see them end without an answer."""
        for flight in tuple(self._running.get(uri, ())):
            self._close(flight)

    async def first(
        self, flights: Sequence[tuple[Flight, str]], over: asyncio.Future[None]
    ) -> tuple[Flight, str] | None:
        """The first of these generations that has something useful beyond what was typed, or ended last without.

        None when all of them were closed, or a newer request has taken over.
        """
        for flight, _ in flights:
            self._enter(flight)
        try:
            while not over.done():
                ready = next((each for each in flights if _has_answer(*each)), None)
                running = [flight for flight, _ in flights if flight.task is not None and not flight.task.done()]
                if ready or not running:
                    return ready or _landed(flights)
                await _any_news(running, over)
        finally:
            for flight, _ in flights:
                self._leave(flight)
        return None

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
        running = self._running.get(flight.snapshot.uri, [])
        if flight in running:
            running.remove(flight)
        if not running:
            self._running.pop(flight.snapshot.uri, None)
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
                        self._on_contradicted(flight.snapshot.uri, flight.place.line + flight.ahead.count("\n"))
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


def _has_answer(flight: Flight, added: str) -> bool:
    """A useful unit beyond what was typed, or all that a generation had to say, which is cut before its line break."""
    rest, task = flight.known(added).text, flight.task
    ended = task is not None and task.done() and not task.cancelled() and task.exception() is None
    return known.has_unit(rest) or (ended and rest != "")


def _landed(flights: Sequence[tuple[Flight, str]]) -> tuple[Flight, str] | None:
    """Of generations that have all ended, the one with something to say; else one that was not closed."""
    ended = [each for each in flights if each[0].task is not None and not each[0].task.cancelled()]
    chosen = next((each for each in ended if each[0].known(each[1]).text), ended[0] if ended else None)
    if chosen is not None and chosen[0].task is not None:
        chosen[0].task.result()  # A defect of ours is raised here, and not passed off as an answer.
    return chosen


async def _any_news(running: Sequence[Flight], over: asyncio.Future[None]) -> None:
    """Return when one of the generations has another complete line or ends, or the waiter is over."""
    news = [asyncio.ensure_future(flight.news.wait()) for flight in running]
    tasks = [flight.task for flight in running if flight.task is not None]
    try:
        awaited: set[asyncio.Future[Any]] = {over, *news, *tasks}
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiting in news:
            waiting.cancel()


def _enough(flight: Flight) -> int | None:
    end = fit.enough(flight.text, flight.snapshot, flight.portion.reads)
    if end is None and known.complete_lines(flight.text[flight.given :]) >= flight.portion.lines:
        end = len(flight.text)
    return None if end is None else max(end, flight.given)
