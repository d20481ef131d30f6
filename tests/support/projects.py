"""A workspace in memory: paths and texts, outlined when somebody asks."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import PurePosixPath

from midfill_workspace.languages import language_of
from midfill_workspace.outline.table import outline
from midfill_workspace.resolve.paths import folder_of
from midfill_workspace.symbol import Outline


class Files:
    """Keeps the protocol of `midfill_workspace.project.Project`."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.outlines: dict[str, Outline] = {}

    def has(self, path: str) -> bool:
        return path in self.texts

    def files_in(self, folder: str) -> Sequence[str]:
        return self.by_folder.get(folder, [])

    def outline(self, path: str) -> Outline | None:
        if path in self.texts and path not in self.outlines:
            self.outlines[path] = outline(path, language_of(PurePosixPath(path)), self.texts[path])
        return self.outlines.get(path)

    def config(self, path: str) -> str:
        return self.texts.get(path, "")

    def of(self, path: str) -> Outline:
        """The outline of a file that is there."""
        found = self.outline(path)
        assert found is not None
        return found

    @cached_property
    def by_folder(self) -> Mapping[str, Sequence[str]]:
        folders: dict[str, list[str]] = {}
        for path in sorted(self.texts):
            folders.setdefault(folder_of(path), []).append(path)
        return folders
