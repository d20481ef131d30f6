"""Counters of the daemon in the Prometheus text format."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

TOKENS = ("prompt", "cached", "output")
"""Kinds of tokens; the cached ones are those of the prompt that the engine had in its KV cache."""


@dataclass(slots=True)
class Metrics:
    """Runs and seconds by task and outcome, model calls and their tokens by tier. No lock: one event loop owns this."""

    runs: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    calls: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    tokens: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def count(self, task: str, outcome: str, took_s: float) -> None:
        self.runs[task, outcome] += 1
        self.seconds[task] += took_s

    def count_call(self, row: Mapping[str, Any]) -> None:
        """One model call, as its log row tells of it; counts that the service did not tell (-1) add nothing."""
        self.calls[row["task"], row["tier"], row["outcome"]] += 1
        for kind in TOKENS:
            self.tokens[row["task"], row["tier"], kind] += max(0, row[f"{kind}_tokens"])

    def text(self) -> str:
        lines = [
            *_counter("midfill_runs_total", ("task", "outcome"), self.runs),
            *_counter("midfill_run_seconds_total", ("task",), {(task,): took for task, took in self.seconds.items()}),
            *_counter("midfill_calls_total", ("task", "tier", "outcome"), self.calls),
            *_counter("midfill_tokens_total", ("task", "tier", "kind"), self.tokens),
        ]
        return "\n".join(lines) + "\n"


def _counter(name: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Iterator[str]:
    yield f"# TYPE {name} counter"
    for key, value in sorted(values.items()):
        pairs = ",".join(f'{label}="{part}"' for label, part in zip(labels, key, strict=True))
        yield f"{name}{{{pairs}}} {value if isinstance(value, int) else format(value, '.6f')}"
