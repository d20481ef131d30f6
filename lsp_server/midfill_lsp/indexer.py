"""The index of this window's folders: keeps its worker process alive, tells it what changed, and reads what it wrote."""

import asyncio
import itertools
import json
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence, Set
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pygls.uris import to_fs_path

from midfill_workspace.exclusion import Rules
from midfill_workspace.resolve.installed import activated
from midfill_workspace.symbol import Outline

if TYPE_CHECKING:
    from midfill_workspace.stored import StoredProject

log = logging.getLogger(__name__)

RETRIES_S = (0.5, 2.0, 10.0, 60.0)
"""How long a worker that has died is waited with; after the last, the window goes without its index.

A file that kills the worker needs two deaths to be found; what was indexed before is kept each time."""

GATHER_S = 0.2
"""Changes of a branch switch come one after the other; they are told together."""

SWEEP_FROM = 1_000
"""So many are not even looked at: it is the worker that compares all files then."""

SWEEP_S = 300.0
"""A save this long after all files were looked at has them looked at again: not every editor watches files."""

SETTLED_S = 60.0
"""A worker that has lived so long did not die of what the one before died of."""

FAREWELL_S = 1.0
MESSAGE_BYTES = 8 * 1024**2
OUTLINED_CHARS = 2_000_000
"""A longer document is generated, and nobody looks for what it declares."""

PASSED_ON = ("HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "MIDFILL_HOME")
WORKER = (sys.executable, "-P", "-m", "midfill_workspace.worker")
"""Not `-I`: that would not see a package that is installed for one user."""

MEMORY_FOLDER = "/dev/shm"  # noqa: S108 - a private folder is made in it
PRIORITY = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
"""Elsewhere than on Windows the worker sets its own."""

WATCHED = "**/*.{go,js,jsx,mjs,cjs,ts,tsx,mts,cts,py,pyi,mod,json,toml}"
"""What clients are asked to watch; the worker looks only at what it knows."""

Message = Mapping[str, Any]


@dataclass(slots=True)
class Folder:
    """One folder of the workspace, and what is known of it."""

    root: str
    project: "StoredProject | None" = None
    swept_s: float = 0.0
    told_broken: bool = False
    is_new: bool = True
    """Not all of it has been looked at yet."""


class Indexer:
    """One for each window. No lock: one event loop owns this. Without an index there are no projects."""

    def __init__(
        self,
        cache: Path,
        environment: Mapping[str, str],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        command: Sequence[str] = WORKER,
    ) -> None:
        self.on_progress: Callable[[str], None] = _nothing
        """Called with what the worker does, in words, and with "" when that is done."""
        self.on_first: Callable[[str, int], None] = _nothing
        """As `on_progress`, and with the percentage, while a folder is looked at for the first time in this window."""
        self.on_news: Callable[[], None] = _no_news
        """Called when something that can be seen from other files may have changed."""
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self._cache = cache
        self._activated = activated(environment)
        self._environment = {name: value for name, value in environment.items() if name in PASSED_ON}
        self._sleep, self._clock, self._command = sleep, clock, command
        self._folders: dict[str, Folder] = {}
        self._rules = Rules()
        self._window = ""
        """By which the index knows what a worker of ours has left half done."""
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._changed: list[str] = []
        self._ending: list[asyncio.Task[None]] = []
        self._telling: asyncio.TimerHandle | None = None

    # --- life

    def start(self, uris: Iterable[str], rules: Rules) -> None:
        """Index these folders by these rules, whichever they were before; what is no folder of this machine is left out."""
        named = {os.path.normpath(path) for uri in uris if (path := _path(uri))}
        roots = set(filter(_can_be_indexed, named))
        if self._keeping is not None and roots:
            self._go_on(roots, rules)
            return
        if self._keeping is not None:
            self.stop()
        self._folders = {root: Folder(root) for root in roots}
        self._rules = rules
        self._window = secrets.token_hex(6)
        if roots:
            self._keeping = asyncio.create_task(self._keep())

    def stop(self) -> None:
        """There is no index from now on. The worker ends with its stdin, after the file at hand."""
        if self._telling is not None:
            self._telling.cancel()
        self._telling, self._changed = None, []
        if self._keeping is not None:
            self._keeping.cancel()
            self._ending.append(self._keeping)
        self._keeping = None
        self._forget()
        self._is_quiet()

    async def close(self) -> None:
        self.stop()
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _go_on(self, roots: Set[str], rules: Rules) -> None:
        """Folders come and go; what the rules exclude now must go, other files come."""
        known = self._folders
        for root in known.keys() - roots:
            _close(known[root])
        self._folders = {root: known.get(root) or Folder(root) for root in roots}
        if rules != self._rules:
            self._rules = rules
            self.sweep()
            return
        for root in roots - known.keys():
            self._order(self._folders[root])

    # --- what the window knows

    def project(self, uri: str) -> "tuple[StoredProject, str] | None":
        """The innermost indexed folder around a file, and the file's path in it."""
        folder = self._folder_of(path := _path(uri))
        if folder is None or folder.project is None:
            return None
        if folder.project.broken and not folder.told_broken:
            folder.told_broken = True
            self._write({"damaged": folder.root})
        return folder.project, _inside(folder, path)

    async def outline(self, path: str, language: str, text: str) -> Outline:
        """What an open document declares; made by the worker, an empty one while there is none."""
        from midfill_workspace import compact

        if len(text) > OUTLINED_CHARS:
            return Outline(path, language)
        answer = await self._ask("outline", path=path, language=language, text=text)
        data = answer.get("data", "")
        return compact.decode(data.encode("ascii"), path, language) if data else Outline(path, language)

    async def fetch(self, uri: str) -> bool:
        """Look for the files of installed packages that resolvers have asked for; whether there are any new ones."""
        folder = self._folder_of(_path(uri))
        if folder is None or folder.project is None:
            return False
        packages = folder.project.packages
        wanted, epoch = packages.take(), packages.epoch
        answer = await self._ask("fetch", root=folder.root, paths=wanted) if wanted else {}
        return packages.epoch == epoch and packages.apply(answer.get("files", ()))

    async def _ask(self, what: str, **details: object) -> Message:
        """The worker's answer; an empty one while there is no worker."""
        if self._process is None:
            return {}
        number = next(self._numbers)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self._write({what: number, **details})
        try:
            return await answer
        finally:
            del self._asked[number]

    def shown(self, uri: str, outline: Outline) -> None:
        """An open document declares this, whatever its file says."""
        found = self.project(uri)
        if found is not None:
            found[0].show(found[1], outline)

    def hidden(self, uri: str) -> None:
        """The document was closed."""
        found = self.project(uri)
        if found is not None:
            found[0].hide(found[1])

    def opened(self, uri: str) -> None:
        """A document that the index does not know is a new file, or none at all."""
        found = self.project(uri)
        if found is not None and not found[0].has(found[1]):
            self.changed([uri])

    def changed(self, uris: Iterable[str]) -> None:
        """Files that were saved, made, changed or removed."""
        if self._keeping is not None:
            self._changed.extend(uris)
        if self._changed and self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(GATHER_S, self._tell_changes)

    def _folder_of(self, path: str) -> Folder | None:
        around = (folder for root, folder in self._folders.items() if path.startswith(root + os.sep))
        return max(around, key=lambda folder: len(folder.root), default=None)

    # --- to the worker

    def _tell_changes(self) -> None:
        changed, self._changed, self._telling = self._changed, [], None
        if len(changed) > SWEEP_FROM:
            self._order_all()
            return
        by_folder: dict[str, set[str]] = {}
        for uri in changed:
            folder = self._folder_of(path := _path(uri))
            if folder is not None:
                by_folder.setdefault(folder.root, set()).add(_inside(folder, path))
        for root, paths in by_folder.items():
            self._write({"root": root, "changed": sorted(paths)})
            if self._clock() - self._folders[root].swept_s > SWEEP_S:
                self._order(self._folders[root])

    def sweep(self) -> None:
        """Other files than before may be read: look at all of them."""
        for folder in self._folders.values():
            if folder.project is not None:
                folder.project.packages.forget()
        self._order_all()

    def _order_all(self) -> None:
        for folder in self._folders.values():
            self._order(folder)

    def _order(self, folder: Folder) -> None:
        folder.swept_s = self._clock()
        if folder.project is not None:
            folder.project.packages.doubt()
        rules = self._rules
        what = {"exclude": rules.globs, "languages": rules.languages, "limit_chars": rules.limit_chars}
        self._write({"index": folder.root, **what})

    def _write(self, message: Message) -> None:
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(json.dumps(message).encode("ascii") + b"\n")

    # --- from the worker

    async def _keep(self) -> None:
        """Run the worker, again when it dies; on a disk that cannot be written, with an index of this window alone."""
        try:
            await self._attempt(self._cache)
        except _Unwritable:
            log.warning("index.in_memory")
            with _memory() as own, suppress(_Unwritable):
                await self._attempt(Path(own))
        self._forget()
        log.warning("index.given_up")

    async def _attempt(self, cache: Path) -> None:
        """Returns when the worker has died too often. Raises _Unwritable."""
        waits_s = iter(RETRIES_S)
        wait_s: float | None = 0.0
        while wait_s is not None:
            await self._sleep(wait_s)
            started_s = self._clock()
            try:
                await self._run(cache)
            except OSError as exc:
                log.warning("index.not_started", extra={"error": type(exc).__name__})
            self._is_quiet()
            if self._clock() - started_s > SETTLED_S:
                waits_s = iter(RETRIES_S)
            wait_s = next(waits_s, None)

    async def _run(self, cache: Path) -> None:
        """One worker, from its start to its end."""
        async with _worker(self._command, self._environment) as process:
            self._process = process
            self._write({"cache": str(cache), "window": self._window, "environments": self._activated})
            self._order_all()
            try:
                async for message in _messages(process):
                    await self._receive(message, cache)
            finally:
                self._process = None
                self._answer_nothing()
            log.warning("index.worker_ended", extra={"code": await process.wait()})

    def _answer_nothing(self) -> None:
        for answer in self._asked.values():
            if not answer.done():
                answer.set_result({})

    async def _receive(self, message: Message, cache: Path) -> None:
        if message.get("problem") == "unwritable":
            raise _Unwritable
        if "answered" in message:
            answer = self._asked.get(message["answered"])
            if answer is not None and not answer.done():
                answer.set_result(message)
            return
        folder = self._folders.get(message.get("root", ""))
        if folder is None:
            return
        if "opened" in message:
            await self._open(folder, cache, message["opened"])
        elif "files" in message and folder.project is not None:
            folder.project.apply(message["files"])
        elif "progress" in message:
            self._tell_progress(folder, *message["progress"])
        elif "done" in message:
            folder.is_new = False
            self._is_quiet()
            self.on_news()

    def _tell_progress(self, folder: Folder, done: int, total: int) -> None:
        words = f"indexing {done:,} of {total:,} files"
        self.on_progress(words)
        if folder.is_new:
            self.on_first(words, 100 * done // max(1, total))

    def _is_quiet(self) -> None:
        self.on_progress("")
        self.on_first("", 100)

    async def _open(self, folder: Folder, cache: Path, workspace: int) -> None:
        # Imported here: a window is ready for keys before it needs a database.
        from sqlite3 import Error

        from midfill_workspace.store import location
        from midfill_workspace.stored import StoredProject, load

        project = folder.project or StoredProject()
        path = location(cache)
        try:
            project.adopt(path, workspace, await asyncio.to_thread(load, path, workspace))
        except Error as exc:
            log.warning("index.unreadable", extra={"error": type(exc).__name__})
            return
        folder.project, folder.told_broken = project, False
        if self._folders.get(folder.root) is not folder:
            _close(folder)

    def _forget(self) -> None:
        for folder in self._folders.values():
            _close(folder)


class _Unwritable(Exception):
    """The index can be kept in memory only."""


@asynccontextmanager
async def _worker(command: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=tempfile.gettempdir(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MESSAGE_BYTES,
        creationflags=PRIORITY,
    )
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await process.wait()


async def _messages(process: asyncio.subprocess.Process) -> AsyncIterator[Message]:
    assert process.stdout is not None
    with suppress(ValueError):  # Of the half line that a worker has left that was killed.
        while line := await process.stdout.readline():
            yield json.loads(line)


def _close(folder: Folder) -> None:
    if folder.project is not None:
        folder.project.close()
    folder.project = None


def _memory() -> "tempfile.TemporaryDirectory[str]":
    """A folder that is no place on a disk, where the system has such a thing."""
    folder = MEMORY_FOLDER if Path(MEMORY_FOLDER).is_dir() else None
    return tempfile.TemporaryDirectory(prefix="midfill-index-", dir=folder, ignore_cleanup_errors=True)


def _can_be_indexed(root: str) -> bool:
    """A folder that is there, and not the whole disk."""
    return Path(root).is_dir() and Path(root).parent != Path(root)


def _path(uri: str) -> str:
    """Of a file of this machine, else "" """
    with suppress(ValueError):
        return to_fs_path(uri) or ""
    return ""


def _inside(folder: Folder, path: str) -> str:
    return path[len(folder.root) + 1 :].replace(os.sep, "/")


def _nothing(*_: object) -> None:
    """Nobody shows it."""


def _no_news() -> None:
    """Nobody asks for it."""
