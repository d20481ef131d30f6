"""The record of what `midfill setup` has put where: `clients.json` in the data folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from midfill_cli.setup_files import Change, apply, content_of
from midfill_daemon.errors import ConfigError
from midfill_daemon.paths import Paths, make_private

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Installed:
    """One client: the files below a folder, or an extension in an editor."""

    editor: str
    place: str
    """The folder, or the editor's program."""
    version: str
    files: Mapping[str, str] = field(default_factory=dict)
    """Path below the folder -> sha256 of what was written there."""
    made: Sequence[str] = ()
    """The folders that did not exist before, the outermost last."""
    extension: str = ""
    package: str = ""
    """The sha256 of the .vsix."""


Record = Mapping[tuple[str, str], Installed]
"""By editor and place."""


def path_of(paths: Paths) -> Path:
    return paths.data / "clients.json"


def load(paths: Paths) -> Record:
    """Raises ConfigError when the file is not what was written: removing by a damaged list would delete the wrong."""
    path = path_of(paths)
    content = content_of(path)
    if content is None:
        return {}
    try:
        clients = [_client(raw) for raw in json.loads(content)["clients"]]
    except (ValueError, LookupError, TypeError, AttributeError) as exc:
        raise ConfigError(f"{path}: damaged: move it away and run `midfill setup` for each editor again") from exc
    return {(client.editor, client.place): client for client in clients}


def save(paths: Paths, record: Record) -> None:
    """Written whole before and after each change, so that an interrupted one can be undone, too."""
    if not record:
        apply([Change("delete", path_of(paths))])
        return
    make_private(paths.data)
    raw = {"format": FORMAT, "clients": [asdict(client) for client in record.values()]}
    apply([Change("write", path_of(paths), json.dumps(raw, indent=1).encode(), mode=0o600)])


def with_client(record: Record, client: Installed) -> Record:
    return {**record, (client.editor, client.place): client}


def without(record: Record, client: Installed) -> Record:
    return {key: each for key, each in record.items() if key != (client.editor, client.place)}


def _client(raw: Mapping[str, Any]) -> Installed:
    files = {_text(name): _text(checksum) for name, checksum in raw["files"].items()}
    made = tuple(_text(folder) for folder in raw["made"])
    editor, place, version, extension, package = (
        _text(raw[name]) for name in ("editor", "place", "version", "extension", "package")
    )
    return Installed(editor, place, version, files, made, extension, package)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
