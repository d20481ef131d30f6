"""Several suggestions for who asks by hand: what the model says first, and samples of what it might say otherwise."""

import asyncio
from collections.abc import Sequence

from midfill_lsp import completion, pace
from midfill_lsp.completion import Desk
from midfill_lsp.fit import Fitted
from midfill_lsp.flights import Flight, Flights
from midfill_workspace import scope
from midfill_workspace.snapshot import Snapshot

AT_LEAST_S, AT_MOST_S = 0.5, 2.0
WAIT_SHARE = 1.5
"""How long the first suggestion is kept for the others, in the model's typical time to an answer. An editor is answered
once, so what comes later is there when it asks again."""

LOOKED_S = 0.25
"""Nobody asks by hand so soon after a key. Clients that call each of their requests invoked do, and would get three
generations for each key."""


class Samples:
    """The running samples of a window: for each document those of one place. No lock: one event loop owns this."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._variants: dict[int, Flights] = {}

    def begin(self, snapshot: Snapshot) -> None:
        """Ask for those that are neither known nor under way. A model that struggles is asked for no more than it must."""
        desk = self._desk
        if desk.health.level != "normal":
            return
        known = desk.cache.all(desk.revision, snapshot, desk.clock())
        asked = {each.answer.variant for each in known if each.typed == 0}
        for variant in range(1, desk.settings.candidates):
            flights = self._variants.setdefault(variant, Flights(linger_s=lambda: 0.0))
            if variant not in asked and flights.find(snapshot) is None:
                portion = pace.portion(scope.shape(snapshot, invoked=True), desk.settings, ahead=False)
                completion.start(Flight(snapshot, portion, variant=variant), desk, flights)

    async def beside(self, first: Fitted, snapshot: Snapshot) -> list[Fitted]:
        """The first suggestion, with what it has grown by meanwhile, and the others, which all differ; [] when a
        newer request came.
        """
        joined = self._desk.flights.find(snapshot)
        with self._desk.newest.turn(snapshot.uri) as over:
            await self._wait([*self._running(snapshot), *([joined[0]] if joined else [])], over)
            if over.done():
                return []
        grown = _grown(first, *joined, snapshot) if joined else first
        return [grown, *self._others(grown, snapshot)]

    def judge(self, uri: str, lines: Sequence[str]) -> None:
        """After a change: close those that the text has left behind."""
        for flights in self._variants.values():
            flights.judge(uri, lines)

    def end(self, uri: str) -> None:
        """The request was withdrawn, or the document is gone: nobody will choose."""
        for flights in self._variants.values():
            flights.end(uri)

    def _running(self, snapshot: Snapshot) -> list[Flight]:
        found = (flights.find(snapshot) for flights in self._variants.values())
        return [joined[0] for joined in found if joined is not None]

    async def _wait(self, flights: Sequence[Flight], over: asyncio.Future[None]) -> None:
        """Until all have ended, or it takes too long. Raises what a defect of ours raised in one."""
        late = asyncio.ensure_future(self._desk.sleep(_patience_s(self._desk)))
        try:
            while running := [flight.task for flight in flights if flight.task is not None and not flight.ended]:
                await asyncio.wait({over, late, *running}, return_when=asyncio.FIRST_COMPLETED)
                if over.done() or late.done():
                    break
        finally:
            late.cancel()
        for flight in flights:
            if flight.ended:
                flight.was_closed()

    def _others(self, first: Fitted, snapshot: Snapshot) -> list[Fitted]:
        desk = self._desk
        known = desk.cache.all(desk.revision, snapshot, desk.clock())
        distinct: dict[str, Fitted] = {"": first, first.text.strip(): first}
        for each in known:
            fitted = completion.suggestion(each, snapshot, by_hand=True)
            distinct.setdefault(fitted.text.strip(), fitted)
        return [fitted for fitted in distinct.values() if fitted is not first][: desk.settings.candidates - 1]


def _grown(first: Fitted, flight: Flight, added: str, snapshot: Snapshot) -> Fitted:
    if flight.error is not None or flight.answer is None:
        return first
    fitted = completion.suggestion(flight.known(added), snapshot, by_hand=True)
    return fitted if fitted.text.startswith(first.text) else first


def _patience_s(desk: Desk) -> float:
    """In manual mode each request is made by hand: the first suggestion comes at once, the others when asked again."""
    if desk.settings.trigger == "manual":
        return 0.0
    return min(AT_MOST_S, max(AT_LEAST_S, WAIT_SHARE * desk.health.typical_s))
