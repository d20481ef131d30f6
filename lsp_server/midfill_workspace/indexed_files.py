"""Which files of a folder are indexed, and their text."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from midfill_workspace.exclusion import Rules
from midfill_workspace.files import Text, Workspace

LIMIT_BYTES = 1_000_000
"""Larger files are data or generated."""

UNLISTED = (".*/", "site-packages/")
"""Hidden folders, and packages, of which only what is imported is read."""


class Files(Protocol):
    """Paths are relative to the root, with `/`."""

    def walk(self) -> Iterator[str]:
        """All files that may be read, in any order."""

    def allowed(self, path: str) -> bool:
        """Whether a file may be read, by its path alone; it need not exist."""

    def read(self, path: str) -> str | None:
        """Its text; None when it is not there, is no text, or may not be read after all."""


class IndexedFiles:
    """What may be read at all, without hidden folders, installed packages, large files and names that are no Unicode."""

    def __init__(self, root: Path, rules: Rules) -> None:
        limit_chars = min(LIMIT_BYTES, rules.limit_chars)
        self._workspace = Workspace(root, replace(rules, globs=(*rules.globs, *UNLISTED), limit_chars=limit_chars))

    def walk(self) -> Iterator[str]:
        return filter(is_storable, self._workspace.walk())

    def allowed(self, path: str) -> bool:
        return is_storable(path) and self._workspace.allowed(path)

    def read(self, path: str) -> str | None:
        found = self._workspace.read(path)
        return found.text if isinstance(found, Text) and len(found.text) <= LIMIT_BYTES else None


def is_storable(path: str) -> bool:
    """Names that are no Unicode can neither be stored nor sent."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
