"""The index as the resolvers see it: the files of one workspace in memory, their outlines decoded when asked for.

It reads beside any number of writers and never waits for one. Whatever is wrong with the file is nothing that a
completion should fail for: what cannot be read is not there, and `broken` says so.
"""

import logging
import sqlite3
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from cachetools import LRUCache

from midfill_workspace import compact
from midfill_workspace.languages import language_of
from midfill_workspace.packages import Packages
from midfill_workspace.resolve.installed import is_installed
from midfill_workspace.store import NO_OUTLINE
from midfill_workspace.symbol import Outline

log = logging.getLogger(__name__)

OUTLINES, TEXTS = 2_000, 200
"""How many are kept decoded."""

BUSY_S = 0.01
NAMED = 50
"""How many files are told for one name."""

Change = tuple[str, int | None]
"""A path and the id of its outline; None for a file that is gone."""


@dataclass(slots=True)
class Listing:
    """Which files there are, by folder too."""

    outlines: dict[str, int] = field(default_factory=dict)
    folders: dict[str, list[str]] = field(default_factory=dict)

    def put(self, path: str, outline: int) -> None:
        if path not in self.outlines:
            insort(self.folders.setdefault(path.rpartition("/")[0], []), path)
        self.outlines[path] = outline

    def drop(self, path: str) -> None:
        if self.outlines.pop(path, None) is None:
            return
        folder = path.rpartition("/")[0]
        siblings = self.folders[folder]
        del siblings[bisect_left(siblings, path)]
        if not siblings:
            del self.folders[folder]


def listing(rows: Iterable[tuple[str, int]]) -> Listing:
    """Of rows that are sorted by path."""
    outlines = dict(rows)
    folders: dict[str, list[str]] = {}
    for path in outlines:
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    return Listing(outlines, folders)


def load(path: Path, workspace: int) -> Listing:
    """All files of a workspace; it may take a while. Raises sqlite3.Error."""
    with closing(_reading(path)) as connection:
        query = "SELECT path, outline FROM files WHERE workspace = ? ORDER BY path"
        return listing(connection.execute(query, (workspace,)))


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None)


class StoredProject:
    """A `Project` over the index, of which one event loop is the owner."""

    def __init__(self) -> None:
        self.broken = False
        """Whether the index turned out to be damaged."""
        self.packages = Packages()
        self._connection: sqlite3.Connection | None = None
        self._workspace = 0
        self._listing = Listing()
        self._open: dict[str, Outline] = {}
        self._outlines: LRUCache[tuple[str, int], Outline] = LRUCache(OUTLINES)
        self._texts: LRUCache[str, str] = LRUCache(TEXTS)

    # --- life

    def adopt(self, path: Path, workspace: int, found: Listing) -> None:
        """Answer from this index from now on; of one before, nothing is left but the open documents."""
        self.close()
        self._connection = _reading(path)
        self._listing, self._workspace, self.broken = found, workspace, False

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._listing = None, Listing()
        self._outlines.clear()
        self._texts.clear()
        self.packages.forget()

    def apply(self, changes: Iterable[Change]) -> None:
        """Files that are new, have changed, or are gone."""
        for path, outline in changes:
            self._texts.pop(path, None)
            if outline is None:
                self._listing.drop(path)
            else:
                self._listing.put(path, outline)

    def show(self, path: str, outline: Outline) -> None:
        """An open document declares this, whatever its file says."""
        self._open[path] = outline

    def hide(self, path: str) -> None:
        """The document is closed: its file counts again."""
        self._open.pop(path, None)

    # --- Project

    def __len__(self) -> int:
        return len(self._listing.outlines)

    def has(self, path: str) -> bool:
        if path in self._listing.outlines or path in self._open:
            return True
        return is_installed(path) and self.packages.has(path)

    def files_in(self, folder: str) -> Sequence[str]:
        found: Sequence[str] = self._listing.folders.get(folder, ())
        new = [path for path in self._open if path not in self._listing.outlines and path.rpartition("/")[0] == folder]
        return sorted([*found, *new]) if new else found

    def near(self, path: str, limit: int) -> Sequence[str]:
        return self.files_in(path.rpartition("/")[0])[:limit]

    def outline(self, path: str) -> Outline | None:
        shown = self._open.get(path)
        if shown is not None:
            return shown
        number = self._listing.outlines.get(path)
        if number is None and is_installed(path):
            number = self.packages.outline(path)
        if number is None or number == NO_OUTLINE:
            return None
        found = self._outlines.get((path, number))
        return found if found is not None else self._read(path, number)

    def config(self, path: str) -> str:
        if path not in self._listing.outlines:
            return self.packages.text(path) if is_installed(path) else ""
        text = self._texts.get(path)
        if text is None:
            rows = self._rows("SELECT text FROM files WHERE workspace = ? AND path = ?", self._workspace, path)
            text = self._texts[path] = rows[0][0] if rows else ""
        return text

    # --- more than resolvers need

    def declaring(self, name: str) -> Sequence[str]:
        """Files that declare a name, whether or not they can be seen from anywhere."""
        query = """SELECT path FROM names JOIN files USING (outline) WHERE name = ? AND workspace = ?
            ORDER BY path LIMIT ?"""
        return [path for (path,) in self._rows(query, name, self._workspace, NAMED)]

    # --- the file

    def _read(self, path: str, number: int) -> Outline | None:
        rows = self._rows("SELECT data FROM outlines WHERE id = ?", number)
        try:
            found = compact.decode(rows[0][0], path, language_of(PurePath(path))) if rows else None
        except (ValueError, TypeError, LookupError) as exc:
            self._break(exc)
            return None
        if found is not None:
            self._outlines[path, number] = found
        return found

    def _rows(self, query: str, *arguments: str | int) -> Sequence[tuple[Any, ...]]:
        if self._connection is None:
            return ()
        try:
            return self._connection.execute(query, arguments).fetchall()
        except sqlite3.OperationalError as exc:
            # Mostly a writer that holds the file for the moment.
            log.info("index.unread", extra={"error": type(exc).__name__})
        except sqlite3.Error as exc:
            self._break(exc)
        return ()

    def _break(self, exc: Exception) -> None:
        if not self.broken:
            log.warning("index.broken", extra={"error": type(exc).__name__})
        self.broken = True
