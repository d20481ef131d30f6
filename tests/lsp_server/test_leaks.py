"""No planted secret and no ignored file reaches a model, by any way that leads there: session, daemon, provider."""

import os
from pathlib import Path

import pytest
from lsprotocol import types

from midfill_daemon.client import Client
from midfill_daemon.providers import ModelInfo
from midfill_lsp.session import Session
from support import planted
from support.daemons import Steered, serving, soon
from support.planted import LAYOUTS, Planted

ALL = range(LAYOUTS)
CHOSEN = ALL if os.environ.get("MIDFILL_SOAK") else ALL[7::10]
"""A tenth: 50 of the 500."""

WINDOW = 10
"""So many characters of a secret in a row count as told."""

SLOW = ModelInfo("steered", 8192, slots=2, reads_ahead=True, prefill_tokens_s=100.0)
FAST = ModelInfo("steered", 8192, slots=2, prefill_tokens_s=5000.0)


def opened(session: Session, root: Path, document: Planted) -> str:
    uri = f"{root.as_uri()}/{document.path}"
    session.opened(types.TextDocumentItem(uri=uri, language_id="python", version=1, text=document.text))
    return uri


def typed(session: Session, uri: str, text: str, version: int) -> None:
    change = types.TextDocumentContentChangeWholeDocument(text=text)
    document = types.VersionedTextDocumentIdentifier(version=version, uri=uri)
    session.changed(types.DidChangeTextDocumentParams(text_document=document, content_changes=[change]))


def carets(document: Planted) -> list[types.Position]:
    """The ends of some lines, and inside of what must not leave."""
    lines = document.text.split("\n")
    ends = [types.Position(line, len(lines[line])) for line in (0, 2, len(lines) - 1)]
    hidden = next(line for line, text in enumerate(lines) if document.hidden[0] in text)
    column = lines[hidden].index(document.hidden[0])
    return [*ends, types.Position(hidden, column + 5), types.Position(hidden, column + len(document.hidden[0]))]


async def asked(session: Session, uri: str, position: types.Position) -> None:
    context = types.InlineCompletionContext(trigger_kind=types.InlineCompletionTriggerKind.Invoked)
    document = types.TextDocumentIdentifier(uri=uri)
    await session.inline_completion(
        types.InlineCompletionParams(text_document=document, position=position, context=context)
    )
    session._think_ahead(uri, position)
    session._warm_up(uri, position)
    await soon(lambda: not session.desk.flights.is_running(uri))


async def worked_in(session: Session, root: Path, document: Planted) -> None:
    """Open it, ask at each caret, type a line, save, and ask again."""
    uri = opened(session, root, document)
    for position in carets(document):
        await asked(session, uri, position)
    typed(session, uri, f"{document.text}value = ", 2)
    session.saved(uri)
    await asked(session, uri, types.Position(document.text.count("\n"), len("value = ")))
    session.closed(uri)


def told(hidden: str, sent: str) -> bool:
    return any(hidden[at : at + WINDOW] in sent for at in range(max(1, len(hidden) - WINDOW + 1)))


@pytest.mark.soak
@pytest.mark.parametrize("info", [SLOW, FAST], ids=["slow", "fast"])
@pytest.mark.parametrize("layout", CHOSEN)
async def test_nothing_planted_reaches_the_provider(tmp_path: Path, layout: int, info: ModelInfo) -> None:
    root = tmp_path / "w"
    documents = planted.plant(root, layout)
    model = Steered([["one\ntwo\n"]], info=info)
    async with serving(tmp_path / "h", model) as daemon:
        session = Session(Client(daemon.paths, {}, start=False), lambda _: None, lambda _: None)
        options = {"debounceMs": 0, "speculation": "always", "clientWaitMs": 0}
        folders = [types.WorkspaceFolder(uri=root.as_uri(), name="w")]
        capabilities = types.ClientCapabilities()
        session.initialize(
            types.InitializeParams(capabilities, workspace_folders=folders, initialization_options=options), "utf-32"
        )
        await soon(lambda: session.desk.link.model.ready)
        try:
            for document in documents:
                await worked_in(session, root, document)
        finally:
            await session.close()
    sent = "\n".join(generation.prompt + generation.suffix for generation in model.generations)
    leaks = [(document.path, hidden) for document in documents for hidden in document.hidden if told(hidden, sent)]
    assert leaks == []
    # Of what may be sent the rest has been: the test would say nothing of a model that is never asked.
    assert [document.path for document in documents if document.seen not in sent] == []
    assert any(document.seen for document in documents)
