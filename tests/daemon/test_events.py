"""Pushed events: followed from now or from an id, kept apart by user, ended by goodbye; a slow reader loses only old ones."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

from midfill_daemon.contract import Raw
from midfill_daemon.events import RING, Hub
from midfill_daemon.identity import Caller
from support.daemons import ME, Running, Steered, serving


def hub_with(*kinds: str, **options: Any) -> Hub:
    """Events from id 100 on."""
    hub = Hub(first_id=100, **options)
    for kind in kinds:
        hub.publish(kind, {})
    return hub


async def take(followed: AsyncGenerator[Raw, None], count: int) -> list[Raw]:
    async with asyncio.timeout(20):
        return [await anext(followed) for _ in range(count)]


def hello(seen: int) -> Raw:
    return {"kind": "hello", "id": seen}


@pytest.mark.parametrize(
    ("after", "seen"),
    [
        (None, [hello(102), {"id": 103, "kind": "new"}]),
        (99, [hello(99), *({"id": 100 + at, "kind": kind} for at, kind in enumerate(("a", "b", "c", "new")))]),
        (0, [hello(0), *({"id": 100 + at, "kind": kind} for at, kind in enumerate(("a", "b", "c", "new")))]),
        (101, [hello(101), {"id": 102, "kind": "c"}, {"id": 103, "kind": "new"}]),
        (102, [hello(102), {"id": 103, "kind": "new"}]),
    ],
)
async def test_following_begins_after_an_id_or_now(after: int | None, seen: list[Raw]) -> None:
    hub = hub_with("a", "b", "c")
    async with aclosing(hub.follow(ME, after)) as followed:
        first = await take(followed, 1)
        hub.publish("new", {})
        assert first + await take(followed, len(seen) - 1) == seen


async def test_each_user_sees_their_own_and_everybodys() -> None:
    hub = hub_with()
    followers = {user: hub.follow(Caller(user), 0) for user in ("me", "you")}
    for user in ("me", "you", None):
        hub.publish("to", {"whom": user or "all"}, user)
    seen = {user: await take(followed, 3) for user, followed in followers.items()}
    assert [[event.get("whom") for event in events] for events in seen.values()] == [
        [None, "me", "all"],
        [None, "you", "all"],
    ]
    for followed in followers.values():
        await followed.aclose()


async def test_an_event_for_another_user_does_not_come_again_later() -> None:
    hub = hub_with()
    async with aclosing(hub.follow(ME, 99)) as followed:
        await take(followed, 1)
        hub.publish("secret", {}, "you")
        hub.publish("open", {})
        assert await take(followed, 1) == [{"id": 101, "kind": "open"}]


async def test_a_quiet_hub_beats() -> None:
    async with aclosing(hub_with(heartbeat_s=0.0).follow(ME, None)) as followed:
        assert await take(followed, 4) == [hello(99), *[{"kind": "heartbeat"}] * 3]


async def test_who_was_away_for_long_misses_the_oldest_only() -> None:
    hub = hub_with(*["old"] * 5, *["kept"] * RING)
    async with aclosing(hub.follow(ME, 99)) as followed:
        events = await take(followed, RING + 1)
    assert [event["kind"] for event in events[1:]] == ["kept"] * RING
    assert [event["id"] for event in events[1:]] == list(range(105, 105 + RING))


async def test_what_is_published_while_a_follower_is_busy_comes_once_and_in_order() -> None:
    hub = hub_with("a")
    async with aclosing(hub.follow(ME, 0)) as followed:
        seen = await take(followed, 2)
        for kind in ("b", "c"):
            hub.publish(kind, {})
        seen += await take(followed, 2)
    assert [event["id"] for event in seen[1:]] == [100, 101, 102]


async def test_closing_ends_every_follower_after_its_last_event() -> None:
    hub = hub_with()
    followers = [hub.follow(ME, None) for _ in range(3)]
    for followed in followers:
        await take(followed, 1)
    hub.publish("goodbye", {"reason": "idle"})
    hub.close()
    rests = [[event["kind"] async for event in followed] for followed in followers]
    assert rests == [["goodbye"]] * 3


async def test_ids_of_a_later_daemon_are_larger() -> None:
    first, second = Hub(), Hub()
    async with aclosing(first.follow(ME, None)) as one, aclosing(second.follow(ME, None)) as other:
        assert (await anext(one))["id"] <= (await anext(other))["id"]


# --- over HTTP ---------------------------------------------------------------------------------------


async def lines_of(response: httpx.Response) -> AsyncGenerator[Raw, None]:
    async for line in response.aiter_lines():
        yield json.loads(line)


async def read(running: Running, path: str, count: int) -> list[Raw]:
    async with running.http.stream("GET", path) as response, aclosing(lines_of(response)) as lines:
        return await take(lines, count)


async def test_a_client_resumes_where_it_was_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with serving(tmp_path, Steered()) as running:
        running.daemon.hub.publish("credits", {"left": 3}, running.daemon.caller.user)
        running.daemon.hub.publish("credits", {"left": 2}, "somebody else")
        running.daemon.hub.publish("index", {"share": 0.5})
        assert await read(running, "/v1/events?after=100", 2) == [
            hello(100),
            {"id": 102, "kind": "index", "share": 0.5},
        ]
        assert await read(running, "/v1/events?after=99", 3) == [
            hello(99),
            {"id": 100, "kind": "credits", "left": 3},
            {"id": 102, "kind": "index", "share": 0.5},
        ]
        assert await read(running, "/v1/events", 1) == [hello(102)]


async def test_a_daemon_that_stops_ends_its_followers(tmp_path: Path) -> None:
    async with serving(tmp_path, Steered()) as running, running.http.stream("GET", "/v1/events") as response:
        lines = lines_of(response)
        assert await take(lines, 1) == [hello(99)]
        running.daemon.stop.set()
        async with asyncio.timeout(20):
            assert [line async for line in lines] == []
