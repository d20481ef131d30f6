"""The link to the daemon: says how it stands, comes back when the daemon does, and asks again when it must."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from midfill_daemon import errors
from midfill_daemon.contract import InlineModel
from midfill_lsp.link import BROKEN_POLL_S, FIRST_RETRY_S, LOADING_POLL_S, LONGEST_RETRY_S, Link
from midfill_lsp.status import Status
from support.daemons import soon, soon_as_many
from support.scripted_client import GONE, MODEL, Nap, ScriptedClient, healthy

READY = Status("ready", "", "m")
LOST = Status("disconnected", GONE.message)
LOADING = InlineModel(ready=False, code="loading", reason="the model is still loading")
MISSING = InlineModel(ready=False, code="model_missing", reason="pull it")


@dataclass(slots=True)
class Kept:
    """A link that is kept, and what it said."""

    link: Link
    client: ScriptedClient
    nap: Nap
    task: asyncio.Task[None]
    said: list[Status] = field(default_factory=list)

    async def until(self, *said: Status) -> None:
        await soon(lambda: self.said == list(said))


@asynccontextmanager
async def kept(*handshakes: Any, pushed: list[Any] | None = None) -> AsyncIterator[Kept]:
    """`handshakes` are models or errors; `pushed` is what each following sees."""
    client, nap, said = ScriptedClient(), Nap(), list[Status]()
    client.handshakes = [healthy(each) if isinstance(each, InlineModel) else each for each in handshakes]
    client.pushed = pushed or []
    link = Link(client, said.append, nap.sleep)
    task = asyncio.create_task(link.keep())
    try:
        yield Kept(link, client, nap, task, said)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("model", "status"),
    [
        (MODEL, READY),
        (LOADING, Status("starting", "the model is still loading")),
        (MISSING, Status("error", "pull it")),
    ],
)
async def test_the_handshake_is_the_status(model: InlineModel, status: Status) -> None:
    async with kept(model) as it:
        await it.until(status)
        assert it.link.model == model


async def test_before_the_first_handshake_the_model_is_loading() -> None:
    link = Link(ScriptedClient(), lambda _: None)
    assert (link.model.ready, link.model.code) == (False, "loading")
    assert link.prompt_chars > 0


async def test_a_daemon_that_goes_is_looked_for_with_growing_patience() -> None:
    async with kept(*[GONE] * 10, MODEL) as it:
        for count in range(1, 11):
            await soon_as_many(it.nap.slept_s, count)
            it.nap.end()
        await it.until(*[LOST] * 10, READY)
        assert it.nap.slept_s[:3] == [FIRST_RETRY_S, 2 * FIRST_RETRY_S, 4 * FIRST_RETRY_S]
        assert it.nap.slept_s[-1] == LONGEST_RETRY_S


async def test_a_daemon_that_ends_is_found_again_at_once() -> None:
    async with kept(MODEL, pushed=[[{"kind": "hello"}]]) as it:
        await it.until(READY, READY)
        assert it.nap.slept_s == []


async def test_a_daemon_that_dies_is_found_again_after_a_moment() -> None:
    async with kept(MODEL, pushed=[[{"kind": "hello"}, GONE]]) as it:
        await it.until(READY, LOST)
        it.nap.end()
        await it.until(READY, LOST, READY)
        assert it.nap.slept_s == [FIRST_RETRY_S]


async def test_after_a_goodbye_it_rests_until_somebody_wants_it() -> None:
    resting = Status("ready", "the daemon rests until it is needed", "m")
    async with kept(MODEL, pushed=[[{"kind": "hello"}, {"kind": "heartbeat"}, {"kind": "goodbye"}]]) as it:
        await it.until(READY, resting)
        for _ in range(20):
            await asyncio.sleep(0)
        assert it.client.shaken == 1
        it.link.want()
        await it.until(READY, resting, READY)


async def test_a_newer_daemon_is_told_once_and_left_alone() -> None:
    async with kept(errors.DaemonIncompatible("update this client")) as it:
        await it.until(Status("error", "update this client"))
        await asyncio.wait({it.task})
        assert it.client.shaken == 1


@pytest.mark.parametrize(("model", "poll_s"), [(LOADING, LOADING_POLL_S), (MISSING, BROKEN_POLL_S)])
async def test_a_model_that_is_not_ready_is_asked_about_until_it_is(model: InlineModel, poll_s: float) -> None:
    async with kept(model, model, MODEL) as it:
        for count in (1, 2):
            await soon_as_many(it.nap.slept_s, count)
            it.nap.end()
        await soon(lambda: it.said[-1] == READY)
        assert it.nap.slept_s == [poll_s] * 2


async def test_another_revision_is_known_at_once_and_asked_about() -> None:
    newer = replace(MODEL, revision="r2", name="n")
    async with kept(MODEL, newer) as it:
        await it.until(READY)
        it.link.saw_revision("r1")
        it.link.saw_revision("r2")
        assert it.link.model.revision == "r2"
        await it.until(READY, Status("ready", "", "n"))
        assert (it.client.shaken, it.link.model) == (2, newer)


async def test_a_handshake_that_fails_in_between_is_not_the_end() -> None:
    async with kept(LOADING, GONE, MODEL) as it:
        for count in (1, 2, 3):
            await soon_as_many(it.nap.slept_s, count)
            it.nap.end()
        await soon(lambda: it.said[-1] == READY)
        assert it.nap.slept_s == [LOADING_POLL_S, BROKEN_POLL_S, LOADING_POLL_S]
