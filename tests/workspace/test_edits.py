"""Recent changes as small diffs."""

import pytest

from midfill_workspace.edits import CHANGED_LINES, KEPT, Edit, Edits, edit


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("a\nb\nc", "a\nB\nc", " a\n-b\n+B"),
        ("a\nc", "a\nb\nc", " a\n+b"),
        ("a\nb\nc", "a\nc", " a\n-b"),
        ("", "new", "+new"),
        ("a\r\nb", "a\r\nx", " a\n-b\n+x"),
    ],
)
def test_edit(before: str, after: str, text: str) -> None:
    found = edit("path", before.split("\n"), after.split("\n"))
    assert found is not None
    assert found.text == text


@pytest.mark.parametrize(("before", "after"), [("a\nb", "a\nb"), ("", ""), ("a", "a\n\n"), ("a\n  \nb", "a\nb")])
def test_nothing_telling(before: str, after: str) -> None:
    assert edit("path", before.split("\n"), after.split("\n")) is None


def test_a_large_change_is_cut() -> None:
    found = edit("path", ["old"] * 500, ["new"] * 500)
    assert found is not None
    assert len(found.text.split("\n")) == 2 * CHANGED_LINES


def test_the_newest_of_each_place_is_kept_and_those_of_other_files_are_told() -> None:
    edits = Edits()
    for line, path in [(1, "a"), (3, "a"), (90, "a"), (1, "b")]:
        edits.note(Edit(path, line, f"{path}{line}"))
    assert [each.text for each in edits.besides("b")] == ["a90", "a3"]
    assert [each.text for each in edits.besides("a")] == ["b1"]
    edits.forget("a")
    assert edits.besides("b") == []


def test_only_the_last_ones_are_kept() -> None:
    edits = Edits()
    for number in range(50):
        edits.note(Edit(f"file{number}", 1, "text"))
    assert len(edits.besides("")) == KEPT
