"""An editor in the middle of one long file: sends what editors send for each key, and times the answers."""

import time
from typing import Any

from midfill_cli.stdio_client import StdioClient

INDENT = "    "
BLOCK_LINES = 8
BODY_LINE = 3
"""Where, in each of the file's functions, a statement may follow the one above."""


def source(lines: int, first: int = 0) -> str:
    """A Python file of so many lines, made of small functions that are numbered from `first` on."""
    block = (
        "def function_{0}(first_value: int, second_value: int) -> int:\n"
        '    """Answers a number that depends on both of its arguments."""\n'
        "    product_{0} = first_value * second_value + {0}\n"
        "    if product_{0} > {0}:\n"
        "        return product_{0} - second_value\n"
        "    return product_{0}\n"
        "\n\n"
    )
    text = "".join(block.format(first + number) for number in range(lines // BLOCK_LINES + 1))
    return "".join(text.splitlines(keepends=True)[:lines])


def opening(name: str, text: str, language: str = "python") -> dict[str, Any]:
    """What an editor sends when it opens a file."""
    return {"textDocument": {"uri": f"file:///bench/{name}", "languageId": language, "version": 0, "text": text}}


class Typist:
    """The caret stands on a line of its own in the middle of the file; everything happens on that line."""

    def __init__(self, client: StdioClient, name: str, lines: int, language: str = "python") -> None:
        self._client = client
        self._line = lines // 2 // BLOCK_LINES * BLOCK_LINES + BODY_LINE
        self._column = self._version = 0
        above = source(lines).splitlines(keepends=True)
        above.insert(self._line, "\n")
        opened = opening(name, "".join(above), language)
        self._uri = opened["textDocument"]["uri"]
        client.notify("textDocument/didOpen", opened)

    def start_line(self, number: int) -> None:
        """Replace the line by the start of an assignment to a name that no line before had: the cache has no answer."""
        self._replace(0, f"{INDENT}total_{number} = ")

    async def key(self, text: str) -> float:
        """Type `text` and wait for the answer to it; milliseconds from the change to the answer."""
        return await self._timed(self._column, text)

    async def backspace(self) -> float:
        return await self._timed(self._column - 1, "")

    async def ask(self) -> float:
        """Ask again where the caret is, with no change."""
        started_s = time.perf_counter()
        await self._request()
        return (time.perf_counter() - started_s) * 1000

    def close(self) -> None:
        self._client.notify("textDocument/didClose", {"textDocument": {"uri": self._uri}})

    async def _timed(self, first: int, text: str) -> float:
        started_s = time.perf_counter()
        self._replace(first, text)
        await self._request()
        return (time.perf_counter() - started_s) * 1000

    def _replace(self, first: int, text: str) -> None:
        """Put `text` in the place of what stands between column `first` and the caret."""
        self._version += 1
        span = {"start": self._place(first), "end": self._place(self._column)}
        document = {"uri": self._uri, "version": self._version}
        change = {"textDocument": document, "contentChanges": [{"range": span, "text": text}]}
        self._client.notify("textDocument/didChange", change)
        self._column = first + len(text)

    async def _request(self) -> None:
        params = {
            "textDocument": {"uri": self._uri},
            "position": self._place(self._column),
            "context": {"triggerKind": 2},
        }
        await self._client.request("textDocument/inlineCompletion", params)

    def _place(self, column: int) -> dict[str, int]:
        return {"line": self._line, "character": column}
