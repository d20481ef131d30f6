"""A suggestion that grows after it was answered: watched while its generation runs, and told to clients that can show it."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lsprotocol import types

from midfill_lsp import completion
from midfill_lsp.completion import AFTER_ANSWER_S, Ask, Desk
from midfill_lsp.fit import Fitted
from midfill_lsp.flights import Flight

log = logging.getLogger(__name__)

INTERVAL_S = 0.1
"""Between two notifications: a line more often than that is only seen to flicker."""


Place = tuple[str, int, int, int]
"""Uri, version, line and column of a request."""


@dataclass(frozen=True, slots=True)
class More:
    """Sent as `midfill/more`: the whole new text for the range of the item with this id."""

    id: str
    uri: str
    version: int
    line: int
    character: int
    """The caret as the client counts it, in the request that was answered."""
    text: str
    done: bool
    """Nothing comes after this."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What was answered, and to what. `lead` is the text of the editor's own list that the suggestion goes on with."""

    id: str
    ask: Ask
    position: types.Position
    fitted: Fitted
    lead: str = ""


class Streams:
    """At most one watch for each document, which owns its task. No lock: one event loop owns this."""

    def __init__(self, desk: Desk) -> None:
        self.tell: Callable[[More], None] = _nothing
        """Sends a notification."""
        self._desk = desk
        self._watches: dict[str, tuple[str, asyncio.Task[None]]] = {}
        self._told_once: Place | None = None
        """Where a client that shows growth once was told last."""
        self._is_expected = False
        """Whether it has yet to fetch that."""

    def follow(self, shown: Shown) -> None:
        """Watch a suggestion that is about to be on the screen, until the text, the caret or the user has left it."""
        snapshot, position = shown.ask.snapshot, shown.position
        uri = snapshot.uri
        self.end(uri)
        if self._told_once == (uri, snapshot.version, position.line, position.character):
            return
        joined = self._desk.flights.find(shown.ask.snapshot)
        task = asyncio.create_task(self._follow(shown, joined))
        self._watches[uri] = shown.id, task
        task.add_done_callback(lambda ended: self._forget(uri, ended))

    def end(self, uri: str) -> None:
        """The document has changed, or was asked about again."""
        watch = self._watches.pop(uri, None)
        if watch is not None:
            watch[1].cancel()

    def taken(self, shown_id: str) -> None:
        """The suggestion of this id, "" for any, was accepted or dismissed."""
        for uri, (watched, _) in tuple(self._watches.items()):
            if shown_id in ("", watched):
                self.end(uri)

    def expects(self, uri: str, version: int, position: types.Position) -> bool:
        """Whether a request that calls itself invoked only fetches what has been told; at most once for each telling.

        VS Code can show a longer text only by hiding the shorter one and asking again, as if by hand.
        """
        expected, self._is_expected = self._is_expected, False
        return expected and self._told_once == (uri, version, position.line, position.character)

    async def close(self) -> None:
        tasks = [task for _, task in self._watches.values()]
        for uri in tuple(self._watches):
            self.end(uri)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, uri: str, ended: asyncio.Task[None]) -> None:
        if self._watches.get(uri, ("", None))[1] is ended:
            del self._watches[uri]
        if not ended.cancelled() and (defect := ended.exception()) is not None:
            # A defect of ours; its own words may quote the text.
            log.error("streaming.failed", extra={"error": type(defect).__name__})

    async def _follow(self, shown: Shown, joined: tuple[Flight, str] | None) -> None:
        joined = joined or await self._going_on(shown)
        if joined is None:
            return
        flight, added = joined
        live = self._desk.settings.streaming == "live"
        # The answer itself counts, so that nothing overtakes it.
        said, said_s, unfinished = shown.fitted.text, self._desk.clock(), False
        while True:
            await _news(flight, live=live)
            await self._desk.sleep(max(0.0, said_s + INTERVAL_S - self._desk.clock()))
            text = _grown(shown, said, flight, added)
            if text != said or (unfinished and flight.ended):
                said, said_s, unfinished = text, self._desk.clock(), not flight.ended
                self._say(shown, text, done=flight.ended)
            if flight.ended or not shown.ask.is_current():
                return

    async def _going_on(self, shown: Shown) -> tuple[Flight, str] | None:
        """The guess that goes on where the suggestion ends, if one is begun for it."""
        await self._desk.sleep(2 * AFTER_ANSWER_S)
        return self._desk.flights.find(shown.ask.snapshot)

    def _say(self, shown: Shown, text: str, *, done: bool) -> None:
        snapshot, position = shown.ask.snapshot, shown.position
        if not shown.ask.is_current():
            return
        more = More(
            id=shown.id,
            uri=snapshot.uri,
            version=snapshot.version,
            line=position.line,
            character=position.character,
            text=shown.lead + text,
            done=done,
        )
        self._desk.habits.gave(snapshot, text)
        if self._desk.settings.streaming == "once":
            self._told_once, self._is_expected = (more.uri, more.version, more.line, more.character), True
        self.tell(more)


async def _news(flight: Flight, *, live: bool) -> None:
    """Return when it has another complete line, for who can show that, or has ended."""
    assert flight.task is not None
    line = asyncio.ensure_future(flight.news.wait())
    awaited: set[asyncio.Future[Any]] = {flight.task, line} if live else {flight.task}
    try:
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
    finally:
        line.cancel()


def _grown(shown: Shown, said: str, flight: Flight, added: str) -> str:
    """What would be answered now, if it goes on with what was said and takes the place of the same text; else that."""
    if flight.error is not None or (flight.ended and flight.answer is None):
        return said
    fitted = completion.suggestion(flight.known(added), shown.ask.snapshot, by_hand=shown.ask.by_hand)
    goes_on = fitted.text.startswith(said) and fitted.replace == shown.fitted.replace
    return fitted.text if goes_on else said


def _nothing(_: More) -> None:
    """The client shows no growth."""
