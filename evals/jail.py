"""Runs one program that nobody has read, with nothing in reach: `python -I -S jail.py`, a job on stdin, a report out.

The keeper gives up the network and all writing, and starts a child as the first process of a world of its own, without
rights, new processes, an environment or an output. It ends the child in time and reports what it wrote to the one
pipe it was left: the job's nonce, after its last part has run. It imports nothing of ours: no other file is read.
"""

import ctypes
import json
import os
import resource
import select
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)

NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PROCESSES, NEW_NETWORK = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
WORLD = NEW_MOUNTS | NEW_IPC | NEW_PROCESSES | NEW_NETWORK
NOBODY = 65534

SYS_MOUNT_SETATTR, SYS_LANDLOCK_CREATE, SYS_LANDLOCK_RESTRICT = 442, 444, 446
RECURSIVE, READ_ONLY, PRIVATE = 0x8000, 0x1, 1 << 18
LANDLOCK_VERSION = 1
EVERY_FILE_RIGHT, READ_FILE, READ_DIR = (1 << 15) - 1, 1 << 2, 1 << 3
"""Those of Landlock 3: the first that also covers truncating."""

TCP_BIND_AND_CONNECT, SOCKETS_AND_SIGNALS = 3, 3
SET_DEATH_SIGNAL, SET_NO_NEW_PRIVILEGES = 1, 38
CAPABILITY_VERSION = 0x20080522
NONCE_BYTES = 200

FILES, SIGNALS, PROCESSES = "no files written", "no signals sent", "no processes started"
NETWORK, ATTRIBUTES = "no network", "read-only mounts"


def main() -> None:
    job = json.load(sys.stdin)
    os.environ.clear()  # Python itself puts LC_CTYPE there
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    layers = _apart()
    coming, channel = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(coming)
        os.setsid()
        for number in (1, 2):
            os.dup2(nothing, number)
        _run(job, channel, layers)
    os.close(channel)
    ended = _end_of(child, job["wall_s"])
    os.set_blocking(coming, False)
    told = os.read(coming, 10 * NONCE_BYTES).decode(errors="replace")
    print(json.dumps({"told": told, "ended": ended}))


def _apart() -> list[str]:
    """A world of its own for the child, if the kernel lets us; what of it is in force."""
    # Without a user namespace first: only root may, and only outside of one a user id can be given up.
    if LIBC.unshare(WORLD) and LIBC.unshare(WORLD | NEW_USER):
        return []
    # struct mount_attr: what to set, what to clear, propagation, user namespace
    attributes = (ctypes.c_uint64 * 4)(READ_ONLY, 0, PRIVATE, 0)
    call = (SYS_MOUNT_SETATTR, -1, b"/", RECURSIVE, attributes, ctypes.sizeof(attributes))
    return [SIGNALS, NETWORK, *([] if LIBC.syscall(*call) else [ATTRIBUTES])]


def _end_of(child: int, wall_s: float) -> str:
    """Waits for the child, no longer than `wall_s`; with it end all that it started."""
    ready, _, _ = select.select([os.pidfd_open(child)], [], [], wall_s)
    if not ready:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not ready:
        return "time"
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"status {os.WEXITSTATUS(status)}"


def _run(job: Mapping[str, Any], channel: int, layers: list[str]) -> None:
    """The child. An error of the program ends it like any program: with a status, and without the nonce."""
    layers += _give_up(job["limits"])
    if job["parts"] and not set(job["needed"]) <= set(layers):
        layers.append("not run")
    else:
        _play(job["parts"])
    os.write(channel, json.dumps([job["nonce"], sorted(set(layers))]).encode())
    os._exit(0)


def _play(parts: Sequence[str]) -> None:
    names: dict[str, Any] = {"__name__": "program"}
    for part in parts:
        exec(compile(part, "program", "exec"), names)


def _give_up(limits: Mapping[str, int]) -> list[str]:
    """Rights, limits, and the possibility to start anything; what of it is in force."""
    if os.getuid() == 0 and not LIBC.setgroups(0, None):
        # The kernel counts no processes of root. Only the real id: the interpreter must still find its own files.
        LIBC.setresuid(NOBODY, 0, 0)
    LIBC.prctl(SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    LIBC.prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    layers = _landlock()
    LIBC.capset((ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)())
    for name, limit in limits.items():
        resource.setrlimit(getattr(resource, name), (limit, limit))
    return [*layers, *([] if _can_fork() else [PROCESSES])]


def _landlock() -> list[str]:
    version = LIBC.syscall(SYS_LANDLOCK_CREATE, None, 0, LANDLOCK_VERSION)
    if version < 3:
        return []
    writing = EVERY_FILE_RIGHT & ~(READ_FILE | READ_DIR)
    network, scope = TCP_BIND_AND_CONNECT if version >= 4 else 0, SOCKETS_AND_SIGNALS if version >= 6 else 0
    # struct landlock_ruleset_attr: rights over files, network, scope; no rule that allows any of them follows
    rights = (ctypes.c_uint64 * 3)(writing, network, scope)
    rules = LIBC.syscall(SYS_LANDLOCK_CREATE, rights, ctypes.sizeof(rights), 0)
    if rules < 0 or LIBC.syscall(SYS_LANDLOCK_RESTRICT, rules, 0):
        return []
    return [FILES, *([SIGNALS] if scope else [])]


def _can_fork() -> bool:
    try:
        child = os.fork()
    except OSError:
        return False
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return True


if __name__ == "__main__":
    main()
