"""The one pipeline: what every task refuses, that every guard ends, tool calls there and back, facts in the result."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from midfill_daemon import contract, errors
from midfill_daemon.bucket import Buckets
from midfill_daemon.client import Client, Tool
from midfill_daemon.contract import Delta, Event, Raw, Result, Status
from midfill_daemon.errors import BadInput
from midfill_daemon.identity import Caller
from midfill_daemon.pipeline import Run, Runs, Services, Task
from midfill_daemon.providers import ModelInfo, Usage
from midfill_daemon.tasks import TASKS, completion
from support.daemons import (
    ASKED,
    ME,
    Endless,
    Running,
    Steered,
    events_of,
    gateway_of,
    services_of,
    serving,
    without_runs,
)

SAMPLES: Mapping[str, Raw] = {"completion": ASKED}
"""A good request of every task."""


def text_of(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


def test_every_task_has_a_sample() -> None:
    assert SAMPLES.keys() == TASKS.keys()


# --- every task --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
async def test_a_good_request_ends_with_its_result(name: str) -> None:
    events = await events_of(TASKS[name], SAMPLES[name], services_of(Steered([["some", " text"]])))
    assert text_of(events) == "some text"
    assert [type(event) for event in events].count(Result) == 1
    assert isinstance(events[-1], Result)


@pytest.mark.parametrize("name", TASKS)
async def test_an_empty_request_is_refused_before_any_model_is_asked(name: str) -> None:
    provider = Steered()
    with pytest.raises(BadInput, match=r"^\w+: "):
        await events_of(TASKS[name], {}, services_of(provider))
    assert (provider.generations, provider.described) == ([], 0)


ODD: tuple[Any, ...] = (None, True, -1, 1e400, float("nan"), [], {}, [[]], {"a": 1}, 10**30, "x" * 300_000)


@pytest.mark.parametrize("name", TASKS)
async def test_odd_values_are_refused_by_name(name: str) -> None:
    for field in SAMPLES[name]:
        for value in ODD:
            with pytest.raises(BadInput, match=rf"\A{field}: .{{1,200}}\Z"):
                await events_of(TASKS[name], {**SAMPLES[name], field: value}, services_of(Steered()))


@pytest.mark.parametrize("text", ["word ", " ", "\t", "x", "é\U0001f600", "<|fim_mid", "\n\n", "  \n", "\ud800"])
@pytest.mark.parametrize("name", TASKS)
async def test_an_endless_model_is_stopped(name: str, text: str) -> None:
    model = Endless(text=text)
    events = await events_of(TASKS[name], SAMPLES[name], services_of(model))
    assert isinstance(events[-1], Result)
    assert model.cancelled.is_set()
    assert len(text_of(events)) <= 40_000


@pytest.mark.parametrize("name", TASKS)
async def test_leaving_a_run_closes_the_models_stream(name: str) -> None:
    model = Endless()
    stream = TASKS[name].run(SAMPLES[name], Run(ME, services_of(model)))
    async for event in stream:
        if isinstance(event, Delta):
            break
    await stream.aclose()
    assert model.cancelled.is_set()


@pytest.mark.parametrize("failure", [errors.ProviderDown("away"), errors.RateLimited("later", 3.0)])
@pytest.mark.parametrize("name", TASKS)
async def test_a_failing_model_is_told_by_its_code(name: str, failure: errors.ProviderError) -> None:
    with pytest.raises(type(failure)) as caught:
        await events_of(TASKS[name], SAMPLES[name], services_of(Steered([[failure]])))
    assert (caught.value.message, caught.value.retry_after_s) == (failure.message, failure.retry_after_s)


async def test_text_before_a_failure_has_been_passed_on() -> None:
    run = Run(ME, services_of(Steered([["one ", "two ", errors.ProviderTimeout("hung")]])))
    text = ""
    with pytest.raises(errors.Truncated):  # noqa: PT012 - what came before it is what is tested
        async for event in TASKS["completion"].run(ASKED, run):
            text += text_of([event])
    assert text.startswith("one ")


# --- the completion row -------------------------------------------------------------------------------


async def test_the_result_has_the_facts_of_the_model() -> None:
    usage = Usage(10, 4, 2, 300.0, "length")
    events = await events_of(TASKS["completion"], ASKED, services_of(Steered([["one"]], usage=usage)))
    assert events[-1] == Result(asdict(usage))


async def test_what_was_cached_of_the_prompt_is_told_before_the_text() -> None:
    whole = Usage(10, 4, 2)
    steered = Steered([[Usage(10, 4, finish=""), "one"]], usage=whole)
    events = await events_of(TASKS["completion"], ASKED, services_of(steered))
    told = [event for event in events if isinstance(event, Status) and event.code == "prompt"]
    assert [(event.data["prompt_tokens"], event.data["cached_tokens"]) for event in told] == [(10, 4)]
    assert events.index(told[0]) < events.index(Delta("one"))
    assert events[-1] == Result(asdict(whole))


async def test_the_first_event_names_the_revision() -> None:
    services = services_of(Steered())
    events = await events_of(TASKS["completion"], ASKED, services)
    model = await services.gateway.model("inline")
    assert events[0] == Status("revision", model.revision(completion.PROMPT_VERSION))


async def test_the_row_names_who_asked_by_connection_and_not_by_request() -> None:
    rows: list[Mapping[str, Any]] = []
    raw = {**ASKED, "editor": "window", "priority": "batch", "caller": "root", "user": "root", "workspace": "other"}
    await events_of(TASKS["completion"], raw, services_of(Steered(), rows=rows))
    assert [(row["caller"], row["workspace"], row["editor"], row["priority"]) for row in rows] == [
        ("me", "local", "window", "batch")
    ]


async def test_an_editor_that_asks_too_often_is_refused_and_no_other() -> None:
    services = Services(gateway_of(Steered()), Buckets(rate=1e-9, burst=2))
    for _ in range(2):
        await events_of(TASKS["completion"], {**ASKED, "editor": "a"}, services)
    with pytest.raises(errors.Busy):
        await events_of(TASKS["completion"], {**ASKED, "editor": "a"}, services)
    await events_of(TASKS["completion"], {**ASKED, "editor": "b"}, services)


READER = ModelInfo("reader", 8192, slots=1, reads_ahead=True)
WARM_UP = {**ASKED, "max_tokens": 0}


async def test_a_warm_up_reads_the_prompt_of_the_request_to_come() -> None:
    rows: list[Mapping[str, Any]] = []
    provider = Steered([[], ["one"]], READER, Usage(100, 0, 0, finish="length"))
    services = services_of(provider, rows=rows)
    events = await events_of(TASKS["completion"], WARM_UP, services)
    await events_of(TASKS["completion"], ASKED, services)
    assert [type(event) for event in events] == [Status, Result]
    warm_up, request = provider.generations
    assert warm_up == replace(request, max_tokens=0)
    told = [(row["task"], row["priority"], row["outcome"], row["output_tokens"]) for row in rows]
    assert told[0] == ("warm_up", "speculative", "ok", 0)
    assert told[1][:3] == ("completion", "interactive", "ok")


async def test_a_warm_up_of_a_model_that_keeps_no_prompts_asks_nobody() -> None:
    rows: list[Mapping[str, Any]] = []
    provider = Steered()
    events = await events_of(TASKS["completion"], WARM_UP, services_of(provider, rows=rows))
    assert [type(event) for event in events] == [Status, Result]
    assert (provider.generations, rows) == ([], [])


async def test_a_warm_up_gives_way_to_a_request() -> None:
    rows: list[Mapping[str, Any]] = []
    provider = Steered([[asyncio.Event()], ["one"]], READER)
    services = services_of(provider, rows=rows)
    warm_up = asyncio.create_task(events_of(TASKS["completion"], WARM_UP, services))
    await provider.started.wait()
    events = await asyncio.wait_for(events_of(TASKS["completion"], ASKED, services), 20)
    assert text_of(events) == "one"
    assert provider.cancelled.is_set()
    with pytest.raises(errors.Preempted):
        await warm_up
    told = [(row["task"], row["outcome"], row["error_code"]) for row in rows]
    assert told == [("warm_up", "closed", "preempted"), ("completion", "ok", "")]


# --- tool calls -----------------------------------------------------------------------------------------


class Through:
    """A guard that lets everything pass."""

    done = False

    def feed(self, text: str) -> Iterable[Event]:
        return (Delta(text),)

    def close(self) -> Iterable[Event]:
        return ()


def asking(timeout_s: float = 20.0, calls: int = 1) -> Task[Raw, Raw]:
    """A task that asks for the tool which the request names, and answers what that returned."""

    async def route(request: Raw, _: Run) -> Raw:
        return request

    async def handle(plan: Raw, run: Run) -> AsyncGenerator[str | Event, None]:
        asked = [run.ask(plan["tool"], {"number": number}) for number in range(calls)]
        for call in asked:
            yield call
        for call in asked:
            yield json.dumps(await run.answer(call, timeout_s)) + "\n"

    return Task("asking", dict, route, handle, lambda _: Through())


@asynccontextmanager
async def connected(folder: Path, task: Task[Raw, Raw]) -> AsyncIterator[tuple[Running, Client]]:
    async with serving(folder, Steered(), {"asking": task}) as running:
        client = Client(running.paths, {}, start=False)
        try:
            yield running, client
        finally:
            await client.close()


async def said(client: Client, tools: Mapping[str, Tool], tool: str = "double") -> list[Any]:
    events = [event async for event in client.run("asking", {"tool": tool}, tools)]
    assert isinstance(events[-1], Result)
    return [json.loads(line) for line in text_of(events).splitlines()]


async def double(arguments: Raw) -> Any:
    return {"doubled": arguments["number"] * 2}


async def refuse(_: Raw) -> Any:
    raise errors.NotAllowed("outside the workspace")


async def crash(_: Raw) -> Any:
    raise KeyError("secret")


@pytest.mark.parametrize(
    ("tools", "answers"),
    [
        ({"double": double}, [{"doubled": 0}, {"doubled": 2}, {"doubled": 4}]),
        ({}, [{"error": "unknown tool double"}] * 3),
        ({"double": refuse}, [{"error": "outside the workspace"}] * 3),
        ({"double": crash}, [{"error": "the tool double failed"}] * 3),
    ],
    ids=["answers", "unknown", "refuses", "crashes"],
)
async def test_a_tool_runs_beside_the_editor(tools: Mapping[str, Tool], answers: list[Any], tmp_path: Path) -> None:
    async with connected(tmp_path, asking(calls=3)) as (_, client):
        assert await said(client, tools) == answers


async def test_tools_run_side_by_side(tmp_path: Path) -> None:
    meeting = asyncio.Barrier(3)

    async def meet(_: Raw) -> Any:
        await meeting.wait()
        return "met"

    async with connected(tmp_path, asking(calls=3)) as (_, client):
        assert await said(client, {"double": meet}) == ["met"] * 3


async def test_a_tool_that_does_not_answer_in_time_fails_the_run(tmp_path: Path) -> None:
    async def hang(_: Raw) -> Any:
        await asyncio.Event().wait()

    async with connected(tmp_path, asking(timeout_s=0.0)) as (_, client):
        with pytest.raises(errors.ProviderTimeout, match="tool call double"):
            await said(client, {"double": hang})


async def test_leaving_the_run_cancels_its_tools(tmp_path: Path) -> None:
    running, cancelled = asyncio.Event(), asyncio.Event()

    async def hang(_: Raw) -> Any:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with connected(tmp_path, asking()) as (running_daemon, client):
        task = asyncio.create_task(said(client, {"double": hang}))
        await running.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert cancelled.is_set()
        await without_runs(running_daemon.daemon)


def in_run(runs: Runs) -> tuple[Run, contract.Call]:
    run = Run(ME, services_of(Steered()))
    runs.enter(run)
    return run, run.ask("tool", {})


Delivery = Callable[[Runs, Run, contract.Call], None]


@pytest.mark.parametrize(
    "deliver",
    [
        lambda runs, run, call: runs.deliver(Caller("other"), run.id, call.id, 1),
        lambda runs, run, call: runs.deliver(Caller("me", "other"), run.id, call.id, 1),
        lambda runs, run, call: runs.deliver(ME, "0" * 16, call.id, 1),
        lambda runs, run, call: runs.deliver(ME, run.id, "2", 1),
        lambda runs, run, call: runs.deliver(ME, run.id, "", 1),
    ],
    ids=["other user", "other workspace", "other run", "other call", "no call"],
)
async def test_only_the_runs_own_caller_answers_a_call_that_waits(deliver: Delivery) -> None:
    runs = Runs()
    run, call = in_run(runs)
    with pytest.raises(errors.NotFound):
        deliver(runs, run, call)
    assert not run.waiting[call.id].done()


async def test_a_call_is_answered_once() -> None:
    runs = Runs()
    run, call = in_run(runs)
    runs.deliver(ME, run.id, call.id, "first")
    with pytest.raises(errors.NotFound):
        runs.deliver(ME, run.id, call.id, "second")
    assert await run.answer(call, 1) == "first"
    runs.leave(run)
    with pytest.raises(errors.NotFound):
        runs.deliver(ME, run.id, call.id, "late")
    assert len(runs) == 0


async def test_an_answer_after_the_timeout_is_refused() -> None:
    runs = Runs()
    run, call = in_run(runs)
    with pytest.raises(errors.ProviderTimeout):
        await run.answer(call, 0)
    with pytest.raises(errors.NotFound):
        runs.deliver(ME, run.id, call.id, "late")


@pytest.mark.parametrize("path", ["/v1/runs/unknown/calls/1", "/v1/runs/%00/calls/%F0%9F%98%80"])
async def test_a_foreign_call_is_not_found_over_http(path: str, tmp_path: Path) -> None:
    async with serving(tmp_path, Steered()) as running:
        response = await running.post(path, {"any": 1})
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
