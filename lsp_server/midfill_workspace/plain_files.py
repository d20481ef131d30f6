"""Which files of a folder may be read, and their text."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Protocol

from midfill_workspace.exclusion import Rules, excluded
from midfill_workspace.languages import language_of

LIMIT_BYTES = 1_000_000
"""Larger files are data or generated."""


class Files(Protocol):
    """Paths are relative to the root, with `/`."""

    def walk(self) -> Iterator[str]:
        """All files that may be read, in any order."""

    def allowed(self, path: str) -> bool:
        """Whether a file may be read, by its path alone; it need not exist."""

    def read(self, path: str) -> str | None:
        """Its text; None when it is not there, is no text, or may not be read after all."""


@dataclass(frozen=True, slots=True)
class PlainFiles:
    """Everything but hidden folders, what is excluded, large files, and what symbolic links lead to."""

    root: Path
    """Without symbolic links in it."""
    rules: Rules

    def walk(self) -> Iterator[str]:
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            for entry in _entries(self.root / folder):
                path = f"{folder}/{entry.name}".lstrip("/")
                if entry.is_dir(follow_symlinks=False) and self.allowed(f"{path}/_"):
                    waiting.append(path)
                elif entry.is_file(follow_symlinks=False) and self.allowed(path):
                    yield path

    def allowed(self, path: str) -> bool:
        folders = path.split("/")[:-1]
        if path.startswith("/") or any(folder.startswith(".") for folder in folders) or not _is_text(path):
            return False
        return excluded(path, 0, 0, self._language(path), self.rules) is None

    def read(self, path: str) -> str | None:
        text = _text(self.root / path)
        if text is None or "\0" in text:
            return None
        longest = max(map(len, text.split("\n")))
        return None if excluded(path, len(text), longest, language_of(PurePath(path)), self.rules) else text

    def _language(self, path: str) -> str:
        """Worked out where a rule asks for it: it is most of what a name costs."""
        return language_of(PurePath(path)) if self.rules.languages else ""


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []  # It went away, or is not ours to read.


def _is_text(path: str) -> bool:
    """Names that are no Unicode can neither be stored nor sent."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(file: Path) -> str | None:
    if os.path.realpath(file) != str(file):
        return None  # It may lie outside of the workspace.
    try:
        with file.open("rb") as stream:
            content = stream.read(LIMIT_BYTES + 1)
    except OSError:
        return None
    return content.decode(errors="replace") if len(content) <= LIMIT_BYTES else None
