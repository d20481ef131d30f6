"""The Provider protocol and the table of providers: one file each behind one `stream` method."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat prompt; `role` is system, user or assistant."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Generation:
    """What one model call asks for. Exactly one of `prompt` and `messages` is set."""

    prompt: str = ""
    suffix: str = ""
    """Only for services with a suffix field of their own (see `ModelInfo.suffix_field`)."""
    messages: tuple[Message, ...] = ()
    stops: tuple[str, ...] = ()
    max_tokens: int = 64
    """0 reads the prompt into the KV cache and generates nothing (warm-up)."""
    temperature: float = 0.0
    seed: int = 0
    slot: int | None = None
    """The engine slot whose KV cache to use, where the engine has slots."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Generated text."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """The last value of a complete stream. Counts are tokens; -1 where the service does not tell.

    A service that tells about the prompt before it answers has one more before the first Piece, without `finish`:
    most completions are closed long before their end.
    """

    prompt_tokens: int = -1
    cached_tokens: int = -1
    output_tokens: int = -1
    prefill_tokens_s: float = -1.0
    finish: str = "stop"
    """`stop` or `length`; "" while the answer is still to come."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a provider found out about its model; cheap to ask again."""

    name: str
    context_tokens: int
    slots: int = 1
    local: bool = True
    control_tokens: frozenset[str] = frozenset()
    """Those of `fim.CONTROL_TOKENS` that the tokenizer maps to one token each; empty when it cannot be asked."""
    suffix_field: bool = False
    reads_ahead: bool = False
    """Whether a prompt that is sent with `max_tokens=0` is in the KV cache for the next request, and costs nothing."""
    chars_per_token: float = 3.0
    prefill_tokens_s: float = 1000.0


class Provider(Protocol):
    """One model behind one service.

    Every method raises `errors.ProviderError` (or a subclass, or ModelMissing) and nothing else.
    Closing the generator of `stream` (aclose, or cancellation) closes the upstream connection at once.
    """

    async def describe(self) -> ModelInfo: ...

    def stream(self, generation: Generation) -> AsyncGenerator[Piece | Usage, None]: ...

    async def count_tokens(self, text: str) -> int: ...

    async def close(self) -> None: ...
