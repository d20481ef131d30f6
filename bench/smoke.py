"""`python -m bench.smoke`: the quick figures of the design, each against its bar, with real processes."""

import argparse
import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

from bench import measures
from bench.measures import QUICK, Effort
from bench.replay.runs import OUT
from bench.servers import daemon

RESULTS = OUT / "smoke.json"


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure of the report and the most it may be."""

    figure: str
    most: float


BARS: Mapping[str, Bar] = {
    "hit": Bar("hit_ratio", 2.0),
    "typed_through": Bar("typed_through_ratio", 2.0),
    "miss_overhead": Bar("miss_overhead_ms_p50", 5.0),
    "start": Bar("start_cpu_ratio", 1.25),
    "memory": Bar("rss_mb", 130.0),
    "cpu_2600": Bar("cpu_ratio_2600", 1.0),
    "cpu_100k": Bar("cpu_ratio_100k", 0.2),
    "growth_10k": Bar("cpu_growth_10k", 1.3),
    "growth_100k": Bar("cpu_growth_100k", 3.0),
    "daemon_cpu": Bar("daemon_cpu_share_60_per_s", 0.15),
    "daemon_p99": Bar("daemon_p99_ratio", 3.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.smoke", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for CI")
    arguments = parser.parse_args()
    figures = asyncio.run(measure(QUICK if arguments.quick else Effort()))
    holds = {row: figures[bar.figure] <= bar.most for row, bar in BARS.items()}
    result = json.dumps({**figures, "holds": holds})
    OUT.mkdir(exist_ok=True)
    RESULTS.write_text(result)
    print(result if arguments.json else _table(figures))


async def measure(effort: Effort) -> dict[str, float]:
    async with daemon() as (client, environment):
        figures = {
            **await measures.start(environment, effort),
            **await measures.hits(environment, effort),
            **await measures.misses(environment, effort),
            **await measures.cpu_per_key(environment, effort),
            **await measures.memory(environment),
            **await measures.daemon_load(client, environment, effort),
        }
    return {name: round(value, 4) for name, value in figures.items()}


def _table(figures: Mapping[str, float]) -> str:
    most = {bar.figure: bar.most for bar in BARS.values()}
    return "\n".join(_row(name, value, most.get(name)) for name, value in figures.items())


def _row(name: str, value: float, most: float | None) -> str:
    verdict = "" if most is None else f"{'holds' if value <= most else 'FAILS'}, bar {most:g}"
    return f"{name:28} {value:10.3f}  {verdict}".rstrip()


if __name__ == "__main__":
    main()
