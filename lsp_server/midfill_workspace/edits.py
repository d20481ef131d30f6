"""What the user changed lately, as small diffs."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

CONTEXT_LINES, CHANGED_LINES, LINE_CHARS = 1, 12, 200
KEPT = 8


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: where it is, and its lines marked with `-`, `+` or a blank."""

    path: str
    line: int
    text: str


@dataclass(slots=True)
class Edits:
    """The newest changes of a window, newest first; of one place only the newest."""

    _edits: deque[Edit] = field(default_factory=lambda: deque(maxlen=KEPT))

    def note(self, edit: Edit) -> None:
        near = [old for old in self._edits if old.path == edit.path and abs(old.line - edit.line) <= CHANGED_LINES]
        for old in near:
            self._edits.remove(old)
        self._edits.appendleft(edit)

    def besides(self, path: str) -> list[Edit]:
        """Those of other files: the window around the caret holds what was changed in this one."""
        return [each for each in self._edits if each.path != path]

    def forget(self, path: str) -> None:
        for old in [each for each in self._edits if each.path == path]:
            self._edits.remove(old)


def edit(path: str, before: Sequence[str], after: Sequence[str]) -> Edit | None:
    """The one change between two states of a file; None when nothing telling was changed."""
    first = _common(before, after)
    last = _common(before[first:][::-1], after[first:][::-1])
    removed, added = before[first : len(before) - last], after[first : len(after) - last]
    if not "".join((*removed, *added)).strip():
        return None
    lines = [
        *_marked(" ", after[max(0, first - CONTEXT_LINES) : first]),
        *_marked("-", removed[:CHANGED_LINES] if "".join(removed).strip() else ()),
        *_marked("+", added[:CHANGED_LINES]),
    ]
    return Edit(path, first, "\n".join(lines))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines both begin with."""
    return next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _marked(mark: str, lines: Sequence[str]) -> list[str]:
    return [f"{mark}{line.rstrip()[:LINE_CHARS]}" for line in lines]
