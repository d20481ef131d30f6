"""Who may use the model next: slots with editor affinity, waiting work ordered by interactivity."""

import asyncio
import heapq
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from itertools import count

from midfill_daemon.contract import Priority
from midfill_daemon.errors import Busy

RANK: Mapping[Priority, int] = {"interactive": 0, "speculative": 1, "batch": 2}


class Slots:
    """The slots of one model. An editor gets the slot it had before, so that its KV cache is still there.

    No lock: one event loop owns this.
    """

    def __init__(self, slots: int, queue_limit: int) -> None:
        self._free = list(range(slots))
        """Least recently used first, so that a newcomer takes the coldest cache."""
        self._last: dict[str, int] = {}
        self._queue: list[tuple[int, int, asyncio.Future[int]]] = []
        self._queue_limit = queue_limit
        self._ticket = count()

    @asynccontextmanager
    async def take(self, editor: str, priority: Priority) -> AsyncGenerator[int, None]:
        """Hold one slot. Raises Busy at once when the queue is full."""
        slot = self._choose(editor) if self._free else await self._wait(priority)
        self._last[editor] = slot
        try:
            yield slot
        finally:
            self._release(slot)

    def _choose(self, editor: str) -> int:
        last = self._last.get(editor)
        index = self._free.index(last) if last in self._free else 0
        return self._free.pop(index)

    async def _wait(self, priority: Priority) -> int:
        self._queue = [entry for entry in self._queue if not entry[2].done()]
        if len(self._queue) >= self._queue_limit:
            raise Busy("too many requests are waiting for this model")
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._queue.append((RANK[priority], next(self._ticket), turn))
        heapq.heapify(self._queue)
        try:
            return await turn
        except asyncio.CancelledError:
            # Cancelled in the same tick in which the slot was handed over: pass it on.
            if turn.done() and not turn.cancelled():
                self._release(turn.result())
            raise

    def _release(self, slot: int) -> None:
        while self._queue:
            turn = heapq.heappop(self._queue)[2]
            if not turn.done():
                turn.set_result(slot)
                return
        self._free.append(slot)
