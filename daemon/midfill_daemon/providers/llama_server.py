"""llama.cpp's own HTTP server: raw `/completion` with prompts we render, slots, `/props` and `/tokenize`."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import httpx

from midfill_daemon import api_keys, fim
from midfill_daemon.errors import ProviderError
from midfill_daemon.models import Tier
from midfill_daemon.providers import Generation, Message, ModelInfo, Piece, Usage, upstream

DRAIN_S = 0.1
CHARS_PER_TOKEN = 3.0
DEFAULT_CONTEXT_TOKENS = 4096
DEFAULT_PREFILL_TOKENS_S = 1000.0
PREFILL_WEIGHT = 0.3
"""How much the last measured prefill speed counts against those before it."""

MEASURABLE_TOKENS = 32
"""A prompt that was nearly all cached says nothing about the speed of reading one."""

NO_SUCH_TOKEN = "<|midfill_no_such_token|>"  # noqa: S105  Not a secret.
"""A tokenizer that makes one token of this makes one of everything, and proves nothing."""

ABSENT = (404, 405, 501)
"""What older builds answer to endpoints that they do not have."""


def make(tier: Tier, environment: Mapping[str, str]) -> "LlamaServer":
    """Raises ConfigError when the tier's API key cannot be read."""
    return LlamaServer(
        tier.url,
        api_key=api_keys.read(tier, environment),
        timeout_s=tier.timeout_s,
        model=tier.model,
        context_tokens=tier.context_tokens,
        slots=tier.slots,
    )


class LlamaServer:
    """One llama-server. `model`, `context_tokens` and `slots` override what it says of itself."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str = "",
        timeout_s: float = 30.0,
        model: str = "",
        context_tokens: int = 0,
        slots: int = 0,
    ) -> None:
        self._url = base_url
        self._local = upstream.is_local(base_url)
        self._headers = upstream.stream_headers(base_url)
        self._timeout_s = timeout_s
        self._model, self._context_tokens, self._slots = model, context_tokens, slots
        self._prefill_tokens_s = 0.0
        self._identity: tuple[str, ...] = ()
        self._control_tokens: frozenset[str] = frozenset()
        self._client = upstream.client(base_url, api_key, timeout_s)

    async def describe(self) -> ModelInfo:
        props = await self._optional("GET", "/props", {}) or {}
        defaults = props.get("default_generation_settings")
        context_tokens = upstream.count(defaults, "n_ctx") if isinstance(defaults, Mapping) else 0
        name = self._model or _stem(props) or await self._listed_name()
        identity = (name, str(props.get("model_path", "")), str(context_tokens))
        if identity != self._identity:
            self._control_tokens = await self._known_control_tokens()
            self._identity = identity
        return ModelInfo(
            name=name or "llama-server",
            context_tokens=self._context_tokens or context_tokens or DEFAULT_CONTEXT_TOKENS,
            slots=self._slots or max(1, upstream.count(props, "total_slots")),
            local=self._local,
            control_tokens=self._control_tokens,
            reads_ahead=True,
            chars_per_token=CHARS_PER_TOKEN,
            prefill_tokens_s=self._prefill_tokens_s or DEFAULT_PREFILL_TOKENS_S,
        )

    async def _listed_name(self) -> str:
        listed = await self._optional("GET", "/v1/models", {}) or {}
        models = listed.get("data")
        first = models[0] if isinstance(models, list) and models else {}
        return str(first.get("id", "")) if isinstance(first, Mapping) else ""

    async def _known_control_tokens(self) -> frozenset[str]:
        # One request each: joined probes would change how a token's leading blank is read.
        probes = (NO_SUCH_TOKEN, *fim.CONTROL_TOKENS)
        single = frozenset([token for token in probes if await self._token_count(token, add_special=False) == 1])
        return frozenset() if NO_SUCH_TOKEN in single else single

    async def count_tokens(self, text: str) -> int:
        """Exact, including the token that the engine puts in front; an estimate where it has no /tokenize."""
        tokens = await self._token_count(text, add_special=True)
        return upstream.estimated_tokens(text, CHARS_PER_TOKEN) if tokens is None else tokens

    async def _token_count(self, text: str, *, add_special: bool) -> int | None:
        body = {"content": text, "add_special": add_special, "parse_special": True}
        tokens = (await self._optional("POST", "/tokenize", body) or {}).get("tokens")
        return len(tokens) if isinstance(tokens, list) else None

    async def _optional(self, method: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The JSON object behind an endpoint; None when the server does not have it."""
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.request(method, path, content=upstream.encoded(body) if body else None)
        except (httpx.HTTPError, TimeoutError) as exc:
            raise self._error(exc, text_arrived=False) from exc
        if response.status_code in ABSENT:
            return None
        if not response.is_success:
            raise _refusal(response.status_code, response.headers, response.content, str(body.get("content", "")))
        answer = upstream.decoded(response.content)
        return answer if isinstance(answer, Mapping) else None

    async def stream(self, generation: Generation) -> AsyncGenerator[Piece | Usage, None]:
        arrived = False
        try:
            prompt = await self._prompt(generation)
            async with aclosing(self._answer(_body(generation, prompt))) as values:
                async for value in values:
                    arrived = arrived or isinstance(value, Piece)
                    yield value
        except (httpx.HTTPError, TimeoutError, ValueError, EOFError) as exc:
            raise self._error(exc, text_arrived=arrived) from exc

    async def _prompt(self, generation: Generation) -> str:
        if not generation.messages:
            return generation.prompt
        answer = await self._optional("POST", "/apply-template", {"messages": _turns(generation.messages)}) or {}
        prompt = answer.get("prompt")
        if not isinstance(prompt, str):
            raise ProviderError("this llama-server has no /apply-template, which chat prompts need")
        return prompt

    async def _answer(self, body: Mapping[str, Any]) -> AsyncGenerator[Piece | Usage, None]:
        """The values of one call. Raises what httpx raises, ValueError for garbage, EOFError for a missing end."""
        content = upstream.encoded(body)
        async with self._client.stream("POST", "/completion", content=content, headers=self._headers) as response:
            if not response.is_success:
                raise _refusal(response.status_code, response.headers, await response.aread(), body["prompt"])
            async with aclosing(_events(response.aiter_bytes())) as events:
                event: Mapping[str, Any] = {}
                progress: Mapping[str, Any] = {}
                while event.get("stop") is not True:
                    async with asyncio.timeout(self._timeout_s):
                        event, progress = await _next_text(events)
                    if "error" in event:
                        raise _reported(event, body["prompt"])
                    # Asked for no tokens, the server still sends one.
                    if event.get("content") and body["n_predict"]:
                        if "cache" in progress:
                            yield _prompt_usage(progress)
                        yield Piece(str(event["content"]))
                await _drain(events)
        self._learn(event)
        # Asked for no tokens, the server counts the one that it sent.
        yield _usage(event) if body["n_predict"] else replace(_usage(event), output_tokens=0)

    def _learn(self, event: Mapping[str, Any]) -> None:
        timings = _timings(event)
        speed = _number(timings, "prompt_per_second")
        if upstream.count(timings, "prompt_n") < MEASURABLE_TOKENS or speed <= 0:
            return
        before = self._prefill_tokens_s or speed
        self._prefill_tokens_s = before + PREFILL_WEIGHT * (speed - before)

    def _error(self, exc: Exception, *, text_arrived: bool) -> ProviderError:
        return upstream.failure(exc, self._url, self._timeout_s, text_arrived=text_arrived)

    async def close(self) -> None:
        await self._client.aclose()


def _body(generation: Generation, prompt: str) -> Mapping[str, Any]:
    slot = {} if generation.slot is None else {"id_slot": generation.slot}
    return {
        "prompt": prompt,
        "n_predict": generation.max_tokens,
        "temperature": generation.temperature,
        "top_k": 40 if generation.temperature > 0 else 1,
        "seed": generation.seed,
        "stop": list(generation.stops),
        "cache_prompt": True,
        "stream": True,
        # Without progress events the server notices a closed connection only when it has read the whole prompt.
        "return_progress": True,
        **slot,
    }


def _turns(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.text} for message in messages]


async def _next_text(events: AsyncIterator[Mapping[str, Any]]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The next event that carries text, an error or the end, and the progress that was reported before it."""
    progress: Mapping[str, Any] = {}
    async for event in events:
        if event.get("content") or event.get("stop") is True or "error" in event:
            return event, progress
        reported = event.get("prompt_progress")
        progress = reported if isinstance(reported, Mapping) else progress
    raise EOFError


async def _drain(events: AsyncIterator[Mapping[str, Any]]) -> None:
    """Read the end of the body, so that the connection can be used again; failing costs only the connection."""
    with suppress(TimeoutError, httpx.HTTPError, ValueError):
        async with asyncio.timeout(DRAIN_S):
            async for _ in events:
                pass


async def _events(chunks: AsyncIterator[bytes]) -> AsyncGenerator[Mapping[str, Any], None]:
    """Server-sent events whose data is one JSON object each; older builds write `error: {…}` for a failure."""
    async with aclosing(upstream.lines(chunks)) as lines:
        async for line in lines:
            field, _, value = line.partition(b":")
            if field not in (b"data", b"error") or value.strip() == b"[DONE]":
                continue
            event = upstream.parsed(value)
            if not isinstance(event, dict):
                raise ValueError("an event is not an object")
            yield {"error": event} if field == b"error" else event


def _refusal(status: int, headers: Mapping[str, str], content: bytes, prompt: str) -> ProviderError:
    return upstream.refusal(status, headers, upstream.decoded(content), prompt, upstream.now())


def _reported(event: Mapping[str, Any], prompt: str) -> ProviderError:
    """The error for a failure that the server reports inside a stream that began well."""
    code = event["error"].get("code") if isinstance(event["error"], Mapping) else None
    return upstream.refusal(upstream.reported_status(code), {}, event, prompt, upstream.now())


def _prompt_usage(progress: Mapping[str, Any]) -> Usage:
    return Usage(upstream.count(progress, "total", -1), upstream.count(progress, "cache", -1), finish="")


def _usage(event: Mapping[str, Any]) -> Usage:
    timings = _timings(event)
    prompt_tokens = upstream.count(event, "tokens_evaluated", -1)
    # `tokens_cached` is what the slot holds in the end, with the answer; newer builds count the reuse in the timings.
    cached_tokens = upstream.count(timings, "cache_n", min(upstream.count(event, "tokens_cached", -1), prompt_tokens))
    limited = event.get("stop_type") == "limit" or event.get("stopped_limit") is True
    return Usage(
        prompt_tokens=prompt_tokens,
        cached_tokens=cached_tokens,
        output_tokens=upstream.count(event, "tokens_predicted", -1),
        prefill_tokens_s=_number(timings, "prompt_per_second"),
        finish="length" if limited else "stop",
    )


def _timings(event: Mapping[str, Any]) -> Mapping[str, Any]:
    timings = event.get("timings")
    return timings if isinstance(timings, Mapping) else {}


def _number(raw: Mapping[str, Any], name: str) -> float:
    value = raw.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else -1.0


def _stem(props: Mapping[str, Any]) -> str:
    """The model's alias, else the file name of its path, in the style of either system."""
    name = str(props.get("model_alias") or props.get("model_path") or "")
    return PureWindowsPath(PurePosixPath(name).name).name.removesuffix(".gguf")
