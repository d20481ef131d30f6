"""Workspaces written down as texts."""

from collections.abc import Mapping

from midfill_workspace.folder import Folder
from midfill_workspace.symbol import Outline


class Files(Folder):
    """A `Project` over path → text, outlined when somebody asks."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__(texts, texts.__getitem__)

    def of(self, path: str) -> Outline:
        """The outline of a file that is there."""
        found = self.outline(path)
        assert found is not None
        return found
