"""Bad input and broken surroundings: a reason, no hang, no crash, and the next request works."""

import asyncio
import os
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from midfill_daemon.errors import DaemonDown, NotAllowed
from midfill_daemon.paths import Paths
from support.fake_services import FakeLlamaServer, running
from support.processes import (
    SERVER,
    Editor,
    Home,
    Json,
    after,
    editing,
    ended,
    living_in,
    script,
    soon,
    suggested,
    working,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEALTHY = after("total =", "sum(values)")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def editor(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Editor]:
    folder = tmp_path_factory.mktemp("home")
    async with working(folder, script(folder, HEALTHY)) as editor:
        yield editor


async def check_works(editor: Editor) -> None:
    """A plain request gets its suggestion."""
    page = editor.open("plain.py", "total = ")
    assert await page.suggest() == "sum(values)"
    page.close()


# --- documents --------------------------------------------------------------------------------------

BINARY = "\x7fELF\x02\x01\0\0\ufffd\ufffd\n" * 200

DOCUMENTS: dict[str, tuple[str, str, str]] = {
    "binary": ("a.out", BINARY, "zero bytes"),
    "50 MB": ("huge.py", "value = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'\n" * 1_000_000, "larger than the limit"),
    "50 MB on one line": ("line.py", "x" * 50_000_000, "larger than the limit"),
    "one long line": ("long.js", "a=1;" * 50_000, "minified"),
    "secrets": (".env", "KEY = ", "secrets"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_file_that_is_not_for_us(editor: Editor, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    file, text, reason = DOCUMENTS[name]
    began_s = time.perf_counter()
    page = editor.open(file, text)
    assert suggested(await soon(page.request())) == ""
    assert reason in await editor.explain()
    page.close()
    await check_works(editor)
    with capsys.disabled():
        sys.stdout.write(f" [{name}: {time.perf_counter() - began_s:.1f} s] ")


FAR = {"line": 2**31 - 1, "character": 2**31 - 1}
NEAR = {"line": 0, "character": 0}
EDITS: dict[str, Json] = {
    "past the end": {"start": FAR, "end": FAR},
    "backwards": {"start": FAR, "end": NEAR},
    "negative": {"start": {"line": -5, "character": 0}, "end": NEAR},
    "inside a character": {"start": {"line": 0, "character": 1}, "end": {"line": 0, "character": 1}},
}


@pytest.mark.parametrize("name", EDITS)
async def test_an_edit_with_an_impossible_range(editor: Editor, name: str) -> None:
    page = editor.open("impossible.py", "🎉")
    page.changed([{"range": EDITS[name], "text": "total = "}])
    page.caret = 0
    assert await soon(page.request()) is not None
    page.changed([{"text": "total = "}])
    page.text, page.caret = "total = ", len("total = ")
    await page.suggest()
    page.close()
    await check_works(editor)


# --- the daemon dies --------------------------------------------------------------------------------


async def test_a_killed_daemon_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service = FakeLlamaServer(tokens=("sum", "(values)"))
    async with running(service), working(tmp_path, f"llama_server:{service.url}") as editor:
        service.faults.hang_at = 2
        service.served.clear()
        page = editor.open("killed.py", "total = ")
        request = page.request()
        await soon(service.served.wait())
        old = await editor.home.daemon()
        began_s = time.perf_counter()
        os.kill(old.pid, signal.SIGKILL)
        assert "sum(values)".startswith(suggested(await soon(request)))
        service.faults.hang_at = -1
        page.type("x = ")
        assert await page.suggest() == "sum(values)"
        took_s = time.perf_counter() - began_s
        assert (await editor.home.daemon()).pid != old.pid
    with capsys.disabled():
        sys.stdout.write(f" [a suggestion {took_s:.2f} s after kill -9 of the daemon; 3 s are allowed] ")


async def test_a_document_closed_in_mid_request(tmp_path: Path) -> None:
    service = FakeLlamaServer(tokens=("sum", "(values)"))
    async with running(service), working(tmp_path, f"llama_server:{service.url}") as editor:
        service.faults.hang_at = 2
        service.served.clear()
        page = editor.open("closed.py", "total = ")
        request = page.request()
        await soon(service.served.wait())
        page.close()
        assert suggested(await soon(request)) == ""
        await soon(service.disconnected.wait())
        service.faults.hang_at = -1
        await check_works(editor)


# --- the disk ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit_kib", [0, 1])
async def test_a_full_disk(tmp_path: Path, limit_kib: int) -> None:
    """No file can grow beyond so much: neither log nor database can be written, completions are."""
    if limit_kib == 0:
        (tmp_path / "cache" / "logs").mkdir(parents=True, mode=0o700)
    command = ("bash", "-c", f'ulimit -f {limit_kib}; exec "$@"', "bash", *SERVER)
    tier = script(tmp_path, HEALTHY)
    async with living_in(tmp_path, tier) as home, editing(home, command=command) as editor:
        await editor.until("ready")
        for _ in range(3):
            await check_works(editor)
        assert (
            max((file.stat().st_size for file in home.paths.log_file.parent.iterdir()), default=0) <= 1024 * limit_kib
        )


# --- starting ---------------------------------------------------------------------------------------


async def test_six_clients_start_one_daemon(tmp_path: Path) -> None:
    async with living_in(tmp_path, script(tmp_path, HEALTHY)) as home:
        clients = [home.client() for _ in range(6)]
        healths = await soon(asyncio.gather(*(client.connect() for client in clients)))
        for client in clients:
            await client.close()
        (pid,) = {health.pid for health in healths}
        losers = [process for process in home.daemons() if process.pid != pid]
        assert not await ended(losers)
        assert [process.pid for process in home.daemons()] == [pid]


async def test_a_stale_socket_is_taken_over(tmp_path: Path) -> None:
    async with living_in(tmp_path, script(tmp_path, HEALTHY)) as home:
        home.paths.ensure()
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(home.paths.socket))
        async with editing(home) as editor:
            await editor.until("ready")
            await check_works(editor)


def open_folder(paths: Paths) -> None:
    paths.runtime.chmod(0o777)


def foreign_socket(paths: Paths) -> None:
    os.chown(paths.socket, 12345, 12345)


def foreign_folder(paths: Paths) -> None:
    os.chown(paths.runtime, 12345, 12345)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (open_folder, "is open to other users"),
        pytest.param(foreign_socket, "belongs to another user", marks=needs_root),
        pytest.param(foreign_folder, "belongs to user 12345", marks=needs_root),
    ],
)
async def test_a_socket_that_others_could_own_is_refused(
    tmp_path: Path, spoil: Callable[[Paths], None], told: str
) -> None:
    async with living_in(tmp_path, script(tmp_path, HEALTHY)) as home:
        await connected(home)
        spoil(home.paths)
        with pytest.raises(NotAllowed, match=told):
            await connected(home)
        os.chown(home.paths.runtime, os.geteuid(), os.getegid())
        os.chown(home.paths.socket, os.geteuid(), os.getegid())
        home.paths.runtime.chmod(0o700)
        await connected(home)


async def connected(home: Home) -> None:
    client = home.client()
    try:
        await soon(client.connect())
    finally:
        await client.close()


async def test_the_user_is_told_of_an_open_folder(tmp_path: Path) -> None:
    async with living_in(tmp_path, script(tmp_path, HEALTHY)) as home:
        home.paths.ensure()
        home.paths.runtime.chmod(0o777)
        async with editing(home) as editor:
            assert "chmod 700" in (await editor.until("disconnected"))["reason"]
            assert await editor.open("refused.py", "total = ").suggest() == ""
            assert "chmod 700" in await editor.explain()


# --- configuration ----------------------------------------------------------------------------------

CONFIGS: dict[str, tuple[str, str]] = {
    "not TOML": ("[daemon]\nidle_exit_s = = 1\n", "config.toml:2"),
    "unknown key": (
        "[daemon]\nidle_exit = 1\n",
        "config.toml:2: daemon.idle_exit: unknown key; did you mean idle_exit_s",
    ),
    "wrong type": ('[limits]\n\nqueue = "many"\n', "config.toml:3: limits.queue: must be a whole number"),
    "binary": ("\0\1\2", "config.toml"),
}


@pytest.mark.parametrize("name", CONFIGS)
async def test_a_broken_configuration_is_named(tmp_path: Path, name: str) -> None:
    text, told = CONFIGS[name]
    async with living_in(tmp_path, script(tmp_path, HEALTHY)) as home:
        home.fill_config(text)
        with pytest.raises(DaemonDown, match=re.escape(told)):
            await connected(home)


async def test_a_mended_configuration_is_taken(tmp_path: Path) -> None:
    async with living_in(tmp_path, script(tmp_path, HEALTHY)) as home:
        home.fill_config("[daemon]\nstay = 5\n")
        async with editing(home) as editor:
            assert "config.toml:2: daemon.stay" in (await editor.until("disconnected"))["reason"]
            assert await editor.open("config.py", "total = ").suggest() == ""
            assert "config.toml:2: daemon.stay" in await editor.explain()
            home.fill_config("")
            await editor.until("ready")
            await check_works(editor)


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        variables = {"MIDFILL_DAEMON_LISTEN": "tcp", "MIDFILL_DAEMON_PORT": port}
        async with living_in(tmp_path, script(tmp_path, HEALTHY), **variables) as home:
            with pytest.raises(DaemonDown, match=r"cannot listen .*in use"):
                await connected(home)


async def test_a_script_that_is_missing(tmp_path: Path) -> None:
    async with living_in(tmp_path, "scripted:/no/such/script.json") as home:
        with pytest.raises(DaemonDown, match=r"no/such/script\.json"):
            await connected(home)
