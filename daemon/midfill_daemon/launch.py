"""Starting a daemon from a client: cheap to import, because every language server imports it."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from midfill_daemon.errors import ConfigError, DaemonDown, NotAllowed
from midfill_daemon.paths import Paths, check_private

POLL_S = 0.05
PASSED_ON = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "APPDATA", "LOCALAPPDATA")
PASSED_ON_PREFIXES = ("XDG_", "MIDFILL_")
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@dataclass(frozen=True, slots=True)
class Starting:
    """A daemon process on its way up. `report` is read to its end: empty when all is well or another one won."""

    process: subprocess.Popen[bytes]
    report: int


def clean_environment(paths: Paths, environment: Mapping[str, str]) -> dict[str, str]:
    """What an auto-started daemon may see of the editor's environment: the usual folders, proxies, API keys that the
    configuration names, and MIDFILL_*, which whoever starts the editor chooses and a workspace cannot."""
    keys = _key_variables(paths, environment)
    return {
        name: value
        for name, value in environment.items()
        if name in PASSED_ON or name in keys or name.startswith(PASSED_ON_PREFIXES) or name.lower() in PROXIES
    }


def _key_variables(paths: Paths, environment: Mapping[str, str]) -> frozenset[str]:
    # Imported here: a language server that finds a running daemon needs no configuration.
    from midfill_daemon import api_keys, config

    try:
        return api_keys.variables(config.load(paths, environment).tiers)
    except ConfigError:
        return frozenset()  # The daemon meets the same mistake and reports it.


def spawn(paths: Paths, environment: Mapping[str, str]) -> Starting:
    """Start a daemon in a session of its own. Raises DaemonDown when not even that is possible."""
    paths.ensure()
    read_end, write_end = os.pipe()
    command = [sys.executable, "-P", "-m", "midfill_daemon", "--report", str(write_end)]
    try:
        with paths.log_file.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                env=clean_environment(paths, environment),
                cwd=paths.data,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(write_end,),
            )
    except OSError as exc:
        os.close(read_end)
        raise DaemonDown(f"the daemon cannot be started: {exc.strerror}") from exc
    finally:
        os.close(write_end)
    # Nobody waits for the daemon; without this thread it would stay a zombie while the editor lives.
    threading.Thread(target=process.wait, daemon=True, name="midfill-reap").start()
    return Starting(process, read_end)


def read_report(starting: Starting) -> str:
    """Block until the daemon listens (empty) or failed (its reason). Closes the pipe."""
    with os.fdopen(starting.report, "rb") as pipe:
        return pipe.read(10_000).decode(errors="replace").strip()


def is_there(path: Path) -> bool:
    """Whether the socket (or address file) exists. Raises NotAllowed unless it and its folder are this user's alone."""
    try:
        owner = path.lstat().st_uid
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise NotAllowed(f"{path}: cannot be examined ({exc.strerror})") from exc
    check_private(path.parent)
    if owner != os.getuid():
        raise NotAllowed(f"{path} belongs to another user; refusing to connect")
    return True


@dataclass(frozen=True, slots=True)
class Address:
    """Where a TCP daemon listens; `token` is None for one on a Unix socket."""

    pid: int
    url: str
    token: str | None


def read_address(paths: Paths) -> Address | None:
    """What the running daemon wrote about itself; None when there is nothing (valid) to read."""
    try:
        if not is_there(paths.address_file):
            return None
        raw = json.loads(paths.address_file.read_text())
        return Address(int(raw["pid"]), str(raw["address"]), raw["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_alive(pid: int) -> bool:
    """Whether the process exists (and is ours to signal).

    One that has ended and was not reaped does not count: in a container there may be nobody who ever does that.
    """
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False  # There is no such file but on Linux.
    return fields.rpartition(")")[2].split()[0] == "Z"


async def ended(pid: int, limit_s: float) -> bool:
    """Wait for a process that is not our child, which can only be asked for again and again."""
    deadline_s = time.monotonic() + limit_s
    while is_alive(pid):
        if time.monotonic() > deadline_s:
            return False
        await asyncio.sleep(POLL_S)
    return True
