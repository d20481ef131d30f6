"""What the reference servers share: the text around the caret, one cheap call of the model, and a hash cache."""

import asyncio
import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from urllib.parse import urlsplit

from lsprotocol import types
from pygls.lsp.server import LanguageServer

MODEL_URL = "BENCH_MODEL_URL"
PREFIX_CHARS, SUFFIX_CHARS = 4_000, 1_000
MAX_TOKENS = 64
DEBOUNCE_S = 0.075
CACHE_ENTRIES = 50_000
PROMPT = "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>"


@dataclass(frozen=True, slots=True)
class Place:
    """The text around the caret that the model is shown."""

    uri: str
    prefix: str
    suffix: str


Suggest = Callable[[Place], Awaitable[str]]
Pieces = Callable[[Place], AsyncGenerator[str, None]]


def serve(suggest: Suggest) -> None:
    """Run a server over stdio that answers each request with what `suggest` says."""
    server = LanguageServer("bench-reference", "1")

    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def inline_completion(params: types.InlineCompletionParams) -> types.InlineCompletionList:
        text = await suggest(_place(server, params))
        at = types.Range(start=params.position, end=params.position)
        items = [types.InlineCompletionItem(insert_text=text, range=at)] if text.strip() else []
        return types.InlineCompletionList(items=items)

    server.start_io()


def _place(server: LanguageServer, params: types.InlineCompletionParams) -> Place:
    document = server.workspace.get_text_document(params.text_document.uri)
    offset = document.offset_at_position(params.position)
    source = document.source
    return Place(document.uri, source[max(0, offset - PREFIX_CHARS) : offset], source[offset : offset + SUFFIX_CHARS])


async def over_http(place: Place) -> AsyncGenerator[str, None]:
    """One call of the model. Closing it closes the connection, which ends the generation; a failure is nothing."""
    address = urlsplit(os.environ[MODEL_URL])
    prompt = PROMPT.format(prefix=place.prefix, suffix=place.suffix)
    options = {"n_predict": MAX_TOKENS, "temperature": 0, "cache_prompt": True, "stream": True}
    body = json.dumps({"prompt": prompt, **options}).encode()
    head = f"POST /completion HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(head.encode() + body)
        if b" 200 " not in await reader.readline():
            return
        # Headers and the sizes of chunks are lines of their own, and so is each event.
        async for line in reader:
            if line.startswith(b"data: "):
                event = json.loads(line[6:])
                yield event["content"]
                if event["stop"]:
                    return
    finally:
        writer.close()


pieces: Pieces = over_http
"""How the model is asked; the replay in virtual time has another way."""


async def ask(place: Place) -> str:
    async with aclosing(pieces(place)) as texts:
        return "".join([text async for text in texts]).rstrip()


class Cache:
    """Answers by what was asked, and what is left of them by what was typed of them."""

    def __init__(self) -> None:
        self._texts: OrderedDict[bytes, str] = OrderedDict()

    def get(self, place: Place) -> str | None:
        key = _key(place.prefix, place)
        if key not in self._texts:
            return None
        self._texts.move_to_end(key)
        return self._texts[key]

    def store(self, place: Place, text: str) -> None:
        for typed in range(len(text) or 1):
            # The window slides with the caret, as it will when the same text is typed.
            prefix = (place.prefix + text[:typed])[-PREFIX_CHARS:]
            self._texts[_key(prefix, place)] = text[typed:]
        while len(self._texts) > CACHE_ENTRIES:
            self._texts.popitem(last=False)


def _key(prefix: str, place: Place) -> bytes:
    return hashlib.blake2b(f"{place.uri}\0{prefix}\0{place.suffix}".encode(), digest_size=16).digest()
