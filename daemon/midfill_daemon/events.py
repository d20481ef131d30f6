"""The events that the daemon pushes: a bounded ring that each client follows from where it left off."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from midfill_daemon.contract import Raw
from midfill_daemon.identity import Caller

RING = 1000
HEARTBEAT_S = 20.0
"""Shorter than the idle limits of common proxies, so that a dead connection is noticed by both sides."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """One event; `user` None is for everybody."""

    id: int
    kind: str
    data: Raw
    user: str | None

    def as_json(self) -> Raw:
        return {"id": self.id, "kind": self.kind, **self.data}


class Hub:
    """Publish never waits; each follower reads at its own pace and may miss what left the ring."""

    def __init__(self, first_id: int | None = None, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._ring: deque[Pushed] = deque(maxlen=RING)
        # Ids begin at the time of start, so that an id of an earlier daemon is always in the past.
        self._next_id = first_id if first_id is not None else time.time_ns() // 1_000_000
        self._news = asyncio.Event()
        self._heartbeat_s = heartbeat_s
        self._closed = False

    def publish(self, kind: str, data: Raw, user: str | None = None) -> None:
        self._ring.append(Pushed(self._next_id, kind, data, user))
        self._next_id += 1
        self._wake()

    def close(self) -> None:
        """End every follower."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def follow(self, caller: Caller, after: int | None) -> AsyncGenerator[Raw, None]:
        """Events newer than `after` (None: from now on), then new ones as they come; heartbeats have no id."""
        seen = self._next_id - 1 if after is None else after
        yield {"kind": "hello", "id": seen}
        while True:
            news = self._news
            for event in [event for event in self._ring if event.id > seen]:
                seen = event.id
                if event.user in (None, caller.user):
                    yield event.as_json()
            if self._closed:
                return
            try:
                await asyncio.wait_for(news.wait(), self._heartbeat_s)
            except TimeoutError:
                yield {"kind": "heartbeat"}
