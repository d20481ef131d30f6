"""The records on real SQLite files: batches, crashes, two processes, and disks in every bad state."""

import asyncio
import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, func, insert, select
from sqlalchemy.dialects import registry
from sqlalchemy.schema import CreateTable

from midfill_daemon.config import Records
from midfill_daemon.errors import Internal, NotFound
from midfill_daemon.records import feedback, requests, schema
from midfill_daemon.records.writer import Pace, Writer

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="file modes and limits are POSIX")

DAY_S = 86_400
KEEP = Records()
IMPATIENT = Pace(busy_timeout_ms=1)


@dataclass(slots=True)
class Clock:
    now: float = 1_800_000_000.0
    asked: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> float:
        self.asked.set()
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite3"


@contextmanager
def writing(
    database: Path, keep: Records = KEEP, pace: Pace = IMPATIENT, clock: Clock | None = None
) -> Generator[Writer, None, None]:
    writer = Writer(database, keep, clock or Clock(), pace)
    writer.start()
    try:
        yield writer
    finally:
        writer.close()


def query(database: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(statement).fetchall()


def count(database: Path) -> int:
    return int(query(database, "SELECT count(*) FROM requests")[0][0])


# --- batches --------------------------------------------------------------------------------------


async def test_rows_are_written_in_batches(database: Path) -> None:
    writer = Writer(database, KEEP, Clock(), IMPATIENT)
    for number in range(250):
        writer.append("requests", {"task": "completion", "output_tokens": number})
    writer.start()
    await writer.flush()
    assert (writer.counts().written, writer.counts().batches) == (250, 3)
    writer.close()
    assert [each.output_tokens for each in requests.last(database, 250)] == list(range(249, -1, -1))


async def test_a_batch_is_due_without_anybody_asking(database: Path) -> None:
    clock = Clock()
    with writing(database, clock=clock) as writer:
        await writer.flush()
        clock.asked.clear()
        writer.append("requests", {})
        # The batch asks for the time; the close at the end of this block comes only after that.
        assert await asyncio.to_thread(clock.asked.wait, 60)
    assert count(database) == 1


def test_closing_writes_the_rest_and_later_rows_are_counted(database: Path) -> None:
    with writing(database) as writer:
        for _ in range(150):
            writer.append("requests", {})
    writer.append("requests", {})
    assert (writer.counts().written, writer.counts().dropped) == (150, 1)
    assert count(database) == 150


async def test_a_flush_of_a_writer_that_ended_returns(database: Path) -> None:
    with writing(database) as writer:
        pass
    await writer.flush()


@pytest.mark.parametrize(
    ("pace", "row", "dropped"),
    [(Pace(queue_rows=10), {}, 15), (Pace(queue_chars=100), {"prompt": "0123456789"}, 15), (Pace(), {}, 0)],
)
def test_the_queue_is_bounded(pace: Pace, row: Mapping[str, Any], dropped: int, database: Path) -> None:
    writer = Writer(database, KEEP, Clock(), pace)
    for _ in range(25):
        writer.append("requests", row)
    assert (writer.counts().dropped, writer.counts().queued) == (dropped, 25 - dropped)


@posix_only
async def test_the_database_is_ours_alone(database: Path) -> None:
    database.touch(0o644)
    with writing(database) as writer:
        writer.append("requests", {})
        await writer.flush()
        modes = {file.name: file.stat().st_mode & 0o777 for file in database.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert query(database, "PRAGMA journal_mode") == [("wal",)]


async def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    database = tmp_path / "a%20b?c#d é" / "records.sqlite3"
    database.parent.mkdir()
    with writing(database) as writer:
        writer.append("requests", {})
        await writer.flush()
    assert len(requests.last(database, 5)) == 1


# --- rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "row", "column", "value"),
    [
        ("requests", {}, "at", Clock().now),
        ("requests", {"at": 5}, "at", 5.0),
        ("requests", {}, "prompt", None),
        ("requests", {}, "prompt_tokens", -1),
        ("requests", {"editor": "x" * 500}, "editor", "x" * 200),
        ("requests", {"prompt": "a\ud800\x00b"}, "prompt", "a?\ufffdb"),
        ("requests", {"prompt": "é", "response": "abc"}, "text_bytes", 5),
        ("requests", {"total_ms": 7}, "total_ms", 7.0),
        ("feedback", {"kind": "shown"}, "kind", "shown"),
        ("feedback", {}, "data", {}),
        ("feedback", {"data": {"ms": [1, "\ud800"]}}, "data", {"ms": [1, "\ud800"]}),
    ],
)
async def test_a_row_as_it_is_stored(
    table: str, row: Mapping[str, Any], column: str, value: object, database: Path
) -> None:
    with writing(database) as writer:
        writer.append(table, row)
        await writer.flush()
    found: list[Any] = [*requests.last(database, 1), *feedback.last(database, 1)]
    assert [getattr(each, column) for each in found] == [value]


@pytest.mark.parametrize(
    ("table", "row", "column"),
    [
        ("request", {}, ""),
        ("requests", {"promt": "x"}, "promt"),
        ("requests", {"task": 5}, "task"),
        ("requests", {"at": "now"}, "at"),
        ("requests", {"at": None}, "at"),
        ("requests", {"cost": float("nan")}, "cost"),
        ("requests", {"prompt_tokens": 2**31}, "prompt_tokens"),
        ("requests", {"prompt_tokens": 1.5}, "prompt_tokens"),
        ("feedback", {"data": {"x": "x" * 5000}}, "data"),
        ("feedback", {"data": {"x": float("nan")}}, "data"),
        ("feedback", {"data": {"x": object()}}, "data"),
    ],
)
async def test_a_row_that_does_not_fit_is_named_and_spares_the_others(
    table: str, row: Mapping[str, Any], column: str, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with writing(database) as writer:
        writer.append(table, row)
        writer.append("requests", {})
        await writer.flush()
        assert (writer.counts().written, writer.counts().dropped) == (1, 1)
    assert [vars(each)["column"] for each in caplog.records if each.msg == "records.bad_row"] == [column]


def test_rows_read_and_rows_written_have_the_same_columns() -> None:
    for table, kind in ((schema.REQUESTS, requests.Request), (schema.FEEDBACK, feedback.Feedback)):
        assert {column.name for column in table.columns} == {each.name for each in fields(kind)}


async def test_the_summary_adds_up_per_task_and_model(database: Path) -> None:
    rows = [
        {"outcome": "ok", "prompt_tokens": 10, "first_token_ms": 10.0, "cost": 0.5},
        {"outcome": "error", "prompt_tokens": -1, "cost": 0.25},
        {"outcome": "ok", "prompt_tokens": 5, "first_token_ms": 30.0},
    ]
    with writing(database) as writer:
        for row in rows:
            writer.append("requests", {"task": "completion", "model": "m", **row})
        writer.append("requests", {"task": "summarize", "at": 5})
        await writer.flush()
    assert requests.summary(database, since=6) == [
        requests.Summary("completion", "", "", "m", 3, 2, 15, 0, 0, 20.0, None, 0.75)
    ]
    assert [each.task for each in requests.summary(database)] == ["completion", "summarize"]


def test_reading_what_was_never_written(database: Path) -> None:
    assert (requests.last(database, 5), requests.summary(database), feedback.last(database, 5)) == ([], [], [])


def test_reading_what_is_no_database(database: Path) -> None:
    database.write_text("not a database at all, but long enough to be looked at" * 100)
    with pytest.raises(Internal, match=r"cannot be read \(corrupt\)"):
        requests.last(database, 5)


def test_importing_the_records_is_cheap() -> None:
    code = (
        "import sys; from midfill_daemon.records import feedback, requests, writer;"
        "sys.exit(', '.join(sorted({'sqlalchemy', 'sqlite3'} & set(sys.modules))))"
    )
    run = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, check=False)
    assert run.stderr.strip() == ""


# --- processes ------------------------------------------------------------------------------------

CHILD = """
import sys, threading
from pathlib import Path
from midfill_daemon.config import Records
from midfill_daemon.records.writer import Writer
writer = Writer(Path(sys.argv[1]), Records())
for number in range(int(sys.argv[2])):
    writer.append("requests", {"task": sys.argv[3], "prompt": "x" * 2000})
writer.start()
"""

KILLED = """
while writer.counts().written < 300:
    threading.Event().wait(0.001)
print("under way", flush=True)
writer.close(600)
"""


def child(code: str, database: Path, rows: int, task: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(database), str(rows), task]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_killed_writer_leaves_whole_batches(database: Path) -> None:
    with child(CHILD + KILLED, database, 10_000) as process:
        assert process.stdout
        assert process.stdout.readline() == "under way\n"
        process.kill()
    assert count(database) >= 300
    assert count(database) % 100 == 0
    assert query(database, "PRAGMA integrity_check") == [("ok",)]


def test_two_processes_start_and_append_at_once(database: Path) -> None:
    code = CHILD + "writer.close(600)"
    with child(code, database, 1000, "a") as one, child(code, database, 1000, "b") as other:
        pass
    assert (one.returncode, other.returncode) == (0, 0)
    assert query(database, "SELECT task, count(*) FROM requests GROUP BY task") == [("a", 1000), ("b", 1000)]


FULL = """
import asyncio, resource
from pathlib import Path
async def main():
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    await writer.flush()
    before = writer.counts()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await writer.flush()
    after = writer.counts()
    print(before.failing, before.written < 500, after.failing or "-", after.written, after.dropped)
    writer.close()
asyncio.run(main())
"""


@posix_only
def test_a_full_disk_delays_the_rows(database: Path) -> None:
    # A limit on the size of files stands for the full disk: it needs no root and no small file system.
    code = CHILD.replace("writer.start()", "") + FULL.replace("    await", "    writer.start()\n    await", 1)
    with child(code, database, 500) as process:
        output = process.communicate()[0]
    assert output.split() == ["io", "True", "-", "500", "0"]
    assert count(database) == 500


# --- bad states -----------------------------------------------------------------------------------


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(each.msg, vars(each).get("reason", "")) for each in caplog.records if each.msg.startswith("records.")]


async def test_a_locked_database_delays_the_rows(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with writing(database) as writer:
        await writer.flush()
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            writer.append("requests", {})
            await writer.flush()
            await writer.flush()
            assert writer.counts().failing == "locked"
        await writer.flush()
        assert (writer.counts().failing, writer.counts().written) == ("", 1)
    assert events(caplog) == [("records.failed", "locked"), ("records.recovered", "")]


NOT_A_DATABASE = b"this is no database, " * 1000


async def fill(database: Path) -> None:
    with writing(database) as writer:
        for _ in range(2000):
            writer.append("requests", {"prompt": "x" * 500})
        await writer.flush()


def overwrite(database: Path) -> None:
    database.write_bytes(NOT_A_DATABASE)


def cut_short(database: Path) -> None:
    os.truncate(database, database.stat().st_size // 2)


def damage(database: Path) -> None:
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (database.stat().st_size - 4096))


@pytest.mark.parametrize("harm", [overwrite, cut_short, damage])
async def test_a_corrupt_file_is_set_aside(harm: Any, database: Path, caplog: pytest.LogCaptureFixture) -> None:
    await fill(database)
    harm(database)
    with writing(database) as writer:
        for _ in range(150):
            writer.append("requests", {"task": "after"})
        await writer.flush()
        assert (writer.counts().written, writer.counts().failing) == (150, "")
    assert count(database) == 150
    assert (database.parent / "records.sqlite3.corrupt-1").exists()
    assert events(caplog) == [("records.corrupt", "")]


async def test_a_disk_that_corrupts_everything_is_not_filled(database: Path) -> None:
    for number in range(1, 10):
        database.with_name(f"records.sqlite3.corrupt-{number}").touch()
    database.write_bytes(NOT_A_DATABASE)
    with writing(database) as writer:
        writer.append("requests", {})
        await writer.flush()
        assert writer.counts().failing == "corrupt"
    assert database.read_bytes() == NOT_A_DATABASE


async def test_a_file_deleted_under_the_writer_is_made_again(database: Path) -> None:
    with writing(database) as writer:
        writer.append("requests", {"task": "before"})
        await writer.flush()
        for file in list(database.parent.iterdir()):
            file.unlink()
        writer.append("requests", {"task": "after"})
        await writer.flush()
    assert [each.task for each in requests.last(database, 5)] == ["after"]


def unwritable_folder(tmp_path: Path) -> Path:
    """Modes do not bind root; but nobody can make a file in /proc."""
    if os.getuid() == 0:
        return Path("/proc/self/fdinfo")
    tmp_path.chmod(0o500)
    return tmp_path


@posix_only
async def test_a_folder_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with writing(unwritable_folder(tmp_path) / "records.sqlite3") as writer:
        writer.append("requests", {})
        await writer.flush()
        await writer.flush()
        assert writer.counts().failing == "unwritable"
    assert writer.counts().dropped == 1
    assert events(caplog) == [("records.failed", "unwritable"), ("records.dropped", "")]


# --- versions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
def test_the_tables_are_generic(name: str) -> None:
    dialect = registry.load(name)()
    for table in schema.METADATA.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))


@pytest.mark.parametrize("version", ["999", "two", ""])
async def test_a_newer_schema_disables_the_records(
    version: str, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'version'", (version,))
    with writing(database) as writer:
        await writer.flush()
        writer.append("requests", {})
        assert (writer.counts().failing, writer.counts().dropped) == ("newer", 1)
    assert count(database) == 2000
    assert events(caplog) == [("records.disabled", "newer")]


def add_note(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE requests ADD COLUMN note VARCHAR(10)")


def test_a_step_leads_to_the_next_version_once(database: Path) -> None:
    engine = create_engine(f"sqlite:///{database}")
    for steps in ((), (add_note,), (add_note,)):
        with engine.begin() as connection:
            schema.migrate(connection, steps)
    engine.dispose()
    assert query(database, "SELECT value FROM meta") == [("2",)]
    assert "note" in [row[1] for row in query(database, "PRAGMA table_info(requests)")]


# --- retention ------------------------------------------------------------------------------------


async def test_text_is_forgotten_after_its_days_and_rows_after_a_year(database: Path) -> None:
    clock = Clock()
    with writing(database, Records(keep_days=30), clock=clock) as writer:
        for age_days in (366, 31, 29):
            writer.append("requests", {"at": clock.now - age_days * DAY_S, "prompt": "p", "response": "r"})
            writer.append("feedback", {"at": clock.now - age_days * DAY_S})
        await writer.flush()
        assert len(requests.last(database, 9)) == 3
        clock.now += 3600
        await writer.flush()
    assert [(each.prompt, each.response) for each in requests.last(database, 9)] == [("p", "r"), (None, None)]
    assert len(feedback.last(database, 9)) == 2


async def test_the_oldest_text_beyond_the_limit_is_forgotten(database: Path) -> None:
    with writing(database) as writer:
        for _ in range(5):
            writer.append("requests", {"prompt": "x" * 400_000})
    with writing(database, Records(keep_mb=1)) as writer:
        await writer.flush()
    assert [bool(each.prompt) for each in requests.last(database, 9)] == [True, True, False, False, False]
    assert database.stat().st_size < 1_000_000


async def test_forgotten_text_is_gone_from_the_file(database: Path) -> None:
    with writing(database) as writer:
        writer.append("requests", {"prompt": "a-very-private-prompt" * 10})
    with writing(database, Records(keep_mb=0)) as writer:
        await writer.flush()
    assert b"a-very-private-prompt" not in database.read_bytes()
    assert len(requests.last(database, 9)) == 1


# --- transactions ---------------------------------------------------------------------------------


async def test_a_transaction_gives_what_its_work_gives(database: Path) -> None:
    with writing(database) as writer:
        with pytest.raises(NotFound, match="no such row"):
            await writer.transact(_fail)
        assert await writer.transact(_count_rows) == 0, "what failed is undone"


async def test_after_the_end_a_transaction_is_refused(database: Path) -> None:
    with writing(database) as writer:
        pass
    with pytest.raises(Internal, match="closed"):
        await writer.transact(_count_rows)


def _fail(connection: Connection) -> None:
    connection.execute(insert(schema.CALLERS), {"user": "somebody", "at": 1.0})
    raise NotFound("no such row")


def _count_rows(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(schema.CALLERS)).scalar_one())
