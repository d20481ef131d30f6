"""The frozen value of one document at one caret that everything else takes."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Snapshot:
    """One document version and a caret, in code points.

    `lines` keep their line ends (`\\n`, `\\r\\n` or `\\r`; nothing else breaks a line), hold at least one entry
    ("" for an empty document) and are shared with the store, which never mutates a list it has handed out.
    """

    uri: str
    path: str
    """Relative to the workspace folder, with `/`; the bare file name when the file lies outside of all."""
    version: int
    language: str
    lines: Sequence[str]
    line: int
    column: int

    @property
    def before(self) -> str:
        """The caret's line up to the caret."""
        return self.lines[self.line][: self.column]

    @property
    def after(self) -> str:
        """The caret's line from the caret on, without its line end."""
        return self.lines[self.line][self.column :].rstrip("\r\n")
