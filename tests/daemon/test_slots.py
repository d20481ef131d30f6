"""Slots: affinity, order by interactivity, a bounded queue, and no slot lost to a cancellation."""

import asyncio
from collections.abc import Callable

import pytest

from midfill_daemon.backoff import Backoff
from midfill_daemon.bucket import Buckets
from midfill_daemon.contract import Priority
from midfill_daemon.errors import Busy, Preempted
from midfill_daemon.slots import Slots


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_editor_gets_its_slot_back() -> None:
    slots = Slots(3, 10)
    async with slots.take("a", "interactive") as first, slots.take("b", "interactive") as second:
        assert first.slot != second.slot
    async with slots.take("b", "interactive") as again:
        assert again.slot == second.slot
    async with slots.take("c", "interactive") as coldest:
        assert coldest.slot not in (first.slot, second.slot)


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


# --- giving way -----------------------------------------------------------------------------------


async def hold(slots: Slots, editor: str, priority: Priority, ended: list[str]) -> None:
    """Hold a slot until it has to be given up; `ended` says who had to."""
    async with slots.take(editor, priority) as turn:
        try:
            await turn.wait_for(asyncio.Event().wait())
        except Preempted:
            ended.append(editor)


async def preempted_by(count: int, *holders: tuple[str, Priority], newcomer: Priority = "interactive") -> list[str]:
    """Which of the holders give way when the editor "a" comes and finds every slot taken."""
    slots, ended = Slots(count, 10), list[str]()
    tasks = [asyncio.create_task(hold(slots, editor, priority, ended)) for editor, priority in holders]
    await settle()
    tasks.append(asyncio.create_task(hold(slots, "a", newcomer, [])))
    await settle()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return ended


@pytest.mark.parametrize(
    ("slots", "holders", "newcomer", "ended"),
    [
        (1, [("b", "speculative")], "interactive", ["b"]),
        (1, [("a", "speculative")], "interactive", ["a"]),
        (2, [("b", "speculative")], "interactive", []),
        (2, [("b", "speculative"), ("a", "speculative")], "interactive", ["a"]),
        (2, [("b", "interactive"), ("c", "speculative")], "interactive", ["c"]),
        (1, [("b", "interactive")], "interactive", []),
        (1, [("b", "batch")], "interactive", []),
        (1, [("b", "speculative")], "speculative", []),
        (1, [("b", "speculative")], "batch", []),
    ],
)
async def test_only_speculation_gives_way_and_only_to_somebody_who_waits(
    slots: int, holders: list[tuple[str, Priority]], newcomer: Priority, ended: list[str]
) -> None:
    assert await preempted_by(slots, *holders, newcomer=newcomer) == ended


async def test_each_newcomer_ends_one_speculation() -> None:
    slots, ended = Slots(3, 10), list[str]()
    tasks = [asyncio.create_task(hold(slots, editor, "speculative", ended)) for editor in "bcd"]
    await settle()
    tasks += [asyncio.create_task(hold(slots, "a", "interactive", [])) for _ in range(2)]
    await settle()
    assert ended == ["b", "c"]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_speculation_that_was_just_handed_its_slot_gives_way_too() -> None:
    slots, ended = Slots(1, 10), list[str]()
    async with slots.take("holder", "interactive"):
        late = asyncio.create_task(hold(slots, "late", "speculative", ended))
        await settle()
    newcomer = asyncio.create_task(run_once(slots))
    await asyncio.wait_for(asyncio.gather(late, newcomer), 1)
    assert ended == ["late"]


async def test_between_two_steps_it_gives_way_at_the_next() -> None:
    slots = Slots(1, 10)
    async with slots.take("a", "speculative") as turn:
        newcomer = asyncio.create_task(run_once(slots))
        await settle()
        with pytest.raises(Preempted):
            await turn.wait_for(asyncio.Event().wait())
    await newcomer


async def test_a_cancelled_holder_is_cancelled_and_not_preempted() -> None:
    slots, ended = Slots(1, 10), list[str]()
    holder = asyncio.create_task(hold(slots, "a", "speculative", ended))
    await settle()
    holder.cancel()
    newcomer = asyncio.create_task(run_once(slots))
    with pytest.raises(asyncio.CancelledError):
        await holder
    await newcomer
    assert ended == []


class Dice:
    """A jitter that always gives its upper end."""

    def uniform(self, _low: float, high: float) -> float:
        return high


def check_backoff(events: list[Callable[[Backoff], None]], wait_s: float) -> None:
    backoff = Backoff(jitter=Dice())
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
