"""What the command lines of all evaluations share: where the data is, how much of it, and where results go."""

import argparse
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from midfill_daemon.paths import locate

DEFAULT_DATA = Path("../shared/data")

CaseT = TypeVar("CaseT")


def parser(description: str | None) -> argparse.ArgumentParser:
    """With `--data`, `--out` and `--json`; a module adds its own."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("MIDFILL_EVAL_DATA") or DEFAULT_DATA)
    made.add_argument("--data", type=Path, default=data, help="folder of the data sets (default: %(default)s)")
    made.add_argument("--out", type=Path, help="file that the results are added to (default: evals.jsonl of the user)")
    made.add_argument("--json", action="store_true", help="print JSON")
    return made


def add_sample(made: argparse.ArgumentParser, cases: int, of: str) -> None:
    """`--cases` and `--seed`, for evaluations that ask a model."""
    made.add_argument("--cases", type=int, default=cases, help=f"cases {of}, chosen by --seed; 0 is all")
    made.add_argument("--seed", type=int, default=1)


def folder(arguments: argparse.Namespace, name: str) -> Path:
    """The folder of one data set. Ends the process with a sentence when it is not there."""
    found: Path = arguments.data.resolve() / name
    if not found.is_dir():
        sys.exit(f"no evaluation data at {found}; name its folder with --data or MIDFILL_EVAL_DATA")
    return found


def out(arguments: argparse.Namespace) -> Path:
    """The file of results, by default among the user's own data."""
    return arguments.out or locate(os.environ).data / "evals.jsonl"


def sample(cases: Sequence[CaseT], count: int, chance: random.Random) -> Sequence[CaseT]:
    """`count` of the cases, or all of them when that is 0 or more than there are."""
    return chance.sample(cases, count) if 0 < count < len(cases) else cases
