"""The index of a real server: what it asks the editor to watch, that nothing of it outlives the window, and its modes."""

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from midfill_cli.stdio_client import StdioClient
from midfill_workspace.store import location
from support.processes import AT_ONCE, SERVER, WAIT_S, Home, after, ended, living_in, script, soon


class Editor:
    """One window on a home, whose client can watch files or cannot."""

    def __init__(self, home: Home) -> None:
        self.client = StdioClient(SERVER, env=home.environment, cwd=home.folder, stderr=home.folder / "lsp.stderr")
        self.registered: asyncio.Queue[Any] = asyncio.Queue()
        self.client.answers["client/registerCapability"] = self.registered.put_nowait
        self.home = home

    async def initialize(self, root: Path, *, watches: bool, index: bool) -> None:
        watching = {"didChangeWatchedFiles": {"dynamicRegistration": watches}}
        await self.client.request(
            "initialize",
            {
                "processId": None,
                "rootUri": root.as_uri(),
                "initializationOptions": AT_ONCE | {"index": index},
                "capabilities": {"workspace": watching},
            },
        )
        self.client.notify("initialized", {})

    async def answer(self) -> None:
        """What was sent before has been taken in."""
        await soon(self.client.request("workspace/executeCommand", {"command": "midfill.status"}))

    async def until(self, happened: Callable[[], bool]) -> None:
        """By turns of the server, because no message tells when its worker starts."""
        async with asyncio.timeout(WAIT_S):
            while not happened():
                await self.answer()

    def workers(self) -> list[psutil.Process]:
        return [each for each in self.home.processes() if "midfill_workspace.worker" in each.cmdline()]


@pytest.mark.parametrize(("watches", "index"), [(True, True), (False, True), (True, False)])
async def test_a_window_watches_indexes_and_ends(tmp_path: Path, watches: bool, index: bool) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "a.py").write_text("class Order: ...\n")
    home_folder = tmp_path / "home"
    home_folder.mkdir()
    tier = script(home_folder, after("x =", " 1"))
    async with living_in(home_folder, tier) as home:
        editor = Editor(home)
        async with editor.client:
            await editor.initialize(work, watches=watches, index=index)
            if watches:
                asked = await soon(editor.registered.get())
                assert asked["registrations"][0]["method"] == "workspace/didChangeWatchedFiles"
                changes = [{"uri": (work / "a.py").as_uri(), "type": 2}]
                editor.client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
            if index:
                await editor.until(lambda: len(editor.workers()) == 1)
            await editor.answer()
            workers = editor.workers()
            assert bool(workers) is index
        assert editor.client.exit_code == 0
        assert not await ended(workers, WAIT_S)
        assert editor.registered.empty()


async def test_the_index_is_private_and_lies_in_the_home(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    home_folder = tmp_path / "home"
    home_folder.mkdir()
    async with living_in(home_folder, script(home_folder, after("x =", " 1"))) as home:
        editor = Editor(home)
        async with editor.client:
            await editor.initialize(work, watches=False, index=True)
            file = location(home.paths.cache)
            await editor.until(file.exists)
            workers = editor.workers()
        assert not await ended(workers, WAIT_S)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
