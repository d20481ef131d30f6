"""Which files of installed packages are known, which there are not, and which somebody has asked for since.

Nobody lists a folder of packages: a path that a resolver asks about is looked for afterwards, and there for the next.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

KNOWN, ABSENT = 2_000, 20_000
"""So many files are kept; an import of something huge finds what is there by then, and no more."""

WANTED = 400
"""How many are looked for at a time."""

Found = tuple[str, int | None, str]
"""A path, the id of its outline, None for a file that is not there or may not be read, and the text of a manifest."""


@dataclass(slots=True)
class Packages:
    """Of one workspace."""

    epoch: int = 0
    """Changes when what was looked for before may not be taken in any more."""
    _outlines: dict[str, int] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)
    _absent: set[str] = field(default_factory=set)
    _wanted: dict[str, None] = field(default_factory=dict)

    def has(self, path: str) -> bool:
        """Whether such a file is known. One of which nothing is known is looked for."""
        if path in self._outlines:
            return True
        if path not in self._absent and len(self._outlines) < KNOWN and len(self._wanted) < WANTED:
            self._wanted[path] = None
        return False

    def outline(self, path: str) -> int | None:
        return self._outlines.get(path) if self.has(path) else None

    def text(self, path: str) -> str:
        """Of a manifest."""
        return self._texts.get(path, "") if self.has(path) else ""

    def known(self) -> Sequence[str]:
        return list(self._outlines)

    def take(self) -> Sequence[str]:
        """What is to be looked for."""
        wanted, self._wanted = self._wanted, {}
        return list(wanted)

    def apply(self, files: Iterable[Found]) -> bool:
        """What was found; whether any of it is new."""
        news = False
        for path, outline, text in files:
            if outline is None:
                news |= self._drop(path)
            else:
                news |= (self._outlines.get(path), self._texts.get(path, "")) != (outline, text)
                self._absent.discard(path)
                self._outlines[path] = outline
                self._texts[path] = text
        return news

    def _drop(self, path: str) -> bool:
        if len(self._absent) >= ABSENT:
            self._absent.clear()
        self._absent.add(path)
        self._texts.pop(path, None)
        return self._outlines.pop(path, None) is not None

    def doubt(self) -> None:
        """Something may have been installed or removed: all is looked for again, and known until then."""
        self._absent.clear()
        self._wanted = dict.fromkeys(self._outlines)

    def forget(self) -> None:
        """Other files than before may be read."""
        self.epoch += 1
        for each in (self._outlines, self._texts, self._absent, self._wanted):
            each.clear()
