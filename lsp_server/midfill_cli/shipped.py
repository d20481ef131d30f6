"""What this installation has for editors: the Neovim plugin, the VS Code extension, the language server's program."""

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from midfill_daemon.errors import BadInput, NotFound

PACKAGED = Path(__file__).parent / "clients"
"""Where a wheel has them; `lsp_server/hatch_build.py` puts them there."""
CHECKOUT = Path(__file__).parents[2]
"""Where an editable installation has them."""

PLUGIN_FOLDERS = ("after", "doc", "ftplugin", "lsp", "lua", "plugin")
"""What Neovim reads of a plugin; its checks and tests stay behind."""

SERVER = "midfill-lsp"
MANIFEST = "extension/package.json"
MANIFEST_LIMIT_BYTES = 1_000_000
IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*")
HELP_TAG = re.compile(r"(?:^|(?<=[ \t]))\*([!-)+-{}~]+)\*(?=[ \t\r]|$)", re.MULTILINE)
"""`*tag*` as Neovim's `:helptags` finds it: printable, without `|` and without another asterisk."""


@dataclass(frozen=True, slots=True)
class Extension:
    """One .vsix file: `publisher.name`, its version and the checksum of the file."""

    path: Path
    name: str
    version: str
    sha256: str


def server_program() -> Path:
    """The absolute path of `midfill-lsp`, as the installer of this distribution recorded it.

    An editor need not have the virtual environment on PATH. Raises NotFound when it is not there.
    """
    try:
        recorded = distribution("midfill").files or ()
    except PackageNotFoundError as exc:
        raise NotFound("midfill is not installed: its metadata is missing") from exc
    found = (Path(os.path.abspath(file.locate())) for file in recorded if file.stem == SERVER)  # noqa: PTH100
    program = next((path for path in found if os.access(path, os.X_OK)), None)
    if program is None:
        raise NotFound(f"this installation has no program {SERVER}: install midfill again")
    return program


def plugin(packaged: Path = PACKAGED, checkout: Path = CHECKOUT) -> Mapping[str, bytes]:
    """The files of the Neovim plugin by their path below it, tags of its help included."""
    roots = (packaged / "nvim", checkout / "nvim-client")
    root = next((root for root in roots if (root / "lua").is_dir()), None)
    if root is None:
        raise NotFound("this installation has no Neovim plugin: install midfill from its wheel or a checkout")
    found = (path for folder in PLUGIN_FOLDERS for path in (root / folder).rglob("*") if path.is_file())
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in found if not path.name.startswith(".")}
    tags = help_tags(files)
    return {**files, "doc/tags": tags} if tags else files


def help_tags(files: Mapping[str, bytes]) -> bytes:
    """What `:helptags` would write (but for tags in examples, which it skips: 4 of 10,548 in Neovim's own help).

    Made here, it needs no Neovim and is known before it is written.
    """
    rows = sorted(
        f"{tag}\t{path.removeprefix('doc/')}\t/*{tag.replace(chr(92), chr(92) * 2).replace('/', chr(92) + '/')}*\n"
        for path, content in files.items()
        if re.fullmatch(r"doc/[^/]+\.txt", path)
        for tag in HELP_TAG.findall(content.decode("utf-8", "replace"))
    )
    return "".join(rows).encode()


def extension(given: Path | None, packaged: Path = PACKAGED, checkout: Path = CHECKOUT) -> Extension:
    """The .vsix that the user names, else that of this version in the package or in a checkout's `dist`."""
    name = f"midfill-{version('midfill')}.vsix"
    candidates = (given,) if given else (packaged / name, checkout / "dist" / name)
    path = next((each for each in candidates if each.is_file()), None)
    if path is None and given:
        raise NotFound(f"{given}: there is no such file")
    if path is None:
        raise NotFound(f"this installation has no {name}: name one with --vsix, or make it in a checkout: `make vsix`")
    return _read(path.absolute())


def _read(path: Path) -> Extension:
    """Raises BadInput unless the file is a VS Code extension."""
    try:
        content = path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(MANIFEST).file_size > MANIFEST_LIMIT_BYTES:
                raise BadInput(f"{path}: its {MANIFEST} is too large")
            manifest = json.loads(archive.read(MANIFEST))
        publisher, name, number = (str(manifest[key]) for key in ("publisher", "name", "version"))
    except (OSError, zipfile.BadZipFile, LookupError, TypeError, ValueError, NotImplementedError) as exc:
        raise BadInput(f"{path}: not a VS Code extension") from exc
    # They become arguments of the editor's program, where a leading dash would be an option.
    if not (IDENTIFIER.fullmatch(publisher) and IDENTIFIER.fullmatch(name) and VERSION.fullmatch(number)):
        raise BadInput(f"{path}: not a VS Code extension: its name or version is not one")
    return Extension(path, f"{publisher}.{name}", number, hashlib.sha256(content).hexdigest())
