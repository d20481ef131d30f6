"""Many runs side by side: which settings, servers and seeds, and what came of each."""

import asyncio
import sys
import traceback
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from bench.replay import passages, plan, runs, session
from bench.replay.figures import Figures, figures
from bench.replay.plan import PROFILES, Plan
from bench.replay.runs import Job, Run, Setting
from bench.replay.servers import SERVERS
from bench.replay.session import Mode
from bench.replay.tabby import Unavailable


@dataclass(frozen=True, slots=True)
class Matrix:
    settings: tuple[Setting, ...]
    servers: tuple[str, ...]
    seeds: int
    chars: int
    jobs: int = 6
    """Side by side: each costs some 4 % of a core with all its processes, and for most of its time waits for a key."""


def _settings(*profiles: str) -> tuple[Setting, ...]:
    return tuple(Setting(*each) for each in product(profiles, (0.0, 0.35), (0.0, 40.0)))


MATRICES: Mapping[str, Matrix] = {
    "reduced": Matrix(_settings("flat800", "fast"), tuple(SERVERS), seeds=2, chars=300, jobs=12),
    "full": Matrix(_settings(*PROFILES), tuple(SERVERS), seeds=6, chars=1000, jobs=16),
}

Results = Mapping[Setting, Mapping[str, Figures]]


async def run(matrix: Matrix, jobs: int, files: Sequence[Path], *, resume: bool) -> Results:
    """Every server in every setting with every seed; those of one seed start together, so that they share its noise.

    What has to be read or fetched is there before the first key: this loop is also the clock of every typist.
    """
    plans = {
        (setting, seed): Plan(passages.choose(seed, matrix.chars, files), seed, PROFILES[setting.profile])
        for seed in range(1, matrix.seeds + 1)
        for setting in matrix.settings
    }
    todo = {
        Job(setting, server, seed, runs.digest(plan.written(each).encode())): each
        for (setting, seed), each in plans.items()
        for server in matrix.servers
    }
    code = runs.revision()
    done = {job: run for job, run in runs.recorded(runs.LINES, code).items() if job in todo} if resume else {}
    missing = {name: reason for name in matrix.servers if (reason := await asyncio.to_thread(_missing, name))}
    places = asyncio.Semaphore(jobs)

    async def one(job: Job) -> None:
        async with places:
            found = Run(problem=missing[job.server]) if job.server in missing else await _run(job, todo[job])
        done[job] = found
        print(f"{len(done)}/{len(todo)} {job.setting.name} {job.server} seed {job.seed}", file=sys.stderr)
        await asyncio.to_thread(runs.note, runs.LINES, code, job, found)

    async with asyncio.TaskGroup() as group:
        for job in [job for job in todo if job not in done]:
            group.create_task(one(job))
    return _by_setting({job: done[job] for job in todo})


def _missing(name: str) -> str:
    """Why a server cannot be had, or nothing."""
    try:
        SERVERS[name].command()
    except Unavailable as exc:
        return f"Unavailable: {exc}"
    return ""


async def _run(job: Job, plan_: Plan) -> Run:
    try:
        record = await session.run(job.server, Mode(plan_, job.setting.accept, job.setting.gap_ms / 1000))
    except Exception as exc:  # noqa: BLE001 - whatever happens to one run, the other hours of them go on
        print("".join(traceback.format_exception(exc)), file=sys.stderr)
        return Run(problem=f"{type(exc).__name__}: {exc}")
    return Run(await asyncio.to_thread(runs.written, record))


def _by_setting(found: Mapping[Job, Run]) -> Results:
    rows: dict[Setting, dict[str, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for job, run_ in found.items():
        rows[job.setting][job.server].append(run_)
    return {setting: {name: _figures(each) for name, each in servers.items()} for setting, servers in rows.items()}


def _figures(found: Sequence[Run]) -> Figures:
    records = [runs.read(run_.record) for run_ in found if run_.record]
    problems = [run_.problem for run_ in found if run_.problem]
    made: dict[str, Any] = dict(figures(records)) if records else {}
    return made | ({"unavailable": problems} if problems else {})
