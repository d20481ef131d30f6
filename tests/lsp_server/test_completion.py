"""The path of a request, top to bottom, with a client that plays scripted deltas: no daemon, no editor, no waiting."""

import asyncio
from typing import Any

import pytest

from midfill_daemon import errors
from midfill_lsp.completion import Desk
from midfill_lsp.flights import LINGER_S
from midfill_lsp.settings import Settings
from midfill_lsp.trace import Outcome, Source
from midfill_workspace import exclusion
from support.buffers import snapshot_of
from support.daemons import soon
from support.scripted_client import GONE, Asked, Nap, ScriptedClient, ask, desk_of

URI = "file:///file"


async def check(
    asked: Asked, text: str | None, outcome: Outcome = "answered", source: Source = "model", reason: str = ""
) -> None:
    assert await asked.text() == text
    trace = asked.trace
    assert (trace.outcome, trace.source, trace.reason) == (outcome, source, reason)


async def shown(desk: Desk, buffer: str, text: str, source: Source = "model") -> None:
    await check(ask(desk, buffer), text, source=source)


# --- what is never asked --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "by_hand", "excluded", "reason"),
    [
        ({"enabled": False}, False, "", "disabled"),
        ({"enabled": False}, True, "", "disabled"),
        ({"trigger": "manual"}, False, "", "manual"),
        *(({}, by_hand, reason, reason) for reason in exclusion.REASONS for by_hand in (False, True)),
        ({}, False, "out_of_sync", "out_of_sync"),
    ],
)
async def test_off(settings: dict[str, Any], by_hand: bool, excluded: str, reason: str) -> None:
    client = ScriptedClient()
    asked = ask(desk_of(client, **settings), "x = ‸", by_hand=by_hand, excluded=excluded)
    await check(asked, "", "off", "", reason)
    assert client.asked == []


async def test_by_hand_there_is_an_answer_in_manual_mode() -> None:
    client = ScriptedClient(["answer"])
    await check(ask(desk_of(client, trigger="manual"), "x = ‸", by_hand=True), "answer")


# --- what is asked --------------------------------------------------------------------------------------


async def test_the_request_holds_what_the_model_needs() -> None:
    client = ScriptedClient(["value"])
    await shown(desk_of(client, max_tokens=32), "one\r\nx = ‸\rthree\n", "value")
    assert client.asked == [
        {
            "task": "completion",
            "path": "file",
            "language": "plaintext",
            "prefix": "one\nx = ",
            "suffix": "\nthree\n",
            "shape": "line",
            "max_tokens": 32,
            "repository": "",
            "snippets": [],
            "priority": "interactive",
            "editor": "window",
            "variant": 0,
        }
    ]


@pytest.mark.parametrize(
    ("buffer", "by_hand", "shape"),
    [
        ("x = ‸", False, "line"),
        ("x = ‸", True, "block"),
        ("x = ‸ y", True, "line"),
        ("if x:\n    ‸", False, "block"),
        ("‸", False, "block"),
    ],
)
async def test_the_shape_follows_the_place(buffer: str, by_hand: bool, shape: str) -> None:
    client = ScriptedClient(["value"])
    asked = ask(desk_of(client), buffer, by_hand=by_hand)
    await asked.text()
    assert ([request["shape"] for request in client.asked], asked.trace.shape) == ([shape], shape)


async def test_a_line_is_closed_at_its_end() -> None:
    client = ScriptedClient(["foo", "(1)", "\n", "more", asyncio.Event()])
    await shown(desk_of(client), "x = ‸", "foo(1)")
    assert client.closed == 1


async def test_the_first_useful_line_is_given_at_once_and_the_rest_is_kept() -> None:
    hold = asyncio.Event()
    client = ScriptedClient(["one()\n", hold, "    two()\n"])
    desk = desk_of(client)
    await shown(desk, "if x:\n    ‸", "one()")
    hold.set()
    await soon(lambda: not desk.flights.is_running(URI))
    await shown(desk, "if x:\n    one()\n‸", "    two()", "typed-through")
    assert len(client.asked) == 1


async def test_the_trace_has_the_milliseconds_of_each_stage() -> None:
    client = ScriptedClient(["value"])
    asked = ask(desk_of(client, debounce_s=0.075), "x = ‸")
    await asked.text()
    assert asked.trace.stages_ms == {"cache": 0.0, "debounce": 75.0, "model": 0.0, "fit": 0.0}
    assert asked.trace.chars == len("value")


# --- what is known already ------------------------------------------------------------------------------


async def test_the_same_place_is_answered_from_the_cache_without_waiting() -> None:
    client, nap = ScriptedClient(["value"]), Nap()
    desk = desk_of(client)
    await shown(desk, "x = ‸", "value")
    desk.settings = Settings(debounce_s=0.075)
    desk.sleep = nap.sleep
    await shown(desk, "x = ‸", "value", "cache")
    assert (len(client.asked), nap.slept_s) == (1, [])


@pytest.mark.parametrize(("typed", "rest"), [("v", "alue"), ("val", "ue")])
async def test_a_suggestion_that_is_typed_out_stays(typed: str, rest: str) -> None:
    client = ScriptedClient(["value"])
    desk = desk_of(client)
    await shown(desk, "x = ‸", "value")
    await shown(desk, f"x = {typed}‸", rest, "typed-through")
    assert len(client.asked) == 1


async def test_a_suggestion_that_is_typed_out_to_its_end_asks_again() -> None:
    client = ScriptedClient(["value"], [" + 1"])
    desk = desk_of(client)
    await shown(desk, "x = ‸", "value")
    await shown(desk, "x = value‸", " + 1")
    assert client.prefixes == ["x = ", "x = value"]


async def test_what_was_accepted_and_deleted_again_is_found() -> None:
    client = ScriptedClient(["value"], [" + 1"])
    desk = desk_of(client)
    await shown(desk, "x = ‸", "value")
    await shown(desk, "x = value‸", " + 1")
    await shown(desk, "x = ‸", "value", "cache")
    await shown(desk, "x = va‸", "lue", "typed-through")
    assert len(client.asked) == 2


async def test_nothing_is_an_answer_too() -> None:
    client = ScriptedClient([""])
    desk = desk_of(client)
    await check(ask(desk, "x = ‸"), "", "nothing", "model", "empty")
    await check(ask(desk, "x = ‸"), "", "nothing", "cache", "empty")
    assert len(client.asked) == 1


async def test_a_new_revision_misses_the_cache() -> None:
    client = ScriptedClient(["old"], ["new"])
    desk = desk_of(client)
    await shown(desk, "x = ‸", "old")
    desk.link.saw_revision("r2")
    client.revision = "r2"
    await shown(desk, "x = ‸", "new")
    await shown(desk, "x = ‸", "new", "cache")
    assert len(client.asked) == 2


async def test_an_answer_of_another_revision_than_expected_is_kept_under_its_own() -> None:
    client = ScriptedClient(["new"], ["newer"], revision="r2")
    desk = desk_of(client)
    await shown(desk, "x = ‸", "new")
    assert desk.link.model.revision == "r2"
    await shown(desk, "x = ‸", "new", "cache")


@pytest.mark.parametrize("other", ["x = ‸ ", "y = ‸", "x =  ‸", "x = ‸\n"])
async def test_another_place_is_asked_about(other: str) -> None:
    client = ScriptedClient(["value"])
    desk = desk_of(client)
    await shown(desk, "x = ‸", "value")
    await ask(desk, other).text()
    assert len(client.asked) == 2


# --- pace -----------------------------------------------------------------------------------------------


async def test_of_a_burst_only_the_newest_is_asked() -> None:
    client, nap = ScriptedClient(["value"]), Nap()
    desk = desk_of(client, nap.sleep, debounce_s=0.075)
    burst: list[Asked] = []
    for typed in ("x", "x ", "x =", "x = "):
        burst.append(ask(desk, f"{typed}‸"))
        await soon(lambda: len(nap.slept_s) == len(burst))
    assert client.asked == []
    nap.end()
    for superseded in burst[:-1]:
        await check(superseded, None, "superseded", "")
    await soon(lambda: len(nap.slept_s) == len(burst) + 1)
    nap.end()
    await check(burst[-1], "value")
    assert client.prefixes == ["x = "]
    assert nap.slept_s == pytest.approx([0.072] * 4 + [0.003])


@pytest.mark.parametrize(
    ("buffer", "fields", "slept_s"),
    [
        ("x = ‸", {}, [0.072, 0.003]),
        ("x = ‸", {"since_change_s": 0.05}, [0.022, 0.003]),
        ("x = ‸", {"since_change_s": 0.073}, [0.002]),
        ("x = ‸", {"since_change_s": 5.0}, []),
        ("x = ‸", {"by_hand": True}, []),
        ("one\n‸", {}, []),
    ],
)
async def test_the_debounce_counts_from_the_last_change(
    buffer: str, fields: dict[str, Any], slept_s: list[float]
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))

    await ask(desk_of(ScriptedClient(), sleep, debounce_s=0.075), buffer, **fields).text()
    assert slept == slept_s


async def test_a_text_that_moved_during_the_debounce_is_not_asked_about() -> None:
    client, nap, current = ScriptedClient(), Nap(), [True]
    asked = ask(desk_of(client, nap.sleep, debounce_s=0.075), "x = ‸", is_current=lambda: current[0])
    await soon(lambda: nap.slept_s != [])
    current[0] = False
    nap.end()
    await check(asked, None, "superseded", "")
    assert client.asked == []


async def test_a_request_withdrawn_during_the_debounce_asks_nothing() -> None:
    client, nap = ScriptedClient(), Nap()
    desk = desk_of(client, nap.sleep, debounce_s=0.075)
    asked = ask(desk, "x = ‸")
    await soon(lambda: nap.slept_s != [])
    asked.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked.task
    nap.end()
    await ask(desk, "y = ‸", by_hand=True).text()
    assert client.prefixes == ["y = "]


async def test_other_documents_do_not_wait_for_each_other() -> None:
    hold = asyncio.Event()
    client = ScriptedClient([hold, "slow"], ["quick"])
    desk = desk_of(client)
    first = ask(desk, "x = ‸")
    await soon(client.started.is_set)
    await check(ask(desk, "y = ‸", path="other"), "quick")
    hold.set()
    await check(first, "slow")


# --- a generation that runs -----------------------------------------------------------------------------


async def waiting(client: ScriptedClient, desk: Desk, buffer: str = "x = ‸", **fields: Any) -> Asked:
    """A request whose generation has begun."""
    asked = ask(desk, buffer, **fields)
    await soon(client.started.is_set)
    return asked


async def withdraw(asked: Asked) -> None:
    asked.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked.task


@pytest.mark.parametrize(("typed", "rest"), [("", "value"), ("v", "alue"), ("val", "ue")])
async def test_a_withdrawn_requests_generation_is_joined_by_the_next(typed: str, rest: str) -> None:
    hold = asyncio.Event()
    client = ScriptedClient([hold, "value"])
    desk = desk_of(client, client_wait_s=1000.0)
    await withdraw(await waiting(client, desk))
    assert desk.flights.is_running(URI)
    desk.flights.judge(URI, snapshot_of(f"x = {typed}‸").lines)
    second = ask(desk, f"x = {typed}‸")
    await asyncio.sleep(0)
    hold.set()
    await check(second, rest, source="flight")
    assert (len(client.asked), client.closed) == (1, 0)


async def test_a_generation_that_nobody_waits_for_is_closed_after_a_moment() -> None:
    client = ScriptedClient([asyncio.Event()])
    desk = desk_of(client, client_wait_s=-LINGER_S)
    await withdraw(await waiting(client, desk))
    await soon(lambda: client.closed == 1)
    assert not desk.flights.is_running(URI)


async def test_what_ends_after_its_request_was_withdrawn_is_kept() -> None:
    hold = asyncio.Event()
    client = ScriptedClient([hold, "value"])
    desk = desk_of(client, client_wait_s=1000.0)
    await withdraw(await waiting(client, desk))
    hold.set()
    await soon(lambda: not desk.flights.is_running(URI))
    await shown(desk, "x = ‸", "value", "cache")
    assert len(client.asked) == 1


async def test_a_newer_request_takes_the_place_of_one_that_waits_for_the_model() -> None:
    hold = asyncio.Event()
    client = ScriptedClient([hold, "value"])
    desk = desk_of(client)
    first = await waiting(client, desk)
    second = ask(desk, "x = v‸")
    await check(first, None, "superseded", "")
    hold.set()
    await check(second, "alue", source="flight")
    assert len(client.asked) == 1


@pytest.mark.parametrize("arrived", [[], ["va"]])
async def test_a_change_that_disagrees_closes_the_generation_at_once(arrived: list[Any]) -> None:
    client = ScriptedClient([*arrived, asyncio.Event()], ["other"])
    desk = desk_of(client, client_wait_s=1000.0)
    first = await waiting(client, desk)
    await asyncio.sleep(0)
    before = "x = q" if arrived else "y = "
    desk.flights.judge(URI, snapshot_of(f"{before}‸").lines)
    second = ask(desk, f"{before}‸")
    await check(second, "other")
    await check(first, None, "superseded", "")
    assert (client.closed, client.prefixes) == (1, ["x = ", before])


async def test_a_generation_that_turns_out_to_disagree_is_asked_anew() -> None:
    hold = asyncio.Event()
    client = ScriptedClient([hold, "value"], ["query()"])
    desk = desk_of(client, client_wait_s=1000.0)
    await withdraw(await waiting(client, desk))
    second = ask(desk, "x = q‸")
    await asyncio.sleep(0)
    hold.set()
    assert await second.text() == "query()"
    assert client.prefixes == ["x = ", "x = q"]


async def test_closing_the_document_ends_its_request_and_its_generation() -> None:
    client = ScriptedClient([asyncio.Event()])
    desk = desk_of(client)
    asked = await waiting(client, desk)
    desk.flights.end(URI)
    desk.newest.end(URI)
    await check(asked, None, "superseded", "")
    await soon(lambda: client.closed == 1)
    assert len(client.asked) == 1


# --- failures -------------------------------------------------------------------------------------------

FAILURES = [
    errors.ModelMissing("run `midfill models pull`"),
    errors.RateLimited("later", 7.0),
    errors.ProviderDown("refused"),
    errors.Busy("too often"),
    errors.Internal("a defect"),
    GONE,
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.code)
async def test_a_failure_is_told_by_code_and_words_and_not_kept(failure: errors.MidfillError) -> None:
    client = ScriptedClient([failure], ["value"])
    desk = desk_of(client)
    first = ask(desk, "x = ‸")
    await check(first, "", "failed", "model", failure.code)
    assert first.trace.message == failure.message
    await shown(desk, "x = ‸", "value")


async def test_a_failure_while_nobody_waits_is_silent() -> None:
    hold = asyncio.Event()
    client = ScriptedClient([hold, GONE], ["value"])
    desk = desk_of(client, client_wait_s=1000.0)
    await withdraw(await waiting(client, desk))
    hold.set()
    await soon(lambda: not desk.flights.is_running(URI))
    await shown(desk, "x = ‸", "value")


async def test_a_defect_is_not_passed_off_as_an_answer() -> None:
    client = ScriptedClient(["val", KeyError("a defect")], ["value"])
    desk = desk_of(client)
    with pytest.raises(KeyError):
        await ask(desk, "x = ‸").text()
    await shown(desk, "x = ‸", "value")
