"""How servers are asked, and what their answers say: the standard inline completion, and Tabby's agent's lists."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Position = dict[str, int]
AUTOMATIC = 2


@dataclass(frozen=True, slots=True)
class Found:
    """The text to show after the caret; "" clears what is shown."""

    text: str


@dataclass(frozen=True, slots=True)
class Dialect:
    method: str
    context: Mapping[str, Any]
    text_of: Callable[[Mapping[str, Any], Position], str]
    """What an item of an answer adds at the caret."""

    def params(self, uri: str, position: Position) -> Mapping[str, Any]:
        return {"textDocument": {"uri": uri}, "position": position, "context": self.context}

    def found(self, result: Any, caret: Position) -> Found | None:
        """The first item; None: keep what is shown."""
        if result is None:
            return None
        items = result["items"] if isinstance(result, Mapping) else result
        return Found(self.text_of(items[0], caret) if items else "")


def _inline(item: Mapping[str, Any], caret: Position) -> str:
    return _after_caret(item["insertText"], item["range"], caret)


def _listed(item: Mapping[str, Any], caret: Position) -> str:
    return _after_caret(item["textEdit"]["newText"], item["textEdit"]["range"], caret)


def _constant(item: Mapping[str, Any], _: Position) -> str:
    """The floor's one item has a range at the start of the file, wherever the caret is."""
    return str(item["insertText"])


def _after_caret(text: str, span: Mapping[str, Any], caret: Position) -> str:
    """Nothing stands right of the caret here, so only what an item replaces left of it matters."""
    before = caret["character"] - span["start"]["character"]
    return text[before:] if span["start"]["line"] == caret["line"] and before >= 0 else ""


INLINE = Dialect("textDocument/inlineCompletion", {"triggerKind": AUTOMATIC}, _inline)
LIST = Dialect("textDocument/completion", {"triggerKind": 1}, _listed)
CONSTANT = Dialect(INLINE.method, INLINE.context, _constant)
