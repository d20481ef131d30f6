"""`python -m bench.replay.virtual`: the replay in one process and in virtual time, so that nothing waits and nothing is noise.

The language server's session, its rivals, the typist and the model are the ones of the real replay; transport, daemon
and processes are left out. A thousand characters take about a second, and the same figures come out every time: it is
there to try out decisions and to hold them. What the rest costs only the real replay tells.
"""

import argparse
import asyncio
import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsprotocol import converters, types

from bench.references import base
from bench.references.base import Place
from bench.replay import generation, oracle, passages, report
from bench.replay.dialect import INLINE
from bench.replay.editor import Editor
from bench.replay.figures import Figures, figures
from bench.replay.plan import PROFILES, Call, Plan
from bench.replay.runs import Setting
from bench.replay.session import LAST_ANSWERS_S, OPEN_S, Mode, Record
from bench.replay.typist import Typist
from bench.virtual_time import now_s, run_virtually
from midfill_cli.stdio_client import LspError, Request
from midfill_daemon.client import Client, Tool
from midfill_daemon.contract import Delta, Event, InlineModel, Raw, Result, Status
from midfill_daemon.errors import ProviderError
from midfill_daemon.paths import Paths
from midfill_lsp.machine import Machine, Reading
from midfill_lsp.session import Session

PIPE_S, DAEMON_S = 0.001, 0.004
"""What a message to a server, and a call through the daemon, took in the real replay."""

CONVERTER = converters.get_converter()
NOWHERE = Paths(*[Path("/nonexistent")] * 4)
MODEL = InlineModel(ready=True, name="bench", revision="bench", prompt_tokens=2048, prefill_tokens_s=4000.0)
CANCELLED = -32800


@dataclass(slots=True)
class Model:
    """The backend of the replay without its HTTP."""

    plan: Plan
    calls: list[Call] = field(default_factory=list)

    async def pieces(self, prefix: str, limit_tokens: int, stops: list[str]) -> AsyncGenerator[str, None]:
        """Raises ProviderError where the profile has failures. Closing it ends the generation."""
        call, profile = Call(now_s(), prefix[-oracle.TAIL_CHARS :]), self.plan.profile
        self.calls.append(call)
        number = len(self.calls)
        if generation.fails(self.plan, number):
            await asyncio.sleep(profile.first_s)
            call.failed, call.ended_s = True, now_s()
            raise ProviderError("made to fail")
        text = oracle.MODELS[profile.model](prefix, self.plan.passage, self.plan.seed)
        tokens = oracle.cut(text, limit_tokens, stops)
        async with aclosing(generation.generate(self.plan, call, number, tokens, now_s)) as texts:
            async for piece in texts:
                yield piece


class Pipe(ABC):
    """What the editor speaks to: each message arrives a moment later, and requests are answered by a task each."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def notify(self, method: str, params: Any = None) -> None:
        asyncio.get_running_loop().call_later(PIPE_S, self.told, method, params)

    def request(self, _: str, params: Any = None) -> Request:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        # Whether it is an error is of no interest to an editor that has typed on.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._tasks.append(asyncio.create_task(self._answer(params, answer)))
        return Request(len(self._tasks) - 1, answer)

    def cancel(self, request_id: int | str) -> None:
        asyncio.get_running_loop().call_later(PIPE_S, self._tasks[int(request_id)].cancel)

    async def _answer(self, params: Raw, answer: asyncio.Future[Any]) -> None:
        try:
            await asyncio.sleep(PIPE_S)
            found = await self.asked(params)
            await asyncio.sleep(PIPE_S)
            answer.set_result(found)
        except asyncio.CancelledError:
            answer.set_exception(LspError(CANCELLED, "cancelled"))
            raise

    @abstractmethod
    def told(self, method: str, params: Any) -> None:
        """A notification has arrived."""

    @abstractmethod
    async def asked(self, params: Raw) -> Any:
        """The result of a request for suggestions."""


class ModelClient(Client):
    """The daemon's client without the daemon."""

    def __init__(self, model: Model) -> None:
        super().__init__(NOWHERE, {}, start=False)
        self._model = model

    async def run(
        self, task: str, request: Raw, tools: Mapping[str, Tool] | None = None
    ) -> AsyncGenerator[Event, None]:
        yield Status("revision", MODEL.revision)
        await asyncio.sleep(DAEMON_S)
        stops = ["\n"] if request["shape"] == "line" else []
        async with aclosing(self._model.pieces(request["prefix"], request["max_tokens"], stops)) as pieces:
            async for piece in pieces:
                yield Delta(piece)
        yield Result()


class AtRest(Machine):
    def reading(self) -> Reading:
        return Reading()


class Midfill(Pipe):
    """The session of `midfill-lsp`, as its handlers use it."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._session = Session(ModelClient(model), lambda _: None, lambda _: None, clock=now_s)
        self._session.desk.link.model = MODEL
        self._session.desk.machine = AtRest()

    def told(self, method: str, params: Any) -> None:
        if method == types.TEXT_DOCUMENT_DID_OPEN:
            self._session.opened(CONVERTER.structure(params["textDocument"], types.TextDocumentItem))
        elif method == types.TEXT_DOCUMENT_DID_CHANGE:
            self._session.changed(CONVERTER.structure(params, types.DidChangeTextDocumentParams))

    async def asked(self, params: Raw) -> Any:
        asked = CONVERTER.structure(params, types.InlineCompletionParams)
        return CONVERTER.unstructure(await self._session.inline_completion(asked))


class Reference(Pipe):
    """One of the servers that Midfill is compared with, on the text as the editor has it."""

    def __init__(self, model: Model, name: str) -> None:
        super().__init__()
        self._model, self._text = model, ""
        base.pieces = self._pieces
        # Each keeps its cache and its calls in its module.
        self._suggest = base.ask if name == "naive" else _afresh(name).suggest

    async def _pieces(self, place: Place) -> AsyncGenerator[str, None]:
        try:
            async with aclosing(self._model.pieces(place.prefix, base.MAX_TOKENS, [])) as pieces:
                async for piece in pieces:
                    yield piece
        except ProviderError:
            return

    def told(self, method: str, params: Any) -> None:
        if method == types.TEXT_DOCUMENT_DID_OPEN:
            self._text = params["textDocument"]["text"]
        elif method == types.TEXT_DOCUMENT_DID_CHANGE:
            (change,) = params["contentChanges"]
            start, end = (self._offset(change["range"][side]) for side in ("start", "end"))
            self._text = self._text[:start] + change["text"] + self._text[end:]

    async def asked(self, params: Raw) -> Any:
        caret = self._offset(params["position"])
        before = self._text[max(0, caret - base.PREFIX_CHARS) : caret]
        text = await self._suggest(Place("file", before, self._text[caret : caret + base.SUFFIX_CHARS]))
        span = {"start": params["position"], "end": params["position"]}
        return {"items": [{"insertText": text, "range": span}] if text.strip() else []}

    def _offset(self, position: Mapping[str, int]) -> int:
        lines = self._text.split("\n", position["line"])[: position["line"]]
        return sum(len(line) + 1 for line in lines) + position["character"]


def _afresh(name: str) -> Any:
    return importlib.reload(importlib.import_module(f"bench.references.{name}"))


PIPES: Mapping[str, Callable[[Model], Pipe]] = {
    "midfill": Midfill,
    "naive": lambda model: Reference(model, "naive"),
    "debounce": lambda model: Reference(model, "debounce"),
    "flights": lambda model: Reference(model, "flights"),
}


async def replay(name: str, mode: Mode) -> Record:
    """One passage typed with one server."""
    model, passage = Model(mode.plan), mode.plan.passage
    typist = Typist(passage, mode.plan.seed, mode.accept)
    uri = f"file:///replay/{Path(passage.name).name}"
    editor = Editor(PIPES[name](model), INLINE, passage, mode.gap_s, uri, clock=now_s)
    await asyncio.sleep(OPEN_S)
    while not typist.done:
        await asyncio.sleep(typist.gap_s())
        editor.act(typist.act(editor.shown), typist.at)
    await asyncio.sleep(LAST_ANSWERS_S)
    return Record(
        mode.plan,
        text_ok=editor.text == passage.text,
        events=editor.events,
        answers=editor.answers,
        calls=model.calls,
        failures=editor.failures,
    )


def measure(name: str, modes: list[Mode]) -> Figures:
    return figures([run_virtually(replay(name, mode)) for mode in modes])


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.replay.virtual", description=__doc__)
    parser.add_argument("--profile", choices=tuple(PROFILES), default="flat800")
    parser.add_argument("--servers", default="midfill,debounce,flights", help=f"of {','.join(PIPES)}")
    parser.add_argument("--accept", type=float, nargs="+", default=[0.0, 0.35])
    parser.add_argument("--gap-ms", type=float, nargs="+", default=[0.0, 40.0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--chars", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    plans = [
        Plan(passages.choose(seed, arguments.chars), seed, PROFILES[arguments.profile])
        for seed in range(1, arguments.seeds + 1)
    ]
    results = {
        Setting(arguments.profile, accept, gap_ms): {
            name: measure(name, [Mode(plan, accept, gap_ms / 1000) for plan in plans])
            for name in arguments.servers.split(",")
        }
        for accept in arguments.accept
        for gap_ms in arguments.gap_ms
    }
    print(json.dumps(report.as_json(results)) if arguments.json else report.table(results))


if __name__ == "__main__":
    main()
