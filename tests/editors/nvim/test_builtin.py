"""Neovim 0.12 and newer without our plugin: its own client for inline completion speaks with the same server."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from editors.nvim.neovim import HERE, Neovim, Step, neovim
from editors.nvim.terminal import terminal
from support.processes import SERVER, Home, after, living_in, script

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.soak]

RULES = (
    after("total =", "sum(values)"),
    after("'naïve 🎉' +", "'日本 🎈'"),
    after("def fib(n):", "\n    if n < 2:\n        return n\n    return fib(n - 1) + fib(n - 2)\n"),
    {"match": "", "text": ""},
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    folder = tmp_path_factory.mktemp("builtin")
    async with living_in(folder, script(folder, *RULES)) as home:
        yield home


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def editor(home: Home, forky: Path) -> AsyncIterator[Neovim]:
    folder = home.folder / "user"
    environment = {**home.environment, "TERM": "xterm-256color", "MIDFILL_TEST_SERVER": json.dumps(SERVER)}
    command = (str(forky), "-u", str(HERE / "builtin.lua"), "first.py")
    async with terminal(command, folder, environment) as one:
        editor = Neovim(one, forky, folder / "socket", folder)
        await editor.status("ready")
        yield editor
        await editor.command("qall!")


FIB = "if n < 2:\n        return n\n    return fib(n - 1) + fib(n - 2)"

STORIES: dict[str, tuple[Step, ...]] = {
    "accepted": (("total = ", "total = ‹sum(values)›"), ("<Tab>", "total = sum(values)")),
    "typed out": (("total = ", "total = ‹sum(values)›"), ("sum", "total = sum‹(values)›")),
    "several lines": (("def fib(n):<CR>", f"def fib(n):\n    ‹{FIB}›"), ("<Tab>", f"def fib(n):\n    {FIB}")),
    "after wide characters": (
        ("'naïve 🎉' + ", "'naïve 🎉' + ‹'日本 🎈'›"),
        ("<Tab>", "'naïve 🎉' + '日本 🎈'"),
    ),
}


@pytest.mark.parametrize("name", STORIES)
async def test_story(editor: Neovim, name: str) -> None:
    await editor.open()
    await editor.play(*STORIES[name])


async def test_beside_the_plugin_it_does_not_draw_the_same_again(home: Home, forky: Path) -> None:
    async with neovim(forky, home, MIDFILL_TEST_BUILTIN="1") as editor:
        await editor.open()
        await editor.play(("total = ", "total = ‹sum(values)›"))
        # It would have asked by now.
        await editor.pause()
        await editor.see("total = ‹sum(values)›")
