"""Puts a real VS Code into a cache folder outside of the tree: code-server and the Node that it wants, both from npm.

The whole installation of code-server compiles modules that no test needs; this one takes the sources without their
scripts and builds the two that the log files and the file watcher are made of.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CODE_SERVER, NODE = "4.139.1", "24"
STAMP = f"code-server {CODE_SERVER}, node {NODE}\n"
NPM = ("npm", "install", "--no-audit", "--no-fund", "--loglevel=error")
BARE = (*NPM, "--ignore-scripts")
COMPILED = ("@vscode/spdlog", "@vscode/native-watchdog")


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the two programs are below the cache folder, whether they are there or not."""

    folder: Path

    @property
    def node(self) -> Path:
        return self.folder / "node/node_modules/node/bin/node"

    @property
    def code_server(self) -> Path:
        return self.folder / "code-server/node_modules/code-server"

    @property
    def entry(self) -> Path:
        return self.code_server / "out/node/entry.js"

    @property
    def stamp(self) -> Path:
        return self.folder / "installed.txt"

    @property
    def is_whole(self) -> bool:
        return self.stamp.exists() and self.stamp.read_text() == STAMP


@dataclass(frozen=True, slots=True)
class Step:
    """One command; `folder` is made when it is not there."""

    name: str
    folder: Path
    command: Sequence[str]


def place(environment: Mapping[str, str]) -> Installed:
    """The installation of this user; MIDFILL_EDITORS names another folder for it."""
    caches = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Installed(Path(environment.get("MIDFILL_EDITORS") or Path(caches, "midfill-editors")))


def steps(installed: Installed) -> Sequence[Step]:
    vscode = installed.code_server / "lib/vscode"
    return (
        Step("node", installed.folder / "node", (*NPM, f"node@{NODE}")),
        Step("code-server", installed.folder / "code-server", (*BARE, f"code-server@{CODE_SERVER}")),
        Step("VS Code", vscode, (*BARE, "--omit=dev")),
        Step("its extensions", vscode / "extensions", (*BARE, "--omit=dev")),
        Step("two native modules", vscode, ("npm", "rebuild", *COMPILED)),
    )


def main() -> int:
    """Install what is missing. An installation that was broken off is made anew."""
    installed = place(os.environ)
    if installed.is_whole:
        return 0
    if shutil.which("npm") is None:
        _say("VS Code is not installed: npm is not there")
        return 1
    shutil.rmtree(installed.folder, ignore_errors=True)
    environment = {**os.environ, "PATH": f"{installed.node.parent}{os.pathsep}{os.environ['PATH']}"}
    for step in steps(installed):
        started_s = time.perf_counter()
        step.folder.mkdir(parents=True, exist_ok=True)
        # npm looks for the next folder upwards that is a package, and would install there.
        if not (step.folder / "package.json").exists():
            (step.folder / "package.json").write_text('{"private": true}\n')
        done = subprocess.run(step.command, cwd=step.folder, env=environment, stdin=subprocess.DEVNULL, check=False)
        _say(f"{step.name}: {time.perf_counter() - started_s:.0f} s")
        if done.returncode:
            _say(f"failed with exit status {done.returncode}: {' '.join(step.command)}")
            return 1
    installed.stamp.write_text(STAMP)
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
