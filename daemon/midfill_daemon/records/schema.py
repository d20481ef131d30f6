"""The tables, in generic types for SQLite and PostgreSQL, and the steps from one version to the next."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    inspect,
    select,
    text,
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
    _name("run"),
    _name("experiment"),
    _name("arm"),
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

# --- who may do what, and what it costs -----------------------------------------------------------

WORKSPACES = Table(
    "workspaces",
    METADATA,
    Column("name", String(NAME_LENGTH), primary_key=True),
    Column("at", Float, nullable=False),
    Column("plan", String(NAME_LENGTH), nullable=False, default="free"),
    # Whether prompts and answers of this workspace are kept.
    Column("keeps_texts", Boolean, nullable=False, default=False),
)

CALLERS = Table(
    "callers",
    METADATA,
    Column("user", String(NAME_LENGTH), primary_key=True),
    Column("at", Float, nullable=False),
    _name("workspace"),
    Column("groups", JSON, nullable=False, default=list),
    _count("clearance", unknown=0),
    Column("role", String(NAME_LENGTH), nullable=False, default="member"),
    Column("disabled_at", Float),
)

TOKENS = Table(
    "tokens",
    METADATA,
    _id(),
    Column("at", Float, nullable=False),
    # Of 256 random bits, which need no salt and no slow hash.
    Column("sha256", String(64), nullable=False, unique=True),
    _name("user"),
    _name("label"),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Column("used_at", Float),
)

WALLETS = Table(
    "wallets",
    METADATA,
    Column("workspace", String(NAME_LENGTH), primary_key=True),
    # The month that the balance is of, as 2026-11.
    _name("period"),
    _count("balance", unknown=0),
    _count("held", unknown=0),
    CheckConstraint("balance >= 0", name="wallets_balance"),
    CheckConstraint("held >= 0", name="wallets_held"),
)

HOLDS = Table(
    "holds",
    METADATA,
    Column("workspace", String(NAME_LENGTH), primary_key=True),
    Column("request", String(NAME_LENGTH), primary_key=True),
    Column("at", Float, nullable=False),
    _name("caller"),
    _name("task"),
    _name("period"),
    _count("amount", unknown=0),
    # One of: held, spent, returned, expired.
    Column("state", String(NAME_LENGTH), nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("settled_at", Float),
    Index("holds_state", "state", "expires_at"),
)

LEDGER = Table(
    "ledger",
    METADATA,
    _id(),
    Column("at", Float, nullable=False),
    _name("workspace"),
    _name("caller"),
    _name("request"),
    _name("task"),
    # One of: grant, hold, spend, return, expire, lapse.
    _name("kind"),
    Column("amount", Integer, nullable=False),
    Column("balance", Integer, nullable=False),
    Index("ledger_at", "at"),
    Index("ledger_request", "workspace", "request"),
)

# --- how good it is -------------------------------------------------------------------------------

SAMPLES = Table(
    "samples",
    METADATA,
    _id(),
    Column("at", Float, nullable=False),
    Column(
        "request",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey(REQUESTS.c.id, ondelete="CASCADE"),
        nullable=False,
    ),
    # auto, for the scorers, or weekly, for a person
    _name("kind"),
    # As 2026-W48.
    _name("week"),
    # One of: open, done, skipped.
    Column("state", String(NAME_LENGTH), nullable=False, default="open"),
    Column("score", Float),
    Column("note", Text),
    _name("rater"),
    Column("rated_at", Float),
    UniqueConstraint("request", "kind", name="samples_request"),
    Index("samples_state", "kind", "state"),
)

EVALUATIONS = Table(
    "evaluations",
    METADATA,
    _id(),
    Column("at", Float, nullable=False),
    _name("task"),
    _name("suite"),
    _name("prompt_version"),
    _name("model"),
    # One of: ok, worse, unable.
    _name("verdict"),
    _count("cases", unknown=0),
    Column("figures", JSON, nullable=False, default=dict),
    Column("report", Text),
    Index("evaluations_at", "at"),
)

TABLES: Mapping[str, Table] = {table.name: table for table in (REQUESTS, FEEDBACK, EVALUATIONS)}
"""What rows can be appended to."""

Step = Callable[[Connection], None]


def _add_platform(connection: Connection) -> None:
    for name in ("run", "experiment", "arm"):
        connection.execute(text(f"ALTER TABLE requests ADD COLUMN {name} VARCHAR({NAME_LENGTH}) NOT NULL DEFAULT ''"))
    METADATA.create_all(connection)


STEPS: tuple[Step, ...] = (_add_platform,)
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
