"""What the server asks of the editor: to tell of changes, of settings, and to show progress. Nobody waits for it."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from lsprotocol import types

from midfill_lsp.indexer import WATCHED
from midfill_lsp.permits import IGNORE_GLOB
from midfill_lsp.progress import Step
from midfill_lsp.transport import Server

SECTION = "midfill"
"""Of the editor's settings, the part that is ours."""


class Asking(Server):
    """A server that asks only for what the client says it can do."""

    pulls = False
    """Whether the client is asked for its settings: one that has sent options sends what changes of them, too."""

    def ask(self, method: str, params: object, answered: Callable[[Any], None]) -> None:
        """A request to the editor that nobody waits for; one that fails counts as not made."""

        def settle(future: Future[Any]) -> None:
            if not future.cancelled() and future.exception() is None:
                answered(future.result())

        self.protocol.send_request(method, params).add_done_callback(settle)

    def register(self, *, index: bool) -> None:
        """Ask the editor to tell what changes outside of it; not every one can.

        Inline completion itself is not registered so: it is for every document, which the capability says at once.
        """
        workspace = self.client_capabilities.workspace
        watching = workspace.did_change_watched_files if workspace else None
        configuring = workspace.did_change_configuration if workspace else None
        wanted: list[types.Registration] = []
        if watching and watching.dynamic_registration:
            wanted.append(_watching(index=index))
        if self.pulls and configuring and configuring.dynamic_registration:
            method = types.WORKSPACE_DID_CHANGE_CONFIGURATION
            wanted.append(types.Registration("midfill.settings", method, {"section": SECTION}))
        if wanted:
            self.ask(types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams(wanted), _no_matter)

    def pull_settings(self, take: Callable[[Any], None]) -> None:
        """Ask the editor for its settings, where it can tell; until it has answered those of before hold."""
        workspace = self.client_capabilities.workspace
        if workspace and workspace.configuration:
            params = types.ConfigurationParams([types.ConfigurationItem(section=SECTION)])
            self.ask(types.WORKSPACE_CONFIGURATION, params, lambda answer: take(next(iter(answer), None)))

    def create_progress(self, token: str, created: Callable[[], None]) -> None:
        window = self.client_capabilities.window
        if window and window.work_done_progress:
            params = types.WorkDoneProgressCreateParams(token)
            self.ask(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params, lambda _: created())

    def tell_progress(self, token: str, step: Step) -> None:
        self.protocol.notify(types.PROGRESS, types.ProgressParams(token, step))


def _watching(*, index: bool) -> types.Registration:
    globs = (IGNORE_GLOB, *((WATCHED,) if index else ()))
    watchers = [types.FileSystemWatcher(glob_pattern=glob) for glob in globs]
    options = types.DidChangeWatchedFilesRegistrationOptions(watchers=watchers)
    return types.Registration("midfill.files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)


def _no_matter(_: object) -> None:
    """The answer says nothing that is not known."""
