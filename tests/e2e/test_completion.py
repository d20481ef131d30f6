"""What an editor sees of a completion: the capability, positions in three encodings, and every kind of answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from midfill_cli.stdio_client import LspError, StdioClient
from support.fake_services import FakeLlamaServer, running
from support.processes import (
    SERVER,
    UNITS,
    Editor,
    Home,
    Json,
    Page,
    after,
    editing,
    living_in,
    script,
    soon,
    suggested,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULES = (
    after("total =", "sum(values)"),
    after("empty =", ""),
    after("foo.append", "(item)"),
    after("¿é🎉¿)", " + naïve🎈"),
    after("many =", "one(1)", seed=0),
    after("many =", "two(2)", seed=1),
    after("many =", "three(3)", seed=2),
    after("if grows:", "one()\n    two()\n    three()\n", token_ms=30),
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    folder = tmp_path_factory.mktemp("home")
    async with living_in(folder, script(folder, *RULES)) as home:
        yield home


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def editor(home: Home) -> AsyncIterator[Editor]:
    async with editing(home) as editor:
        await editor.until("ready")
        yield editor


async def test_the_capability_is_advertised(editor: Editor) -> None:
    assert editor.capabilities["inlineCompletionProvider"] is not None
    assert editor.capabilities["positionEncoding"] == "utf-16"


async def test_ignore_files_are_watched_where_the_client_can(home: Home) -> None:
    registered: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
    client = StdioClient(SERVER, env=dict(home.environment), stderr=home.folder / "lsp.stderr")
    client.answers = {**client.answers, "client/registerCapability": registered.set_result}
    workspace = {"didChangeWatchedFiles": {"dynamicRegistration": True}}
    async with client:
        await client.request(
            "initialize", {"processId": None, "rootUri": None, "capabilities": {"workspace": workspace}}
        )
        client.notify("initialized", {})
        (registration,) = (await soon(registered))["registrations"]
    assert registration["method"] == "workspace/didChangeWatchedFiles"
    watched = [watcher["globPattern"] for watcher in registration["registerOptions"]["watchers"]]
    assert any(".midfillignore" in glob for glob in watched)


@pytest.mark.parametrize(
    ("answer", "suggested_text"),
    [
        ([{"enabled": False}], ""),
        ("nonsense", "sum(values)"),
    ],
    ids=str,
)
async def test_a_client_that_sends_no_options_is_asked_for_them(home: Home, answer: Any, suggested_text: str) -> None:
    asked: list[Json] = []
    client = StdioClient(SERVER, env=dict(home.environment), stderr=home.folder / "lsp.stderr")
    client.answers = {**client.answers, "workspace/configuration": lambda params: asked.append(params) or answer}
    async with client:
        await client.initialize()
        editor = Editor(home, client, "utf-16", {})
        client.handlers["midfill/status"] = editor.on_status
        await editor.until("ready")
        assert await editor.open("pulled.py", "total = ").suggest() == suggested_text
        assert [item["section"] for params in asked for item in params["items"]] == ["midfill"]
        client.notify("workspace/didChangeConfiguration", {"settings": None})
        assert await editor.open("pulled.py", "total = ").suggest() == suggested_text
        assert len(asked) == 2


# --- encodings --------------------------------------------------------------------------------------

TEXT = "a = '🎉'\r\nb = '\x0c\u2028🎈' + (x)\r\nc = 1\r\n"


async def typed_and_asked(editor: Editor) -> tuple[str, int, int, int]:
    """What is suggested after some edits around wide characters: text, line, and columns in code points."""
    page = editor.open("wide.py", TEXT, "python")
    page.replace(page.text.index("🎉"), page.text.index("🎉") + 1, "é🎈🎉")
    page.replace(page.text.index("+ (x)") + 2, page.text.index("\r\nc"), "f(¿é🎉¿)")
    answer = await page.request()
    page.close()
    (item,) = answer["items"]
    start, end = item["range"]["start"], item["range"]["end"]
    assert start["line"] == end["line"]
    codec, unit_bytes = UNITS[editor.encoding]
    encoded = page.text.split("\r\n")[start["line"]].encode(codec)
    start_column, end_column = (len(encoded[: at["character"] * unit_bytes].decode(codec)) for at in (start, end))
    return item["insertText"], start["line"], start_column, end_column


@pytest.mark.parametrize("encoding", tuple(UNITS))
async def test_every_encoding_gives_the_same(home: Home, encoding: str) -> None:
    async with editing(home, encoding=encoding) as editor:
        await editor.until("ready")
        assert editor.capabilities["positionEncoding"] == encoding
        column = len("b = '\x0c\u2028🎈' + f(¿é🎉¿)")
        assert await typed_and_asked(editor) == (" + naïve🎈", 1, column, column)


# --- answers ----------------------------------------------------------------------------------------


async def source_of(editor: Editor) -> str:
    """How the last answer came about, in the server's own words."""
    explained = await editor.explain()
    known = {"cache": "from the cache", "typed-through": "typing out", "model": "wrote it"}
    return next((name for name, words in known.items() if words in explained), explained)


async def test_retyping_hits_the_cache(editor: Editor) -> None:
    page = editor.open("retyped.py", "total =")
    page.type(" ")
    assert await page.suggest() == "sum(values)"
    assert await source_of(editor) == "model"
    page.replace(page.caret - 1, page.caret, "")
    page.type(" ")
    assert await page.suggest() == "sum(values)"
    assert await source_of(editor) == "cache"


async def test_typing_through_needs_no_model(editor: Editor) -> None:
    page = editor.open("through.py", "total = ")
    assert await page.suggest() == "sum(values)"
    page.type("su")
    assert await page.suggest() == "m(values)"
    assert await source_of(editor) == "typed-through"


async def test_nothing_is_an_empty_list(editor: Editor) -> None:
    assert await editor.open("nothing.py", "empty = ").request() == {"items": []}


async def test_an_unknown_document_is_nothing(editor: Editor) -> None:
    page = editor.open("gone.py", "total = ")
    page.close()
    assert await page.request() == {"items": []}
    assert "has not opened this document" in await editor.explain()


SELECTED = "x = foo.app"


async def test_the_selected_entry_is_completed(editor: Editor) -> None:
    page = editor.open("selected.py", SELECTED)
    span = {"start": page.position(SELECTED.index("app")), "end": page.position(len(SELECTED))}
    answer = await page.request(selectedCompletionInfo={"range": span, "text": "append"})
    (item,) = answer["items"]
    assert item["insertText"] == "append(item)"
    assert item["range"] == span


async def test_who_asks_by_hand_may_choose(editor: Editor) -> None:
    page = editor.open("many.py", "many = ")
    items = (await soon(page.request(trigger=1)))["items"]
    assert [item["insertText"] for item in items] == ["one(1)", "two(2)", "three(3)"]
    assert await page.suggest() == "one(1)"


async def test_a_suggestion_that_grows_is_told(home: Home) -> None:
    told: asyncio.Queue[Json] = asyncio.Queue()
    async with editing(home, {"streaming": "live", "context": False}) as editor:
        editor.client.handlers["midfill/more"] = told.put_nowait
        await editor.until("ready")
        page = editor.open("grows.py", "if grows:\n    ")
        (item,) = (await soon(page.request()))["items"]
        assert item["insertText"] == "one()"
        more = await soon(told.get())
        while not more["done"]:
            more = await soon(told.get())
        assert more == {
            "id": item["command"]["arguments"][0],
            "uri": page.uri,
            "version": 0,
            "line": 1,
            "character": 4,
            "text": "one()\n    two()\n    three()",
            "done": True,
        }
        assert await page.suggest() == more["text"]


# --- requests that overtake each other -----------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def slow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Editor, FakeLlamaServer]]:
    """An editor whose model waits to be told what to do."""
    service = FakeLlamaServer()
    async with (
        running(service),
        living_in(
            tmp_path_factory.mktemp("slow"), f"llama_server:{service.url}", MIDFILL_TIERS_INLINE_TIMEOUT_S="300"
        ) as home,
        editing(home) as editor,
    ):
        await editor.until("ready")
        yield editor, service


Slow = tuple[Editor, FakeLlamaServer]


async def under_way(editor: Editor, service: FakeLlamaServer, name: str) -> tuple[Page, Any]:
    """A request whose first token has come and whose second one will not."""
    service.tokens = ("sum", "(values)")
    service.faults.hang_at = 2
    service.served.clear()
    service.disconnected.clear()
    page = editor.open(name, "total = ")
    request = page.request()
    await soon(service.served.wait())
    return page, request


async def test_a_superseded_request_is_answered_null(slow: Slow) -> None:
    editor, service = slow
    page, request = await under_way(editor, service, "superseded.py")
    newer = page.request()
    assert await soon(request) is None
    page.close()
    assert not suggested(await soon(newer))


async def test_a_cancelled_request_is_an_error_and_closes_the_stream(slow: Slow) -> None:
    editor, service = slow
    _, request = await under_way(editor, service, "cancelled.py")
    editor.client.cancel(request.id)
    with pytest.raises(LspError) as caught:
        await soon(request)
    assert caught.value.code == -32800
    await soon(service.disconnected.wait())


async def test_an_edit_that_disagrees_closes_the_stream(slow: Slow) -> None:
    editor, service = slow
    page, request = await under_way(editor, service, "stale.py")
    page.type("other")
    assert await soon(request) is None
    await soon(service.disconnected.wait())


async def test_a_stale_answer_is_never_sent(slow: Slow) -> None:
    editor, service = slow
    page, request = await under_way(editor, service, "agreed.py")
    page.type("su")
    newer = page.request()
    assert await soon(request) is None
    page.type("m")
    newest = page.request()
    assert await soon(newer) is None
    editor.client.cancel(newest.id)


async def test_positions_are_clamped(editor: Editor) -> None:
    page = editor.open("clamped.py", "total = ")
    far: Json = {"line": 99, "character": 99}
    answer = await editor.client.request(
        "textDocument/inlineCompletion",
        {"textDocument": {"uri": page.uri}, "position": far, "context": {"triggerKind": 2}},
    )
    assert suggested(answer) == "sum(values)"
