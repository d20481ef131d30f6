"""One Neovim with the plugin as a user has installed it: what is typed, what is shown, what the buffer holds."""

import asyncio
import itertools
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from editors.nvim.terminal import Terminal, terminal
from support.processes import SERVER, WAIT_S, Home, Json, ended

HERE = Path(__file__).parent
PLUGIN = HERE.parents[2] / "nvim-client"

GHOST = re.compile("‹([^›]*)›")
LINE_END, TEXT_CHARS = "⏎", 64
STATUS_LINE = re.compile(r"(?P<status>.*?) ¦ (?P<mode>.) ¦ (?P<name>.*?) ¦ (?P<pause>\d+) ¦ (?P<text>.*?)( ¦|$)")

ALONE: Json = {"server": {"context": False}}
"""A scripted model answers to the end of its prompt, which is not to be another test's file."""

SETTLED = 'vim.lsp.buf_request_sync(0, "midfill.heard", {}, 5000) ~= nil'
"""All that was said before has been heard, once the server has answered this; whatever it answers."""

Step = tuple[str, str]
"""Keys, and what is seen then: the text with the suggestion in ‹ ›."""


@dataclass(slots=True)
class Neovim:
    """A running editor. Its status line shows the text of the buffer, which a suggestion is no part of."""

    terminal: Terminal
    program: Path
    socket: Path
    folder: Path
    names: Iterable[int] = field(default_factory=itertools.count)

    async def evaluate(self, expression: str) -> str:
        """The value of a Vim expression."""
        process = await asyncio.create_subprocess_exec(
            self.program, "--server", self.socket, "--remote-expr", expression, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(WAIT_S):
            output, _ = await process.communicate()
        return output.decode()

    async def lua(self, expression: str) -> Any:
        return json.loads(await self.evaluate(f"luaeval('vim.json.encode({expression})')"))

    async def status(self, *wanted: str) -> None:
        """Wait until Midfill is in one of these states."""
        texts = [f"midfill: {state}" for state in wanted]
        await self.terminal.until(lambda rows: _status_line(rows).get("status") in texts, " or ".join(texts))

    async def open(self, text: str = "", name: str = "", suffix: str = ".py") -> None:
        """A new file, in Insert mode; the caret is where ‸ stands, or at the end."""
        name = name or f"file{next(iter(self.names))}{suffix}"
        before, _, after = text.partition("‸")
        (self.folder / name).write_text(before + after)
        line, column = before.count("\n") + 1, len(before.rpartition("\n")[2].encode()) + 1
        await self.command(f"edit! {name}")
        await self.terminal.until(lambda rows: _status_line(rows).get("name") == name, name)
        await self.type(f":call cursor({line}, {column})<CR>" + ("i" if after.strip(" ")[:1].strip() else "A"))
        await self.terminal.until(lambda rows: _status_line(rows).get("mode") == "i", "Insert mode")

    async def type(self, keys: str) -> None:
        await self.terminal.type(keys)

    async def command(self, command: str) -> None:
        """An Ex command from Normal mode. Escape is waited for: together with the next key it would be another one."""
        await self.type("<Esc>")
        await self.terminal.until(lambda rows: _status_line(rows).get("mode") == "n", "Normal mode")
        await self.type(f":{command}<CR>")

    async def see(self, wanted: str, mode: str = "", held: str = "") -> list[str]:
        """Wait until the screen shows this text, and the buffer holds it without the suggestion in ‹ ›."""
        return await self.terminal.until(lambda rows: _shows(rows, wanted, mode, held), wanted)

    async def pause(self) -> None:
        """Wait until the user has not typed for longer than anybody does who types."""
        changes = await self.evaluate("b:changedtick")
        await self.terminal.until(lambda rows: _status_line(rows).get("pause") == changes, "a pause")

    async def play(self, *steps: Step) -> None:
        for keys, wanted in steps:
            await self.type(keys)
            await self.see(wanted, "n" if keys.endswith("<Esc>") else "")

    async def text(self) -> bytes:
        """The buffer as it is written to disk."""
        await self.command("write")
        name = await self.evaluate("expand('%:t')")
        return (self.folder / name).read_bytes()

    async def frames(self) -> list[str]:
        """The suggestions that have been drawn since this was asked last; each as often as it came back."""
        drawn: list[str] = await self.lua('require("frames").take()')
        return drawn


def _shows(rows: list[str], wanted: str, mode: str = "", held: str = "") -> bool:
    shown, held = GHOST.sub(r"\1", wanted), held or GHOST.sub("", wanted)
    lines = [line.rstrip() for line in shown.split("\n")]
    line = _status_line(rows)
    held = held.replace("\n", LINE_END)[:TEXT_CHARS]
    is_drawn = rows[: len(lines)] == lines and rows[len(lines)].startswith(("~", "midfill: "))
    return is_drawn and line.get("text") == held and line.get("mode", "") in (mode or "in")


def _status_line(rows: list[str]) -> Mapping[str, str]:
    found = next((match for row in reversed(rows) if (match := STATUS_LINE.match(row))), None)
    return found.groupdict() if found else {}


@asynccontextmanager
async def neovim(
    program: Path, home: Home, name: str = "one", options: Json | None = None, **variables: str
) -> AsyncIterator[Neovim]:
    """An editor in a home of Midfill, whose user has the plugin and nothing else; it is ready."""
    folder = home.folder / name
    _install(folder)
    environment = {
        **home.environment,
        "HOME": str(folder),
        "TERM": "xterm-256color",
        "MIDFILL_TEST_OPTIONS": json.dumps(options or ALONE),
        **variables,
    }
    socket = folder / "socket"
    async with terminal((str(program), "--listen", str(socket), "first.py"), folder, environment) as one:
        editor = Neovim(one, program, socket, folder)
        await editor.status("ready")
        yield editor
        servers = [process for process in home.processes() if _serves(process, folder)]
        await editor.command("qall!")
    # One that still ends would start another daemon while the test stops it.
    assert not await ended(servers), "a server outlives its editor"


def _serves(process: psutil.Process, folder: Path) -> bool:
    """Whether it is the language server of the user whose home this is."""
    with suppress(psutil.Error):
        return "midfill_lsp" in process.cmdline() and process.environ().get("HOME") == str(folder)
    return False


def _install(folder: Path) -> None:
    """A user's home with our configuration, and the plugin as `midfill setup nvim` puts it there."""
    configuration, plugin = folder / ".config/nvim", folder / ".local/share/nvim/site/pack/midfill/start/midfill"
    (configuration / "lua").mkdir(parents=True)
    shutil.copy(HERE / "init.lua", configuration)
    shutil.copy(HERE / "frames.lua", configuration / "lua")
    shutil.copytree(PLUGIN, plugin)
    command = ", ".join(f"'{word}'" for word in SERVER)
    (plugin / "lua/midfill/installed.lua").write_text(f"return {{ cmd = {{ {command} }} }}\n")
