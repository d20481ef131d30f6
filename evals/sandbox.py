"""Runs a model's program in a process that can do nothing but compute; `jail` is that process.

A program has passed when the nonce of this run comes back, which is written after its last part: leaving early, a
status of 0 or a printed "passed" prove nothing. What the program prints goes nowhere.
Linux only: where the kernel cannot keep a program from writing files, sending signals and starting processes, none
is run (`missing`).
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

JAIL = Path(__file__).with_name("jail.py")
NEEDED = ("no files written", "no signals sent", "no processes started")
GRACE_S = 5.0
"""What the jail may take besides the program before it is ended itself."""

MB = 1 << 20
Ending = Literal["passed", "failed", "left", "killed", "timed out", "not run"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one program."""

    wall_s: float = 10.0
    cpu_s: int = 5
    memory_bytes: int = 512 * MB
    open_files: int = 32

    def resources(self) -> Mapping[str, int]:
        """As setrlimit has them. A file may have no byte, and the program may start no process and no thread."""
        return {
            "RLIMIT_CPU": self.cpu_s,
            "RLIMIT_AS": self.memory_bytes,
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_FSIZE": 0,
            "RLIMIT_CORE": 0,
            "RLIMIT_NPROC": 0,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a program ended, and what held it."""

    ending: Ending
    layers: tuple[str, ...] = field(default=(), compare=False)


DEFAULT = Limits()


def run(parts: Sequence[str], limits: Limits = DEFAULT) -> Verdict:
    """Runs the parts one after the other in one namespace, so that no part can swallow the next one's text."""
    nonce = secrets.token_hex(16)
    job = {
        "parts": list(parts),
        "nonce": nonce,
        "needed": NEEDED,
        "wall_s": limits.wall_s,
        "limits": limits.resources(),
    }
    try:
        report = json.loads(_jailed(json.dumps(job), limits.wall_s + GRACE_S))
    except (subprocess.TimeoutExpired, ValueError):
        return Verdict("killed")
    return _verdict(nonce, report["told"], report["ended"])


def isolation() -> tuple[str, ...]:
    """What holds a program on this machine; nothing where there is no jail at all."""
    return run([]).layers if sys.platform == "linux" else ()


def missing(layers: Sequence[str]) -> str:
    """What must hold a program before one is run, and does not hold it here; "" when all does."""
    return ", ".join(layer for layer in NEEDED if layer not in layers)


def _verdict(nonce: str, told: str, ended: str) -> Verdict:
    try:
        shown, layers = json.loads(told)
    except ValueError:
        return Verdict(_ending(ended))
    if shown != nonce:
        return Verdict("failed")
    return Verdict("not run" if "not run" in layers else "passed", tuple(layers))


def _ending(ended: str) -> Ending:
    endings: Mapping[str, Ending] = {"time": "timed out", "status 1": "failed"}
    return endings.get(ended, "killed" if ended.startswith("signal") else "left")


def _jailed(job: str, limit_s: float) -> str:
    """The jail's report. Raises TimeoutExpired, after the end of its whole group, when it takes too long."""
    with tempfile.TemporaryDirectory(prefix="midfill-eval-") as folder:
        process = subprocess.Popen(
            # Without site: a virtual environment's packages are no part of the tests, and it starts twice as fast.
            [sys.executable, "-I", "-S", "-B", str(JAIL)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={},
            start_new_session=True,
            text=True,
        )
        try:
            return process.communicate(job, limit_s)[0]
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
