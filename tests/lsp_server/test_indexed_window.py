"""A window with an index, as the session sees it: it begins late, shows what it does, and can be switched off."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from midfill_lsp import status
from midfill_lsp.indexer import Indexer
from midfill_lsp.session import Session
from midfill_lsp.status import Status
from support.daemons import soon
from support.index import indexed, write
from support.scripted_client import MODEL, ScriptedClient

WAIT_S = 30.0


class Silent(Indexer):
    """Starts no process; a test plays what its worker does."""

    async def _keep(self) -> None:
        await asyncio.Event().wait()


@dataclass(slots=True)
class Window:
    session: Session
    root: Path
    statuses: list[Status] = field(default_factory=list)

    def is_indexing(self) -> bool:
        return self.session.indexer._keeping is not None


@asynccontextmanager
async def window(folder: Path, options: Any, indexer: Callable[[Path, Any], Indexer]) -> AsyncIterator[Window]:
    it = indexed(folder)
    statuses: list[Status] = []
    client = ScriptedClient()
    session = Session(client, statuses.append, print, indexer=indexer(it.cache, os.environ))
    session.initialize(
        types.InitializeParams(
            capabilities=types.ClientCapabilities(), initialization_options=options, root_uri=it.root.as_uri()
        ),
        "utf-16",
    )
    await soon(lambda: session.desk.link.model == MODEL)
    try:
        yield Window(session, it.root, statuses)
    finally:
        await session.close()


async def test_it_begins_once_the_editor_has_its_answer(tmp_path: Path) -> None:
    async with window(tmp_path, {}, Silent) as it:
        assert not it.is_indexing()
        it.session.initialized()
        assert it.is_indexing()
    assert not it.is_indexing()


async def test_it_can_be_switched_off_and_on(tmp_path: Path) -> None:
    async with window(tmp_path, {"index": False}, Silent) as it:
        it.session.initialized()
        assert not it.is_indexing()
        it.session.configure({"index": True})
        assert it.is_indexing()
        it.session.configure({"index": False})
        assert not it.is_indexing()


async def test_the_status_tells_what_it_does(tmp_path: Path) -> None:
    async with window(tmp_path, {}, Silent) as it:
        it.session.initialized()
        await soon(lambda: it.session.status.state == "ready")
        told = len(it.statuses)
        for progress in ("indexing 1 of 2 files", "indexing 1 of 2 files", ""):
            it.session.indexer.on_progress(progress)
        assert [each.reason for each in it.statuses[told:]] == ["indexing 1 of 2 files", ""]
        assert {each.state for each in it.statuses[told:]} == {"ready"}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (Status("ready"), "indexing"),
        (Status("ready", "the daemon rests"), "the daemon rests"),
        (Status("slow", "the model is slow"), "the model is slow"),
        (Status("error"), ""),
    ],
)
def test_progress_hides_nothing_that_matters(told: Status, reason: str) -> None:
    assert status.with_progress(told, "indexing").reason == reason


async def test_a_real_worker_indexes_the_windows_folder_and_follows_its_saves(tmp_path: Path) -> None:
    heard = asyncio.Condition()

    class Watched(Indexer):
        async def _receive(self, message: Any, cache: Path) -> None:
            await super()._receive(message, cache)
            async with heard:
                heard.notify_all()

    async with window(tmp_path, {}, Watched) as it, asyncio.timeout(WAIT_S):
        it.session.initialized()
        uri = (it.root / "app/model.py").as_uri()

        def names() -> list[str]:
            found = it.session.indexer.project(uri)
            outline = found[0].outline(found[1]) if found else None
            return [each.name for each in outline.definitions] if outline else []

        async with heard:
            await heard.wait_for(lambda: names() == ["Order", "total"])
            write(it.root, {"app/model.py": "class Basket: ...\n"})
            it.session.saved(uri)
            await heard.wait_for(lambda: names() == ["Basket"])
