"""The verdicts and tables of the growth bench, and the small parts that its measurements stand on."""

import json

import pytest

from bench import axes, growth
from bench.growth import AXES, BARS, Bar, Growth
from bench.typist import source


@pytest.mark.parametrize("bar", BARS)
def test_a_bar_names_an_axis_and_sizes_of_it(bar: Bar) -> None:
    assert bar.axis in AXES
    assert bar.against < bar.size


@pytest.mark.parametrize("bar", BARS)
@pytest.mark.parametrize(("factor", "holds"), [(0.99, True), (1.01, False)])
def test_verdicts(bar: Bar, factor: float, holds: bool) -> None:
    sizes = {bar.against: {bar.figure: 2.0}} if bar.against else {}
    value = factor * bar.most * (2.0 if bar.against else 1.0)
    measured: Growth = {bar.axis: {**sizes, bar.size: {bar.figure: value}}}
    (verdict,) = growth.verdicts(measured, (bar,))
    assert verdict.holds is holds


def test_tables_and_json() -> None:
    figures = {bar.figure for bar in BARS}
    measured = {bar.axis: {size: dict.fromkeys(figures, 0.1) for size in sizes(bar.axis)} for bar in BARS}
    assert growth.table(measured).count("holds") == len(BARS)
    assert len(json.loads(json.dumps(growth.as_json(measured)))["checks"]) == len(BARS)


def sizes(axis: str) -> set[int]:
    return {size for bar in BARS if bar.axis == axis for size in (bar.size, bar.against) if size}


@pytest.mark.parametrize("measured", [{}, {"cache_entries": {1_000: {"look_up_us": 1.0, "store_us": 1.0}}}])
def test_a_bar_for_sizes_that_were_not_measured_says_nothing(measured: Growth) -> None:
    assert growth.verdicts(measured) == []


@pytest.mark.parametrize("size", [50, 400])
def test_the_cache_finds_what_was_stored_and_nothing_else(size: int) -> None:
    look_up, store = axes.cache_calls(axes.CACHE_BYTES)
    for number in range(size):
        store(axes.entry(number), f"text {number}")
    assert all(look_up(axes.entry(number)) is not None for number in range(size))
    assert look_up(axes.entry(size)) is None


@pytest.mark.parametrize(("lines", "first"), [(7, 0), (600, 0), (600, 75)])
def test_files_of_so_many_lines(lines: int, first: int) -> None:
    text = source(lines, first)
    assert text.count("\n") == lines
    assert f"def function_{first}(" in text
    compile(text, "source", "exec")
