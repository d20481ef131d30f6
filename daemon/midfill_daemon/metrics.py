"""Counters of the daemon in the Prometheus text format."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass(slots=True)
class Metrics:
    """Runs and seconds by task and outcome. No lock: one event loop owns this."""

    runs: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def count(self, task: str, outcome: str, took_s: float) -> None:
        self.runs[task, outcome] += 1
        self.seconds[task] += took_s

    def text(self) -> str:
        lines = ["# TYPE midfill_runs_total counter"]
        lines += [
            f'midfill_runs_total{{task="{task}",outcome="{outcome}"}} {count}'
            for (task, outcome), count in sorted(self.runs.items())
        ]
        lines.append("# TYPE midfill_run_seconds_total counter")
        lines += [
            f'midfill_run_seconds_total{{task="{task}"}} {took:.6f}' for task, took in sorted(self.seconds.items())
        ]
        return "\n".join(lines) + "\n"
