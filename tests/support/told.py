"""A window with an index of its own, a model that reads fast, and what is told to that of other files."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lsprotocol import types

from midfill_lsp.indexer import Indexer
from midfill_lsp.session import Session
from midfill_workspace.languages import language_of
from support.daemons import soon
from support.index import indexed
from support.scripted_client import MODEL, ScriptedClient, healthy

WAIT_S = 30.0
FAST = replace(MODEL, prefill_tokens_s=5000.0)
"""A model that reads fast is told afresh for each request."""


@dataclass(slots=True)
class Window:
    session: Session
    client: ScriptedClient
    root: Path

    def open(self, path: str, text: str) -> str:
        uri = (self.root / path).as_uri()
        self.session.opened(types.TextDocumentItem(uri, language_of(Path(path)), 1, text))
        return uri

    async def told(self, uri: str, line: int) -> str:
        """All that the next request holds of other files."""
        document = self.session.documents.get(uri)
        assert document is not None
        position = types.Position(line, len(document.lines[line].rstrip("\n")))
        context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked)
        self.client.asked.clear()
        await self.session.inline_completion(
            types.InlineCompletionParams(context, types.TextDocumentIdentifier(uri), position)
        )
        asked = next(each for each in self.client.asked if each["max_tokens"])
        return "\n".join(f"{each['path']}\n{each['text']}" for each in asked["snippets"])

    async def known(self, uri: str) -> None:
        """Until the surroundings of a document are there."""
        async with asyncio.timeout(WAIT_S):
            await self.session.briefs.ready()
        assert self.session.briefs.is_known(uri)


@asynccontextmanager
async def window(
    folder: Path, files: Mapping[str, str], variables: Mapping[str, str] | None = None, **options: Any
) -> AsyncIterator[Window]:
    """On a workspace of these files. `variables` are added to the environment of the server."""
    it, client = indexed(folder, files), ScriptedClient(["answer"])
    client.handshakes = [healthy(FAST)]
    session = Session(client, lambda _: None, print, indexer=Indexer(it.cache, {**os.environ, **(variables or {})}))
    capabilities = types.ClientCapabilities()
    params = types.InitializeParams(capabilities, initialization_options=options, root_uri=it.root.as_uri())
    session.initialize(params, "utf-16")
    done = asyncio.Event()
    news = session.indexer.on_news

    def on_news() -> None:
        news()
        done.set()

    session.indexer.on_news = on_news
    session.briefs.sleep = _at_once
    session.initialized()
    await soon(lambda: session.desk.link.model == FAST)
    try:
        if session.desk.settings.index:
            async with asyncio.timeout(WAIT_S):
                await done.wait()
        yield Window(session, client, it.root)
    finally:
        await session.close()


async def _at_once(seconds: float) -> None:
    await asyncio.sleep(0)
