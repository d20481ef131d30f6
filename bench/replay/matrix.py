"""Many runs side by side: which settings, servers and seeds, and what came of each."""

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import psutil

from bench.replay import passages, session
from bench.replay.figures import Figures, figures
from bench.replay.passages import REPOSITORY
from bench.replay.plan import PROFILES, Plan
from bench.replay.servers import SERVERS
from bench.replay.session import Mode, NotReady, Record
from bench.replay.tabby import Unavailable
from midfill_cli.stdio_client import LspError, ServerGone

OUT = REPOSITORY / "bench/out"
FAILURES = (Unavailable, NotReady, LspError, ServerGone, OSError, TimeoutError, psutil.Error)


@dataclass(frozen=True, slots=True)
class Setting:
    profile: str
    accept: float
    gap_ms: float

    @property
    def name(self) -> str:
        return f"{self.profile} accept {self.accept:g} gap {self.gap_ms:g}"


@dataclass(frozen=True, slots=True)
class Matrix:
    settings: tuple[Setting, ...]
    servers: tuple[str, ...]
    seeds: int
    chars: int
    jobs: int = 6
    """Side by side: each costs some 6 % of a core."""


def _settings(*profiles: str) -> tuple[Setting, ...]:
    return tuple(Setting(*each) for each in product(profiles, (0.0, 0.35), (0.0, 40.0)))


MATRICES: Mapping[str, Matrix] = {
    "reduced": Matrix(_settings("flat800", "fast"), tuple(SERVERS), seeds=2, chars=300, jobs=8),
    "full": Matrix(_settings(*PROFILES), tuple(SERVERS), seeds=6, chars=1000, jobs=12),
}

Results = Mapping[Setting, Mapping[str, Figures]]


@dataclass(frozen=True, slots=True)
class Job:
    setting: Setting
    server: str
    seed: int


async def run(matrix: Matrix, jobs: int, files: Sequence[Path]) -> Results:
    """Every server in every setting with every seed; those of one seed start together, so that they share its noise."""
    order = product(range(1, matrix.seeds + 1), matrix.settings, matrix.servers)
    todo = [Job(setting, server, seed) for seed, setting, server in order]
    places = asyncio.Semaphore(jobs)
    done = 0

    async def one(job: Job) -> Record | str:
        nonlocal done
        async with places:
            outcome = await _outcome(job, matrix.chars, files)
        done += 1
        print(f"{done}/{len(todo)} {job.setting.name} {job.server} seed {job.seed}", file=sys.stderr)
        _note(job, matrix, outcome)
        return outcome

    outcomes = await asyncio.gather(*(one(job) for job in todo))
    return _by_setting(dict(zip(todo, outcomes, strict=True)))


async def _outcome(job: Job, length: int, files: Sequence[Path]) -> Record | str:
    """What was recorded, or why nothing was."""
    passage = passages.choose(job.seed, length, files)
    plan = Plan(passage, job.seed, PROFILES[job.setting.profile])
    try:
        return await session.run(job.server, Mode(plan, job.setting.accept, job.setting.gap_ms / 1000))
    except FAILURES as exc:
        return f"{type(exc).__name__}: {exc}"


def _note(job: Job, matrix: Matrix, outcome: Record | str) -> None:
    """One line for each run, whatever becomes of the others."""
    OUT.mkdir(exist_ok=True)
    with (OUT / "replay-runs.jsonl").open("a") as lines:
        lines.write(json.dumps({**asdict(job), "chars": matrix.chars, **_figures([outcome])}) + "\n")


def _by_setting(outcomes: Mapping[Job, Record | str]) -> Results:
    rows: dict[Setting, dict[str, list[Record | str]]] = defaultdict(lambda: defaultdict(list))
    for job, outcome in outcomes.items():
        rows[job.setting][job.server].append(outcome)
    return {setting: {name: _figures(each) for name, each in servers.items()} for setting, servers in rows.items()}


def _figures(outcomes: Sequence[Record | str]) -> Figures:
    records = [outcome for outcome in outcomes if isinstance(outcome, Record)]
    problems = [outcome for outcome in outcomes if isinstance(outcome, str)]
    found: dict[str, Any] = dict(figures(records)) if records else {}
    return found | ({"unavailable": problems} if problems else {})
