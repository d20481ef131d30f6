"""Feedback: batches without document text, kept while the daemon is away, never a batch that is refused for ever."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from midfill_daemon.errors import BadInput
from midfill_lsp.feedback import BATCH_S, KEPT, Feedback
from midfill_lsp.trace import Outcome, Trace, recorded
from support.daemons import soon_as_many
from support.scripted_client import GONE, Nap, ScriptedClient

SHOWN = Trace(
    "t1",
    "secret/path.py",
    "python",
    by_hand=False,
    outcome="answered",
    source="model",
    message="the daemon said this",
    rules=("scope_end", "repeats"),
    chars=5,
    stages_ms={"cache": 1.0},
)


def kinds(rows: list[Any]) -> list[tuple[str, str]]:
    return [(row["kind"], row["trace"]) for row in rows]


def note(feedback: Feedback, name: str) -> None:
    """Something to post."""
    feedback.traced(replace(SHOWN, id=name))


async def posted(feedback: Feedback) -> list[Any]:
    client = ScriptedClient()
    await feedback.post(client)
    return [row for batch in client.posted for row in batch]


async def test_a_trace_says_how_long_it_took_in_all() -> None:
    feedback = Feedback("window")
    feedback.traced(replace(SHOWN, stages_ms={"cache": 1.0, "model": 20.25}))
    (row,) = await posted(feedback)
    assert (row["kind"], row["trace"], row["editor"]) == ("trace", "t1", "window")
    assert row["data"]["total_ms"] == 21.25
    assert recorded("t1", row["data"]).stages_ms == {"cache": 1.0, "model": 20.25}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"language": "c++"}, {"language": "c++"}),
        ({"language": "/home/me/secret.py"}, {"language": ""}),
        ({"language": "x = 'secret'"}, {"language": ""}),
        ({"language": "x" * 5000}, {"language": ""}),
        ({"model": "qwen/coder:1.5b"}, {"model": "qwen/coder:1.5b"}),
        ({"model": "/home/me/secret/m.gguf"}, {"model": "m.gguf"}),
        ({"model": "C:\\secret\\m.gguf"}, {"model": "m.gguf"}),
    ],
)
async def test_names_that_others_chose_betray_nothing(given: dict[str, Any], kept: dict[str, str]) -> None:
    feedback = Feedback("window")
    feedback.traced(replace(SHOWN, **given))
    (row,) = await posted(feedback)
    assert {name: row["data"][name] for name in kept} == kept


async def test_what_is_not_wanted_is_not_stored_but_explained() -> None:
    feedback = Feedback("window")
    note(feedback, "before")
    feedback.switch(False)
    note(feedback, "meanwhile")
    feedback.traced(SHOWN)
    assert (feedback.last, await posted(feedback)) == (SHOWN, [])
    feedback.switch(True)
    note(feedback, "after")
    assert kinds(await posted(feedback)) == [("trace", "after")]


async def test_what_is_not_wanted_any_more_is_not_tried_again() -> None:
    feedback = Feedback("window")
    note(feedback, "1")

    class Refusing(ScriptedClient):
        async def feedback(self, rows: list[Any]) -> None:
            feedback.switch(False)
            raise GONE

    await feedback.post(Refusing())
    assert await posted(feedback) == []


async def test_no_path_and_no_message_leave_the_window() -> None:
    feedback = Feedback("window")
    feedback.traced(SHOWN)
    text = json.dumps(await posted(feedback))
    assert "secret" not in text
    assert "said" not in text
    assert '"stages_ms": {"cache": 1.0}' in text


@pytest.mark.parametrize(
    ("outcome", "is_last"),
    [
        ("answered", True),
        ("nothing", True),
        ("failed", True),
        ("off", True),
        ("superseded", False),
        ("cancelled", False),
    ],
)
async def test_what_explains_nothing_is_not_the_last_request(outcome: Outcome, is_last: bool) -> None:
    feedback = Feedback("window")
    trace = replace(SHOWN, outcome=outcome)
    feedback.traced(trace)
    assert (feedback.last is trace) is is_last
    assert [row["kind"] for row in await posted(feedback)] == ["trace"]


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
    note(feedback, "1")
    await feedback.post(client)
    note(feedback, "2")
    client.posting_fails = None
    await feedback.post(client)
    assert [kinds(rows) for rows in client.posted] == [[("trace", "1"), ("trace", "2")]]


async def test_what_is_refused_is_not_sent_again() -> None:
    feedback, client = Feedback("window"), ScriptedClient()
    client.posting_fails = BadInput("events[].data: too long")
    note(feedback, "1")
    await feedback.post(client)
    client.posting_fails = None
    note(feedback, "2")
    await feedback.post(client)
    assert [kinds(rows) for rows in client.posted] == [[("trace", "2")]]


class Slow(ScriptedClient):
    """While it posts, more happens; then it fails."""

    def __init__(self, feedback: Feedback) -> None:
        super().__init__()
        self._feedback = feedback

    async def feedback(self, rows: list[Any]) -> None:
        for number in range(KEPT - 1):
            note(self._feedback, f"new {number}")
        raise GONE


async def test_the_oldest_go_first_when_the_daemon_is_away_for_long() -> None:
    feedback = Feedback("window")
    for number in range(3):
        note(feedback, f"old {number}")
    await feedback.post(Slow(feedback))
    traces = [trace for _, trace in kinds(await posted(feedback))]
    assert (len(traces), traces[0], traces[-1]) == (KEPT, "old 2", f"new {KEPT - 2}")


async def test_batches_are_posted_every_few_seconds() -> None:
    feedback, client, nap = Feedback("window"), ScriptedClient(), Nap()
    posting = asyncio.create_task(feedback.keep_posting(client, nap.sleep))
    for count in (1, 2):
        await soon_as_many(nap.slept_s, count)
        note(feedback, str(count))
        nap.end()
        await soon_as_many(client.posted, count)
    posting.cancel()
    await asyncio.gather(posting, return_exceptions=True)
    assert set(nap.slept_s) == {BATCH_S}
    assert [kinds(rows) for rows in client.posted] == [[("trace", "1")], [("trace", "2")]]
