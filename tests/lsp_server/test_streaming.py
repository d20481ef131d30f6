"""A suggestion that grows after it was answered: who is told, when, how often, and what ends it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from lsprotocol import types

from midfill_daemon.errors import Truncated
from support.scripted_client import MODEL
from support.timed_window import URI, Window, check

BLOCK = "if x:\n    "
LINES: Mapping[int, list[Any]] = {0: ["one()\n", 0.5, "    two()\n", 0.5, "    three()\n", 0.5, "    four()"]}
GROWN = ["one()\n    two()", "one()\n    two()\n    three()", "one()\n    two()\n    three()\n    four()"]

OFTEN = [f"    {line}\n" for line in ("a = 1", "print(a)", "b += a", "if b:", "    c()", "return", "del a", "raise b")]


def followed(said: Mapping[int, list[Any]], streaming: str, text: str = BLOCK, **options: Any) -> list[tuple[Any, ...]]:
    """What is told of the suggestion at the end of `text`: the text, whether it is all, and after how many seconds."""

    async def work(it: Window) -> None:
        assert await it.ask_at_end() != ""
        await asyncio.sleep(10)

    it = check(said, work, text=text, streaming=streaming, **options)
    return [(more.text, more.done, at_s) for more, at_s in zip(it.told, it.told_s, strict=True)]


@pytest.mark.parametrize(
    ("said", "streaming", "told"),
    [
        (LINES, "none", []),
        (LINES, "once", [(GROWN[2], True, 1.5)]),
        (LINES, "live", [(GROWN[0], False, 0.5), (GROWN[1], False, 1.0), (GROWN[2], True, 1.5)]),
        # At most ten a second, and nothing is lost for that; not within a tenth of the answer either.
        (
            {0: ["one()\n", *(turn for line in OFTEN for turn in (0.03, line)), 0.5, "    end()"]},
            "live",
            [
                ("one()\n" + "".join(OFTEN[:3]).rstrip(), False, 0.1),
                ("one()\n" + "".join(OFTEN[:6]).rstrip(), False, 0.2),
                ("one()\n" + "".join(OFTEN).rstrip(), False, 0.3),
                ("one()\n" + "".join(OFTEN) + "    end()", True, 0.74),
            ],
        ),
        # Nothing that grows, nothing that is told.
        ({0: ["one()"]}, "live", []),
        ({0: ["one()"]}, "once", []),
        # The end of what was said in part is told as well.
        (
            {0: ["one()\n", 0.5, "    two()\n", 0.5, "print()\n"]},
            "live",
            [(GROWN[0], False, 0.5), (GROWN[0], True, 1.0)],
        ),
        ({0: ["one()\n", 0.5, "print()\n", 0.5]}, "once", []),
        # What breaks off stays as it is.
        (
            {0: ["one()\n", 0.5, "    two()\n", 0.5, "    thr", Truncated("broke off")]},
            "live",
            [(GROWN[0], False, 0.5), (GROWN[0], True, 1.0)],
        ),
        ({0: ["one()\n", 0.5, "    two()\n", 0.5, "    thr", Truncated("broke off")]}, "once", []),
    ],
)
def test_what_is_told(said: Mapping[int, list[Any]], streaming: str, told: list[tuple[Any, ...]]) -> None:
    assert followed(said, streaming) == told


def test_what_is_told_names_its_item_and_its_place() -> None:
    async def work(it: Window) -> None:
        (item,) = await it.items(5, line=1, by_hand=False)
        await asyncio.sleep(10)
        (more,) = it.told
        assert (more.id, more.uri, more.version) == (item.command.arguments[0], URI, 1)
        assert (more.line, more.character) == (1, 5)

    # The caret is counted in UTF-16: two for the balloon.
    check({0: ["one()\n", 0.5, "\U0001f388  two()"]}, work, text="if x:\n\U0001f388   ", streaming="once")


def test_a_suggestion_for_an_entry_of_the_list_grows_with_it() -> None:
    span = types.Range(types.Position(1, 4), types.Position(1, 6))

    async def work(it: Window) -> None:
        (item,) = await it.items(6, line=1, by_hand=False, selected=types.SelectedCompletionInfo(span, "foo"))
        assert item.insert_text == "foo.one()"
        await asyncio.sleep(10)
        assert [more.text for more in it.told] == ["foo.one()\n    two()"]

    check({0: [".one()\n", 0.5, "    two()"]}, work, text="if x:\n    fo", streaming="once")


async def typed(it: Window) -> None:
    it.change(BLOCK + "o")


async def asked_elsewhere(it: Window) -> None:
    assert await it.texts(0, by_hand=False) is not None


async def closed(it: Window) -> None:
    it.session.closed(URI)


async def accepted(it: Window) -> None:
    assert it.session.feedback.last
    it.session.streams.taken(it.session.feedback.last.id)


async def dismissed(it: Window) -> None:
    it.session.streams.taken("")


async def switched_off(it: Window) -> None:
    it.session.configure({"disabledLanguages": ["python"]})


async def window_closed(it: Window) -> None:
    await it.session.close()


@pytest.mark.parametrize("happens", [typed, asked_elsewhere, closed, accepted, dismissed, switched_off, window_closed])
@pytest.mark.parametrize("streaming", ["live", "once"])
def test_what_the_user_has_left_is_not_told(happens: Callable[[Window], Awaitable[None]], streaming: str) -> None:
    async def work(it: Window) -> None:
        await it.ask_at_end()
        await happens(it)
        await asyncio.sleep(10)
        assert it.told == []

    check(LINES, work, text=BLOCK, streaming=streaming)


def test_another_suggestion_that_is_accepted_ends_nothing() -> None:
    async def work(it: Window) -> None:
        await it.ask_at_end()
        it.session.streams.taken("another")
        await asyncio.sleep(10)
        assert [more.text for more in it.told] == GROWN[2:]

    check(LINES, work, text=BLOCK, streaming="once")


def test_who_asks_again_goes_on_from_what_is_there() -> None:
    async def work(it: Window) -> None:
        assert await it.ask_at_end() == "one()"
        await asyncio.sleep(0.7)
        assert await it.ask_at_end() == GROWN[0]
        await asyncio.sleep(10)
        assert [(more.text, more.done) for more in it.told] == [
            (GROWN[0], False),
            (GROWN[1], False),
            (GROWN[2], True),
        ]
        assert it.told[0].id != it.told[1].id
        assert len(it.client.asked) == 1

    check(LINES, work, text=BLOCK, streaming="live")


def test_a_client_that_shows_growth_once_fetches_it_as_if_by_hand() -> None:
    async def work(it: Window) -> None:
        await it.ask_at_end()
        await asyncio.sleep(10)
        assert await it.ask_at_end(by_hand=True) == it.told[0].text
        assert it.session.feedback.last
        assert not it.session.feedback.last.by_hand
        assert it.client.variants == [0]
        # The next time it is the user; and what has been shown once does not flicker again.
        await it.ask_at_end(by_hand=True)
        assert it.client.variants == [0, 1, 2]
        await asyncio.sleep(10)
        assert len(it.told) == 1

    check(LINES, work, text=BLOCK, streaming="once")


def test_the_guess_that_goes_on_is_part_of_it() -> None:
    said: list[list[Any]] = [["one()"], [0.5, "\n    two()\n", 0.5, "    three()"]]

    async def work(it: Window) -> None:
        it.session.desk.link.model = replace(MODEL, prefill_tokens_s=5000.0)
        it.session.desk.habits.accepting = 0.5
        it.client.in_turn = said
        assert await it.ask_at_end() == "one()"
        await asyncio.sleep(10)
        assert [(more.text, more.done) for more in it.told] == [(GROWN[0], False), (GROWN[1], True)]

    check({}, work, text=BLOCK, streaming="live", speculation="auto")
