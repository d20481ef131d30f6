"""`midfill eval run` on cases of our own: a real language server, a scripted model, the tests of the cases, the gate."""

import asyncio
import json
from pathlib import Path

import pytest

from evals import sandbox
from support.processes import MIDFILL, Home, after, living_in, script

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parents[1] / "data" / "evals"
LIMIT_S = 60.0

RIGHT = (
    after("def add(a, b):", "    return a + b\n"),
    after("return None", "    return values[0]\n"),
    after("louder =", "text.upper()\n"),
    after("return", "n / 2;\n"),
)
"""What the model says after each of the holes."""

FAILING = after("def add(a, b):", "", fault="error_500", times=2)
"""The service behind it fails twice, after which the daemon leaves it alone for a second."""

WRONG = (after("return None", "    return values[1]\n"), *RIGHT)


async def evaluate(home: Home, *options: str) -> tuple[int | None, str, str]:
    """Exit status, output, and what was told beside it."""
    process = await asyncio.create_subprocess_exec(
        *(*MIDFILL, "eval", "run", "--repository", str(ROOT), *options),
        env=home.environment,
        cwd=home.folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(LIMIT_S):
        output, errors = await process.communicate()
    assert b"Traceback" not in output + errors
    return process.returncode, output.decode(), errors.decode()


async def test_a_worse_answer_fails_the_gate_and_a_failure_of_the_model_is_no_answer(tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    options = ("--suite", "fim-tenth", "--data", str(DATA), "--baseline", str(baseline))
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    for folder in (right, wrong):
        folder.mkdir()
    async with living_in(right, script(right, FAILING, *RIGHT)) as home:
        status, output, told = await evaluate(home, *options, "--accept")
        assert (status, output) == (0, "fim-tenth: there is no baseline\n")
        assert f"The baseline of fim-tenth is what was found now: {baseline}" in told
        status, output, told = await evaluate(home, *options, "--json")
        assert (status, "fim-tenth: as good as the baseline" in told) == (0, True)
        assert json.loads(output)["fim-tenth"]["problems"] == []
        # A failure that had been taken for an answer would have cost the first run a case.
        _check_results(home.paths.data / "evals.jsonl", runs=2)
    _without_noise(baseline)
    async with living_in(wrong, script(wrong, *WRONG)) as home:
        status, output, told = await evaluate(home, *options)
        assert status == 1
        assert "FAILED fim-tenth, all: exact fell from 1.0000 to 0.7500 over 4 cases (allowed: no loss)" in output
        assert "set=humaneval_infilling_singleline: exact fell from 1.0000 to 0.6667 over 3 cases" in output
        assert "set=humanevalx_js_singleline" not in output
        assert "midfill eval run --suite fim-tenth --accept" in told


def _check_results(path: Path, runs: int) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == runs
    assert rows[0]["figures"] == rows[-1]["figures"]
    assert rows[-1]["versions"].keys() == {"model", "provider", "format", "revision", "prompt", "fit"}
    assert (rows[-1]["versions"]["format"], rows[-1]["settings"]) == ("prefix-only", {"cases": 5, "seed": 1})
    shares = {(each["segment"], each["metric"]): each["value"] for each in rows[-1]["figures"]}
    assert shares["all", "exact"] == 1.0
    if not sandbox.missing(sandbox.isolation()):
        assert shares["all", "passes"] == 1.0


def _without_noise(baseline: Path) -> None:
    """With four cases, one is all that chance may take."""
    baseline.write_text(baseline.read_text().replace('"allowed": 0.3333', '"allowed": 0').replace("0.25", "0"))


@pytest.mark.parametrize(
    ("options", "status", "told"),
    [
        (("--data", "nowhere"), 1, "nowhere: no evaluation data; name its folder with --data or MIDFILL_EVAL_DATA"),
        (("--data", "nowhere", "--skip-without-data"), 0, "Evaluation skipped: there is no data at"),
        (("--data", str(DATA), "--repository", "."), 1, "not a checkout of Midfill"),
        (("--data", str(DATA), "--suite", "context"), 1, "context: evals.context ended with status 1"),
        (("--suite", "nonesuch"), 2, "invalid choice"),
    ],
)
async def test_a_refusal_is_a_sentence(tmp_path: Path, options: tuple[str, ...], status: int, told: str) -> None:
    async with living_in(tmp_path, "scripted:") as home:
        found, output, errors = await evaluate(home, *options)
        assert (found, told in output + errors) == (status, True)
