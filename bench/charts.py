"""`python -m bench.charts`: draws the newest results of a replay matrix and of the growth bench, as PNG and SVG."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.growth import BARS
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


@dataclass(frozen=True, slots=True)
class Panel:
    """One axis of the growth bench: some of its figures over its sizes."""

    title: str
    axis: str
    figures: Mapping[str, str]
    """What each is called in the chart."""
    ylabel: str
    yscale: Literal["linear", "log"] = "linear"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.charts", description=__doc__)
    parser.add_argument("names", nargs="*", default=["full", "growth"], help="growth, reduced, full: what to draw")
    parser.add_argument("--into", type=Path, default=CHARTS, help="a folder, usually that of the documentation")
    arguments = parser.parse_args()
    # Text stays text in an SVG, and the same figures give the same file.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "midfill", "font.size": 9})
    arguments.into.mkdir(parents=True, exist_ok=True)
    for name in arguments.names:
        for chart, figure in _growth() if name == "growth" else _replay(name):
            for path in _save(figure, arguments.into / chart):
                print(path)


def _save(figure: Figure, path: Path) -> Iterator[Path]:
    for suffix in (".png", ".svg"):
        metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
        figure.savefig(path.with_suffix(suffix), dpi=150, metadata=metadata)
        yield path.with_suffix(suffix)


# --- replays --------------------------------------------------------------------------------------


def _replay(name: str) -> Iterator[tuple[str, Figure]]:
    rows = json.loads((OUT / f"replay-{name}.json").read_text())["results"]
    for profile in dict.fromkeys(row["profile"] for row in rows):
        for chart in TABLE:
            figure = _draw(chart, profile, [row for row in rows if row["profile"] == profile])
            yield f"replay-{profile}-{chart.name}", figure


def _draw(chart: Chart, profile: str, rows: Sequence[Mapping[str, Any]]) -> Figure:
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
    return figure


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
    axes.scatter(
        names, possible, marker="_", s=500, color="#333333", label="asked afresh at each key,\nwithout latency"
    )
    axes.margins(y=0.15)
    axes.tick_params(axis="x", rotation=20)


def _costs(axes: Axes, servers: Servers) -> None:
    names = list(servers)
    for offset, figure in zip((-0.2, 0.2), COSTS, strict=True):
        values = [servers[name][figure] for name in names]
        places = [index + offset for index in range(len(names))]
        colours = [COLOURS[name] for name in names]
        label = figure.split("_")[0]
        # Pale rather than hatched: a hatch of dots is a megabyte of SVG.
        alpha = 1.0 if figure == COSTS[0] else 0.45
        bars = axes.bar(places, values, 0.38, color=colours, alpha=alpha, label=label)
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


# --- growth ---------------------------------------------------------------------------------------


def _growth() -> Iterator[tuple[str, Figure]]:
    measured = json.loads((OUT / "growth.json").read_text())["axes"]
    panels = [panel for panel in PANELS if panel.axis in measured]
    rows = -(-len(panels) // PANELS_IN_A_ROW)
    figure = Figure(figsize=(3.6 * PANELS_IN_A_ROW, 2.9 * rows), layout="constrained")
    places = figure.subplots(rows, PANELS_IN_A_ROW, squeeze=False).flat
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    for axes, panel in zip(places, panels, strict=False):
        _panel(axes, panel, {int(size): figures for size, figures in measured[panel.axis].items()})
    yield "growth", figure


def _panel(axes: Axes, panel: Panel, measured: Mapping[int, Mapping[str, float]]) -> None:
    for (name, label), colour in zip(panel.figures.items(), COLOURS.values(), strict=False):
        values = {size: figures[name] for size, figures in measured.items()}
        axes.plot(list(values), list(values.values()), marker="o", markersize=4, color=colour, label=label)
        bars = {
            bar.size: bar.most * values.get(bar.against, 1.0)
            for bar in BARS
            if (bar.axis, bar.figure) == (panel.axis, name)
        }
        axes.scatter([*bars], [*bars.values()], marker="_", s=300, color=colour)
    axes.scatter([], [], marker="_", s=300, color="#333333", label="bar")
    axes.set_xscale("log")
    axes.set_xticks(list(measured), [_short(size) for size in measured])
    axes.minorticks_off()
    axes.set_yscale(panel.yscale)
    if panel.yscale == "linear":
        axes.set_ylim(bottom=0)
    axes.set_title(panel.title, fontsize=9)
    axes.set_ylabel(panel.ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=7)


def _short(size: int) -> str:
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit:
            return f"{size / unit:g}{name}"
    return str(size)


PANELS_IN_A_ROW = 3
PANELS: tuple[Panel, ...] = (
    Panel(
        "lines of the file",
        "file_lines",
        {"cpu_ms_per_key": "midfill", "floor_cpu_ms_per_key": "constant pygls server"},
        "CPU ms per key",
        "log",
    ),
    Panel("open files", "open_files", {"hit_ms_p50": "cache hit, p50 ms", "cpu_ms_per_key": "CPU ms per key"}, "ms"),
    Panel("files being opened", "opening_files", {"key_ms_p50": "p50", "key_ms_p99": "p99"}, "ms to the answer"),
    Panel("editors on one daemon", "editors", {"ms_p50": "p50", "ms_p99": "p99"}, "ms of a completion"),
    Panel("editors on one daemon", "editors", {"cpu_share": "daemon"}, "share of a core"),
    Panel(
        "entries of the cache",
        "cache_entries",
        {"look_up_us": "look-up", "missing_us": "look-up of nothing", "store_us": "store"},
        "µs",
    ),
)

if __name__ == "__main__":
    main()
