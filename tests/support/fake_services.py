"""Model services that keep the real wire protocol on 127.0.0.1 and can fail: llama-server, OpenAI's API and Ollama."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]
SILENT_S = 60.0
"""Longer than any test runs: a service that hangs does so until its client goes."""


@dataclass(slots=True)
class Faults:
    """How the next generations go wrong; the defaults are a service in good health."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hang_at: int = -1
    """Say nothing more before this token (0: not even a first one)."""
    close_at: int = -1
    """Close the connection before this token, in the middle of the body."""
    raw_at: tuple[int, bytes] = (-1, b"")
    """Send these bytes before this token."""
    line_end: bytes = b"\n"
    comments: bool = False
    """Send server-sent comments, blank lines and fields that nobody asked for between the events."""
    chunk_bytes: int = 1 << 16
    """Send the body in pieces of this size."""
    missing: frozenset[str] = frozenset()
    """Paths that this build does not have."""
    refused_fields: frozenset[str] = frozenset()
    """Fields of the body that a generation is refused for, with status 400."""


@dataclass(slots=True)
class Seen:
    """One request as the service saw it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Json


@dataclass(slots=True)
class FakeService:
    """What all services share: one HTTP/1.1 server, a record of requests, and the disconnect it noticed."""

    tokens: tuple[str, ...] = ("return", " a", " +", " b", "\n")
    faults: Faults = field(default_factory=Faults)
    seen: list[Seen] = field(default_factory=list)
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client closes its connection while an answer is under way."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a generation was asked for."""
    served: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a generation has sent its first bytes."""
    reusable: bool = True
    """Whether a connection can be used again after a stream."""
    url: str = ""
    connections: int = 0
    content_type: str = "text/event-stream"

    def answer(self, request: Seen) -> tuple[int, Json]:
        """The JSON answer of a path that does not generate."""
        raise NotImplementedError

    def events(self, request: Seen) -> list[Json | str]:
        """The events of a generation, one for each token and then the final ones."""
        raise NotImplementedError

    def refusal(self, request: Seen) -> tuple[int, Json] | None:
        """Why a generation cannot be, beside the faults."""
        return None

    @property
    def generating(self) -> tuple[str, ...]:
        raise NotImplementedError

    def generations(self) -> list[Seen]:
        return [request for request in self.seen if request.path in self.generating]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while request := await _read_request(reader):
                self.seen.append(request)
                if not await self._respond(request, reader, writer):
                    break
        except ConnectionError:
            self.disconnected.set()
        finally:
            writer.close()

    async def _respond(self, request: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection can serve another request."""
        if request.path in self.faults.missing:
            return await _send_json(writer, 404, {"error": {"message": "File Not Found", "code": 404}})
        if request.path not in self.generating:
            return await _send_json(writer, *self.answer(request))
        if refused := self.faults.refused_fields & request.body.keys():
            message = f"unsupported: {', '.join(sorted(refused))}"
            return await _send_json(writer, 400, {"error": {"message": message}})
        if refusal := self.refusal(request):
            return await _send_json(writer, *refusal)
        if self.faults.status != 200:
            return await _send(writer, self.faults.status, self.faults.body, self.faults.headers)
        return await self._stream_until_gone(request, reader, writer)

    async def _stream_until_gone(
        self, request: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        self.asked.set()
        stream = asyncio.ensure_future(self._stream(request, writer))
        # Nobody sends a second request before the answer, so the first thing to be read is the client's end.
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({stream, gone}, return_when=asyncio.FIRST_COMPLETED)
            if stream.done():
                return stream.result()
            self.disconnected.set()
            return False
        finally:
            stream.cancel()
            gone.cancel()
            await asyncio.wait({stream, gone})

    async def _stream(self, request: Seen, writer: asyncio.StreamWriter) -> bool:
        writer.write(self._head())
        for number, event in enumerate(self.events(request)):
            if number == self.faults.hang_at:
                await asyncio.sleep(SILENT_S)
            if number == self.faults.close_at:
                writer.close()
                return False
            if number == self.faults.raw_at[0]:
                await self._send_chunks(writer, self.faults.raw_at[1])
            await self._send_chunks(writer, self.framed(event))
            self.served.set()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return self.reusable

    def _head(self) -> bytes:
        kind = self.content_type.encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nTransfer-Encoding: chunked\r\n\r\n"

    def framed(self, event: Json | str) -> bytes:
        """One event as it is sent."""
        end = self.faults.line_end
        text = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
        noise = (b": ping" + end + end + b"retry: 10" + end) if self.faults.comments else b""
        return noise + b"data: " + text.encode() + end + end

    async def _send_chunks(self, writer: asyncio.StreamWriter, content: bytes) -> None:
        for at in range(0, len(content), self.faults.chunk_bytes):
            chunk = content[at : at + self.faults.chunk_bytes]
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await writer.drain()


@dataclass(slots=True)
class FakeLlamaServer(FakeService):
    """llama.cpp's server with a made-up vocabulary: control tokens are one token, other text one per word."""

    reusable: bool = False
    """The real server closes the connection without having announced it."""
    control_tokens: frozenset[str] = frozenset()
    props: Json = field(
        default_factory=lambda: {
            "default_generation_settings": {"n_ctx": 2048},
            "total_slots": 3,
            "model_path": "/models/tiny-coder-q8_0.gguf",
        }
    )
    props_status: int = 200
    progress: Json = field(default_factory=lambda: {"total": 100, "cache": 10, "processed": 100, "time_ms": 180})
    timings: Json = field(default_factory=lambda: {"cache_n": 10, "prompt_n": 90, "prompt_per_second": 500.0})

    @property
    def generating(self) -> tuple[str, ...]:
        return ("/completion",)

    def answer(self, request: Seen) -> tuple[int, Json]:
        answers: Mapping[str, Callable[[Seen], tuple[int, Json]]] = {
            "/props": lambda _: (self.props_status, self.props),
            "/tokenize": lambda seen: (200, {"tokens": self._tokenize(str(seen.body["content"]))}),
            "/v1/models": lambda _: (200, {"data": [{"id": "listed-model"}]}),
            "/apply-template": lambda seen: (200, {"prompt": _chat_prompt(seen.body["messages"])}),
        }
        unknown = (404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}})
        return answers[request.path](request) if request.path in answers else unknown

    def _tokenize(self, text: str) -> list[int]:
        return [1] if text in self.control_tokens else list(range(max(2, len(text.split()))))

    def events(self, request: Seen) -> list[Json | str]:
        limit = int(request.body["n_predict"])
        sent = self.tokens[: max(1, limit)]  # The real server, asked for no token, sends one.
        base = {"index": 0, "id_slot": request.body.get("id_slot", -1), "tokens_evaluated": 100}
        progress = {**base, "content": "", "stop": False, "prompt_progress": self.progress}
        pieces = [{**base, "content": text, "stop": False, "tokens": [7]} for text in sent]
        final = {
            **base,
            "content": "",
            "stop": True,
            "stop_type": "limit" if len(sent) < len(self.tokens) else "eos",
            "tokens_predicted": len(sent),
            "tokens_cached": 100 + len(sent),
            "timings": self.timings,
            "prompt": request.body["prompt"],
        }
        return [progress, *pieces, final]


@dataclass(slots=True)
class FakeOpenAI(FakeService):
    """A service with OpenAI's completions, chat and models."""

    models: tuple[Json, ...] = ({"id": "served-model", "object": "model", "max_model_len": 4096},)

    @property
    def generating(self) -> tuple[str, ...]:
        return ("/v1/completions", "/v1/chat/completions")

    def answer(self, request: Seen) -> tuple[int, Json]:
        if request.path == "/v1/models":
            return 200, {"object": "list", "data": list(self.models)}
        return 404, {"detail": "Not Found"}

    def events(self, request: Seen) -> list[Json | str]:
        sent = self.tokens[: int(request.body["max_tokens"])]
        finish = "length" if len(sent) < len(self.tokens) else "stop"
        choice = _chat_choice if request.path.endswith("chat/completions") else _text_choice
        chunks: list[Json | str] = [_chunk([choice(text, None)]) for text in ("", *sent)]
        usage = {"prompt_tokens": 100, "completion_tokens": len(sent), "prompt_tokens_details": {"cached_tokens": 10}}
        asked = (request.body.get("stream_options") or {}).get("include_usage")
        last: list[Json | str] = [{**_chunk([]), "usage": usage}] if asked else []
        return [*chunks, _chunk([choice("", finish)]), *last, "[DONE]"]


@dataclass(slots=True)
class FakeOllama(FakeService):
    """Ollama with one model: newline-delimited JSON, one object a line."""

    content_type: str = "application/x-ndjson"
    names: tuple[str, ...] = ("qwen2.5-coder:1.5b-base",)
    loaded: tuple[Json, ...] = ()
    shown: Json = field(
        default_factory=lambda: {
            "template": "{{ .Prompt }}",
            "details": {"family": "qwen2", "parent_model": ""},
            "model_info": {"general.architecture": "qwen2", "qwen2.context_length": 32768},
            "capabilities": ["completion"],
        }
    )
    counts: Json = field(default_factory=lambda: {"prompt_eval_count": 100, "prompt_eval_duration": 200_000_000})

    @property
    def generating(self) -> tuple[str, ...]:
        return ("/api/generate", "/api/chat")

    def answer(self, request: Seen) -> tuple[int, Json]:
        answers: Mapping[str, Callable[[], tuple[int, Json]]] = {
            "/api/tags": lambda: (200, {"models": [{"name": name, "model": name} for name in self.names]}),
            "/api/ps": lambda: (200, {"models": list(self.loaded)}),
            "/api/show": lambda: self.refusal(request) or (200, self.shown),
        }
        return answers[request.path]() if request.path in answers else (404, {"error": "404 page not found"})

    def refusal(self, request: Seen) -> tuple[int, Json] | None:
        name = request.body["model"]
        return None if name in self.names else (404, {"error": f"model '{name}' not found"})

    def framed(self, event: Json | str) -> bytes:
        noise = self.faults.line_end if self.faults.comments else b""
        text = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
        return noise + text.encode() + self.faults.line_end

    def events(self, request: Seen) -> list[Json | str]:
        limit = int(request.body["options"]["num_predict"])
        sent = self.tokens[:limit]
        base = {"model": request.body["model"], "created_at": "2026-11-24T12:00:00Z"}
        told = _told if request.path == "/api/chat" else _responded
        pieces: list[Json | str] = [{**base, **told(text), "done": False} for text in sent]
        reason = "length" if len(sent) < len(self.tokens) else "stop"
        final = {**base, **told(""), "done": True, "done_reason": reason, **self.counts, "eval_count": len(sent)}
        return [{**base, **told(""), "done": False}, *pieces, final]


def _told(text: str) -> Json:
    return {"message": {"role": "assistant", "content": text}}


def _responded(text: str) -> Json:
    return {"response": text}


def _chunk(choices: list[Json]) -> dict[str, Any]:
    return {"id": "1", "object": "chunk", "created": 1, "model": "served-model", "choices": choices}


def _text_choice(text: str, finish: str | None) -> Json:
    return {"index": 0, "text": text, "finish_reason": finish}


def _chat_choice(text: str, finish: str | None) -> Json:
    return {"index": 0, "delta": {"content": text}, "finish_reason": finish}


def _chat_prompt(messages: list[Json]) -> str:
    return "".join(f"[{message['role']}]{message['content']}" for message in messages)


@asynccontextmanager
async def running(service: FakeService) -> AsyncIterator[None]:
    """`service` with its `url` set, until the block ends."""
    handlers: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(service.handle(reader, writer))
        handlers.add(task)
        task.add_done_callback(handlers.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield
    finally:
        server.close()
        for task in tuple(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


async def _read_request(reader: asyncio.StreamReader) -> Seen | None:
    """The next request of a connection; None when the client has closed it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method, path, headers, json.loads(content) if content else {})


async def _send_json(writer: asyncio.StreamWriter, status: int, body: Json) -> bool:
    return await _send(writer, status, json.dumps(body).encode(), {"Content-Type": "application/json"})


async def _send(writer: asyncio.StreamWriter, status: int, content: bytes, headers: Mapping[str, str]) -> bool:
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content)
    await writer.drain()
    return True
