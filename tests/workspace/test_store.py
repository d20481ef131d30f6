"""The index on disk: what goes in comes out, nobody else reads it, damage heals itself, nothing grows for ever."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill_workspace import compact, store
from midfill_workspace.symbol import Definition, Import, Outline
from support.index import DAY, Indexed, indexed

IMPORTS = st.builds(Import, st.text(), st.text(), st.text(), st.integers(0, 10**6), st.booleans())
DEFINITIONS = st.builds(
    Definition,
    name=st.text(),
    kind=st.sampled_from(compact.KINDS),
    line=st.integers(0, 10**6),
    header=st.text(),
    doc=st.text(),
    owner=st.text(),
    bases=st.lists(st.text(), max_size=3).map(tuple),
    type=st.text(),
    exported=st.booleans(),
)
OUTLINES = st.builds(
    Outline,
    path=st.text(),
    language=st.text(),
    imports=st.lists(IMPORTS, max_size=4).map(tuple),
    definitions=st.lists(DEFINITIONS, max_size=4).map(tuple),
    package=st.text(),
)


@given(OUTLINES)
def test_an_outline_comes_back_as_it_was(outline: Outline) -> None:
    assert compact.decode(compact.encode(outline), outline.path, outline.language) == outline


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("python", "x = 1"), ("python", "x = 1"), True),
        (("python", "x = 1"), ("python", "x = 2"), False),
        (("c", "int x;"), ("cpp", "int x;"), False),
        (("python", "\ud800"), ("python", "?"), False),
    ],
)
def test_a_key_is_of_language_and_content(one: tuple[str, str], other: tuple[str, str], same: bool) -> None:
    assert (compact.key(*one) == compact.key(*other)) is same


def test_folder_and_file_are_private(tmp_path: Path) -> None:
    it = indexed(tmp_path)
    with closing(it.open()):
        for file in it.file.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(it.file.parent.stat().st_mode) == 0o700


# --- damage -------------------------------------------------------------------------------------------


def garbage(file: Path) -> None:
    file.write_bytes(b"this is no database" * 1000)


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def overwritten(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    file.write_bytes(content)


def other_schema(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")


def other_tables(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE outlines(something)")


def emptied(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [garbage, truncated, overwritten, other_schema, other_tables])
def test_a_damaged_index_is_rebuilt_with_a_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    it = indexed(tmp_path)
    first = it.sweep()
    damage(it.file)
    assert it.sweep() == first
    assert [record.message for record in caplog.records] == ["index.rebuilt"]
    assert it.project().outline("app/model.py")


def test_an_empty_file_is_a_new_index(tmp_path: Path) -> None:
    it = indexed(tmp_path)
    first = it.sweep()
    emptied(it.file)
    assert it.sweep() == first


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (sqlite3.SQLITE_NOTADB, "corrupt"),
        (sqlite3.SQLITE_CORRUPT, "corrupt"),
        (sqlite3.SQLITE_ERROR, "corrupt"),
        (sqlite3.SQLITE_BUSY, "busy"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "busy"),
        (sqlite3.SQLITE_READONLY, "unwritable"),
        (sqlite3.SQLITE_FULL, "unwritable"),
        (sqlite3.SQLITE_IOERR_WRITE, "unwritable"),
    ],
)
def test_what_an_error_means(code: int, reason: str) -> None:
    error = sqlite3.DatabaseError()
    error.sqlite_errorcode = code
    assert store.reason(error) == reason


@pytest.mark.parametrize("blocked", ["cache", "cache/index"])
def test_a_place_that_cannot_be_written(tmp_path: Path, blocked: str) -> None:
    (tmp_path / blocked).parent.mkdir(exist_ok=True)
    (tmp_path / blocked).write_text("a file in the way")
    with pytest.raises(OSError) as caught:  # noqa: PT011 - which one depends on the system
        indexed(tmp_path).open()
    assert store.reason(caught.value) == "unwritable"


def test_a_full_disk_is_no_damage(tmp_path: Path) -> None:
    it = indexed(tmp_path)
    it.sweep()
    with closing(it.open()) as full:
        full._connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.Error) as caught:
            full.add({bytes([number]): store.Entry(b"x" * 4096, frozenset()) for number in range(100)})
    assert store.reason(caught.value) == "unwritable"
    assert it.sweep() == []


# --- age and size -------------------------------------------------------------------------------------


def days_later(it: Indexed, days: int, limit_bytes: int = store.LIMIT_BYTES) -> None:
    """Another workspace is used then."""
    with closing(it.open(DAY + days)) as later:
        later.workspace("/other")
        later.tidy(limit_bytes)


def outlines(it: Indexed) -> int:
    return count(it, "outlines")


def count(it: Indexed, table: str) -> int:
    with closing(sqlite3.connect(it.file)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.mark.parametrize(("days", "left"), [(1, 4), (store.KEPT_DAYS, 4), (store.KEPT_DAYS + 1, 0)])
def test_what_nobody_uses_is_dropped_after_a_month(tmp_path: Path, days: int, left: int) -> None:
    it = indexed(tmp_path)
    it.sweep()
    days_later(it, days)
    assert outlines(it) == left
    assert (count(it, "files") > 0, count(it, "names") > 0) == (left > 0, left > 0)


def test_the_outline_of_a_text_that_is_no_more_stays_for_a_month(tmp_path: Path) -> None:
    it = indexed(tmp_path)
    it.sweep()
    (it.root / "app/model.py").unlink()
    it.sweep()
    days_later(it, store.KEPT_DAYS)
    assert outlines(it) == 4
    days_later(it, store.KEPT_DAYS + 1)
    assert outlines(it) == 3


def test_more_than_fits_goes_oldest_first(tmp_path: Path) -> None:
    it = indexed(tmp_path)
    it.sweep()
    days_later(it, 1, limit_bytes=1)
    assert (count(it, "workspaces"), count(it, "files"), outlines(it)) == (0, 0, 0)
    assert it.sweep()
