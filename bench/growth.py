"""`python -m bench.growth`: how cost grows along each axis, as ratios within one run, against the bars of the design."""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

from bench import assembly, axes
from bench.axes import QUICK, Axis, Effort
from bench.replay.runs import OUT
from bench.servers import daemon

RESULTS = OUT / "growth.json"


@dataclass(frozen=True, slots=True)
class Row:
    """One axis: what grows, and how the cost of that is measured."""

    title: str
    measure: Callable[[Mapping[str, str], Effort], Awaitable[Axis]]


AXES: Mapping[str, Row] = {
    "file_lines": Row("lines of the file that is typed in", axes.file_lines),
    "open_files": Row("open files", axes.open_files),
    "opening_files": Row("open files, while the last of them are opened", axes.opening_files),
    "indexing": Row("files of the workspace, while they are indexed", axes.indexing),
    "editors": Row("editors on one daemon", axes.editors),
    "context_files": Row("open files, and the context for a line in a long one", assembly.context_files),
    "cache_entries": Row("entries of the cache", axes.cache_entries),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """The most that a figure at one size may be, as a multiple of that at another."""

    axis: str
    figure: str
    size: int
    against: int
    """Another size, or 0 for an absolute bar."""
    most: float


BARS: tuple[Bar, ...] = (
    Bar("file_lines", "cpu_ms_per_key", 10_000, 1_000, 1.3),
    Bar("file_lines", "cpu_ms_per_key", 100_000, 1_000, 3.0),
    Bar("open_files", "hit_ms_p50", 200, 5, 1.5),
    Bar("open_files", "cpu_ms_per_key", 200, 5, 1.5),
    Bar("opening_files", "key_ms_p99", 200, 5, 2.0),
    Bar("context_files", "ms_p50", 20, 0, 2.0),
    Bar("context_files", "ms_p50", 200, 0, 5.0),
    Bar("context_files", "held_ms", 200, 0, 50.0),
    Bar("indexing", "key_ms_p99", 10_000, 1, 2.0),
    Bar("editors", "cpu_share", 200, 0, 0.15),
    Bar("editors", "ms_p99", 200, 1, 3.0),
    # Small tables stay in the processor's own caches and a million entries do not: a flat line is out of reach.
    Bar("cache_entries", "look_up_us", 100_000, 1_000, 2.0),
    Bar("cache_entries", "look_up_us", 1_000_000, 1_000, 3.0),
    Bar("cache_entries", "store_us", 1_000_000, 1_000, 3.0),
)

Growth = Mapping[str, Axis]
"""Figures by axis and size."""


@dataclass(frozen=True, slots=True)
class Verdict:
    axis: str
    figure: str
    size: int
    against: int
    value: float
    most: float
    holds: bool


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.growth", description=__doc__)
    parser.add_argument("--axes", default=",".join(AXES), help=f"of {','.join(AXES)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and no cache of a million entries")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    arguments = parser.parse_args()
    names = arguments.axes.split(",")
    unknown = sorted(set(names) - AXES.keys())
    if unknown:
        parser.error(f"unknown axes: {', '.join(unknown)}")
    growth, seconds = asyncio.run(_measure(names, QUICK if arguments.quick else Effort()))
    result = {**as_json(growth), "seconds": seconds}
    OUT.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1))
    print(json.dumps(result) if arguments.json else table(growth))


async def _measure(names: Sequence[str], effort: Effort) -> tuple[Growth, Mapping[str, float]]:
    """The figures, and how many seconds each axis took. A daemon for each, so that none inherits another's past."""
    growth: dict[str, Axis] = {}
    seconds: dict[str, float] = {}
    for name in names:
        started_s = perf_counter()
        async with daemon() as (_, environment):
            growth[name] = await AXES[name].measure(environment, effort)
        seconds[name] = round(perf_counter() - started_s, 1)
    return growth, seconds


def verdicts(growth: Growth, bars: Sequence[Bar] = BARS) -> list[Verdict]:
    """Of the bars whose sizes were measured."""
    measured = {(name, size) for name, axis in growth.items() for size in axis}
    return [
        _verdict(bar, growth[bar.axis])
        for bar in bars
        if {(bar.axis, bar.size), (bar.axis, bar.against or bar.size)} <= measured
    ]


def _verdict(bar: Bar, axis: Axis) -> Verdict:
    value = axis[bar.size][bar.figure]
    if bar.against:
        value /= axis[bar.against][bar.figure]
    return Verdict(bar.axis, bar.figure, bar.size, bar.against, round(value, 3), bar.most, value <= bar.most)


def as_json(growth: Growth) -> dict[str, Any]:
    figures = {
        name: {str(size): {figure: round(value, 4) for figure, value in each.items()} for size, each in axis.items()}
        for name, axis in growth.items()
    }
    return {"axes": figures, "checks": [asdict(each) for each in verdicts(growth)]}


def table(growth: Growth) -> str:
    parts = [_axis(name, axis) for name, axis in growth.items()]
    return "\n\n".join([*parts, "\n".join(map(_check, verdicts(growth)))])


def _axis(name: str, axis: Axis) -> str:
    columns = list(dict.fromkeys(figure for each in axis.values() for figure in each))
    head = f"{'':>12}" + "".join(f"{column:>22}" for column in columns)
    rows = [
        f"{size:>12,}" + "".join(f"{_cell(each.get(column)):>22}" for column in columns) for size, each in axis.items()
    ]
    return "\n".join([AXES[name].title, head, *rows])


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _check(each: Verdict) -> str:
    compared = f"{each.size:,} / {each.against:,}" if each.against else f"{each.size:,}"
    verdict = "holds" if each.holds else "FAILS"
    return f"{verdict}  {each.axis:14} {each.figure:16} {compared:18} {each.value:8.3f}  bar {each.most:g}"


if __name__ == "__main__":
    main()
