"""What becomes of suggestions: rows of what happens in an editor, and what is told of it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill_lsp.kept import CHECKS_S
from midfill_lsp.suggestion import VISIBLE_S, Event, is_at_once, standing
from midfill_lsp.watch import MOST_ENDED, SETTLED_S
from support.screen import URI, Step, screen_of

LONG = VISIBLE_S
SHORT = VISIBLE_S / 2
DONE = "total = sum(values)"

ROWS: dict[str, tuple[list[Step], list[tuple[str, int]]]] = {
    "seen and left alone": ([("wait", LONG)], [("shown", 0)]),
    "gone before it was seen": ([("wait", SHORT)], []),
    "gone with the next key": ([("wait", SHORT), ("type", "x"), ("wait", LONG)], []),
    "seen, then contradicted": ([("wait", LONG), ("type", "x")], [("shown", 0)]),
    "accepted": ([("wait", LONG), ("insert", "sum(values)"), ("accepted", "1")], [("shown", 0), ("accepted", 11)]),
    "accepted by a client that does not say so": ([("insert", "sum(values)")], [("shown", 0), ("accepted", 11)]),
    "said before the change comes": ([("accepted", "1"), ("insert", "sum(values)")], [("shown", 0), ("accepted", 11)]),
    "said without a change that we know": ([("accepted", "1")], [("shown", 0), ("accepted", 11)]),
    "said twice": (
        [("insert", "sum(values)"), ("accepted", "1"), ("accepted", "1")],
        [("shown", 0), ("accepted", 11)],
    ),
    "said of another": ([("insert", "sum(values)"), ("accepted", "9")], [("shown", 0), ("accepted", 11)]),
    "typed in part, the rest accepted": (
        [("type", "su"), ("insert", "m(values)"), ("accepted", "1")],
        [("shown", 0), ("accepted", 9), ("typed", 2)],
    ),
    "the rest replaced along with what was typed": (
        [("type", "su"), ("replace", 8, 10, "sum(values)")],
        [("shown", 0), ("accepted", 9), ("typed", 2)],
    ),
    "a last character is typed": ([("insert", "sum(values"), ("type", ")")], [("shown", 0), ("partly", 10), ("typed", 1)]),
    "a last character is accepted": (
        [("insert", "sum(values"), ("insert", ")"), ("accepted", "1")],
        [("shown", 0), ("accepted", 11)],
    ),
    "a word": ([("insert", "sum("), ("type", "x")], [("shown", 0), ("partly", 4)]),
    "word by word": (
        [("insert", "sum"), ("insert", "("), ("partly_accepted", "1", 1), ("insert", "values)")],
        [("shown", 0), ("accepted", 11)],
    ),
    "a word that the client tells of": (
        [("insert", "sum("), ("partly_accepted", "1", 4), ("type", "v"), ("wait", LONG)],
        [("shown", 0), ("partly", 4), ("typed", 1)],
    ),
    "a piece of one character, told of beforehand": (
        [("partly_accepted",), ("insert", "s"), ("type", "um")],
        [("shown", 0), ("partly", 1), ("typed", 2)],
    ),
    "the same word twice": ([("insert", "sum("), ("back", 4), ("insert", "sum(")], [("shown", 0), ("partly", 4)]),
    "typed out": ([("type", "sum("), ("wait", LONG), ("type", "values)")], [("shown", 0), ("typed", 11)]),
    "typed out at speed": ([("type", "sum(values)")], [("typed", 11)]),
    "typed until it differs": ([("type", "su"), ("wait", LONG), ("type", "x")], [("shown", 0), ("typed", 2)]),
    "a key deleted and typed again": ([("type", "sum"), ("back", 2), ("type", "um")], [("typed", 3)]),
    "deleted from before it": ([("type", "s"), ("back", 2)], [("typed", 1)]),
    "brackets that close themselves": ([("type", "sum"), ("pair", "()"), ("type", "v")], [("typed", 5)]),
    "another text is pasted": ([("insert", "something else")], []),
    "a paste elsewhere": ([("go", 0), ("insert", "import os\n"), ("wait", LONG)], []),
    "answered again with every key": (
        [("type", "s"), ("give", "um(values)"), ("wait", LONG), ("type", "u"), ("give", "m(values)")],
        [("shown", 0), ("typed", 2)],
    ),
    "answered again, accepted under the later id": (
        [("type", "s"), ("give", "um(values)"), ("insert", "um(values)"), ("accepted", "2")],
        [("shown", 0), ("accepted", 10), ("typed", 1)],
    ),
    "grown": (
        [("wait", LONG), ("give", "sum(values) + 1"), ("insert", "sum(values) + 1")],
        [("shown", 0), ("accepted", 15)],
    ),
    "grown where it stands": (
        [("type", "su"), ("grow", "1", "m(values)\nmore"), ("insert", "m(values)\nmore")],
        [("shown", 0), ("accepted", 14), ("typed", 2)],
    ),
    "grown too late": ([("type", "x"), ("grow", "1", "sum(values)\nmore")], []),
    "another of several": (
        [("give", "sum(values)", 0, "set(values)", "len(x)"), ("insert", "len(x)"), ("accepted", "2")],
        [("shown", 0), ("accepted", 6)],
    ),
    "typed towards another of several": (
        [("give", "sum(values)", 0, "set(values)"), ("type", "se"), ("insert", "t(values)")],
        [("shown", 0), ("accepted", 9), ("typed", 2)],
    ),
    "another one in its place": ([("wait", LONG), ("give", "len(x)"), ("wait", SHORT)], [("shown", 0)]),
    "cleared": ([("wait", LONG), ("clear",), ("wait", LONG)], [("shown", 0)]),
    "dismissed": ([("wait", SHORT), ("dismissed", "1")], [("shown", 0), ("dismissed", 0)]),
    "dismissed without an id": ([("dismissed",)], [("shown", 0), ("dismissed", 0)]),
    "dismissed twice": ([("dismissed",), ("dismissed",)], [("shown", 0), ("dismissed", 0)]),
    "dismissed under an unknown id": ([("dismissed", "9")], []),
    "a word, then dismissed": (
        [("insert", "sum("), ("dismissed",)],
        [("shown", 0), ("partly", 4), ("dismissed", 0)],
    ),
    "the file is closed": ([("wait", LONG), ("close",)], [("shown", 0)]),
    "several keys in one message": ([("rewrite", "total = s"), ("rewrite", "total = su")], [("typed", 2)]),
    "all of a text that comes whole": ([("rewrite", DONE)], [("shown", 0), ("accepted", 11)]),
}  # fmt: skip


def numbers(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.kind, event.data.get("chars", 0)) for event in events if event.kind != "kept"]


@pytest.mark.parametrize("name", ROWS)
def test_what_becomes_of_a_suggestion(name: str) -> None:
    steps, expected = ROWS[name]
    told = screen_of("total = ‸").play([("give", "sum(values)"), *steps])
    assert numbers(told) == expected
    assert {event.id for event in told} <= {"1"}


@pytest.mark.parametrize(
    ("marked", "text", "replaced", "change"),
    [
        ("f(‸)", "a, b)", 1, (2, 3, "a, b)")),
        ("f(‸)", "a, b)", 1, (2, 2, "a, b")),
        ("def f():\r\n    ‸\r\nend", "one()\n    two()", 0, (14, 14, "one()\r\n    two()")),
        ("‸", "a\n\nb", 0, (0, 0, "a\n\nb")),
        ("x = [‸]\n", "1]", 1, (5, 6, "1]")),
    ],
)
def test_an_acceptance_is_known_however_it_is_written(
    marked: str, text: str, replaced: int, change: tuple[int, int, str]
) -> None:
    told = numbers(screen_of(marked).play([("give", text, replaced), ("replace", *change)]))
    assert [kind for kind, _ in told][:1] == ["shown"]
    assert told[1][0] in ("accepted", "partly")
    assert told[1][1] >= len(change[2].replace("\r", "")) - replaced


def test_an_event_says_where_its_suggestion_came_from() -> None:
    (shown,) = screen_of("‸").play([("give", "abc"), ("wait", 1.0), ("type", "x")])
    origin = {"language": "python", "source": "model", "model": "m", "revision": "r1"}
    assert shown.data == origin | {"length": 3, "by_hand": False, "visible_ms": 1000}


def test_what_has_ended_is_told_of_a_moment_later() -> None:
    screen = screen_of("‸")
    screen.give("abc")
    screen.insert("abc")
    screen.wait(SETTLED_S / 2)
    assert screen.told == []
    screen.accepted("1")
    screen.wait(SETTLED_S / 2)
    assert [event.kind for event in screen.told] == ["shown", "accepted"]


def test_what_was_dismissed_stays_away_until_the_text_changes() -> None:
    screen = screen_of("x = ‸")
    screen.give("1")
    assert not screen.watch.is_dismissed(URI, (0, 4))
    assert screen.dismissed() == URI
    assert screen.watch.is_dismissed(URI, (0, 4))
    assert not screen.watch.is_dismissed(URI, (0, 3))
    screen.type("2")
    assert not screen.watch.is_dismissed(URI, (0, 4))


def test_the_memory_is_bounded() -> None:
    screen = screen_of("‸")
    for _ in range(MOST_ENDED * 2):
        screen.give("ab")
        screen.insert("ab")
    kinds = [event.kind for event in screen.play([])]
    assert kinds.count("accepted") == MOST_ENDED
    assert kinds.count("kept") == MOST_ENDED * 2 * len(CHECKS_S)


@pytest.mark.parametrize(
    ("text", "added", "expected"),
    [
        ("abc", "", 0),
        ("abc", "ab", 2),
        ("abc", "abc", 3),
        ("abc", "abcd", 3),
        ("abc", "ax", None),
        ("f(x)", "f()", 2),
        ("f(x)", "f(')", 2),
        ("'x'", "''", 1),
        ("x", ")", None),
    ],
)
def test_how_much_stands(text: str, added: str, expected: int | None) -> None:
    assert standing(text, added) == expected


@pytest.mark.parametrize(
    ("inserted", "at_once"),
    [("a", False), ("ab", True), ("\n        ", False), ("()", False), ("(a", True), ("\n  a", False), ("", False)],
)
def test_what_no_key_writes(inserted: str, at_once: bool) -> None:
    assert is_at_once(inserted) is at_once


# --- whatever happens -----------------------------------------------------------------------------

TEXTS = st.sampled_from(["", "a", "ab", "abc", "()", "(a)", "\n", "\n  b", "a\r\nb", "\U0001f600é"])
OFFSETS = st.integers(0, 12)
NAMES = st.sampled_from(["", "1", "2", "5", "none"])
STEPS: st.SearchStrategy[Any] = st.one_of(
    st.tuples(st.just("give"), TEXTS.filter(bool), st.integers(0, 2)),
    st.tuples(st.sampled_from(["insert", "type", "rewrite"]), TEXTS),
    st.tuples(st.just("replace"), OFFSETS, OFFSETS, TEXTS),
    st.tuples(st.sampled_from(["accepted", "dismissed"]), NAMES),
    st.tuples(st.just("partly_accepted"), NAMES, st.none() | st.integers(-1, 3)),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 31.0, 700.0])),
    st.tuples(st.just("go"), OFFSETS),
    st.sampled_from([("clear",), ("open",)]),
)


def within(step: Any, length: int) -> Any:
    """The step with its places inside of a text."""
    if step[0] == "go":
        return ("go", min(step[1], length))
    if step[0] == "replace":
        start, end = sorted(min(at, length) for at in step[1:3])
        return ("replace", start, end, step[3])
    return step


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.lists(STEPS, max_size=25))
def test_the_numbers_agree_whatever_happens(steps: list[Any]) -> None:
    screen = screen_of("one\n‸two")
    for step in steps:
        name, *arguments = within(step, len(screen.text))
        getattr(screen, name)(*arguments)
    told = screen.play([])
    kinds: dict[str, dict[str, Event]] = {}
    for event in told:
        if event.kind != "kept":
            assert event.id not in kinds.setdefault(event.kind, {}), "each is told of once"
            kinds[event.kind][event.id] = event
    shown = kinds.get("shown", {})
    for kind in ("accepted", "partly", "dismissed"):
        assert kinds.get(kind, {}).keys() <= shown.keys()
    assert not kinds.get("accepted", {}).keys() & kinds.get("partly", {}).keys()
    for name in {event.id for event in told}:
        chars = [events[name].data.get("chars", 0) for events in kinds.values() if name in events]
        lengths = [events[name].data["length"] for events in kinds.values() if name in events]
        assert all(each >= 0 for each in chars)
        assert sum(chars) <= min(lengths, default=0)
    for event in told:
        share = event.data.get("share")
        assert share is None or 0.0 <= share <= 1.0
