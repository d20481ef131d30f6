"""What is asked before anybody asks: after a suggestion, at other places, and so that the model has read the prompt."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from bench.virtual_time import run_virtually
from midfill_daemon.errors import Preempted, ProviderDown
from midfill_lsp import completion
from midfill_lsp.answer import Answer, Guess, Known
from midfill_lsp.completion import Ask, Desk
from midfill_lsp.governor import Stakes
from midfill_lsp.habits import Habits
from midfill_lsp.warmth import Warmth
from support.buffers import snapshot_of
from support.scripted_client import MODEL, ScriptedClient, Turn, ask, desk_of

URI = "file:///file"
FAST = replace(MODEL, prefill_tokens_s=5000.0)
"""A local model that reads quickly: it is asked for more than is shown."""

LONG = "x" * 60
"""A suggestion that takes long to type out."""


def desk(client: ScriptedClient, *, accepts: bool = True, model: Any = FAST, **settings: Any) -> Desk:
    made = desk_of(client, **settings)
    made.link.model = model
    made.habits.accepting = 0.5 if accepts else 0.0
    return made


async def settle() -> None:
    """Let everything happen that happens within a second."""
    await asyncio.sleep(1)


def prefixes(work: Callable[[Desk], Awaitable[None]], client: ScriptedClient, **fields: Any) -> list[str]:
    """The prompts that were asked for while `work` was done at a desk."""

    async def begin() -> None:
        await work(desk(client, **fields))
        await settle()

    run_virtually(begin())
    return client.prefixes


def asking(*buffers: str) -> Callable[[Desk], Awaitable[None]]:
    async def work(at: Desk) -> None:
        for buffer in buffers:
            await ask(at, buffer).text()
            await settle()

    return work


# --- after a suggestion -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "fields", "asked"),
    [
        ("value", {}, ["x = ", "x = value"]),
        ("value\nmore()\n", {}, ["x = "]),
        ("", {}, ["x = "]),
        ("a", {}, ["x = "]),
        ("val", {"accepts": False}, ["x = ", "x = val"]),
        (LONG, {}, ["x = ", f"x = {LONG}"]),
        (LONG, {"accepts": False}, ["x = "]),
        ("value", {"speculation": "off"}, ["x = "]),
        ("value", {"model": MODEL}, ["x = "]),
        ("value", {"model": replace(FAST, local=False)}, ["x = ", "x = value"]),
        ("value", {"model": replace(FAST, local=False), "speculation_tokens_per_minute": 0}, ["x = "]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_follows_a_suggestion(answer: str, fields: dict[str, Any], asked: list[str]) -> None:
    assert prefixes(asking("x = ‸"), ScriptedClient([answer], [""]), **fields) == asked


def test_what_was_asked_ahead_is_there_when_the_suggestion_is_taken() -> None:
    client = ScriptedClient(["one()"], ["\ntwo()\nthree()\n"])

    async def work(at: Desk) -> None:
        assert await ask(at, "‸").text() == "one()"
        await settle()
        taken = ask(at, "one()‸")
        assert (await taken.text(), taken.trace.source) == ("\ntwo()", "speculation")
        assert await ask(at, "one()\ntwo()‸").text() == "\nthree()"

    assert prefixes(work, client)[:2] == ["", "one()"]


def test_what_goes_on_with_a_finished_line_is_not_shown_as_one_with_it() -> None:
    client = ScriptedClient(["sum(values)"], ["; count = 1"])

    async def work(at: Desk) -> None:
        await asking("x = ‸")(at)
        assert await ask(at, "x = ‸").text() == "sum(values)"
        assert await ask(at, "x = sum(values)‸").text() == "; count = 1"

    prefixes(work, client)


def test_a_guess_that_adds_nothing_says_that_nothing_follows() -> None:
    client = ScriptedClient(["value"], [""], ["more"])

    async def work(at: Desk) -> None:
        await asking("x = ‸")(at)
        taken = ask(at, "x = value‸")
        assert (await taken.text(), taken.trace.reason) == ("", "empty")
        assert await ask(at, "x = value‸", by_hand=True).text() == "more"

    assert prefixes(work, client)[:3] == ["x = ", "x = value", "x = value"]


def test_a_key_that_contradicts_closes_the_guess_at_once() -> None:
    client = ScriptedClient(["value"], [asyncio.Event()])

    async def work(at: Desk) -> None:
        await asking("x = ‸")(at)
        at.flights.judge(URI, snapshot_of("x = q‸").lines)
        await asyncio.sleep(0)
        assert client.closed == 1

    prefixes(work, client)


def test_who_has_typed_on_before_the_answer_left_is_not_asked_for() -> None:
    async def work(at: Desk) -> None:
        await ask(at, "x = ‸", is_current=iter([True, True, False]).__next__).text()

    assert prefixes(work, ScriptedClient(["value"])) == ["x = "]


@pytest.mark.parametrize("failure", [Preempted("gave way"), ProviderDown("gone")], ids=lambda failure: failure.code)
def test_a_guess_that_fails_is_silent(failure: Exception) -> None:
    client = ScriptedClient(["value"], [failure], ["more"])

    async def work(at: Desk) -> None:
        await asking("x = ‸")(at)
        assert at.health.level == "normal"
        assert await ask(at, "x = value‸").text() == "more"

    prefixes(work, client)


def test_who_waits_for_a_guess_that_gives_way_is_asked_for_anew() -> None:
    hold = asyncio.Event()
    client = ScriptedClient(["value"], [hold, Preempted("gave way")], ["more"])

    async def work(at: Desk) -> None:
        await asking("x = ‸")(at)
        waiting = ask(at, "x = value‸")
        await asyncio.sleep(0)
        hold.set()
        assert await waiting.text() == "more"

    prefixes(work, client)


# --- at other places, and reading ahead ---------------------------------------------------------------

FILE = "def f():\n    a = 1‸\n    b = 2\n\ndef g():\n    pass\n"


@pytest.mark.parametrize(
    ("left", "fields", "asked"),
    [
        (1.0, {}, ["def f():\n    a = 1\n    b = 2\n"]),
        (0.5, {}, []),
        (1.0, {"speculation": "off"}, []),
        (1.0, {"trigger": "manual"}, []),
        (1.0, {"model": MODEL}, []),
    ],
)
def test_in_a_pause_the_next_place_is_asked_for(left: float, fields: dict[str, Any], asked: list[str]) -> None:
    async def work(at: Desk) -> None:
        at.elsewhere_stakes.left = left
        for _ in range(2):
            completion.think_ahead(Ask(snapshot_of(FILE), False, 0.0), at)
            await settle()

    assert prefixes(work, ScriptedClient(["c = 3"]), **fields) == asked


def test_an_excluded_document_is_never_thought_about() -> None:
    async def work(at: Desk) -> None:
        at.elsewhere_stakes.left = 1.0
        completion.think_ahead(Ask(snapshot_of(FILE), False, 0.0, excluded="secret"), at)

    assert prefixes(work, ScriptedClient()) == []


SLOW = replace(MODEL, reads_ahead=True)


@pytest.mark.parametrize(
    ("model", "buffers", "asked"),
    [
        (SLOW, ["abc‸"], ["abc"]),
        (SLOW, ["abc‸", "abc‸"], ["abc"]),
        (SLOW, ["abcdef‸", "abc‸def"], ["abcdef"]),
        (SLOW, ["abc‸", "abcd‸"], ["abc", "abcd"]),
        (SLOW, ["‸abc"], []),
        (MODEL, ["abc‸"], []),
        (replace(SLOW, prefill_tokens_s=5000.0), ["abc‸"], []),
        (replace(SLOW, ready=False), ["abc‸"], []),
    ],
)
def test_a_slow_reader_reads_once(model: Any, buffers: list[str], asked: list[str]) -> None:
    async def work(at: Desk) -> None:
        warmth = Warmth(at.link, at.prompts, "window")
        for buffer in buffers:
            warmth.warm(snapshot_of(buffer))
            await settle()

    client = ScriptedClient([""])
    assert prefixes(work, client, model=model) == asked
    assert all(request["max_tokens"] == 0 for request in client.asked)


def test_a_reading_that_is_broken_off_is_done_again() -> None:
    client = ScriptedClient([asyncio.Event()], [""])

    async def work(at: Desk) -> None:
        warmth = Warmth(at.link, at.prompts, "window")
        warmth.warm(snapshot_of("abc‸"))
        await settle()
        warmth.cool()
        await settle()
        warmth.warm(snapshot_of("abc‸"))

    assert prefixes(work, client, model=SLOW) == ["abc", "abc"]
    assert client.closed == 1


def test_a_reading_that_fails_is_silent_and_done_again() -> None:
    failed: list[Turn] = [Preempted("gave way")]

    async def work(at: Desk) -> None:
        warmth = Warmth(at.link, at.prompts, "window")
        for _ in range(2):
            warmth.warm(snapshot_of("abc‸"))
            await settle()

    assert prefixes(work, ScriptedClient(failed, [""]), model=SLOW) == ["abc", "abc"]


# --- what it may cost, and what the user does with it -------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ("", 1.0),
        ("b", 0.0),
        ("bb", 0.0),
        ("eb", 0.5),
        ("bee", 1.0),
        ("bw", 1.5),
        ("wwww", 3.0),
        ("eeeeeeeee", 3.0),
    ],
)
def test_stakes(steps: str, left: float) -> None:
    """Each letter is a step: a call that somebody waits for earns, a bet is placed, or won."""
    stakes = Stakes(0.5)
    acts: dict[str, Callable[[], object]] = {"e": stakes.earn, "b": stakes.bet, "w": stakes.won}
    for step in steps:
        acts[step]()
    assert stakes.left == left


@pytest.mark.parametrize(
    ("now", "version", "accepting"),
    [
        ("x = ‸", 1, 0.1),
        ("x = v‸", 2, 0.097),
        ("x = value‸", 2, 0.19),
        ("x = value‸", 3, 0.1),
        ("x = q‸", 2, 0.1),
        ("y = ‸", 2, 0.1),
    ],
)
def test_habits(now: str, version: int, accepting: float) -> None:
    habits = Habits()
    habits.gave(snapshot_of("x = ‸"), "value")
    habits.saw(replace(snapshot_of(now), version=version))
    assert habits.accepting == pytest.approx(accepting)


@pytest.mark.parametrize(
    ("text", "guess", "typed", "seam", "reached"),
    [
        ("one two", None, 0, None, False),
        ("one two", 3, 0, 3, False),
        ("one two", 3, 1, 2, False),
        ("one two", 3, 3, None, True),
        ("one\ntwo", 3, 0, None, False),
        ("one  \ntwo", 3, 0, None, False),
        ("one", 3, 0, None, False),
        ("one", 0, 0, None, True),
    ],
)
def test_where_a_guess_begins(text: str, guess: int | None, typed: int, seam: int | None, reached: bool) -> None:
    known = Known(Answer(text, guess=None if guess is None else Guess(guess)), typed)
    assert (known.seam, known.guess is not None) == (seam, reached)
