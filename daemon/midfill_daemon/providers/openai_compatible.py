"""Any service with OpenAI's API, through its SDK: `/v1/completions` with a prompt or a suffix field, and chat."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from midfill_daemon import api_keys, fim
from midfill_daemon.errors import ModelMissing, ProviderDown, ProviderError, ProviderTimeout
from midfill_daemon.models import Tier
from midfill_daemon.providers import Generation, Message, ModelInfo, Piece, Usage, upstream

if TYPE_CHECKING:
    import openai

DEFAULT_CONTEXT_TOKENS = 8192
CHARS_PER_TOKEN = 3.0
UNKEYED = "none"
"""The SDK insists on a key; services that need none ignore it."""

MALFORMED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What the SDK raises, unwrapped, for events that are no JSON or not the JSON it expects."""

UNSUPPORTED = (400, 422)
ABSENT = (404, 405, 501)


def make(tier: Tier, environment: Mapping[str, str]) -> "OpenAICompatible":
    """Raises ConfigError when the tier's API key cannot be read."""
    return OpenAICompatible(tier, api_keys.read(tier, environment))


@dataclass(frozen=True, slots=True)
class Dialect:
    """The optional fields that are sent. One is given up for good once a request succeeds only without it."""

    usage: bool = True
    suffix: bool = True


@dataclass(slots=True)
class _Progress:
    """What one stream has brought so far."""

    opened: bool = False
    text_arrived: bool = False
    finish: str = ""
    usage: Any = None


class OpenAICompatible:
    """One model of one service."""

    def __init__(self, tier: Tier, api_key: str) -> None:
        # Imported here: the SDK takes half a second, and only users of this provider pay for it.
        import openai

        self._tier = tier
        self._local = upstream.is_local(tier.url)
        self._dialect = Dialect()
        self._info: ModelInfo | None = None
        self._client = openai.AsyncOpenAI(
            base_url=tier.url,
            api_key=api_key or UNKEYED,
            timeout=tier.timeout_s,
            # The gateway backs off by itself, and knows when the caller has gone.
            max_retries=0,
            # A proxy of the environment cannot reach this machine's own loopback.
            http_client=openai.DefaultAsyncHttpxClient(trust_env=not self._local, follow_redirects=False),
        )
        # The SDK took these from the environment, and would tell them to whatever service the user configured.
        self._client.organization = self._client.project = None

    async def describe(self) -> ModelInfo:
        if self._info is None:
            self._info = await self._asked()
        return replace(self._info, suffix_field=self._takes_suffix(self._info.name))

    async def _asked(self) -> ModelInfo:
        models = await self._models()
        chosen = next((model for model in models if model.id == self._tier.model), None)
        if chosen is None and not self._tier.model:
            chosen = next(iter(models), None)
        if chosen is None and not self._tier.model:
            raise ModelMissing("the service lists no models: name one in the configuration, or after # in the URL")
        length = getattr(chosen, "max_model_len", None)
        return ModelInfo(
            name=self._tier.model or str(getattr(chosen, "id", "")),
            context_tokens=self._tier.context_tokens or (length if isinstance(length, int) else DEFAULT_CONTEXT_TOKENS),
            slots=self._tier.slots or 1,
            local=self._local,
            chars_per_token=CHARS_PER_TOKEN,
        )

    async def _models(self) -> list[Any]:
        import openai

        try:
            async with asyncio.timeout(self._tier.timeout_s):
                page = await self._client.models.list()
            return [model for model in page.data if isinstance(model.id, str)]
        except openai.APIStatusError as exc:
            if exc.status_code in ABSENT:
                return []
            raise self._error(exc, "", _Progress()) from exc
        except (openai.OpenAIError, TimeoutError, *MALFORMED) as exc:
            raise self._error(exc, "", _Progress()) from exc

    def _takes_suffix(self, model_name: str) -> bool:
        if self._tier.mode in ("raw", "chat") or not self._dialect.suffix:
            return False
        known = fim.detect(self._tier.fim, frozenset(), model_name) != fim.PREFIX_ONLY
        return self._tier.mode == "suffix" or not known

    async def stream(self, generation: Generation) -> AsyncGenerator[Piece | Usage, None]:
        import openai

        if generation.max_tokens == 0:
            # Nobody pays a service for reading a prompt ahead.
            yield Usage(0, 0, 0, finish="length")
            return
        progress = _Progress()
        try:
            async with await self._opened(generation) as stream:
                progress.opened = True
                while (text := await self._next_text(stream, progress)) is not None:
                    if text:
                        progress.text_arrived = True
                        yield Piece(text)
            if not progress.finish:
                raise EOFError("no finish_reason")
        except (openai.OpenAIError, TimeoutError, ValueError, EOFError) as exc:
            self._info = None
            raise self._error(exc, _sent_text(generation), progress) from exc
        yield _usage(progress)

    async def _opened(self, generation: Generation) -> "openai.AsyncStream[Any]":
        """The stream in the richest dialect that the service takes. Raises the last refusal when it takes none."""
        import openai

        info = await self.describe()
        refused: openai.APIStatusError | None = None
        for dialect in _dialects(self._dialect, generation):
            try:
                async with asyncio.timeout(self._tier.timeout_s):
                    stream = await self._create(generation, info.name, dialect)
            except openai.APIStatusError as exc:
                if exc.status_code not in UNSUPPORTED:
                    raise
                refused = exc
            else:
                self._dialect = Dialect(
                    usage=self._dialect.usage and dialect.usage,
                    suffix=self._dialect.suffix and (dialect.suffix or not generation.suffix),
                )
                return stream
        assert refused is not None
        raise refused

    async def _create(self, generation: Generation, model: str, dialect: Dialect) -> "openai.AsyncStream[Any]":
        create: Any = self._client.chat.completions.create if generation.messages else self._client.completions.create
        headers = upstream.stream_headers(self._tier.url)
        body = _body(generation, dialect)
        stream: openai.AsyncStream[Any] = await create(model=model, stream=True, extra_headers=headers, **body)
        return stream

    async def _next_text(self, stream: "openai.AsyncStream[Any]", progress: _Progress) -> str | None:
        """The text of the next chunk, "" when it has none; None at the end."""
        try:
            async with asyncio.timeout(self._tier.timeout_s):
                chunk = await anext(stream, None)
            return None if chunk is None else _taken(chunk, progress)
        except MALFORMED as exc:
            raise ValueError("a chunk cannot be read") from exc

    def _error(self, exc: Exception, prompt: str, progress: _Progress) -> ProviderError:
        import openai

        if isinstance(exc, openai.APITimeoutError | TimeoutError):
            return ProviderTimeout(f"no answer within {self._tier.timeout_s:g} s")
        if isinstance(exc, openai.APIStatusError):
            return upstream.refusal(exc.status_code, exc.response.headers, exc.body, prompt, upstream.now())
        if isinstance(exc, openai.APIConnectionError) and not progress.opened:
            return ProviderDown(f"nothing answers at {upstream.address(self._tier.url)}")
        if isinstance(exc, openai.APIError) and exc.body and not progress.text_arrived:
            return upstream.refusal(upstream.reported_status(exc.code), {}, exc.body, prompt, upstream.now())
        return upstream.broken(progress.text_arrived)

    async def count_tokens(self, text: str) -> int:
        """An estimate: the API has no tokenizer."""
        return upstream.estimated_tokens(text, CHARS_PER_TOKEN)

    async def close(self) -> None:
        await self._client.close()


def _dialects(known: Dialect, generation: Generation) -> list[Dialect]:
    suffix = known.suffix and bool(generation.suffix)
    return list(dict.fromkeys(Dialect(usage, field) for field in (suffix, False) for usage in (known.usage, False)))


def _body(generation: Generation, dialect: Dialect) -> dict[str, Any]:
    """The arguments of the SDK's `create`, without model and stream."""
    body: dict[str, Any] = {"max_tokens": generation.max_tokens, "temperature": generation.temperature}
    if generation.messages:
        body["messages"] = [_turn(message) for message in generation.messages]
    else:
        body["prompt"] = upstream.well_formed(generation.prompt)
    if dialect.suffix:
        body["suffix"] = upstream.well_formed(generation.suffix)
    if generation.stops:
        body["stop"] = list(fim.upstream_stops(generation.stops))
    # Some services reject an unknown `seed`, and without a temperature there is nothing to seed.
    if generation.temperature > 0:
        body["seed"] = generation.seed
    if dialect.usage:
        body["stream_options"] = {"include_usage": True}
    return body


def _turn(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": upstream.well_formed(message.text)}


def _sent_text(generation: Generation) -> str:
    return "\n".join((generation.prompt, generation.suffix, *(message.text for message in generation.messages)))


def _taken(chunk: Any, progress: _Progress) -> str:
    """The chunk's text; its other news go into `progress`. Raises one of MALFORMED for a chunk of another kind."""
    progress.usage = getattr(chunk, "usage", None) or progress.usage
    if not chunk.choices:
        return ""
    choice = chunk.choices[0]
    progress.finish = choice.finish_reason or progress.finish
    text = choice.delta.content if hasattr(choice, "delta") else choice.text
    if not isinstance(text, str | None):
        raise TypeError("text is not a string")
    return text or ""


def _usage(progress: _Progress) -> Usage:
    details = getattr(progress.usage, "prompt_tokens_details", None)
    return Usage(
        prompt_tokens=_count(progress.usage, "prompt_tokens"),
        cached_tokens=_count(details, "cached_tokens"),
        output_tokens=_count(progress.usage, "completion_tokens"),
        finish="length" if progress.finish == "length" else "stop",
    )


def _count(source: Any, name: str) -> int:
    value = getattr(source, name, None)
    return value if isinstance(value, int) else -1
