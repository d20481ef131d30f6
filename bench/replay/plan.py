"""What one run is about, as handed to the model's process: the passage, the seed, the latency."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.replay.passages import Passage


@dataclass(frozen=True, slots=True)
class Profile:
    """How a model does. With `token_s` 0 the whole answer comes at once."""

    first_s: float
    token_s: float
    jitter: float = 0.0
    errors: float = 0.0
    model: str = "fickle"
    """A row of `oracle.MODELS`: what it says."""


PROFILES: Mapping[str, Profile] = {
    "flat800": Profile(0.8, 0.0),
    "stubborn800": Profile(0.8, 0.0, model="stubborn"),
    "fast": Profile(0.06, 0.01),
    "jitter": Profile(0.25, 0.02, jitter=0.3, errors=0.02),
}


@dataclass(frozen=True, slots=True)
class Plan:
    passage: Passage
    seed: int
    profile: Profile


@dataclass(slots=True)
class Call:
    """One generation as the model saw it; times are of the machine's monotonic clock."""

    started_s: float
    tail: str
    """The end of the text before the caret."""
    text: str = ""
    tokens: int = 0
    ended_s: float = 0.0
    cancelled: bool = False
    failed: bool = False


def written(plan: Plan) -> str:
    return json.dumps(asdict(plan))


def read(content: str) -> Plan:
    return of(json.loads(content))


def of(raw: Mapping[str, Any]) -> Plan:
    return Plan(Passage(**raw["passage"]), raw["seed"], Profile(**raw["profile"]))
