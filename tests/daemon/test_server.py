"""The HTTP shell on a real socket: handshake, refusals by code, cancellation, feedback, metrics, drain and stop."""

import asyncio
import json
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message, Scope

from midfill_daemon import config, contract, errors
from midfill_daemon.contract import Delta, Event, Failure, Raw, Result
from midfill_daemon.metrics import Metrics
from midfill_daemon.pipeline import Run, Task
from midfill_daemon.providers import Generation, ModelInfo
from midfill_daemon.providers.script import Rule, Script
from midfill_daemon.providers.scripted import Scripted
from midfill_daemon.server import BODY_LIMIT_BYTES, FEEDBACK_LIMIT, EventStream, build_app
from support.daemons import Clock, Steered, daemon_of, serving, within, without_runs

COMPLETION = "/v1/tasks/completion"


# --- the handshake -----------------------------------------------------------------------------------


async def test_health_tells_what_the_editor_needs(tmp_path: Path) -> None:
    clock = Clock()
    info = ModelInfo("m", 4096, chars_per_token=2.5, prefill_tokens_s=160.0, local=False)
    async with serving(tmp_path, Steered(info=info), clock=clock, environment="digest") as running:
        clock.now_s += 2
        health = contract.parse_health((await running.http.get("/v1/health")).json())
    assert (health.protocol, health.uptime_s, health.draining, health.environment) == (1, 2.0, False, "digest")
    inline = health.inline
    assert len(inline.revision) == 16
    assert (inline.ready, inline.name, inline.provider, inline.format) == (True, "m", "scripted", "prefix-only")
    assert (inline.context_tokens, inline.prompt_tokens, inline.max_tokens) == (4096, 256, 64)
    assert inline.context_share == 0.0
    assert (inline.chars_per_token, inline.prefill_tokens_s, inline.local) == (2.5, 160.0, False)


@asynccontextmanager
async def without_socket(daemon: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_app(daemon))
    async with httpx.AsyncClient(transport=transport, base_url="http://midfill") as http:
        yield http


@pytest.mark.parametrize(
    ("failure", "code"),
    [(errors.ModelMissing("pull it"), "model_missing"), (errors.ProviderDown("away"), "provider_down")],
)
async def test_health_says_why_there_is_no_model(failure: errors.MidfillError, code: str) -> None:
    async with without_socket(daemon_of(Steered(description_fails=failure))) as http:
        inline = contract.parse_health((await http.get("/v1/health")).json()).inline
        models = (await http.get("/v1/models")).json()["models"]
    assert (inline.ready, inline.code, inline.reason) == (False, code, failure.message)
    assert [(model["code"], model["reason"]) for model in models] == [(code, failure.message)]


@dataclass(slots=True)
class Slow(Steered):
    """Does not say what it is until `loaded` is set."""

    loaded: asyncio.Event = field(default_factory=asyncio.Event)

    async def describe(self) -> ModelInfo:
        await self.loaded.wait()
        return self.info


async def test_a_handshake_does_not_wait_for_a_model_that_loads() -> None:
    provider = Slow()
    daemon = daemon_of(provider, handshake_s=0.0)
    async with without_socket(daemon) as http:
        inline = contract.parse_health((await http.get("/v1/health")).json()).inline
        assert (inline.ready, inline.code) == (False, "loading")
        provider.loaded.set()
        await daemon.services.gateway.model("inline")
        assert (await http.get("/v1/health")).json()["inline"]["ready"]


async def test_a_known_model_that_is_slow_to_answer_again_is_still_ready() -> None:
    clock, provider = Clock(), Slow()
    provider.loaded.set()
    services = daemon_of(provider).services
    gateway = services.gateway
    await gateway.model("inline")
    provider.loaded.clear()
    gateway._clock = clock
    clock.now_s += 10_000
    async with without_socket(daemon_of(provider, services=services, handshake_s=0.0)) as http:
        assert (await http.get("/v1/health")).json()["inline"]["ready"]


# --- refusals ----------------------------------------------------------------------------------------

DEEP = b"[" * 200_000
NESTED = b'{"events": [{"kind": "k", "data": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}]}"
FEEDBACK = "/v1/feedback"


def rows_of(*rows: Any) -> bytes:
    return json.dumps({"events": rows}).encode()


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that must be refused, and how."""

    path: str
    body: bytes = b"{}"
    status: int = 400
    code: str = "bad_input"
    named: str = "body"
    method: str = "POST"
    content_type: str = "application/json"


REFUSED = {
    "unknown task": Refused("/v1/tasks/nothing", status=404, code="not_found", named="completion"),
    "unknown call": Refused("/v1/runs/r/calls/1", status=404, code="not_found", named="r"),
    "too large": Refused(COMPLETION, b'"' + b"x" * BODY_LIMIT_BYTES + b'"', named="bytes"),
    "empty": Refused(COMPLETION, b""),
    "not JSON": Refused(COMPLETION, b"{"),
    "not text": Refused(COMPLETION, b"\xff\xfe\xff"),
    "deep": Refused(COMPLETION, DEEP),
    "deep feedback": Refused(FEEDBACK, NESTED, named="data"),
    "long number": Refused(COMPLETION, b"1" * 10_000),
    "a list": Refused(COMPLETION, b"[]"),
    "null": Refused(COMPLETION, b"null"),
    "text/plain": Refused(COMPLETION, content_type="text/plain", named="content-type"),
    "a form": Refused(COMPLETION, content_type="application/x-www-form-urlencoded", named="content-type"),
    "no type": Refused(COMPLETION, content_type="", named="content-type"),
    "feedback without events": Refused(FEEDBACK, named="events"),
    "too much feedback": Refused(FEEDBACK, rows_of(*[{"kind": "k"}] * (FEEDBACK_LIMIT + 1)), named="events"),
    "a row that is none": Refused(FEEDBACK, rows_of("row")),
    "a row without a kind": Refused(FEEDBACK, rows_of({"trace": "t"}), named="kind"),
    "a long kind": Refused(FEEDBACK, rows_of({"kind": "k" * 129}), named="kind"),
    "a trace that is a number": Refused(FEEDBACK, rows_of({"kind": "k", "trace": 5}), named="trace"),
    "data that is a list": Refused(FEEDBACK, rows_of({"kind": "k", "data": []}), named="data"),
    "large data": Refused(FEEDBACK, rows_of({"kind": "k", "data": {"x": "x" * 5000}}), named="data"),
    "after text": Refused("/v1/events?after=x", method="GET", named="after"),
    "after a negative": Refused("/v1/events?after=-1", method="GET", named="after"),
    "after nothing": Refused("/v1/events?after=", method="GET", named="after"),
    "after too much": Refused("/v1/events?after=" + "9" * 5000, method="GET", named="after"),
}


async def check_refused(http: httpx.AsyncClient, refused: Refused) -> None:
    headers = {"content-type": refused.content_type} if refused.content_type else {}
    response = await http.request(refused.method, refused.path, content=refused.body, headers=headers)
    told = response.json()
    assert (response.status_code, told["type"], told["code"]) == (refused.status, "error", refused.code)
    assert refused.named in told["message"]
    assert len(told["message"]) < 300


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
async def test_refused(refused: Refused) -> None:
    async with without_socket(daemon_of(Steered())) as http:
        await check_refused(http, refused)


async def test_after_every_refusal_the_connection_and_the_daemon_go_on(tmp_path: Path) -> None:
    async with serving(tmp_path, Steered()) as running:
        for refused in REFUSED.values():
            await check_refused(running.http, refused)
        assert Delta("answer") in await running.complete()
        assert running.feedback == []


@pytest.mark.parametrize("name", ["prefix", "max_tokens"])
async def test_a_bad_field_is_the_only_event_of_its_run(name: str) -> None:
    async with without_socket(daemon_of(Steered())) as http:
        response = await http.post(COMPLETION, json={"path": "", "language": "", "prefix": "", "suffix": "", name: []})
    told = contract.decode(response.text)
    assert isinstance(told, Failure)
    assert (told.code, told.message.partition(":")[0]) == ("bad_input", name)


# --- one run -----------------------------------------------------------------------------------------


async def test_events_come_as_lines(tmp_path: Path) -> None:
    async with serving(tmp_path, Steered([["one\n", "two \u2028 \ud800"]])) as running:
        response = await running.post(COMPLETION, {"path": "", "language": "", "prefix": "x", "suffix": ""})
        events = await running.complete()
    assert response.headers["content-type"] == "application/x-ndjson"
    assert "".join(event.text for event in events if isinstance(event, Delta)) == "one\ntwo \u2028 \ud800"
    assert isinstance(events[-1], Result)


@dataclass(slots=True)
class Held:
    """A sleep that lasts until its owner is cancelled."""

    began: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def sleep(self, _: float) -> None:
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


@pytest.mark.parametrize(("first_token_ms", "token_ms"), [(50, 0), (0, 50)], ids=["before", "after the first token"])
async def test_leaving_reaches_the_model(first_token_ms: float, token_ms: float, tmp_path: Path) -> None:
    """With whatever ASGI version uvicorn reports; Starlette's own StreamingResponse depends on it."""
    held = Held()
    rule = Rule(text="one two three", first_token_ms=first_token_ms, token_ms=token_ms)
    provider = Scripted(Script(rules=(rule,)), sleep=held.sleep)
    async with serving(tmp_path, provider) as running:
        async with running.ask() as response:
            assert response.status_code == 200
            await within(held.began)
            assert not held.ended.is_set()
        await within(held.ended)
        assert (provider.calls, provider.cancelled) == (1, 1)
        await without_runs(running.daemon)
        assert 'midfill_runs_total{task="completion",outcome="closed"} 1' in (await running.http.get("/metrics")).text
    assert [row["outcome"] for row in running.rows] == ["closed"]


@dataclass(slots=True)
class Lines:
    """A producer that does not end by itself."""

    closed: bool = False

    async def produce(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b"first\n"
            await asyncio.Event().wait()
        finally:
            self.closed = True


@pytest.mark.parametrize("asgi_version", ["2.0", "2.3", "2.4", "3.0"])
async def test_a_stream_is_closed_on_every_version_of_asgi(asgi_version: str) -> None:
    lines, sent, first = Lines(), list[Message](), asyncio.Event()

    async def send(message: Message) -> None:
        sent.append(message)
        if message.get("body"):
            first.set()

    async def receive() -> Message:
        await first.wait()
        return {"type": "http.disconnect"}

    scope: Scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": asgi_version}}
    await EventStream(lines.produce(), b"".join)(scope, receive, send)
    assert lines.closed
    assert [message.get("body") for message in sent] == [None, b"first\n"]


def crashing() -> Task[Raw, Raw]:
    async def route(request: Raw, _: Run) -> Raw:
        return request

    async def handle(plan: Raw, _: Run) -> AsyncGenerator[str | Event, None]:
        yield contract.Status("begun")
        raise KeyError(plan["secret"])

    return Task("crashing", dict, route, handle, lambda _: NoGuard())


class NoGuard:
    done = False

    def feed(self, text: str) -> list[Event]:
        return [Delta(text)]

    def close(self) -> list[Event]:
        return []


async def test_a_crash_is_one_internal_event_and_the_daemon_lives(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, Steered(), {"crashing": crashing()}) as running:
        for _ in range(2):
            response = await running.post("/v1/tasks/crashing", {"secret": "hunter2"})
            events = [contract.decode(line) for line in response.iter_lines()]
            assert events[0] == contract.Status("begun")
            assert isinstance(events[1], Failure)
            assert (len(events), events[1].code) == (2, "internal")
            assert "hunter2" not in response.text
        assert 'outcome="internal"} 2' in (await running.http.get("/metrics")).text
    assert [record.msg for record in caplog.records if record.levelname == "ERROR"] == ["task.crashed"] * 2


async def test_a_reader_that_falls_behind_stops_the_model_and_loses_nothing(tmp_path: Path) -> None:
    text = [f"{number} " for number in range(1500)]
    async with serving(tmp_path, Steered([list(text)])) as running:
        events = await running.complete()
    assert "".join(event.text for event in events if isinstance(event, Delta)) == "".join(text)


async def test_many_runs_at_once(tmp_path: Path) -> None:
    provider = Steered([["x"]], ModelInfo("steered", 8192, slots=4))
    async with serving(tmp_path, provider) as running:
        answers = await asyncio.gather(*(running.complete(editor=str(number)) for number in range(40)))
    assert all(isinstance(events[-1], Result) for events in answers)
    assert len({id(generation) for generation in provider.generations}) == 40
    assert isinstance(provider.generations[0], Generation)


# --- feedback and metrics ----------------------------------------------------------------------------


async def test_feedback_is_stored_with_the_caller_of_the_connection(tmp_path: Path) -> None:
    rows = [
        {"kind": "shown", "trace": "t", "editor": "e", "data": {"chars": 3}},
        {"kind": "k", "caller": "root"},
    ]
    async with serving(tmp_path, Steered()) as running:
        response = await running.post(FEEDBACK, {"events": rows})
        caller = running.daemon.caller.user
    assert response.json() == {"stored": 2}
    assert running.feedback == [
        {"kind": "shown", "trace": "t", "editor": "e", "data": {"chars": 3}, "caller": caller},
        {"kind": "k", "trace": "", "editor": "", "data": {}, "caller": caller},
    ]


async def test_a_batch_is_stored_whole_or_not_at_all() -> None:
    stored: list[Any] = []
    async with without_socket(daemon_of(Steered(), write_feedback=stored.append)) as http:
        good = {"kind": "k"}
        assert (await http.post(FEEDBACK, json={"events": [good, {"kind": ""}]})).status_code == 400
        assert stored == []
        assert (await http.post(FEEDBACK, json={"events": [good] * FEEDBACK_LIMIT})).status_code == 200
    assert len(stored) == FEEDBACK_LIMIT


async def test_metrics_count_runs_and_seconds_by_outcome() -> None:
    clock = Clock()
    turns: list[Any] = [["one"], [errors.ProviderDown("away")]]
    async with without_socket(daemon_of(Steered(turns, clock=clock), clock=clock)) as http:
        for raw in ({}, {"path": "", "language": "", "prefix": "x", "suffix": ""}):
            await http.post(COMPLETION, json=raw)
        await http.post(COMPLETION, json={"path": "", "language": "", "prefix": "x", "suffix": ""})
        response = await http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert response.text.splitlines() == [
        "# TYPE midfill_runs_total counter",
        'midfill_runs_total{task="completion",outcome="bad_input"} 1',
        'midfill_runs_total{task="completion",outcome="ok"} 1',
        'midfill_runs_total{task="completion",outcome="provider_down"} 1',
        "# TYPE midfill_run_seconds_total counter",
        'midfill_run_seconds_total{task="completion"} 0.010000',
        "# TYPE midfill_calls_total counter",
        "# TYPE midfill_tokens_total counter",
    ]


CALL = {"task": "completion", "tier": "inline", "outcome": "ok", "prompt_tokens": 100, "cached_tokens": 90}


def test_metrics_count_model_calls_and_their_tokens() -> None:
    metrics = Metrics()
    metrics.count_call({**CALL, "output_tokens": 7})
    metrics.count_call({**CALL, "outcome": "closed", "cached_tokens": -1, "output_tokens": 1})
    assert metrics.text().splitlines()[-6:] == [
        'midfill_calls_total{task="completion",tier="inline",outcome="closed"} 1',
        'midfill_calls_total{task="completion",tier="inline",outcome="ok"} 1',
        "# TYPE midfill_tokens_total counter",
        'midfill_tokens_total{task="completion",tier="inline",kind="cached"} 90',
        'midfill_tokens_total{task="completion",tier="inline",kind="output"} 8',
        'midfill_tokens_total{task="completion",tier="inline",kind="prompt"} 200',
    ]


# --- drain, stop, idleness ---------------------------------------------------------------------------


async def test_a_draining_daemon_ends_its_runs_refuses_new_ones_and_stops(tmp_path: Path) -> None:
    hold = asyncio.Event()
    provider = Steered([["one", hold, "two"]])
    async with serving(tmp_path, provider) as running:
        first = asyncio.create_task(running.complete())
        await within(provider.started)
        assert (await running.post("/v1/drain")).json() == {"draining": True}
        refused = await running.post(COMPLETION)
        assert (refused.status_code, refused.json()["code"]) == (503, "draining")
        assert (await running.http.get("/v1/health")).json()["draining"]
        assert not running.daemon.stop.is_set()
        hold.set()
        assert isinstance((await first)[-1], Result)
        await within(running.daemon.stop)
        await asyncio.wait({running.serving}, timeout=20)
        assert running.serving.done()


async def test_a_daemon_without_work_drains_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path, Steered()) as running:
        await running.post("/v1/drain")
        assert running.daemon.stop.is_set()


async def test_a_run_that_hangs_does_not_keep_a_stopped_daemon(tmp_path: Path) -> None:
    provider = Steered([["one", asyncio.Event()]])
    async with serving(tmp_path, provider, grace_s=0) as running:
        asking = asyncio.create_task(running.complete())
        await within(provider.started)
        assert (await running.post("/v1/stop")).json() == {"stopping": True}
        await asyncio.gather(asking, return_exceptions=True)
    assert provider.cancelled.is_set()
    assert provider.closed
    assert list(running.paths.runtime.iterdir()) == []


async def test_an_idle_daemon_says_goodbye_and_ends_but_not_while_it_works(tmp_path: Path) -> None:
    clock, hold = Clock(), asyncio.Event()
    provider = Steered([["one", hold]])
    settings = config.Daemon(idle_exit_s=0.1)
    async with serving(tmp_path, provider, settings=settings, clock=clock) as running:
        followed = asyncio.create_task(running.http.get("/v1/events"))
        asking = asyncio.create_task(running.complete())
        await within(provider.started)
        clock.now_s += 3600
        for _ in range(3):
            await running.http.get("/v1/health")
        assert not running.daemon.stop.is_set()
        hold.set()
        await asking
        clock.now_s += 3600
        await within(running.daemon.stop)
        pushed = [json.loads(line) for line in (await followed).iter_lines()]
    assert [event["kind"] for event in pushed] == ["hello", "goodbye"]


# --- the two listeners -------------------------------------------------------------------------------


async def test_the_socket_is_ours_alone(tmp_path: Path) -> None:
    async with serving(tmp_path, Steered()) as running:
        await running.http.get("/v1/health")
        assert stat.S_IMODE(running.paths.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(running.paths.socket.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(running.paths.address_file.stat().st_mode) == 0o600


TCP = config.Daemon(listen="tcp", stay=True)


async def test_over_tcp_only_the_token_from_this_machine_gets_in(tmp_path: Path) -> None:
    async with serving(tmp_path, Steered(), settings=TCP) as running:
        token = running.http.headers["authorization"]
        port = running.http.base_url.port
        rows: list[tuple[dict[str, str | bytes], bool]] = [
            ({}, True),
            ({"host": f"localhost:{port}"}, True),
            ({"authorization": ""}, False),
            ({"authorization": token[:-1]}, False),
            ({"authorization": f"{token}x"}, False),
            ({"authorization": token.removeprefix("Bearer ")}, False),
            ({"authorization": b"Bearer \xe9"}, False),
            ({"host": "evil.example"}, False),
            ({"host": f"127.0.0.1.evil.example:{port}"}, False),
            ({"host": ""}, False),
            ({"origin": "http://127.0.0.1"}, False),
            ({"origin": "null"}, False),
        ]
        for changed, allowed in rows:
            headers: Any = {**running.http.headers, **changed}
            for path in ("/v1/health", "/metrics", "/v1/events?after=x", "/nothing"):
                response = await running.http.get(path, headers=headers)
                refused = response.status_code == 403 and response.json()["code"] == "not_allowed"
                assert refused is not allowed, (changed, path)
        assert Delta("answer") in await running.complete()


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data", "application/json2", ""])
async def test_only_json_is_taken_so_that_no_form_can_post(content_type: str) -> None:
    async with without_socket(daemon_of(Steered())) as http:
        response = await http.post(COMPLETION, content=b"{}", headers={"content-type": content_type})
        assert response.status_code == 400
        taken = await http.post(COMPLETION, content=b"{}", headers={"content-type": "application/json; charset=utf-8"})
    assert taken.status_code == 200
