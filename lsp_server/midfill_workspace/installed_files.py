"""The text of files of installed packages: of the environment that belongs to a workspace, and of `node_modules`.

Nothing of a workspace is run or believed for that: a repository can bring folders of packages along, which are read
like its other files, but no link, `pyvenv.cfg` or `.pth` of it leads anywhere else. Only the user's own environment
variables name folders outside.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

from midfill_workspace.exclusion import Rules
from midfill_workspace.files import Text, Workspace
from midfill_workspace.indexed_files import is_storable
from midfill_workspace.resolve.installed import SITE, is_installed

LIMIT_CHARS = 1_000_000
"""Of a file that is larger the outline would take tens of milliseconds to decode."""

ENVIRONMENTS = (".venv", "venv", "env")
"""Where the environment of a workspace lies if the user has activated none in it."""

PYTHON, NODE = (".pyi", ".py"), (".d.ts", ".d.mts", ".d.cts", "/package.json")
VERSION = re.compile(r"python(\d+)\.(\d+)")


class InstalledFiles:
    """Of one workspace. Git ignores packages as a rule and they are public, so its rules are not asked; all others are."""

    def __init__(self, root: Path, rules: Rules, activated: Sequence[str] = ()) -> None:
        """`activated` are the folders of environments, as `installed.activated` gives them."""
        limit_chars = min(LIMIT_CHARS, rules.limit_chars)
        rules = replace(rules, reads_packages=True, limit_chars=limit_chars)
        self._workspace = Workspace(root, rules, sends_ignored=True)
        self._root = self._workspace.root
        self._site: Workspace | None = None
        with suppress(OSError):  # Of a folder that may not be looked into.
            folder = site_packages(self._root, activated)
            self._site = Workspace(folder, rules, sends_ignored=True) if folder is not None else None

    def read(self, path: str) -> str | None:
        """By a path as resolvers have it; None when it is not there, is no text, or may not be read."""
        if "\0" in path or not is_storable(path):
            return None
        if not path.startswith(f"{SITE}/"):
            return self._of_node(path) if path.endswith(NODE) else None
        inner = path.removeprefix(f"{SITE}/")
        return self._of_site(self._site, inner) if self._site is not None and path.endswith(PYTHON) else None

    def _of_site(self, site: Workspace, inner: str) -> str | None:
        in_workspace = site.root.is_relative_to(self._root)
        if in_workspace and not self._workspace.allowed((site.root / inner).relative_to(self._root).as_posix()):
            return None
        return _text(site, inner)

    def _of_node(self, path: str) -> str | None:
        """A link may lead to another folder of packages, as those of pnpm do, and not to a file of the user."""
        real = Path(os.path.realpath(self._root / path))
        if not is_installed(path) or not real.is_relative_to(self._root):
            return None
        return _text(self._workspace, path) if is_installed(real.relative_to(self._root).as_posix()) else None


def site_packages(root: Path, activated: Sequence[str]) -> Path | None:
    """The packages of the first environment that has some: an activated one inside, the workspace's own, another."""
    named = [Path(os.path.realpath(each)) for each in activated]
    inside = [each for each in named if each.is_relative_to(root)]
    own = [root / name for name in ENVIRONMENTS if (root / name / "pyvenv.cfg").is_file()]
    real = (each for each in _folders(own) if os.path.realpath(each) == str(each))
    return next(chain(_folders(inside), real, _folders(named)), None)


def _folders(environments: Iterable[Path]) -> Iterator[Path]:
    """Those of the newest Python first."""
    for environment in environments:
        libraries = sorted(environment.glob("lib/python*.*"), key=_version, reverse=True)
        for library in (*libraries, environment / "Lib"):
            if (library / "site-packages").is_dir():
                yield library / "site-packages"


def _version(folder: Path) -> tuple[int, ...]:
    found = VERSION.fullmatch(folder.name)
    return tuple(map(int, found.groups())) if found else ()


def _text(files: Workspace, path: str) -> str | None:
    found = files.read(path)
    return found.text if isinstance(found, Text) else None
