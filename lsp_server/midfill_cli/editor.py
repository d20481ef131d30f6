"""A small editor without a screen: one real `midfill-lsp` over stdio, one open file, a caret."""

import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midfill_cli.stdio_client import LspError, Request, StdioClient
from midfill_workspace.languages import language_of

AUTOMATIC, BY_HAND = 2, 1
SERVER = (sys.executable, "-P", "-m", "midfill_lsp")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the server answered: the text, and how many characters after the caret it replaces."""

    text: str
    replace: int
    trace_id: str


NOTHING = Suggestion("", 0, "")


@asynccontextmanager
async def language_server(
    root: Path, environment: Mapping[str, str], options: Mapping[str, Any] | None = None
) -> AsyncGenerator[StdioClient, None]:
    """A `midfill-lsp` that has been through the handshake; positions are code points, as Python counts."""
    async with StdioClient(SERVER, env=dict(environment), stderr=Path("/dev/null")) as client:
        await client.initialize(dict(options or {}), encodings=("utf-32",), root=root)
        yield client


class Buffer:
    """One open file; `caret` is an offset into `text`."""

    def __init__(self, client: StdioClient, path: Path, text: str, caret: int) -> None:
        self.client, self.path, self.text, self.caret = client, path, text, caret
        self._version = 0
        self._asked: Request | None = None
        item = {"uri": self.uri, "languageId": language_of(path), "version": 0, "text": text}
        client.notify("textDocument/didOpen", {"textDocument": item})

    @property
    def uri(self) -> str:
        return self.path.as_uri()

    def insert(self, text: str, replace: int = 0) -> None:
        """Type (or accept) `text` at the caret over `replace` characters after it; the caret goes behind it."""
        start, end = self._position(self.caret), self._position(self.caret + replace)
        self._version += 1
        change = {"range": {"start": start, "end": end}, "text": text}
        document = {"uri": self.uri, "version": self._version}
        self.client.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})
        self.text = self.text[: self.caret] + text + self.text[self.caret + replace :]
        self.caret += len(text)

    async def suggest(self, trigger: int = AUTOMATIC) -> Suggestion:
        """Ask for a suggestion at the caret, withdrawing the request before; NOTHING when that one was withdrawn."""
        if self._asked is not None and not self._asked.future.done():
            self.client.cancel(self._asked.id)
        params = {
            "textDocument": {"uri": self.uri},
            "position": self._position(self.caret),
            "context": {"triggerKind": trigger},
        }
        self._asked = self.client.request("textDocument/inlineCompletion", params)
        try:
            answer = await self._asked
        except LspError:
            return NOTHING
        items = (answer or {}).get("items", [])
        return _suggestion(items[0]) if items else NOTHING

    def accept(self, suggestion: Suggestion) -> None:
        self.insert(suggestion.text, suggestion.replace)
        arguments = {"command": "midfill.accepted", "arguments": [suggestion.trace_id]}
        self.client.request("workspace/executeCommand", arguments)

    async def explain(self) -> str:
        """The server's account of the last request."""
        return str(await self.client.request("workspace/executeCommand", {"command": "midfill.explain"}))

    def close(self) -> None:
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})

    def _position(self, offset: int) -> dict[str, int]:
        before = self.text[:offset]
        return {"line": before.count("\n"), "character": offset - before.rfind("\n") - 1}


def _suggestion(item: Mapping[str, Any]) -> Suggestion:
    span = item["range"]
    replace = span["end"]["character"] - span["start"]["character"]
    return Suggestion(item["insertText"], replace, item["command"]["arguments"][0])
