"""A tiny language server on our transport, for tests and measurements: constant answers and a few odd methods."""

import asyncio
import logging
import sys
from collections import deque
from typing import Any

import httpx  # noqa: F401 - so that its start compares with bench/floor_pygls.py
from lsprotocol import types

from midfill_daemon.errors import Busy
from midfill_lsp.transport import Server, serve

ORIGIN = types.Position(line=0, character=0)
ITEM = types.InlineCompletionItem(insert_text="constant", range=types.Range(start=ORIGIN, end=ORIGIN))

server = Server("echo", "1")
changes: deque[types.DidChangeTextDocumentParams] = deque(maxlen=10)
inline: deque[types.InlineCompletionParams] = deque(maxlen=1)
lost: list[tuple[str, object]] = []


def remember_lost(method: str, raw: object) -> None:
    lost.append((method, raw))


server.protocol.on_bad_notification = remember_lost


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
async def inline_completion(params: types.InlineCompletionParams) -> types.InlineCompletionList:
    inline.append(params)
    return types.InlineCompletionList(items=[ITEM])


@server.feature(types.TEXT_DOCUMENT_HOVER)
def hover(params: types.HoverParams) -> types.Hover:
    return types.Hover(contents=f"{params.position.line}:{params.position.character}")


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def did_open(params: types.DidOpenTextDocumentParams) -> None:
    """Nothing is kept; the handler is there because a real server has one."""


@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
def did_change(params: types.DidChangeTextDocumentParams) -> None:
    changes.append(params)


@server.feature("echo/params")
def echo(params: Any) -> object:
    return params


@server.feature("echo/changes")
def echo_changes(params: Any) -> object:
    seen = [[change.text for change in entry.content_changes] for entry in changes]
    changes.clear()
    return seen


@server.feature("echo/context")
def echo_context(params: Any) -> object:
    """What the last inlineCompletion looked like after the repairs."""
    return inline[0].context


@server.feature("echo/lost")
def echo_lost(params: Any) -> object:
    seen = [[method, raw] for method, raw in lost]
    lost.clear()
    return seen


@server.feature("echo/hang")
async def hang(params: Any) -> None:
    await asyncio.Event().wait()


@server.feature("echo/later")
async def later(params: Any) -> object:
    await asyncio.sleep(0)
    return params


@server.feature("echo/fail")
async def fail(params: Any) -> None:
    raise RuntimeError(f"secret text {params}")


@server.feature("echo/busy")
async def busy(params: Any) -> None:
    raise Busy("the queue is full")


@server.feature("echo/unencodable")
async def unencodable(params: Any) -> object:
    return object()


@server.feature("echo/flood")
async def flood(params: Any) -> object:
    return "x" * 1_000_000


@server.feature("echo/ask")
async def ask(params: Any) -> object:
    return await server.workspace_configuration_async(
        types.ConfigurationParams(items=[types.ConfigurationItem(section="midfill")])
    )


@server.command("echo.command")
async def command(ls: Server, word: str) -> str:
    await asyncio.sleep(0)
    return word.upper()


class FullFormatter(logging.Formatter):
    """Writes every attribute of a record, so that nothing in `extra` escapes the test that looks for leaks."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{super().format(record)} {vars(record)}"


def log_everything() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(FullFormatter())
    logging.basicConfig(level=logging.DEBUG, handlers=[handler])


if __name__ == "__main__":
    if "--log" in sys.argv:
        log_everything()
    sys.exit(asyncio.run(serve(server)))
