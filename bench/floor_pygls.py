"""The floor that benches compare with: stock pygls over its own stdio loop, answering one constant item."""

import httpx  # noqa: F401 - its import is part of what "bare pygls + httpx" costs at start
from lsprotocol import types
from pygls.lsp.server import LanguageServer

ORIGIN = types.Position(line=0, character=0)
ANSWER = types.InlineCompletionList(
    items=[types.InlineCompletionItem(insert_text="constant", range=types.Range(start=ORIGIN, end=ORIGIN))]
)

server = LanguageServer("floor-pygls", "1")


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
async def inline_completion(params: types.InlineCompletionParams) -> types.InlineCompletionList:
    return ANSWER


if __name__ == "__main__":
    server.start_io()
