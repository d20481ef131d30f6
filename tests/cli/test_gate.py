"""The gate: which runs pass the baseline, and how it names what does not."""

from dataclasses import replace
from typing import Any

import pytest

from midfill_cli import gate
from midfill_cli.gate import SUITES, Bar, Baseline, Suite
from midfill_cli.results import Figure, Results
from midfill_daemon.errors import BadInput

EXACT = Suite("context", "evals.context", {"budget": 6000}, noise=0)
SAMPLED = Suite("fim", "evals.fim", {"cases": 100}, noise=0.02)
RUN = Results(
    "context",
    "2026-01-02T03:04:05+00:00",
    "d1",
    {"budget": 6000},
    {"model": "m"},
    (Figure("all", "recall", 0.9, 100), Figure("lang=go", "recall", 0.8, 10), Figure("all", "nothing", 0.1, 100)),
)
GO = RUN.figures[1]


def with_go(**fields: Any) -> Results:
    changed = replace(GO, **fields)
    return replace(RUN, figures=(RUN.figures[0], changed))


FALLS: dict[str, tuple[Suite, Results, str]] = {
    "a case less": (EXACT, with_go(value=0.7), "lang=go: recall fell from 0.8000 to 0.7000 over 10 cases (allowed: no loss)"),
    "by a thousandth": (EXACT, with_go(value=0.799), "lang=go: recall fell"),
    "two cases of ten, by a model": (SAMPLED, with_go(value=0.6), "fell from 0.8000 to 0.6000 over 10 cases (allowed: 0.1000)"),
    "a segment is missing": (EXACT, replace(RUN, figures=RUN.figures[:1]), "lang=go: recall is missing; the baseline has 0.8000"),
    "other cases": (EXACT, with_go(cases=9), "lang=go: recall is over 9 cases; in the baseline it is over 10"),
    "other data": (EXACT, replace(RUN, data="d2"), "the data is not that of the baseline (d2, not d1)"),
    "other settings": (EXACT, replace(RUN, settings={"budget": 3000}), "measured with {'budget': 3000}"),
}  # fmt: skip


@pytest.mark.parametrize("name", FALLS)
def test_a_fall_is_named(name: str) -> None:
    suite, found, told = FALLS[name]
    (problem,) = gate.compare(suite, gate.accepted(suite, RUN), found).problems
    assert problem.startswith(suite.name)
    assert told in problem


HOLDS: dict[str, tuple[Suite, Results]] = {
    "the same": (EXACT, RUN),
    "rounding": (EXACT, with_go(value=0.79995)),
    "one case of ten, by a model": (SAMPLED, with_go(value=0.7)),
    "more": (EXACT, with_go(value=1.0)),
    "another model": (EXACT, replace(RUN, versions={"model": "n"})),
    "more that show nothing": (EXACT, replace(RUN, figures=(*RUN.figures[:2], Figure("all", "nothing", 0.9, 100)))),
}


@pytest.mark.parametrize("name", HOLDS)
def test_what_is_not_worse_passes(name: str) -> None:
    suite, found = HOLDS[name]
    assert gate.compare(suite, gate.accepted(suite, RUN), found).problems == ()


def test_what_rose_and_what_else_changed_is_told() -> None:
    new = Figure("lang=rust", "recall", 0.5, 4)
    found = replace(with_go(value=1.0), versions={"model": "n"})
    compared = gate.compare(EXACT, gate.accepted(EXACT, RUN), replace(found, figures=(*found.figures, new)))
    assert compared.better == ("context, lang=go: recall rose from 0.8000 to 1.0000 over 10 cases",)
    assert compared.notes == (
        "context: since the baseline changed: model",
        "context, lang=rust: recall is not in the baseline yet",
    )


def test_a_suite_without_a_baseline_fails() -> None:
    assert gate.compare(EXACT, None, RUN).problems == ("context: there is no baseline",)


def test_the_file_of_baselines() -> None:
    baselines = {suite.name: gate.accepted(suite, RUN) for suite in (EXACT, SAMPLED)}
    assert gate.parse(gate.render(baselines)) == baselines
    assert baselines["fim"].bars[1] == Bar(GO, 0.1)
    assert gate.parse("") == {}
    assert gate.parse(gate.render({})) == {}
    assert gate.parse(gate.render({"x": Baseline("", {}, {}, ())}))["x"].bars == ()


@pytest.mark.parametrize("text", ["[]", "{", '{"fim": 1}', '{"fim": {"data": ""}}', '{"a": {"figures": {"all": 1}}}'])
def test_a_baseline_that_nobody_wrote(text: str) -> None:
    with pytest.raises(BadInput, match="baseline is not valid"):
        gate.parse(text)


def test_suites_have_names_of_their_own() -> None:
    assert len({suite.name for suite in SUITES}) == len(SUITES)
