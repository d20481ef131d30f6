"""The results as a table, as JSON, and against the bars of the design."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from bench.replay.figures import Figures
from bench.replay.matrix import Results
from bench.replay.runs import OUT, Setting

COLUMNS: Mapping[str, str] = {
    "visible_150": "vis150",
    "useful_150": "use150",
    "possible_150": "possible",
    "wrong_shown": "wrong",
    "visible_in_pauses": "pauses",
    "lat_ms_p50": "p50 ms",
    "lat_ms_p90": "p90 ms",
    "known_ms_p50": "known",
    "calls_per_100": "calls",
    "tokens_per_100": "tokens",
    "keys_per_100": "keys",
    "waste": "waste",
    "stale": "stale",
    "cpu_ms_per_key": "cpu",
    "rss_mb": "rss",
    "text_ok": "ok",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """What must hold between Midfill and the other servers, in means over seeds and client gaps."""

    accept: tuple[float, ...]
    figure: str
    against: str
    """Another server, or "" for an absolute bar."""
    least: float = float("-inf")
    most: float = float("inf")


BARS: tuple[Bar, ...] = (
    Bar((0.0,), "useful_150", "flights", least=1.0),
    Bar((0.0,), "useful_150", "debounce", least=1.15),
    Bar((0.35,), "useful_150", "flights", least=1.25),
    Bar((0.35,), "useful_150", "debounce", least=2.0),
    Bar((0.0, 0.35), "calls_per_100", "flights", most=1.5),
    Bar((0.0, 0.35), "calls_per_100", "debounce", most=0.4),
    Bar((0.0, 0.35), "tokens_per_100", "flights", most=2.0),
    Bar((0.0, 0.35), "wrong_shown", "", most=0.1),
    Bar((0.0, 0.35), "stale", "", most=0.0),
    Bar((0.0, 0.35), "known_ms_p50", "pygls_const", most=2.0),
)
"""Design §6, for the model that answers after 800 ms."""

BAR_PROFILE = "flat800"


@dataclass(frozen=True, slots=True)
class Verdict:
    accept: float
    figure: str
    against: str
    value: float
    bar: float
    holds: bool


def verdicts(results: Results) -> list[Verdict]:
    return [_verdict(results, bar, accept) for bar in BARS for accept in bar.accept if _has(results, bar, accept)]


def table(results: Results) -> str:
    parts = [_setting(setting, servers) for setting, servers in results.items()]
    return "\n\n".join([*parts, *filter(None, [_checks(verdicts(results))])])


def as_json(results: Results) -> Mapping[str, Any]:
    rows = [asdict(setting) | {"servers": servers} for setting, servers in results.items()]
    return {"results": rows, "checks": [asdict(each) for each in verdicts(results)]}


def write(results: Results, name: str) -> None:
    OUT.mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for path in (OUT / f"replay-{name}-{stamp}.json", OUT / f"replay-{name}.json"):
        path.write_text(json.dumps(as_json(results), indent=1))


def _verdict(results: Results, bar: Bar, accept: float) -> Verdict:
    value = _mean(results, "midfill", bar.figure, accept)
    if bar.against:
        value /= _mean(results, bar.against, bar.figure, accept) or float("nan")
    limit = bar.least if bar.most == float("inf") else bar.most
    return Verdict(accept, bar.figure, bar.against, round(value, 3), limit, bar.least <= value <= bar.most)


def _has(results: Results, bar: Bar, accept: float) -> bool:
    needed = {"midfill", bar.against or "midfill"}
    return any(needed <= _measured(servers).keys() for _, servers in _judged(results, accept))


def _mean(results: Results, server: str, figure: str, accept: float) -> float:
    found = [_measured(servers)[server][figure] for _, servers in _judged(results, accept)]
    return fmean(value for value in found if value is not None)


def _judged(results: Results, accept: float) -> Sequence[tuple[Setting, Mapping[str, Figures]]]:
    return [
        (setting, servers)
        for setting, servers in results.items()
        if setting.profile == BAR_PROFILE and setting.accept == accept
    ]


def _measured(servers: Mapping[str, Figures]) -> Mapping[str, Figures]:
    return {name: each for name, each in servers.items() if "runs" in each}


def _setting(setting: Setting, servers: Mapping[str, Figures]) -> str:
    head = f"{setting.name:22}" + "".join(f"{title:>9}" for title in COLUMNS.values())
    return "\n".join([head, *(_row(name, each) for name, each in servers.items())])


def _row(name: str, each: Figures) -> str:
    if "runs" not in each:
        return f"{name:22}  unavailable: {each['unavailable'][0]}"
    return f"{name:22}" + "".join(f"{_cell(each[column]):>9}" for column in COLUMNS)


def _cell(value: float | bool | None) -> str:
    if value is None or isinstance(value, bool):
        return {None: "-", True: "yes", False: "NO"}[value]
    return RULES[value >= 10](value)


RULES: Mapping[bool, Callable[[float], str]] = {True: "{:.1f}".format, False: "{:.3g}".format}


def _checks(checks: Sequence[Verdict]) -> str:
    return "\n".join(
        f"{'holds' if each.holds else 'FAILS'}  accept {each.accept:<5g} {each.figure:15} "
        f"{('/ ' + each.against) if each.against else '':14} {each.value:8.3f}  bar {each.bar:g}"
        for each in checks
    )
