"""What became of suggestions: how many were shown, accepted and kept, and how soon they came."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

KINDS = ("shown", "accepted", "partly", "typed", "dismissed")
GROUPINGS = ("language", "source", "model")
ANSWERED = ("answered", "shown")
"""How traces call what was answered; by the second name, what earlier versions wrote."""

CHARS_LIMIT = 100_000
"""Whatever reaches the daemon's socket can post numbers; one that no suggestion has is not counted."""

PERCENTILES = (50, 95, 99)


@dataclass(slots=True)
class Group:
    """The suggestions that have something in common; characters are those that were offered, accepted, typed out."""

    name: str
    shown: int = 0
    accepted: int = 0
    partly: int = 0
    typed: int = 0
    """Suggestions that were followed by typing, for some characters at least."""
    dismissed: int = 0
    offered_chars: int = 0
    accepted_chars: int = 0
    typed_chars: int = 0

    @property
    def acceptance(self) -> float | None:
        """The share of what was shown that was accepted, at least in part; None when nothing was shown."""
        return ratio(self.accepted + self.partly, self.shown)

    @property
    def accepted_share(self) -> float | None:
        """The share of the characters that were shown."""
        return ratio(self.accepted_chars, self.offered_chars)


@dataclass(slots=True)
class Kept:
    """What was found so many seconds after an acceptance; of some texts it is not known, their files were closed."""

    after_s: float
    texts: int = 0
    unknown: int = 0
    chars: int = 0
    kept_chars: float = 0.0

    @property
    def share(self) -> float | None:
        """The share of the accepted characters that is still there."""
        return ratio(self.kept_chars, self.chars)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long answers took from the arrival of the request, by where they came from."""

    source: str
    answers: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Usage:
    total: Group = field(default_factory=lambda: Group("all"))
    groups: Mapping[str, Sequence[Group]] = field(default_factory=lambda: dict.fromkeys(GROUPINGS, ()))
    """By language, by source and by model, the largest first."""
    kept: Sequence[Kept] = ()
    latencies: Sequence[Latency] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One row, as far as it is counted; whatever does not fit is empty or zero."""

    kind: str
    language: str
    source: str
    model: str
    chars: int
    length: int
    after_s: float
    share: float | None


def usage(database: Path, since: float = 0.0) -> Usage:
    """The sums since that time, in seconds since 1970. Raises Internal when the records cannot be read."""
    if not database.exists():
        return Usage()
    # Imported here: SQLAlchemy costs half a second.
    from midfill_daemon.records import store

    with store.reading(database) as connection:
        return _summed(_events(connection, since), _latencies(connection, since))


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed; `ordered` must not be empty."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


# --- reading --------------------------------------------------------------------------------------


def _events(connection: "Connection", since: float) -> Iterator[Event]:
    from midfill_daemon.records.schema import FEEDBACK

    names = [each.name for each in fields(Event)][1:]
    for kind, *values in connection.execute(_select((*KINDS, "kept"), names, since, FEEDBACK.c.kind)):
        language, source, model, *numbers = values
        chars, length, after_s, share = map(_number, numbers)
        yield Event(
            kind=kind,
            language=_name(language),
            source=_name(source),
            model=_name(model),
            chars=int(chars or 0),
            length=int(length or 0),
            after_s=after_s or 0.0,
            share=None if share is None else min(share, 1.0),
        )


def _latencies(connection: "Connection", since: float) -> Sequence[Latency]:
    """Answers of earlier versions did not say how long they took in all, and are left out."""
    took_ms: dict[str, list[float]] = {}
    for outcome, source, total_ms in connection.execute(_select(("trace",), ("outcome", "source", "total_ms"), since)):
        number = _number(total_ms)
        if outcome in ANSWERED and number is not None:
            took_ms.setdefault(_name(source), []).append(number)
    return [_latency(source, sorted(values)) for source, values in sorted(took_ms.items(), key=lambda it: -len(it[1]))]


def _select(kinds: Sequence[str], names: Iterable[str], since: float, *columns: Any) -> "Select[Any]":
    """These values of the events' data, taken out of it by the database: that is several times as fast."""
    from sqlalchemy import select

    from midfill_daemon.records.schema import FEEDBACK

    values = [FEEDBACK.c.data[name].as_string() for name in names]
    return select(*columns, *values).where(FEEDBACK.c.at >= since, FEEDBACK.c.kind.in_(kinds))


def _name(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    """SQLite gives numbers as such, PostgreSQL as text."""
    if not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < CHARS_LIMIT else None


# --- summing --------------------------------------------------------------------------------------


def _summed(events: Iterable[Event], latencies: Sequence[Latency]) -> Usage:
    total, kept = Group("all"), dict[float, Kept]()
    groups: dict[str, dict[str, Group]] = {grouping: {} for grouping in GROUPINGS}
    for event in events:
        if event.kind == "kept":
            _add_kept(kept.setdefault(event.after_s, Kept(event.after_s)), event)
            continue
        _add(total, event)
        for grouping, known in groups.items():
            name = getattr(event, grouping)
            _add(known.setdefault(name, Group(name)), event)
    ordered = {
        grouping: sorted(known.values(), key=lambda group: (-group.shown, group.name))
        for grouping, known in groups.items()
    }
    return Usage(total, ordered, sorted(kept.values(), key=lambda each: each.after_s), latencies)


def _add(group: Group, event: Event) -> None:
    setattr(group, event.kind, getattr(group, event.kind) + 1)
    if event.kind == "shown":
        group.offered_chars += event.length
    elif event.kind == "typed":
        group.typed_chars += event.chars
    elif event.kind in ("accepted", "partly"):
        group.accepted_chars += event.chars


def _add_kept(kept: Kept, event: Event) -> None:
    kept.texts += 1
    if event.share is None:
        kept.unknown += 1
    else:
        kept.chars += event.chars
        kept.kept_chars += event.chars * event.share


def _latency(source: str, ordered: Sequence[float]) -> Latency:
    return Latency(source, len(ordered), *(percentile(ordered, each) for each in PERCENTILES))
