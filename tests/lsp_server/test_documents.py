"""The document store: every trap by name, then random edits against a slow and obvious model."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsprotocol import types

from midfill_lsp.documents import Documents, relative_path
from support.reference_text import ReferenceText

URI = "file:///work/proj/a.py"
ENCODINGS = ("utf-8", "utf-16", "utf-32")

FACE = "\U0001f600"
HIGH, LOW = "\ud83d", "\ude00"
FAR = 2**31 - 1


class Edit(NamedTuple):
    """One content change; without a start it replaces the whole text."""

    start: tuple[int, int] | None
    end: tuple[int, int]
    text: str


def opened(text: str, encoding: str = "utf-16") -> Documents:
    documents = Documents()
    documents.encoding = encoding
    documents.open(types.TextDocumentItem(uri=URI, language_id="python", version=1, text=text))
    return documents


def position(line: int, character: int) -> types.Position:
    with attrs.validators.disabled():  # a client can send numbers that lsprotocol refuses to build
        return types.Position(line, character)


def event(edit: Edit) -> types.TextDocumentContentChangeEvent:
    if edit.start is None:
        return types.TextDocumentContentChangeWholeDocument(text=edit.text)
    where = types.Range(position(*edit.start), position(*edit.end))
    return types.TextDocumentContentChangePartial(range=where, text=edit.text)


def edit(documents: Documents, *edits: Edit, version: int | None = 2) -> None:
    documents.change(URI, version, [event(one) for one in edits])


def lines_of(documents: Documents) -> list[str]:
    document = documents.get(URI)
    assert document is not None
    return list(document.lines)


def caret_of(documents: Documents, line: int, character: int) -> tuple[int, int]:
    snapshot = documents.snapshot(URI, position(line, character))
    assert snapshot is not None
    return snapshot.line, snapshot.column


# --- lines -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("", [""], id="empty"),
        pytest.param("a", ["a"], id="no line end"),
        pytest.param("a\n", ["a\n", ""], id="final line end"),
        pytest.param("a\nb\r\nc\rd", ["a\n", "b\r\n", "c\r", "d"], id="mixed line ends"),
        pytest.param("\r\r\n\n", ["\r", "\r\n", "\n", ""], id="line ends only"),
        pytest.param("\n\r", ["\n", "\r", ""], id="reversed pair"),
        *(
            pytest.param(
                f"a{separator}b\n",
                [f"a{separator}b\n", ""],
                id=f"U+{ord(separator):04X} breaks no line",
            )
            for separator in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
        ),
        pytest.param(f"{HIGH}\n{LOW}", [f"{HIGH}\n", LOW], id="lone surrogates"),
    ],
)
def test_lines(text: str, lines: list[str]) -> None:
    assert lines_of(opened(text)) == lines


# --- edits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "edits", "lines"),
    [
        pytest.param("abc\n", [Edit((0, 1), (0, 1), "X")], ["aXbc\n", ""], id="insert"),
        pytest.param("abc\n", [Edit((0, 1), (0, 2), "")], ["ac\n", ""], id="delete"),
        pytest.param("ab", [Edit((0, 1), (0, 1), "\n")], ["a\n", "b"], id="new line"),
        pytest.param("a\nb\nc", [Edit((0, 1), (2, 0), "")], ["ac"], id="delete lines"),
        pytest.param("a\nb", [Edit((0, 0), (1, 1), "")], [""], id="delete all"),
        pytest.param(
            "a\n",
            [Edit((1, 0), (1, 0), "b")],
            ["a\n", "b"],
            id="after the final line end",
        ),
        pytest.param("a\nb", [Edit(None, (0, 0), "x\ny\n")], ["x\n", "y\n", ""], id="whole text"),
        pytest.param(
            "abc\nde",
            [Edit((0, 99), (0, 99), "X")],
            ["abcX\n", "de"],
            id="column past the end",
        ),
        pytest.param(
            "abc\r\nde",
            [Edit((0, 4), (0, 4), "X")],
            ["abcX\r\n", "de"],
            id="column inside the line end",
        ),
        pytest.param(
            "abc\nde",
            [Edit((1, 99), (1, 99), "X")],
            ["abc\n", "deX"],
            id="column past the last line's end",
        ),
        pytest.param("a\nb", [Edit((9, 0), (9, 9), "X")], ["a\n", "bX"], id="line past the end"),
        pytest.param(
            "a\nb",
            [Edit((0, 0), (FAR, FAR), "X")],
            ["X"],
            id="replace all by a huge range",
        ),
        pytest.param("abc", [Edit((0, 2), (0, 1), "X")], ["aXc"], id="end before start"),
        pytest.param("a\nbc", [Edit((1, 1), (0, 1), "")], ["ac"], id="end on a line before start"),
        pytest.param("abc", [Edit((0, -3), (0, 1), "X")], ["Xbc"], id="negative column"),
        pytest.param("a\nb", [Edit((-1, 5), (0, 0), "X")], ["Xa\n", "b"], id="negative line"),
        pytest.param(
            "a\rb",
            [Edit((1, 0), (1, 0), "\n")],
            ["a\r\n", "b"],
            id="line end joined by an insert",
        ),
        pytest.param(
            "a\rb\nc",
            [Edit((1, 0), (1, 1), "")],
            ["a\r\n", "c"],
            id="line end joined by a delete",
        ),
        pytest.param(
            "a\nb",
            [Edit((0, 1), (0, 1), "\r")],
            ["a\r\n", "b"],
            id="line end joined before the line's end",
        ),
        pytest.param(
            "a\rbc\nd",
            [Edit((1, 0), (2, 0), "\n")],
            ["a\r\n", "d"],
            id="line end joined by a replacement",
        ),
        pytest.param(
            "a\r\rb\n",
            [Edit((1, 0), (2, 1), "")],
            ["a\r\n", ""],
            id="line end joined over an empty line",
        ),
        pytest.param(
            "a\r\nb",
            [Edit((0, 1), (1, 0), "\r")],
            ["a\r", "b"],
            id="line end halved by a replacement",
        ),
        pytest.param(
            "a\r\nb",
            [Edit((0, 1), (0, 1), "\n")],
            ["a\n", "\r\n", "b"],
            id="line end not joined backwards",
        ),
        pytest.param(
            "a\x0cb\nc",
            [Edit((1, 0), (1, 0), "X")],
            ["a\x0cb\n", "Xc"],
            id="below a form feed",
        ),
        pytest.param(
            f"{FACE}ab",
            [Edit((0, 2), (0, 3), "X")],
            [f"{FACE}Xb"],
            id="after a surrogate pair",
        ),
        pytest.param(
            f"a{FACE}",
            [Edit((0, 2), (0, 2), "X")],
            [f"aX{FACE}"],
            id="inside a surrogate pair",
        ),
        pytest.param(
            f"{HIGH}b",
            [Edit((0, 1), (0, 1), LOW)],
            [f"{HIGH}{LOW}b"],
            id="surrogates side by side",
        ),
        pytest.param(
            "ab",
            [Edit((0, 2), (0, 2), "c\n"), Edit((1, 0), (1, 0), "d")],
            ["abc\n", "d"],
            id="each on the one before",
        ),
        pytest.param("a", [], ["a"], id="no change at all"),
    ],
)
def test_edit(text: str, edits: Sequence[Edit], lines: list[str]) -> None:
    documents = opened(text)
    edit(documents, *edits)
    assert lines_of(documents) == lines


def test_reopening_replaces() -> None:
    documents = opened("old")
    documents.open(types.TextDocumentItem(uri=URI, language_id="lua", version=7, text="new"))
    document = documents.get(URI)
    assert document is not None
    assert (document.lines, document.version, document.language) == (["new"], 7, "lua")


def test_what_is_not_open_is_ignored() -> None:
    documents = opened("a")
    documents.close(URI)
    documents.close(URI)
    edit(documents, Edit((0, 0), (0, 0), "X"))
    assert documents.get(URI) is None
    assert documents.snapshot(URI, position(0, 0)) is None
    assert documents.all() == ()


@pytest.mark.parametrize("language", ["python", types.LanguageKind.Python])
def test_a_language_is_a_plain_string(language: str) -> None:
    documents = Documents()
    documents.open(types.TextDocumentItem(uri=URI, language_id=language, version=1, text=""))
    document = documents.get(URI)
    assert document is not None
    assert f"{document.language}" == "python"


@pytest.mark.parametrize(("sent", "kept"), [(9, 9), (1, 1), (0, 0), (None, 1)])
def test_versions_are_the_client_s(sent: int | None, kept: int) -> None:
    documents = opened("a")
    edit(documents, version=sent)
    document = documents.get(URI)
    assert document is not None
    assert document.version == kept


def test_generations_never_repeat() -> None:
    documents = Documents()
    seen = []
    for _ in range(3):
        documents.open(types.TextDocumentItem(uri=URI, language_id="python", version=1, text="a"))
        for change in (Edit((0, 0), (0, 0), "b"), Edit(None, (0, 0), "a")):
            edit(documents, change, version=1)
            document = documents.get(URI)
            assert document is not None
            seen.append(document.generation)
    assert seen == sorted(set(seen))


# --- positions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "text", "wire", "column"),
    [
        ("utf-16", f"a{FACE}b", 1, 1),
        ("utf-16", f"a{FACE}b", 2, 1),
        ("utf-16", f"a{FACE}b", 3, 2),
        ("utf-16", f"a{FACE}b", 4, 3),
        ("utf-16", f"a{FACE}b", 5, 3),
        ("utf-16", f"a{HIGH}b", 2, 2),
        ("utf-16", "\u00e9\u4e16", 1, 1),
        ("utf-8", f"a{FACE}b", 3, 1),
        ("utf-8", f"a{FACE}b", 5, 2),
        ("utf-8", "\u00e9b", 1, 0),
        ("utf-8", "\u00e9b", 2, 1),
        ("utf-8", f"{HIGH}b", 2, 0),
        ("utf-8", f"{HIGH}b", 3, 1),
        ("utf-8", "e\u0301b", 3, 2),
        ("utf-32", f"a{FACE}b", 2, 2),
        ("utf-32", f"a{FACE}b", FAR, 3),
        ("utf-32", f"{LOW}{FACE}", 1, 1),
    ],
)
def test_columns(encoding: str, text: str, wire: int, column: int) -> None:
    assert caret_of(opened(f"{text}\r\nnext", encoding), 0, wire) == (0, column)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", ["", "abc", f"a{FACE}\u00e9\t", f"{HIGH}{FACE}{LOW}", "e\u0301\u2028x"])
@pytest.mark.parametrize("line_end", ["", "\n", "\r\n", "\r"])
def test_columns_there_and_back(encoding: str, text: str, line_end: str) -> None:
    documents = opened(f"first\n{text}{line_end}", encoding)
    document = documents.get(URI)
    assert document is not None
    for column in range(len(text) + 1):
        wire = documents.position(document, 1, column)
        assert caret_of(documents, wire.line, wire.character) == (1, column)
    past_the_end = documents.position(document, 1, FAR)
    assert past_the_end == documents.position(document, 1, len(text))


# --- snapshots ---------------------------------------------------------------------------------


def test_a_snapshot_says_what_is_there() -> None:
    documents = opened("ab\ncd\r\n")
    documents.set_folders(["file:///work/proj"])
    snapshot = documents.snapshot(URI, position(1, 1))
    assert snapshot is not None
    assert (snapshot.path, snapshot.language, snapshot.version) == ("a.py", "python", 1)
    assert (snapshot.before, snapshot.after) == ("c", "d")


@pytest.mark.parametrize(
    "change",
    [
        Edit((0, 0), (0, 0), "X"),
        Edit((0, 0), (1, 1), ""),
        Edit((1, 1), (1, 1), "\n\n"),
        Edit(None, (0, 0), "all new"),
    ],
)
def test_a_snapshot_never_changes(change: Edit) -> None:
    documents = opened("ab\ncd")
    before = documents.snapshot(URI, position(0, 0))
    edit(documents, change, change)
    between = documents.snapshot(URI, position(0, 0))
    assert before is not None
    assert between is not None
    kept = list(between.lines)
    edit(documents, change)
    assert before.lines == ["ab\n", "cd"]
    assert between.lines == kept


def test_lines_are_copied_only_while_somebody_keeps_them() -> None:
    documents = opened("ab\ncd")
    document = documents.get(URI)
    assert document is not None
    kept = documents.snapshot(URI, types.Position(0, 0))
    documents.snapshot(URI, types.Position(0, 1))
    edit(documents, Edit((0, 0), (0, 0), "X"))
    copy = document.lines
    edit(documents, Edit((0, 0), (0, 0), "Y"))
    documents.snapshot(URI, types.Position(0, 0))
    edit(documents, Edit((0, 0), (0, 0), "Z"))
    assert kept is not None
    assert kept.lines == ["ab\n", "cd"]
    assert document.lines is copy


@pytest.mark.parametrize(
    ("text", "span", "selected", "seen"),
    [
        pytest.param("x.pr()\nnext", ((0, 2), (0, 4)), "print", "x.print‸()\nnext", id="a word"),
        pytest.param(f"{FACE}.pr\r\n", ((0, 3), (0, 5)), "print", f"{FACE}.print‸\r\n", id="after a surrogate pair"),
        pytest.param("fo", ((0, 0), (0, 2)), "for:\n  x", "for:\n  x‸", id="several lines"),
        pytest.param("fo", ((0, 0), (0, 2)), "for:\n", "for:\n‸", id="a final line end"),
        pytest.param("a\rfo\n", ((1, 0), (1, 2)), "\n", "a\r\n‸\n", id="line end joined above"),
        pytest.param("fo\nb", ((0, 0), (0, 2)), "x\r", "x‸\r\nb", id="line end joined below"),
        pytest.param("fo", ((9, 9), (0, 0)), "for", "for‸", id="impossible range"),
    ],
)
def test_a_snapshot_with_a_selected_completion(
    text: str, span: tuple[tuple[int, int], tuple[int, int]], selected: str, seen: str
) -> None:
    documents = opened(text)
    where = types.Range(position(*span[0]), position(*span[1]))
    snapshot = documents.snapshot(URI, where.end, types.SelectedCompletionInfo(range=where, text=selected))
    assert snapshot is not None
    shown = list(snapshot.lines)
    shown[snapshot.line] = f"{snapshot.before}‸{snapshot.lines[snapshot.line][snapshot.column :]}"
    assert "".join(shown) == seen
    assert "".join(lines_of(documents)) == text


# --- paths -------------------------------------------------------------------------------------

FOLDERS = (
    "file:///work/proj",
    "file:///work/proj/inner/",
    "file:///c%3A/Code",
    "vscode-vfs://github/me/repo",
)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        pytest.param("file:///work/proj/src/a.py", "src/a.py", id="in a folder"),
        pytest.param("file:///work/proj/inner/a.py", "a.py", id="in the innermost folder"),
        pytest.param("file:///work/project/a.py", "a.py", id="beside a folder of a longer name"),
        pytest.param("file:///elsewhere/deep/a.py", "a.py", id="outside"),
        pytest.param("file://localhost/work/proj/a.py", "a.py", id="localhost"),
        pytest.param("file:///work/proj/a%20b%23%C3%A9.py", "a b#\u00e9.py", id="percent"),
        pytest.param("file:///work/proj/c#/a?.py", "c#/a?.py", id="not quoted by the client"),
        pytest.param("file:///work/proj/%FF.py", "\ufffd.py", id="not UTF-8"),
        pytest.param("file:///work/proj/a%0Ab%00.py", "a\ufffdb\ufffd.py", id="control characters"),
        pytest.param(f"file:///work/proj/%41{HIGH}.py", "A\ufffd.py", id="lone surrogate"),
        pytest.param("file:///work/proj/../../etc/passwd", "passwd", id="dot segments"),
        pytest.param("file:///work/proj/x/%2E%2E/a.py", "a.py", id="quoted dot segments"),
        pytest.param("file:///C:/Code/src/a.py", "src/a.py", id="drive in the other case"),
        pytest.param("file:///c%3A%5CCode%5Csrc%5Ca.py", "src/a.py", id="backslashes"),
        pytest.param("C:\\Code\\src\\a.py", "src/a.py", id="a Windows path for a uri"),
        pytest.param("file://server/share/a.py", "a.py", id="UNC"),
        pytest.param("/work/proj/src/a.py", "src/a.py", id="a path for a uri"),
        pytest.param("untitled:Untitled-1", "Untitled-1", id="untitled"),
        pytest.param("untitled:/work/proj/src/new.py", "src/new.py", id="untitled with a path"),
        pytest.param("git:/work/proj/src/a.py?%7B%22ref%22%7D", "src/a.py", id="git twin"),
        pytest.param("vscode-notebook-cell:/work/proj/n.ipynb#W0s", "n.ipynb", id="notebook cell"),
        pytest.param("vscode-vfs://github/me/repo/src/a.py", "src/a.py", id="virtual folder"),
        pytest.param("vscode-vfs://gitlab/me/repo/src/a.py", "a.py", id="another authority"),
        pytest.param("file:///work/proj", "proj", id="the folder itself"),
        *(pytest.param(uri, "untitled", id=f"nothing in {uri!r}") for uri in ("", "file:///", "untitled:", "xx:..")),
    ],
)  # fmt: skip
def test_path(uri: str, path: str) -> None:
    assert relative_path(uri, FOLDERS) == path


def test_paths_follow_the_folders() -> None:
    documents = opened("")
    document = documents.get(URI)
    assert document is not None
    paths = []
    for folders in ([], ["file:///work"], ["file:///"]):
        documents.set_folders(folders)
        paths.append(document.path)
    assert paths == ["a.py", "proj/a.py", "work/proj/a.py"]


# --- random edits against the reference ----------------------------------------------------------

SOAK = os.environ.get("MIDFILL_SOAK") == "1"
EDITS_PER_EXAMPLE = 20
EXAMPLES = 500 if SOAK else 50  # 10,000 edits in each encoding, or a tenth of it

LINE_ENDS = ("\n", "\r", "\r\n")
ASCII = ("a", "b = c", "\t", " ", "\x00", "\x0b", "\x0c", "\x1c")
WIDE = ("\x85", "\u2028", "\u00e9", "e\u0301", "\u4e16", "\ufeff", FACE, "\U0001f468\u200d\U0001f469", HIGH, LOW)

# Weights are repeated values: most edits are small and near the top, where the documents are, and many begin at a
# line's start or bring a line end, where the traps are.
PIECES = st.sampled_from((*LINE_ENDS * 4, *ASCII, *WIDE))
TEXTS = st.lists(PIECES, max_size=4).map("".join)
LONG_TEXTS = st.lists(PIECES, max_size=30).map("".join)
POSITIONS = st.tuples(
    st.sampled_from((*range(12), -1, FAR)),
    st.sampled_from((*(0,) * 6, *range(10), -1, FAR)),
)
SPANS = st.sampled_from((*((0, 0),) * 5, *((0, 1),) * 2, (0, 3), (1, 0), (1, 2), (3, 0), (0, -2), (-2, 0), (FAR, FAR)))


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    line, column = draw(POSITIONS)
    lines, columns = draw(SPANS)
    text = draw(TEXTS)
    return Edit((line, column), (min(line + lines, FAR), min(column + columns, FAR)), text)


WHOLE_TEXTS = st.builds(Edit, st.none(), POSITIONS, LONG_TEXTS)
EDITS = st.sampled_from((*(edits(),) * 15, WHOLE_TEXTS)).flatmap(lambda kind: kind)
RUNS = st.lists(EDITS, min_size=EDITS_PER_EXAMPLE, max_size=EDITS_PER_EXAMPLE)
CUTS = st.lists(st.booleans(), min_size=EDITS_PER_EXAMPLE, max_size=EDITS_PER_EXAMPLE)


def notifications(run: Sequence[Edit], cuts: Sequence[bool]) -> list[list[Edit]]:
    """The run as notifications of one or more changes: a new one begins at each cut."""
    parts: list[list[Edit]] = [[]]
    for one, cut in zip(run, cuts, strict=True):
        if cut:
            parts.append([])
        parts[-1].append(one)
    return parts


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_random_edits(encoding: str) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=not SOAK,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(text=LONG_TEXTS, run=RUNS, cuts=CUTS, where=POSITIONS)
    def check(text: str, run: list[Edit], cuts: list[bool], where: tuple[int, int]) -> None:
        check_run(encoding, text, notifications(run, cuts), where)

    check()


def check_run(encoding: str, text: str, run: Sequence[Sequence[Edit]], where: tuple[int, int]) -> None:
    documents, reference = opened(text, encoding), ReferenceText(text, encoding)
    for version, edits in enumerate(run):
        snapshot = documents.snapshot(URI, position(*where))
        assert snapshot is not None
        assert (snapshot.line, snapshot.column) == reference.caret(*where)
        edit(documents, *edits, version=version)
        assert list(snapshot.lines) == reference.lines()
        for one in edits:
            follow(reference, one)
        assert lines_of(documents) == reference.lines()


@settings(max_examples=EXAMPLES, deadline=None, derandomize=not SOAK, database=None)
@given(text=LONG_TEXTS, run=RUNS)
def test_what_stands_behind_an_edit_is_told(text: str, run: list[Edit]) -> None:
    """Without `\r`: what an edit brings together with a line break of two halves is counted roughly."""
    documents = opened(text.replace("\r", ""))
    for one in run:
        before = lines_of(documents)
        (told,) = documents.change(URI, None, [event(one._replace(text=one.text.replace("\r", "")))])
        after = lines_of(documents)
        assert told.lines_added == len(after) - len(before)
        assert rest(before, told.end) == rest(after, told.after)
        assert "".join(before).removesuffix(rest(before, told.start)) == "".join(after).removesuffix(
            rest(after, told.start)
        )


def rest(lines: Sequence[str], caret: tuple[int, int]) -> str:
    """What follows a place."""
    return "".join(lines[caret[0] :])[caret[1] :]


@pytest.mark.parametrize(
    ("before", "after", "start", "end", "now"),
    [
        ("a\nb\nc", "a\nB\nc", 1, 2, 2),
        ("a\nb\nc", "a\nc", 1, 2, 1),
        ("a\nc", "a\nb\nc", 1, 1, 2),
        ("a", "b", 0, 1, 1),
        ("x\nx\n", "x\nx\nx\n", 2, 2, 3),
        ("same\n", "same\n", 2, 2, 2),
    ],
)
def test_a_whole_text_is_told_as_the_lines_that_differ(before: str, after: str, start: int, end: int, now: int) -> None:
    (told,) = opened(before).change(URI, None, [event(Edit(None, (0, 0), after))])
    assert (told.start, told.end, told.after) == ((start, 0), (end, 0), (now, 0))


def follow(reference: ReferenceText, change: Edit) -> None:
    if change.start is None:
        reference.text = change.text
    else:
        reference.replace(change.start, change.end, change.text)
