"""Where Midfill keeps its files: config, data, cache and the private runtime folder with the socket."""

import hashlib
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from midfill_daemon.errors import ConfigError, NotAllowed

APP = "midfill"

SOCKET_PATH_BYTES = 100
"""Longer paths fail at bind: the kernel's limit is 108 on Linux and 104 on macOS."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The four folders; every file in use is a property."""

    config: Path
    data: Path
    cache: Path
    runtime: Path

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"

    @property
    def database(self) -> Path:
        return self.data / "records.sqlite3"

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def log_file(self) -> Path:
        return self.cache / "logs" / "daemon.log"

    @property
    def lock_file(self) -> Path:
        return self.runtime / "daemon.lock"

    @property
    def address_file(self) -> Path:
        """Who listens and where (pid, version, address, token): written with mode 0600."""
        return self.runtime / "daemon.json"

    @property
    def socket(self) -> Path:
        """Beside the lock file, or in a short folder named by a hash where that path is too long to bind."""
        plain = self.runtime / "daemon.sock"
        if len(os.fsencode(plain)) <= SOCKET_PATH_BYTES:
            return plain
        digest = hashlib.sha256(os.fsencode(self.runtime)).hexdigest()[:12]
        return private_base(_login_folders()) / f"{APP}-{digest}" / plain.name

    def ensure(self) -> None:
        """Creates the folders with mode 0700. Raises NotAllowed when the runtime folder is not ours alone."""
        for folder in (
            self.config,
            self.data,
            self.cache,
            self.log_file.parent,
            self.runtime,
        ):
            make_private(folder)
        check_private(self.runtime)
        socket_folder = self.socket.parent
        if socket_folder != self.runtime:
            # The base comes first: whoever owns it could replace every folder inside.
            for folder in (socket_folder.parent, socket_folder):
                make_private(folder)
                check_private(folder)


def locate(environment: Mapping[str, str]) -> Paths:
    """The folders below MIDFILL_HOME, else the platform's own (whose XDG_* platformdirs reads itself)."""
    home = environment.get("MIDFILL_HOME", "")
    paths = _below(home) if home else _of_platform(environment)
    if not all(folder.is_absolute() for folder in (paths.config, paths.data, paths.cache, paths.runtime)):
        raise ConfigError("there is no home folder: set HOME, or MIDFILL_HOME, to an absolute path")
    return paths


def private_base(candidates: Sequence[Path]) -> Path:
    """The first candidate that is a folder of ours alone, else a folder of ours in /tmp (perhaps not there yet).

    Always /tmp: TMPDIR does not reach the daemon's clean environment, and both sides must agree on the path.
    """
    ours = (folder for folder in candidates if folder.is_absolute() and not privacy_problem(folder))
    return next(ours, Path("/tmp") / f"{APP}-{_user_id()}")  # noqa: S108 (the owner is checked before use)


def make_private(folder: Path) -> None:
    """Creates the folder, and those missing above it, with mode 0700."""
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(exist_ok=True)
    except OSError as exc:
        raise NotAllowed(
            f"{folder}: cannot be created ({exc.strerror}): free that path, or set MIDFILL_HOME to a folder of yours"
        ) from exc


def check_private(folder: Path) -> None:
    """Raises NotAllowed, saying what to do, unless the folder is real, ours, and closed to everybody else."""
    problem = privacy_problem(folder)
    if problem:
        raise NotAllowed(f"{folder}: {problem}")


def privacy_problem(folder: Path) -> str:
    """Why others could tamper with this folder, and the remedy; "" when they cannot."""
    try:
        found = folder.lstat()
    except OSError as exc:
        return f"cannot be examined ({exc.strerror})"
    if not stat.S_ISDIR(found.st_mode):
        return "is not a folder (a link is not followed here): remove it"
    if sys.platform == "win32":
        return ""
    if found.st_uid != _user_id():
        return (
            f"belongs to user {found.st_uid}, not to you ({_user_id()}): "
            "have it removed, or set MIDFILL_HOME to a folder of yours"
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        return f'is open to other users: run `chmod 700 "{folder}"`'
    return ""


def _below(home: str) -> Paths:
    # Not resolved against the working folder: the client's and the daemon's differ.
    root = Path(home)
    if not root.is_absolute():
        raise ConfigError(f"MIDFILL_HOME: must be an absolute path, not {home!r}")
    return Paths(root / "config", root / "data", root / "cache", root / "run")


def _of_platform(environment: Mapping[str, str]) -> Paths:
    return Paths(
        platformdirs.user_config_path(APP, appauthor=False),
        platformdirs.user_data_path(APP, appauthor=False),
        platformdirs.user_cache_path(APP, appauthor=False),
        _runtime(environment),
    )


def _runtime(environment: Mapping[str, str]) -> Path:
    if sys.platform in ("win32", "darwin"):
        return platformdirs.user_runtime_path(APP, appauthor=False)
    # platformdirs falls back to TMPDIR and, by version, warns or raises; ours gives both sides one path.
    given = Path(environment.get("XDG_RUNTIME_DIR", ""))
    base = private_base((given, *_login_folders()))
    return base if base.name == f"{APP}-{_user_id()}" else base / APP


def _login_folders() -> tuple[Path, ...]:
    return (Path("/run/user") / str(_user_id()),)


def _user_id() -> int:
    return 0 if sys.platform == "win32" else os.getuid()
