"""`python -m bench.backend PLAN`: the model of one replay as llama-server, and as Tabby's server, on 127.0.0.1."""

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bench.replay import generation, oracle, plan
from bench.replay.plan import Call, Plan

MODEL = "qwen2.5-coder-bench-q8_0"
CONTROL_TOKENS = frozenset({"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>"})
SLOTS = 4
TABBY_TOKENS = 64
TABBY_STOPS = ["\n\n"]
"""What Tabby's own server ends every completion at."""

Json = dict[str, Any]


class Backend:
    """Answers from the plan, and remembers every call."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._calls: list[Call] = []

    async def completion(self, request: Request) -> Response:
        """llama.cpp's `/completion`, streamed or whole."""
        body = await request.json()
        call, tokens = self._open(oracle.prefix_of(body["prompt"]), body["n_predict"], body.get("stop", []))
        render = _events if body.get("stream") else _whole
        return self._answer(call, tokens, render)

    async def tabby_completion(self, request: Request) -> Response:
        body = await request.json()
        call, tokens = self._open(body["segments"]["prefix"], TABBY_TOKENS, TABBY_STOPS)
        return self._answer(call, tokens, _tabby)

    async def calls(self, _: Request) -> Response:
        return JSONResponse([asdict(call) for call in self._calls])

    def _open(self, prefix: str, limit_tokens: int, stops: list[str]) -> tuple[Call, list[str]]:
        call = Call(time.monotonic(), prefix[-oracle.TAIL_CHARS :])
        self._calls.append(call)
        text = oracle.MODELS[self._plan.profile.model](prefix, self._plan.passage, self._plan.seed)
        return call, oracle.cut(text, limit_tokens, stops)

    def _answer(self, call: Call, tokens: list[str], render: "Renderer") -> Response:
        number = len(self._calls)
        call.failed = generation.fails(self._plan, number)
        texts = generation.generate(self._plan, call, number, tokens, time.monotonic)
        content = self._failing(call) if call.failed else render(texts, call)
        media_type = "text/event-stream" if render is _events else "application/json"
        return StreamingResponse(content, 500 if call.failed else 200, media_type=media_type)

    async def _failing(self, call: Call) -> AsyncGenerator[bytes, None]:
        await asyncio.sleep(self._plan.profile.first_s)
        call.ended_s = time.monotonic()
        yield b'{"error": {"code": 500, "message": "made to fail", "type": "server_error"}}'


Renderer = Callable[[AsyncGenerator[str, None], Call], AsyncGenerator[bytes, None]]


async def _events(texts: AsyncGenerator[str, None], call: Call) -> AsyncGenerator[bytes, None]:
    async for text in texts:
        yield _event({"content": text, "stop": False})
    yield _event(_final(call) | {"content": ""})


async def _whole(texts: AsyncGenerator[str, None], call: Call) -> AsyncGenerator[bytes, None]:
    content = "".join([text async for text in texts])
    yield json.dumps(_final(call) | {"content": content}).encode()


async def _tabby(texts: AsyncGenerator[str, None], _: Call) -> AsyncGenerator[bytes, None]:
    content = "".join([text async for text in texts])
    yield json.dumps({"id": "cmpl-bench", "choices": [{"index": 0, "text": content}]}).encode()


def _final(call: Call) -> Json:
    prompt_tokens = len(call.tail) // 4
    timings = {"cache_n": 0, "prompt_n": prompt_tokens, "prompt_per_second": 4000.0}
    counts = {"tokens_predicted": call.tokens, "tokens_evaluated": prompt_tokens}
    return {"index": 0, "id_slot": 0, "stop": True, "stop_type": "eos", "timings": timings} | counts


def _event(value: Json) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


async def props(_: Request) -> Response:
    return JSONResponse(
        {
            "default_generation_settings": {"n_ctx": 8192},
            "total_slots": SLOTS,
            "model_path": f"/models/{MODEL}.gguf",
        }
    )


async def tokenize(request: Request) -> Response:
    content = str((await request.json())["content"])
    count = 1 if content in CONTROL_TOKENS else max(2, len(oracle.pieces(content)))
    return JSONResponse({"tokens": list(range(count))})


async def health(_: Request) -> Response:
    version = {"build_date": "", "build_timestamp": "", "git_sha": "", "git_describe": "v0.20.0"}
    machine = {"device": "cpu", "arch": "x86_64", "cpu_info": "", "cpu_count": 1, "cuda_devices": []}
    return JSONResponse({"status": "ok", "model": MODEL, "version": version} | machine)


async def nothing(_: Request) -> Response:
    return JSONResponse({})


async def gone(_request: Request, _exc: Exception) -> Response:
    """A call that was closed before it had been read is none: who cancels in time costs nothing."""
    return Response(status_code=499)


def app(plan: Plan) -> Starlette:
    backend = Backend(plan)
    return Starlette(
        routes=[
            Route("/completion", backend.completion, methods=["POST"]),
            Route("/props", props),
            Route("/tokenize", tokenize, methods=["POST"]),
            Route("/health", health),
            Route("/v1/completions", backend.tabby_completion, methods=["POST"]),
            Route("/v1/health", health, methods=["GET", "POST"]),
            Route("/v1beta/server_setting", lambda _: JSONResponse({"disable_client_side_telemetry": True})),
            Route("/v1/events", nothing, methods=["POST"]),
            Route("/calls", backend.calls),
        ],
        exception_handlers={ClientDisconnect: gone},
    )


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    content = Path(sys.argv[1]).read_text()
    config = uvicorn.Config(app(plan.read(content)), log_level="warning", access_log=False)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
