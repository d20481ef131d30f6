"""The pygls shell: one line of wiring per feature, no logic."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from lsprotocol import types

from midfill_daemon.client import Client
from midfill_lsp.asking import Asking
from midfill_lsp.indexer import Indexer
from midfill_lsp.params import optional
from midfill_lsp.progress import Progress
from midfill_lsp.render import ACCEPTED
from midfill_lsp.session import Session
from midfill_lsp.status import Status
from midfill_lsp.streaming import More


class MidfillServer(Asking):
    """A server with the session of its one window."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__("midfill", version("midfill"))
        client = Client.of(environment)
        indexer = Indexer(client.cache, environment)
        indexer.on_first = Progress(self.create_progress, self.tell_progress).report
        self.session = Session(client, self.show_status, self.warn, indexer=indexer)
        self.session.streams.tell = self.show_more

    def show_status(self, status: Status) -> None:
        self.protocol.notify("midfill/status", asdict(status))

    def show_more(self, more: More) -> None:
        self.protocol.notify("midfill/more", asdict(more))

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
    ls.pulls = not params.initialization_options
    ls.session.initialize(params, types.PositionEncodingKind(ls.workspace.position_encoding).value)


def initialized(ls: MidfillServer, _: types.InitializedParams) -> None:
    ls.show_status(ls.session.status)
    ls.session.initialized()
    ls.register(index=ls.session.desk.settings.index)
    if ls.pulls:
        ls.pull_settings(ls.session.configure)


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
    if params.settings is None:
        ls.pull_settings(ls.session.configure)
    else:
        ls.session.configure(params.settings)


def did_change_workspace_folders(ls: MidfillServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
    added, removed = params.event.added, params.event.removed
    ls.session.folders_changed([folder.uri for folder in added], [folder.uri for folder in removed])


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
    ls.session.streams.taken(trace_id)


def partly_accepted(ls: MidfillServer, *arguments: Any) -> None:
    trace_id, chars = optional(arguments, str, int)
    ls.session.feedback.partly_accepted(trace_id or "", chars)


def dismissed(ls: MidfillServer, *arguments: Any) -> None:
    (trace_id,) = optional(arguments, str)
    ls.session.dismissed(trace_id or "")


FEATURES: Mapping[str, Any] = {
    types.INITIALIZE: initialize,
    types.INITIALIZED: initialized,
    types.TEXT_DOCUMENT_DID_OPEN: did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: did_change,
    types.TEXT_DOCUMENT_DID_SAVE: did_save,
    types.TEXT_DOCUMENT_DID_CLOSE: did_close,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: did_change_configuration,
    types.WORKSPACE_DID_CHANGE_WATCHED_FILES: did_change_watched_files,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: did_change_workspace_folders,
    types.TEXT_DOCUMENT_INLINE_COMPLETION: inline_completion,
}

OPTIONS: Mapping[str, Any] = {
    # Without options pygls 2.1.1 does not advertise the capability at all.
    types.TEXT_DOCUMENT_INLINE_COMPLETION: types.InlineCompletionOptions(),
}

COMMANDS: Mapping[str, Any] = {
    "midfill.explain": explain,
    "midfill.status": status,
    ACCEPTED: accepted,
    "midfill.partlyAccepted": partly_accepted,
    "midfill.dismissed": dismissed,
}
