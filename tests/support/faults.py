"""The list of faults: every wrong of the model with every act of the user meanwhile, and the script that plays it."""

import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass

from support.processes import Json

ANSWER = "sum(values)"
SEED = 20_261_123

FAULTS: Mapping[str, Json] = {
    "error_500": {"fault": "error_500"},
    "rate_limited": {"fault": "rate_limited:0"},
    "hang": {"fault": "hang"},
    "truncate": {"fault": "truncate:2", "token_ms": 10},
    "refused": {"fault": "refused"},
    "garbage": {"fault": "garbage", "first_token_ms": 5},
    "slow": {"first_token_ms": 30, "token_ms": 10},
}
"""Fields of a rule of the scripted provider, beside its match and its text."""

ACTS = ("cancel", "close", "disagree", "agree", "ask again", "kill the daemon", "disconnect")
SEEDS = 5


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line of the list; its number names its document and its rule, so that scenarios share nothing."""

    number: int
    fault: str
    act: str
    seed: int

    def __str__(self) -> str:
        return f"{self.number}-{self.fault}-{self.act}".replace(" ", "_")

    @property
    def text(self) -> str:
        """What stands in the document, the caret at its end."""
        return f"# scenario {self.number}\ns{self.number:04} = "

    @property
    def rule(self) -> Json:
        """Once: then the model is in good health again."""
        return {"match": rf"s{self.number:04} =\s*\Z", "text": ANSWER, "times": 1, **FAULTS[self.fault]}


ALL = tuple(
    Scenario(number, fault, act, seed)
    for number, (fault, act, seed) in enumerate(itertools.product(FAULTS, ACTS, range(SEEDS)))
)


def a_tenth() -> tuple[Scenario, ...]:
    """The same ones in every run."""
    chosen = random.Random(SEED).sample(ALL, len(ALL) // 10)
    return tuple(sorted(chosen, key=lambda scenario: scenario.number))


def rules() -> list[Json]:
    """Every scenario's rule, and the one that a healthy model answers with."""
    return [scenario.rule for scenario in ALL] + [{"match": r"total =\s*\Z", "text": ANSWER}]
