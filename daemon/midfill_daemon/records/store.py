"""The records database as an open SQLite file; whatever goes wrong with it is Unwritable with a reason."""

import errno
import json
import logging
import os
import sqlite3
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import (
    JSON,
    URL,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    String,
    Table,
    and_,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from midfill_daemon.errors import Internal
from midfill_daemon.records import Unwritable, schema
from midfill_daemon.records.schema import REQUESTS

log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

Row = tuple[str, Mapping[str, Any]]
"""A table's name and one row for it."""

DATA_BYTES = 4096
"""A larger JSON value is refused: feedback is counted in millions."""

NUMBER_LIMIT: Mapping[type, float] = {int: 2**31, float: float("inf")}
"""PostgreSQL's INTEGER ends there; NaN, which compares false to everything, SQLite stores as NULL."""

DAY_S = 86_400
ROW_DAYS = 365
MEGABYTE = 1_000_000
ASIDE_LIMIT = 9
"""A disk that corrupts every new file must not be filled with them."""

REASONS: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_PERM: "unwritable",
    sqlite3.SQLITE_READONLY: "unwritable",
    sqlite3.SQLITE_CANTOPEN: "unwritable",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
    sqlite3.SQLITE_IOERR: "io",
}


class Store:
    """Owned by one thread. Every method raises Unwritable and nothing else."""

    def __init__(self, database: Path, busy_timeout_ms: int) -> None:
        self._database = database
        with _coded():
            self._file = _create_private(database)
            self._engine = _engine(database, busy_timeout_ms)
            try:
                with self._engine.begin() as connection:
                    schema.migrate(connection)
            except BaseException:
                self._engine.dispose()
                raise

    def insert(self, rows: Sequence[Row], now: float) -> int:
        """Appends all rows that fit their tables in one transaction; returns how many did."""
        for name in {name for name, _ in rows} - schema.TABLES.keys():
            log.warning("records.bad_row", extra={"table": name, "column": ""})
        fitting = {name: _fitting(table, rows, now) for name, table in schema.TABLES.items()}
        with _coded(), self._engine.begin() as connection:
            for name, values in fitting.items():
                if values:
                    connection.execute(insert(schema.TABLES[name]), values)
        return sum(map(len, fitting.values()))

    def transact(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """What `work` gives, in one exclusive transaction; whatever it raises undoes it and comes out as it is."""
        with _coded(), self._engine.begin() as connection:
            return work(connection)

    def purge(self, now: float, keep_days: int, keep_mb: int) -> None:
        """Forgets the text of prompts and answers beyond these limits, and rows older than a year."""
        with _coded():
            with self._engine.begin() as connection:
                _forget_text(connection, REQUESTS.c.at < now - keep_days * DAY_S)
                _forget_text(connection, REQUESTS.c.id <= _last_beyond(connection, keep_mb * MEGABYTE))
                for table in schema.TABLES.values():
                    connection.execute(delete(table).where(table.c.at < now - ROW_DAYS * DAY_S))
            self._shrink("PRAGMA incremental_vacuum")

    def forget(self, tables: Sequence[str], before: float) -> int:
        """Removes the rows of these tables that are older, and what is left of them in the file; returns how many."""
        with _coded():
            with self._engine.begin() as connection:
                chosen = [schema.TABLES[name] for name in tables]
                gone = [connection.execute(delete(table).where(table.c.at < before)).rowcount for table in chosen]
            # The log of the last transactions still holds the pages as they were before.
            self._shrink("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")
        return sum(gone)

    def _shrink(self, pragmas: str) -> None:
        with closing(self._engine.raw_connection()) as pooled:
            driver: Any = pooled.driver_connection
            # The first pragma frees one page per step, and `execute` takes a single step.
            driver.executescript(pragmas)

    def is_current(self) -> bool:
        """False once another file, or none, stands at the path: what we write would go nowhere."""
        try:
            return _identity(self._database) == self._file
        except OSError:
            return False

    def close(self) -> None:
        self._engine.dispose()


def set_aside(database: Path) -> str:
    """Renames a corrupt database and returns the new name; "" when it is sound (another process was faster).

    Raises Unwritable when it cannot be renamed, or too many lie there already.
    """
    with _coded():
        before = _identity(database)
        free = (database.with_name(f"{database.name}.corrupt-{number}") for number in range(1, ASIDE_LIMIT + 1))
        target = next((each for each in free if not each.exists()), None)
        if _is_sound(database) or _identity(database) != before:
            return ""
        if target is None:
            raise Unwritable("corrupt")
        database.rename(target)
        for ending in ("-wal", "-shm"):
            # A log left behind would be replayed into the new database.
            beside = database.with_name(database.name + ending)
            if beside.exists():
                beside.rename(f"{target}{ending}")
    return target.name


@contextmanager
def reading(database: Path) -> Generator[Connection, None, None]:
    """A read-only connection for reports. Raises Internal with the reason when the file cannot be read."""
    address = f"file:{quote(str(database))}?mode=ro"
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True, check_same_thread=False))
    try:
        with _coded(), engine.connect() as connection:
            yield connection
    except Unwritable as exc:
        raise Internal(f"{database}: cannot be read ({exc.reason})") from exc
    finally:
        engine.dispose()


# --- opening --------------------------------------------------------------------------------------


def _engine(database: Path, busy_timeout_ms: int) -> Engine:
    engine = create_engine(URL.create("sqlite", database=str(database)))  # not as text: paths hold % and ?

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # sqlite3 would begin deferred transactions of its own
        for setting in (
            f"busy_timeout={busy_timeout_ms}",  # first: the others can find the file locked
            "auto_vacuum=INCREMENTAL",  # counts only before the first table
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            "secure_delete=ON",  # purged prompts must not stay readable in free pages
        ):
            connection.execute(f"PRAGMA {setting}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _create_private(database: Path) -> tuple[int, int]:
    # Never opens a file that is there: closing it would drop the locks this process holds on it.
    try:
        os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if database.stat().st_mode & 0o077:
            database.chmod(0o600)
    return _identity(database)


def _identity(database: Path) -> tuple[int, int]:
    found = database.stat()
    return found.st_dev, found.st_ino


def _is_sound(database: Path) -> bool:
    try:
        connection = sqlite3.connect(database)
        try:
            return bool(connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",))
        finally:
            connection.close()
    except sqlite3.DatabaseError as exc:
        if _reason(exc) != "corrupt":
            raise
        return False


# --- failures -------------------------------------------------------------------------------------


@contextmanager
def _coded() -> Generator[None, None, None]:
    try:
        yield
    except schema.NewerSchema as exc:
        raise Unwritable("newer") from exc
    except (SQLAlchemyError, sqlite3.Error, OSError) as exc:
        raise Unwritable(_reason(exc)) from exc


def _reason(exc: Exception) -> str:
    cause = exc.orig if isinstance(exc, DBAPIError) else exc
    if isinstance(cause, sqlite3.Error):
        # The low byte is the primary code, the rest says more than the reasons need.
        return REASONS.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF, "other")
    if isinstance(cause, OSError):
        return "full" if cause.errno in (errno.ENOSPC, errno.EDQUOT) else "unwritable"
    return "other"


# --- rows -----------------------------------------------------------------------------------------


def _fitting(table: Table, rows: Sequence[Row], now: float) -> list[dict[str, Any]]:
    """Every column filled and of its type. A row that cannot be made so is a defect of ours: named and left out."""
    fitting = []
    for name, raw in rows:
        if name != table.name:
            continue
        try:
            fitting.append(_values(table, {"at": now, **raw}))
        except ValueError as exc:
            log.warning("records.bad_row", extra={"table": name, "column": str(exc)})
    return fitting


def _values(table: Table, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Raises ValueError with the name of the column that does not fit."""
    unknown = raw.keys() - table.columns.keys()
    if unknown:
        raise ValueError(", ".join(sorted(unknown)))
    values = {column.name: _value(column, raw) for column in table.columns if not column.primary_key}
    if "text_bytes" in values:
        values["text_bytes"] = sum(len((values[name] or "").encode()) for name in ("prompt", "response"))
    return values


def _value(column: Column[Any], raw: Mapping[str, Any]) -> Any:
    value = raw.get(column.name)
    if value is None:
        return _default(column)
    if isinstance(column.type, JSON):
        return _json(column, value)
    if isinstance(column.type, Float) and isinstance(value, int):
        value = float(value)
    if not isinstance(value, column.type.python_type):
        raise ValueError(column.name)
    if isinstance(value, int | float) and not abs(value) < NUMBER_LIMIT[column.type.python_type]:
        raise ValueError(column.name)
    if isinstance(value, str) and isinstance(column.type, String):
        # Neither database stores lone surrogates, and PostgreSQL no NUL either.
        return value.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")[: column.type.length]
    return value


def _json(column: Column[Any], value: object) -> object:
    try:
        encoded = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as exc:
        raise ValueError(column.name) from exc
    if len(encoded) > DATA_BYTES:
        raise ValueError(column.name)
    return value


def _default(column: Column[Any]) -> Any:
    if isinstance(column.type, JSON):
        return {}
    default: Any = column.default
    if default is None and not column.nullable:
        raise ValueError(column.name)
    return default.arg if default is not None else None


# --- retention ------------------------------------------------------------------------------------


def _forget_text(connection: Connection, rows: ColumnElement[bool]) -> None:
    held = and_(rows, REQUESTS.c.text_bytes > 0)
    connection.execute(update(REQUESTS).where(held).values(prompt=None, response=None, text_bytes=0))


def _last_beyond(connection: Connection, limit_bytes: int) -> int:
    """The id of the newest row whose text no longer fits, counted from the newest; 0 when all fit."""
    held = REQUESTS.c.text_bytes > 0
    total = connection.execute(select(func.coalesce(func.sum(REQUESTS.c.text_bytes), 0))).scalar_one()
    if total <= limit_bytes:
        return 0
    newest_first = select(REQUESTS.c.id, REQUESTS.c.text_bytes).where(held).order_by(REQUESTS.c.id.desc())
    for row_id, size in connection.execute(newest_first):
        limit_bytes -= size
        if limit_bytes < 0:
            return int(row_id)
    return 0
