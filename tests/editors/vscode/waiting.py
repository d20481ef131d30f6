"""Waits for what happens outside of a page: files, processes, answers."""

import threading
import time
from collections.abc import Callable

WAIT_S = 90.0
"""Long enough for a machine that is busy with other things; nothing that works comes near it."""

LOOK_EVERY_S = 0.05

_never = threading.Event()


def until(happened: Callable[[], object], what: str, pause: Callable[[float], object] = _never.wait) -> None:
    """Look until it happened; `pause` takes seconds, a page's own lets the page go on meanwhile."""
    deadline_s = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < deadline_s, f"waited in vain until {what}"
        pause(LOOK_EVERY_S)
