"""`midfill setup vscode`: the extension into every VS Code, VSCodium, Cursor or code-server of this machine."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from midfill_cli import setup_record, shipped
from midfill_cli.setup_files import content_of
from midfill_cli.setup_job import Job, find_program, put, run_program, take
from midfill_cli.setup_record import Installed, Record
from midfill_cli.shipped import Extension
from midfill_daemon.errors import NotFound
from midfill_daemon.paths import Paths, make_private

SERVER_PATH = "server-path"
"""The file in the data folder that tells the extension where this installation's `midfill-lsp` is.

The settings of the editor are left alone: they are JSON with comments, and the user's.
"""


@dataclass(frozen=True, slots=True)
class Flavour:
    """One editor of the family: its command, and where that is when it is not on PATH."""

    command: str
    title: str
    mac_app: str = ""
    windows_folder: str = ""
    linux: tuple[str, ...] = ()


FLAVOURS: tuple[Flavour, ...] = (
    Flavour(
        "code",
        "VS Code",
        "Visual Studio Code.app",
        "Microsoft VS Code",
        ("/usr/share/code/bin/code", "/snap/bin/code", "/var/lib/flatpak/exports/bin/com.visualstudio.code"),
    ),
    Flavour(
        "code-insiders",
        "VS Code Insiders",
        "Visual Studio Code - Insiders.app",
        "Microsoft VS Code Insiders",
        ("/usr/share/code-insiders/bin/code-insiders", "/snap/bin/code-insiders"),
    ),
    Flavour(
        "codium",
        "VSCodium",
        "VSCodium.app",
        "VSCodium",
        ("/usr/share/codium/bin/codium", "/snap/bin/codium", "/var/lib/flatpak/exports/bin/com.vscodium.codium"),
    ),
    Flavour("cursor", "Cursor", "Cursor.app", "cursor", ("/usr/share/cursor/bin/cursor",)),
    Flavour("windsurf", "Windsurf", "Windsurf.app", "Windsurf", ("/usr/share/windsurf/bin/windsurf",)),
    Flavour("code-server", "code-server", linux=("/usr/lib/code-server/bin/code-server",)),
)
COMMANDS = frozenset(flavour.command for flavour in FLAVOURS)


@dataclass(frozen=True, slots=True)
class Editor:
    """One that was found."""

    flavour: Flavour
    program: Path


def usual_places(flavour: Flavour, environment: Mapping[str, str], platform: str = sys.platform) -> Iterator[Path]:
    """Where the program may be besides PATH."""
    if platform == "darwin" and flavour.mac_app:
        bases = (Path("/Applications"), Path(environment.get("HOME", "/")) / "Applications")
        yield from (base / flavour.mac_app / "Contents/Resources/app/bin" / flavour.command for base in bases)
    elif platform == "win32" and flavour.windows_folder:
        local = Path(environment.get("LOCALAPPDATA", "")) / "Programs"
        bases = (local, Path(environment.get("PROGRAMFILES", "")))
        yield from (base / flavour.windows_folder / "bin" / f"{flavour.command}.cmd" for base in bases)
    else:
        yield from map(Path, flavour.linux)


def find(environment: Mapping[str, str], flavours: Sequence[Flavour] = FLAVOURS) -> list[Editor]:
    """Every editor of the family, each once though it has two names."""
    found: dict[Path, Editor] = {}
    for flavour in flavours:
        places = (place for place in usual_places(flavour, environment) if os.access(place, os.X_OK))
        program = find_program(flavour.command, environment) or next(places, None)
        if program:
            found.setdefault(program.resolve(), Editor(flavour, program))
    return list(found.values())


def install(job: Job, flavours: Sequence[Flavour] = FLAVOURS) -> int:
    extension = shipped.extension(job.vsix)
    editors = find(job.environment, flavours)
    if not editors:
        names = ", ".join(flavour.command for flavour in flavours)
        raise NotFound(f"none of {names} is on PATH or in its usual place; {extension.path} can be installed by hand")
    results = [_install(job, editor, extension) for editor in editors]
    if any(results):
        print("The extension finds the language server by")
        if not job.dry_run:
            make_private(job.paths.data)
        pointer = Installed(SERVER_PATH, str(job.paths.data), version("midfill"))
        put(job, pointer, {SERVER_PATH: _pointer(job.server)}, mode=0o600)
    return 0 if all(results) else 1


def remove(job: Job, flavours: Sequence[Flavour] = FLAVOURS) -> int:
    commands = [flavour.command for flavour in flavours]
    clients = [client for client in setup_record.load(job.paths).values() if client.editor in commands]
    if not clients:
        raise NotFound(f"`midfill setup` has installed nothing in {', '.join(commands)} that is on record")
    results = [_remove(job, client) for client in clients]
    record = setup_record.load(job.paths)
    pointer = record.get((SERVER_PATH, str(job.paths.data)))
    if pointer and not extensions(record):
        take(job, pointer)
    return 0 if all(results) else 1


def extensions(record: Record) -> list[Installed]:
    return [client for client in record.values() if client.editor in COMMANDS]


def complaint(client: Installed, paths: Paths, server: Path) -> str:
    """Why `midfill setup vscode` should be run again; "" when all is as this installation would put it."""
    if client.version != version("midfill"):
        return f"it is not of this version, {version('midfill')}"
    if content_of(paths.data / SERVER_PATH) != _pointer(server):
        return f"{paths.data / SERVER_PATH} does not name the language server of this installation"
    return ""


def _pointer(server: Path) -> bytes:
    return os.fsencode(server) + b"\n"


def _install(job: Job, editor: Editor, extension: Extension) -> bool:
    what = f"{extension.name} {extension.version}"
    print(f"{editor.flavour.title}: {what} in {editor.program}")
    client = Installed(
        editor.flavour.command,
        str(editor.program),
        extension.version,
        extension=extension.name,
        package=extension.sha256,
    )
    command = [str(editor.program), "--install-extension", str(extension.path), "--force"]
    if job.dry_run:
        print(f"  would run {' '.join(command)}")
        return True
    record = setup_record.load(job.paths)
    if record.get((client.editor, client.place)) == client and _listed(job, client) == extension.version:
        print("  nothing to change: it is installed")
        return True
    status, output = run_program(command, job.environment)
    if status:
        print(f"  failed: {_last_lines(output)}")
        return False
    setup_record.save(job.paths, setup_record.with_client(record, client))
    print(f"  installed {what} from {extension.path}; windows that are open take it after a reload")
    return True


def _remove(job: Job, client: Installed) -> bool:
    print(f"{client.editor}: {client.extension} in {client.place}")
    if job.dry_run:
        print("  would uninstall it")
        return True
    if not os.access(client.place, os.X_OK):
        print("  the editor is gone; nothing is left to remove")
    elif not _listed(job, client):
        print("  it was not installed any more")
    else:
        status, output = run_program([client.place, "--uninstall-extension", client.extension], job.environment)
        if status:
            print(f"  failed: {_last_lines(output)}")
            return False
        print("  uninstalled it")
    setup_record.save(job.paths, setup_record.without(setup_record.load(job.paths), client))
    return True


def _listed(job: Job, client: Installed) -> str:
    """The version that the editor says it has; "" for none."""
    _, output = run_program([client.place, "--list-extensions", "--show-versions"], job.environment)
    names = (line.strip().rpartition("@") for line in output.splitlines())
    return next((number for name, _, number in names if name.lower() == client.extension.lower()), "")


def _last_lines(output: str) -> str:
    return " / ".join(output.splitlines()[-3:]) or "it gave no reason"
