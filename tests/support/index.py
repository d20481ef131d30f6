"""A small workspace on disk, an index of it, and an outliner that counts and can fail."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from midfill_workspace.exclusion import Rules
from midfill_workspace.indexed_files import IndexedFiles
from midfill_workspace.outline.table import outline
from midfill_workspace.store import DAY_S, Store, location, open_store
from midfill_workspace.stored import StoredProject, load
from midfill_workspace.sweep import INDEXED, Place, refresh, sweep
from midfill_workspace.symbol import Outline

DAY = 20_000

FILES: Mapping[str, str] = {
    "app/main.py": "from app.model import Order\n\ndef run() -> None:\n    pass\n",
    "app/model.py": 'class Order:\n    """What somebody buys."""\n\n    def total(self) -> int:\n        return 1\n',
    "app/__init__.py": "",
    "go.mod": "module example.com/shop\n",
    "shop/cart.go": "package shop\n\nfunc Add(name string) int { return 1 }\n",
}


class Crash(BaseException):
    """A parser that takes its process along: nothing but the test catches it."""


@dataclass(slots=True)
class Outliner:
    """Says which files were outlined. A file whose text holds `CRASH` ends the process, one with `FAIL` raises."""

    outlined: list[str] = field(default_factory=list)

    def __call__(self, path: str, language: str, text: str) -> Outline:
        self.outlined.append(path)
        if "CRASH" in text:
            raise Crash
        if "FAIL" in text:
            raise ValueError
        return outline(path, language, text)


@dataclass(slots=True)
class Indexed:
    """A workspace folder and its index."""

    root: Path
    cache: Path
    rules: Rules = field(default_factory=Rules)
    outliner: Outliner = field(default_factory=Outliner)
    limit_files: int = INDEXED

    @property
    def file(self) -> Path:
        return location(self.cache)

    def open(self, day: int = DAY, window: str = "") -> Store:
        return open_store(self.file, window, lambda: day * DAY_S)

    def place(self, store: Store) -> Place:
        workspace = store.workspace(str(self.root))
        return Place(self.root, workspace, IndexedFiles(self.root, self.rules), store, self.outliner, self.limit_files)

    def sweep(self) -> list[str]:
        """Bring the index up to date; which files had to be outlined."""
        return self._run(None)

    def refresh(self, *paths: str) -> list[str]:
        return self._run(paths)

    def _run(self, paths: tuple[str, ...] | None) -> list[str]:
        self.outliner.outlined.clear()
        with closing(self.open()) as store:
            place = self.place(store)
            for _ in sweep(place) if paths is None else refresh(place, paths):
                pass
        return sorted(self.outliner.outlined)

    def crash(self) -> None:
        """Sweep until a file ends the process, which leaves the index as it is."""
        store = self.open()
        try:
            for _ in sweep(self.place(store)):
                pass
            raise AssertionError("no file ended it")
        except Crash:
            store._connection.close()

    def outline(self, path: str) -> Outline:
        """Of a file that is indexed."""
        found = self.project().outline(path)
        assert found is not None
        return found

    def project(self) -> StoredProject:
        """As a language server sees it."""
        with closing(self.open()) as store:
            workspace = store.workspace(str(self.root))
        project = StoredProject()
        project.adopt(self.file, workspace, load(self.file, workspace))
        return project


def write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def indexed(folder: Path, files: Mapping[str, str] = FILES) -> Indexed:
    """A workspace with these files, which are not indexed yet."""
    root = (folder / "work").resolve()
    write(root, files)
    return Indexed(root, folder / "cache")
