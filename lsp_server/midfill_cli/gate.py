"""Compares a run of a suite with the stored baseline: every segment must hold its figures.

A suite is a row; a later one adds a row and a module that takes the same options. The baseline is a committed file of
figures by suite, segment and metric, each with its number of cases and how far it may fall.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from midfill_cli.results import Figure, Results
from midfill_daemon.errors import BadInput

ROUNDING = 0.0001
"""Figures are stored with four digits."""

MODEL_NOISE = 0.02
"""A chosen margin: at temperature 0 the tenth gave the same figures three times, but another processor may not."""

UNGATED = frozenset({"nothing"})
"""Metrics that are kept with the results only: to show nothing may be the better answer, and `exact` tells if not."""


@dataclass(frozen=True, slots=True)
class Suite:
    """One evaluation: the module that runs it in a checkout, and its options there."""

    name: str
    module: str
    options: Mapping[str, int]
    noise: float
    """The share of a segment's cases that may be lost by chance, at least one case: 0 where only our code decides."""

    def allowed(self, cases: int) -> float:
        return max(self.noise, 1 / cases) if self.noise else 0.0


SUITES: tuple[Suite, ...] = (
    Suite("context", "evals.context", {"budget": 6_000}, noise=0),
    Suite("context-3000", "evals.context", {"budget": 3_000}, noise=0),
    Suite("fim", "evals.fim", {"cases": 50, "seed": 1}, noise=MODEL_NOISE),
    # Runs on whatever machine checks a submission, over 23 cases or so.
    Suite("fim-tenth", "evals.fim", {"cases": 5, "seed": 1}, noise=4 * MODEL_NOISE),
    Suite("crossfile", "evals.crossfile", {"cases": 60, "seed": 1}, noise=MODEL_NOISE),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure was, and how far it may fall."""

    figure: Figure
    allowed: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """Of one suite."""

    data: str
    settings: Mapping[str, int]
    versions: Mapping[str, str]
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Sentences for the user; a run without problems passes the gate."""

    problems: tuple[str, ...] = ()
    better: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def compare(suite: Suite, baseline: Baseline | None, results: Results) -> Comparison:
    """Names every segment that fell, is missing, or cannot be compared; and those that rose."""
    if baseline is None:
        return Comparison(problems=(f"{suite.name}: there is no baseline",))
    changed = _differences(suite.name, baseline, results)
    if changed:
        return Comparison(problems=changed)
    found = {(each.segment, each.metric): each for each in results.figures}
    pairs = [(bar, found.get((bar.figure.segment, bar.figure.metric))) for bar in baseline.bars]
    problems = [_problem(suite.name, bar, figure) for bar, figure in pairs]
    better = [_better(suite.name, bar, figure) for bar, figure in pairs]
    return Comparison(tuple(filter(None, problems)), tuple(filter(None, better)), _notes(suite.name, baseline, results))


def accepted(suite: Suite, results: Results) -> Baseline:
    """The run as a baseline."""
    gated = [figure for figure in results.figures if figure.metric not in UNGATED]
    bars = tuple(Bar(figure, round(suite.allowed(figure.cases), 4)) for figure in gated)
    return Baseline(results.data, results.settings, results.versions, bars)


def _differences(suite: str, baseline: Baseline, results: Results) -> tuple[str, ...]:
    """Why two runs are not of the same cases."""
    data = f"{suite}: the data is not that of the baseline ({results.data}, not {baseline.data})"
    settings = f"{suite}: measured with {dict(results.settings)}, the baseline with {dict(baseline.settings)}"
    return (
        *([data] if results.data != baseline.data else []),
        *([settings] if results.settings != baseline.settings else []),
    )


def _problem(suite: str, bar: Bar, found: Figure | None) -> str:
    was = bar.figure
    where = f"{suite}, {was.segment}: {was.metric}"
    if found is None:
        return f"{where} is missing; the baseline has {was.value:.4f} over {was.cases} cases"
    if found.cases != was.cases:
        return f"{where} is over {found.cases} cases; in the baseline it is over {was.cases}"
    if found.value < was.value - bar.allowed - ROUNDING:
        return f"{where} fell from {was.value:.4f} to {found.value:.4f} over {was.cases} cases (allowed: {_noise(bar)})"
    return ""


def _better(suite: str, bar: Bar, found: Figure | None) -> str:
    was = bar.figure
    if found is None or found.cases != was.cases or found.value <= was.value + bar.allowed + ROUNDING:
        return ""
    return f"{suite}, {was.segment}: {was.metric} rose from {was.value:.4f} to {found.value:.4f} over {was.cases} cases"


def _noise(bar: Bar) -> str:
    return f"{bar.allowed:.4f}" if bar.allowed else "no loss"


def _notes(suite: str, baseline: Baseline, results: Results) -> tuple[str, ...]:
    """What else is not as it was; none of it is wrong."""
    before, now = baseline.versions, results.versions
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    known = {(bar.figure.segment, bar.figure.metric) for bar in baseline.bars}
    new = [each for each in results.figures if each.metric not in UNGATED and (each.segment, each.metric) not in known]
    return (
        *([f"{suite}: since the baseline changed: {', '.join(changed)}"] if changed else []),
        *(f"{suite}, {each.segment}: {each.metric} is not in the baseline yet" for each in new),
    )


# --- the file ------------------------------------------------------------------------------------


def parse(text: str) -> dict[str, Baseline]:
    """The baselines by suite; none in an empty file. Raises BadInput for what no run of ours has written."""
    try:
        raw = json.loads(text or "{}")
        return {suite: _baseline(each) for suite, each in raw.items()}
    except (ValueError, TypeError, LookupError, AttributeError) as exc:
        raise BadInput(f"the baseline is not valid: {exc!r}") from exc


def _baseline(raw: Mapping[str, Any]) -> Baseline:
    bars = [
        Bar(Figure(segment, metric, float(value["value"]), int(value["cases"])), float(value["allowed"]))
        for segment, metrics in raw["figures"].items()
        for metric, value in metrics.items()
    ]
    return Baseline(raw["data"], raw["settings"], raw["versions"], tuple(bars))


def render(baselines: Mapping[str, Baseline]) -> str:
    """The file: one figure to a line, so that a change of it reads well."""
    suites = [f"{json.dumps(name)}: {_suite_text(each)}" for name, each in sorted(baselines.items())]
    return "{\n" + ",\n".join(suites) + "\n}\n"


def _suite_text(baseline: Baseline) -> str:
    head = [
        f"  {json.dumps(name)}: {json.dumps(value, sort_keys=True)}"
        for name, value in (("data", baseline.data), ("settings", baseline.settings), ("versions", baseline.versions))
    ]
    segments = dict.fromkeys(bar.figure.segment for bar in baseline.bars)
    figures = ",\n".join(f"    {json.dumps(each)}: {_segment_text(each, baseline.bars)}" for each in segments)
    return "{\n" + ",\n".join([*head, f'  "figures": {{\n{figures}\n  }}']) + "\n}"


def _segment_text(segment: str, bars: Sequence[Bar]) -> str:
    rows = [
        f"      {json.dumps(bar.figure.metric)}: "
        + json.dumps({"value": bar.figure.value, "cases": bar.figure.cases, "allowed": bar.allowed})
        for bar in bars
        if bar.figure.segment == segment
    ]
    return "{\n" + ",\n".join(rows) + "\n    }"
