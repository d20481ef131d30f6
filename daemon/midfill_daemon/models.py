"""Model tiers as values: what a task asks for (`inline`, `fast`, …) and which service answers it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

TierName = Literal["inline", "fast", "capable", "embed", "rerank"]
TIER_NAMES: tuple[TierName, ...] = ("inline", "fast", "capable", "embed", "rerank")


@dataclass(frozen=True, slots=True)
class Tier:
    """One `[tiers.NAME]` table of the configuration: a provider and how to use it."""

    provider: str
    """A key of `providers.PROVIDERS`."""
    url: str = ""
    """Base URL of the service; for `embedded` a GGUF path ("" is the pulled default); for `scripted` a script;
    for `ollama` "" is its usual address."""
    model: str = ""
    fim: str = "auto"
    """A key of `fim.FORMATS`, or `auto`: detected from control tokens, then from the model's name."""
    mode: Literal["auto", "raw", "suffix", "chat"] = "auto"
    """How an OpenAI-compatible service or Ollama is asked; `auto` is as the model's format says, else suffix."""
    context_tokens: int = 0
    """0: ask the service."""
    prompt_tokens: int = 0
    """The largest prompt to send; 0: chosen from the context length and the prefill speed."""
    context_share: float = -1.0
    """How much of the prompt pieces of other files may take; -1: what suits the length of the prompt."""
    max_tokens: int = 64
    temperature: float = 0.0
    timeout_s: float = 30.0
    """The longest wait for the first token, and between two tokens."""
    slots: int = 0
    """Requests the service runs side by side; 0: ask the service."""
    fall_back: str = ""
    """The tier to ask instead when this one fails before its first token; "" is none."""
    api_key_env: str = ""
    api_key_file: str = ""


Tiers = Mapping[TierName, Tier]
