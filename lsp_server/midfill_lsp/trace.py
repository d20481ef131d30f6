"""The trace of one request: what happened and how long each stage took. Holds no document text."""

from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["shown", "nothing", "superseded", "cancelled", "failed", "off"]
Source = Literal["", "cache", "typed-through", "model"]


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
    stages_ms: dict[str, float] = field(default_factory=dict)

    @property
    def total_ms(self) -> float:
        return sum(self.stages_ms.values())
