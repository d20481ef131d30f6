"""A fresh account with nothing but the extension: the server is set up, the model fetched, a suggestion shown.

Run by hand (`python -m tests.editors.vscode.fresh`), because it fetches some 200 MB; it prints the seconds of each step.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.editors.vscode import install
from tests.editors.vscode.server import chromium, serving, with_programs
from tests.editors.vscode.window import OUT, STATUS, browsing, open_window

CODE = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return"


def main() -> int:
    executable = chromium()
    installed = install.place(os.environ)
    if executable is None or not installed.is_whole:
        sys.stderr.write("chromium or code-server is missing\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="mf-fresh-") as folder:
        return _try(Path(folder), executable, installed)


def _try(folder: Path, executable: str, installed: install.Installed) -> int:
    began_s = time.perf_counter()

    def lap(what: str) -> None:
        sys.stdout.write(f"{time.perf_counter() - began_s:6.0f} s  {what}\n")
        sys.stdout.flush()

    home = folder / "home"
    (folder / "code/project").mkdir(parents=True)
    home.mkdir()
    (folder / "run").mkdir(mode=0o700)
    (folder / "code/project/sum.py").write_text(CODE)
    # A daemon of whoever runs this would answer in its socket's usual place.
    account = {"HOME": str(home), "XDG_RUNTIME_DIR": str(folder / "run"), "LANG": "C.UTF-8"}
    environment = with_programs({**account, "MIDFILL_DAEMON_IDLE_EXIT_S": "120"})
    try:
        with (
            serving(installed, folder / "code", environment) as server,
            browsing(executable, folder / "web") as browser,
        ):
            window = open_window(browser, server, server.workspace, page=browser.pages[0])
            window.page.wait_for_selector(STATUS)
            lap("VS Code shows the folder")
            window.page.wait_for_selector('.notification-toast:has-text("setting up")')
            window.picture("setting-up")
            window.page.wait_for_selector('.notification-toast:has-text("fetching the model")', timeout=600_000)
            lap("the server is set up")
            window.picture("fetching")
            window.page.wait_for_selector(f'{STATUS}[aria-label*="ready"]', timeout=600_000)
            lap("the model is ready")
            window.open("sum.py")
            window.type(" ")
            window.until(window.ghost, lambda: "a suggestion is shown")
            lap(f"suggested: {window.ghost()!r}")
            window.picture("fresh")
            lap(window.explanation())
            for log in server.extension_logs():
                OUT.joinpath("vscode-fresh.log").write_text(log.read_text())
    finally:
        _end(folder)
    return 0


def _end(folder: Path) -> None:
    """The daemon outlives its editor; this one has nobody left to serve."""
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in argument for argument in process.info["cmdline"] or ()):
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
