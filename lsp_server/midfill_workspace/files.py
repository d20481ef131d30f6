"""The one place that lists and reads the files of a workspace; all that is kept back is named with a reason."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from midfill_workspace import exclusion, languages
from midfill_workspace.exclusion import Rules
from midfill_workspace.ignore import Ignores

LIMIT_FILES = 50_000
LIMIT_DEPTH = 64
BINARY_SHARE = 0.05
"""More undecodable characters than this, and it is no text in a foreign encoding any more."""


@dataclass(frozen=True, slots=True)
class Text:
    """A file that may be used; bytes that are no UTF-8 are U+FFFD in it, as in editors."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """A file or folder that may not, and the reason: a key of `exclusion.REASONS`."""

    path: str
    reason: str


@dataclass(slots=True)
class Workspace:
    """One folder. Paths are relative to it, with `/`; every check is made before anything is read.

    A link counts as what it leads to: that must lie inside, and be allowed under its own name as well.
    """

    root: Path
    rules: Rules = field(default_factory=Rules)
    sends_ignored: bool = False
    """Whether what git ignores may be used; a `.midfillignore` file was written for us and counts in any case."""
    limit_files: int = LIMIT_FILES
    ignores: Ignores = field(init=False)

    def __post_init__(self) -> None:
        self.root = Path(os.path.realpath(self.root))
        self.ignores = Ignores(self.root, asks_git=not self.sends_ignored)

    def allowed(self, path: str) -> bool:
        return not self.reason(path)

    def reason(self, path: str) -> str:
        """Why nothing of this file may be read or sent, by its name and place alone; "" when it may."""
        return self._judge(path)[1]

    def walk(self) -> Iterator[str]:
        """The paths that are allowed, in order."""
        return (entry for entry in self.survey() if isinstance(entry, str))

    def survey(self) -> Iterator[str | Withheld]:
        """As `walk`, and what is kept back with the reason; of a folder that is, nothing inside.

        Links are left out: what they lead to is found under its own name, or may not be found.
        """
        count = 0
        for entry in self._entries("", 0):
            count += isinstance(entry, str)
            if count > self.limit_files:
                yield Withheld("", "too_many")
                return
            yield entry

    def read(self, path: str) -> Text | Withheld:
        """The text of a file, if it is allowed and is one."""
        target, reason = self._judge(path)
        if reason:
            return Withheld(path, reason)
        try:
            raw = _read(self.root, target, 4 * self.rules.limit_chars)
        except OSError:
            return Withheld(path, "unreadable")
        return Withheld(path, raw) if isinstance(raw, str) else _text(path, raw, self.rules)

    def _judge(self, path: str) -> tuple[str, str]:
        """What the path leads to by its real name, and why that or the path itself may not be used, or ""."""
        if _leads_out(path):
            return "", "outside"
        if reason := self._reason_by_name(path):
            return "", reason
        real = Path(os.path.realpath(self.root / path))
        if not real.is_relative_to(self.root):
            return "", "symlink_outside"
        target = real.relative_to(self.root).as_posix()
        return target, "" if target == path else self._reason_by_name(target)

    def _reason_by_name(self, path: str) -> str:
        reason = exclusion.excluded(path, 0, 0, languages.language_of(Path(path)), self.rules)
        return reason or self.ignores.reason(path)

    def _entries(self, folder: str, depth: int) -> Iterator[str | Withheld]:
        try:
            with os.scandir(self.root / folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError:
            yield Withheld(folder, "unreadable")
            return
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from self._folder(path, depth + 1)
            elif not entry.is_symlink():
                yield self._file(path, entry)

    def _folder(self, path: str, depth: int) -> Iterator[str | Withheld]:
        reason = exclusion.excluded(f"{path}/", 0, 0, "", self.rules) or self.ignores.reason(path, is_folder=True)
        if reason or depth > LIMIT_DEPTH:
            yield Withheld(path, reason or "too_many")
        else:
            yield from self._entries(path, depth)

    def _file(self, path: str, entry: os.DirEntry[str]) -> str | Withheld:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return Withheld(path, "unreadable")
        if not stat.S_ISREG(status.st_mode):
            return Withheld(path, "not_a_file")
        reason = self._reason_by_name(path)
        if not reason and status.st_size > 4 * self.rules.limit_chars:
            reason = "too_large"
        return Withheld(path, reason) if reason else path


def _leads_out(path: str) -> bool:
    return "\0" in path or path in ("", ".") or ".." in PurePosixPath(path).parts or Path(path).is_absolute()


def _text(path: str, raw: bytes, rules: Rules) -> Text | Withheld:
    if b"\0" in raw:
        return Withheld(path, "binary")
    text = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    if text.count("\ufffd") > BINARY_SHARE * len(text):
        return Withheld(path, "binary")
    longest = max(map(len, text.split("\n")))
    reason = exclusion.excluded(path, len(text), longest, languages.language_of(Path(path)), rules)
    return Withheld(path, reason) if reason else Text(path, text)


# --- opening ----------------------------------------------------------------------------------------

FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
WAITLESS = FLAGS | getattr(os, "O_NONBLOCK", 0)
BY_FOLDER = os.open in os.supports_dir_fd and hasattr(os, "O_DIRECTORY")


def _read(root: Path, path: str, limit_bytes: int) -> bytes | str:
    """The bytes of a regular file, or the reason why it is not read.

    `path` holds no link any more. Should one be put there after that was seen, it is not followed: each folder is
    opened in the one before, and what was opened is looked at once more before it is read.
    """
    descriptor = _open(root, path)
    if descriptor is None:
        return "not_a_file"
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return "not_a_file"
        if status.st_size > limit_bytes:
            return "too_large"
        with open(descriptor, "rb", closefd=False) as file:
            raw = file.read(limit_bytes + 1)
        return raw if len(raw) <= limit_bytes else "too_large"
    finally:
        os.close(descriptor)


def _open(root: Path, path: str) -> int | None:
    """The opened file; None for what is none: to open a device may do something."""
    if not BY_FOLDER:
        file = root / path
        return os.open(file, WAITLESS) if stat.S_ISREG(file.lstat().st_mode) else None
    *folders, name = path.split("/")
    folder = os.open(root, FLAGS | os.O_DIRECTORY)
    try:
        for part in folders:
            inner = os.open(part, FLAGS | os.O_DIRECTORY, dir_fd=folder)
            os.close(folder)
            folder = inner
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return None
        return os.open(name, WAITLESS, dir_fd=folder)
    finally:
        with suppress(OSError):
            os.close(folder)
