"""The sums over what editors reported, whatever they reported; and the removal of all of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from midfill_daemon import records
from midfill_daemon.config import Records
from midfill_daemon.errors import Internal
from midfill_daemon.records import feedback, requests
from midfill_daemon.records.usage import Usage, percentile, ratio, usage
from midfill_daemon.records.writer import Pace, Writer

NOW = 1_800_000_000.0
DAY_S = 86_400

Row = Mapping[str, Any]


def event(kind: str, trace: str = "t", at: float = NOW, **data: object) -> Row:
    origin = {"language": "python", "source": "model", "model": "m", "length": 10}
    return {"kind": kind, "trace": trace, "at": at, "data": {**origin, **data}}


def trace(source: str, total_ms: object, outcome: str = "answered", at: float = NOW) -> Row:
    return event("trace", at=at, source=source, total_ms=total_ms, outcome=outcome)


def recorded(database: Path, rows: Sequence[Row], calls: int = 0) -> None:
    writer = Writer(database, Records(), lambda: NOW, Pace())
    writer.start()
    for row in rows:
        writer.append("feedback", row)
    for number in range(calls):
        writer.append("requests", {"task": f"completion of {number}", "at": NOW})
    writer.close()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite3"


def counted(found: Usage) -> tuple[int, ...]:
    total = found.total
    return (total.shown, total.accepted, total.partly, total.typed, total.dismissed)


async def test_the_sums_add_up(database: Path) -> None:
    recorded(
        database,
        [
            *(event("shown") for _ in range(4)),
            event("accepted", chars=10),
            event("partly", chars=4),
            event("typed", chars=3),
            event("dismissed"),
            event("shown", language="lua", source="cache", length=5),
            event("accepted", language="lua", source="cache", chars=5),
        ],
    )
    found = usage(database)
    assert counted(found) == (5, 2, 1, 1, 1)
    assert (found.total.offered_chars, found.total.accepted_chars, found.total.typed_chars) == (45, 19, 3)
    assert found.total.acceptance == pytest.approx(3 / 5)
    assert found.total.accepted_share == pytest.approx(19 / 45)
    by = {name: [(group.name, group.shown, group.accepted) for group in found.groups[name]] for name in found.groups}
    assert by == {
        "language": [("python", 4, 1), ("lua", 1, 1)],
        "source": [("model", 4, 1), ("cache", 1, 1)],
        "model": [("m", 5, 2)],
    }


async def test_what_was_kept(database: Path) -> None:
    looks = [(30.0, 1.0, 10), (30.0, 0.5, 30), (30.0, None, 10), (600.0, 0.0, 10), (600.0, None, 10)]
    recorded(database, [event("kept", after_s=after_s, share=share, chars=chars) for after_s, share, chars in looks])
    kept = [(each.after_s, each.texts, each.unknown, each.share) for each in usage(database).kept]
    assert kept == [(30.0, 3, 1, pytest.approx(25 / 40)), (600.0, 2, 1, 0.0)]


async def test_how_soon_answers_came(database: Path) -> None:
    times = [trace("model", float(number)) for number in range(1, 101)]
    recorded(database, [*times, trace("cache", 0.5), trace("cache", 9.0, "superseded"), trace("flight", 3, "shown")])
    found = [(each.source, each.answers, each.p50_ms, each.p95_ms, each.p99_ms) for each in usage(database).latencies]
    assert found == [("model", 100, 50.0, 95.0, 99.0), ("cache", 1, 0.5, 0.5, 0.5), ("flight", 1, 3.0, 3.0, 3.0)]


async def test_only_what_is_recent_is_counted(database: Path) -> None:
    recorded(database, [event("shown", at=NOW - 10 * DAY_S), event("shown"), trace("model", 5.0, at=NOW - 10 * DAY_S)])
    assert (usage(database).total.shown, len(usage(database).latencies)) == (2, 1)
    recent = usage(database, NOW - DAY_S)
    assert (recent.total.shown, len(recent.latencies)) == (1, 0)


def test_without_records_there_is_nothing(database: Path) -> None:
    found = usage(database)
    assert counted(found) == (0,) * 5
    assert (found.total.acceptance, found.total.accepted_share, found.kept, found.latencies) == (None, None, (), ())
    assert not database.exists()


ODD: tuple[object, ...] = (None, "many", -1, True, 10**12, [1], {"a": 1}, "1e400", "nan", "\x00", "/etc/passwd")


@pytest.mark.parametrize("odd", ODD, ids=repr)
async def test_odd_numbers_and_names_are_not_counted(odd: object, database: Path) -> None:
    """Whoever reaches the daemon can post what they like."""
    names = ("language", "source", "model", "chars", "length", "share", "after_s", "total_ms", "outcome")
    rows = [event(kind, **{name: odd}) for kind in ("shown", "accepted", "kept", "trace") for name in names]
    recorded(database, [*rows, {"kind": "accepted", "at": NOW, "data": {}}, {"kind": "of the future", "at": NOW}])
    found = usage(database)
    assert counted(found) == (9, 10, 0, 0, 0)
    assert 0 <= found.total.accepted_chars <= 10
    assert all(kept.share is None or 0 <= kept.share <= 1 for kept in found.kept)


@pytest.mark.parametrize(("part", "whole", "expected"), [(1, 2, 0.5), (0, 0, None), (3, 0, None), (0, 1, 0.0)])
def test_ratio(part: float, whole: float, expected: float | None) -> None:
    assert ratio(part, whole) == expected


@pytest.mark.parametrize(("percent", "expected"), [(0, 1.0), (50, 2.0), (75, 3.0), (95, 4.0), (100, 4.0)])
def test_percentile(percent: float, expected: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], percent) == expected


# --- removal --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tables", "before", "removed", "left"),
    [
        (("requests", "feedback"), float("inf"), 5, (0, 0)),
        (("feedback",), float("inf"), 3, (2, 0)),
        (("requests", "feedback"), NOW - DAY_S, 1, (2, 2)),
    ],
)
async def test_rows_are_removed(
    tables: Sequence[str], before: float, removed: int, left: tuple[int, int], database: Path
) -> None:
    recorded(database, [event("shown"), event("shown"), event("shown", at=NOW - 2 * DAY_S)], calls=2)
    assert records.forget(database, tables, before) == removed
    assert (len(requests.last(database, 9)), len(feedback.last(database, 9))) == left


async def test_what_was_removed_is_in_none_of_the_files(database: Path) -> None:
    recorded(database, [event("shown", trace=f"planted-{number}") for number in range(500)])
    records.forget(database, ("feedback",), float("inf"))
    files = list(database.parent.iterdir())
    assert database in files
    assert not any(b"planted-" in file.read_bytes() for file in files)


async def test_a_writer_goes_on_after_a_removal(database: Path) -> None:
    writer = Writer(database, Records(), lambda: NOW, Pace())
    writer.start()
    writer.append("feedback", event("shown"))
    await writer.flush()
    records.forget(database, ("feedback",), float("inf"))
    writer.append("feedback", event("accepted"))
    await writer.flush()
    writer.close()
    assert [row.kind for row in feedback.last(database, 9)] == ["accepted"]
    assert writer.counts().failing == ""


def test_nothing_is_made_to_remove_something_from(database: Path) -> None:
    assert records.forget(database, ("feedback",), float("inf")) == 0
    assert not database.exists()


def test_what_is_no_database_is_said(database: Path) -> None:
    database.write_bytes(b"nonsense" * 1000)
    with pytest.raises(Internal, match="nothing could be removed"):
        records.forget(database, ("feedback",), float("inf"))
