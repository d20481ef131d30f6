"""The index on disk: outlines by the hash of what they were made of, and the files of each workspace that have them.

One SQLite file for all workspaces of a user, so that clones and branches share outlines. Any number of processes may
write it: transactions are short and begin immediately. It holds no text of documents but the headers of declarations,
first lines of documentation, and the small manifests that say how imports are resolved.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
BUSY_S = 10.0
"""How long one window waits for another that writes."""

KEPT_DAYS = 30
LIMIT_BYTES = 512 * 1024**2
"""Above it goes what no workspace has any more, then the workspaces that were opened longest ago."""

NO_OUTLINE = 0
"""What a file has instead of the id of an outline when it is a manifest."""

DAY_S = 86_400
DONE_S = 600
"""What another window has begun so long ago has ended it."""

FREED_PAGES = 100_000

SCHEMA = (
    # Ids are never used again: another window may still have what an old one stood for.
    """CREATE TABLE outlines(
        id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, data BLOB NOT NULL, used INTEGER NOT NULL)""",
    "CREATE TABLE names(name TEXT NOT NULL, outline INTEGER NOT NULL, PRIMARY KEY(name, outline)) WITHOUT ROWID",
    "CREATE TABLE workspaces(id INTEGER PRIMARY KEY AUTOINCREMENT, root TEXT NOT NULL UNIQUE, used INTEGER NOT NULL)",
    """CREATE TABLE files(
        workspace INTEGER NOT NULL, path TEXT NOT NULL, mtime_ns INTEGER NOT NULL, size INTEGER NOT NULL,
        outline INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY(workspace, path)) WITHOUT ROWID""",
    "CREATE INDEX files_by_outline ON files(outline)",
    """CREATE TABLE doing(
        hash BLOB NOT NULL, window TEXT NOT NULL, tries INTEGER NOT NULL, since INTEGER NOT NULL,
        PRIMARY KEY(hash, window)) WITHOUT ROWID""",
)

USE = "UPDATE outlines SET used = ? WHERE used < ? AND id IN (SELECT outline FROM files)"
DROP_OLD = "DELETE FROM outlines WHERE used < ?"
DROP_UNUSED = "DELETE FROM outlines WHERE id NOT IN (SELECT outline FROM files)"

Reason = Literal["corrupt", "busy", "unwritable"]

BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
UNWRITABLE = frozenset(
    {
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)


class Stamp(NamedTuple):
    """What tells without reading whether a file is as it was."""

    mtime_ns: int
    size: int


@dataclass(frozen=True, slots=True)
class File:
    """One file of a workspace: what it looked like, the id of its outline, and its text where it is a manifest."""

    path: str
    stamp: Stamp
    outline: int = NO_OUTLINE
    text: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """An outline as it is stored, with the names that it can be found by."""

    data: bytes
    names: frozenset[str]


def location(cache: Path) -> Path:
    """The index in a user's cache folder. A new schema is a new file, so that two versions do not fight."""
    return cache / "index" / f"outlines-{SCHEMA_VERSION}.sqlite3"


def reason(exc: sqlite3.Error | OSError) -> Reason:
    """What is wrong with an index that raised this. What is not known is taken for damage, which a rebuild heals."""
    code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in BUSY:
        return "busy"
    return "unwritable" if code in UNWRITABLE or isinstance(exc, OSError) else "corrupt"


def open_store(path: Path, window: str = "", clock: Callable[[], float] = time.time) -> "Store":
    """The index at this path; a damaged one is replaced by an empty one. Raises sqlite3.Error or OSError.

    No two processes at a time may call themselves by the same `window`.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    seen = _inode(path)
    try:
        return Store(_opened(path), window, clock)
    except sqlite3.Error as exc:
        if reason(exc) != "corrupt":
            raise
        log.warning("index.rebuilt", extra={"error": type(exc).__name__})
    if _inode(path) == seen:  # Else another window has replaced it already.
        remove(path)
    return Store(_opened(path), window, clock)


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    for pragma in ("auto_vacuum = INCREMENTAL", "journal_mode = WAL", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}").close()
    with _writing(connection):
        version = _number(connection, "PRAGMA user_version")
        if version == 0:
            for statement in (*SCHEMA, f"PRAGMA user_version = {SCHEMA_VERSION}"):
                connection.execute(statement)
    if version not in (0, SCHEMA_VERSION) or _texts(connection, "PRAGMA quick_check(1)") != ["ok"]:
        raise sqlite3.DatabaseError


def _inode(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_ino
    return 0


def remove(path: Path) -> None:
    """An index that nobody can use any more."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


class Store:
    """The writing side. Every method raises sqlite3.Error and nothing else; `reason` tells what it means."""

    def __init__(self, connection: sqlite3.Connection, window: str, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._window = window
        self._clock = clock
        self._begun: set[bytes] = set()
        self._seen_version = self._data_version()

    def close(self) -> None:
        """In good order: what was begun and not finished is no file that kills its reader."""
        with suppress(sqlite3.Error):
            rows = [(each, self._window) for each in self._begun]
            self._connection.executemany("DELETE FROM doing WHERE hash = ? AND window = ?", rows)
        self._connection.close()

    def _day(self) -> int:
        return int(self._clock() // DAY_S)

    def changed_by_others(self) -> bool:
        """Whether another window has written since this was last asked."""
        before, self._seen_version = self._seen_version, self._data_version()
        return self._seen_version != before

    def _data_version(self) -> int:
        return _number(self._connection, "PRAGMA data_version")

    # --- files

    def workspace(self, root: str) -> int:
        """The number of a workspace, which counts as opened today."""
        with _writing(self._connection):
            self._connection.execute(
                "INSERT INTO workspaces(root, used) VALUES (?, ?) ON CONFLICT(root) DO UPDATE SET used = excluded.used",
                (root, self._day()),
            )
            return _number(self._connection, "SELECT id FROM workspaces WHERE root = ?", root)

    def stamps(self, workspace: int) -> dict[str, Stamp]:
        """All files of a workspace, as they were when they were read."""
        rows = self._connection.execute("SELECT path, mtime_ns, size FROM files WHERE workspace = ?", (workspace,))
        return {path: Stamp(mtime_ns, size) for path, mtime_ns, size in rows}

    def below(self, workspace: int, path: str) -> list[str]:
        """The files at a path that was a file or a folder."""
        # "0" follows "/" in the order of characters.
        query = "SELECT path FROM files WHERE workspace = ? AND (path = ? OR path > ? AND path < ?)"
        return _texts(self._connection, query, workspace, path, f"{path}/", f"{path}0")

    def put(self, workspace: int, files: Sequence[File]) -> None:
        rows = ((workspace, each.path, *each.stamp, each.outline, each.text) for each in files)
        with _writing(self._connection):
            self._connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", rows)

    def forget(self, workspace: int, paths: Sequence[str]) -> None:
        """These files are gone; their outlines stay for a while, because they may come back."""
        with _writing(self._connection):
            rows = ((workspace, path) for path in paths)
            self._connection.executemany("DELETE FROM files WHERE workspace = ? AND path = ?", rows)

    # --- outlines

    def ids(self, hashes: Sequence[bytes]) -> dict[bytes, int]:
        """Those of the outlines that there are."""
        query = "SELECT id FROM outlines WHERE hash = ?"
        found = {each: _number(self._connection, query, each) for each in hashes}
        return {each: number for each, number in found.items() if number}

    def add(self, entries: Mapping[bytes, Entry]) -> None:
        """New outlines, which are then no longer being worked on."""
        with _writing(self._connection):
            for hash_, entry in entries.items():
                self._add(hash_, entry)
            self._end(entries)

    def _add(self, hash_: bytes, entry: Entry) -> None:
        added = self._connection.execute(
            "INSERT OR IGNORE INTO outlines(hash, data, used) VALUES (?, ?, ?)", (hash_, entry.data, self._day())
        )
        if added.rowcount:  # Another window may have been quicker.
            rows = ((name, added.lastrowid) for name in entry.names)
            self._connection.executemany("INSERT OR IGNORE INTO names VALUES (?, ?)", rows)

    # --- what is being worked on

    def begin(self, hashes: Sequence[bytes]) -> None:
        """Note that these are about to be outlined, in case that kills the process."""
        self._begun.update(hashes)
        with _writing(self._connection):
            rows = ((each, self._window, self._clock()) for each in hashes)
            self._connection.executemany("INSERT OR IGNORE INTO doing VALUES (?, ?, 1, ?)", rows)

    def begin_alone(self, hash_: bytes) -> None:
        """Note that this one is tried again, by itself."""
        self._begun.add(hash_)
        with _writing(self._connection):
            query = "INSERT INTO doing VALUES (?, ?, 2, ?) ON CONFLICT DO UPDATE SET tries = tries + 1"
            self._connection.execute(query, (hash_, self._window, self._clock()))

    def tries(self) -> dict[bytes, int]:
        """How often each was begun that was never finished: 1 for all that were begun together.

        What another window began a moment ago is being worked on there.
        """
        query = "SELECT hash, max(tries) FROM doing WHERE window = ? OR since < ? GROUP BY hash"
        return dict(self._connection.execute(query, (self._window, self._clock() - DONE_S)))

    def _end(self, hashes: Iterable[bytes]) -> None:
        self._connection.executemany("DELETE FROM doing WHERE hash = ?", [(each,) for each in hashes])
        self._begun.difference_update(list(hashes))

    # --- age and size

    def tidy(self, limit_bytes: int = LIMIT_BYTES) -> None:
        """Drop what nobody has used for a month, and what is more than fits."""
        day = self._day()
        old = day - KEPT_DAYS
        with _writing(self._connection):
            self._connection.execute("DELETE FROM workspaces WHERE used < ?", (old,))
            self._connection.execute("DELETE FROM files WHERE workspace NOT IN (SELECT id FROM workspaces)")
            self._connection.execute(USE, (day, day))
            self._drop_outlines(DROP_OLD, old)
        while self.size_bytes() > limit_bytes and self._drop_something():
            pass

    def size_bytes(self) -> int:
        """Without the pages that are free."""
        used = _number(self._connection, "PRAGMA page_count") - _number(self._connection, "PRAGMA freelist_count")
        return used * _number(self._connection, "PRAGMA page_size")

    def _drop_something(self) -> bool:
        """Outlines that no file has, else the workspace that was opened longest ago; False when nothing is left."""
        with _writing(self._connection):
            if self._drop_outlines(DROP_UNUSED):
                return True
            oldest = _number(self._connection, "SELECT id FROM workspaces ORDER BY used, id LIMIT 1")
            self._connection.execute("DELETE FROM workspaces WHERE id = ?", (oldest,))
            self._connection.execute("DELETE FROM files WHERE workspace = ?", (oldest,))
            return oldest != 0

    def _drop_outlines(self, statement: str, *arguments: int) -> int:
        dropped = self._connection.execute(statement, arguments).rowcount
        if dropped:
            self._connection.execute("DELETE FROM names WHERE outline NOT IN (SELECT id FROM outlines)")
        return dropped

    def shrink(self) -> None:
        """Give the space of what was dropped back to the disk."""
        self._connection.execute(f"PRAGMA incremental_vacuum({FREED_PAGES})").fetchall()


@contextmanager
def _writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction. A deferred one would fail at once when another window writes between its read and its write."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _number(connection: sqlite3.Connection, query: str, *arguments: str | int | bytes) -> int:
    """The first column of the first row, 0 for none."""
    with closing(connection.execute(query, arguments)) as rows:
        row = rows.fetchone()
    return int(row[0]) if row else 0


def _texts(connection: sqlite3.Connection, query: str, *arguments: str | int) -> list[str]:
    return [str(row[0]) for row in connection.execute(query, arguments)]
