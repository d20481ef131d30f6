"""Real processes of Midfill in a home of their own, as an editor sees them; at the end none of them may be left."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from midfill_cli.stdio_client import Request, StdioClient
from midfill_daemon.client import Client
from midfill_daemon.contract import Health
from midfill_daemon.errors import MidfillError
from midfill_daemon.paths import Paths, locate

Json = dict[str, Any]
T = TypeVar("T")

SERVER = (sys.executable, "-P", "-m", "midfill_lsp")
MIDFILL = (sys.executable, "-P", "-m", "midfill_cli")
DAEMON = (sys.executable, "-P", "-m", "midfill_daemon")

WAIT_S = 20.0
"""Long enough for a busy machine; nothing that works comes near it."""

AT_ONCE: Json = {"debounceMs": 0}
LINE_END = re.compile("\r\n|\r|\n")
UNITS: Mapping[str, tuple[str, int]] = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
"""How many bytes of which codec make one column."""


# --- the home and its daemon ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Home:
    """One MIDFILL_HOME and the environment that points there."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def paths(self) -> Paths:
        return locate(self.environment)

    def processes(self) -> list[psutil.Process]:
        """Every process that was started in this home, whoever started it; this one is none of them."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            ours = process.environ().get("MIDFILL_HOME") == str(self.folder)
            return ours and process.status() != psutil.STATUS_ZOMBIE
        return False

    def daemons(self) -> list[psutil.Process]:
        return [process for process in self.processes() if "midfill_daemon" in command_line(process)]

    def client(self, *, start: bool = True) -> Client:
        return Client(self.paths, self.environment, start=start)

    async def health(self) -> Health:
        """The handshake of the daemon that runs here. Raises DaemonDown when none does."""
        client = self.client(start=False)
        try:
            return await client.connect()
        finally:
            await client.close()

    async def daemon(self) -> psutil.Process:
        return psutil.Process((await self.health()).pid)

    def fill_config(self, text: str) -> None:
        self.paths.ensure()
        self.paths.config_file.write_text(text)


@asynccontextmanager
async def living_in(folder: Path, tier: str, **variables: str) -> AsyncIterator[Home]:
    """A home whose inline tier is `tier`. At its end the daemon is stopped; a process that is left fails the test."""
    home = Home(folder, environment(folder, tier, variables))
    (folder / "user").mkdir(parents=True, exist_ok=True)
    try:
        yield home
        await stop_daemon(home)
        # An editor that was closed early may have left a daemon on its way up, which did not hear the request.
        for process in home.daemons():
            signal_to(process, signal.SIGTERM)
        left = await ended(home.processes())
        assert not left, f"left behind: {[command_line(each) for each in left]}"
    finally:
        for process in home.processes():
            signal_to(process, signal.SIGKILL)


def environment(folder: Path, tier: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the environment that the tests run in, but the way to programs."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "user"),
        "LANG": "C.UTF-8",
        "MIDFILL_HOME": str(folder),
        "MIDFILL_TIER_INLINE": tier,
        # A test asks faster than anybody types.
        "MIDFILL_LIMITS_COMPLETIONS_PER_S": "1000",
        # So that a test run that was killed leaves no daemon for long.
        "MIDFILL_DAEMON_IDLE_EXIT_S": "120",
        **variables,
    }


def command_line(process: psutil.Process) -> list[str]:
    """Nothing for one that has ended in the meantime."""
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def signal_to(process: psutil.Process, number: int) -> None:
    """It may have ended in the meantime."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


async def stop_daemon(home: Home) -> None:
    """Ends the daemon the polite way, if there is one that answers."""
    client = home.client(start=False)
    try:
        await client.post("/v1/stop")
    except MidfillError:
        return  # None runs, or it is not one of ours to talk to; whoever is left is found afterwards.
    finally:
        await client.close()


async def ended(processes: Sequence[psutil.Process], limit_s: float = WAIT_S) -> list[psutil.Process]:
    """Those that still run after `limit_s`. A process that nobody has reaped yet has ended all the same."""
    watches = {asyncio.create_task(_end_of(process)): process for process in processes}
    if not watches:
        return []
    _, pending = await asyncio.wait(watches, timeout=limit_s)
    for watch in pending:
        watch.cancel()
    return [watches[watch] for watch in pending]


async def _end_of(process: psutil.Process) -> None:
    if not hasattr(os, "pidfd_open"):
        await asyncio.to_thread(process.wait, WAIT_S)
        return
    over = asyncio.Event()
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(process.pid)
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, over.set)
        try:
            await over.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)


def script(folder: Path, *rules: Json, **fields: object) -> str:
    """A scripted tier with these rules."""
    path = folder / "script.json"
    path.write_text(json.dumps({"rules": rules, **fields}))
    return f"scripted:{path}"


def after(end: str, text: str, **fields: object) -> Json:
    """The rule that answers `text` to a prompt that ends with `end`, blanks aside."""
    return {"match": rf"{re.escape(end)}\s*\Z", "text": text, **fields}


# --- the editor ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Editor:
    """One `midfill-lsp` that has been through the handshake, and what it said about itself."""

    home: Home
    client: StdioClient
    encoding: str
    capabilities: Json
    status: Json = field(default_factory=dict)
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    def on_status(self, status: Json) -> None:
        self.status = status
        self._told.set()

    async def until(self, *states: str) -> Json:
        """The status, once its state is one of these."""
        async with asyncio.timeout(WAIT_S):
            while self.status.get("state") not in states:
                self._told.clear()
                await self._told.wait()
        return self.status

    def open(self, name: str, text: str, language: str = "python") -> "Page":
        return Page(self, name, text, language)

    async def command(self, name: str, *arguments: object) -> Any:
        return await self.client.request("workspace/executeCommand", {"command": name, "arguments": list(arguments)})

    async def explain(self) -> str:
        return str(await self.command("midfill.explain"))

    async def process(self) -> psutil.Process:
        return psutil.Process(self.client.pid)


@asynccontextmanager
async def editing(
    home: Home,
    options: Json | None = None,
    encoding: str = "utf-16",
    command: Sequence[str] = SERVER,
    variables: Mapping[str, str] | None = None,
) -> AsyncIterator[Editor]:
    """An editor window on `home`; leaving it ends the server, which must end well."""
    client = StdioClient(
        command, env={**home.environment, **(variables or {})}, cwd=home.folder, stderr=home.folder / "lsp.stderr"
    )
    async with client:
        editor = Editor(home, client, encoding, {})
        client.handlers["midfill/status"] = editor.on_status
        answer = await client.initialize(AT_ONCE | (options or {}), encodings=(encoding,), root=home.folder)
        editor.capabilities = answer["capabilities"]
        yield editor


@asynccontextmanager
async def working(folder: Path, tier: str, **variables: str) -> AsyncIterator[Editor]:
    """A home with one editor window that is ready for requests."""
    async with living_in(folder, tier, **variables) as home, editing(home) as editor:
        await editor.until("ready")
        yield editor


# --- a document ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Page:
    """One open document; `caret` is an offset into `text`, at its end to begin with."""

    editor: Editor
    name: str
    text: str
    language: str
    caret: int = -1
    version: int = 0

    def __post_init__(self) -> None:
        self.caret = len(self.text) if self.caret < 0 else self.caret
        item = {"uri": self.uri, "languageId": self.language, "version": self.version, "text": self.text}
        self.editor.client.notify("textDocument/didOpen", {"textDocument": item})

    @property
    def uri(self) -> str:
        return (self.editor.home.folder / self.name).as_uri()

    def position(self, offset: int) -> Json:
        """A place as the client counts it."""
        lines = LINE_END.split(self.text[:offset])
        codec, unit_bytes = UNITS[self.editor.encoding]
        return {"line": len(lines) - 1, "character": len(lines[-1].encode(codec)) // unit_bytes}

    def replace(self, start: int, end: int, text: str) -> None:
        """Edit; the caret goes behind the new text."""
        change = {"range": {"start": self.position(start), "end": self.position(end)}, "text": text}
        self.changed([change])
        self.text = self.text[:start] + text + self.text[end:]
        self.caret = start + len(text)

    def type(self, text: str) -> None:
        self.replace(self.caret, self.caret, text)

    def changed(self, changes: Sequence[object]) -> None:
        """Tell of changes without making them here, whatever they are."""
        self.version += 1
        document = {"uri": self.uri, "version": self.version}
        self.editor.client.notify("textDocument/didChange", {"textDocument": document, "contentChanges": changes})

    def request(self, trigger: int = 2, **context: object) -> Request:
        """Ask for a suggestion at the caret; await it for the raw answer."""
        return self.editor.client.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": self.uri},
                "position": self.position(self.caret),
                "context": {"triggerKind": trigger, **context},
            },
        )

    async def suggest(self, trigger: int = 2) -> str:
        """The suggested text, "" for none."""
        return suggested(await soon(self.request(trigger)))

    def close(self) -> None:
        self.editor.client.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})


async def soon(event: Awaitable[T]) -> T:
    """What the event brings; a test that waits for ever would not say for what."""
    async with asyncio.timeout(WAIT_S):
        return await event


def suggested(answer: Any) -> str:
    items = answer["items"] if answer else []
    return str(items[0]["insertText"]) if items else ""
