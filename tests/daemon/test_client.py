"""The daemon's client: one attempt for all, one retry, back-off, successors, garbage, and no error but ours."""

import asyncio
import gzip
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from midfill_daemon import config, contract, errors
from midfill_daemon.client import Client
from midfill_daemon.contract import Delta, Event, Result
from midfill_daemon.errors import MidfillError
from midfill_daemon.paths import Paths
from support.daemons import ASKED, Clock, Steered, home, serving, within, without_runs

NO_PROCESS = 2**22 + 1
"""More than any process id."""


# --- a daemon that says what a test wants -------------------------------------------------------------

Health = dict[str, Any]
HEALTH: Health = {"version": "1", "protocol": contract.PROTOCOL_VERSION, "pid": NO_PROCESS, "inline": {"ready": True}}
GOOD = b'{"type": "delta", "text": "x"}\n{"type": "result", "data": {}}\n'


def reply(
    body: bytes, status: int = 200, kind: str = "application/json", length: int = -1, encoding: str = ""
) -> bytes:
    """A whole HTTP response, the last of its connection; `length` is what it says of itself."""
    fields = {"content-type": kind, "content-length": str(len(body) if length < 0 else length), "connection": "close"}
    if encoding:
        fields["content-encoding"] = encoding
    return (
        f"HTTP/1.1 {status} X\r\n".encode()
        + b"".join(f"{n}: {v}\r\n".encode() for n, v in fields.items())
        + b"\r\n"
        + body
    )


def healthy(**changed: Any) -> bytes:
    return reply(json.dumps({**HEALTH, **changed}).encode())


@dataclass(slots=True)
class Canned:
    """A server that answers each path with the bytes given for it; what is not given is a good health or run."""

    answers: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    open: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(_length(head))
                path = head.split()[1].decode()
                self.asked.append(path)
                usual = healthy() if path == "/v1/health" else reply(GOOD, kind="application/x-ndjson")
                writer.write(self.answers.get(path, usual.replace(b"connection: close", b"connection: keep-alive")))
                await writer.drain()
                if path in self.answers:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.open -= 1
            writer.close()


def _length(head: bytes) -> int:
    lengths = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    return int(lengths[0].partition(b":")[2]) if lengths else 0


@asynccontextmanager
async def canned(paths: Paths, **answers: bytes) -> AsyncIterator[Canned]:
    """`health`, `run`, `events` and `feedback` by name."""
    server = Canned({PATHS[name]: answer for name, answer in answers.items()})
    paths.socket.unlink(missing_ok=True)
    listening = await asyncio.start_unix_server(server.serve, paths.socket)
    try:
        yield server
    finally:
        # Not waited for: from Python 3.12 on that would take until the client lets go of its connections.
        listening.close()
        paths.socket.unlink(missing_ok=True)


PATHS = {"health": "/v1/health", "run": "/v1/tasks/completion", "events": "/v1/events", "feedback": "/v1/feedback"}


class Starter(Client):
    """A client whose daemons are started in this process by `begin`."""

    def __init__(self, paths: Paths, begin: Callable[[], Awaitable[None]]) -> None:
        super().__init__(paths, {})
        self.begin = begin

    async def _start(self) -> contract.Health:
        await self.begin()
        health = await self._shake_hands()
        assert health
        return health


@asynccontextmanager
async def client_of(paths: Paths, **options: Any) -> AsyncIterator[Client]:
    client = Client(paths, {}, start=False, **options)
    try:
        yield client
    finally:
        await client.close()


async def take(client: Client) -> list[Event]:
    return [event async for event in client.run("completion", ASKED)]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


# --- a daemon that is well ----------------------------------------------------------------------------


async def test_a_run_and_the_other_routes(tmp_path: Path) -> None:
    async with serving(tmp_path, Steered([["one"]])) as running, client_of(running.paths) as client:
        assert (await client.connect()).inline.name == "steered"
        events = await take(client)
        assert isinstance(events[-1], Result)
        assert text_of(events) == "one"
        assert (await client.get("/v1/models"))["models"][0]["model"] == "steered"
        assert str(await client.get("/metrics")).startswith("# TYPE")
        await client.feedback([{"kind": "shown"}])
        assert [row["kind"] for row in running.feedback] == ["shown"]


async def test_over_tcp_the_address_file_leads_there(tmp_path: Path) -> None:
    settings = config.Daemon(listen="tcp", stay=True)
    async with serving(tmp_path, Steered([["one"]]), settings=settings) as running:
        await running.http.get("/v1/health")
        async with client_of(running.paths) as client:
            assert text_of(await take(client)) == "one"


async def test_callers_share_one_attempt(tmp_path: Path) -> None:
    paths = home(tmp_path)
    async with canned(paths) as server, client_of(paths) as client:
        healths = await asyncio.gather(*(client.connect() for _ in range(20)))
    assert server.asked == ["/v1/health"]
    assert {health.pid for health in healths} == {NO_PROCESS}


async def test_a_caller_who_leaves_does_not_end_the_attempt_of_the_others(tmp_path: Path) -> None:
    paths = home(tmp_path)
    async with canned(paths) as server, client_of(paths) as client:
        first, second = (asyncio.create_task(client.connect()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).pid == NO_PROCESS
    assert server.asked == ["/v1/health"]


async def test_shaking_hands_again_keeps_one_connection(tmp_path: Path) -> None:
    paths = home(tmp_path)
    async with canned(paths) as server, client_of(paths) as client:
        for _ in range(5):
            await client.connect()
        await take(client)
        assert server.open <= 2
    assert server.asked.count("/v1/health") == 5


async def test_closing_the_events_closes_the_run(tmp_path: Path) -> None:
    provider = Steered([["one", asyncio.Event()]])
    async with serving(tmp_path, provider) as running, client_of(running.paths) as client:
        events = client.run("completion", ASKED)
        assert isinstance(await anext(events), contract.Status)
        await events.aclose()
        await within(provider.cancelled)
        await without_runs(running.daemon)


async def test_cancelling_the_caller_closes_the_run(tmp_path: Path) -> None:
    provider = Steered([["one", asyncio.Event()]])
    async with serving(tmp_path, provider) as running, client_of(running.paths) as client:
        task = asyncio.create_task(take(client))
        await within(provider.started)
        task.cancel()
        await within(provider.cancelled)
        await asyncio.gather(task, return_exceptions=True)


async def test_following_sees_what_is_pushed_until_the_daemon_ends(tmp_path: Path) -> None:
    async with serving(tmp_path, Steered()) as running, client_of(running.paths) as client:
        followed = client.follow(99)
        assert await anext(followed) == {"kind": "hello", "id": 99}
        running.daemon.hub.publish("index", {"share": 1})
        assert await anext(followed) == {"kind": "index", "id": 100, "share": 1}
        running.daemon.stop.set()
        assert [event async for event in followed] == []


# --- a daemon that goes and comes ----------------------------------------------------------------------


async def test_a_stale_connection_costs_nothing(tmp_path: Path) -> None:
    async with client_of(home(tmp_path)) as client:
        for text in ("first", "second"):
            async with serving(tmp_path, Steered([[text]])):
                assert text_of(await take(client)) == text


async def test_a_stale_address_and_token_cost_nothing(tmp_path: Path) -> None:
    settings = config.Daemon(listen="tcp", stay=True)
    async with client_of(home(tmp_path)) as client:
        for text in ("first", "second"):
            async with serving(tmp_path, Steered([[text]]), settings=settings) as running:
                await running.http.get("/v1/health")
                assert text_of(await take(client)) == text


async def test_when_it_is_gone_for_good_that_is_told(tmp_path: Path) -> None:
    async with client_of(home(tmp_path)) as client:
        async with serving(tmp_path, Steered()):
            await take(client)
        with pytest.raises(errors.DaemonDown, match="no daemon is running"):
            await take(client)


@pytest.mark.parametrize(
    "body",
    [b"", b'{"type": "delta", "text": "half"}\n', b'{"type": "status", "code": "revision"}\n'],
    ids=["at once", "after text", "after a status"],
)
@pytest.mark.parametrize("cut", [True, False], ids=["cut", "ended"])
async def test_a_daemon_that_dies_in_the_middle(body: bytes, cut: bool, tmp_path: Path) -> None:
    paths = home(tmp_path)
    answer = reply(body, length=1000 if cut else -1)
    async with canned(paths, run=answer) as server, client_of(paths) as client:
        with pytest.raises(errors.DaemonDown):
            await take(client)
    retried = server.asked.count("/v1/tasks/completion")
    assert retried == (1 if body else 2)


async def test_a_failing_start_is_tried_again_later_and_later(tmp_path: Path) -> None:
    clock = Clock()
    paths = home(tmp_path)
    async with client_of(paths, clock=clock) as client:
        said = [await failure(client.connect()) for _ in range(3)]
        assert [error.message for error in said[:2]] == ["no daemon is running"] * 2
        assert said[2].message == "no daemon is running; next try in 1 s"
        async with canned(paths) as server:
            assert "next try" in (await failure(take(client))).message
            assert server.asked == []
            clock.now_s += 1.0
            await take(client)
            clock.now_s += 1.0
            assert (await client.connect()).pid == NO_PROCESS


async def failure(failing: Awaitable[object]) -> MidfillError:
    with pytest.raises(MidfillError) as caught:
        await failing
    return caught.value


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    paths = home(tmp_path)
    paths.data.rmdir()
    paths.data.write_text("in the way")
    client = Client(paths, {})
    error = await failure(client.connect())
    assert isinstance(error, errors.NotAllowed)
    assert str(paths.data) in error.message


# --- successors ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class House:
    """Two daemons at one address, one after the other."""

    paths: Paths
    second: Canned = field(default_factory=Canned)
    listening: list[asyncio.Server] = field(default_factory=list)

    async def begin(self) -> None:
        self.paths.socket.unlink(missing_ok=True)
        self.listening.append(await asyncio.start_unix_server(self.second.serve, self.paths.socket))

    async def close(self) -> None:
        for each in self.listening:
            each.close()


@asynccontextmanager
async def after(paths: Paths, **answers: bytes) -> AsyncIterator[tuple[Canned, House, Client]]:
    """A daemon that answers so, and a client that starts its successor."""
    house = House(paths)
    client = Starter(paths, house.begin)
    try:
        async with canned(paths, **answers) as first:
            yield first, house, client
    finally:
        await client.close()
        await house.close()


@pytest.mark.parametrize("changed", [{"draining": True}, {"protocol": contract.PROTOCOL_VERSION - 1}])
async def test_a_daemon_that_is_on_its_way_out_gets_a_successor(changed: dict[str, Any], tmp_path: Path) -> None:
    async with after(home(tmp_path), health=healthy(**changed)) as (first, house, client):
        assert text_of(await take(client)) == "x"
    assert first.asked == ["/v1/health", "/v1/drain"]
    assert house.second.asked == ["/v1/health", "/v1/tasks/completion"]


async def test_a_newer_daemon_is_left_alone(tmp_path: Path) -> None:
    newer = healthy(protocol=contract.PROTOCOL_VERSION + 1, version="9.9")
    async with after(home(tmp_path), health=newer) as (first, house, client):
        error = await failure(client.connect())
    assert isinstance(error, errors.DaemonIncompatible)
    assert "9.9" in error.message
    assert first.asked == ["/v1/health"]
    assert house.listening == []


async def test_a_request_that_meets_a_draining_daemon_goes_to_its_successor(tmp_path: Path) -> None:
    refusal = reply(b'{"type": "error", "code": "draining", "message": "about to exit"}', 503)
    async with after(home(tmp_path), run=refusal) as (first, house, client):
        await client.connect()
        first.answers["/v1/health"] = healthy(draining=True)
        assert text_of(await take(client)) == "x"
    assert first.asked == ["/v1/health", "/v1/tasks/completion", "/v1/health", "/v1/drain"]
    assert house.second.asked == ["/v1/health", "/v1/tasks/completion"]


# --- garbage -------------------------------------------------------------------------------------------

DEEP = b"[" * 200_000


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "no daemon is running"),
        (b"", "no daemon is running"),
        (reply(b""), "something else answers"),
        (reply(b"<html>", 404, "text/html"), "something else answers"),
        (reply(b"[]"), "something else answers"),
        (reply(b"{}"), "something else answers"),
        (reply(b'{"protocol": 1}'), "something else answers"),
        (reply(b'{"protocol": "1", "version": "", "pid": 1}'), "something else answers"),
        (reply(DEEP), "something else answers"),
        (reply(b"\xff\xfe{}"), "something else answers"),
        (reply(b"not gzip", encoding="gzip"), "something else answers"),
        (reply(gzip.compress(b"{"), encoding="gzip"), "something else answers"),
        (healthy(pid="1"), "something else answers"),
        (healthy(pid=None), "something else answers"),
        (healthy(inline={"ready": "yes"}), "something else answers"),
        (healthy(inline={"ready": True, "prompt_tokens": "many"}), "something else answers"),
        (healthy(inline={"ready": True, "chars_per_token": []}), "something else answers"),
        (healthy(uptime_s="long"), "something else answers"),
    ],
)
async def test_a_handshake_that_is_none(answer: bytes, told: str, tmp_path: Path) -> None:
    paths = home(tmp_path)
    async with canned(paths, health=answer), client_of(paths) as client:
        error = await failure(client.connect())
    assert isinstance(error, errors.DaemonDown)
    assert told in error.message


@pytest.mark.parametrize("inline", [None, [], "x", {"ready": True, "of the future": {}}, {"ready": False, "code": "c"}])
async def test_a_handshake_of_another_version_is_read_as_far_as_it_goes(inline: Any, tmp_path: Path) -> None:
    paths = home(tmp_path)
    async with canned(paths, health=healthy(inline=inline, extra=[1])), client_of(paths) as client:
        assert (await client.connect()).inline.ready is (isinstance(inline, dict) and inline["ready"])


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (400, b'{"code": "bad_input", "message": "prefix: must be text"}', "bad_input", "prefix: must be text"),
        (403, b'{"code": "not_allowed", "message": "no"}', "not_allowed", "no"),
        (429, b'{"code": "busy", "message": "later"}', "busy", "later"),
        (500, b'{"code": "of the future", "message": "why"}', "internal", "why"),
        (500, b"Internal Server Error", "internal", "without a reason"),
        (500, b"", "internal", "without a reason"),
        (502, b"[]", "internal", "without a reason"),
        (502, b'{"code": []}', "internal", "without a reason"),
        (502, b'{"code": [], "message": "x"}', "internal", "without a reason"),
        (502, DEEP, "internal", "without a reason"),
        (302, b"", "internal", "without a reason"),
    ],
)
async def test_a_refusal(status: int, body: bytes, code: str, message: str, tmp_path: Path) -> None:
    paths = home(tmp_path)
    answer = reply(body, status)
    async with canned(paths, run=answer, feedback=answer, events=answer), client_of(paths) as client:
        for refused in (take(client), client.feedback([]), anext(client.follow())):
            error = await failure(refused)
            assert error.code == code
            assert message in error.message


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"",
        b"[]",
        b"{}",
        DEEP,
        b'{"type": []}',
        b'{"type": "delta"}',
        b'{"type": "delta", "text": 5}',
        b'{"type": "status", "code": null}',
        b'{"type": "result", "data": []}',
        b'{"type": "call", "run": "r", "id": "1", "tool": "t", "arguments": []}',
        b'{"type": "error", "code": [], "message": "x"}',
    ],
)
async def test_a_line_that_is_no_event(line: bytes, tmp_path: Path) -> None:
    paths = home(tmp_path)
    async with canned(paths, run=reply(line + b"\n" + GOOD)), client_of(paths) as client:
        assert (await failure(take(client))).code == "internal"


@pytest.mark.parametrize("line", [b"nonsense", b"[]", b"null", DEEP])
async def test_a_pushed_line_that_is_no_event(line: bytes, tmp_path: Path) -> None:
    paths = home(tmp_path)
    async with canned(paths, events=reply(line + b"\n")), client_of(paths) as client:
        assert (await failure(anext(client.follow()))).code == "internal"


@pytest.mark.parametrize(
    ("answer", "code"),
    [(reply(b"{"), "internal"), (reply(DEEP), "internal"), (b"", "daemon_down"), (b"\x00\r\n\r\n", "daemon_down")],
)
async def test_an_answer_that_is_none(answer: bytes, code: str, tmp_path: Path) -> None:
    paths = home(tmp_path)
    async with canned(paths, feedback=answer), client_of(paths) as client:
        assert (await failure(client.feedback([]))).code == code


async def test_an_error_event_is_raised_with_its_code_and_wait(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, Steered([[errors.RateLimited("later", 7.0)]])) as running,
        client_of(running.paths) as client,
    ):
        error = await failure(take(client))
    assert (error.code, error.message, error.retry_after_s) == ("rate_limited", "later", 7.0)


# --- whose socket it is --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o722])
async def test_a_folder_that_others_can_write_to_is_not_trusted(mode: int, tmp_path: Path) -> None:
    paths = home(tmp_path)
    async with canned(paths) as server, client_of(paths) as client:
        paths.runtime.chmod(mode)
        assert isinstance(await failure(client.connect()), errors.NotAllowed)
        assert server.asked == []
        paths.runtime.chmod(0o700)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", ["socket", "folder"])
async def test_a_socket_of_another_user_is_not_trusted(name: str, tmp_path: Path) -> None:
    paths = home(tmp_path)
    async with canned(paths) as server, client_of(paths) as client:
        os.chown(paths.socket if name == "socket" else paths.runtime, 12345, -1)
        assert isinstance(await failure(client.connect()), errors.NotAllowed)
        assert server.asked == []


async def test_a_file_in_the_place_of_the_socket_is_no_daemon(tmp_path: Path) -> None:
    paths = home(tmp_path)
    paths.socket.write_text("not a socket")
    async with client_of(paths) as client:
        assert (await failure(client.connect())).message == "no daemon is running"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"pid": 1}', '{"pid": "x", "address": "", "token": "t"}'])
async def test_an_address_file_that_cannot_be_read_is_no_daemon(content: str, tmp_path: Path) -> None:
    paths = home(tmp_path)
    paths.address_file.write_text(content)
    async with client_of(paths) as client:
        assert (await failure(client.connect())).message == "no daemon is running"
