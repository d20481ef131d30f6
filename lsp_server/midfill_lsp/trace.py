"""The trace of one request: what happened and how long each stage took. Holds no document text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from midfill_daemon.contract import Raw

Outcome = Literal["answered", "nothing", "superseded", "cancelled", "failed", "off"]
Source = Literal["", "cache", "typed-through", "model", "flight", "speculation"]

OVERTAKEN: frozenset[Outcome] = frozenset({"superseded", "cancelled"})
"""Ends that explain nothing to the user: another request took this one's place."""


@dataclass(slots=True)
class Trace:
    """Filled in on the way; `stages_ms` in the order in which the stages ran."""

    id: str
    path: str
    language: str
    by_hand: bool
    outcome: Outcome = "nothing"
    source: Source = ""
    reason: str = ""
    """A rule of `fit.RULES`, a reason of `exclusion.REASONS`, or an error code."""
    message: str = ""
    """For errors: what the daemon said."""
    rules: tuple[str, ...] = ()
    shape: str = ""
    model: str = ""
    chars: int = 0
    reused: float | None = None
    """The share of the prompt's tokens that the engine had in its KV cache; None when nobody said."""
    others: int = 0
    """How many other suggestions were given with it."""
    told_files: int = 0
    """Of how many other files pieces were in the prompt."""
    redacted: int = 0
    """How many secrets were taken out of the prompt."""
    stages_ms: dict[str, float] = field(default_factory=dict)

    @property
    def total_ms(self) -> float:
        return sum(self.stages_ms.values())


def reused(usage: Raw) -> float | None:
    """`Trace.reused` from what the daemon tells of a prompt: a `prompt` status, or a result."""
    prompt_tokens, cached_tokens = usage.get("prompt_tokens"), usage.get("cached_tokens")
    if not isinstance(prompt_tokens, int) or not isinstance(cached_tokens, int):
        return None
    return min(1.0, cached_tokens / prompt_tokens) if cached_tokens >= 0 and prompt_tokens > 0 else None


# --- what was recorded ------------------------------------------------------------------------------

UNRECORDED = frozenset({"id", "path", "message"})
"""Of these the first has a column of its own, and the others may tell what the user works on."""


def recorded(trace_id: str, data: Raw) -> Trace:
    """A trace as it was posted to the daemon. What another version wrote in another way counts as not there."""
    if data.get("outcome") == "shown":
        # So it was called when what had been answered was taken to have been seen.
        data = {**data, "outcome": "answered"}
    known = {name: data[name] for name, fits in FITTING.items() if name in data and fits(data[name])}
    known["rules"] = tuple(known.get("rules", ()))
    return Trace(**{"id": trace_id, "path": "", "language": "", "by_hand": False, **known})


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


FITTING: Mapping[str, Callable[[Any], bool]] = {
    "language": _is_text,
    "by_hand": _is_flag,
    "outcome": get_args(Outcome).__contains__,
    "source": get_args(Source).__contains__,
    "reason": _is_text,
    "rules": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "shape": _is_text,
    "model": _is_text,
    "chars": lambda value: isinstance(value, int),
    "reused": lambda value: value is None or _is_number(value),
    "others": lambda value: isinstance(value, int),
    "told_files": lambda value: isinstance(value, int),
    "redacted": lambda value: isinstance(value, int),
    "stages_ms": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
}
"""The recorded fields, and whether a value may be theirs."""
