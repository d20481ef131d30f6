"""The tables, in generic types for SQLite and PostgreSQL, and the steps from one version to the next."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
    update,
)

METADATA = MetaData()

NAME_LENGTH = 200
"""Longer names are cut by the writer: PostgreSQL would refuse them, SQLite would take any length."""


def _id() -> Column[int]:
    # SQLite numbers rows by itself only in a column whose type is exactly INTEGER.
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


def _name(name: str) -> Column[str]:
    return Column(name, String(NAME_LENGTH), nullable=False, default="")


def _count(name: str, unknown: int = -1) -> Column[int]:
    return Column(name, Integer, nullable=False, default=unknown)


META = Table("meta", METADATA, Column("key", String(NAME_LENGTH), primary_key=True), _name("value"))

REQUESTS = Table(
    "requests",
    METADATA,
    _id(),
    Column("at", Float, nullable=False),
    _name("task"),
    _name("tier"),
    _name("provider"),
    _name("model"),
    _name("revision"),
    _name("prompt_version"),
    _name("caller"),
    _name("workspace"),
    _name("editor"),
    _name("priority"),
    _name("outcome"),
    _name("error_code"),
    _count("prompt_tokens"),
    _count("cached_tokens"),
    _count("output_tokens"),
    Column("first_token_ms", Float),
    Column("total_ms", Float),
    Column("cost", Float, nullable=False, default=0.0),
    _name("fallback_from"),
    # Before the texts, so that summing it reads none of their overflow pages.
    _count("text_bytes", unknown=0),
    Column("prompt", Text),
    Column("response", Text),
    Index("requests_at", "at"),
)

FEEDBACK = Table(
    "feedback",
    METADATA,
    _id(),
    Column("at", Float, nullable=False),
    _name("caller"),
    _name("editor"),
    _name("kind"),
    _name("trace"),
    Column("data", JSON, nullable=False, default=dict),
    Index("feedback_at", "at"),
    Index("feedback_trace", "trace"),
)

TABLES: Mapping[str, Table] = {table.name: table for table in (REQUESTS, FEEDBACK)}
"""What rows can be appended to."""

Step = Callable[[Connection], None]

STEPS: tuple[Step, ...] = ()
"""STEPS[n] leads from version n + 1 to n + 2. A new database is made from METADATA, never by steps.

So a change of the tables above comes with a step that brings existing databases there.
"""


class NewerSchema(Exception):
    """A later Midfill has written this database; writing to it could break what that one relies on."""


def migrate(connection: Connection, steps: Sequence[Step] = STEPS) -> None:
    """Brings the database to the latest version, within the caller's exclusive transaction."""
    latest = 1 + len(steps)
    found = _version(connection)
    if found > latest:
        raise NewerSchema(f"the records have version {found}, this Midfill knows {latest}")
    if found == latest:
        return
    if found == 0:
        METADATA.create_all(connection)
        connection.execute(insert(META), {"key": "version", "value": str(latest)})
        return
    for step in steps[found - 1 :]:
        step(connection)
    connection.execute(update(META).where(META.c.key == "version"), {"value": str(latest)})


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(META.name):
        return 0
    found = connection.execute(select(META.c.value).where(META.c.key == "version")).scalar_one_or_none() or ""
    if not found.isdecimal():
        raise NewerSchema("the records carry no version that this Midfill can read")
    return int(found)
