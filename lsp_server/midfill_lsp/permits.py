"""Which open documents may be sent, and the reason why one may not."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from midfill_lsp.documents import Document, disk_path, is_file, scheme
from midfill_lsp.settings import Settings
from midfill_workspace import exclusion

if TYPE_CHECKING:
    from midfill_workspace.files import Workspace

IGNORE_FILES = frozenset({".gitignore", ".midfillignore", "exclude"})
"""A file of such a name that changed may change what is ignored."""

UNWRITTEN = frozenset({"git", "gitlens", "fugitive", "output", "debug", "vscode-local-history", "vscode-terminal"})
"""Schemes of views that nobody types into. All others are completed, by what the editor sends of them."""

IGNORE_GLOB = "**/{.gitignore,.midfillignore,.git/info/exclude}"
"""What clients are asked to watch: without that, ignore files are read again when a document is opened or saved."""


class Permits:
    """The rules of one window. It reads ignore files, so it is asked at open, at save and at their changes, not per key."""

    def __init__(self) -> None:
        self._folders: tuple[Path, ...] = ()
        self._workspaces: dict[Path, Workspace] = {}
        self._rules = exclusion.Rules()
        self._sends_ignored = False
        self._disabled: frozenset[Path] = frozenset()
        self._told: dict[tuple[Path, str], bool] = {}

    def set_folders(self, uris: Sequence[str]) -> None:
        self._folders = tuple(map(disk_path, filter(is_file, uris)))
        self.forget()

    def configure(self, settings: Settings) -> None:
        self._rules = exclusion.Rules(
            globs=settings.exclude,
            languages=settings.disabled_languages,
            limit_chars=settings.max_file_chars,
        )
        self._sends_ignored = settings.send_ignored_files
        named = {disk_path(folder) for folder in settings.disabled_folders}
        self._disabled = frozenset(named | {Path(os.path.realpath(folder)) for folder in named})
        self.forget()

    def is_disabled(self, uri: str) -> bool:
        """Whether the settings switch off the folder it lies in, or is, or the one that a link of it leads to."""
        if not self._disabled:
            return False
        path = disk_path(uri)
        places = (path, Path(os.path.realpath(path))) if is_file(uri) else (path,)
        return any(place.is_relative_to(folder) for place in places for folder in self._disabled)

    @property
    def rules(self) -> exclusion.Rules:
        """What the settings exclude besides the built-in rules."""
        return self._rules

    def may_tell(self, uri: str, path: str) -> bool:
        """Whether a piece of this file of the same folder may be sent along with a document."""
        folder = self._around(disk_path(uri))
        if folder is None:
            return True
        if (folder, path) not in self._told:
            switched_off = self.is_disabled(str(folder / path))
            self._told[folder, path] = not switched_off and self._workspace(folder).allowed(path)
        return self._told[folder, path]

    def forget(self) -> None:
        """Ignore files may have changed, or a link may lead elsewhere."""
        self._workspaces.clear()
        self._told.clear()

    def reason(self, document: Document) -> str:
        """A key of `exclusion.REASONS`, or "" when the document may be sent."""
        return self._by_text(document) or self._by_place(document.uri)

    def _by_text(self, document: Document) -> str:
        size_chars = sum(map(len, document.lines))
        longest = max(map(len, document.lines))
        reason = exclusion.excluded(document.path, size_chars, longest, document.language, self._rules)
        return reason or ("binary" if any("\0" in line for line in document.lines) else "")

    def _by_place(self, uri: str) -> str:
        if self.is_disabled(uri):
            return "disabled_folder"
        path = disk_path(uri)
        folder = self._around(path)
        if folder is not None:
            reason = self._inside(path, folder)
        elif is_file(uri) and path.name:
            reason = self._alone(path)
        else:
            # Nothing of this machine's disk; Neovim's unnamed buffers are files without a path.
            reason = _by_name(path)
        return reason or ("not_written" if scheme(uri) in UNWRITTEN else "")

    def _inside(self, path: Path, folder: Path) -> str:
        reason = self._workspace(folder).reason(path.relative_to(folder).as_posix())
        if reason != "symlink_outside":
            return reason
        # It may lead into another folder of this window, whose rules then count.
        real = Path(os.path.realpath(path))
        other = next((root for root in self._folders if real.is_relative_to(os.path.realpath(root))), None)
        if other is None:
            return reason
        return self._workspace(other).reason(real.relative_to(os.path.realpath(other)).as_posix())

    def _alone(self, path: Path) -> str:
        """Of a file outside of all folders: by its own name and by that of what it leads to, each in its own place."""
        for name in dict.fromkeys((path, Path(os.path.realpath(path)))):
            reason = _by_name(name) or self._workspace(name.parent).reason(name.name)
            if reason and reason != "symlink_outside":
                return reason
        return ""

    def _around(self, path: Path) -> Path | None:
        return max(filter(path.is_relative_to, self._folders), key=lambda folder: len(folder.parts), default=None)

    def _workspace(self, folder: Path) -> "Workspace":
        # Imported with the first document: it costs the start of the server some milliseconds.
        from midfill_workspace.files import Workspace

        if folder not in self._workspaces:
            self._workspaces[folder] = Workspace(folder, self._rules, self._sends_ignored)
        return self._workspaces[folder]


def _by_name(path: Path) -> str:
    """By the built-in rules alone."""
    return exclusion.excluded(path.as_posix().lstrip("/"), 0, 0, "", BUILT_IN) or ""


BUILT_IN = exclusion.Rules()
