"""One document and its caret, in front of a `Watch`: what a user and an editor do, one call each."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lsprotocol import types

from midfill_lsp import typed
from midfill_lsp.documents import Documents
from midfill_lsp.suggestion import Event, Origin, Suggestion, is_at_once
from midfill_lsp.watch import Watch

URI = "file:///w/a.py"
ORIGIN = Origin("python", "model", "m", "r1")

Step = tuple[object, ...]
"""The name of a method of `Screen`, and its arguments."""


@dataclass(slots=True)
class Screen:
    """`caret` is an offset into the text."""

    text: str
    caret: int
    documents: Documents = field(default_factory=Documents)
    watch: Watch = field(default_factory=Watch)
    now_s: float = 0.0
    given: int = 0
    told: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.documents.encoding = "utf-32"
        self.open()

    def play(self, steps: Sequence[Step]) -> list[Event]:
        """All that is told in the end, the window closed."""
        for name, *arguments in steps:
            getattr(self, str(name))(*arguments)
        self.told += self.watch.close(self.now_s, self.lines_of)
        return self.told

    # --- the server

    def give(self, text: str, replaced: int = 0, *others: str) -> None:
        """Answer a suggestion, or several; the ids are "1", "2" and so on."""
        self.given += 1
        snapshot = self.documents.snapshot(URI, self.position(self.caret))
        assert snapshot is not None
        place = typed.place_of(snapshot)
        self.watch.answered(Suggestion(str(self.given), URI, ORIGIN, place, text, replaced, self.now_s, others))

    def grow(self, name: str, rest: str) -> None:
        self.watch.grew(name, rest)

    def clear(self) -> None:
        self.watch.cleared(URI, self.now_s)

    def lines_of(self, uri: str) -> Sequence[str] | None:
        document = self.documents.get(uri)
        return document.lines if document else None

    # --- the editor

    def open(self) -> None:
        self.watch.closed(URI, self.now_s)
        self.documents.open(types.TextDocumentItem(uri=URI, language_id="python", version=1, text=self.text))

    def close(self) -> None:
        self.watch.closed(URI, self.now_s)
        self.documents.close(URI)

    def replace(self, start: int, end: int, text: str) -> None:
        """One change; the caret goes behind it."""
        where = types.Range(self.position(start), self.position(end))
        self.change(types.TextDocumentContentChangePartial(range=where, text=text))
        self.text = self.text[:start] + text + self.text[end:]
        self.caret = start + len(text)

    def rewrite(self, text: str) -> None:
        """The whole text anew, as some clients send every change."""
        self.change(types.TextDocumentContentChangeWholeDocument(text=text))
        self.text, self.caret = text, min(self.caret, len(text))

    def change(self, *changes: types.TextDocumentContentChangeEvent) -> None:
        edits = self.documents.change(URI, None, changes)
        lines = self.lines_of(URI)
        if lines is not None:
            self.watch.changed(URI, lines, edits, any(is_at_once(each.text) for each in changes), self.now_s)

    def accepted(self, name: str) -> None:
        self.watch.accepted(name, self.now_s)

    def partly_accepted(self, name: str = "", chars: int | None = None) -> None:
        self.watch.partly_accepted(name, chars, self.now_s)

    def dismissed(self, name: str = "") -> str:
        return self.watch.dismissed(name, self.now_s)

    def position(self, offset: int) -> types.Position:
        before = self.text[:offset].split("\n")
        return types.Position(len(before) - 1, len(before[-1]))

    # --- the user

    def insert(self, text: str) -> None:
        """All of it at once."""
        self.replace(self.caret, self.caret, text)

    def type(self, text: str) -> None:
        for key in text:
            self.insert(key)

    def pair(self, text: str) -> None:
        """A bracket that the editor closes by itself."""
        self.insert(text)
        self.caret -= 1

    def back(self, keys: int = 1) -> None:
        for _ in range(keys):
            self.replace(self.caret - 1, self.caret, "")

    def go(self, offset: int) -> None:
        self.caret = offset

    def wait(self, seconds: float) -> None:
        """Time passes, and what has become certain is told."""
        self.now_s += seconds
        self.told += self.watch.events(self.now_s, self.lines_of)


def screen_of(marked: str) -> Screen:
    """A screen whose document is `marked`, with `‸` for the caret."""
    return Screen(marked.replace("‸", ""), marked.index("‸"))
