"""What one run of an evaluation suite found, as a line of JSON: only sums, nothing of a data set's text."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from midfill_daemon.errors import BadInput


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of one segment: a share, or a mean over the cases, from 0 to 1; larger is better."""

    segment: str
    metric: str
    value: float
    cases: int


@dataclass(frozen=True, slots=True)
class Results:
    """One run of a suite."""

    suite: str
    at: str
    """ISO 8601 with its offset."""

    data: str
    """A digest of the data set's files."""

    settings: Mapping[str, int]
    """What chose the cases and bounded the prompt, by the name of the option."""

    versions: Mapping[str, str]
    """What was evaluated: model, its revision, template, prompt version, digests of sources."""

    figures: tuple[Figure, ...]


def append(path: Path, results: Results) -> None:
    """Adds a line to the file of runs, which is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(results)) + "\n")


def last(path: Path) -> Results:
    """The newest run in the file. Raises BadInput when it holds none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return parse(json.loads(lines[-1]))
    except (OSError, LookupError, ValueError, TypeError) as exc:
        raise BadInput(f"{path}: holds no results of an evaluation") from exc


def parse(raw: Mapping[str, Any]) -> Results:
    """Raises TypeError or KeyError when a field is missing or unknown."""
    return Results(**{**raw, "figures": tuple(Figure(**each) for each in raw["figures"])})
