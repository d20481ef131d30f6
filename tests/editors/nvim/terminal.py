"""A terminal of its own for one program: tmux in control mode, where each output of the program is an event."""

import asyncio
import re
import shlex
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.processes import WAIT_S

COLUMNS, ROWS = 110, 18
LINE_LIMIT_BYTES = 1 << 20

NAMES: Mapping[str, str] = {"BS": "BSpace", "Esc": "Escape", "CR": "Enter", "Left": "Left", "Tab": "Tab"}
"""Keys that tmux calls otherwise than Neovim, or by a name of more than one letter."""
KEY = re.compile(r"<([\w\-\\\]\[]+)>|([^<]+|<)")


@dataclass(slots=True)
class Terminal:
    """Keys go in, screens come out."""

    process: asyncio.subprocess.Process
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    answers: asyncio.Queue[list[str]] = field(default_factory=asyncio.Queue)
    seen: list[list[str]] = field(default_factory=list)
    """The screens that were waited for, and the one that was there when waiting was over."""

    async def read(self) -> None:
        """Sort what tmux says: outputs of the pane are events, the rest are answers to commands."""
        assert self.process.stdout is not None
        answer: list[str] | None = None
        async for raw in self.process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            if answer is not None and line.startswith(("%end ", "%error ")):
                self.answers.put_nowait(answer)
                answer = None
            elif answer is not None:
                answer.append(line)
            elif line.startswith("%begin "):
                answer = []
            elif line.startswith("%output "):
                self.changed.set()

    async def command(self, *words: str) -> list[str]:
        """What tmux answers, line by line."""
        assert self.process.stdin is not None
        self.process.stdin.write((shlex.join(words) + "\n").encode())
        async with asyncio.timeout(WAIT_S):
            return await self.answers.get()

    async def type(self, keys: str) -> None:
        """Text, and keys as Neovim names them: `x = <Tab>`."""
        for name, text in KEY.findall(keys):
            words = ("-l", "--", text) if text else (NAMES.get(name, name),)
            await self.command("send-keys", *words)

    async def rows(self, *, colours: bool = False) -> list[str]:
        return await self.command("capture-pane", "-p", *(("-e", "-N") if colours else ()))

    async def until(self, check: Callable[[list[str]], bool], wanted: str) -> list[str]:
        """The screen, once the check holds. Looks again after each output, and never otherwise."""
        rows: list[str] = []
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    self.changed.clear()
                    rows = await self.rows()
                    if check(rows):
                        self.seen.append(rows)
                        return rows
                    await self.changed.wait()
        except TimeoutError:
            self.seen.append(rows)
            raise AssertionError("\n".join((f"never seen: {wanted}", "the screen:", *rows))) from None


@asynccontextmanager
async def terminal(program: Sequence[str], folder: Path, environment: Mapping[str, str]) -> AsyncIterator[Terminal]:
    """The program in a terminal; leaving it ends both."""
    tmux = ("tmux", "-u", "-S", str(folder / "tmux"), "-f", "/dev/null")
    size = ("-x", str(COLUMNS), "-y", str(ROWS))
    start = await asyncio.create_subprocess_exec(
        *tmux, "new-session", "-d", *size, shlex.join(program), env=environment, cwd=folder
    )
    assert await start.wait() == 0, "tmux does not start"
    process = await asyncio.create_subprocess_exec(
        *tmux, "-C", "attach",
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_LIMIT_BYTES,
    )  # fmt: skip
    one = Terminal(process)
    reading = asyncio.create_task(one.read())
    try:
        await one.answers.get()  # The answer to `attach` itself.
        yield one
    finally:
        assert process.stdin is not None
        process.stdin.write(b"kill-server\n")
        process.stdin.close()
        await process.wait()
        await reading
