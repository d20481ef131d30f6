"""Whether text runs in a loop, and whether two lines say the same."""

import re
from collections import Counter
from collections.abc import Sequence

GROUP_LINES = 4
"""The longest group of lines that is looked for three times in a row."""
NEAR_LINES = 5
"""So many lines in a row that hardly differ are a loop; the first two of them are kept."""
UNIT_CHARS = range(3, 65)
UNIT_TIMES, PLAIN_UNIT_TIMES = 6, 20
"""How often a unit must end a line; rulers and rows of numbers (no letter in the unit) are often meant."""
COMPARED_CHARS = 200

LETTER = re.compile(r"[^\W\d_]")
WORDS = re.compile(r"\w+")


def loop_at(text: str) -> int | None:
    """How much to keep of text that repeats itself to its end or line by line; None where it does not."""
    ends = [end for end in (_line_loop(text), _unit_loop(text)) if end is not None]
    return min(ends) if ends else None


def _line_loop(text: str) -> int | None:
    """The first line's indentation may stand before the caret, so there it does not count."""
    lines: list[str] = []
    ends: list[int] = []
    end = -1
    for line in text.split("\n"):
        end += len(line) + 1
        if line.strip():
            lines.append(line.rstrip())
            ends.append(end)
    if lines:
        lines[0] = next((line for line in lines[1 : GROUP_LINES + 1] if line.strip() == lines[0].strip()), lines[0])
    near = 1
    for index in range(len(lines)):
        if kept := _group_loop(lines, index):
            return ends[index + kept - 1]
        near = near + 1 if index and _near_statement(lines[index - 1], lines[index]) else 1
        if near == NEAR_LINES:
            return ends[index - NEAR_LINES + 2]
    return None


def _near_statement(one: str, other: str) -> bool:
    """Rows of a list, which end in a comma, resemble each other by nature."""
    return not other.endswith(",") and near_equal(one.strip(), other.strip(), 0.1)


def _group_loop(lines: Sequence[str], start: int) -> int:
    """The length of the group of lines that comes three times from `start` on; 0 for none."""
    for size in range(1, GROUP_LINES + 1):
        group = lines[start : start + size]
        if lines[start + size : start + 2 * size] == group == lines[start + 2 * size : start + 3 * size]:
            return size
    return 0


def _unit_loop(text: str) -> int | None:
    start = text.rfind("\n") + 1
    line = text[start:]
    for size in UNIT_CHARS:
        if size * UNIT_TIMES > len(line):
            break
        unit = line[-size:]
        times = UNIT_TIMES if LETTER.search(unit) else PLAIN_UNIT_TIMES
        if len(set(unit)) > 1 and line.endswith(unit * times):
            first = len(line) - size * times
            while first >= size and line.startswith(unit, first - size):
                first -= size
            return start + first + size
    return None


def same_words(one: str, other: str) -> bool:
    """The same words in the same order, whatever stands between them, and at least one of them."""
    words = WORDS.findall(one[:COMPARED_CHARS])
    return bool(words) and words == WORDS.findall(other[:COMPARED_CHARS])


def near_equal(one: str, other: str, share: float) -> bool:
    """Whether at most `share` of the characters (and at least one) must be edited; long lines by their start."""
    one, other = one[:COMPARED_CHARS], other[:COMPARED_CHARS]
    limit = max(1, int(share * max(len(one), len(other))))
    if one == other:
        return True
    if abs(len(one) - len(other)) > limit or (Counter(one) - Counter(other)).total() > limit:
        return False
    return _distance(one, other, limit) <= limit


def _distance(one: str, other: str, limit: int) -> int:
    """The edit distance, or anything above `limit`: only a band of that width around the diagonal is computed."""
    far = limit + 1
    row = [min(column, far) for column in range(len(other) + 1)]
    for index, char in enumerate(one, 1):
        low, high = max(1, index - limit), min(len(other), index + limit)
        above, row = row, [far] * (len(other) + 1)
        row[0] = min(index, far)
        for column in range(low, high + 1):
            changed = above[column - 1] + (char != other[column - 1])
            row[column] = min(changed, above[column] + 1, row[column - 1] + 1, far)
    return row[-1]
