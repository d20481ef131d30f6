"""What the daemon remembers: model calls and feedback. Cheap to import; only `schema` and `store` cost SQLAlchemy."""

from collections.abc import Sequence
from pathlib import Path

from midfill_daemon.errors import Internal

BUSY_MS = 5000


class Unwritable(Exception):
    """The database took nothing; `reason` is locked, full, unwritable, corrupt, newer, io or other."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def forget(database: Path, tables: Sequence[str], before: float) -> int:
    """Removes rows that are older, and returns how many there were. Raises Internal when that cannot be done.

    A daemon that runs waits for it, as it would for another process that starts on the same file.
    """
    if not database.exists():
        return 0
    # Imported here: SQLAlchemy costs half a second.
    from midfill_daemon.records.store import Store

    try:
        store = Store(database, BUSY_MS)
        try:
            return store.forget(tables, before)
        finally:
            store.close()
    except Unwritable as exc:
        raise Internal(f"{database}: nothing could be removed ({exc.reason})") from exc
