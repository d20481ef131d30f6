"""Feedback: batches without document text, kept while the daemon is away, never a batch that is refused for ever."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from midfill_daemon.errors import BadInput
from midfill_lsp.feedback import BATCH_S, KEPT, Feedback
from midfill_lsp.trace import Outcome, Trace
from support.daemons import soon_as_many
from support.scripted_client import GONE, Nap, ScriptedClient

SHOWN = Trace(
    "t1",
    "secret/path.py",
    "python",
    by_hand=False,
    outcome="shown",
    source="model",
    message="the daemon said this",
    rules=("scope_end", "repeats"),
    chars=5,
    stages_ms={"cache": 1.0},
)


def kinds(rows: list[Any]) -> list[tuple[str, str]]:
    return [(row["kind"], row["trace"]) for row in rows]


async def posted(feedback: Feedback) -> list[Any]:
    client = ScriptedClient()
    await feedback.post(client)
    return [row for batch in client.posted for row in batch]


async def test_a_shown_suggestion_is_a_trace_and_an_event() -> None:
    feedback = Feedback("window")
    feedback.traced(SHOWN)
    feedback.accepted("t1")
    rows = await posted(feedback)
    assert kinds(rows) == [("trace", "t1"), ("shown", "t1"), ("accepted", "t1")]
    assert {row["editor"] for row in rows} == {"window"}
    assert rows[1]["data"] == {"chars": 5}


async def test_no_path_and_no_message_leave_the_window() -> None:
    feedback = Feedback("window")
    feedback.traced(SHOWN)
    text = json.dumps(await posted(feedback))
    assert "secret" not in text
    assert "said" not in text
    assert '"stages_ms": {"cache": 1.0}' in text


@pytest.mark.parametrize(
    ("outcome", "is_last", "events"),
    [
        ("shown", True, ["trace", "shown"]),
        ("nothing", True, ["trace"]),
        ("failed", True, ["trace"]),
        ("off", True, ["trace"]),
        ("superseded", False, ["trace"]),
        ("cancelled", False, ["trace"]),
    ],
)
async def test_what_explains_nothing_is_not_the_last_request(
    outcome: Outcome, is_last: bool, events: list[str]
) -> None:
    feedback = Feedback("window")
    trace = replace(SHOWN, outcome=outcome)
    feedback.traced(trace)
    assert (feedback.last is trace) is is_last
    assert [row["kind"] for row in await posted(feedback)] == events


def test_every_filter_is_counted() -> None:
    feedback = Feedback("window")
    for rules in (("repeats",), ("scope_end", "repeats"), ()):
        feedback.traced(replace(SHOWN, rules=rules))
    assert feedback.rules == {"repeats": 2, "scope_end": 1}


async def test_without_events_nothing_is_posted() -> None:
    client = ScriptedClient()
    await Feedback("window").post(client)
    assert client.posted == []


async def test_what_cannot_be_posted_waits_in_order() -> None:
    feedback, client = Feedback("window"), ScriptedClient()
    client.posting_fails = GONE
    feedback.accepted("1")
    await feedback.post(client)
    feedback.accepted("2")
    client.posting_fails = None
    await feedback.post(client)
    assert [kinds(rows) for rows in client.posted] == [[("accepted", "1"), ("accepted", "2")]]


async def test_what_is_refused_is_not_sent_again() -> None:
    feedback, client = Feedback("window"), ScriptedClient()
    client.posting_fails = BadInput("events[].data: too long")
    feedback.accepted("1")
    await feedback.post(client)
    client.posting_fails = None
    feedback.accepted("2")
    await feedback.post(client)
    assert [kinds(rows) for rows in client.posted] == [[("accepted", "2")]]


class Slow(ScriptedClient):
    """While it posts, more happens; then it fails."""

    def __init__(self, feedback: Feedback) -> None:
        super().__init__()
        self._feedback = feedback

    async def feedback(self, rows: list[Any]) -> None:
        for number in range(KEPT - 1):
            self._feedback.accepted(f"new {number}")
        raise GONE


async def test_the_oldest_go_first_when_the_daemon_is_away_for_long() -> None:
    feedback = Feedback("window")
    for number in range(3):
        feedback.accepted(f"old {number}")
    await feedback.post(Slow(feedback))
    traces = [trace for _, trace in kinds(await posted(feedback))]
    assert (len(traces), traces[0], traces[-1]) == (KEPT, "old 2", f"new {KEPT - 2}")


async def test_batches_are_posted_every_few_seconds() -> None:
    feedback, client, nap = Feedback("window"), ScriptedClient(), Nap()
    posting = asyncio.create_task(feedback.keep_posting(client, nap.sleep))
    for count in (1, 2):
        await soon_as_many(nap.slept_s, count)
        feedback.accepted(str(count))
        nap.end()
        await soon_as_many(client.posted, count)
    posting.cancel()
    await asyncio.gather(posting, return_exceptions=True)
    assert set(nap.slept_s) == {BATCH_S}
    assert [kinds(rows) for rows in client.posted] == [[("accepted", "1")], [("accepted", "2")]]
