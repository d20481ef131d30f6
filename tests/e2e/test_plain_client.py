"""An editor that knows LSP 3.18 and nothing of ours, as Helix and Emacs are: no options, no commands, no extensions."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from midfill_cli.stdio_client import StdioClient
from support.processes import SERVER, UNITS, Editor, Home, Json, after, living_in, script, soon

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULES = (
    after("total =", "sum(values)"),
    after("'🎉' +", "'日本 🎈'"),
    after("if grows:", "one()\n    two()\n", token_ms=30),
)

# What Helix says of itself, as far as it has to do with us; its default encoding comes first.
HELIX: Json = {
    "processId": None,
    "clientInfo": {"name": "helix", "version": "25.07"},
    "rootUri": None,
    "capabilities": {
        "general": {"positionEncodings": ["utf-8", "utf-32", "utf-16"]},
        "textDocument": {"inlineCompletion": {"dynamicRegistration": False}},
        "workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": False}},
    },
}
UTF_16_ONLY: Json = {**HELIX, "capabilities": {"textDocument": {"inlineCompletion": {}}}}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    folder = tmp_path_factory.mktemp("plain")
    async with living_in(folder, script(folder, *RULES)) as home:
        yield home


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=[HELIX, UTF_16_ONLY], ids=["utf-8", "utf-16"])
async def editor(home: Home, request: pytest.FixtureRequest) -> AsyncIterator[Editor]:
    client = StdioClient(SERVER, env=dict(home.environment), cwd=home.folder, stderr=home.folder / "lsp.stderr")
    async with client:
        editor = Editor(home, client, "", {})
        client.handlers["midfill/status"] = editor.on_status
        editor.capabilities = (await client.request("initialize", request.param))["capabilities"]
        editor.encoding = editor.capabilities.get("positionEncoding", "utf-16")
        client.notify("initialized", {})
        await editor.until("ready")
        yield editor


async def items(editor: Editor, text: str, caret: int = -1) -> list[Any]:
    page = editor.open(f"file{abs(hash(text))}.py", text)
    page.caret = len(text) if caret < 0 else caret
    answer = await soon(page.request())
    page.close()
    return list(answer["items"])


async def test_the_encoding_is_one_that_was_offered(editor: Editor, request: pytest.FixtureRequest) -> None:
    assert editor.encoding in request.node.name
    assert editor.encoding in UNITS


async def test_a_suggestion_needs_nothing_but_its_text_and_range(editor: Editor) -> None:
    (item,) = await items(editor, "total = ")
    at = {"line": 0, "character": 8}
    assert (item["insertText"], item["range"]) == ("sum(values)", {"start": at, "end": at})


async def test_wide_characters_are_counted_as_agreed(editor: Editor) -> None:
    text = "'🎉' + "
    (item,) = await items(editor, text)
    codec, unit_bytes = UNITS[editor.encoding]
    assert item["insertText"] == "'日本 🎈'"
    assert item["range"]["start"] == {"line": 0, "character": len(text.encode(codec)) // unit_bytes}


async def test_nobody_is_told_of_growth_who_has_not_asked(editor: Editor) -> None:
    assert await items(editor, "if grows:\n    ")
    told = {editor.client.notifications.get_nowait()[0] for _ in range(editor.client.notifications.qsize())}
    assert "midfill/more" not in told


async def test_a_change_of_the_whole_text_is_understood(editor: Editor) -> None:
    page = editor.open("whole.py", "x = 1")
    page.changed([{"text": "total ="}])
    page.text, page.caret = "total =", len("total =")
    assert await page.suggest() == "sum(values)"
