"""The snapshots worth asking for next, from a snapshot and an answer. It never asks."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, dropwhile, islice, pairwise

from midfill_workspace import scope
from midfill_workspace.snapshot import Snapshot

REACH_LINES = 50
"""How far below the caret the next place is looked for."""

AROUND_LINES, MARGIN_CHARS = 25, 200
"""What shows how deep this file indents: so many lines above and below, and so much of each."""

DEFAULT_UNIT = "    "
WIDTHS = range(2, 9)
"""One space is the alignment of a comment's asterisks, and more than eight that of an argument."""

PROSE = frozenset({"asciidoc", "git-commit", "latex", "markdown", "plaintext", "restructuredtext"})
"""Where a colon at the end of a line says nothing about the next one's indentation."""

PAIR_CLOSED = re.compile(r"\s*\}[)\]};,\s]*")
"""What an editor puts behind an opening brace by itself, with what may have closed an outer bracket already."""


def accepted(snapshot: Snapshot, text: str) -> Snapshot:
    """The document as it would be with `text` inserted at the caret, which then stands behind it.

    It holds a list of its own, also where `text` is empty: once a snapshot is gone, the store edits the list that it
    was given, and knows nothing of another snapshot that was made from it.
    """
    pieces = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    line, end = snapshot.line, _line_end(snapshot)
    pieces[0] = snapshot.before + pieces[0]
    column = len(pieces[-1])
    pieces[-1] += snapshot.lines[line][snapshot.column :]
    lines = list(snapshot.lines)
    lines[line : line + 1] = [*(piece + end for piece in pieces[:-1]), pieces[-1]]
    return replace(snapshot, lines=lines, line=line + len(pieces) - 1, column=column)


def likely_places(snapshot: Snapshot, limit: int = 2) -> tuple[Snapshot, ...]:
    """Where the user is likely to type after a pause, the likeliest first; never where the caret is now."""
    return tuple(islice(chain(_new_block(snapshot), _next_gap(snapshot)), limit))


def indent_unit(lines: Sequence[str], near: int) -> str:
    """The text of one indentation around the line `near`: the most frequent step from a line to a deeper one."""
    around = (line[:MARGIN_CHARS] for line in lines[max(0, near - AROUND_LINES) : near + AROUND_LINES + 1])
    margins = [_margin(line) for line in around if line.strip()]
    steps = Counter(filter(None, map(_step, pairwise(margins))))
    if not steps:
        return "\t" if any(margin.startswith("\t") for margin in margins) else DEFAULT_UNIT
    return max(steps, key=lambda step: (steps[step], -len(step)))


def _line_end(snapshot: Snapshot) -> str:
    r"""The document's own line end near the caret.

    Not a lone `\r` or a lone `\n` next to one, even where the document has them: they could join into one line end.
    """
    above = snapshot.lines[snapshot.line - 1] if snapshot.line else ""
    return "\r\n" if "\r" in above[-2:] + snapshot.lines[snapshot.line][snapshot.column :][-2:] else "\n"


def _new_block(snapshot: Snapshot) -> Iterator[Snapshot]:
    """The first line of a block that the caret's line opens, indented as editors do it.

    Where the block has lines already, the user is more likely to go on elsewhere.
    """
    text = snapshot.lines[snapshot.line].rstrip("\r\n")
    if snapshot.language in PROSE or not text.strip():
        return
    margin = _margin(text[: scope.BEFORE_CHARS])
    deeper = margin + indent_unit(snapshot.lines, snapshot.line)
    if snapshot.before.endswith("{") and PAIR_CLOSED.fullmatch(snapshot.after[: scope.AFTER_CHARS]):
        opened = accepted(snapshot, f"\n{deeper}\n{margin}")
        yield replace(opened, line=snapshot.line + 1, column=len(deeper))
    elif scope.opens_block(text[-scope.BEFORE_CHARS :]) and not _has_body(snapshot, margin):
        yield accepted(replace(snapshot, column=len(text)), f"\n{deeper}")


def _has_body(snapshot: Snapshot, margin: str) -> bool:
    below = scope.lines_below(snapshot, 1)
    return bool(below) and scope.indentation(below[0]) > scope.indentation(margin)


def _next_gap(snapshot: Snapshot) -> Iterator[Snapshot]:
    """The end of the next blank line below.

    It lies in the caret's block, or that block ends before it, and it is the first one after the statement.
    Around a caret on a blank line the other blank lines are the same place, and would cost a call each.
    """

    def is_blank(line: int) -> bool:
        return not snapshot.lines[line][: scope.AFTER_CHARS].strip()

    below = range(snapshot.line + 1, min(len(snapshot.lines), snapshot.line + 1 + REACH_LINES))
    elsewhere = dropwhile(is_blank, below) if is_blank(snapshot.line) else below
    for line in islice(filter(is_blank, elsewhere), 1):
        yield accepted(replace(snapshot, line=line, column=len(snapshot.lines[line].rstrip("\r\n"))), "")


def _margin(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _step(margins: tuple[str, str]) -> str:
    """What the second margin adds to the first, if that can be one indentation; else ""."""
    above, below = margins
    added = below.removeprefix(above) if below.startswith(above) else ""
    if added.startswith("\t"):
        return "\t"
    return added if len(added) in WIDTHS and "\t" not in added else ""
