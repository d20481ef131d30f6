"""`midfill eval run`: runs the evaluations of a checkout and fails when any segment fell below the stored baseline."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from midfill_cli import gate, results
from midfill_cli.gate import Baseline, Comparison, Suite
from midfill_cli.results import Results
from midfill_cli.verb import Context, Verb
from midfill_daemon.errors import BadInput, NotFound
from midfill_daemon.paths import locate

SUITES: Mapping[str, Suite] = {suite.name: suite for suite in gate.SUITES}
DATA_VARIABLE = "MIDFILL_EVAL_DATA"
DEFAULT_DATA = "../shared/data"


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    run = actions.add_parser("run", help="run suites and compare them with the baseline")
    run.add_argument("--suite", action="append", choices=SUITES, help="may be repeated (default: all)")
    run.add_argument("--data", type=Path, help=f"default: {DATA_VARIABLE}, else {DEFAULT_DATA} beside the checkout")
    run.add_argument("--repository", type=Path, default=Path.cwd(), help="a checkout of Midfill (default: here)")
    run.add_argument("--baseline", type=Path, help="default: evals/baseline.json of the checkout")
    run.add_argument("--out", type=Path, help="file that the results are added to (default: evals.jsonl of the user)")
    run.add_argument("--accept", action="store_true", help="make what is found the baseline of these suites")
    run.add_argument("--skip-without-data", action="store_true", help="succeed, and say so, where there is no data")
    run.add_argument("--json", action="store_true", help="print one JSON object")
    run.set_defaults(action=_run_suites)


def _run(context: Context) -> int:
    return int(context.arguments.action(context))


def _run_suites(context: Context) -> int:
    arguments = context.arguments
    root = arguments.repository.resolve()
    if not (root / "evals" / "fim.py").is_file():
        raise NotFound(f"{root}: not a checkout of Midfill; the evaluations are part of its sources only")
    data = _data(context, root)
    if not data.is_dir():
        return _without_data(data, skip=arguments.skip_without_data)
    chosen = [SUITES[name] for name in arguments.suite or SUITES]
    out = (arguments.out or locate(context.environment).data / "evals.jsonl").absolute()
    found = {suite.name: _results(suite, root, data, out, context.environment) for suite in chosen}
    path = (arguments.baseline or root / "evals" / "baseline.json").absolute()
    baselines = gate.parse(path.read_text(encoding="utf-8") if path.exists() else "")
    compared = {suite.name: gate.compare(suite, baselines.get(suite.name), found[suite.name]) for suite in chosen}
    _tell(compared, found, arguments)
    if arguments.accept:
        _accept(path, baselines, found)
        return 0
    return _verdict(compared, chosen)


def _data(context: Context, root: Path) -> Path:
    """The folder of the data sets; a relative one counts from the checkout, where the suites run."""
    given = context.arguments.data or Path(context.environment.get(DATA_VARIABLE) or root / DEFAULT_DATA)
    return Path(given).absolute()


def _without_data(data: Path, *, skip: bool) -> int:
    if not skip:
        raise NotFound(f"{data}: no evaluation data; name its folder with --data or {DATA_VARIABLE}")
    print(f"Evaluation skipped: there is no data at {data} (named by --data or {DATA_VARIABLE}).")
    return 0


def _results(suite: Suite, root: Path, data: Path, out: Path, environment: Mapping[str, str]) -> Results:
    """Runs one suite in the checkout. Raises BadInput when it ends without results."""
    with tempfile.TemporaryDirectory() as scratch:
        found = Path(scratch) / "results.jsonl"
        options = [text for name, value in suite.options.items() for text in (f"--{name}", str(value))]
        command = [sys.executable, "-m", suite.module, "--data", str(data), "--out", str(found), *options]
        # Its table is for people; what we print may be read by a program.
        status = subprocess.run(command, cwd=root, env=dict(environment), stdout=sys.stderr, check=False).returncode  # noqa: S603 - the checkout's own module
        if status:
            raise BadInput(f"{suite.name}: {suite.module} ended with status {status}")
        measured = results.last(found)
    results.append(out, measured)
    return measured


def _tell(compared: Mapping[str, Comparison], found: Mapping[str, Results], arguments: argparse.Namespace) -> None:
    if arguments.json:
        both = {name: {"results": asdict(found[name]), **asdict(compared[name])} for name in found}
        print(json.dumps(both))
        return
    for each in compared.values():
        for sentence in (*each.notes, *each.better):
            print(sentence)
        for sentence in each.problems:
            print(sentence if arguments.accept else f"FAILED {sentence}")


def _accept(path: Path, baselines: Mapping[str, Baseline], found: Mapping[str, Results]) -> None:
    new = {name: gate.accepted(SUITES[name], each) for name, each in found.items()}
    # Written whole or not at all: half a baseline would be no baseline.
    scratch = path.with_suffix(".new")
    scratch.write_text(gate.render({**baselines, **new}), encoding="utf-8")
    os.replace(scratch, path)  # noqa: PTH105
    print(f"The baseline of {', '.join(found)} is what was found now: {path}", file=sys.stderr)


def _verdict(compared: Mapping[str, Comparison], chosen: Sequence[Suite]) -> int:
    again = f"midfill eval run {' '.join(f'--suite {suite.name}' for suite in chosen)} --accept"
    problems = sum(len(each.problems) for each in compared.values())
    if problems:
        print(f"{problems} figures are below the baseline; if that is meant: {again}", file=sys.stderr)
        return 1
    if any(each.better for each in compared.values()):
        print(f"Better than the baseline; to hold it: {again}", file=sys.stderr)
    else:
        print(f"{', '.join(compared)}: as good as the baseline.", file=sys.stderr)
    return 0


VERB = Verb("eval", "measure completions and context on data sets, and compare with the baseline", _arguments, _run)
