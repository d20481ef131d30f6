"""The pygls shell: one line of wiring per feature, no logic."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from lsprotocol import types

from midfill_daemon.client import Client
from midfill_lsp.render import ACCEPTED
from midfill_lsp.session import Session
from midfill_lsp.status import Status
from midfill_lsp.transport import Server


class MidfillServer(Server):
    """A server with the session of its one window."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__("midfill", version("midfill"))
        self.session = Session(Client.of(environment), self.show_status, self.warn)

    def show_status(self, status: Status) -> None:
        self.protocol.notify("midfill/status", asdict(status))

    def warn(self, message: str) -> None:
        self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, message))


def build(environment: Mapping[str, str]) -> MidfillServer:
    """The server with all its features."""
    server = MidfillServer(environment)
    for method, handler in FEATURES.items():
        server.feature(method, OPTIONS.get(method))(handler)
    for name, command in COMMANDS.items():
        server.command(name)(command)
    server.protocol.on_bad_notification = server.session.lost_notification
    return server


def initialize(ls: MidfillServer, params: types.InitializeParams) -> None:
    ls.session.initialize(params, str(ls.workspace.position_encoding))


def initialized(ls: MidfillServer, _: types.InitializedParams) -> None:
    ls.show_status(ls.session.status)
    if ls.session.watches_files:
        ls.client_register_capability(types.RegistrationParams([WATCHERS]))


def did_open(ls: MidfillServer, params: types.DidOpenTextDocumentParams) -> None:
    ls.session.opened(params.text_document)


def did_change(ls: MidfillServer, params: types.DidChangeTextDocumentParams) -> None:
    ls.session.changed(params)


def did_save(ls: MidfillServer, params: types.DidSaveTextDocumentParams) -> None:
    ls.session.saved(params.text_document.uri)


def did_close(ls: MidfillServer, params: types.DidCloseTextDocumentParams) -> None:
    ls.session.closed(params.text_document.uri)


def did_change_watched_files(ls: MidfillServer, params: types.DidChangeWatchedFilesParams) -> None:
    ls.session.files_changed([change.uri for change in params.changes])


def did_change_configuration(ls: MidfillServer, params: types.DidChangeConfigurationParams) -> None:
    ls.session.configure(params.settings)


async def inline_completion(
    ls: MidfillServer, params: types.InlineCompletionParams
) -> types.InlineCompletionList | None:
    return await ls.session.inline_completion(params)


def explain(ls: MidfillServer) -> str:
    return ls.session.explain()


def status(ls: MidfillServer) -> dict[str, Any]:
    return asdict(ls.session.status)


def accepted(ls: MidfillServer, trace_id: str) -> None:
    ls.session.feedback.accepted(trace_id)


FEATURES: Mapping[str, Any] = {
    types.INITIALIZE: initialize,
    types.INITIALIZED: initialized,
    types.TEXT_DOCUMENT_DID_OPEN: did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: did_change,
    types.TEXT_DOCUMENT_DID_SAVE: did_save,
    types.TEXT_DOCUMENT_DID_CLOSE: did_close,
    types.WORKSPACE_DID_CHANGE_WATCHED_FILES: did_change_watched_files,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: did_change_configuration,
    types.TEXT_DOCUMENT_INLINE_COMPLETION: inline_completion,
}

WATCHERS = types.Registration(
    id="midfill-ignore-files",
    method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
    register_options=types.DidChangeWatchedFilesRegistrationOptions(
        watchers=[types.FileSystemWatcher(glob_pattern="**/{.gitignore,.midfillignore,.git/info/exclude}")]
    ),
)
"""Asked for where the client can: without it, ignore files are read again when a document is opened or saved."""

OPTIONS: Mapping[str, Any] = {
    # Without options pygls 2.1.1 does not advertise the capability at all.
    types.TEXT_DOCUMENT_INLINE_COMPLETION: types.InlineCompletionOptions(),
}

COMMANDS: Mapping[str, Any] = {"midfill.explain": explain, "midfill.status": status, ACCEPTED: accepted}
