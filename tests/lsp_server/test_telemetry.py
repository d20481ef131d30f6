"""A window tells its daemon what became of suggestions, in numbers; a user who wants none of that is obeyed."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from lsprotocol import types

from midfill_daemon.contract import InlineModel, Raw
from midfill_lsp.kept import CHECKS_S
from midfill_lsp.session import Session
from midfill_lsp.suggestion import VISIBLE_S
from support.daemons import Clock, soon
from support.scripted_client import MODEL, Nap, ScriptedClient, healthy

ROOT = "file:///work/secret_project"
URI = f"{ROOT}/secret_folder/a.py"
TOP = types.Position(0, 0)

NAMES = {
    *("by_hand", "chars", "complete", "language", "length", "model", "outcome", "reason", "reused", "revision"),
    *("others", "redacted", "rules", "shape", "source", "stages_ms", "told_files", "total_ms", "visible_ms"),
    *("after_s", "share"),
}
"""Everything that may be told."""


@dataclass(slots=True)
class Window:
    """One document that is asked about at its end."""

    client: ScriptedClient
    session: Session
    clock: Clock
    text: str = ""
    version: int = 1

    def open(self, text: str, language: str = "python") -> None:
        self.text = text
        self.session.opened(types.TextDocumentItem(uri=URI, language_id=language, version=1, text=text))

    def insert(self, text: str) -> None:
        end = self.end
        self.text, self.version = self.text + text, self.version + 1
        change = types.TextDocumentContentChangePartial(range=types.Range(end, end), text=text)
        document = types.VersionedTextDocumentIdentifier(version=self.version, uri=URI)
        self.session.changed(types.DidChangeTextDocumentParams(text_document=document, content_changes=[change]))

    @property
    def end(self) -> types.Position:
        lines = self.text.split("\n")
        return types.Position(len(lines) - 1, len(lines[-1]))

    def ask(self, *, by_hand: bool = False, selected: types.SelectedCompletionInfo | None = None) -> asyncio.Task[Any]:
        kind = types.InlineCompletionTriggerKind.Invoked if by_hand else types.InlineCompletionTriggerKind.Automatic
        context = types.InlineCompletionContext(trigger_kind=kind, selected_completion_info=selected)
        document = types.TextDocumentIdentifier(uri=URI)
        params = types.InlineCompletionParams(text_document=document, position=self.end, context=context)
        return asyncio.create_task(self.session.inline_completion(params))

    async def item(self, **how: Any) -> types.InlineCompletionItem:
        answer = await self.ask(**how)
        assert answer is not None
        assert answer.items, self.session.explain()
        item: types.InlineCompletionItem = answer.items[0]
        return item

    async def why(self) -> str:
        answer = await self.ask()
        assert answer is not None
        assert answer.items == []
        last = self.session.feedback.last
        assert last
        return last.reason


def name_of(item: types.InlineCompletionItem) -> str:
    assert item.command
    assert item.command.arguments
    return str(item.command.arguments[0])


@asynccontextmanager
async def window(*runs: Any, model: InlineModel = MODEL, options: Raw | None = None) -> AsyncIterator[Window]:
    client, clock = ScriptedClient(*runs), Clock()
    client.handshakes = [healthy(model)]
    session = Session(client, lambda _: None, lambda _: None, clock)
    folders = [types.WorkspaceFolder(uri=ROOT, name="w")]
    chosen = {"debounceMs": 0, **(options or {})}
    session.initialize(
        types.InitializeParams(types.ClientCapabilities(), workspace_folders=folders, initialization_options=chosen),
        "utf-16",
    )
    await soon(lambda: session.desk.link.model == model)
    try:
        yield Window(client, session, clock)
    finally:
        await session.close()


def rows_of(client: ScriptedClient) -> Sequence[Any]:
    return [row for batch in client.posted for row in batch]


async def worked_in(it: Window, language: str = "python") -> None:
    """A suggestion is accepted, another dismissed, and the file is closed."""
    it.open("secret_text = ", language)
    item = await it.item()
    it.clock.now_s += VISIBLE_S
    it.insert("secret_value")
    it.session.feedback.accepted(name_of(item))
    it.insert("\n")
    await it.item()
    it.clock.now_s += VISIBLE_S
    it.session.dismissed("")
    it.session.closed(URI)


async def test_a_window_tells_what_became_of_its_suggestions() -> None:
    async with window(["secret_value"]) as it:
        await worked_in(it)
    kinds = [row["kind"] for row in rows_of(it.client)]
    assert kinds == ["trace", "trace", "shown", "accepted", "shown", "dismissed", "kept", "kept", "kept"]
    accepted = next(row["data"] for row in rows_of(it.client) if row["kind"] == "accepted")
    assert (accepted["chars"], accepted["source"], accepted["revision"]) == (12, "model", "r1")


async def test_nothing_of_the_text_and_no_path_is_told() -> None:
    async with window(["secret_value"], model=replace(MODEL, name="/home/secret_user/m.gguf")) as it:
        await worked_in(it, language="secret language")
    rows = rows_of(it.client)
    assert len(rows) == 9
    assert "secret" not in json.dumps(rows)
    assert {name for row in rows for name in row["data"]} <= NAMES


@pytest.mark.parametrize("when", ["at the start", "later"])
async def test_who_wants_none_of_it_is_obeyed(when: str) -> None:
    async with window(["secret_value"], options={"telemetry": False} if when == "at the start" else {}) as it:
        it.session.configure({"debounceMs": 0, "telemetry": False})
        await worked_in(it)
        assert "A suggestion of 12 characters" in it.session.explain()
    assert rows_of(it.client) == []


async def test_of_a_document_that_is_out_of_step_nothing_more_is_told() -> None:
    async with window(["secret_value"]) as it:
        it.open("x = ")
        await it.item()
        it.insert("secret_value")
        it.session.lost_notification(types.TEXT_DOCUMENT_DID_CHANGE, {"textDocument": {"uri": URI}})
    kept = [row["data"]["share"] for row in rows_of(it.client) if row["kind"] == "kept"]
    assert kept == [None] * len(CHECKS_S)


async def test_a_window_tells_while_it_is_open() -> None:
    """All of the way: the task that posts asks for what has settled, and looks at what is kept."""
    nap = Nap()
    async with window(["secret_value"]) as it:
        it.open("x = ")
        await it.item()
        it.insert("secret_value")
        it.clock.now_s += CHECKS_S[0]
        posting = asyncio.create_task(it.session.feedback.keep_posting(it.client, nap.sleep))
        await soon(lambda: bool(nap.slept_s))
        nap.end()
        await soon(lambda: bool(it.client.posted))
        posting.cancel()
        told = [(row["kind"], row["data"].get("share")) for row in it.client.posted[-1]]
    assert told == [("trace", None), ("shown", None), ("accepted", None), ("kept", 1.0)]


async def test_the_selected_entry_of_a_list_is_followed_from_the_caret() -> None:
    async with window(["t(x)"]) as it:
        it.open("pri")
        selected = types.SelectedCompletionInfo(range=types.Range(TOP, types.Position(0, 3)), text="prin")
        item = await it.item(selected=selected)
        assert item.insert_text == "print(x)"
        it.insert("nt(x)")
    told = {row["kind"]: row["data"] for row in rows_of(it.client)}
    assert (told["accepted"]["chars"], told["accepted"]["length"]) == (5, 5)


# --- dismissed ------------------------------------------------------------------------------------


async def test_what_was_dismissed_comes_back_by_hand_or_with_the_next_key() -> None:
    async with window(["value"]) as it:
        it.open("x = ")
        await it.item()
        it.session.dismissed("")
        assert await it.why() == "dismissed"
        assert "You dismissed it here" in it.session.explain()
        assert (await it.item(by_hand=True)).insert_text == "value"
        assert await it.why() == "dismissed"
        it.insert("v")
        assert (await it.item()).insert_text == "alue"


FAST = replace(MODEL, prefill_tokens_s=5000.0)
"""A model that is read on when the first line was answered."""


@pytest.mark.parametrize("named", [True, False])
async def test_a_dismissal_closes_what_still_runs(named: bool) -> None:
    async with window(["first\n", asyncio.Event()], model=FAST) as it:
        it.open("x = ")
        item = await it.item()
        assert it.session.desk.flights.is_running(URI)
        it.session.dismissed(name_of(item) if named else "")
        await soon(lambda: it.client.closed == 1)
        assert not it.session.desk.flights.is_running(URI)


async def test_a_dismissal_that_names_nothing_known_does_nothing() -> None:
    async with window(["first\n", asyncio.Event()], model=FAST) as it:
        it.session.dismissed("")
        it.open("x = ")
        await it.item()
        it.session.dismissed("unknown")
        assert it.session.desk.flights.is_running(URI)
        assert (await it.item()).insert_text == "first"
