"""A window whose time passes only while it waits, with a model that says, for each sample, what a test decides and when."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from lsprotocol import types

from bench.virtual_time import now_s, run_virtually
from midfill_daemon.contract import Raw
from midfill_lsp.machine import Machine, Reading
from midfill_lsp.session import Session
from midfill_lsp.streaming import More
from support.daemons import soon
from support.scripted_client import MODEL, ScriptedClient, Turn

URI = "file:///work/a.py"


class AtRest(Machine):
    def reading(self) -> Reading:
        return Reading()


class Sampling(ScriptedClient):
    """Plays a run for each variant; the turns may be waits in seconds."""

    def __init__(self, said: Mapping[int, list[Any]]) -> None:
        super().__init__()
        self.said = said
        self.in_turn: list[list[Any]] = []
        """What is said before that, one run after the other."""

    async def run(self, task: str, request: Raw, tools: Any = None) -> Any:
        turns: list[Turn] = []
        at_s = 0.0
        for turn in self.in_turn.pop(0) if self.in_turn else self.said.get(request["variant"], [""]):
            if isinstance(turn, float):
                turns.append(held := asyncio.Event())
                at_s += turn
                asyncio.get_running_loop().call_later(at_s, held.set)
            else:
                turns.append(turn)
        self.runs = [turns]
        async for event in super().run(task, request, tools):
            yield event

    @property
    def variants(self) -> list[int]:
        return [request["variant"] for request in self.asked]


@dataclass(slots=True)
class Window:
    client: Sampling
    session: Session
    version: int = 1
    told: list[More] = field(default_factory=list)
    """What was told of suggestions that grow."""
    told_s: list[float] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session.streams.tell = self.tell

    def tell(self, more: More) -> None:
        self.told.append(more)
        self.told_s.append(round(now_s(), 2))

    def change(self, text: str) -> None:
        self.version += 1
        change = types.TextDocumentContentChangeWholeDocument(text=text)
        document = types.VersionedTextDocumentIdentifier(version=self.version, uri=URI)
        self.session.changed(types.DidChangeTextDocumentParams(text_document=document, content_changes=[change]))

    def request(
        self, column: int = 4, line: int = 0, *, by_hand: bool = True, selected: Any = None
    ) -> asyncio.Task[Any]:
        kind = types.InlineCompletionTriggerKind.Invoked if by_hand else types.InlineCompletionTriggerKind.Automatic
        params = types.InlineCompletionParams(
            text_document=types.TextDocumentIdentifier(uri=URI),
            position=types.Position(line, column),
            context=types.InlineCompletionContext(trigger_kind=kind, selected_completion_info=selected),
        )
        return asyncio.create_task(self.session.inline_completion(params))

    async def items(self, column: int = 4, **how: Any) -> list[types.InlineCompletionItem]:
        began_s = now_s()
        answer = await self.request(column, **how)
        self.took_s.append(round(now_s() - began_s, 2))
        assert answer is not None
        return list(answer.items)

    async def ask_at_end(self, *, by_hand: bool = False) -> str:
        """The suggestion at the end of the document."""
        lines = self.session.documents.all()[0].lines
        items = await self.items(len(lines[-1]), line=len(lines) - 1, by_hand=by_hand)
        return str(items[0].insert_text) if items else ""

    async def texts(self, column: int = 4, **how: Any) -> list[Any]:
        return [item.insert_text for item in await self.items(column, **how)]


@asynccontextmanager
async def _window(said: Mapping[int, list[Any]], text: str, options: Mapping[str, Any]) -> AsyncIterator[Window]:
    client = Sampling(said)
    session = Session(client, lambda _: None, lambda _: None, clock=now_s)
    params = types.InitializeParams(
        types.ClientCapabilities(), initialization_options={"debounceMs": 0, "speculation": "off", **options}
    )
    session.initialize(params, "utf-16")
    # A look at the real one is taken in a thread, which knows no virtual time.
    session.desk.machine = AtRest()
    await soon(lambda: session.desk.link.model == MODEL)
    session.opened(types.TextDocumentItem(uri=URI, language_id="python", version=1, text=text))
    try:
        yield Window(client, session)
    finally:
        await session.close()


def check(
    said: Mapping[int, list[Any]],
    work: Callable[[Window], Awaitable[None]],
    text: str = "x = ",
    **options: Any,
) -> Window:
    """Do this in a window whose time passes only while it waits."""

    async def begin() -> Window:
        async with _window(said, text, options) as it:
            await work(it)
            return it

    return run_virtually(begin())
