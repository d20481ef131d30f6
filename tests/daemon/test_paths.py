"""Where files live, how long a socket path may be, and which folders are refused."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from midfill_daemon import paths
from midfill_daemon.errors import ConfigError, NotAllowed

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="folder modes are POSIX")


def home(folder: Path) -> paths.Paths:
    return paths.locate({"MIDFILL_HOME": str(folder)})


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("config_file", "config/config.toml"),
        ("database", "data/records.sqlite3"),
        ("models", "data/models"),
        ("log_file", "cache/logs/daemon.log"),
        ("lock_file", "run/daemon.lock"),
        ("address_file", "run/daemon.json"),
        ("socket", "run/daemon.sock"),
    ],
)
def test_everything_lies_below_midfill_home(file: str, place: str) -> None:
    assert getattr(home(Path("/h")), file) == Path("/h") / place


@pytest.mark.parametrize("value", ["relative", "./here", "~/midfill"])
def test_a_home_that_depends_on_where_one_stands_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^MIDFILL_HOME: must be an absolute path"):
        paths.locate({"MIDFILL_HOME": value})


def located_by_a_process(environment: dict[str, str]) -> list[str]:
    code = (
        "import os; from midfill_daemon import paths; found = paths.locate(os.environ);"
        "print(found.config, found.data, found.cache, found.runtime, sep='\\n')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="XDG variables are read on Linux")
def test_the_platform_folders_follow_xdg(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    names = {
        "XDG_CONFIG_HOME": "config",
        "XDG_DATA_HOME": "data",
        "XDG_CACHE_HOME": "cache",
        "XDG_RUNTIME_DIR": "runtime",
    }
    found = located_by_a_process({name: str(tmp_path / folder) for name, folder in names.items()})
    assert found == [str(tmp_path / folder / "midfill") for folder in names.values()]


@posix_only
def test_folders_are_made_for_us_alone_and_making_them_twice_is_fine(
    tmp_path: Path,
) -> None:
    found = home(tmp_path / "deep" / "home")
    found.ensure()
    found.ensure()
    folders = [getattr(found, field.name) for field in fields(found)]
    for folder in [*folders, found.log_file.parent, tmp_path / "deep"]:
        assert folder.stat().st_mode & 0o777 == 0o700


def open_to_all(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o755)


def elsewhere(folder: Path) -> None:
    (folder.parent / "other").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "other")


def a_file(folder: Path) -> None:
    folder.touch()


@posix_only
@pytest.mark.parametrize(
    ("prepare", "advice"),
    [
        (open_to_all, "chmod 700"),
        (elsewhere, "a link is not followed"),
        (a_file, "free that path"),
    ],
)
def test_a_runtime_folder_that_is_not_ours_alone_is_refused(
    prepare: Callable[[Path], None], advice: str, tmp_path: Path
) -> None:
    prepare(tmp_path / "run")
    with pytest.raises(NotAllowed, match=advice):
        home(tmp_path).ensure()


@posix_only
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    assert "belongs to user" in paths.privacy_problem(foreign_folder(tmp_path))


def foreign_folder(tmp_path: Path) -> Path:
    """Only root can give a folder away; to everybody else the root folder is a foreign one."""
    if os.getuid() != 0:
        return Path("/")
    folder = tmp_path / "foreign"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    return folder


@posix_only
@pytest.mark.parametrize("length", [60, 100, 101, 200])
def test_a_long_socket_path_becomes_a_short_one(length: int) -> None:
    folder = Path("/") / "é"
    filler = length - len(os.fsencode(folder / "run" / "daemon.sock"))
    found = home(Path(f"{folder}{'x' * filler}"))
    moved = length > paths.SOCKET_PATH_BYTES
    assert len(os.fsencode(found.socket)) <= paths.SOCKET_PATH_BYTES
    assert (found.socket.parent != found.runtime) == moved
    assert found.lock_file.parent == found.runtime


@posix_only
def test_two_long_homes_get_two_sockets() -> None:
    sockets = {home(Path("/") / ("x" * 120) / name).socket for name in ("one", "two", "two")}
    assert len(sockets) == 2


@posix_only
def test_the_short_socket_folder_is_ours_alone(tmp_path: Path) -> None:
    found = home(tmp_path / ("x" * 120))
    found.ensure()
    folder = found.socket.parent
    try:
        assert paths.privacy_problem(folder) == ""
        assert paths.privacy_problem(folder.parent) == ""
    finally:
        folder.rmdir()


@posix_only
@pytest.mark.parametrize(("mode", "used"), [(0o700, True), (0o755, False), (0o770, False)])
def test_a_base_counts_only_when_it_is_private(mode: int, used: bool, tmp_path: Path) -> None:
    candidate = tmp_path / "base"
    candidate.mkdir()
    candidate.chmod(mode)
    fallback = Path("/tmp") / f"midfill-{os.getuid()}"
    assert paths.private_base((tmp_path / "missing", candidate)) == (candidate if used else fallback)
