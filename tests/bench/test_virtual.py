"""The promise, held without a clock: typing a file of ours again in virtual time, beside servers that are careful too."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from bench.replay import report, virtual
from bench.replay.passages import Passage
from bench.replay.plan import PROFILES, Plan
from bench.replay.runs import Setting
from bench.replay.session import Mode

TEXT = (Path(__file__).parents[1] / "data/replay/frames.py.txt").read_text()
"""An early state of a module of ours: it never changes, and neither do the figures."""

START = TEXT.index("\n\n\n") + 3
PASSAGE = Passage("frames.py", "python", TEXT, START, TEXT.index("\n", START + 2500))
SEEDS = range(1, 4)
SERVERS = ("midfill", "debounce", "flights")


def modes(profile: str, accept: float) -> list[Mode]:
    return [Mode(Plan(PASSAGE, seed, PROFILES[profile]), accept, 0.04) for seed in SEEDS]


@cache
def results() -> Mapping[Setting, Mapping[str, Any]]:
    return {
        Setting("flat800", accept, 40.0): {name: virtual.measure(name, modes("flat800", accept)) for name in SERVERS}
        for accept in (0.0, 0.35)
    }


@pytest.mark.timeout(240)
def test_the_bars_of_the_design_hold() -> None:
    verdicts = report.verdicts(results())
    assert len(verdicts) == sum(len(bar.accept) for bar in report.BARS if bar.against in (*SERVERS, ""))
    assert [verdict for verdict in verdicts if not verdict.holds] == []


@pytest.mark.timeout(240)
def test_what_was_typed_is_the_file_and_nothing_stale_was_sent() -> None:
    for servers in results().values():
        assert all(figures["text_ok"] for figures in servers.values())
        assert servers["midfill"]["stale"] == 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize("profile", ["fast", "jitter", "stubborn800"])
def test_other_models_are_no_worse_off_than_with_shared_flights(profile: str) -> None:
    ours, flights = (virtual.measure(name, modes(profile, 0.0)[:1]) for name in ("midfill", "flights"))
    assert ours["useful_150"] >= 0.97 * flights["useful_150"]
    assert ours["tokens_per_100"] <= 2 * flights["tokens_per_100"]
    assert ours["text_ok"]


def test_the_same_run_gives_the_same_figures() -> None:
    first, second = (virtual.measure("midfill", modes("jitter", 0.35)[:1]) for _ in range(2))
    assert first == second
    assert fmean([first["useful_150"], second["useful_150"]]) > 0
