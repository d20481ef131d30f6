"""The figures of completions: what is cut out, what counts as right, whose tests are run."""

import json
from pathlib import Path
from typing import Any

import pytest

from evals import fim, sandbox
from evals.fim import Attempt, Case
from midfill_cli.editor import Suggestion

OWN = Path(__file__).parents[1] / "data" / "evals" / "fim"


def attempt(target: str, text: str, passed: bool | None = None) -> Attempt:
    return Attempt(Case("", "", target), Suggestion(text, 0, ""), passed)


HOLES: dict[str, tuple[dict[str, Any], list[Case]]] = {
    "in a line": ({"prefix": "a(", "target": "b", "suffix": ")\n"}, [Case("a(", ")\n", "b")]),
    "of a line": ({"prefix": "a\n", "target": "  b\n", "suffix": "c\n"}, [Case("a\n", "\nc\n", "  b")]),
    "of two lines": ({"prefix": "a\n", "target": "b\nc\n", "suffix": ""}, [Case("a\n", "\n", "b\nc")]),
    "of blanks": ({"prefix": "a\n", "target": " \n", "suffix": "b"}, []),
    "with tests": (
        {"prefix": "", "target": "b", "suffix": "", "test": "t", "entry_point": "f"},
        [Case("", "", "b", "t\ncheck(f)\n")],
    ),
    "with the tests of another language": (
        {"prefix": "", "target": "b", "suffix": "", "test": "t"},
        [Case("", "", "b")],
    ),
}


@pytest.mark.parametrize("name", HOLES)
def test_a_hole(name: str, tmp_path: Path) -> None:
    row, cases = HOLES[name]
    (tmp_path / "set.jsonl").write_text(json.dumps(row) + "\n")
    assert list(fim.load(tmp_path / "set.jsonl")) == cases


def test_score() -> None:
    found = fim.score([attempt("a\nb", " a\nb ", True), attempt("a\nb", "a\nx", False), attempt("abcd", "")])
    assert (found.cases, found.exact, found.first_line) == (3, 1 / 3, 2 / 3)
    assert (found.passes, found.nothing) == (0.5, 1 / 3)
    assert found.similarity == pytest.approx((1 + 2 / 3) / 3)


def test_figures_count_the_cases_that_were_judged() -> None:
    found = list(fim.figures({"py": [attempt("a", "a", True), attempt("b", "c", False)], "js": [attempt("a", "a")]}))
    shares = {(each.segment, each.metric): (each.value, each.cases) for each in found}
    assert shares["all", "exact"] == (0.6667, 3)
    assert shares["all", "passes"] == (0.5, 2)
    assert shares["set=py", "passes"] == (0.5, 2)
    assert ("set=js", "passes") not in shares


@pytest.mark.skipif(bool(sandbox.missing(sandbox.isolation())), reason="programs cannot be held here")
@pytest.mark.parametrize(
    ("text", "replace", "passed"),
    [("a + b", 0, True), ("b + a  # )", 1, True), ("a - b", 0, False), ("exit()", 0, False), ("", 0, False)],
)
def test_passes(text: str, replace: int, passed: bool) -> None:
    case = Case("def add(a, b):\n    return (", ")\n", "a + b", "def check(f):\n    assert f(2, 3) == 5\ncheck(add)\n")
    case = case if not replace else Case(case.prefix.removesuffix("("), ")\n", case.target, case.tests)
    assert fim.passes(case, Suggestion(text, replace, "")) is passed


def test_no_suggestion_passes_no_test() -> None:
    assert fim.passes(Case("", "", "pass", "x = 1"), Suggestion("", 0, "")) is False
    assert fim.passes(Case("", "", "pass"), Suggestion("pass", 0, "")) is None


def test_our_own_cases_are_right() -> None:
    """What was cut out of them passes their tests."""
    cases = list(fim.load(OWN / "humaneval_infilling_singleline.jsonl"))
    assert len(cases) == 3
    assert sandbox.missing(sandbox.isolation()) or all(
        fim.passes(each, Suggestion(each.target, 0, "")) for each in cases
    )
