"""The runs that were recorded: one line of a file for each, so that an interrupted matrix goes on where it ended."""

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.replay import plan
from bench.replay.editor import Answer, Event
from bench.replay.passages import REPOSITORY
from bench.replay.plan import Call
from bench.replay.session import Record

OUT = REPOSITORY / "bench/out"
LINES = OUT / "replay-runs.jsonl"
RUN_BY = (
    "daemon/**/*.py",
    "lsp_server/**/*.py",
    "bench/references/*.py",
    "bench/replay/*.py",
    "bench/backend.py",
    "bench/floor_pygls.py",
    "bench/process.py",
)
JUDGING = tuple(REPOSITORY / "bench/replay" / name for name in ("__main__.py", "figures.py", "matrix.py", "report.py"))
"""These change what is asked for or made of a run, but not how it goes."""


@dataclass(frozen=True, slots=True)
class Setting:
    profile: str
    accept: float
    gap_ms: float

    @property
    def name(self) -> str:
        return f"{self.profile} accept {self.accept:g} gap {self.gap_ms:g}"


@dataclass(frozen=True, slots=True)
class Job:
    setting: Setting
    server: str
    seed: int
    plan: str
    """A digest of what is typed, of the file around it, and of the model's latency."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a job: a record, written as text, or the reason why there is none."""

    record: str = ""
    problem: str = ""


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def revision() -> str:
    """A digest of the code that runs; commits of other files do not outdate what was measured."""
    paths = {path for pattern in RUN_BY for path in REPOSITORY.glob(pattern)}
    return digest(b"\0".join(path.read_bytes() for path in sorted(paths.difference(JUDGING))))


def note(path: Path, code: str, job: Job, run: Run) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as lines:
        # It begins with a line end: the line before may have been cut off when its process was.
        lines.write("\n" + json.dumps({"code": code, "job": asdict(job), **asdict(run)}))


def recorded(path: Path, code: str) -> dict[Job, Run]:
    """The newest record of each job that this code has done. What went wrong is worth another try."""
    rows = [row for row in _rows(path) if row["code"] == code and row["record"]]
    return {_job(row["job"]): Run(row["record"]) for row in rows}


def written(record: Record) -> str:
    return base64.b64encode(zlib.compress(json.dumps(asdict(record)).encode())).decode()


def read(content: str) -> Record:
    raw = json.loads(zlib.decompress(base64.b64decode(content)))
    lists = {name: [kind(**each) for each in raw[name]] for name, kind in LISTS.items()}
    return Record(**raw | lists | {"plan": plan.of(raw["plan"])})


LISTS: Mapping[str, Callable[..., object]] = {"events": Event, "answers": Answer, "calls": Call}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open() as lines:
        for line in lines:
            # Half a line is what is left of a process that was killed.
            with suppress(json.JSONDecodeError):
                yield json.loads(line)


def _job(raw: dict[str, Any]) -> Job:
    return Job(**raw | {"setting": Setting(**raw["setting"])})
