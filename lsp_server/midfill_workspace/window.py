"""The text around the caret that a model is shown, cut where it rarely moves while the user types."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from midfill_workspace.snapshot import Snapshot

LINE_GRID = 32
"""The prefix starts at a line whose number is a multiple of this, or of the largest half of it that fits."""

COLUMN_GRID = 1024
"""The same for the column, when the caret's own line is longer than the budget."""


@dataclass(frozen=True, slots=True)
class Window:
    """The text just before and just after the caret, with `\\n` line ends only."""

    prefix: str
    suffix: str


def cut(snapshot: Snapshot, limit_chars: int) -> Window:
    """At most `limit_chars` in all, 3:1 between prefix and suffix; what one side lacks, the other may use.

    Cache keys and the engine's KV cache depend on the first character of the prefix and the last of the suffix.
    Both stay where they are under most key presses, and the window depends on nothing but text and caret.
    The cost is that of the window, not of the document.
    """
    suffix_share = limit_chars // 4
    prefix_share = limit_chars - suffix_share
    step = max(1, limit_chars // 8)
    before = _claim(_lengths_before(snapshot), prefix_share, step)
    after = _claim(_lengths_after(snapshot), suffix_share, step)
    return Window(_prefix(snapshot, limit_chars - after), _suffix(snapshot, limit_chars - before))


def _claim(lengths: Iterator[int], share: int, step: int) -> int:
    """How much of its share a side needs, in whole steps: else each key pressed would move the other side's end."""
    needed = 0
    for length in lengths:
        needed += length
        if needed >= share:
            return share
    return min(share, -(-needed // step) * step)


def _prefix(snapshot: Snapshot, budget: int) -> str:
    if snapshot.column > budget:
        return _tail_of_line(snapshot, budget)
    kept = [snapshot.column]
    """`kept[n]`: the length of the prefix when it starts n lines above the caret."""
    for length in _lengths_above(snapshot):
        if kept[-1] + length > budget:
            break
        kept.append(kept[-1] + length)
    first = _anchor(
        snapshot.line - len(kept) + 1,
        LINE_GRID,
        lambda line: line <= snapshot.line and 2 * kept[snapshot.line - line] >= kept[-1],
    )
    lines = [*snapshot.lines[first : snapshot.line], snapshot.before]
    return _with_unix_ends("".join(lines))


def _tail_of_line(snapshot: Snapshot, budget: int) -> str:
    first = _anchor(
        snapshot.column - budget,
        COLUMN_GRID,
        lambda column: 2 * (snapshot.column - column) >= budget,
    )
    return snapshot.lines[snapshot.line][first : snapshot.column]


def _anchor(first: int, grid: int, keeps_enough: Callable[[int], bool]) -> int:
    """The next multiple of `grid` from `first` on, which itself keeps enough; of a finer grid if that is too far on.

    Halving the grid keeps the anchor still even where the whole budget is a few lines; without the demand to keep
    enough, a caret just below a multiple would be left with hardly any prefix.
    """
    anchor = -(-first // grid) * grid
    while not keeps_enough(anchor):
        grid //= 2
        anchor = -(-first // grid) * grid
    return anchor


def _suffix(snapshot: Snapshot, budget: int) -> str:
    """Whole lines as far as they fit, so that it ends where a line does; the caret's own line is cut if it must be."""
    room = budget
    last = snapshot.line
    for length in _lengths_after(snapshot):
        if length > room:
            break
        room -= length
        last += 1
    if last == snapshot.line:
        return snapshot.lines[snapshot.line][snapshot.column : snapshot.column + budget]
    rest = snapshot.lines[snapshot.line][snapshot.column :]
    return _with_unix_ends("".join([rest, *snapshot.lines[snapshot.line + 1 : last]]))


def _lengths_before(snapshot: Snapshot) -> Iterator[int]:
    return chain((snapshot.column,), _lengths_above(snapshot))


def _lengths_above(snapshot: Snapshot) -> Iterator[int]:
    return _lengths(snapshot.lines, range(snapshot.line - 1, -1, -1))


def _lengths_after(snapshot: Snapshot) -> Iterator[int]:
    lengths = _lengths(snapshot.lines, range(snapshot.line, len(snapshot.lines)))
    return chain((next(lengths) - snapshot.column,), lengths)


def _lengths(lines: Sequence[str], indices: range) -> Iterator[int]:
    """Each line's length once its line end is `\\n`."""
    # No generator of our own: this goes through some hundred lines on the way of every miss.
    return map(_length, map(lines.__getitem__, indices))


def _length(line: str) -> int:
    return len(line) - line.endswith("\r\n")


def _with_unix_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
