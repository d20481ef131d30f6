"""The embedded engine as a process of the daemon: it loads, ends with its daemon, comes back, and refuses broken files."""

import signal
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from midfill_daemon.client import Client
from midfill_daemon.contract import Raw, Result
from support import tiny_model
from support.processes import Editor, Home, editing, ended, living_in, soon, working

pytestmark = pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("gguf") is None, reason="the embedded engine is not installed"
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    tiny_model.write(path)
    return path


def engines(home: Home) -> list[psutil.Process]:
    return [process for process in home.processes() if "midfill_daemon.engine" in process.cmdline()]


async def check_answers(editor: Editor, name: str) -> None:
    """The model's nonsense may be fitted away, but it was asked."""
    assert await soon(editor.open(name, "total = ").request(1)) is not None
    assert "model" in await editor.explain()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_the_engine_ends_with_its_daemon(tmp_path: Path, model: Path, number: int) -> None:
    async with living_in(tmp_path, f"embedded:{model}") as home:
        async with editing(home) as editor:
            await editor.until("ready")
            await check_answers(editor, "tiny.py")
        (engine,) = engines(home)
        daemon = await home.daemon()
        daemon.send_signal(number)
        assert not await ended([daemon, engine])
        assert home.processes() == []
        assert home.paths.socket.exists() is (number == signal.SIGKILL)


async def test_a_killed_engine_comes_back(tmp_path: Path, model: Path) -> None:
    async with working(tmp_path, f"embedded:{model}") as editor:
        (engine,) = engines(editor.home)
        engine.kill()
        assert not await ended([engine])
        await soon(until_another_runs(editor.home, engine))
        await check_answers(editor, "back.py")
        explained = await editor.explain()
        assert "stopped" not in explained
        assert "asking the model again" not in explained


async def facts(client: Client, **change: object) -> Raw:
    """What the result of a completion reports."""
    asked = {"path": "a.py", "language": "python", "suffix": "", "editor": "window", **change}
    events = [event async for event in client.run("completion", asked)]
    assert isinstance(events[-1], Result)
    return events[-1].data


async def test_a_request_finds_the_prompt_that_was_read_ahead(tmp_path: Path, model: Path) -> None:
    prefix = "value = 1\n" * 20 + "total ="
    async with working(tmp_path, f"embedded:{model}") as editor:
        client = editor.home.client()
        try:
            warm_up = await facts(client, prefix=prefix, max_tokens=0)
            request = await facts(client, prefix=prefix + " val", max_tokens=4)
        finally:
            await client.close()
    assert warm_up["output_tokens"] == 0
    assert len(prefix) < warm_up["prompt_tokens"] <= request["cached_tokens"] < request["prompt_tokens"]


async def until_another_runs(home: Home, former: psutil.Process) -> None:
    while not [engine for engine in engines(home) if engine.pid != former.pid]:
        await home.health()


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    return content[:8] + bytes(byte ^ 0xFF for byte in content[8:200]) + content[200:]


def another_kind(content: bytes) -> bytes:
    return b"PK\x03\x04" + content[4:]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (half, "cut short, damaged"),
        (flipped, "damaged"),
        (another_kind, "no GGUF file"),
    ],
)
async def test_a_broken_model_file_is_named(
    tmp_path: Path, model: Path, spoil: Callable[[bytes], bytes], told: str
) -> None:
    model.write_bytes(spoil(model.read_bytes()))
    async with living_in(tmp_path, f"embedded:{model}") as home, editing(home) as editor:
        assert told in (await editor.until("error"))["reason"]
        assert await editor.open("broken.py", "total = ").suggest(1) == ""
        explained = await editor.explain()
        assert told in explained or "asking the model again" in explained
