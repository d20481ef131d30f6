"""Workspaces written down as texts."""

from collections.abc import Mapping

from midfill_workspace.folder import Folder


class Texts(Folder):
    """A `Project` over path → text."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__(texts, texts.__getitem__)
