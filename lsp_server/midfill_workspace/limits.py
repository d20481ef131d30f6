"""How much of the machine the worker takes: what nobody else wants, and only so much for one file."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

FILE_CPU_S = 2
"""Of CPU, so that a busy machine makes no file look slow."""

DEATH_CPU_S = 10
"""A parser that has not come back after this ends with the process."""

MEMORY_BYTES = 2 * 1024**3


class TooSlow(Exception):
    """A file has had its time."""


def step_back() -> None:
    """Run when nobody else wants to, as far as the system knows such a thing."""
    if os.name != "posix":
        return  # There the priority is given by whoever starts the process.
    with suppress(OSError):
        os.nice(10)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def bound_memory() -> None:
    """A parser that asks for more fails, instead of taking it from the editor."""
    if os.name == "posix":
        import resource

        with suppress(OSError, ValueError):
            _, most = resource.getrlimit(resource.RLIMIT_DATA)
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, most))


@contextmanager
def time_limit() -> Iterator[None]:
    """Raises TooSlow in Python code, and ends the process in native code that does not come back."""
    if os.name != "posix":
        yield
        return
    signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, FILE_CPU_S)
    try:
        with _death_after(DEATH_CPU_S):
            yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


@contextmanager
def _death_after(seconds: int) -> Iterator[None]:
    """The kernel counts from the start of the process, and in whole seconds."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    before, most = resource.getrlimit(resource.RLIMIT_CPU)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, most))
    try:
        yield
    finally:
        # What comes between two files may take what it takes.
        resource.setrlimit(resource.RLIMIT_CPU, (before, most))


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise TooSlow
