"""What of a completion stands below the caret already: its closing lines, or the next lines of the file."""

import re
from collections.abc import Sequence
from itertools import accumulate

from midfill_lsp import joins, repeats
from midfill_workspace import scope
from midfill_workspace.snapshot import Snapshot

FOLLOWING_LINES = 5
CLOSING_LINES = 5

CLOSING_LINE = re.compile(r"\s*(?:[)\]}][;,)\]}]*|#?(?:end|done|fi|esac|endif)[;,)]*|</[\w.:-]*>)\s*\Z")
LETTERS = re.compile(r"[^\W\d_]{2}")


def drop_known_closers(text: str, snapshot: Snapshot) -> str:
    """Without closing lines at its end that stand below the caret already, unless they close what the text opens."""
    lines = text.rstrip().split("\n")
    if snapshot.after.strip() or len(lines) < 2:
        return text
    below = [line.rstrip() for line in scope.lines_below(snapshot, CLOSING_LINES)]
    for count in range(min(len(lines) - 1, len(below)), 0, -1):
        tail = [line.rstrip() for line in lines[-count:]]
        if tail == below[:count] and _closes_outside(lines, count, snapshot):
            return "\n".join(lines[:-count])
    return text


def next_lines_at(text: str, snapshot: Snapshot) -> int | None:
    """Where the answer starts to write again what stands below the caret."""
    below = scope.lines_below(snapshot, FOLLOWING_LINES)
    if not below:
        return None
    lines = text.split("\n")
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    first_counts = not (snapshot.before + snapshot.after).strip()
    lines[0] = snapshot.before + lines[0] if first_counts else ""
    written = [(start, line.rstrip()) for start, line in zip(starts, lines, strict=False) if line.strip()]
    for index, (start, line) in enumerate(written):
        ahead = [line for _, line in written[index : index + FOLLOWING_LINES + 1]]
        if _near_line(line, below[0].rstrip()) and _writes_again(ahead, below):
            return start
    return None


def is_telling(line: str) -> bool:
    """Closers, and rows of one value, come twice in good code; other lines do not come twice in a row."""
    lone_row = line.rstrip().endswith(",") and len(repeats.WORDS.findall(line)) < 2
    return LETTERS.search(line) is not None and not CLOSING_LINE.match(line) and not lone_row


def _closes_outside(lines: Sequence[str], count: int, snapshot: Snapshot) -> bool:
    """Brackets tell by their balance; a word like `end` is outside when it stands left of the text it ends."""
    tail = lines[-count:]
    if not all(CLOSING_LINE.match(line) for line in tail):
        return False
    closed = sum(len(joins.brackets(line).closing) for line in tail)
    if closed:
        return len(joins.brackets("\n".join(lines)).closing) >= closed
    before = snapshot.before[-scope.BEFORE_CHARS :]
    own = scope.indentation(before if before.strip() else before + lines[0])
    opened = scope.opens_block(before)
    return all(scope.indentation(line) < own + opened for line in tail)


def _writes_again(written: Sequence[str], below: Sequence[str]) -> bool:
    """Two lines or more that are nearly the same, one telling line or three of any kind exactly; or the last line alone.

    A last line may be cut short, because the model had no tokens left.
    """
    pairs = list(zip(written, (line.rstrip() for line in below), strict=False))
    if len(pairs) == 1 and len(written) > 1:
        return False
    last = len(written) - 1
    same = [
        _near_line(one, other) or (0 < index == last and other.startswith(one))
        for index, (one, other) in enumerate(pairs)
    ]
    exact = {one for one, other in pairs if one == other}
    return all(same) and (len(exact) > 2 or any(is_telling(line) for line in exact))


def _near_line(one: str, other: str) -> bool:
    """Short lines that differ in a word or a number are neighbours of one kind (`x = 0`, `y = 0`), not the same line."""
    if one == other:
        return True
    may_differ = repeats.same_words(one, other) or min(len(one), len(other)) >= 40
    return may_differ and repeats.near_equal(one, other, 0.05)
