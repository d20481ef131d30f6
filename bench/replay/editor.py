"""What an editor does between the keys and a server: changes, requests, cancelling, and the grey text."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.replay.dialect import Dialect, Found, Position
from bench.replay.oracle import TAIL_CHARS
from bench.replay.passages import Passage
from bench.replay.typist import Action
from midfill_cli.stdio_client import LspError, Request, ServerGone

PROMPT_S = 0.15
"""Within this time after a key a suggestion counts as there."""

CROSSED_S = 0.025
"""An answer that comes this soon after a key may have been on its way already."""

KEPT_CHARS = 2_000
"""Of the text before an answer: more than a call's text may be long."""


class Wire(Protocol):
    """How the editor speaks to a server."""

    def notify(self, method: str, params: Any = None) -> None: ...
    def request(self, method: str, params: Any = None) -> Request: ...
    def cancel(self, request_id: int | str) -> None: ...


@dataclass(slots=True)
class Event:
    """One thing the typist did, and what was on screen after it."""

    at_s: float
    kind: str
    tail: str
    """The end of the document up to the caret."""
    expected: str
    """The text that will stand after the caret in the end; "" when what stands before it is going to be erased."""
    shown: str = ""
    """The last suggestion on screen within the time that counts as prompt."""
    shown_late: str = ""
    """The suggestion on screen when the next thing was done."""
    kept_chars: int = 0
    """Characters typed along with a suggestion on screen, or accepted."""


@dataclass(slots=True)
class Answer:
    """What came back for one request."""

    asked_s: float
    came_s: float
    before: str
    """The end of the document up to the caret of the request."""
    text: str
    current: bool
    stale: bool
    after_s: float = 0.0
    """How long after the latest change it came."""


@dataclass(slots=True)
class Editor:
    """One open file with the passage left out; the caret is where it belongs."""

    client: Wire
    dialect: Dialect
    passage: Passage
    gap_s: float
    uri: str
    clock: Callable[[], float] = time.monotonic
    events: list[Event] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    failures: int = 0
    shown: str = ""
    """The grey text at the caret."""
    text: str = field(init=False)
    caret: int = field(init=False)
    _version: int = 0
    _asked: Request | None = None
    _asking: asyncio.TimerHandle | None = None
    _changed_s: float = 0.0

    def __post_init__(self) -> None:
        self.text, self.caret = self.passage.around, self.passage.start
        item = {"uri": self.uri, "languageId": self.passage.language, "version": 0, "text": self.text}
        self.client.notify("textDocument/didOpen", {"textDocument": item})

    def act(self, action: Action, at: int) -> None:
        """Do it in the buffer, on the screen and over the wire; `at` is the place in the file after it."""
        if self.events:
            self.events[-1].shown_late = self.shown
        expected = self.passage.text[at : at + 200] if action.true else ""
        self._change(action.text, action.erased)
        tail = self.text[max(0, self.caret - TAIL_CHARS) : self.caret]
        event = Event(self._changed_s, action.kind, tail, expected)
        along = bool(action.text) and self.shown.startswith(action.text)
        event.kept_chars = len(action.text) if along else 0
        self.shown = self.shown[len(action.text) :] if along else ""
        event.shown = self.shown
        self.events.append(event)
        self._withdraw()
        if self.gap_s:
            self._asking = asyncio.get_running_loop().call_later(self.gap_s, self._ask)
        else:
            self._ask()

    def close(self) -> None:
        self._version += 1
        self._withdraw()
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})

    def _change(self, text: str, erased: int) -> None:
        start = self.caret - erased
        change = {"range": {"start": self._position(start), "end": self._position(self.caret)}, "text": text}
        self.text = self.text[:start] + text + self.text[self.caret :]
        self.caret = start + len(text)
        self._version += 1
        self._changed_s = self.clock()
        document = {"uri": self.uri, "version": self._version}
        self.client.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    def _withdraw(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        if self._asked is not None and not self._asked.future.done():
            self.client.cancel(self._asked.id)

    def _ask(self) -> None:
        params = self.dialect.params(self.uri, self._position(self.caret))
        self._asked = self.client.request(self.dialect.method, params)
        before, version, asked_s = self.text[: self.caret], self._version, self.clock()
        self._asked.future.add_done_callback(lambda future: self._take(future, before, version, asked_s))

    def _take(self, future: asyncio.Future[Any], before: str, version: int, asked_s: float) -> None:
        """The answer to a request: shown when it is for the text as it is now, else only judged."""
        try:
            found = self.dialect.found(future.result(), self._position_in(before))
        except (LspError, ServerGone, asyncio.CancelledError):
            self.failures += version == self._version
            return
        current = version == self._version
        if isinstance(found, Found) and found.text:
            came_s = self.clock()
            answer = Answer(asked_s, came_s, before, found.text, current, stale=False, after_s=came_s - self._changed_s)
            answer.stale = not current and self._disagrees(answer)
            # Of a long file the whole text before every answer would fill the memory.
            answer.before = before[-KEPT_CHARS:]
            self.answers.append(answer)
        if current and isinstance(found, Found):
            self._show(found.text)

    def _show(self, text: str) -> None:
        self.shown = text
        latest = self.events[-1]
        if text and self.clock() - latest.at_s <= PROMPT_S:
            latest.shown = text

    def _disagrees(self, answer: Answer) -> bool:
        suggested, now = answer.before + answer.text, self.text[: self.caret]
        agrees = suggested.startswith(now) or now.startswith(suggested)
        return not agrees and answer.after_s > CROSSED_S

    def _position(self, offset: int) -> Position:
        return self._position_in(self.text[:offset])

    def _position_in(self, before: str) -> Position:
        return {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
