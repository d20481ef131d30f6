"""Programs that mean harm, or are broken, in the jail: each ends in time, shows nothing, and touches nothing."""

import os
from pathlib import Path

import pytest

from evals import sandbox
from evals.sandbox import Ending, Limits

pytestmark = pytest.mark.skipif(
    bool(sandbox.missing(sandbox.isolation())), reason=f"not held here: {sandbox.missing(sandbox.isolation())}"
)

SHORT = Limits(wall_s=10, cpu_s=1, memory_bytes=256 * sandbox.MB)
BRIEF = Limits(wall_s=0.5, cpu_s=5)

PROGRAMS: dict[str, tuple[Ending, str]] = {
    "a program that is right": ("passed", "assert sorted([2, 1]) == [1, 2]"),
    "the standard library": ("passed", "import collections, hashlib, itertools, math, re, typing"),
    "a failed assertion": ("failed", "assert 1 == 2"),
    "a syntax error": ("failed", "x = ("),
    "leaving with status 0": ("left", "import sys; sys.exit(0)"),
    "leaving at once": ("left", "import os; os._exit(0)"),
    "leaving with status 1": ("failed", "exit = __import__('os')._exit; exit(1)"),
    "closing every file": ("left", "import os; os.closerange(0, 64)"),
    "saying that it passed": ("left", "print('passed'); raise SystemExit"),
    "writing a nonce of its own": ("failed", "import os\nfor n in range(3, 9):\n try: os.write(n, b'[1, []]')\n except OSError: 0\nos._exit(0)"),
    "an endless loop": ("killed", "while True: pass"),
    "memory without end": ("failed", "kept = [bytearray(1 << 20) for _ in range(100_000)]"),
    "one huge object": ("failed", "kept = 'x' * (1 << 32)"),
    "recursion without end": ("failed", "def f(): return f()\nf()"),
    "a crash": ("killed", "import ctypes; ctypes.string_at(0)"),
    "output without end is dropped": ("passed", "import sys\nfor _ in range(1000): sys.stdout.write('x' * 100_000)"),
    "reading its input": ("passed", "import sys; assert sys.stdin.read() == ''"),
    "reading the environment": ("passed", "import os; assert not os.environ, 'something is there'"),
    "a fork bomb": ("failed", "import os\nwhile True: os.fork()"),
    "a thread": ("failed", "import threading; threading.Thread(target=print).start()"),
    "another program": ("failed", "import os; os.execv('/bin/true', ['true'])"),
    "a shell": ("failed", "import subprocess; subprocess.run('true', shell=True)"),
    "a signal to everybody": ("failed", "import os; os.kill(-1, 9)"),
    "a file in its own folder": ("failed", "open('x', 'w')"),
    "a socket in its own folder": ("failed", "import socket; socket.socket(socket.AF_UNIX).bind('x')"),
    "the network": ("failed", "import socket; socket.create_connection(('127.0.0.1', 9), 1)"),
    "too many open files": ("failed", "kept = [open('/dev/null') for _ in range(100)]"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program(name: str) -> None:
    ending, program = PROGRAMS[name]
    assert sandbox.run([program], SHORT).ending == ending


@pytest.mark.parametrize("program", ["import time; time.sleep(60)", "import os, time; os.setsid(); time.sleep(60)"])
def test_waiting_ends_in_time(program: str) -> None:
    assert sandbox.run([program], BRIEF).ending in ("timed out", "failed")


HELD: dict[str, str] = {
    "without capabilities": "assert 'CapEff:\\t0000000000000000' in status and 'CapPrm:\\t0000000000000000' in status",
    "without new privileges": "assert 'NoNewPrivs:\\t1' in status",
    "without an id of root": "assert 'Uid:\\t0' not in status",
}


@pytest.mark.parametrize("how", HELD)
def test_a_program_is(how: str) -> None:
    assert sandbox.run(["status = open('/proc/self/status').read()", HELD[how]], SHORT).ending == "passed"


HARM: dict[str, str] = {
    "overwritten": "open({path!r}, 'w').write('gone')",
    "appended to": "open({path!r}, 'a').write('more')",
    "truncated": "import os; os.truncate({path!r}, 0)",
    "removed": "import os; os.remove({path!r})",
    "renamed": "import os; os.rename({path!r}, {path!r} + '2')",
    "linked": "import os; os.symlink({path!r}, {path!r} + '2')",
    "made unreadable": "import os; os.chmod({path!r}, 0)",
    "joined by a folder": "import os; os.mkdir({path!r} + '2')",
}


@pytest.mark.parametrize("how", HARM)
def test_a_file_outside_is_not(how: str, tmp_path: Path) -> None:
    if how == "made unreadable" and "read-only mounts" not in sandbox.isolation():
        pytest.skip("no mounts of its own")
    kept = tmp_path / "kept"
    kept.write_text("kept")
    before = kept.stat()
    assert sandbox.run([HARM[how].format(path=str(kept))], SHORT).ending == "failed"
    assert (kept.read_text(), kept.stat().st_mode) == ("kept", before.st_mode)
    assert list(tmp_path.iterdir()) == [kept]


def test_nothing_of_the_environment_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDFILL_PLANTED", "planted")
    program = "known = open('/proc/self/environ').read()\nassert 'planted' not in known and 'PATH' not in known"
    assert sandbox.run([program], SHORT).ending == "passed"
    assert os.environ["MIDFILL_PLANTED"] == "planted"


def test_parts_share_their_names_and_cannot_swallow_each_other() -> None:
    assert sandbox.run(["def f(): return 1", "assert f() == 1"], SHORT).ending == "passed"
    assert sandbox.run(["x = 1\n'''", "assert False\n'''"], SHORT).ending == "failed"
    assert sandbox.run(["import sys\nsys.exit(0)", "assert False"], SHORT).ending == "left"


def test_a_verdict_names_what_held_the_program() -> None:
    assert set(sandbox.run(["x = 1"], SHORT).layers) >= set(sandbox.NEEDED)


def test_what_is_missing_is_named() -> None:
    assert sandbox.missing(sandbox.NEEDED) == ""
    assert sandbox.missing(["no network"]) == "no files written, no signals sent, no processes started"
