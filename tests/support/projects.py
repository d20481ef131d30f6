"""Workspaces written down as texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from midfill_workspace.languages import language_of
from midfill_workspace.outline.table import SPECS, outline
from midfill_workspace.symbol import Outline


@dataclass(slots=True)
class Texts:
    """A `Project` over path → text; outlines are made when they are asked for."""

    texts: Mapping[str, str]
    outlined: dict[str, Outline] = field(default_factory=dict)

    def has(self, path: str) -> bool:
        return path in self.texts

    def files_in(self, folder: str) -> Sequence[str]:
        return sorted(path for path in self.texts if path.rpartition("/")[0] == folder)

    def near(self, path: str, limit: int) -> Sequence[str]:
        return self.files_in(path.rpartition("/")[0])[:limit]

    def config(self, path: str) -> str:
        return self.texts.get(path, "")

    def outline(self, path: str) -> Outline | None:
        language = language_of(PurePath(path))
        if path not in self.texts or language not in SPECS:
            return None
        if path not in self.outlined:
            self.outlined[path] = outline(path, language, self.texts[path])
        return self.outlined[path]
