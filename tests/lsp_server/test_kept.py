"""How much of an accepted text is kept: whatever is edited around it and within it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill_lsp.kept import CHECKS_S, FOUND_CHARS, MOST_FOLLOWED, share_of
from support.screen import URI, Step, screen_of

CALL = "sum(values)"
AFTER = len("total = " + CALL)


def shares(marked: str, text: str, steps: list[Step]) -> list[float | None]:
    """What is found at each look, once `text` was accepted at the caret and the steps were gone."""
    told = screen_of(marked).play([("give", text), ("insert", text), *steps, *[("wait", CHECKS_S[-1])]])
    return [event.data["share"] for event in told if event.kind == "kept"]


ROWS: dict[str, tuple[list[Step], float]] = {
    "untouched": ([], 1.0),
    "lines above": ([("go", 0), ("insert", "import os\n\n"), ("replace", 0, 3, "\n\n")], 1.0),
    "something in front on its line": ([("go", 0), ("insert", "the_")], 1.0),
    "right in front": ([("go", 8), ("insert", "max(")], 1.0),
    "right behind": ([("type", " + more"), ("insert", "\nnext")], 1.0),
    "something within": ([("go", 12), ("insert", "all_"), ("insert", "the_")], 0.455),
    "a blank within": ([("go", 12), ("insert", "\n    ")], 1.0),
    "deleted": ([("replace", 8, AFTER, "")], 0.0),
    "deleted key by key": ([("back", len(CALL))], 0.0),
    "undone and redone": ([("replace", 8, AFTER, ""), ("insert", CALL)], 1.0),
    "undone with the rest of the line": ([("replace", 0, AFTER, ""), ("insert", "x")], 0.0),
    "half of it deleted": ([("replace", 11, AFTER, "")], 0.273),
    "another word": ([("replace", 12, 18, "numbers")], 0.455),
    "a word that goes on": ([("replace", 18, 18, "_of_all")], 1.0),
    "the line anew by a formatter": ([("replace", 0, AFTER, "total  =  sum( values )")], 1.0),
    "the file anew by a formatter": ([("rewrite", "# formatted\n\ntotal = sum(\n    values\n)\n")], 1.0),
    "the file anew, only elsewhere": ([("rewrite", f"x\ny\ntotal = {CALL}\nz\n")], 1.0),
    "the file anew without it": ([("rewrite", "nothing\n")], 0.0),
    "replaced together with what follows": ([("insert", "\nmore"), ("replace", 8, AFTER + 5, "max(values)")], 0.727),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_is_kept(name: str) -> None:
    steps, share = ROWS[name]
    assert shares("total = ‸", CALL, steps) == [share] * len(CHECKS_S)


def test_several_lines() -> None:
    text = "a = 1\n    b = 2\n    return a"
    assert shares("def f():\n    ‸\n\nend", text, [("replace", 23, 28, "")]) == [0.769] * len(CHECKS_S)


def test_each_look_has_its_time() -> None:
    screen = screen_of("‸")
    for step in (("give", CALL), ("insert", CALL), ("wait", 31.0), ("back", 8), ("wait", 90.0), ("wait", 500.0)):
        getattr(screen, str(step[0]))(*step[1:])
    found = [(event.data["after_s"], event.data["share"], event.data["chars"]) for event in screen.told[-3:]]
    assert [(event.kind) for event in screen.told] == ["shown", "accepted", "kept", "kept", "kept"]
    assert found == [(30.0, 1.0, 11), (120.0, 0.273, 11), (600.0, 0.273, 11)]


@pytest.mark.parametrize("gone", [("close",), ("open",)])
def test_of_a_file_that_was_closed_nothing_is_known(gone: Step) -> None:
    assert shares("‸", CALL, [("wait", 40.0), gone]) == [1.0, None, None]


def test_words_that_are_accepted_one_by_one_are_one_text() -> None:
    steps: list[Step] = [("give", CALL), ("insert", "sum("), ("type", "v"), ("insert", "alues)"), ("wait", 30.0)]
    told = [event for event in screen_of("‸").play(steps) if event.kind == "kept"]
    assert [(event.data["share"], event.data["chars"]) for event in told] == [(1.0, 11), (None, 11), (None, 11)]


def test_blanks_are_not_followed() -> None:
    assert shares("‸", "\n\n    ", []) == []


def test_the_oldest_gives_way() -> None:
    screen = screen_of("‸")
    for number in range(MOST_FOLLOWED + 1):
        screen.give(CALL)
        screen.insert(CALL)
        screen.insert("\n")
        screen.wait(float(number == 0))
    assert len(screen.watch.kept) == MOST_FOLLOWED
    screen.wait(1.0)
    lost = [event for event in screen.told if event.kind == "kept"]
    assert [(event.id, event.data["share"]) for event in lost] == [("1", None)] * len(CHECKS_S)


@pytest.mark.parametrize(
    ("text", "found", "share"),
    [
        ("", "", 1.0),
        ("  \n", "x", 1.0),
        ("abc", "", 0.0),
        ("abc", "abc", 1.0),
        ("abc def", "def abc", 0.5),
        ("abc", "xabc", 0.0),
        ("abc", "abx", 0.667),
        ("a(b)", "a( b )", 1.0),
        ("größe", "größe", 1.0),
        ("x" * 10_000, "x" * 10_000, 1.0),
        ("\ud83d", "\ud83d", 1.0),
    ],
)
def test_share(text: str, found: str, share: float) -> None:
    assert share_of(text, found) == share


@given(st.text("ab (\n", max_size=60), st.text("ab (\n", max_size=60), st.text("ab (\n", max_size=9))
@settings(deadline=None, derandomize=True, database=None)
def test_what_is_there_is_found_whatever_is_beside_it(text: str, before: str, after: str) -> None:
    assert share_of(text, f"{before} {text} {after}") == 1.0
    assert 0.0 <= share_of(text, before) <= 1.0


def test_a_range_that_has_grown_is_read_to_its_limit() -> None:
    huge = "y\n" * (10 * FOUND_CHARS)
    assert shares("‸", CALL, [("go", 4), ("insert", huge)]) == [round(4 / 11, 3)] * len(CHECKS_S)


def test_a_document_is_known_by_its_uri() -> None:
    screen = screen_of("‸")
    screen.give(CALL)
    screen.insert(CALL)
    assert screen.watch.kept.uris == (URI,)
