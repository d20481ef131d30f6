"""The files of a workspace as the resolvers see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from midfill_workspace.symbol import Outline


class Project(Protocol):
    """All paths are relative to the workspace, with `/`; "" is the workspace itself. Nothing excluded is in it."""

    def has(self, path: str) -> bool:
        """Whether there is such a file."""

    def files_in(self, folder: str) -> Sequence[str]:
        """The files directly in a folder, sorted."""

    def outline(self, path: str) -> Outline | None:
        """What a file declares and imports; None when it has not been read."""

    def near(self, path: str, limit: int) -> Sequence[str]:
        """Files around one, those of its own folder first."""

    def config(self, path: str) -> str:
        """The text of a file like `go.mod` or `tsconfig.json`; "" when there is none."""


@dataclass(frozen=True, slots=True)
class WithOpen:
    """A project in which one file is as its editor shows it."""

    project: Project
    open: Outline

    def has(self, path: str) -> bool:
        return path == self.open.path or self.project.has(path)

    def files_in(self, folder: str) -> Sequence[str]:
        return self.project.files_in(folder)

    def near(self, path: str, limit: int) -> Sequence[str]:
        return self.project.near(path, limit)

    def outline(self, path: str) -> Outline | None:
        return self.open if path == self.open.path else self.project.outline(path)

    def config(self, path: str) -> str:
        return self.project.config(path)
