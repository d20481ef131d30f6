"""A real server process on our transport, and clients that do everything wrong."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from midfill_cli.stdio_client import LspError, ServerGone, StdioClient
from midfill_lsp.transport import watch_parent

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "tests/support/lsp_echo.py"), "--log"]
URI = "file:///a.py"
SECRET = "SECRET-TEXT"
HERE = {"line": 1, "character": 2}
RANGE = {"start": HERE, "end": HERE}
DOCUMENT = {"uri": URI}
INLINE = {"textDocument": DOCUMENT, "position": HERE}
WAIT_S = 20.0
OK = "a result"


@dataclass(frozen=True)
class Answer:
    """What an answer must look like: its id and its error code, or OK."""

    id: int | str | None
    outcome: int | str


def frame(body: object, header: bytes = b"Content-Length: %d\r\n\r\n") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return header % len(data) + data


def call(msg_id: object, method: object, params: object = None) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": msg_id, "method": method, "params": params}


def inline(**changed: object) -> bytes:
    return frame(call("x", "textDocument/inlineCompletion", {**INLINE, **changed}))


def selected(selected_range: object) -> dict[str, object]:
    return {"triggerKind": 2, "selectedCompletionInfo": {"range": selected_range, "text": SECRET}}


def hover(**changed: object) -> bytes:
    return frame(call("x", "textDocument/hover", {**INLINE, **changed}))


def nested(depth: int) -> bytes:
    return b'{"jsonrpc":"2.0","id":"x","method":"echo/params","params":' + b"[" * depth + b"]" * depth + b"}"


PARSE_ERROR = [Answer(None, -32700)]
INVALID = [Answer(None, -32600)]
ANSWERED = [Answer("x", OK)]
BAD_PARAMS = [Answer("x", -32602)]

# What a client sends, and all it gets.
ROWS: list[tuple[str, bytes, list[Answer]]] = [
    # Shapes that real clients send.
    ("inline", inline(context={"triggerKind": 2}), ANSWERED),
    ("triggerKind 0", inline(context={"triggerKind": 0}), ANSWERED),
    ("triggerKind 7", inline(context={"triggerKind": 7}), ANSWERED),
    ("triggerKind text", inline(context={"triggerKind": "2"}), ANSWERED),
    ("no triggerKind", inline(context={}), ANSWERED),
    ("no context", inline(), ANSWERED),
    ("context null", inline(context=None), ANSWERED),
    ("context a list", inline(context=[]), ANSWERED),
    ("range as array", inline(context=selected([HERE, HERE])), ANSWERED),
    ("selected null", inline(context={"triggerKind": 2, "selectedCompletionInfo": None}), ANSWERED),
    ("range of three", inline(context=selected([HERE] * 3)), BAD_PARAMS),
    ("range a string", inline(context=selected(SECRET)), BAD_PARAMS),
    ("whole floats", inline(position={"line": 1.0, "character": 2.0}), ANSWERED),
    ("character at 2^32-1", inline(position={"line": 1, "character": 2**32 - 1}), ANSWERED),
    ("bad progress token", inline(workDoneToken={}), ANSWERED),
    ("unknown members", inline(context={"triggerKind": 1, "new": SECRET}, formattingOptions={}), ANSWERED),
    # Params that cannot be repaired.
    ("no position", inline(position=None), BAD_PARAMS),
    ("line a string", inline(position={"line": SECRET, "character": 0}), BAD_PARAMS),
    ("line true", inline(position={"line": True, "character": 0}), BAD_PARAMS),
    ("line negative", inline(position={"line": -1, "character": 0}), BAD_PARAMS),
    ("line 1.5", inline(position={"line": 1.5, "character": 0}), BAD_PARAMS),
    ("line NaN", inline(position={"line": float("nan"), "character": 0}), BAD_PARAMS),
    ("line infinite", inline(position={"line": float("-inf"), "character": 0}), BAD_PARAMS),
    ("uri a number", inline(textDocument={"uri": 5}), BAD_PARAMS),
    ("hover odd", hover(position=SECRET), BAD_PARAMS),
    ("hover good", hover(), ANSWERED),
    ("params a list", frame(call("x", "textDocument/hover", [SECRET])), BAD_PARAMS),
    ("params a string", frame(call("x", "textDocument/hover", SECRET)), BAD_PARAMS),
    ("params missing", frame({"jsonrpc": "2.0", "id": "x", "method": "textDocument/hover"}), BAD_PARAMS),
    ("command unknown", frame(call("x", "workspace/executeCommand", {"command": "no"})), BAD_PARAMS),
    (
        "command argument odd",
        frame(call("x", "workspace/executeCommand", {"command": "echo.command", "arguments": [{}]})),
        BAD_PARAMS,
    ),
    (
        "command",
        frame(call("x", "workspace/executeCommand", {"command": "echo.command", "arguments": ["a"]})),
        ANSWERED,
    ),
    # Messages of a wrong shape.
    ("nested jsonrpc", inline(context={"triggerKind": 2}, jsonrpc="2.0", id=5, method="exit"), ANSWERED),
    ("nested message", frame(call("x", "echo/params", {"a": call(1, "initialize", {})})), ANSWERED),
    ("second initialize", frame(call("x", "initialize", {"capabilities": {}})), [Answer("x", -32600)]),
    ("initialize as notification", frame({"jsonrpc": "2.0", "method": "initialize", "params": {}}), []),
    ("shutdown as notification", frame({"jsonrpc": "2.0", "method": "shutdown"}), []),
    ("unknown method", frame(call("x", "no/such", {})), [Answer("x", -32601)]),
    ("unknown $ request", frame(call("x", "$/no", {})), [Answer("x", -32601)]),
    ("unknown $ notification", frame({"jsonrpc": "2.0", "method": "$/no", "params": SECRET}), []),
    ("unknown notification", frame({"jsonrpc": "2.0", "method": "no/such"}), []),
    ("batch", frame([call(1, "echo/params"), call(2, "echo/params")]), INVALID),
    ("empty batch", frame([]), INVALID),
    ("a string", frame(SECRET), INVALID),
    ("null", frame(b"null"), INVALID),
    ("empty object", frame({}), INVALID),
    ("only jsonrpc", frame({"jsonrpc": "2.0"}), INVALID),
    ("no jsonrpc", frame({"id": "x", "method": "echo/params"}), [Answer("x", -32600)]),
    ("jsonrpc 1.0", frame({**call("x", "echo/params"), "jsonrpc": "1.0"}), [Answer("x", -32600)]),
    ("method a number", frame(call("x", 5)), [Answer("x", -32600)]),
    ("id a float", frame(call(1.0, "echo/params")), INVALID),
    ("id true", frame(call(True, "echo/params")), INVALID),
    ("id an object", frame(call({"a": 1}, "echo/params")), INVALID),
    ("id a list", frame(call([], "echo/params")), INVALID),
    ("id null", frame(call(None, "echo/params")), INVALID),
    ("id empty", frame(call("", "echo/params")), [Answer("", OK)]),
    ("id huge", frame(call(10**300, "echo/params")), [Answer(10**300, OK)]),
    ("id zero", frame(call(0, "echo/params")), [Answer(0, OK)]),
    ("answer to nothing", frame({"jsonrpc": "2.0", "id": "nobody", "result": SECRET}), []),
    ("error to nothing", frame({"jsonrpc": "2.0", "id": None, "error": {"code": 1}}), []),
    ("cancel unknown", frame({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 99}}), []),
    ("cancel odd", frame({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": {}}}), []),
    ("cancel nothing", frame({"jsonrpc": "2.0", "method": "$/cancelRequest"}), []),
    ("same id twice", frame(call("x", "echo/later", 1)) * 2, ANSWERED * 2),
    ("same id twice at once", frame(call("x", "echo/later")) + frame(call("x", "echo/params")), ANSWERED * 2),
    # Text that is hardly JSON.
    ("not JSON", frame(b"{" + SECRET.encode()), PARSE_ERROR),
    ("empty body", frame(b""), PARSE_ERROR),
    ("two values", frame(b"{}{}"), PARSE_ERROR),
    ("invalid utf-8", frame(b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}'), PARSE_ERROR),
    ("zero bytes", frame(b"\0" * 10), PARSE_ERROR),
    ("5000 digits", frame(b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b"}"), PARSE_ERROR),
    ("nested too deeply", frame(nested(100_000)), PARSE_ERROR),
    ("NaN", frame(b'{"jsonrpc":"2.0","id":"x","method":"echo/lost","params":NaN}'), ANSWERED),
    ("a lone surrogate", frame(b'{"jsonrpc":"2.0","id":"x","method":"echo/params","params":"\\ud800"}'), ANSWERED),
    (
        "a surrogate in utf-8",
        frame(b'{"jsonrpc":"2.0","id":"x","method":"echo/params","params":"\xed\xa0\x80"}'),
        ANSWERED,
    ),
    ("a surrogate as method", frame(b'{"jsonrpc":"2.0","id":"x","method":"\\ud800"}'), [Answer("x", -32601)]),
    ("a surrogate as id", frame(b'{"jsonrpc":"2.0","id":"\\ud800","method":"echo/params"}'), [Answer("\ud800", OK)]),
    ("a byte order mark", frame(b"\xef\xbb\xbf" + json.dumps(call("x", "echo/params")).encode()), ANSWERED),
    # Frames.
    ("lower-case header", frame(call("x", "echo/params"), b"content-length: %d\r\n\r\n"), ANSWERED),
    ("more headers", frame(call("x", "echo/params"), b"A: b\nContent-Length:%d\nContent-Type: c\n\n"), ANSWERED),
    ("no length", frame(b"{}", b"Content-Type: %d\r\n\r\n"), PARSE_ERROR),
    ("garbage length", frame(b"{}", b"Content-Length: x%d\r\n\r\n"), PARSE_ERROR),
    ("negative length", frame(b"{}", b"Content-Length: -%d\r\n\r\n"), PARSE_ERROR),
    ("text on the stream", SECRET.encode() + b"\n", PARSE_ERROR),
    ("length too short", b"Content-Length: 1\r\n\r\n{}", PARSE_ERROR * 2),
    (
        "65 MB request",
        frame(b'{"jsonrpc":"2.0","id":"x","method":"echo/params","params":"' + b"a" * 68_000_000 + b'"}'),
        [Answer("x", -32600)],
    ),
    # Handlers that fail.
    ("a handler raises", frame(call("x", "echo/fail", SECRET)), [Answer("x", -32603)]),
    ("a handler is busy", frame(call("x", "echo/busy")), [Answer("x", -32803)]),
    ("a result that is not JSON", frame(call("x", "echo/unencodable")), [Answer("x", -32603)]),
    ("a failing notification", frame({"jsonrpc": "2.0", "method": "echo/fail", "params": SECRET}), []),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StdioClient]:
    async with started(tmp_path_factory.mktemp("echo")) as ready:
        await ready.initialize()
        yield ready


def started(folder: Path) -> StdioClient:
    return StdioClient(COMMAND, env=environment(), stderr=folder / "stderr")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))}


async def answers(client: StdioClient, count: int) -> list[Answer]:
    """The next `count` answers, and any more that come before that of the normal request that follows."""
    following = client.request("echo/later")
    async with asyncio.timeout(WAIT_S):
        received = [await client.strays.get() for _ in range(count)]
        await following
    while not client.strays.empty():
        received.append(client.strays.get_nowait())
    return [Answer(message["id"], message.get("error", {}).get("code", OK)) for message in received]


async def failure(request: Any) -> LspError:
    with pytest.raises(LspError) as caught:
        async with asyncio.timeout(WAIT_S):
            await request
    return caught.value


@pytest.mark.parametrize(("sent", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
async def test_every_message_is_answered(client: StdioClient, sent: bytes, expected: list[Answer]) -> None:
    client.send_raw(sent)
    assert await answers(client, len(expected)) == expected
    assert client.notifications.empty(), "no pop-ups"


async def test_no_text_reaches_the_log(tmp_path: Path) -> None:
    async with started(tmp_path) as client:
        await client.initialize(options={"token": SECRET})
        for sent, expected in [row[1:] for row in ROWS if len(row[1]) < 1_000_000]:
            client.send_raw(sent)
            await answers(client, len(expected))
        client.notify("textDocument/didChange", {"textDocument": DOCUMENT, "contentChanges": [{"text": [SECRET]}]})
        await client.request("echo/params")
    log = (tmp_path / "stderr").read_text()
    assert "lsp.bad_notification" in log
    assert "lsp.request_failed" in log
    assert SECRET not in log


@pytest.mark.parametrize(
    ("context", "seen"),
    [
        (None, {"triggerKind": 1}),
        ({"triggerKind": 0}, {"triggerKind": 1}),
        ({"triggerKind": 2}, {"triggerKind": 2}),
        (selected([HERE, HERE]), selected(RANGE)),
        (selected(RANGE), selected(RANGE)),
    ],
)
async def test_repaired_context(client: StdioClient, context: object, seen: object) -> None:
    await client.request("textDocument/inlineCompletion", {**INLINE, "context": context})
    assert await client.request("echo/context") == seen


CHANGED = {"uri": URI, "version": 1}


@pytest.mark.parametrize(
    ("change", "arrives"),
    [
        ({"text": "a"}, True),
        ({"text": "a", "range": RANGE}, True),
        ({"text": "a", "range": None}, True),
        ({"text": "a", "range": [HERE, HERE]}, True),
        ({"text": "a", "range": RANGE, "rangeLength": -1}, True),
        ({"text": "a", "range": {"start": HERE, "end": {"line": 2**32 - 1, "character": 0}}}, True),
        ({"text": None}, False),
        ({"text": ["a"]}, False),
        ({"range": RANGE}, False),
        ({"text": "a", "range": {"start": HERE}}, False),
        ("a", False),
    ],
)
async def test_a_lost_change_is_told(client: StdioClient, change: object, arrives: bool) -> None:
    params = {"textDocument": CHANGED, "contentChanges": [change]}
    await client.request("echo/changes")
    await client.request("echo/lost")
    client.notify("textDocument/didChange", params)
    assert await client.request("echo/changes") == ([["a"]] if arrives else [])
    assert await client.request("echo/lost") == ([] if arrives else [["textDocument/didChange", params]])


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (
            frame(
                b'{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///a"},\xff'
            ),
            ["textDocument/didChange", {"textDocument": {"uri": "file:///a"}}],
        ),
        (
            frame(
                b'{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"u"},"'
                + b"a" * 68_000_000
            ),
            ["textDocument/didOpen", {"textDocument": {"uri": "u"}}],
        ),
        (frame(b"{"), ["", {"textDocument": {}}]),
        (b"Content-Length: x\r\n\r\n", ["", None]),
    ],
    ids=["cut text", "too large", "unknown", "broken header"],
)
async def test_an_unreadable_message_is_told(client: StdioClient, sent: bytes, told: object) -> None:
    await client.request("echo/lost")
    client.send_raw(sent)
    assert await answers(client, 1) == PARSE_ERROR
    assert await client.request("echo/lost") == [told]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"textDocument": DOCUMENT, "position": {"line": SECRET}}, "params.position.line: must be int"),
        ({"textDocument": {"uri": 1}, "position": HERE}, "params.textDocument.uri: must be str"),
        ({"position": HERE}, "params.textDocument: is missing"),
        (SECRET, "params: must be an object"),
    ],
)
async def test_errors_name_the_field(client: StdioClient, params: object, message: str) -> None:
    error = await failure(client.request("textDocument/hover", params))
    assert message in error.message
    assert SECRET not in error.message


async def test_a_coded_error_keeps_its_code(client: StdioClient) -> None:
    error = await failure(client.request("echo/busy"))
    assert (error.code, error.message, error.data) == (-32803, "the queue is full", {"code": "busy"})


@pytest.mark.parametrize("times", [1, 2])
async def test_cancel(client: StdioClient, times: int) -> None:
    request = client.request("echo/hang")
    for _ in range(times):
        client.cancel(request.id)
    assert (await failure(request)).code == -32800


async def test_cancel_after_start(client: StdioClient) -> None:
    request = client.request("echo/hang")
    await client.request("echo/later")
    client.cancel(request.id)
    assert (await failure(request)).code == -32800


async def test_a_request_to_the_client(client: StdioClient) -> None:
    assert await client.request("echo/ask") == [None]
    client.answers["workspace/configuration"] = lambda params: 5
    assert (await failure(client.request("echo/ask"))).code == -32603
    del client.answers["workspace/configuration"]
    assert (await failure(client.request("echo/ask"))).code == -32601


async def test_before_initialize(tmp_path: Path) -> None:
    async with started(tmp_path) as client:
        client.notify("textDocument/didChange", {"textDocument": CHANGED, "contentChanges": [{"text": "a"}]})
        for method in ("textDocument/hover", "no/such", "shutdown"):
            assert (await failure(client.request(method))).code == -32002
        assert (await failure(client.request("initialize", [SECRET]))).code == -32602
        await client.initialize()
        assert await client.request("echo/changes") == []


async def test_after_shutdown(tmp_path: Path) -> None:
    async with started(tmp_path) as client:
        await client.initialize()
        hanging = client.request("echo/hang")
        assert await client.request("shutdown") is None
        assert (await failure(hanging)).code == -32800
        for method in ("textDocument/hover", "initialize", "shutdown"):
            assert (await failure(client.request(method))).code == -32600
        client.notify("exit")
    assert client.exit_code == 0


SHUTDOWN = frame(call(2, "shutdown"))
EXIT = frame({"jsonrpc": "2.0", "method": "exit"})
INITIALIZE = frame(call(1, "initialize", {"capabilities": {}}))


@pytest.mark.parametrize(
    ("sent", "exit_code"),
    [
        (b"", 1),
        (EXIT, 1),
        (INITIALIZE + EXIT, 1),
        (INITIALIZE + SHUTDOWN + EXIT, 0),
        (INITIALIZE + SHUTDOWN, 0),
        (INITIALIZE + frame(call(3, "echo/hang")), 1),
        (INITIALIZE + b"Content-Length: 10\r\n\r\n{", 1),
    ],
    ids=["nothing", "exit", "no shutdown", "shutdown, exit", "shutdown, end", "end in a request", "end in a message"],
)
async def test_the_end(tmp_path: Path, sent: bytes, exit_code: int) -> None:
    client = started(tmp_path)
    await client.start()
    client.send_raw(sent)
    assert await client.wait() == exit_code


@pytest.mark.parametrize("sent", [INITIALIZE + frame(call(1, "echo/flood")) * 40])
async def test_a_client_that_stops_reading_is_given_up(tmp_path: Path, sent: bytes) -> None:
    with (tmp_path / "stderr").open("wb") as errors:
        process = await spawn(stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(sent)
    async with asyncio.timeout(WAIT_S):
        # Nothing reads stdout here; asyncio takes a few kilobytes and then leaves the pipe full.
        assert await process.wait() == 1
    assert "lsp.client_not_reading" in (tmp_path / "stderr").read_text()


async def test_a_client_that_closes_its_end(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with (tmp_path / "stderr").open("wb") as errors:
        process = await spawn(stdin=asyncio.subprocess.PIPE, stdout=writing, stderr=errors)
    os.close(writing)
    os.close(reading)
    async with asyncio.timeout(WAIT_S):
        assert await process.wait() == 1


async def test_input_and_output_as_files(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(INITIALIZE + inline() + SHUTDOWN + EXIT)
    with (tmp_path / "in").open("rb") as stdin, (tmp_path / "out").open("wb") as stdout:
        process = await spawn(stdin=stdin, stdout=stdout)
        async with asyncio.timeout(WAIT_S):
            assert await process.wait() == 0
    assert (tmp_path / "out").read_bytes().count(b"Content-Length: ") == 3


async def test_one_socket_for_both(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        process = await spawn(stdin=theirs, stdout=theirs)
    reader, writer = await asyncio.open_connection(sock=ours)
    writer.write(INITIALIZE + frame(call(3, "echo/params", "hello")) + SHUTDOWN + EXIT)
    async with asyncio.timeout(WAIT_S):
        assert b'"hello"' in await reader.read()
        assert await process.wait() == 0
    writer.close()


async def test_killed_server(tmp_path: Path) -> None:
    async with started(tmp_path) as client:
        await client.initialize()
        request = client.request("echo/hang")
        os.kill(client.pid, signal.SIGKILL)
        with pytest.raises(ServerGone):
            await request


async def spawn(**streams: Any) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(*COMMAND, env=environment(), **streams)


async def test_the_end_of_the_editor_is_noticed() -> None:
    editor = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    ended = asyncio.Event()
    seen = asyncio.Event()

    def parent() -> int:
        seen.set()
        return editor.pid

    watch = asyncio.create_task(watch_parent(parent, ended.set, poll_s=0.001))
    await seen.wait()
    assert not ended.is_set()
    assert editor.stdin is not None
    editor.stdin.close()
    await editor.wait()
    async with asyncio.timeout(WAIT_S):
        await ended.wait()
        await watch
