"""The reference with shared flights: as `debounce`, but a running call outlives its request while the typing fits it."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field

from bench.references import base
from bench.references.base import DEBOUNCE_S, PREFIX_CHARS, Cache, Place

cache = Cache()


@dataclass(slots=True)
class Flight:
    """One running call and what it has written so far."""

    place: Place
    text: str = ""
    task: asyncio.Task[None] = field(init=False)

    def __post_init__(self) -> None:
        self.task = asyncio.create_task(self._fly())

    def serves(self, place: Place) -> bool:
        """Whether it may still turn out to write what is being typed."""
        typed = typed_since(self.place, place)
        agrees = typed is not None and (self.text.startswith(typed) or typed.startswith(self.text))
        return agrees and not self.task.done()

    async def _fly(self) -> None:
        async with aclosing(base.pieces(self.place)) as texts:
            async for text in texts:
                self.text += text
        self.text = self.text.rstrip()
        cache.store(self.place, self.text)


flights: dict[str, Flight] = {}


def typed_since(then: Place, now: Place) -> str | None:
    """What was typed at the caret of `then`; None when the text differs by anything else."""
    # The window slides: the end of the earlier prefix is found again a little further left.
    anchor = then.prefix[-PREFIX_CHARS // 2 :]
    at = now.prefix.rfind(anchor)
    return None if at < 0 or then.suffix != now.suffix else now.prefix[at + len(anchor) :]


async def suggest(place: Place) -> str:
    known = cache.get(place)
    if known is not None:
        return known
    if not _served(place):
        await asyncio.sleep(DEBOUNCE_S)
    flight = _take_off(place)
    await asyncio.shield(flight.task)
    known = cache.get(place)
    if known is None:
        # It wrote something else in the end. The debounce has passed long ago.
        flight = _take_off(place)
        await asyncio.shield(flight.task)
    return cache.get(place) or ""


def _served(place: Place) -> bool:
    return place.uri in flights and flights[place.uri].serves(place)


def _take_off(place: Place) -> Flight:
    """The running call if it serves this place, else a new one; the old one no longer fits the file."""
    if not _served(place):
        if place.uri in flights:
            flights[place.uri].task.cancel()
        flights[place.uri] = Flight(place)
    return flights[place.uri]


if __name__ == "__main__":
    base.serve(suggest)
