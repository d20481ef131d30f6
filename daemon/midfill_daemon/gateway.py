"""The only way to a model: tier -> back-off -> slot -> provider -> fall-back -> meter -> log row."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import xxhash

from midfill_daemon import fim
from midfill_daemon.backoff import Backoff
from midfill_daemon.contract import Priority
from midfill_daemon.errors import ConfigError, Internal, MidfillError, ModelMissing, Preempted, ProviderError, Truncated
from midfill_daemon.identity import Caller
from midfill_daemon.models import Tier, TierName, Tiers
from midfill_daemon.providers import Generation, ModelInfo, Piece, Provider, Usage
from midfill_daemon.slots import Slots, Turn

log = logging.getLogger(__name__)

DESCRIPTION_LASTS_S = 60.0
PROMPT_STEPS_TOKENS = (256, 512, 1024, 2048, 4096)
CONTEXT_SHARE, CONTEXT_FROM_TOKENS = 0.5, 512
"""A shorter prompt is for the file alone: of 120 lines that need another file, the packaged model of 135M parameters,
which reads 256 tokens, got 7 right without context, 6 with a share of .15, and 3 with .25 (`evals.crossfile`)."""

SPARE_TOKENS = 16
"""Left free in the context: a service may add a token or two of its own."""
COLD_PREFILL_S = 2.0
"""A prompt that takes longer than this to read from cold is never worth waiting for."""


@dataclass(frozen=True, slots=True)
class Model:
    """A tier as it is right now."""

    name: TierName
    tier: Tier
    info: ModelInfo
    provider: Provider

    @property
    def format(self) -> str:
        """A key of `fim.FORMATS`."""
        if self.tier.mode == "chat":
            return fim.CHAT
        found = fim.detect(self.tier.fim, self.info.control_tokens, self.tier.model or self.info.name)
        # Whoever asks for a raw prompt or a suffix field means it, whatever the model is called.
        return fim.PREFIX_ONLY if found == fim.CHAT and self.tier.mode != "auto" else found

    @property
    def prompt_tokens(self) -> int:
        """The largest prompt to send: as configured, else what is read in COLD_PREFILL_S, in coarse steps.

        Coarse, because every change of the budget moves the prompt's start and so empties the KV cache.
        """
        room = max(self.info.context_tokens // 2, self.info.context_tokens - self.tier.max_tokens - SPARE_TOKENS)
        affordable = self.info.prefill_tokens_s * COLD_PREFILL_S
        steps = [step for step in PROMPT_STEPS_TOKENS if step <= affordable]
        return min(room, self.tier.prompt_tokens or (steps or PROMPT_STEPS_TOKENS[:1])[-1])

    @property
    def context_share(self) -> float:
        """The part of the prompt that pieces of other files may take, from 0 to 1."""
        if self.tier.context_share >= 0:
            return self.tier.context_share
        return CONTEXT_SHARE if self.prompt_tokens >= CONTEXT_FROM_TOKENS else 0.0

    @property
    def snippet_tokens(self) -> int:
        """How much of the prompt pieces of other files may take."""
        return int(self.prompt_tokens * self.context_share)

    @property
    def output_tokens(self) -> int:
        """The longest answer for which the context has room beside the largest prompt."""
        return max(1, min(self.tier.max_tokens, self.info.context_tokens - self.prompt_tokens - SPARE_TOKENS))

    def revision(self, prompt_version: str) -> str:
        """A short hash of all that changes what the model answers to the same text."""
        parts = (self.tier.provider, self.info.name, self.format, self.tier.temperature, prompt_version)
        return xxhash.xxh3_64_hexdigest(repr(parts).encode())


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a model: `build` renders the prompt for whichever model answers in the end."""

    task: str
    tier: TierName
    prompt_version: str
    build: Callable[[Model], Awaitable[Generation]]
    caller: Caller
    priority: Priority = "interactive"
    editor: str = ""


@dataclass(slots=True)
class _Line:
    """What the gateway keeps per tier."""

    tier: Tier
    provider: Provider
    backoff: Backoff = field(default_factory=Backoff)
    slots: Slots | None = None
    model: Model | None = None
    described_s: float = 0.0
    error: MidfillError | None = None

    def succeeded(self) -> None:
        self.backoff.succeeded()
        self.error = None

    def failed(self, now_s: float, error: ProviderError) -> None:
        self.backoff.failed(now_s, error.retry_after_s)
        self.error = error


@dataclass(slots=True)
class _Meter:
    """Counts one model call; becomes its log row."""

    call: ModelCall
    started_s: float
    model: Model | None = None
    first_s: float | None = None
    usage: Usage = field(default_factory=Usage)
    pieces: int = 0
    """Pieces of text so far: what is known of the output of a call that was closed early."""
    outcome: str = "closed"
    error_code: str = ""
    fallback_from: str = ""

    def saw(self, piece: Piece | Usage, clock: Callable[[], float]) -> None:
        if isinstance(piece, Usage):
            self.usage = piece
            return
        self.pieces += 1
        if self.first_s is None:
            self.first_s = clock()

    def row(self, now_s: float) -> Mapping[str, Any]:
        model = self.model
        first_ms = None if self.first_s is None else round((self.first_s - self.started_s) * 1000, 3)
        return {
            "task": self.call.task,
            "tier": model.name if model else self.call.tier,
            "provider": model.tier.provider if model else "",
            "model": model.info.name if model else "",
            "revision": model.revision(self.call.prompt_version) if model else "",
            "prompt_version": self.call.prompt_version,
            "caller": self.call.caller.user,
            "workspace": self.call.caller.workspace,
            "editor": self.call.editor,
            "priority": self.call.priority,
            "outcome": self.outcome,
            "error_code": self.error_code,
            "prompt_tokens": self.usage.prompt_tokens,
            "cached_tokens": self.usage.cached_tokens,
            "output_tokens": self.pieces if self.usage.output_tokens < 0 else self.usage.output_tokens,
            "first_token_ms": first_ms,
            "total_ms": round((now_s - self.started_s) * 1000, 3),
            "fallback_from": self.fallback_from,
        }


class Gateway:
    """Every model call of the daemon goes through `stream`."""

    def __init__(
        self,
        tiers: Tiers,
        providers: Mapping[TierName, Provider],
        write_row: Callable[[Mapping[str, Any]], None],
        queue_limit: int = 64,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lines = {name: _Line(tiers[name], provider) for name, provider in providers.items()}
        self._write_row = write_row
        self._queue_limit = queue_limit
        self._clock = clock

    async def model(self, name: TierName) -> Model:
        """The tier's model. Raises ModelMissing when the tier is not configured, else what the provider raised."""
        line = self._lines.get(name)
        if line is None:
            raise ModelMissing(f"no model is configured for the tier {name!r}")
        if line.model is None or self._clock() - line.described_s > DESCRIPTION_LASTS_S:
            await self._describe(name, line)
        assert line.model is not None
        return line.model

    async def _describe(self, name: TierName, line: _Line) -> None:
        try:
            info = await line.provider.describe()
        except MidfillError as exc:
            line.error, line.model = exc, None
            raise
        if line.slots is None:
            line.slots = Slots(line.tier.slots or info.slots, self._queue_limit)
        if line.tier.context_tokens:
            info = replace(info, context_tokens=line.tier.context_tokens)
        line.model = Model(name, line.tier, info, line.provider)
        line.described_s, line.error = self._clock(), None

    async def load(self, name: TierName) -> None:
        """Find out about a tier before anybody asks; an embedded model begins to load here."""
        with suppress(MidfillError):  # It is kept, and told to whoever asks.
            await self.model(name)

    def names(self) -> tuple[TierName, ...]:
        return tuple(self._lines)

    async def summary(self, name: TierName) -> Mapping[str, Any]:
        """One tier for /v1/models: what answers it, or why nothing does."""
        tier = self._lines[name].tier
        try:
            model = await self.model(name)
        except MidfillError as exc:
            return {"tier": name, "provider": tier.provider, "code": exc.code, "reason": exc.message}
        return {"tier": name, "provider": tier.provider, "model": model.info.name, "format": model.format}

    def known(self, name: TierName) -> Model | MidfillError | None:
        """The last known model or failure of a tier, without asking; None when nothing is known yet."""
        line = self._lines.get(name)
        if line is None:
            return ModelMissing(f"no model is configured for the tier {name!r}")
        return line.error or line.model

    async def stream(self, call: ModelCall) -> AsyncGenerator[Piece | Usage, None]:
        """Pieces of text, then one Usage. Falls back to another tier only before the first token."""
        meter = _Meter(call, self._clock())
        try:
            for name in self._chain(call.tier):
                try:
                    async with aclosing(self._attempt(name, call, meter)) as pieces:
                        async for piece in pieces:
                            yield piece
                    break
                except ProviderError as exc:
                    if meter.first_s is not None:
                        raise _broken_off(exc) from exc
                    if name == self._chain(call.tier)[-1]:
                        raise
                    log.warning("gateway.fall_back", extra={"tier": name, "code": exc.code})
                    meter.fallback_from = name
            meter.outcome = "ok"
        except Preempted as exc:
            meter.error_code = exc.code  # Closed, as by its caller: the model did not fail.
            raise
        except Exception as exc:
            meter.outcome, meter.error_code = "error", exc.code if isinstance(exc, MidfillError) else Internal.code
            raise
        finally:
            self._write_row(meter.row(self._clock()))

    def _chain(self, name: TierName) -> list[TierName]:
        chain: list[TierName] = [name]
        line = self._lines.get(name)
        while line and line.tier.fall_back:
            following = next((other for other in self._lines if other == line.tier.fall_back), None)
            if following is None or following in chain:
                break
            chain.append(following)
            line = self._lines[following]
        return chain

    async def _attempt(self, name: TierName, call: ModelCall, meter: _Meter) -> AsyncGenerator[Piece | Usage, None]:
        line = self._lines.get(name)
        self._refuse_while_backing_off(line)
        meter.model = model = await self.model(name)
        assert line is not None
        assert line.slots is not None
        generation = await call.build(model)
        async with line.slots.take(call.editor, call.priority) as turn:
            try:
                async with aclosing(_values(model.provider, replace(generation, slot=turn.slot), turn)) as pieces:
                    async for piece in pieces:
                        meter.saw(piece, self._clock)
                        yield piece
                line.succeeded()
            except ProviderError as exc:
                line.failed(self._clock(), exc)
                log.warning("provider.failed", extra={"tier": name, "code": exc.code})
                raise
            except (GeneratorExit, asyncio.CancelledError, Preempted):
                # Most completions are closed before their end; a model that had begun to answer is well.
                if meter.first_s is not None:
                    line.succeeded()
                raise

    def _refuse_while_backing_off(self, line: _Line | None) -> None:
        wait_s = line.backoff.wait_s(self._clock()) if line else 0.0
        if line and wait_s > 0:
            kind = type(line.error) if isinstance(line.error, ProviderError) else ProviderError
            refusal = kind(f"waiting {wait_s:.0f} s before asking the model again ({kind.code})")
            refusal.retry_after_s = wait_s
            raise refusal

    async def close(self) -> None:
        for line in self._lines.values():
            await line.provider.close()


def _values(provider: Provider, generation: Generation, turn: Turn) -> AsyncGenerator[Piece | Usage, None]:
    values = provider.stream(generation)
    return _until_preempted(values, turn) if turn.priority == "speculative" else values


async def _until_preempted(
    values: AsyncGenerator[Piece | Usage, None], turn: Turn
) -> AsyncGenerator[Piece | Usage, None]:
    async with aclosing(values):
        while (value := await turn.wait_for(anext(values, None))) is not None:
            yield value


def _broken_off(failure: ProviderError) -> Truncated:
    """What a failure is once text has been passed on: the caller has a beginning, and no other tier can go on."""
    truncated = failure if isinstance(failure, Truncated) else Truncated(f"the answer broke off: {failure.message}")
    truncated.retry_after_s = failure.retry_after_s
    return truncated


def build_providers(tiers: Tiers, factories: Mapping[str, Callable[[Tier], Provider]]) -> dict[TierName, Provider]:
    """One provider per configured tier. Raises ConfigError for a name that no factory has."""
    providers: dict[TierName, Provider] = {}
    for name, tier in tiers.items():
        if tier.provider not in factories:
            raise ConfigError(f"tiers.{name}.provider: {tier.provider!r} is unknown; known are {', '.join(factories)}")
        providers[name] = factories[tier.provider](tier)
    return providers
