"""When speculation is allowed, what it may cost, and what is known of the machine."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill_daemon.contract import InlineModel
from midfill_lsp import governor
from midfill_lsp.governor import (
    BUSY_LOAD,
    EMBEDDED,
    PERIOD_S,
    REMOTE_TOKENS,
    STARVED_LOAD,
    UNLIMITED_TOKENS,
    Budget,
    Facts,
    Limits,
)
from midfill_lsp.machine import LIFETIME_S, Machine, Reading, is_discharging, read_machine
from midfill_lsp.settings import Settings

LOCAL = Facts(local=True, wanted_tokens=64, left_tokens=1000)
REMOTE = replace(LOCAL, local=False)
BUSY = {"load_per_core": BUSY_LOAD + 0.1}


@pytest.mark.parametrize(
    ("facts", "limits", "reason"),
    [
        (LOCAL, Limits(), ""),
        (REMOTE, Limits(), ""),
        (LOCAL, Limits("off"), "off"),
        (REMOTE, Limits("off"), "off"),
        (replace(LOCAL, excluded=True), Limits("always"), "excluded"),
        (replace(REMOTE, slow=True), Limits("always"), "slow"),
        (REMOTE, Limits(tokens_per_minute=0), "metered"),
        (replace(LOCAL, left_tokens=0), Limits(tokens_per_minute=0), "budget"),
        (replace(REMOTE, left_tokens=63), Limits(), "budget"),
        (replace(REMOTE, left_tokens=63), Limits("always"), "budget"),
        (replace(REMOTE, left_tokens=64), Limits(), ""),
        (replace(LOCAL, on_battery=True), Limits(), "battery"),
        (replace(LOCAL, on_battery=True), Limits("always"), ""),
        (replace(REMOTE, on_battery=True), Limits(), ""),
        (replace(LOCAL, **BUSY), Limits(), "load"),
        (replace(LOCAL, **BUSY), Limits(load_per_core=3.0), ""),
        (replace(LOCAL, **BUSY), Limits("always"), ""),
        (replace(REMOTE, **BUSY), Limits(), ""),
        (replace(LOCAL, load_per_core=BUSY_LOAD), Limits(), ""),
    ],
)
def test_refusal(facts: Facts, limits: Limits, reason: str) -> None:
    assert governor.refusal(facts, limits) == reason


@pytest.mark.parametrize(
    ("chosen", "provider", "local", "limits"),
    [
        (Settings(), EMBEDDED, True, Limits("auto", UNLIMITED_TOKENS, BUSY_LOAD)),
        (Settings(), "llama_server", True, Limits("auto", UNLIMITED_TOKENS, STARVED_LOAD)),
        (Settings(), "llama_server", False, Limits("auto", REMOTE_TOKENS, STARVED_LOAD)),
        (Settings(speculation="always"), "llama_server", False, Limits("always", REMOTE_TOKENS, STARVED_LOAD)),
        (Settings(speculation_tokens_per_minute=0), "llama_server", False, Limits("auto", 0, STARVED_LOAD)),
        (Settings(speculation_tokens_per_minute=500), EMBEDDED, True, Limits("auto", 500, BUSY_LOAD)),
    ],
)
def test_limits(chosen: Settings, provider: str, local: bool, limits: Limits) -> None:
    model = InlineModel(ready=True, provider=provider, local=local)
    assert governor.limits_for(chosen, model) == limits


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ([], 100),
        ([(0, "take", 60)], 40),
        ([(0, "take", 60), (1, "refused", 41), (2, "take", 40)], 0),
        ([(0, "take", 60), (59, "refused", 41)], 40),
        ([(0, "take", 60), (60, "take", 100)], 0),
        ([(0, "take", 60), (1, "settle", 10)], 90),
        ([(0, "take", 60), (1, "settle", 0), (2, "take", 100)], 0),
        ([(0, "take", 60), (1, "settle", 160)], 0),
        ([(0, "take", 60), (1, "settle", 160), (60, "refused", 1), (61, "take", 60)], 40),
        ([(0, "take", 60), (61, "settle", 10)], 100),
        ([(0, "refused", 101), (0, "take", 100)], 0),
    ],
)
def test_budget(steps: list[tuple[float, str, int]], left: int) -> None:
    """A settled reservation is always one of 60 tokens."""
    budget, now_s = Budget(100), 0.0
    for now_s, act, tokens in steps:
        if act == "settle":
            budget.settle(60, tokens, now_s)
        else:
            assert budget.take(tokens, now_s) is (act == "take")
    assert budget.left(now_s) == left


STEP = st.tuples(st.floats(0, 20), st.integers(1, 60), st.floats(0, 1), st.floats(0, PERIOD_S - 1))


@given(st.lists(STEP, max_size=60))
def test_no_minute_costs_more_than_the_budget(steps: list[tuple[float, int, float, float]]) -> None:
    """Generations start at any time, take up to a minute and use any share of what they have reserved."""
    budget, at_s = Budget(100), 0.0
    open_ones: list[tuple[float, int, int]] = []
    used: list[tuple[float, int]] = []
    for wait_s, tokens, share, took_s in steps:
        at_s += wait_s
        for end_s, reserved, cost in sorted(each for each in open_ones if each[0] <= at_s):
            budget.settle(reserved, cost, end_s)
        open_ones = [each for each in open_ones if each[0] > at_s]
        if budget.take(tokens, at_s):
            used.append((at_s, int(tokens * share)))
            open_ones.append((at_s + took_s, tokens, int(tokens * share)))
        assert sum(cost for used_s, cost in used if at_s - used_s < PERIOD_S) <= budget.per_minute
    assert budget.left(at_s + 2 * PERIOD_S) == budget.per_minute


MAINS = {"type": "Mains", "online": "0"}
BATTERY = {"type": "Battery", "scope": "System", "status": "Discharging"}


@pytest.mark.parametrize(
    ("supplies", "discharging"),
    [
        ({}, False),
        ({"BAT0": BATTERY}, True),
        ({"BAT0": {**BATTERY, "scope": ""}}, True),
        ({"BAT0": {**BATTERY, "status": "Not charging"}}, False),
        ({"BAT0": {**BATTERY, "status": "Full"}, "BAT1": BATTERY}, True),
        ({"ADP1": MAINS, "BAT0": BATTERY}, True),
        ({"ADP1": {**MAINS, "online": "1"}, "BAT0": BATTERY}, False),
        ({"BAT0": BATTERY, "ucsi-source-psy": {"type": "USB", "online": "1"}}, False),
        ({"hidpp_battery_0": {**BATTERY, "scope": "Device", "online": "1"}}, False),
        ({"BAT0": BATTERY, "hidpp_battery_0": {**BATTERY, "scope": "Device", "online": "1"}}, True),
        ({"BAT0": {"type": "\xff"}}, False),
    ],
)
def test_is_discharging(tmp_path: Path, supplies: Mapping[str, Mapping[str, str]], discharging: bool) -> None:
    for name, files in supplies.items():
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(f"{text}\n", encoding="latin-1")
    assert is_discharging(tmp_path) is discharging


def test_a_machine_without_power_supplies_is_on_mains(tmp_path: Path) -> None:
    assert not is_discharging(tmp_path / "missing")


def test_this_machine_can_be_read() -> None:
    assert read_machine().load_per_core >= 0


async def everything_else() -> None:
    """Wait for what the machine has begun by itself."""
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))


async def test_the_machine_is_looked_at_again_when_asked_after_ten_seconds() -> None:
    now_s, looks = 0.0, 0

    def read() -> Reading:
        nonlocal looks
        looks += 1
        return Reading(load_per_core=float(looks))

    machine = Machine(read, lambda: now_s)
    assert machine.reading() == Reading()
    await everything_else()
    now_s = LIFETIME_S - 0.1
    assert machine.reading().load_per_core == looks == 1
    now_s = LIFETIME_S
    assert machine.reading().load_per_core == 1
    await everything_else()
    assert machine.reading().load_per_core == looks == 2
    machine.close()
