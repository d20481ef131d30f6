"""Checks of the editor clients, run by `make check`: types and lint of TypeScript, style and lint of Lua."""

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
VSCODE = ROOT / "vscode-client"
NVIM = ROOT / "nvim-client"
NVIM_TESTS = ROOT / "tests" / "editors" / "nvim"
TAIL_LINES = 60


@dataclass(frozen=True, slots=True)
class Check:
    """One command; it is skipped where its program is not installed."""

    name: str
    folder: Path
    command: Sequence[str]


INSTALL = Check("npm ci", VSCODE, ("npm", "ci", "--no-audit", "--no-fund"))

CHECKS = (
    Check("typescript types and lint", VSCODE, ("npm", "run", "--silent", "check")),
    Check("typescript tests", VSCODE, ("npm", "run", "--silent", "test")),
    Check("typescript bundle", VSCODE, ("npm", "run", "--silent", "build")),
    Check("stylua", NVIM, ("stylua", "--check", ".", str(NVIM_TESTS))),
    Check("luacheck", NVIM, ("luacheck", "--quiet", ".", str(NVIM_TESTS))),
    Check("lua tests", NVIM, ("nvim", "-l", str(NVIM_TESTS / "unit.lua"))),
)


def main() -> int:
    """Run every check, also after a failure, so that one run shows all there is to repair."""
    checks = (INSTALL, *CHECKS) if _packages_are_stale(VSCODE) else CHECKS
    results = [_passes(check) for check in checks]
    return 0 if all(results) else 1


def _packages_are_stale(folder: Path) -> bool:
    # npm writes this file last, so it is missing or old after an interrupted installation too.
    installed = folder / "node_modules" / ".package-lock.json"
    return not installed.exists() or installed.stat().st_mtime < (folder / "package-lock.json").stat().st_mtime


def _passes(check: Check) -> bool:
    program = _find(check.command[0])
    if program is None:
        _say(f"{check.name}: skipped: {check.command[0]} is not installed")
        return True
    started_s = time.perf_counter()
    done = subprocess.run(
        [program, *check.command[1:]],
        cwd=check.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    verdict = "ok" if done.returncode == 0 else f"failed with exit status {done.returncode}"
    _say(f"{check.name}: {verdict}, {time.perf_counter() - started_s:.1f} s")
    if done.returncode:
        _say("\n".join(done.stdout.splitlines()[-TAIL_LINES:]))
    return done.returncode == 0


def _find(program: str) -> str | None:
    # The virtual environment first: it may carry the tool without being on PATH.
    return shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
