"""Who may use the model next: slots with editor affinity, waiting work ordered by interactivity."""

import asyncio
import heapq
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from midfill_daemon.contract import Priority
from midfill_daemon.errors import Busy, Preempted

RANK: Mapping[Priority, int] = {"interactive": 0, "speculative": 1, "batch": 2}

StepT = TypeVar("StepT")


@dataclass(slots=True, eq=False)
class Turn:
    """One holder of a slot. A speculative one can be told to give way, which ends what it waits for."""

    slot: int
    editor: str
    priority: Priority
    preempted: bool = False
    _limit: asyncio.Timeout | None = None

    def give_way(self) -> None:
        self.preempted = True
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time())

    async def wait_for(self, step: Awaitable[StepT]) -> StepT:
        """What `step` gives. Raises Preempted, after cancelling it, once this turn has to give way.

        A timeout without a time rather than a task: this is asked for every token, which a turn of the loop would delay.
        """
        try:
            async with asyncio.timeout(None) as self._limit:
                if self.preempted:
                    self.give_way()
                return await step
        except TimeoutError as exc:
            raise Preempted("gave way to a request that somebody waits for") from exc
        finally:
            self._limit = None


class Slots:
    """The slots of one model. An editor gets the slot it had before, so that its KV cache is still there.

    No lock: one event loop owns this.
    """

    def __init__(self, slots: int, queue_limit: int) -> None:
        self._free = list(range(slots))
        """Least recently used first, so that a newcomer takes the coldest cache."""
        self._turns: list[Turn] = []
        self._last: dict[str, int] = {}
        self._queue: list[tuple[int, int, asyncio.Future[int]]] = []
        self._queue_limit = queue_limit
        self._ticket = count()

    @asynccontextmanager
    async def take(self, editor: str, priority: Priority) -> AsyncGenerator[Turn, None]:
        """Hold one slot. Raises Busy at once when the queue is full."""
        slot = self._choose(editor) if self._free else await self._wait(editor, priority)
        self._last[editor] = slot
        turn = Turn(slot, editor, priority)
        self._turns.append(turn)
        if priority == "speculative" and self._is_wanted():
            # Somebody has begun to wait between the hand-over of this slot and now.
            turn.give_way()
        try:
            yield turn
        finally:
            self._turns.remove(turn)
            self._release(slot)

    def _choose(self, editor: str) -> int:
        last = self._last.get(editor)
        index = self._free.index(last) if last in self._free else 0
        return self._free.pop(index)

    async def _wait(self, editor: str, priority: Priority) -> int:
        self._queue = [entry for entry in self._queue if not entry[2].done()]
        if len(self._queue) >= self._queue_limit:
            raise Busy("too many requests are waiting for this model")
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._queue.append((RANK[priority], next(self._ticket), turn))
        heapq.heapify(self._queue)
        if priority == "interactive":
            self._make_way(editor)
        try:
            return await turn
        except asyncio.CancelledError:
            # Cancelled in the same tick in which the slot was handed over: pass it on.
            if turn.done() and not turn.cancelled():
                self._release(turn.result())
            raise

    def _is_wanted(self) -> bool:
        return any(rank == RANK["interactive"] and not turn.done() for rank, _, turn in self._queue)

    def _make_way(self, editor: str) -> None:
        """Preempt one speculative holder, if there is one; rather the editor's own, whose slot has its KV cache."""
        speculative = [turn for turn in self._turns if turn.priority == "speculative" and not turn.preempted]
        for turn in sorted(speculative, key=lambda turn: turn.editor != editor)[:1]:
            turn.give_way()

    def _release(self, slot: int) -> None:
        while self._queue:
            turn = heapq.heappop(self._queue)[2]
            if not turn.done():
                turn.set_result(slot)
                return
        self._free.append(slot)
