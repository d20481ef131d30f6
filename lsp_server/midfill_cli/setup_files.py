"""Puts files into a folder and takes them away again; what the user has changed since is never lost."""

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from midfill_daemon.errors import NotAllowed

Act = Literal["write", "set aside", "delete", "keep"]


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the plan, and of what the user is told."""

    act: Act
    path: Path
    content: bytes = b""
    mode: int = 0o644
    aside: Path = Path()
    """The name that a file which the user changed gets."""


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def plan_installation(
    place: Path, wanted: Mapping[str, bytes], written: Mapping[str, str], mode: int = 0o644
) -> list[Change]:
    """What makes `wanted` (path below `place` -> content) true; `written` (path -> sha256) is what was put there before.

    Only the place is looked at, nothing is changed. Raises NotAllowed where a link would lead the writing elsewhere.
    """
    changes: list[Change] = []
    for name, content in wanted.items():
        path = inside(place, name)
        found = content_of(path)
        if found == content:
            continue
        if found is not None and digest(found) != written.get(name):
            changes.append(Change("set aside", path, aside=_free_name(path)))
        changes.append(Change("write", path, content, mode))
    gone = {name: checksum for name, checksum in written.items() if name not in wanted}
    return changes + plan_removal(place, gone)


def plan_removal(place: Path, written: Mapping[str, str]) -> list[Change]:
    """Takes back what was written and is still as it was; the rest is named and stays."""
    changes: list[Change] = []
    for name, checksum in written.items():
        path = inside(place, name)
        found = content_of(path)
        if found is not None:
            changes.append(Change("delete" if digest(found) == checksum else "keep", path))
    return changes


def apply(changes: Sequence[Change]) -> None:
    """Carry the plan out. Raises NotAllowed, naming the path, when the system refuses."""
    for change in changes:
        try:
            ACTS[change.act](change)
        except OSError as exc:
            raise NotAllowed(f"{change.path}: {exc.strerror}") from exc


def _write(change: Change) -> None:
    """Under another name first: an editor that starts meanwhile reads the old file or the new one, never half of it."""
    change.path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=change.path.parent, prefix=".midfill-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(change.content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(change.mode)
        Path(name).replace(change.path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _set_aside(change: Change) -> None:
    change.path.rename(change.aside)


def _delete(change: Change) -> None:
    change.path.unlink(missing_ok=True)


def _keep(_: Change) -> None: ...


ACTS: Mapping[Act, Callable[[Change], None]] = {
    "write": _write,
    "set aside": _set_aside,
    "delete": _delete,
    "keep": _keep,
}


def inside(place: Path, name: str) -> Path:
    """The file below `place`. Raises NotAllowed when the name leaves it, or a folder on the way is a link."""
    pure = PurePosixPath(name)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name:
        raise NotAllowed(f"{name!r}: not a path inside of {place}")
    for folder in pure.parents:
        path = place / folder
        if os.path.lexists(path) and not stat.S_ISDIR(path.lstat().st_mode):
            raise NotAllowed(f"{path}: not a folder (a link is not followed here): remove it")
    return place / pure


def content_of(path: Path) -> bytes | None:
    """None where nothing is. What is no regular file has a content that nobody wrote."""
    try:
        if not os.path.lexists(path):
            return None
        return path.read_bytes() if stat.S_ISREG(path.lstat().st_mode) else b"\0not a file"
    except OSError as exc:
        raise NotAllowed(f"{path}: {exc.strerror}") from exc


def missing_folders(place: Path) -> Iterator[Path]:
    """The folders that writing into `place` will create, the outermost last."""
    for folder in (place, *place.parents):
        if os.path.lexists(folder):
            return
        yield folder


def prune(place: Path, names: Sequence[str], made: Sequence[Path]) -> list[Path]:
    """Remove the folders of the deleted files, `place` included, and those `made` for it, where they are empty now."""
    below = {place / folder for name in names for folder in PurePosixPath(name).parents}
    candidates = sorted(below, key=lambda folder: len(folder.parts), reverse=True) + list(made)
    return [folder for folder in candidates if _emptied(folder)]


def _emptied(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        folder.rmdir()
        return True
    return False


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.yours{number or ''}") for number in range(1000))
    return next(name for name in names if not os.path.lexists(name))
