"""A project that reads its files when they are asked for: for a command that looks once, where an index would be late."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import PurePath

from midfill_workspace.languages import language_of
from midfill_workspace.outline.table import SPECS, outline
from midfill_workspace.resolve.installed import is_installed
from midfill_workspace.resolve.paths import folder_of
from midfill_workspace.symbol import Outline


class Folder:
    """A `Project` over files that are listed once. `read` gives a file's text, "" for what may not be read.

    Files of installed packages are not listed: `read_installed` gives the text of one, None when there is none.
    """

    def __init__(
        self,
        paths: Iterable[str],
        read: Callable[[str], str],
        read_installed: Callable[[str], str | None] = lambda path: None,
    ) -> None:
        self._read = read
        self._read_installed = cache(read_installed)
        self._folders: dict[str, list[str]] = {}
        self._outlines: dict[str, Outline] = {}
        self._paths = frozenset(paths)
        for path in sorted(self._paths):
            self._folders.setdefault(folder_of(path), []).append(path)

    def has(self, path: str) -> bool:
        return path in self._paths or (is_installed(path) and self._read_installed(path) is not None)

    def files_in(self, folder: str) -> Sequence[str]:
        return self._folders.get(folder, [])

    def near(self, path: str, limit: int) -> Sequence[str]:
        return self.files_in(folder_of(path))[:limit]

    def config(self, path: str) -> str:
        return self._text(path) or ""

    def outline(self, path: str) -> Outline | None:
        if path not in self._outlines and self.has(path):
            language = language_of(PurePath(path))
            text = (self._text(path) or "") if language in SPECS else ""
            self._outlines[path] = outline(path, language, text)
        return self._outlines.get(path)

    def _text(self, path: str) -> str | None:
        if path in self._paths:
            return self._read(path)
        return self._read_installed(path) if is_installed(path) else None
