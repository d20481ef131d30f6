"""`python -m bench.charts`: draws the newest replay results of a matrix for the documentation, as PNG and SVG."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.replay.passages import REPOSITORY
from bench.replay.runs import OUT

CHARTS = REPOSITORY / "docs/charts"
COLOURS: Mapping[str, str] = {
    "midfill": "#0b6e4f",
    "flights": "#4f81bd",
    "debounce": "#9aa5b1",
    "naive": "#c9ced6",
    "tabby_agent": "#d98032",
    "pygls_const": "#e4e4e4",
}
SOURCE_COLOURS: Mapping[str, str] = {
    "hit": "#0b6e4f",
    "typed_through": "#57b894",
    "speculation": "#8e6bbf",
    "flight": "#4f81bd",
    "model": "#d98032",
    "other": "#c9ced6",
}
NO_MODEL = "pygls_const"
"""It shows the same word always, which says nothing about suggestions."""

Servers = Mapping[str, Mapping[str, Any]]
"""Figures by server."""


@dataclass(frozen=True, slots=True)
class Chart:
    name: str
    title: str
    draw: Callable[[Axes, Servers], None]
    ylabel: str


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.charts", description=__doc__)
    parser.add_argument("name", nargs="?", default="full", help="reduced, full, or another name in bench/out")
    rows = json.loads((OUT / f"replay-{parser.parse_args().name}.json").read_text())["results"]
    # Text stays text in an SVG, and the same figures give the same file.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "midfill", "font.size": 9})
    CHARTS.mkdir(parents=True, exist_ok=True)
    for profile in dict.fromkeys(row["profile"] for row in rows):
        for chart in TABLE:
            _draw(chart, profile, [row for row in rows if row["profile"] == profile])


def _draw(chart: Chart, profile: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """One panel for each way of accepting, in means over the client's waits."""
    accepts = sorted({row["accept"] for row in rows})
    figure = Figure(figsize=(4.2 * len(accepts) + 1, 3.2), layout="constrained")
    panels = figure.subplots(1, len(accepts), sharey=True, squeeze=False)[0]
    for axes, accept in zip(panels, accepts, strict=True):
        chart.draw(axes, _means([row["servers"] for row in rows if row["accept"] == accept]))
        axes.set_title(f"{accept:.0%} accepted" if accept else "never accepting")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(chart.ylabel)
    panels[-1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(f"{chart.title} ({profile})")
    for suffix in ("png", "svg"):
        path = CHARTS / f"replay-{profile}-{chart.name}.{suffix}"
        figure.savefig(path, dpi=150, metadata={"Date": None} if suffix == "svg" else {"Software": None})
        print(path.relative_to(REPOSITORY))


def _means(rows: Sequence[Servers]) -> Servers:
    names = [name for name in COLOURS if name != NO_MODEL and all("runs" in row.get(name, {}) for row in rows)]
    return {name: _mean([row[name] for row in rows]) for name in names}


def _mean(figures: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    rates = {
        name: fmean(each[name] for each in figures) for name in ("useful_150", "wrong_shown", "possible_150", *COSTS)
    }
    sources = {
        source: fmean(each["by_source"].get(source, {}).get("share", 0.0) for each in figures)
        for source in SOURCE_COLOURS
    }
    return {**rates, "sources": sources}


COSTS = ("calls_per_100", "tokens_per_100")


def _shown(axes: Axes, servers: Servers) -> None:
    names = list(servers)
    useful = [servers[name]["useful_150"] for name in names]
    wrong = [servers[name]["wrong_shown"] for name in names]
    axes.bar(names, useful, color=[COLOURS[name] for name in names])
    tops = axes.bar(names, wrong, bottom=useful, color="none", edgecolor="#b03030", hatch="////", label="wrong")
    axes.bar_label(tops, [f"{value:.2f}" for value in useful], padding=2)
    possible = [servers[name]["possible_150"] for name in names]
    axes.scatter(names, possible, marker="_", s=500, color="#333333", label="a model without latency")
    axes.margins(y=0.15)
    axes.tick_params(axis="x", rotation=20)


def _costs(axes: Axes, servers: Servers) -> None:
    names = list(servers)
    for offset, figure in zip((-0.2, 0.2), COSTS, strict=True):
        values = [servers[name][figure] for name in names]
        places = [index + offset for index in range(len(names))]
        hatch = "" if figure == COSTS[0] else "...."
        colours = [COLOURS[name] for name in names]
        bars = axes.bar(places, values, 0.38, color=colours, hatch=hatch, edgecolor="white", label=figure.split("_")[0])
        axes.bar_label(bars, fmt="{:.0f}", fontsize=7)
    axes.set_xticks(range(len(names)), names, rotation=20)


def _sources(axes: Axes, servers: Servers) -> None:
    names = list(servers)
    below = [0.0] * len(names)
    for source, colour in SOURCE_COLOURS.items():
        shares = [servers[name]["sources"][source] for name in names]
        axes.bar(names, shares, bottom=below, color=colour, label=source)
        below = [sum(pair) for pair in zip(below, shares, strict=True)]
    axes.tick_params(axis="x", rotation=20)


TABLE: tuple[Chart, ...] = (
    Chart("shown", "On screen within 150 ms of a key", _shown, "share of typed keys"),
    Chart("cost", "What the model had to do", _costs, "per 100 characters"),
    Chart("sources", "Where shown answers came from", _sources, "share of answers"),
)

if __name__ == "__main__":
    main()
