"""Ollama's own API: raw `/api/generate` with prompts we render, `/api/chat`, and what `/api/show` tells of a model."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import httpx

from midfill_daemon import api_keys, fim
from midfill_daemon.errors import MidfillError, ModelMissing, ProviderError, ProviderRejected
from midfill_daemon.models import Tier
from midfill_daemon.providers import Generation, ModelInfo, Piece, Usage, upstream

DEFAULT_URL = "http://127.0.0.1:11434"
"""Where Ollama listens unless told otherwise. OLLAMA_HOST is not read: only the user's configuration names a service."""

KEEP_ALIVE = "30m"
"""How long the model stays loaded after a call: as long as a daemon without work. Ollama's own 5 minutes are a pause."""

DEFAULT_CONTEXT_TOKENS = 4096
"""Enough for the largest prompt; a model's full length would take gigabytes of memory that nothing here uses."""

DEFAULT_PREFILL_TOKENS_S = 1000.0
CHARS_PER_TOKEN = 3.0
CHARS_PER_TOKEN_STEP = 0.25
"""In steps, because every change moves the prompt's start and so empties the KV cache."""
LEARNT_CHARS_PER_TOKEN = (1.0, 4.0)
"""What is believed. Older versions leave cached tokens out of the count, and so claim very long tokens."""
MARGIN = 0.9
WEIGHT = 0.3
"""How much the last measurement counts against those before it."""

MEASURABLE_TOKENS = 32
COLD_SHARE = 0.1
"""A prompt that shares more than this with the last one says nothing about the speed of reading: it was cached."""

NANOSECONDS = 1e9


def make(tier: Tier, environment: Mapping[str, str]) -> "Ollama":
    """Raises ConfigError when the tier's API key cannot be read."""
    return Ollama(tier, api_keys.read(tier, environment))


@dataclass(frozen=True, slots=True)
class Shown:
    """What `/api/show` and `/api/ps` say of one model."""

    name: str
    context_tokens: int
    capabilities: frozenset[str] = frozenset()
    control_tokens: frozenset[str] = frozenset()
    has_suffix: bool = False
    in_cloud: bool = False


@dataclass(slots=True)
class Measured:
    """What the calls so far have taught."""

    chars_per_token: float = CHARS_PER_TOKEN
    prefill_tokens_s: float = 0.0
    last_prompt: str = ""


class Ollama:
    """One model of one Ollama."""

    def __init__(self, tier: Tier, api_key: str) -> None:
        self._tier = tier
        self._url = tier.url or DEFAULT_URL
        self._headers = upstream.stream_headers(self._url)
        self._client = upstream.client(self._url, api_key, tier.timeout_s)
        self._shown: Shown | None = None
        self._measured = Measured()

    # --- what it is -----------------------------------------------------------------------------

    async def describe(self) -> ModelInfo:
        shown = self._shown = await self._look()
        is_local = upstream.is_local(self._url) and not shown.in_cloud
        return ModelInfo(
            name=shown.name,
            context_tokens=shown.context_tokens,
            slots=self._tier.slots or 1,
            local=is_local,
            control_tokens=shown.control_tokens,
            suffix_field=self._takes_suffix(shown),
            reads_ahead=is_local,
            chars_per_token=self._chars_per_token,
            prefill_tokens_s=self._measured.prefill_tokens_s or DEFAULT_PREFILL_TOKENS_S,
        )

    async def _look(self) -> Shown:
        loaded = _models(await self._ask("GET", "/api/ps"))
        name = self._tier.model or await self._chosen(loaded)
        shown = await self._ask("POST", "/api/show", {"model": name})
        template = str(shown.get("template", ""))
        capabilities = _strings(shown.get("capabilities"))
        return Shown(
            name=name,
            context_tokens=self._tier.context_tokens or _context_tokens(name, loaded, shown),
            capabilities=capabilities,
            control_tokens=_evidence(name, template, shown),
            has_suffix="insert" in capabilities or ".Suffix" in template,
            in_cloud=bool(shown.get("remote_host")) or name.endswith(("-cloud", ":cloud")),
        )

    async def _chosen(self, loaded: Iterable[Mapping[str, Any]]) -> str:
        """The model to use where none is configured: one whose name tells its format, a loaded one first."""
        listed = _models(await self._ask("GET", "/api/tags"))
        names = [str(model["name"]) for model in (*loaded, *listed)]
        if not names:
            raise ModelMissing("Ollama has no models: `ollama pull` one, and name it in the configuration")
        return next((name for name in names if _is_named(name)), names[0])

    def _takes_suffix(self, shown: Shown) -> bool:
        """Only where the model's template places a suffix and nobody here knows how it does it."""
        if self._tier.mode in ("raw", "chat") or not shown.has_suffix:
            return False
        if self._tier.mode == "suffix":
            return True
        return self._tier.fim == fim.AUTO and fim.detect(fim.AUTO, shown.control_tokens, shown.name) == fim.PREFIX_ONLY

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """The JSON object behind a path; an empty one where an older version does not have it."""
        try:
            async with asyncio.timeout(self._tier.timeout_s):
                response = await self._client.request(method, path, content=upstream.encoded(body) if body else None)
        except (httpx.HTTPError, TimeoutError) as exc:
            raise self._error(exc, text_arrived=False) from exc
        answer = upstream.decoded(response.content)
        if not response.is_success and (body or response.status_code != 404):
            raise self._refusal(response.status_code, response.headers, answer, "", str((body or {}).get("model", "")))
        return answer if response.is_success and isinstance(answer, Mapping) else {}

    # --- one call -------------------------------------------------------------------------------

    async def stream(self, generation: Generation) -> AsyncGenerator[Piece | Usage, None]:
        arrived = False
        try:
            shown = self._shown or await self._look()
            self._shown = shown
            async with aclosing(self._answer(generation, shown)) as values:
                async for value in values:
                    arrived = arrived or isinstance(value, Piece)
                    yield value
        except (httpx.HTTPError, TimeoutError, ValueError, EOFError) as exc:
            raise self._error(exc, text_arrived=arrived) from exc

    async def _answer(self, generation: Generation, shown: Shown) -> AsyncGenerator[Piece | Usage, None]:
        """The values of one call. Raises what httpx raises, ValueError for garbage, EOFError for a missing end."""
        path = "/api/chat" if generation.messages else "/api/generate"
        content = upstream.encoded(_body(generation, shown))
        sent = _sent_text(generation)
        async with self._client.stream("POST", path, content=content, headers=self._headers) as response:
            if not response.is_success:
                said = upstream.decoded(await response.aread())
                raise self._refusal(response.status_code, response.headers, said, sent, shown.name)
            async with aclosing(upstream.lines(response.aiter_bytes())) as lines:
                event: Mapping[str, Any] = {}
                while event.get("done") is not True:
                    async with asyncio.timeout(self._tier.timeout_s):
                        event = await _next_event(lines)
                    if "error" in event:
                        status = upstream.reported_status(event.get("status"))
                        raise self._refusal(status, {}, event, sent, shown.name)
                    # Asked for no token, it would write without end; it is asked for one, which nobody wants.
                    if generation.max_tokens and (text := _text(event)):
                        yield Piece(text)
        self._learn(event, sent)
        yield _usage(event) if generation.max_tokens else replace(_usage(event), output_tokens=0)

    def _learn(self, event: Mapping[str, Any], sent: str) -> None:
        tokens, duration_ns = upstream.count(event, "prompt_eval_count"), upstream.count(event, "prompt_eval_duration")
        measured, before = self._measured, self._measured.last_prompt
        measured.last_prompt = sent
        if tokens < MEASURABLE_TOKENS:
            return
        low, high = LEARNT_CHARS_PER_TOKEN
        if low <= len(sent) / tokens <= high / MARGIN:
            measured.chars_per_token += WEIGHT * (len(sent) / tokens * MARGIN - measured.chars_per_token)
        beginning = sent[: 1 + int(COLD_SHARE * len(sent))]
        if duration_ns > 0 and not before.startswith(beginning):
            speed = tokens / duration_ns * NANOSECONDS
            known = measured.prefill_tokens_s or speed
            measured.prefill_tokens_s = known + WEIGHT * (speed - known)

    async def count_tokens(self, text: str) -> int:
        """An estimate: no stable version has a tokenizer to ask."""
        return upstream.estimated_tokens(text, self._chars_per_token)

    @property
    def _chars_per_token(self) -> float:
        low, _ = LEARNT_CHARS_PER_TOKEN
        return max(low, self._measured.chars_per_token // CHARS_PER_TOKEN_STEP * CHARS_PER_TOKEN_STEP)

    def _refusal(self, status: int, headers: Mapping[str, str], said: Any, sent: str, model: str) -> MidfillError:
        """Forgets the model as well: it may have been removed, or be another one by now."""
        self._shown = None
        refused = upstream.refusal(status, headers, said, sent, upstream.now())
        if status == 404 and isinstance(refused, ProviderRejected) and "model" in refused.message:
            return ModelMissing(f"Ollama has no model {model!r}: `ollama pull {model}`")
        return refused

    def _error(self, exc: Exception, *, text_arrived: bool) -> ProviderError:
        self._shown = None
        return upstream.failure(exc, self._url, self._tier.timeout_s, text_arrived=text_arrived)

    async def close(self) -> None:
        await self._client.aclose()


# --- what is sent ---------------------------------------------------------------------------------


def _body(generation: Generation, shown: Shown) -> Mapping[str, Any]:
    body: dict[str, Any] = {
        "model": shown.name,
        "stream": True,
        "keep_alive": KEEP_ALIVE,
        # It would cut a prompt that is too long, and forget its beginning for an answer that is.
        "truncate": False,
        "shift": False,
        "options": _options(generation, shown),
    }
    if "thinking" in shown.capabilities:
        body["think"] = False
    if generation.messages:
        turns = [{"role": message.role, "content": message.text} for message in generation.messages]
        return {**body, "messages": turns}
    if generation.suffix:
        return {**body, "prompt": generation.prompt, "suffix": generation.suffix}
    return {**body, "prompt": generation.prompt, "raw": True}


def _options(generation: Generation, shown: Shown) -> Mapping[str, Any]:
    return {
        # Another length than that of the call before would load the model anew.
        "num_ctx": shown.context_tokens,
        "num_predict": max(1, generation.max_tokens),
        "temperature": generation.temperature,
        "top_k": 40 if generation.temperature > 0 else 1,
        "seed": generation.seed,
        # Code repeats itself, and the default is against it.
        "repeat_penalty": 1.0,
        "stop": list(generation.stops),
    }


def _sent_text(generation: Generation) -> str:
    return "\n".join(filter(None, (generation.prompt, generation.suffix, *(each.text for each in generation.messages))))


# --- what is said ---------------------------------------------------------------------------------


async def _next_event(lines: AsyncGenerator[bytes, None]) -> Mapping[str, Any]:
    async for line in lines:
        if line.strip():
            event = upstream.parsed(line)
            if not isinstance(event, dict):
                raise ValueError("a line is not an object")
            return event
    raise EOFError


def _text(event: Mapping[str, Any]) -> str:
    message = event.get("message")
    text = message.get("content") if isinstance(message, Mapping) else event.get("response")
    return text if isinstance(text, str) else ""


def _usage(event: Mapping[str, Any]) -> Usage:
    """Without a count of cached tokens: no stable version tells, and the speed of a cached prompt is none."""
    return Usage(
        prompt_tokens=upstream.count(event, "prompt_eval_count", -1),
        output_tokens=upstream.count(event, "eval_count", -1),
        finish="length" if event.get("done_reason") == "length" else "stop",
    )


def _models(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    models = answer.get("models")
    return (
        [each for each in models if isinstance(each, Mapping) and each.get("name")] if isinstance(models, list) else []
    )


def _strings(value: Any) -> frozenset[str]:
    return frozenset(each for each in value if isinstance(each, str)) if isinstance(value, list) else frozenset()


def _context_tokens(name: str, loaded: Iterable[Mapping[str, Any]], shown: Mapping[str, Any]) -> int:
    """The length that the model is loaded with, as another one would load it anew; else ours, if it has that many."""
    full_names = (name, f"{name}:latest")
    lengths = (upstream.count(each, "context_length") for each in loaded if each["name"] in full_names)
    return next(filter(None, lengths), 0) or min(
        DEFAULT_CONTEXT_TOKENS, _trained_tokens(shown) or DEFAULT_CONTEXT_TOKENS
    )


def _trained_tokens(shown: Mapping[str, Any]) -> int:
    facts = shown.get("model_info")
    names = [name for name in facts if name.endswith(".context_length")] if isinstance(facts, Mapping) else []
    return upstream.count(shown["model_info"], names[0]) if names else 0


def _is_named(name: str) -> bool:
    return fim.detect(fim.AUTO, frozenset(), name) != fim.PREFIX_ONLY


def _evidence(name: str, template: str, shown: Mapping[str, Any]) -> frozenset[str]:
    """The control tokens that tell a family whose name does not: those of the template, else of what it was made from.

    None where the name tells: a template shows only some of the vocabulary, and so could contradict it.
    """
    if _is_named(name):
        return frozenset()
    written = frozenset(token for token in fim.CONTROL_TOKENS if token in template)
    if fim.detect(fim.AUTO, written, "") != fim.PREFIX_ONLY:
        return written
    facts, details = shown.get("model_info"), shown.get("details")
    origins = [*_values(facts, "general.basename", "general.name"), *_values(details, "parent_model", "family")]
    known = next(filter(_is_named, origins), "")
    return frozenset(fim.FORMATS[fim.detect(fim.AUTO, frozenset(), known)].proof)


def _values(facts: Any, *names: str) -> list[str]:
    return [str(facts[name]) for name in names if facts.get(name)] if isinstance(facts, Mapping) else []
