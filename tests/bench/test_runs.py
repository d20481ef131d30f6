"""What is kept of a run between two processes, and what a later one takes up of it."""

from pathlib import Path

import pytest

from bench.replay import runs
from bench.replay.editor import Answer, Event
from bench.replay.passages import Passage
from bench.replay.plan import PROFILES, Call, Plan
from bench.replay.runs import Job, Run, Setting
from bench.replay.session import Record

RECORD = Record(
    Plan(Passage("a.py", "python", "a = 1\nb = 2\n", 0, 5), 3, PROFILES["jitter"]),
    text_ok=True,
    events=[Event(1.5, "type", "a", " = 1", " = 1", kept_chars=0), Event(2.0, "accept", "a = 1", "")],
    answers=[Answer(1.5, 1.75, "a", " = 1", current=True, stale=False, after_s=0.25)],
    calls=[Call(1.5, "a", " = 1", 2, 1.7)],
    failures=1,
    cpu_s=0.5,
    rss_mb=60.0,
    server_cpu_s=0.25,
)
JOB = Job(Setting("fast", 0.35, 40.0), "midfill", 1, "plan")
OTHER_PLAN = Job(Setting("fast", 0.35, 40.0), "midfill", 1, "another")
OTHER_SERVER = Job(Setting("fast", 0.35, 40.0), "naive", 1, "plan")


def test_a_record_is_read_as_it_was_written() -> None:
    assert runs.read(runs.written(RECORD)) == RECORD


@pytest.mark.parametrize(
    ("noted", "found"),
    [
        ([], {}),
        ([("now", JOB, Run("first")), ("now", JOB, Run("second"))], {JOB: Run("second")}),
        ([("now", JOB, Run("first")), ("now", JOB, Run(problem="broke"))], {JOB: Run("first")}),
        ([("before", JOB, Run("old"))], {}),
        (
            [("now", OTHER_PLAN, Run("a")), ("now", OTHER_SERVER, Run("b"))],
            {OTHER_PLAN: Run("a"), OTHER_SERVER: Run("b")},
        ),
    ],
)
def test_what_is_taken_up(tmp_path: Path, noted: list[tuple[str, Job, Run]], found: dict[Job, Run]) -> None:
    path = tmp_path / "out/runs.jsonl"
    for code, job, run in noted:
        runs.note(path, code, job, run)
    assert runs.recorded(path, "now") == found


@pytest.mark.parametrize("cut_chars", [1, 20, 10_000])
def test_a_line_that_was_cut_off_costs_only_itself(tmp_path: Path, cut_chars: int) -> None:
    path = tmp_path / "runs.jsonl"
    runs.note(path, "now", OTHER_SERVER, Run("lost"))
    path.write_text(path.read_text()[:-cut_chars])
    runs.note(path, "now", JOB, Run("kept"))
    assert runs.recorded(path, "now") == {JOB: Run("kept")}


def test_the_revision_is_that_of_the_code() -> None:
    assert runs.revision() == runs.revision() != ""
