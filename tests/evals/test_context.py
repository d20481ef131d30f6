"""What the evaluation of the context counts on a small package of our own, and that a lost source fails the gate."""

import json
import tarfile
from pathlib import Path

import pytest

from evals import context
from evals.context import Bench
from midfill_cli import gate
from midfill_cli.gate import Suite
from midfill_cli.results import Figure, Results
from midfill_workspace.context import SOURCES

BUDGET_CHARS = 6_000
SUITE = Suite("context", "evals.context", {"budget": BUDGET_CHARS}, noise=0)

PACKAGE = {
    "pyproject.toml": "[project]\nname = 'shop'\n",
    "shop/__init__.py": "",
    "shop/price.py": "def with_tax(net: int, rate: float) -> float:\n    return net * (1 + rate)\n",
    "shop/till.py": "from shop.price import with_tax\n\n\ndef total(net: int) -> float:\n    return with_tax(net, 0.2)\n",
}
ROW = {
    "id": "python/shop-1.0/000",
    "lang": "python",
    "repo": "shop-1.0",
    "file": "shop/till.py",
    "line": 5,
    "col": 11,
    "target": "with_tax(net, 0.2)",
    "kind": "symbol",
    "cursor": "rhs",
    "def_file": "shop/price.py",
    "def_header": "def with_tax(net: int, rate: float) -> float:",
    "need": ["def with_tax(net: int, rate: float) -> float:"],
}
SEGMENTS = ("all", "lang=python", "cursor=rhs", "kind=symbol")
METRICS = ("def_recall", "need_recall")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    source, scratch = tmp_path / "shop-1.0", tmp_path / "scratch"
    for name, text in PACKAGE.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    (tmp_path / "trees").mkdir()
    with tarfile.open(tmp_path / "trees" / "shop.tar.xz", "w:xz") as packed:
        packed.add(source, "shop-1.0")
    (tmp_path / "cases.jsonl").write_text(json.dumps(ROW) + "\n")
    scratch.mkdir()
    return Bench(tmp_path, scratch)


def measured(figures: list[Figure]) -> Results:
    return Results("context", "", "data", {"budget": BUDGET_CHARS}, {}, tuple(figures))


def test_a_lost_source_fails_the_gate(bench: Bench) -> None:
    whole = list(context.segments(bench.run(BUDGET_CHARS, SOURCES)))
    assert whole == [Figure(name, metric, 1.0, 1) for name in SEGMENTS for metric in METRICS]
    less = list(context.segments(bench.run(BUDGET_CHARS, ["edit", "tree"])))
    compared = gate.compare(SUITE, gate.accepted(SUITE, measured(whole)), measured(less))
    assert len(compared.problems) == len(whole)
    assert compared.problems[2].startswith("context, lang=python: def_recall fell from 1.0000 to 0.0000 over 1 cases")


def test_the_rest_of_the_line_is_cut_off(bench: Bench) -> None:
    (case,) = bench.cases
    assert "".join(case.snapshot.lines).endswith("    return \n")
