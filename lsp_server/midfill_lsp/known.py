"""Text that is known to follow the caret, and how much of it to suggest at once."""

from midfill_daemon.contract import Shape
from midfill_lsp.answer import Known
from midfill_workspace import scope
from midfill_workspace.snapshot import Snapshot

TELLING_CHARS = 2
"""Visible characters below which the rest of a line is not worth a suggestion of its own."""


FENCES = ("```", "~~~")


def unit(known: Known, snapshot: Snapshot, shape: Shape) -> str:
    """The part of a known continuation that is one suggestion here; never parses.

    For a line that is its rest, with the next line once that rest is hardly anything; for a block, all that stays
    inside by indentation, and before the end of the scope that was found when the answer came.
    """
    text, followed = known.text[: known.seam], bool(snapshot.after.strip())
    if shape == "block":
        text = text[: known.inside if known.inside > 0 else None]
        text = text[: scope.indent_end(snapshot.before[-scope.BEFORE_CHARS :], text)]
    elif text.startswith("\n") and followed:
        return ""
    else:
        text = text[: telling_end(text)]
    return text if followed else text.rstrip()


def telling_end(text: str) -> int:
    """Where the first line ends, or the next one where that says hardly more than a bracket."""
    end = first_line_end(text)
    if len(text[:end].strip()) >= TELLING_CHARS:
        return end
    return end + first_line_end(text[end:])


def first_line_end(text: str) -> int:
    """Where the first line with visible text ends; all of the text while that line is not complete."""
    start = len(text) - len(text.lstrip())
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def has_unit(text: str) -> bool:
    """Whether a growing text already holds something useful: a complete line that does not merely open another.

    Nor does one that opens a fence of Markdown: only of a whole answer is known what the fence holds.
    """
    end = first_line_end(text)
    line = text[:end].rpartition("\n")[2]
    return end < len(text) and not line.lstrip().startswith(FENCES) and not scope.opens_block(line)


def complete_lines(text: str) -> int:
    """How many lines with visible text are complete."""
    return sum(1 for line in text.split("\n")[:-1] if line.strip())


def lines(text: str) -> int:
    """How many lines with visible text there are, the last one complete or not."""
    return sum(1 for line in text.split("\n") if line.strip())
