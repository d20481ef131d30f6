"""Whether this machine runs on its battery and how busy it is, without ever keeping a key press waiting."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LIFETIME_S = 10.0
POWER_SUPPLIES = Path("/sys/class/power_supply")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found; the defaults stand for what cannot be found out."""

    on_battery: bool = False
    load_per_core: float = 0.0


class Machine:
    """The newest reading; looked at again when somebody asks for one that is old, so an idle window never wakes up.

    The look is taken in a thread: some firmware takes tens of milliseconds to say how its battery is.
    No lock: one event loop owns this.
    """

    def __init__(self, read: Callable[[], Reading] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read or read_machine
        self._clock = clock
        self._newest = Reading()
        self._looked_s = -LIFETIME_S
        self._look: asyncio.Task[None] | None = None
        self._closed = False

    def reading(self) -> Reading:
        """What is known now: at first nothing, which is taken for a machine at rest on mains."""
        now_s = self._clock()
        is_looking = self._look is not None and not self._look.done()
        if now_s - self._looked_s >= LIFETIME_S and not is_looking and not self._closed:
            self._looked_s = now_s
            self._look = asyncio.create_task(self._look_again())
        return self._newest

    def close(self) -> None:
        """A look that begins later would outlive the loop."""
        self._closed = True
        if self._look is not None:
            self._look.cancel()

    async def _look_again(self) -> None:
        self._newest = await asyncio.to_thread(self._read)


def read_machine() -> Reading:
    """The battery and the load of this moment; may block for a moment, so call it in a thread."""
    on_battery, load = False, 0.0
    with suppress(OSError):
        on_battery = _on_battery()
    with suppress(OSError):
        load = _load()
    return Reading(on_battery, load / (os.cpu_count() or 1))


def is_discharging(supplies: Path) -> bool:
    """Whether a battery of the machine itself empties and no cable feeds it; False where nothing is said about it.

    The battery of a wireless mouse is listed beside the machine's own, with the scope of a device.
    """
    discharging = False
    for supply in supplies.iterdir() if supplies.is_dir() else ():
        if _word(supply / "type") == "Battery":
            discharging |= _word(supply / "scope") != "Device" and _word(supply / "status") == "Discharging"
        elif _word(supply / "online") not in ("", "0"):
            return False
    return discharging


def _word(file: Path) -> str:
    with suppress(OSError, ValueError):
        return file.read_text(encoding="ascii").strip()
    return ""


def _on_battery() -> bool:
    if sys.platform == "linux":
        # Not by psutil, which takes 50 ms of CPU to import and a wireless mouse for the machine's battery.
        discharging = is_discharging(POWER_SUPPLIES)
    else:
        import psutil

        find = getattr(psutil, "sensors_battery", None)  # Some systems have batteries, but psutil no function for them.
        battery = find() if find is not None else None
        discharging = battery is not None and battery.power_plugged is False
    return discharging


def _load() -> float:
    """How many processes have wanted a core over the last minute."""
    if sys.platform != "win32":
        load = os.getloadavg()[0]
    else:
        import psutil

        load = psutil.getloadavg()[0]
    return load
