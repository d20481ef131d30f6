"""The window around the caret: what it holds, and above all when it moves."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from midfill_workspace.snapshot import Snapshot
from midfill_workspace.window import Window, cut


def at(lines: Sequence[str], line: int, column: int) -> Snapshot:
    return Snapshot("file:///a.py", "a.py", 1, "python", lines, line, column)


def numbered(count: int, width: int = 10) -> list[str]:
    """Lines of `width` characters that say their number: `000012...\\n`."""
    return [f"{number:06}".ljust(width - 1, ".") + "\n" for number in range(count)] + [""]


def start_of(snapshot: Snapshot, window: Window) -> int:
    """Where the prefix starts, in characters from the start of a text with `\\n` line ends."""
    return sum(map(len, snapshot.lines[: snapshot.line])) + snapshot.column - len(window.prefix)


# --- what it holds -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "line", "column", "limit", "window"),
    [
        pytest.param([""], 0, 0, 100, Window("", ""), id="empty"),
        pytest.param(["ab\n", "cd"], 1, 1, 100, Window("ab\nc", "d"), id="all of it"),
        pytest.param(["ab\r\n", "c\r", "d\r\n", ""], 1, 1, 100, Window("ab\nc", "\nd\n"), id="line ends"),
        pytest.param(["ab\n", ""], 1, 0, 100, Window("ab\n", ""), id="after the final line end"),
        pytest.param(["a\x0c\u2028b\n", "c"], 1, 0, 100, Window("a\x0c\u2028b\n", "c"), id="odd separators stay"),
        pytest.param(["ab\n", "cd"], 1, 1, 0, Window("", ""), id="no room"),
        pytest.param(["abcd\n"], 0, 2, 1, Window("b", ""), id="room for one"),
        pytest.param(["abcdefgh\n", "x\n", ""], 0, 0, 8, Window("", "abcdefgh"), id="room up to a line end"),
        pytest.param(["abcdefgh\r\n", "x\n", ""], 0, 0, 9, Window("", "abcdefgh\n"), id="room for the line end"),
        pytest.param(["abcdefgh\n"], 0, 0, 5, Window("", "abcde"), id="the caret's line is cut in the suffix"),
        pytest.param(["ab\n", "cdefgh\n", ""], 0, 2, 8, Window("ab", "\n"), id="the suffix ends with a line"),
        pytest.param(["abcdefgh"], 0, 8, 4, Window("efgh", ""), id="the caret's line is cut in the prefix"),
        pytest.param(["\ud800\n", "\udc00"], 1, 0, 9, Window("\ud800\n", "\udc00"), id="lone surrogates"),
    ],
)
def test_window(lines: list[str], line: int, column: int, limit: int, window: Window) -> None:
    assert cut(at(lines, line, column), limit) == window


@pytest.mark.parametrize(
    ("line", "prefix", "suffix"),
    [
        pytest.param(220, 600, 200, id="3:1 in the middle"),
        pytest.param(0, 0, 800, id="all for the suffix at the top"),
        pytest.param(4, 40, 700, id="almost all for the suffix near the top"),
        pytest.param(298, 740, 0, id="all for the prefix at the bottom"),
        pytest.param(294, 700, 40, id="almost all for the prefix near the bottom"),
    ],
)
def test_what_one_side_lacks_the_other_may_use(line: int, prefix: int, suffix: int) -> None:
    window = cut(at(numbered(298), line, 0), 800)
    assert (len(window.prefix), len(window.suffix)) == (prefix, suffix)


# --- when it moves -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "limit", "start"),
    [
        pytest.param(20, 4000, 0, id="the top while it fits"),
        pytest.param(300, 4000, 0, id="300 lines fit just so"),
        pytest.param(301, 4000, 32, id="the next multiple of 32 when they do not"),
        pytest.param(332, 4000, 32, id="until that does not fit either"),
        pytest.param(333, 4000, 64, id="and so on"),
        pytest.param(33, 400, 16, id="not the multiple of 32 that would leave one line"),
        pytest.param(46, 400, 16, id="nor one that would keep less than half of the budget"),
        pytest.param(47, 400, 32, id="that multiple once it keeps half of the budget"),
        pytest.param(904, 40, 902, id="a finer grid when the budget is three lines"),
    ],
)
def test_the_prefix_starts_at_a_coarse_grid(line: int, limit: int, start: int) -> None:
    snapshot = at(numbered(1000), line, 0)
    assert start_of(snapshot, cut(snapshot, limit)) == 10 * start


@pytest.mark.parametrize(
    ("column", "limit", "start"),
    [
        pytest.param(3000, 4000, 0, id="it fits"),
        pytest.param(3001, 4000, 1024, id="it does not"),
        pytest.param(4024, 4000, 1024, id="until the next"),
        pytest.param(4025, 4000, 2048, id="the next"),
        pytest.param(1030, 400, 768, id="a finer grid for a small budget"),
    ],
)
def test_a_long_line_starts_at_a_coarse_grid(column: int, limit: int, start: int) -> None:
    line = "".join(chr(0x4E00 + index) for index in range(9000))
    window = cut(at(["import x\n", line + "\n", ""], 1, column), limit)
    assert window.prefix == line[start:column]


def typed(lines: Sequence[str], line: int, text: str) -> list[Snapshot]:
    """The document after each key, when the text is typed at the start of a new line."""
    above, below, own = list(lines[:line]), list(lines[line:]), ""
    snapshots = []
    for key in text:
        own += key
        if key == "\n":
            above, own = [*above, own], ""
        snapshots.append(at([*above, own + "\n", *below], len(above), len(own)))
    return snapshots


@pytest.mark.parametrize(
    ("limit", "moves"),
    [
        pytest.param(6000, 3, id="a window of 450 lines moves once in 32"),
        pytest.param(900, 8, id="a window of 67 lines"),
        pytest.param(300, 14, id="a window of 22 lines"),
    ],
)
def test_typing_rarely_moves_the_window(limit: int, moves: int) -> None:
    snapshots = typed(numbered(1000), 500, "x = 1 + 2\n" * 100)
    windows = [cut(snapshot, limit) for snapshot in snapshots]
    starts = [start_of(snapshot, window) for snapshot, window in zip(snapshots, windows, strict=True)]
    assert starts == sorted(starts)
    assert len(set(starts)) <= moves + 1
    assert len({window.suffix for window in windows}) == 1


# --- any text ----------------------------------------------------------------------------------

LINES = st.lists(
    st.builds(
        "".join, st.tuples(st.text("ab \u00e9\U0001f600\ud800\x0c", max_size=12), st.sampled_from(["\n", "\r\n"]))
    ),
    max_size=90,
)
LONG = st.builds(lambda text, times: text * times, st.sampled_from(["xy", "\u00e9", ""]), st.integers(0, 1500))
SETTINGS = settings(
    max_examples=100, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    lines = [*draw(LINES), draw(LONG) + "\n", *draw(LINES), draw(LONG)]
    line = draw(st.integers(0, len(lines) - 1))
    column = draw(st.integers(0, len(lines[line].rstrip("\r\n"))))
    return at(lines, line, column)


def normalised(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


@SETTINGS
@given(snapshot=snapshots(), limit=st.integers(0, 3000))
def test_the_window_is_the_text_around_the_caret(snapshot: Snapshot, limit: int) -> None:
    rest = snapshot.lines[snapshot.line][snapshot.column :]
    before = normalised("".join(snapshot.lines[: snapshot.line]) + snapshot.before)
    after = normalised(rest + "".join(snapshot.lines[snapshot.line + 1 :]))
    window = cut(snapshot, limit)
    assert before.endswith(window.prefix)
    assert after.startswith(window.suffix)
    assert len(window.prefix) + len(window.suffix) <= limit
    if len(before) + len(after) <= limit - limit // 8:
        assert window == Window(before, after)


@SETTINGS
@given(snapshot=snapshots(), limit=st.integers(0, 3000))
def test_the_window_breaks_no_line_but_the_caret_s(snapshot: Snapshot, limit: int) -> None:
    window = cut(snapshot, limit)
    before = normalised("".join(snapshot.lines[: snapshot.line]) + snapshot.before)
    start = len(before) - len(window.prefix)
    assert start == 0 or before[start - 1] == "\n" or "\n" not in window.prefix
    whole_lines, _, cut_line = window.suffix.rpartition("\n")
    assert not whole_lines or not cut_line or snapshot.lines[-1] == cut_line


@SETTINGS
@given(lines=st.integers(0, 400), limit=st.integers(0, 6000), text=st.text("ab\n", min_size=1, max_size=60))
def test_a_start_stays_until_it_no_longer_fits(lines: int, limit: int, text: str) -> None:
    windows = [cut(snapshot, limit) for snapshot in typed(numbered(lines), lines, text)]
    wide = limit >= 2000  # half of the prefix's share spans 32 lines of 10 characters, so that nothing finer is used
    for key, older, newer in zip(text[1:], windows, windows[1:], strict=False):
        grown = older.prefix + key
        if newer.prefix != grown:
            assert grown.endswith(newer.prefix)
            assert not wide or len(grown) > limit - limit // 4
