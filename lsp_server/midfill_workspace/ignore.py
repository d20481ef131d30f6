"""What the ignore files of a workspace say: `.gitignore` and `.git/info/exclude` as git reads them, and `.midfillignore`."""

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from midfill_workspace import gitignore
from midfill_workspace.gitignore import Pattern

GIT_FILE, OUR_FILE = ".gitignore", ".midfillignore"
LIMIT_BYTES = 1_000_000
IGNORE_CASE = re.compile(rb"^\s*ignorecase\s*(?:=\s*(\w+)|$)", re.IGNORECASE | re.MULTILINE)
EVERYTHING = gitignore.parse(b"*\n", fold_case=False)
"""What a file says that is there and cannot be read: nothing of its folder is sent until it can be."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What one folder has to say of what lies in it."""

    git: tuple[Pattern, ...]
    ours: tuple[Pattern, ...]
    info: tuple[Pattern, ...] | None
    """`.git/info/exclude`; None in a folder that is not the top of a repository."""


class Ignores:
    """The ignore files around and below a folder, each read once until `forget`.

    They are those from the top of the repository down. A repository inside of it (a submodule) has rules of its own,
    and can ignore more, but not bring back what the outer one ignores.
    Case is ignored where git says so (`core.ignorecase`), or the file system does.
    """

    def __init__(self, root: Path, asks_git: bool = True) -> None:
        """`asks_git`: whether what git ignores is ignored."""
        self._root, self._asks_git = root, asks_git
        self._folders: dict[str, Folder] = {}
        self._verdicts: dict[str, str] = {}

    def forget(self) -> None:
        """An ignore file may have changed."""
        self.__dict__.pop("_top", None)
        self.__dict__.pop("_fold_case", None)
        self._folders.clear()
        self._verdicts.clear()

    def reason(self, path: str, *, is_folder: bool = False) -> str:
        """`ignored`, `midfill_ignored` or "" for a path relative to the root, with `/`."""
        parts = [*self._root.relative_to(self._top).parts, *path.split("/")]
        for count in range(1, len(parts)):
            if reason := self._folder_reason("/".join(parts[:count])):
                return reason
        return self._folder_reason("/".join(parts)) if is_folder else self._judge(parts, False)

    def _folder_reason(self, path: str) -> str:
        if path not in self._verdicts:
            self._verdicts[path] = self._judge(path.split("/"), True)
        return self._verdicts[path]

    def _judge(self, parts: Sequence[str], is_folder: bool) -> str:
        """What is said of this very path, when none of the folders around it is ignored. Our own file has the last word."""
        chain = [self._folder("/".join(parts[:count])) for count in range(len(parts))]
        paths = ["/".join(parts[count:]).encode("utf-8", "surrogateescape") for count in range(len(parts))]
        ours = _nearest([(folder.ours, path) for folder, path in zip(chain, paths, strict=True)], is_folder)
        if ours is not None:
            return "midfill_ignored" if ours else ""
        return "ignored" if self._asks_git and _by_git(chain, paths, is_folder) else ""

    def _folder(self, path: str) -> Folder:
        if path not in self._folders:
            self._folders[path] = self._read(self._top / path)
        return self._folders[path]

    def _read(self, folder: Path) -> Folder:
        info = self._patterns(_git_folder(folder) / "info" / "exclude") if os.path.lexists(folder / ".git") else None
        return Folder(self._patterns(folder / GIT_FILE), self._patterns(folder / OUR_FILE), info)

    def _patterns(self, path: Path) -> tuple[Pattern, ...]:
        try:
            return gitignore.parse(_bytes(path), fold_case=self._fold_case)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except (OSError, ValueError):
            return EVERYTHING

    @cached_property
    def _top(self) -> Path:
        """The top of the innermost repository around the root, else the root."""
        return next(
            (folder for folder in (self._root, *self._root.parents) if os.path.lexists(folder / ".git")), self._root
        )

    @cached_property
    def _fold_case(self) -> bool:
        try:
            said = IGNORE_CASE.search(_bytes(_git_folder(self._top) / "config"))
        except (OSError, ValueError):
            said = None
        if said is None:
            return _folds_case(self._root)
        return (said[1] or b"true").lower() in (b"true", b"yes", b"on", b"1")


def _by_git(chain: Sequence[Folder], paths: Sequence[bytes], is_folder: bool) -> bool:
    tops = [number for number, folder in enumerate(chain) if folder.info is not None] or [0]
    for top, end in zip(tops, [*tops[1:], len(chain)], strict=True):
        # A repository's rules go on below the top of one that lies inside of it.
        said = [(folder.git, path) for folder, path in zip(chain[top:end], paths[top:end], strict=True)]
        if _nearest([(chain[top].info or (), paths[top]), *said], is_folder):
            return True
    return False


def _nearest(said: Sequence[tuple[tuple[Pattern, ...], bytes]], is_folder: bool) -> bool | None:
    """The word of the innermost folder that has one."""
    verdicts = (gitignore.verdict(patterns, path, is_folder) for patterns, path in reversed(said))
    return next((verdict for verdict in verdicts if verdict is not None), None)


def _git_folder(top: Path) -> Path:
    """Where a repository keeps what is not in its tree: submodules and further work trees have a file that says so."""
    try:
        said = _bytes(top / ".git").decode("utf-8", "surrogateescape")
        folder = top / said.removeprefix("gitdir:").strip()
        common = folder / "commondir"
        return folder / _bytes(common).decode("utf-8", "surrogateescape").strip() if common.exists() else folder
    except (OSError, ValueError):
        return top / ".git"


def _folds_case(folder: Path) -> bool:
    other = folder.parent / folder.name.swapcase()
    try:
        return other.name != folder.name and other.samefile(folder)
    except OSError:
        return False


def _bytes(path: Path) -> bytes:
    """A small regular file; anything else that has the name is a ValueError, and is not waited for."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise NotADirectoryError(path)
        if not stat.S_ISREG(mode):
            raise ValueError("not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            raw = file.read(LIMIT_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(raw) > LIMIT_BYTES:
        raise ValueError("too large")
    return raw
