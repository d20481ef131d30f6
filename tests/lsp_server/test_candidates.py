"""Several suggestions for who asks by hand: all different, in time, known when asked again, and never in the way."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest
from lsprotocol import types

from midfill_daemon.errors import Preempted
from support.timed_window import URI, Window, check

GAVE_WAY = Preempted("gave way")
ASKED_AGAIN: tuple[Any, ...] = (GAVE_WAY, "")
"""What is no answer; and who asks by hand is not told that the model had nothing to say."""

SAID: Mapping[int, list[Any]] = {0: ["one"], 1: ["two"], 2: ["three"], 3: ["four"], 4: ["five"]}


@pytest.mark.parametrize(
    ("said", "options", "texts"),
    [
        (SAID, {}, ["one", "two", "three"]),
        (SAID, {"candidates": 1}, ["one"]),
        (SAID, {"candidates": 5}, ["one", "two", "three", "four", "five"]),
        ({0: ["one"], 1: ["one"], 2: ["two"]}, {}, ["one", "two"]),
        ({0: ["one"], 1: ["two"], 2: [" two"]}, {}, ["one", "two"]),
        ({0: [""], 1: ["two"], 2: ["three"]}, {}, ["two", "three"]),
        ({0: ["one"], 1: [GAVE_WAY], 2: ["three"]}, {}, ["one", "three"]),
        ({0: ["one"], 1: ["one + 2"], 2: ["three"]}, {}, ["one", "one + 2", "three"]),
        ({0: ["one"], 1: ["secret='AKIA2E0A8F3B244C9986'"], 2: ["three"]}, {}, ["one", "three"]),
    ],
)
def test_what_is_given(said: Mapping[int, list[Any]], options: Mapping[str, Any], texts: list[str]) -> None:
    async def work(it: Window) -> None:
        assert await it.texts() == texts
        last = it.session.feedback.last
        assert last
        assert (last.outcome, last.chars, last.others) == ("shown", len(texts[0]), len(texts) - 1)
        # And again, in the same order, without asking: whoever cycles through them asks each time.
        asked = list(it.client.variants)
        assert await it.texts() == texts
        assert it.client.variants == [*asked, *(variant for variant, turns in said.items() if turns[0] in ASKED_AGAIN)]

    check(said, work, **options)


def test_others_are_asked_for_with_less_haste_and_explained() -> None:
    async def work(it: Window) -> None:
        await it.texts()
        assert [request["priority"] for request in it.client.asked] == ["interactive", "speculative", "speculative"]
        assert it.session.explain().startswith("A suggestion of 3 characters was given in a.py, and 2 others.")

    check(SAID, work)


@pytest.mark.parametrize(
    ("said", "options", "texts", "took_s", "later"),
    [
        # At the same time, where the service can: not longer than one of them.
        ({0: [0.8, "one"], 1: [0.8, "two"], 2: [0.9, "three"]}, {}, ["one", "two", "three"], 0.9, 3),
        # The first is not kept for ever, but what comes late is there when asked again.
        ({0: [0.8, "one"], 1: [0.9, "two"], 2: [9.0, "three"]}, {}, ["one", "two"], 2.0, 3),
        ({0: [0.1, "one"], 1: [0.2, "two"], 2: [9.0, "three"]}, {}, ["one", "two"], 0.6, 3),
        # By hand only: the first at once.
        ({0: [0.8, "one"], 1: [0.9, "two"], 2: [9.0, "three"]}, {"trigger": "manual"}, ["one"], 0.8, 3),
        # What the first has grown by meanwhile is part of it.
        (
            {0: ["if a:\n", "        b\n", 0.2, "        c\n"], 1: [0.3, "pass"], 2: ["return"]},
            {},
            ["if a:\n        b\n        c", "pass", "return"],
            0.3,
            3,
        ),
    ],
)
def test_how_long_it_takes(
    said: Mapping[int, list[Any]], options: Mapping[str, Any], texts: list[str], took_s: float, later: int
) -> None:
    text = "def f():\n    " if "\n" in texts[0] else "x = "

    async def work(it: Window) -> None:
        if "\n" in text:
            it.session.documents.close(URI)
            it.session.opened(types.TextDocumentItem(uri=URI, language_id="python", version=1, text="    "))
        assert await it.texts() == texts
        assert it.took_s == [took_s]
        await asyncio.sleep(20)
        assert len(await it.texts()) == later
        assert it.took_s[1] == 0

    check(said, work, **options)


def test_after_an_automatic_suggestion_only_the_others_are_asked_for() -> None:
    async def work(it: Window) -> None:
        assert await it.texts(by_hand=False) == ["one"]
        assert await it.texts() == ["one", "two", "three"]
        assert it.client.variants == [0, 1, 2]
        assert await it.texts(by_hand=False) == ["one"]

    check(SAID, work)


def test_who_types_out_one_of_the_others_keeps_it() -> None:
    async def work(it: Window) -> None:
        await it.texts()
        it.change("x = th")
        assert await it.texts(6, by_hand=False) == ["ree"]
        it.change("x = ")
        assert await it.texts(by_hand=False) == ["one"]
        assert it.client.variants == [0, 1, 2]

    check(SAID, work)


def test_right_after_a_key_nobody_asks_by_hand() -> None:
    async def work(it: Window) -> None:
        it.change("y = ")
        await asyncio.sleep(0.2)
        assert await it.texts() == ["one"]
        await asyncio.sleep(0.1)
        assert await it.texts() == ["one", "two", "three"]

    check(SAID, work)


SLOW: Mapping[int, list[Any]] = {0: ["one"], 1: [9.0, "two"], 2: [9.0, "three"]}


async def cancelled(it: Window, request: asyncio.Task[Any]) -> None:
    request.cancel()
    with suppress(asyncio.CancelledError):
        assert await request is None


async def closed(it: Window, request: asyncio.Task[Any]) -> None:
    it.session.closed(URI)
    assert await request is None


async def changed(it: Window, request: asyncio.Task[Any]) -> None:
    it.change("y = ")
    assert await request is None


async def switched_off(it: Window, request: asyncio.Task[Any]) -> None:
    it.session.configure({"disabledLanguages": ["python"]})
    assert await request is None


@pytest.mark.parametrize("happens", [cancelled, closed, changed, switched_off])
@pytest.mark.parametrize("first", [["one"], [9.0, "one"]], ids=["known", "awaited"])
def test_what_ends_the_request_closes_the_others(
    first: list[Any], happens: Callable[[Window, asyncio.Task[Any]], Awaitable[None]]
) -> None:
    async def work(it: Window) -> None:
        request = it.request()
        await asyncio.sleep(0.1)
        assert (it.client.variants, it.client.closed) == ([0, 1, 2], 0)
        await happens(it, request)
        await asyncio.sleep(1)
        assert it.client.closed == (2 if first == ["one"] else 3)

    check({**SLOW, 0: first}, work)


def test_a_newer_request_takes_over_and_joins_the_others() -> None:
    async def work(it: Window) -> None:
        older = it.request()
        await asyncio.sleep(0.1)
        newer = it.request()
        assert await older is None
        assert [item.insert_text for item in (await newer).items] == ["one"]
        assert it.client.variants == [0, 1, 2]

    check(SLOW, work)


def test_while_the_list_has_a_selection_all_begin_with_it_and_keep_its_range() -> None:
    span = types.Range(types.Position(0, 4), types.Position(0, 6))
    selected = types.SelectedCompletionInfo(range=span, text="foo")

    async def work(it: Window) -> None:
        items = await it.items(6, selected=selected)
        assert [item.insert_text for item in items] == ["fooone()", "footwo()", "foothree()"]
        assert [item.range for item in items] == [span] * 3

    check({0: ["one()"], 1: ["two()"], 2: ["three()"]}, work, text="x = fo")


def test_each_replaces_what_it_closes() -> None:
    async def work(it: Window) -> None:
        items = await it.items(6)
        ends = [(item.insert_text, item.range.end.character) for item in items]
        assert ends == [("a", 6), ("b) + g(c)", 7), ("(1)", 6)]

    check({0: ["a"], 1: ["b) + g(c)"], 2: ["(1)"]}, work, text="x = f()")


def test_a_model_that_struggles_is_asked_for_one_only() -> None:
    async def work(it: Window) -> None:
        it.session.desk.health.level = "short"
        assert await it.texts() == ["one"]
        assert it.client.variants == [0]

    check(SAID, work)
