"""What was typed since a place was looked at, and whether a text may still turn out to be what is being typed."""

from collections.abc import Sequence
from dataclasses import dataclass

from midfill_workspace.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Place:
    """A caret and what is needed to know it again; unlike a snapshot it does not hold the document."""

    line: int
    before: str
    rest: str
    """The line from the caret on, with its line end."""
    line_count: int


def place_of(snapshot: Snapshot) -> Place:
    line = snapshot.lines[snapshot.line]
    return Place(snapshot.line, line[: snapshot.column], line[snapshot.column :], len(snapshot.lines))


def since(then: Place, lines: Sequence[str]) -> str | None:
    """What was inserted at the caret of `then`, if these lines differ from it by that alone; else None.

    Compares the caret's line and the number of lines, not the whole file: an edit far away does not disagree.
    """
    added = len(lines) - then.line_count
    last = then.line + added
    if added < 0 or last >= len(lines) or not lines[then.line].startswith(then.before):
        return None
    inserted = "".join(lines[then.line : last + 1])[len(then.before) :]
    if not inserted.endswith(then.rest):
        return None
    return inserted[: len(inserted) - len(then.rest)].replace("\r\n", "\n").replace("\r", "\n")


def agrees(text: str, typed: str) -> bool:
    """Whether text generated so far may still turn out to be what is being typed."""
    return text.startswith(typed) or typed.startswith(text)


def caret_after(then: Place, typed: str) -> tuple[int, int]:
    """Line and column of the caret once `typed` stands there."""
    added = typed.count("\n")
    column = len(typed) - typed.rfind("\n") - 1 if added else len(then.before) + len(typed)
    return then.line + added, column
