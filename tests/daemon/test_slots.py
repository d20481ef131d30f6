"""Slots: affinity, order by interactivity, a bounded queue, and no slot lost to a cancellation."""

import asyncio
from collections.abc import Callable

import pytest

from midfill_daemon.backoff import Backoff
from midfill_daemon.bucket import Buckets
from midfill_daemon.contract import Priority
from midfill_daemon.errors import Busy
from midfill_daemon.slots import Slots


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_editor_gets_its_slot_back() -> None:
    slots = Slots(3, 10)
    async with slots.take("a", "interactive") as first, slots.take("b", "interactive") as second:
        assert first != second
    async with slots.take("b", "interactive") as again:
        assert again == second
    async with slots.take("c", "interactive") as coldest:
        assert coldest not in (first, second)


async def run_in_turn(slots: Slots, waiting: list[tuple[str, Priority]]) -> list[str]:
    order: list[str] = []

    async def work(name: str, priority: Priority) -> None:
        async with slots.take(name, priority):
            order.append(name)

    async with slots.take("holder", "interactive"):
        tasks = [asyncio.create_task(work(*entry)) for entry in waiting]
        await settle()
    await asyncio.gather(*tasks)
    return order


async def test_waiting_work_is_ordered_by_interactivity_then_age() -> None:
    waiting: list[tuple[str, Priority]] = [
        ("batch", "batch"),
        ("spec", "speculative"),
        ("a", "interactive"),
        ("b", "interactive"),
    ]
    assert await run_in_turn(Slots(1, 10), waiting) == ["a", "b", "spec", "batch"]


async def test_a_full_queue_refuses_at_once() -> None:
    slots = Slots(1, 1)
    async with slots.take("holder", "interactive"):
        waiter = asyncio.create_task(run_once(slots))
        await settle()
        with pytest.raises(Busy):
            async with slots.take("late", "interactive"):
                pass
    await waiter


async def run_once(slots: Slots) -> None:
    async with slots.take("someone", "interactive"):
        pass


@pytest.mark.parametrize("before_release", [True, False])
async def test_a_cancelled_waiter_loses_no_slot(before_release: bool) -> None:
    slots = Slots(1, 10)
    async with slots.take("holder", "interactive"):
        waiter = asyncio.create_task(run_once(slots))
        await settle()
        if before_release:
            waiter.cancel()
            await settle()
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    await asyncio.wait_for(run_once(slots), 1)


class Dice:
    """A jitter that always gives its upper end."""

    def uniform(self, _low: float, high: float) -> float:
        return high


def check_backoff(events: list[Callable[[Backoff], None]], wait_s: float) -> None:
    backoff = Backoff(jitter=Dice())  # type: ignore[arg-type]
    for event in events:
        event(backoff)
    assert backoff.wait_s(0.0) == wait_s


def failed(retry_after_s: float | None = None) -> Callable[[Backoff], None]:
    return lambda backoff: backoff.failed(0.0, retry_after_s)


def succeeded(backoff: Backoff) -> None:
    backoff.succeeded()


@pytest.mark.parametrize(
    ("events", "wait_s"),
    [
        ([], 0.0),
        ([failed()], 0.0),
        ([failed(7.0)], 7.0),
        ([failed()] * 2, 1.0),
        ([failed()] * 3, 2.0),
        ([failed()] * 7, 30.0),
        ([failed()] * 5000, 30.0),
        ([failed()] * 3 + [succeeded], 0.0),
    ],
)
def test_backoff(events: list[Callable[[Backoff], None]], wait_s: float) -> None:
    check_backoff(events, wait_s)


def test_backoff_passes_with_time() -> None:
    backoff = Backoff()
    backoff.failed(0.0, 5.0)
    assert backoff.wait_s(4.0) == 1.0
    assert backoff.wait_s(6.0) == 0.0


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    buckets = Buckets(rate=2.0, burst=3)
    assert [buckets.take("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert buckets.take("b", 0.0)
    assert [buckets.take("a", 0.5), buckets.take("a", 0.5)] == [True, False]
