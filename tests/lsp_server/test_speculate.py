"""What is worth asking for next: the document after an answer, and the places where the user goes on."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill_lsp import typed
from midfill_lsp.documents import split_lines
from midfill_lsp.speculate import accepted, indent_unit, likely_places
from midfill_workspace.snapshot import Snapshot
from support.buffers import CARET, snapshot_of


def written(snapshot: Snapshot) -> str:
    """The reverse of `snapshot_of`."""
    lines = list(snapshot.lines)
    lines[snapshot.line] = snapshot.before + CARET + lines[snapshot.line][snapshot.column :]
    return "".join(lines)


@pytest.mark.parametrize(
    ("buffer", "text", "after"),
    [
        ("‸", "", "‸"),
        ("f(‸)", "1", "f(1‸)"),
        ("‸", "a\n", "a\n‸"),
        ("if x:‸\nend\n", "\n    y", "if x:\n    y‸\nend\n"),
        ("f(‸)\n", "\n  1,\n", "f(\n  1,\n‸)\n"),
        ("if x:‸\r\nend", "\n    y", "if x:\r\n    y‸\r\nend"),
        ("a\r\nb‸", "\nc\n", "a\r\nb\r\nc\r\n‸"),
        ("a\nb‸", "\r\nc\rd", "a\nb\nc\nd‸"),
        ("😀‸😀", "é\n😀", "😀é\n😀‸😀"),
        ("a\r‸b\n", "\nc\n", "a\r\r\nc\r\n‸b\n"),
    ],
)
def test_accepted(buffer: str, text: str, after: str) -> None:
    assert written(accepted(snapshot_of(buffer), text)) == after


TEXT = st.lists(
    st.one_of(
        st.sampled_from(["\n", "\r\n", "\r", "\u2028", "\x0c", "\ud83d", "\ude00", "😀", "  "]), st.text(max_size=3)
    )
).map("".join)
UNIX_TEXT = TEXT.map(lambda text: text.replace("\r", ""))


@given(before=UNIX_TEXT, after=UNIX_TEXT, text=TEXT, end=st.sampled_from(["\n", "\r\n"]))
def test_accepted_is_plain_insertion(before: str, after: str, text: str, end: str) -> None:
    before, after = (part.replace(CARET, "").replace("\n", end) for part in (before, after))
    snapshot = snapshot_of(before + CARET + after)
    known_end = end if "\r" in "".join(snapshot.lines[max(0, snapshot.line - 1) : snapshot.line + 1]) else "\n"
    inserted = re.sub("\r\n|\r|\n", known_end, text)
    result = accepted(snapshot, inserted)
    assert result.lines == split_lines(before + inserted + after)
    assert "".join(result.lines[: result.line]) + result.before == before + inserted
    assert typed.since(typed.place_of(snapshot), result.lines) == inserted.replace("\r\n", "\n")
    assert (result.version, result.language) == (snapshot.version, snapshot.language)


@given(before=TEXT, after=TEXT, text=TEXT)
def test_accepted_keeps_the_lines_whole_whatever_their_ends(before: str, after: str, text: str) -> None:
    snapshot = snapshot_of(before.replace(CARET, "") + CARET + after.replace(CARET, ""))
    text_lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    result = accepted(snapshot, text)
    assert result.lines == split_lines("".join(result.lines))
    assert len(result.lines) == len(snapshot.lines) + len(text_lines) - 1
    assert result.before == (text_lines[-1] if len(text_lines) > 1 else snapshot.before + text)
    assert result.after == snapshot.after


def test_what_may_be_asked_for_next_outlives_the_edits_of_the_store() -> None:
    lines = ["if a:\n", "\n"]
    snapshot = Snapshot("file:///f", "f", 1, "python", lines, 0, 5)
    found = [accepted(snapshot, ""), accepted(snapshot, "b"), *likely_places(snapshot)]
    before = [list(each.lines) for each in found]
    lines.clear()
    assert [list(each.lines) for each in found] == before
    assert len(found) == 4


@pytest.mark.parametrize(
    ("language", "buffer", "places"),
    [
        ("python", "x = 1‸", []),
        ("python", "def f():‸", ["def f():\n    ‸"]),
        ("python", "def f(a‸, b):\n", ["def f(a, b):\n    ‸\n", "def f(a, b):\n‸"]),
        ("python", "if a:\n  b()\nif c:‸", ["if a:\n  b()\nif c:\n  ‸"]),
        ("python", "class A:\n    def f(self):‸\r\n", ["class A:\n    def f(self):\r\n        ‸\r\n", "class A:\n    def f(self):\r\n‸"]),
        ("python", "def f():‸\n    a = 1\n", ["def f():\n    a = 1\n‸"]),
        ("python", "def f():‸\n    a\n\n    b\n", ["def f():\n    a\n‸\n    b\n"]),
        ("python", "def f():\n    a = 1‸\n    \n    b\n", ["def f():\n    a = 1\n    ‸\n    b\n"]),
        ("python", "def f():\n    a‸\n\n\ndef g():\n    b", ["def f():\n    a\n‸\n\ndef g():\n    b"]),
        ("python", "def f():\n    ‸\n\n\ndef g():\n    b\n", ["def f():\n    \n\n\ndef g():\n    b\n‸"]),
        ("python", "def f():\n    ‸\n\n", []),
        ("python", "# such as:‸", []),
        ("python", "x = {‸}", ["x = {\n    ‸\n}"]),
        ("python", 'f"{‸}"', []),
        ("javascript", "f(() => {‸});\n", ["f(() => {\n    ‸\n});\n", "f(() => {});\n‸"]),
        ("javascript", "  if (a) {\n    b();\n  }\n  if (c) {‸}", ["  if (a) {\n    b();\n  }\n  if (c) {\n    ‸\n  }"]),
        ("javascript", "import {‸} from 'a';", []),
        ("typescript", "class A {‸\n\n}", ["class A {\n    ‸\n\n}", "class A {\n‸\n}"]),
        ("typescript", "const f = () =>‸", ["const f = () =>\n    ‸"]),
        ("go", "func f() {\n\ta()\n\tif b {‸\n}", ["func f() {\n\ta()\n\tif b {\n\t\t‸\n}"]),
        ("rust", "fn f() {\n    a();‸\n\n}\n", ["fn f() {\n    a();\n‸\n}\n"]),
        ("java", "  /**\n   * a\n   */\n  void f() {‸\n  }", ["  /**\n   * a\n   */\n  void f() {\n      ‸\n  }"]),
        ("c", "// if {‸\n", ["// if {\n‸"]),
        ("cpp", "for (;;)\n{‸\n}", ["for (;;)\n{\n    ‸\n}"]),
        ("lua", "if a then‸\nend\n", ["if a then\n    ‸\nend\n", "if a then\nend\n‸"]),
        ("lua", "local function f(a)‸", ["local function f(a)\n    ‸"]),
        ("ruby", "a.each do‸\nend", ["a.each do\n    ‸\nend"]),
        ("shellscript", "for a in b; do‸\ndone", ["for a in b; do\n    ‸\ndone"]),
        ("yaml", "a:\n  b:‸", ["a:\n  b:\n    ‸"]),
        ("markdown", "For example:‸\n\n", ["For example:\n‸\n"]),
        ("plaintext", "{‸}", []),
        ("python", "if a:‸" + "\n    b" * 60 + "\n", []),
        ("javascript", "{" * 20_000 + "‸", ["{" * 20_000 + "\n    ‸"]),
    ],
)  # fmt: skip
def test_likely_places(language: str, buffer: str, places: list[str]) -> None:
    snapshot = snapshot_of(buffer, language)
    found = likely_places(snapshot)
    assert [written(place) for place in found] == places
    assert likely_places(snapshot, limit=1) == found[:1]


@given(
    buffer=st.lists(st.sampled_from([*"ab:{}()\n\t#", "\r\n", "    ", "if x:", "😀"])).map("".join),
    at=st.integers(0, 99),
)
def test_a_likely_place_is_another_place_in_a_whole_document(buffer: str, at: int) -> None:
    snapshot = snapshot_of(f"{buffer[:at]}{CARET}{buffer[at:]}", "python")
    for place in likely_places(snapshot):
        assert (place.lines, place.line, place.column) != (snapshot.lines, snapshot.line, snapshot.column)
        assert list(place.lines) == split_lines("".join(place.lines))
        assert place.before.strip(" \t") == place.after == ""


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("", "    "),
        ("a\nb", "    "),
        ("a\n  b", "  "),
        ("a\n\n  b\n    c\nd\n        e", "  "),
        ("a\n    b\n      c\na\n    b", "    "),
        ("/*\n * a\n * b\n */\na\n   b", "   "),
        ("a\n\tb", "\t"),
        ("\ta\n\tb", "\t"),
        ("a(b,\n               c)", "    "),
        ("a\n  b" + "\nc" * 60, "    "),
    ],
)
def test_indent_unit(text: str, unit: str) -> None:
    lines = split_lines(text)
    assert indent_unit(lines, len(lines) - 1) == unit
