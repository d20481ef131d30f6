"""The progress that an editor shows: begun when it has made one, never falling, ended once."""

from collections.abc import Callable
from typing import Any

import pytest
from lsprotocol import types

from midfill_lsp.progress import Progress, Step

CREATED = ("created", 0)
"""The editor has made the progress that it was asked for last."""


def words(step: Step) -> tuple[Any, ...]:
    if isinstance(step, types.WorkDoneProgressEnd):
        return (step.kind,)
    assert not step.cancellable
    return step.kind, step.message, step.percentage


@pytest.mark.parametrize(
    ("reports", "told"),
    [
        ([("a", 10), CREATED, ("b", 20), ("", 0)], [("begin", "a", 10), ("report", "b", 20), ("end",)]),
        ([("a", 10), ("b", 20), CREATED, ("", 0)], [("begin", "b", 20), ("end",)]),
        ([("a", 10), CREATED, ("b", 5)], [("begin", "a", 10), ("report", "b", 10)]),
        ([("a", 10), ("", 0), CREATED], []),
        ([("a", 10), ("b", 20), ("", 0)], []),
        ([("", 0), ("", 0)], []),
        ([("a", 90), CREATED, ("", 0), ("b", 5), CREATED], [("begin", "a", 90), ("end",), ("begin", "b", 5)]),
        ([("a", 10), CREATED, ("", 0), ("", 0)], [("begin", "a", 10), ("end",)]),
    ],
)
def test_progress(reports: list[tuple[str, int]], told: list[tuple[Any, ...]]) -> None:
    tokens: list[str] = []
    seen: list[tuple[str, Step]] = []
    made: list[Callable[[], None]] = []

    def create(token: str, created: Callable[[], None]) -> None:
        tokens.append(token)
        made.append(created)

    progress = Progress(create, lambda token, step: seen.append((token, step)))
    for report in reports:
        if report == CREATED:
            made[-1]()
        else:
            progress.report(*report)
    assert [words(step) for _, step in seen] == told
    assert {token for token, _ in seen} <= set(tokens)
    assert len(set(tokens)) == len(tokens)
