"""The worker: what it is told and what it tells, two of them on one file, one that is killed, and the limits of a file."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from midfill_workspace import worker as workers
from midfill_workspace.worker import Inbox, Stopped, Worker
from support.index import Indexed, indexed, write

WAIT_S = 30.0
MANY = 450
"""More than two batches."""


@dataclass(slots=True)
class Running:
    """A worker process, as the language server runs it."""

    process: subprocess.Popen[str]

    def tell(self, **message: object) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def until(self, key: str) -> list[Mapping[str, Any]]:
        """All messages up to the first that has this key."""
        assert self.process.stdout
        heard: list[Mapping[str, Any]] = []
        for line in self.process.stdout:
            heard.append(json.loads(line))
            if key in heard[-1]:
                return heard
        raise AssertionError(f"ended without {key}: {heard}")


@contextmanager
def running(it: Indexed, window: str = "") -> Iterator[Running]:
    """Gone at the end of its input."""
    command = (sys.executable, "-P", "-m", "midfill_workspace.worker")
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        worker = Running(process)
        worker.tell(cache=str(it.cache), window=window)
        worker.tell(index=str(it.root))
        yield worker
        assert process.stdin
        process.stdin.close()
        process.wait(WAIT_S)


def files(heard: Sequence[Mapping[str, Any]]) -> dict[str, int | None]:
    return {path: number for message in heard for path, number in message.get("files", ())}


def many(it: Indexed) -> Indexed:
    write(it.root, {f"many/m{number}.py": f"def f{number}() -> None: ...\n" for number in range(MANY)})
    return it


def test_it_tells_what_it_finds_and_what_changes(tmp_path: Path) -> None:
    it = indexed(tmp_path)
    with running(it) as worker:
        heard = worker.until("done")
        assert "opened" in heard[0]
        assert files(heard).keys() == {"app/main.py", "app/model.py", "app/__init__.py", "go.mod", "shop/cart.go"}
        assert heard[-1] == {"root": str(it.root), "done": 4}
        write(it.root, {"app/model.py": "class Basket: ...\n"})
        (it.root / "app/main.py").unlink()
        worker.tell(root=str(it.root), changed=["app/model.py", "app/main.py"])
        assert files(worker.until("done")).items() >= {"app/main.py": None}.items()
        worker.tell(index=str(it.root), exclude=["shop/"])
        assert files(worker.until("done")) == {"shop/cart.go": None}
        assert it.outline("app/model.py").definitions[0].name == "Basket"
    assert worker.process.returncode == 0


def test_it_leaves_the_machine_to_others(tmp_path: Path) -> None:
    with running(indexed(tmp_path)) as worker:
        worker.until("done")
        assert psutil.Process(worker.process.pid).nice() >= 10
        if hasattr(os, "SCHED_IDLE"):
            assert os.sched_getscheduler(worker.process.pid) == os.SCHED_IDLE


def test_one_that_is_killed_is_followed_by_one_that_goes_on(tmp_path: Path) -> None:
    it = many(indexed(tmp_path))
    with running(it) as worker:
        worker.until("files")
        worker.process.send_signal(signal.SIGKILL)
    with running(it) as worker:
        heard = worker.until("done")
        assert 0 < heard[-1]["done"] < MANY + 4
    assert it.sweep() == []
    assert len(it.project()) == MANY + 5


def test_two_windows_share_one_index(tmp_path: Path) -> None:
    it = many(indexed(tmp_path))
    with running(it, "one") as one, running(it, "other") as other:
        one.until("done")
        other.until("done")
    assert it.sweep() == []
    assert len(it.project()) == MANY + 5


def test_what_another_window_has_found_is_told(tmp_path: Path) -> None:
    it = indexed(tmp_path)
    with running(it, "one") as one:
        one.until("done")
        write(it.root, {"app/new.py": "n = 1\n"})
        with running(it, "other") as other:
            other.until("done")
        one.tell(index=str(it.root))
        heard = one.until("done")
        assert ["opened" in message for message in heard] == [True, False]
        one.tell(index=str(it.root))
        assert len(one.until("done")) == 1


def test_an_index_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    it = indexed(tmp_path)
    it.cache.write_text("a file in the way")
    with running(it) as worker:
        assert worker.until("problem")[-1] == {"problem": "unwritable"}


# --- within this process ------------------------------------------------------------------------------


class Clock:
    """Each look at it takes a second."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


def told(it: Indexed, *orders: Mapping[str, object]) -> list[Mapping[str, Any]]:
    """What a worker says to these, after the order to index."""
    said: list[Mapping[str, Any]] = []
    inbox = Inbox()
    waiting = [*orders, {"stop": True}]

    def say(message: Mapping[str, Any]) -> None:
        said.append(message)
        if "done" in message:
            inbox.put(waiting.pop(0))

    inbox.put({"index": str(it.root)})
    with pytest.raises(Stopped):
        Worker(it.file, "", inbox, say, Clock()).run()
    return said


def test_progress_is_told_of_what_takes_long(tmp_path: Path) -> None:
    progress = [message["progress"] for message in told(many(indexed(tmp_path))) if "progress" in message]
    assert progress == [[400, MANY + 5], [MANY + 5, MANY + 5]]


def test_an_index_that_a_reader_finds_damaged_is_made_again(tmp_path: Path) -> None:
    it = indexed(tmp_path)
    said = told(it, {"damaged": "any"}, {"root": str(it.root), "changed": ["app/main.py"]})
    assert [message["done"] for message in said if "done" in message] == [4, 4, 0]


def test_damage_while_it_runs_is_healed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    it = indexed(tmp_path)
    it.sweep()

    def break_it() -> None:
        import sqlite3

        with closing(sqlite3.connect(it.file)) as connection:
            connection.execute("DROP TABLE files")

    said: list[Mapping[str, Any]] = []
    inbox = Inbox()

    def say(message: Mapping[str, Any]) -> None:
        said.append(message)
        if "opened" in message and len(said) == 1:
            break_it()
        if "done" in message:
            inbox.put({"stop": True})

    inbox.put({"index": str(it.root)})
    with pytest.raises(Stopped):
        Worker(it.file, "", inbox, say).run()
    assert [record.message for record in caplog.records] == ["index.damaged"]
    assert sum("opened" in message for message in said) == 2
    assert len(it.project()) == 5


def test_much_at_once_is_a_look_at_everything(tmp_path: Path) -> None:
    it = indexed(tmp_path)
    it.sweep()
    write(it.root, {"app/unnamed.py": "u = 1\n"})
    changed = [f"app/{number}.py" for number in range(workers.SWEEP_FROM + 1)]
    said = told(it, {"root": str(it.root), "changed": changed})
    assert "app/unnamed.py" in files(said)


# --- limits -------------------------------------------------------------------------------------------

ENDLESS = """
import resource
from midfill_workspace import limits
before = resource.getrlimit(resource.RLIMIT_CPU)
limits.FILE_CPU_S, limits.DEATH_CPU_S = 0.05, 1
try:
    with limits.time_limit():
        {work}
except limits.TooSlow:
    print("too slow")
assert resource.getrlimit(resource.RLIMIT_CPU) == before
"""


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize(
    ("work", "output", "code"),
    [
        ("pass", "", 0),
        ("while True: pass", "too slow\n", 0),
        ("sum(range(10**13))", "", -signal.SIGXCPU),
    ],
)
def test_a_file_has_its_time(work: str, output: str, code: int) -> None:
    found = subprocess.run(
        (sys.executable, "-c", ENDLESS.format(work=work)), capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert (found.stdout, found.returncode) == (output, code)
