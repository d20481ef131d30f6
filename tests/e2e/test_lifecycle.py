"""How Midfill's processes end: with the editor, for idleness, when told to; and how versions follow each other."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from support.fake_services import FakeLlamaServer, running
from support.processes import (
    MIDFILL,
    Editor,
    Home,
    after,
    editing,
    ended,
    living_in,
    script,
    soon,
    suggested,
    working,
)

SUPPORT = Path(__file__).parents[1] / "support"
EDITOR_END_S = 15.0
"""Five seconds are the requirement; a busy machine may take longer without anything being wrong."""

HEALTHY = after("total =", "sum(values)")


async def check_works(editor: Editor, name: str = "plain.py") -> None:
    page = editor.open(name, "total = ")
    assert await page.suggest() == "sum(values)"
    page.close()


# --- the editor ends ----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["shutdown", "end of input"])
async def test_the_server_ends_with_its_editor(tmp_path: Path, how: str) -> None:
    async with living_in(tmp_path, script(tmp_path, HEALTHY)) as home:
        async with editing(home) as editor:
            await editor.until("ready")
            server = await editor.process()
            family = [server, *server.children(recursive=True)]
            daemon = await home.daemon()
            await (editor.client.close() if how == "shutdown" else editor.client.wait())
            assert editor.client.exit_code == (0 if how == "shutdown" else 1)
        assert not await ended([process for process in family if process != daemon], EDITOR_END_S)
        assert daemon.is_running(), "the daemon stays for the next editor"


async def test_the_server_ends_with_a_request_under_way(tmp_path: Path) -> None:
    service = FakeLlamaServer()
    async with running(service), living_in(tmp_path, f"llama_server:{service.url}") as home:
        async with editing(home) as editor:
            await editor.until("ready")
            service.faults.hang_at = 2
            service.served.clear()
            editor.open("held.py", "total = ").request()
            await soon(service.served.wait())
            await editor.client.wait()
        await soon(service.disconnected.wait())


async def test_a_killed_editor_takes_the_server_along(tmp_path: Path) -> None:
    async with living_in(tmp_path, script(tmp_path, HEALTHY)) as home:
        window = await asyncio.create_subprocess_exec(
            sys.executable, str(SUPPORT / "window.py"), env=home.environment, stdout=asyncio.subprocess.PIPE
        )
        assert window.stdout is not None
        server = psutil.Process(int(await soon(window.stdout.readline())))
        os.kill(window.pid, signal.SIGKILL)
        await window.wait()
        assert not await ended([server], EDITOR_END_S)


# --- the daemon ends ------------------------------------------------------------------------------


async def test_an_idle_daemon_ends_and_is_started_again(tmp_path: Path) -> None:
    """A request that takes longer than the idle time keeps it; afterwards it goes, though an editor is open."""
    tier = script(tmp_path, HEALTHY, after("slow =", "answer()", first_token_ms=1500))
    async with working(tmp_path, tier, MIDFILL_DAEMON_IDLE_EXIT_S="1") as editor:
        first = await editor.home.daemon()
        assert await editor.open("slow.py", "slow = ").suggest() == "answer()"
        assert (await editor.home.daemon()).pid == first.pid
        assert not await ended([first])
        assert not editor.home.paths.socket.exists()
        assert editor.home.daemons() == []
        await check_works(editor)
        assert (await editor.home.daemon()).pid != first.pid


async def run_midfill(home: Home, *arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *MIDFILL, *arguments, env=home.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await soon(process.communicate())
    return process.returncode, output.decode()


async def test_stop_leaves_no_process(tmp_path: Path) -> None:
    async with living_in(tmp_path, script(tmp_path, HEALTHY)) as home:
        assert (await run_midfill(home, "daemon", "start"))[0] == 0
        daemon = await home.daemon()
        status, output = await run_midfill(home, "daemon", "stop")
        assert (status, output) == (0, f"stopped (it was process {daemon.pid})\n")
        assert home.processes() == []
        assert not home.paths.socket.exists()
        assert not home.paths.address_file.exists()


async def test_stop_under_an_open_editor(tmp_path: Path) -> None:
    """Told to stop, the daemon stays away until somebody types; then it comes back at once."""
    async with working(tmp_path, script(tmp_path, HEALTHY)) as editor:
        first = await editor.home.daemon()
        await run_midfill(editor.home, "daemon", "stop")
        assert not await ended([first])
        await check_works(editor)
        assert (await editor.home.daemon()).pid != first.pid


async def test_a_request_while_the_daemon_ends(tmp_path: Path) -> None:
    async with working(tmp_path, script(tmp_path, HEALTHY)) as editor:
        for number in range(3):
            first = await editor.home.daemon()
            first.terminate()
            await check_works(editor, f"{number}.py")
            assert not await ended([first])
            await check_works(editor, f"{number}-again.py")


async def test_a_signal_ends_the_daemon_and_its_streams(tmp_path: Path) -> None:
    """While it waits for its last streams its socket is gone and its lock is held; then its successor takes over."""
    service = FakeLlamaServer(tokens=("sum", "(values)"))
    async with running(service), working(tmp_path, f"llama_server:{service.url}") as editor:
        service.faults.hang_at = 2
        service.served.clear()
        request = editor.open("held.py", "total = ").request()
        await soon(service.served.wait())
        service.faults.hang_at = -1
        daemon = await editor.home.daemon()
        family = [daemon, *daemon.children(recursive=True)]
        daemon.terminate()
        await soon(until_socket_is_gone(editor.home))
        await check_works(editor)
        assert "sum(values)".startswith(suggested(await soon(request)))
        assert not await ended(family)


async def until_socket_is_gone(home: Home) -> None:
    while home.paths.socket.exists():  # noqa: ASYNC110 - nothing tells when a file goes
        await asyncio.sleep(0)


async def test_an_interrupt_ends_the_daemon(tmp_path: Path) -> None:
    async with living_in(tmp_path, script(tmp_path, HEALTHY)) as home:
        client = home.client()
        daemon = psutil.Process((await client.connect()).pid)
        daemon.send_signal(signal.SIGINT)
        assert not await ended([daemon])
        assert home.processes() == []
        assert not home.paths.socket.exists()
        await client.close()


# --- versions ---------------------------------------------------------------------------------------


@asynccontextmanager
async def daemon_of_protocol(home: Home, protocol: int) -> AsyncIterator[asyncio.subprocess.Process]:
    home.paths.ensure()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SUPPORT / "other_daemon.py"),
        str(home.paths.socket),
        str(protocol),
        env=home.environment,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await soon(process.stdout.readline())
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_an_older_daemon_is_asked_to_drain(tmp_path: Path) -> None:
    async with (
        living_in(tmp_path, script(tmp_path, HEALTHY)) as home,
        daemon_of_protocol(home, 0) as older,
        editing(home) as editor,
    ):
        await editor.until("ready")
        assert older.returncode == 0
        await check_works(editor)
        assert (await home.daemon()).pid != older.pid


async def test_a_newer_daemon_is_left_alone(tmp_path: Path) -> None:
    async with living_in(tmp_path, script(tmp_path, HEALTHY)) as home, daemon_of_protocol(home, 99) as newer:
        async with editing(home) as editor:
            status = await editor.until("error")
            assert "99.0" in status["reason"]
            assert "newer than this client" in status["reason"]
            assert await editor.open("newer.py", "total = ").suggest() == ""
            assert "newer than this client" in await editor.explain()
        assert newer.returncode is None
