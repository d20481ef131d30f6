"""Reading the feedback: what was shown, accepted, kept or dismissed, and the traces of requests."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Feedback:
    """One event of an editor; `trace` ties the events of one suggestion together."""

    id: int
    at: float
    caller: str
    editor: str
    kind: str
    trace: str
    data: Mapping[str, Any]


def last(database: Path, count: int, kind: str = "") -> list[Feedback]:
    """The newest events, of any kind or of one, newest first; none when nothing was ever recorded."""
    if not database.exists():
        return []
    # Imported here: SQLAlchemy costs half a second.
    from sqlalchemy import select, true

    from midfill_daemon.records import schema, store

    columns = [schema.FEEDBACK.c[field.name] for field in fields(Feedback)]
    wanted = schema.FEEDBACK.c.kind == kind if kind else true()
    newest = select(*columns).where(wanted).order_by(schema.FEEDBACK.c.id.desc()).limit(count)
    with store.reading(database) as connection:
        return [Feedback(*row) for row in connection.execute(newest)]
