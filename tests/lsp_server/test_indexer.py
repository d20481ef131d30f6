"""The index of one window: a real worker, what it is told, what is shown of it, and how it ends."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from midfill_lsp import indexer as indexers
from midfill_lsp.indexer import Indexer
from midfill_workspace.exclusion import Rules
from midfill_workspace.stored import StoredProject
from support.index import FILES, indexed, write

WAIT_S = 30.0


@dataclass(slots=True)
class Waits:
    """Counts how often a worker was waited with, without waiting."""

    slept_s: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.slept_s.append(seconds)


class Watched(Indexer):
    """Says when a message of the worker has been taken in."""

    heard: asyncio.Condition

    async def _receive(self, message: indexers.Message, cache: Path) -> None:
        await super()._receive(message, cache)
        async with self.heard:
            self.heard.notify_all()

    async def until(self, happened: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S), self.heard:
            await self.heard.wait_for(happened)


@dataclass(slots=True)
class Window:
    indexer: Watched
    root: Path
    waits: Waits
    progress: list[str]

    def uri(self, path: str) -> str:
        return (self.root / path).as_uri()

    def project(self) -> StoredProject | None:
        found = self.indexer.project(self.uri("any.py"))
        return found and found[0]

    def has(self, *paths: str) -> bool:
        project = self.project()
        return project is not None and all(map(project.has, paths))

    async def read(self, *paths: str) -> StoredProject:
        """The project, once it has these files."""
        await self.indexer.until(lambda: self.has(*paths))
        project = self.project()
        assert project is not None
        return project

    def worker(self) -> psutil.Process:
        assert self.indexer._process
        return psutil.Process(self.indexer._process.pid)


@asynccontextmanager
async def window(
    folder: Path,
    start: bool = True,
    clock: Callable[[], float] = time.monotonic,
    command: Sequence[str] = indexers.WORKER,
) -> AsyncIterator[Window]:
    """A window on a small workspace; at its end no worker is left."""
    it = indexed(folder)
    waits, progress = Waits(), list[str]()
    indexer = Watched(it.cache, os.environ, waits, clock, command)
    indexer.heard = asyncio.Condition()
    indexer.on_progress = progress.append
    window = Window(indexer, it.root, waits, progress)
    if start:
        indexer.start([it.root.as_uri()], Rules())
    try:
        yield window
    finally:
        process = indexer._process
        await indexer.close()
        if process is not None:
            async with asyncio.timeout(WAIT_S):
                await process.wait()


async def test_a_window_gets_the_index_of_its_folder(tmp_path: Path) -> None:
    async with window(tmp_path) as it:
        project = await it.read(*FILES)
        found = project.outline("app/model.py")
        assert found
        assert found.definitions[0].name == "Order"
        assert it.indexer.project(it.uri("app/model.py")) == (project, "app/model.py")
        assert it.indexer.project("untitled:Untitled-1") is None
        assert it.indexer.project((tmp_path / "elsewhere.py").as_uri()) is None


async def test_it_follows_what_is_saved_made_and_removed(tmp_path: Path) -> None:
    async with window(tmp_path) as it:
        project = await it.read(*FILES)
        write(it.root, {"app/model.py": "class Basket: ...\n", "app/new.py": "n = 1\n"})
        (it.root / "app/main.py").unlink()
        it.indexer.changed(map(it.uri, ["app/model.py", "app/new.py", "app/main.py", "README.md"]))
        await it.read("app/new.py")
        found = project.outline("app/model.py")
        assert found
        assert found.definitions[0].name == "Basket"
        assert not project.has("app/main.py")


async def test_folders_come_and_go(tmp_path: Path) -> None:
    async with window(tmp_path) as it:
        first = await it.read(*FILES)
        other = tmp_path / "other"
        write(other, {"b.py": "def late(): ...\n"})
        it.indexer.start([it.root.as_uri(), other.as_uri()], Rules())
        late = (other / "b.py").as_uri()
        await it.indexer.until(lambda: (found := it.indexer.project(late)) and found[0].has("b.py"))
        assert it.project() is first
        it.indexer.start([other.as_uri()], Rules())
        assert it.project() is None
        it.indexer.start([], Rules())
        assert it.indexer.project(late) is None


async def test_only_the_first_look_at_a_folder_is_a_progress_of_the_editor(tmp_path: Path) -> None:
    async with window(tmp_path) as it:
        await it.read(*FILES)
        told: list[tuple[str, int]] = []
        it.indexer.on_first = lambda words, percentage: told.append((words, percentage))
        it.indexer._folders[str(it.root)].is_new = True
        for message in ({"progress": [1, 4]}, {"progress": [3, 4]}, {"done": 4}, {"progress": [1, 2]}, {"done": 2}):
            await it.indexer._receive({"root": str(it.root), **message}, tmp_path)
        assert told == [("indexing 1 of 4 files", 25), ("indexing 3 of 4 files", 75), ("", 100), ("", 100)]


async def test_a_file_that_is_opened_and_not_known_is_looked_at(tmp_path: Path) -> None:
    async with window(tmp_path) as it:
        await it.read(*FILES)
        write(it.root, {"app/new.py": "n = 1\n"})
        it.indexer.opened(it.uri("app/new.py"))
        await it.read("app/new.py")


async def test_what_becomes_excluded_vanishes(tmp_path: Path) -> None:
    async with window(tmp_path) as it:
        await it.read(*FILES)
        it.indexer.start([it.root.as_uri()], Rules(globs=("shop/",)))
        await it.indexer.until(lambda: not it.has("shop/cart.go"))
        assert it.has("app/main.py")


async def test_a_save_long_after_the_last_look_has_all_files_looked_at(tmp_path: Path) -> None:
    looks = itertools.count(step=int(indexers.SWEEP_S) + 1)
    async with window(tmp_path, clock=lambda: next(looks)) as it:
        await it.read(*FILES)
        write(it.root, {"app/unseen.py": "u = 1\n"})
        it.indexer.changed([it.uri("app/main.py")])
        await it.read("app/unseen.py")


async def test_a_branch_switch_is_a_look_at_everything(tmp_path: Path) -> None:
    async with window(tmp_path) as it:
        await it.read(*FILES)
        write(it.root, {"app/unnamed.py": "u = 1\n"})
        it.indexer.changed(it.uri(f"app/{number}.py") for number in range(indexers.SWEEP_FROM + 1))
        await it.read("app/unnamed.py")


async def test_a_worker_that_dies_is_followed_by_another(tmp_path: Path) -> None:
    async with window(tmp_path) as it:
        project = await it.read(*FILES)
        first = it.worker()
        first.send_signal(signal.SIGKILL)
        write(it.root, {"app/new.py": "n = 1\n"})
        assert await it.read("app/new.py") is project
        assert it.worker() != first
        assert it.waits.slept_s == [0.0, indexers.RETRIES_S[0]]


async def test_a_worker_that_cannot_run_is_given_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with window(tmp_path, command=("/nonexistent/python",)) as it:
        assert it.indexer._keeping
        await it.indexer._keeping
        assert it.waits.slept_s == [0.0, *indexers.RETRIES_S]
        assert it.project() is None
        assert caplog.records[-1].message == "index.given_up"


async def test_where_nothing_can_be_written_the_index_is_the_windows_own(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    async with window(tmp_path) as it:
        project = await it.read(*FILES)
        assert project.outline("app/model.py")
    assert (tmp_path / "cache").is_file()


async def test_a_reader_that_finds_damage_has_it_healed(tmp_path: Path) -> None:
    async with window(tmp_path) as it:
        project = await it.read(*FILES)
        project.broken = True
        assert it.project() is project
        await it.indexer.until(lambda: not project.broken and it.has(*FILES))


async def test_switched_off_and_on(tmp_path: Path) -> None:
    async with window(tmp_path) as it:
        await it.read(*FILES)
        first = it.worker()
        it.indexer.stop()
        assert it.project() is None
        it.indexer.start([it.root.as_uri()], Rules())
        await it.read(*FILES)
        assert it.worker() != first


async def test_progress_is_in_words(tmp_path: Path) -> None:
    async with window(tmp_path) as it:
        await it.read(*FILES)
        await it.indexer._receive({"root": str(it.root), "progress": [1200, 10000]}, tmp_path)
        assert it.progress[-1] == "indexing 1,200 of 10,000 files"
    assert it.progress[-1] == ""


@pytest.mark.parametrize("uris", [[], ["untitled:x"], ["file:///"], ["file:///nonexistent/folder"], ["file://[bad"]])
async def test_what_is_no_folder_has_no_worker(tmp_path: Path, uris: Iterable[str]) -> None:
    async with window(tmp_path, start=False) as it:
        it.indexer.start(uris, Rules())
        it.indexer.opened("file:///a.py")
        it.indexer.changed(["file:///a.py"])
        assert it.indexer._keeping is None


async def test_several_folders_the_innermost_counts(tmp_path: Path) -> None:
    async with window(tmp_path, start=False) as it:
        it.indexer.start([it.root.as_uri(), it.uri("app")], Rules())
        await it.indexer.until(lambda: it.has("shop/cart.go"))

        def inner() -> StoredProject | None:
            found = it.indexer.project(it.uri("app/main.py"))
            return found and found[0]

        await it.indexer.until(lambda: (project := inner()) is not None and project.has("main.py"))
        assert it.indexer.project(it.uri("app/main.py")) == (inner(), "main.py")
