"""Messages that real and hostile clients send, through the real server: each is answered, and completion goes on."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from midfill_cli.stdio_client import LspError, StdioClient
from support.processes import SERVER, WAIT_S, Editor, Json, after, living_in, script, suggested, working

pytestmark = pytest.mark.asyncio(loop_scope="module")

INLINE = "textDocument/inlineCompletion"
OK = 0
BAD_PARAMS, UNKNOWN, INVALID, PARSE = -32602, -32601, -32600, -32700


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def editor(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Editor]:
    folder = tmp_path_factory.mktemp("home")
    async with working(folder, script(folder, after("total =", "sum(values)"))) as editor:
        yield editor


def frame(body: object, header: bytes = b"Content-Length: %d\r\n\r\n") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return header % len(data) + data


def call(method: str, params: object) -> Json:
    return {"jsonrpc": "2.0", "id": "x", "method": method, "params": params}


def inline(editor: Editor, **changed: object) -> Json:
    here = {"line": 0, "character": 8}
    document = {"uri": (editor.home.folder / "odd.py").as_uri()}
    params = {"textDocument": document, "position": here, "context": {"triggerKind": 2}, **changed}
    return call(INLINE, {name: value for name, value in params.items() if value != "left out"})


START = {"line": 0, "character": 0}
SELECTED = {"range": [START, {"line": 0, "character": 5}], "text": "total"}

ASKED: dict[str, tuple[Json, int]] = {
    "trigger kind of old clients": ({"context": {"triggerKind": 0}}, OK),
    "trigger kind unknown": ({"context": {"triggerKind": 9}}, OK),
    "range as an array": ({"context": {"triggerKind": 2, "selectedCompletionInfo": SELECTED}}, OK),
    "context missing": ({"context": "left out"}, OK),
    "context null": ({"context": None}, OK),
    "nested jsonrpc": ({"jsonrpc": "2.0", "id": 5, "method": "exit"}, OK),
    "a version in the document": ({"textDocument": {"uri": "file:///odd.py", "version": 3}}, OK),
    "formatting options": ({"formattingOptions": {"tabSize": 4}}, OK),
    "a device as document": ({"textDocument": {"uri": "file:///dev/zero"}}, OK),
    "a uri without a scheme": ({"textDocument": {"uri": "../../etc/passwd"}}, OK),
    "an empty uri": ({"textDocument": {"uri": ""}}, OK),
    "a position past the end": ({"position": {"line": 2**40, "character": 2**40}}, OK),
    "a negative position": ({"position": {"line": -1, "character": 0}}, BAD_PARAMS),
    "a position in words": ({"position": "here"}, BAD_PARAMS),
    "position missing": ({"position": "left out"}, BAD_PARAMS),
    "document missing": ({"textDocument": "left out"}, BAD_PARAMS),
}


@pytest.mark.parametrize("name", ASKED)
async def test_an_odd_request_is_answered(editor: Editor, name: str) -> None:
    changed, code = ASKED[name]
    await check(editor, frame(inline(editor, **changed)), [code])


def folders(added: list[Json], removed: list[Json]) -> Json:
    params = {"event": {"added": added, "removed": removed}}
    return {"jsonrpc": "2.0", "method": "workspace/didChangeWorkspaceFolders", "params": params}


SENT: dict[str, tuple[bytes, list[int]]] = {
    "lower-case header": (frame(call("midfill/none", {}), b"content-length: %d\r\n\r\n"), [UNKNOWN]),
    "second initialize": (frame(call("initialize", {"capabilities": {}})), [INVALID]),
    "hover with odd params": (frame(call("textDocument/hover", {"position": 1})), [UNKNOWN]),
    "command unknown": (frame(call("workspace/executeCommand", {"command": "rm"})), [BAD_PARAMS]),
    "command with too many arguments": (
        frame(call("workspace/executeCommand", {"command": "midfill.explain", "arguments": [1, 2]})),
        [BAD_PARAMS],
    ),
    "accepted with an odd argument": (
        frame(call("workspace/executeCommand", {"command": "midfill.accepted", "arguments": [{"a": 1}]})),
        [BAD_PARAMS],
    ),
    "unknown notification": (frame({"jsonrpc": "2.0", "method": "textDocument/didFocus", "params": {}}), []),
    "odd change of an unknown document": (
        frame({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {"contentChanges": [{"text": 5}]}}),
        [],
    ),
    "odd configuration": (
        frame({"jsonrpc": "2.0", "method": "workspace/didChangeConfiguration", "params": {"settings": [1]}}),
        [],
    ),
    "configuration null": (
        frame({"jsonrpc": "2.0", "method": "workspace/didChangeConfiguration", "params": {"settings": None}}),
        [],
    ),
    "folders changed without an event": (
        frame({"jsonrpc": "2.0", "method": "workspace/didChangeWorkspaceFolders", "params": {}}),
        [],
    ),
    "odd folders": (frame(folders([{"uri": 5, "name": "x"}], [])), []),
    "folders that are nowhere": (
        frame(folders([{"uri": uri, "name": "x"} for uri in ("", "file://", "vscode-vfs://g/r", "\0")], [])),
        [],
    ),
    "unknown folders removed": (frame(folders([], [{"uri": "file:///unknown", "name": "x"}])), []),
    "configuration missing": (frame({"jsonrpc": "2.0", "method": "workspace/didChangeConfiguration"}), []),
    "batch": (frame([call(INLINE, {})]), [INVALID]),
    "not JSON": (frame(b"{"), [PARSE]),
    "no length": (frame(b"{}", b"Content-Type: %d\r\n\r\n"), [PARSE]),
}


@pytest.mark.parametrize("name", SENT)
async def test_an_odd_message_is_answered(editor: Editor, name: str) -> None:
    sent, codes = SENT[name]
    await check(editor, sent, codes)


async def check(editor: Editor, sent: bytes, codes: list[int]) -> None:
    """One answer with each of these codes, and then a normal completion."""
    editor.client.send_raw(sent)
    async with asyncio.timeout(WAIT_S):
        answers = [await editor.client.strays.get() for _ in codes]
    assert [answer.get("error", {}).get("code", OK) for answer in answers] == codes
    page = editor.open("normal.py", "total = ")
    assert await page.suggest() == "sum(values)"
    page.close()
    assert editor.client.strays.empty()


async def test_after_shutdown_requests_are_refused(tmp_path: Path) -> None:
    async with (
        living_in(tmp_path, script(tmp_path)) as home,
        StdioClient(SERVER, env=home.environment, cwd=tmp_path, stderr=tmp_path / "stderr") as client,
    ):
        await client.initialize()
        assert await client.request("shutdown") is None
        with pytest.raises(LspError) as caught:
            await client.request(INLINE, {})
        assert caught.value.code == INVALID


async def test_a_lost_edit_is_noticed_and_mended_by_reopening(editor: Editor) -> None:
    page = editor.open("lost.py", "total = ")
    page.changed([{"range": "?", "text": 5}])
    assert suggested(await page.request()) == ""
    assert "close and reopen" in await editor.explain()
    page.close()
    assert await editor.open("lost.py", "total = ").suggest() == "sum(values)"
