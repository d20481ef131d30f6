"""The registry of generations: who owns them, what closes them, and that each closes its stream."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from midfill_daemon.contract import Shape
from midfill_daemon.errors import Preempted, ProviderDown
from midfill_lsp.flights import LINGER_S, Flight, Flights
from midfill_lsp.pace import Portion
from midfill_workspace.snapshot import Snapshot
from support.buffers import snapshot_of
from support.daemons import soon

NO_LINGER = -LINGER_S
FOR_EVER = 1000.0


@dataclass(slots=True)
class Stream:
    """Pieces that come when a test says so; `closed` once it has ended for whatever reason."""

    pieces: list[Any]
    opened: bool = False
    closed: bool = False

    async def play(self) -> AsyncGenerator[str, None]:
        self.opened = True
        try:
            for piece in self.pieces:
                if isinstance(piece, asyncio.Event):
                    await piece.wait()
                elif isinstance(piece, Exception):
                    raise piece
                else:
                    yield piece
        finally:
            self.closed = True


@dataclass(slots=True)
class Tower:
    """A registry, and the generations that have landed in it."""

    linger_s: float = FOR_EVER
    flights: Flights = field(init=False)
    landed: list[Flight] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.flights = Flights(lambda: self.linger_s)

    def start(self, snapshot: Snapshot, *pieces: Any, shape: Shape = "line") -> tuple[Flight, Stream]:
        flight, stream = Flight(snapshot, Portion(shape, shape, 1, 64)), Stream(list(pieces))
        self.flights.start(flight, stream.play(), self.landed.append)
        return flight, stream

    def wait(self, flight: Flight, over: asyncio.Future[None] | None = None) -> asyncio.Task[bool]:
        """Whether it answers who has typed nothing yet."""
        return asyncio.create_task(self.flights.answered(flight, "", over or open_end()))


def open_end() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


HERE = snapshot_of("x = ‸")


async def test_a_generation_that_ends_lands_with_its_text() -> None:
    tower = Tower()
    flight, stream = tower.start(HERE, "one", "two")
    assert await tower.wait(flight)
    assert (flight.text, flight.error, stream.closed) == ("onetwo", None, True)
    assert tower.landed == [flight]
    assert not tower.flights.is_running(HERE.uri)


async def test_enough_closes_the_stream() -> None:
    tower = Tower()
    flight, stream = tower.start(HERE, "one\ntwo", asyncio.Event())
    assert await tower.wait(flight)
    assert (flight.text, stream.closed) == ("one", True)


async def test_a_failure_lands_with_its_error() -> None:
    tower, failure = Tower(), ProviderDown("refused")
    flight, stream = tower.start(HERE, "one", failure)
    assert await tower.wait(flight)
    assert (flight.error, stream.closed, tower.landed) == (failure, True, [flight])


async def test_a_defect_reaches_who_waits_and_nothing_lands() -> None:
    tower = Tower()
    flight, _ = tower.start(HERE, "one", KeyError("a defect"))
    with pytest.raises(KeyError):
        await tower.wait(flight)
    assert tower.landed == []
    assert not tower.flights.is_running(HERE.uri)


async def test_one_generation_per_document() -> None:
    tower = Tower()
    first, stream = tower.start(HERE, asyncio.Event())
    other, _ = tower.start(snapshot_of("y‸", path="other"), asyncio.Event())
    await soon(lambda: stream.opened)
    second, _ = tower.start(HERE, "two")
    assert await tower.wait(second)
    assert stream.closed
    assert first.task
    assert first.task.cancelled()
    assert tower.flights.is_running(other.snapshot.uri)
    assert tower.landed == [second]
    tower.flights.end(other.snapshot.uri)


async def test_several_wait_for_one() -> None:
    tower, hold = Tower(NO_LINGER), asyncio.Event()
    flight, _ = tower.start(HERE, hold, "one")
    waiters = [tower.wait(flight) for _ in range(3)]
    await soon(lambda: flight.waiters == 3)
    waiters[0].cancel()
    waiters[1].cancel()
    await asyncio.gather(*waiters[:2], return_exceptions=True)
    hold.set()
    assert await waiters[2]
    assert flight.waiters == 0


async def test_who_is_superseded_stops_waiting_but_ends_nothing() -> None:
    tower = Tower()
    flight, stream = tower.start(HERE, asyncio.Event())
    over = open_end()
    waiter = tower.wait(flight, over=over)
    await soon(lambda: flight.waiters == 1)
    over.set_result(None)
    assert not await waiter
    assert tower.flights.is_running(HERE.uri)
    assert not stream.closed
    tower.flights.end(HERE.uri)


@pytest.mark.parametrize(("linger_s", "lives"), [(NO_LINGER, False), (FOR_EVER, True)])
async def test_without_waiters_it_lives_for_a_moment(linger_s: float, lives: bool) -> None:
    tower = Tower(linger_s)
    flight, stream = tower.start(HERE, asyncio.Event())
    waiter = tower.wait(flight)
    await soon(lambda: flight.waiters == 1)
    waiter.cancel()
    if lives:
        for _ in range(20):
            await asyncio.sleep(0)
    else:
        await soon(lambda: stream.closed)
    assert tower.flights.is_running(HERE.uri) is lives
    tower.flights.end(HERE.uri)
    assert (await asyncio.gather(waiter, return_exceptions=True))[0].__class__ is asyncio.CancelledError


async def test_who_joins_in_that_moment_keeps_it_alive() -> None:
    tower, hold = Tower(FOR_EVER), asyncio.Event()
    flight, _ = tower.start(HERE, hold, "one")
    first = tower.wait(flight)
    await soon(lambda: flight.waiters == 1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    linger = flight.linger
    assert linger
    second = tower.wait(flight)
    await soon(lambda: flight.waiters == 1)
    assert linger.cancelled()
    hold.set()
    assert await second


@pytest.mark.parametrize(
    ("arrived", "changed", "closed"),
    [
        ("", "x = ‸", False),
        ("", "x = v‸", False),
        ("", "x = v\n‸", False),
        ("", "x = v‸\n", False),
        ("va", "x = v‸", False),
        ("va", "x = value‸", False),
        ("va", "x = q‸", True),
        ("", "x =‸", True),
        ("", "y = ‸", True),
        ("", "‸", True),
        ("va", "x = va\nnext‸", False),
        ("va", "x = v\nnext‸", True),
    ],
)
async def test_a_change_is_judged(arrived: str, changed: str, closed: bool) -> None:
    tower = Tower()
    flight, stream = tower.start(HERE, arrived, asyncio.Event())
    await soon(lambda: stream.opened)
    await soon(lambda: flight.text == arrived)
    tower.flights.judge(HERE.uri, snapshot_of(changed).lines)
    assert tower.flights.is_running(HERE.uri) is not closed
    for _ in range(3):
        await asyncio.sleep(0)
    assert stream.closed is closed
    tower.flights.end(HERE.uri)


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ("x = ‸", True),
        ("x = v‸", True),
        ("x = v‸alue", False),
        ("x = ‸v", False),
        ("‸x = ", False),
        ("y = ‸", False),
    ],
)
async def test_who_may_join(now: str, found: bool) -> None:
    tower = Tower()
    _, stream = tower.start(HERE, asyncio.Event())
    await soon(lambda: stream.opened)
    assert bool(tower.flights.find(snapshot_of(now))) is found
    assert tower.flights.find(snapshot_of(now, path="other")) is None
    tower.flights.end(HERE.uri)


@pytest.mark.parametrize(
    "end",
    [
        lambda flights: flights.end(HERE.uri),
        lambda flights: flights.judge(HERE.uri, ["gone"]),
    ],
    ids=["end", "judge"],
)
async def test_who_waits_for_a_closed_generation_has_no_answer(end: Callable[[Flights], None]) -> None:
    tower = Tower()
    flight, stream = tower.start(HERE, "va", asyncio.Event())
    waiter = tower.wait(flight)
    await soon(lambda: flight.waiters == 1)
    end(tower.flights)
    assert not await waiter
    assert (stream.closed, tower.landed) == (True, [])


@pytest.mark.parametrize(
    ("pieces", "typed", "found"),
    [((), "", True), ((), "a", False), (("ab",), "a", True), (("ab",), "abc", False), ((Preempted(),), "", False)],
)
async def test_one_that_has_just_ended_answers_what_it_can(pieces: tuple[Any, ...], typed: str, found: bool) -> None:
    tower = Tower()
    flight, _ = tower.start(HERE, *pieces)
    await soon(lambda: flight.ended)
    assert not tower.landed, "it is still registered"
    assert (tower.flights.find(snapshot_of(f"x = {typed}‸")) is not None) is found


@pytest.mark.parametrize("uri", ["file:///file", "file:///unknown", ""])
async def test_ending_what_does_not_run_is_nothing(uri: str) -> None:
    flights = Tower().flights
    flights.end(uri)
    flights.judge(uri, [""])
    assert not flights.is_running(uri)
