"""`midfill setup nvim`: the plugin into Neovim's own package path, where it is found without any configuration."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePath

from midfill_cli import setup_record, shipped
from midfill_cli.setup_files import content_of, plan_installation
from midfill_cli.setup_job import Job, find_program, put, run_program, take
from midfill_cli.setup_record import Installed
from midfill_daemon.errors import BadInput, NotAllowed, NotFound

EDITOR = "nvim"
NEEDED = (0, 11)
INSTALLED = "lua/midfill/installed.lua"
"""What the plugin asks for the program of its language server; it is also the sign that the folder is ours."""
SIGN = b"-- Written by `midfill setup nvim`"


@dataclass(frozen=True, slots=True)
class Neovim:
    """The `nvim` on PATH; no version where it does not say one."""

    program: Path
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"Neovim {'.'.join(map(str, self.version)) or '(unknown version)'}"


def find(environment: Mapping[str, str]) -> Neovim | None:
    program = find_program("nvim", environment)
    if program is None:
        return None
    _, output = run_program([str(program), "--version"], environment)
    number = re.match(r"NVIM v(\d+)\.(\d+)\.(\d+)", output)
    return Neovim(program, tuple(map(int, number.groups())) if number else ())


def data_folder(environment: Mapping[str, str], platform: str = sys.platform) -> Path:
    """`stdpath('data')`. Raises BadInput when it cannot be told."""
    windows = platform == "win32"
    name = environment.get("NVIM_APPNAME") or "nvim"
    if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        raise BadInput(f"NVIM_APPNAME: must be a name, not {name!r}")
    usual = Path(environment.get("LOCALAPPDATA", "")) if windows else Path(environment.get("HOME", ""), ".local/share")
    base = Path(environment.get("XDG_DATA_HOME") or usual)
    if not base.is_absolute():
        raise BadInput(f"there is no data folder of Neovim: set HOME or XDG_DATA_HOME to an absolute path, not {base}")
    return base / (f"{name}-data" if windows else name)


def place(environment: Mapping[str, str]) -> Path:
    return data_folder(environment) / "site" / "pack" / "midfill" / "start" / "midfill"


def files(server: Path) -> Mapping[str, bytes]:
    """The plugin and, before all else, the sign that it is ours with the program of this installation."""
    return {INSTALLED: installed_lua(server), **shipped.plugin()}


def installed_lua(server: Path) -> bytes:
    lines = (
        SIGN + b" for this installation; run it again after an upgrade.",
        b"---@type { cmd: string[], version: string }",
        b"return { cmd = { "
        + lua_string(os.fsencode(server))
        + b' }, version = "'
        + version("midfill").encode()
        + b'" }',
    )
    return b"\n".join(lines) + b"\n"


def lua_string(text: bytes) -> bytes:
    """Quoted byte for byte, so that no path can be anything but text."""
    return b'"' + b"".join(b"\\%03d" % each if each < 32 or each in b'"\\' else bytes((each,)) for each in text) + b'"'


def install(job: Job) -> int:
    neovim = find(job.environment)
    target = place(job.environment)
    _check_ours(job, target)
    print(f"{neovim or 'Neovim'}: the plugin in {target}")
    put(job, Installed(EDITOR, str(target), version("midfill")), files(job.server))
    for remark in remarks(neovim, data_folder(job.environment)):
        print(f"  note: {remark}")
    return 0


def remove(job: Job) -> int:
    target = place(job.environment)
    client = setup_record.load(job.paths).get((EDITOR, str(target)))
    if client is None:
        raise NotFound(f"{target}: `midfill setup nvim` has put nothing there that is on record")
    print(f"Neovim: the plugin in {target}")
    take(job, client)
    return 0


def remarks(neovim: Neovim | None, data: Path) -> list[str]:
    """What the user should know although the files are in place."""
    found: list[str] = []
    needed = ".".join(map(str, NEEDED))
    if neovim is None:
        found.append(f"no `nvim` was found on PATH; the plugin waits for one ({needed} or newer)")
    elif neovim.version[:2] < NEEDED:
        found.append(f"{neovim} ({neovim.program}) is too old: the plugin needs {needed} or newer")
    if (data / "lazy" / "lazy.nvim").is_dir():
        spec = lua_string(os.fsencode(data / "site" / "pack" / "midfill" / "start" / "midfill"))
        line = os.fsdecode(b"{ dir = " + spec + b", lazy = false }")
        found.append(f"lazy.nvim ignores Neovim's package path: add {line} to its plugins")
    return found


def complaint(client: Installed, server: Path) -> str:
    """Why `midfill setup nvim` should be run again; "" when all is as this installation would put it."""
    changes = plan_installation(Path(client.place), files(server), client.files)
    return "it differs from the plugin of this installation" if changes else ""


def _check_ours(job: Job, target: Path) -> None:
    """Raises NotAllowed for a folder that somebody else has put there."""
    if target.is_symlink():
        raise NotAllowed(f"{target}: a link that is not ours: remove it first")
    if not os.path.lexists(target) or (EDITOR, str(target)) in setup_record.load(job.paths):
        return
    if not (content_of(target / INSTALLED) or b"").startswith(SIGN):
        raise NotAllowed(f"{target}: exists, and `midfill setup` has not made it: move it away first")
