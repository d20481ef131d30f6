"""Reading the request log: the last model calls, and sums by task and model."""

from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Request:
    """One model call. Token counts are -1 where the service does not tell; `at` is seconds since 1970."""

    id: int
    at: float
    task: str
    tier: str
    provider: str
    model: str
    revision: str
    prompt_version: str
    caller: str
    workspace: str
    editor: str
    priority: str
    outcome: str
    error_code: str
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    first_token_ms: float | None
    total_ms: float | None
    cost: float
    fallback_from: str
    text_bytes: int
    prompt: str | None
    response: str | None
    run: str
    experiment: str
    arm: str


@dataclass(frozen=True, slots=True)
class Summary:
    """All calls of one task by one model; times are means, and None when nothing was measured."""

    task: str
    tier: str
    provider: str
    model: str
    calls: int
    ok: int
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    first_token_ms: float | None
    total_ms: float | None
    cost: float


def last(database: Path, count: int) -> list[Request]:
    """The newest calls, newest first; none when nothing was ever recorded."""
    if not database.exists():
        return []
    # Imported here: SQLAlchemy costs half a second, and the gateway imports this module for its types.
    from sqlalchemy import select

    from midfill_daemon.records import schema, store

    columns = [schema.REQUESTS.c[field.name] for field in fields(Request)]
    newest = select(*columns).order_by(schema.REQUESTS.c.id.desc()).limit(count)
    with store.reading(database) as connection:
        return [Request(*row) for row in connection.execute(newest)]


def summary(database: Path, since: float = 0.0) -> list[Summary]:
    """The sums since that time, most calls first."""
    if not database.exists():
        return []
    from sqlalchemy import case, func, select

    from midfill_daemon.records import schema, store

    table = schema.REQUESTS.c
    names = (table.task, table.tier, table.provider, table.model)
    tokens = (table.prompt_tokens, table.cached_tokens, table.output_tokens)
    calls = func.count()
    grouped = (
        select(
            *names,
            calls,
            func.sum(case((table.outcome == "ok", 1), else_=0)),
            *(func.sum(case((each > 0, each), else_=0)) for each in tokens),
            func.avg(table.first_token_ms),
            func.avg(table.total_ms),
            func.sum(table.cost),
        )
        .where(table.at >= since)
        .group_by(*names)
        .order_by(calls.desc(), *names)
    )
    with store.reading(database) as connection:
        return [Summary(*row) for row in connection.execute(grouped)]
