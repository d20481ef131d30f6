"""A code-server with our extension in it, as a user would have it: own home, own settings, one folder open."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

from tests.editors.vscode.install import Installed
from tests.editors.vscode.waiting import until

ROOT = Path(__file__).parents[3]

QUIET: Mapping[str, Any] = {
    # Lists of words would stand in the way of what is tested, and so would the brackets that VS Code closes by itself.
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.suggestOnTriggerCharacters": False,
    "editor.autoClosingBrackets": "never",
    "editor.autoClosingQuotes": "never",
    "editor.minimap.enabled": False,
    "files.autoSave": "off",
    # Nothing may look for a network, or show what a test did not ask for.
    "chat.disableAIFeatures": True,
    "chat.commandCenter.enabled": False,
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": False,
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.enableExperiments": False,
}


@dataclass(frozen=True, slots=True)
class CodeServer:
    """A running one."""

    address: str
    folder: Path
    """Everything of its user is below it."""
    process: subprocess.Popen[bytes]

    @property
    def workspace(self) -> Path:
        return self.folder / "project"

    def set_for_machine(self, settings: Mapping[str, Any]) -> None:
        """In a remote window, which this is, VS Code takes settings of the scope `machine` from here only."""
        folder = self.folder / "data/Machine"
        folder.mkdir(exist_ok=True)
        (folder / "settings.json").write_text(json.dumps(settings))

    def extension_logs(self) -> list[Path]:
        """The log of the extension in each window, oldest first."""
        found = self.folder.glob("data/logs/*/exthost*/midfill.midfill/Midfill.log")
        return sorted(found, key=lambda path: path.stat().st_mtime)


def vsix() -> Path:
    """The newest one of `make vsix`."""
    return max((ROOT / "dist").glob("midfill-*.vsix"), key=lambda path: path.stat().st_mtime)


@contextmanager
def serving(
    installed: Installed, folder: Path, environment: Mapping[str, str], settings: Mapping[str, Any] = QUIET
) -> Iterator[CodeServer]:
    """Install the extension into `folder` and serve; `environment` is all that its programs see."""
    (folder / "project").mkdir(parents=True, exist_ok=True)
    (folder / "data/User").mkdir(parents=True, exist_ok=True)
    (folder / "data/User/settings.json").write_text(json.dumps(settings))
    own = {**environment, **{f"XDG_{name}_HOME": str(folder / "xdg") for name in ("CONFIG", "DATA", "CACHE")}}
    start = (str(installed.node), str(installed.entry))
    places = ("--user-data-dir", str(folder / "data"), "--extensions-dir", str(folder / "extensions"))
    with (folder / "code-server.log").open("wb") as log:
        install = (*start, *places, "--install-extension", str(vsix()))
        subprocess.run(install, env=own, cwd=folder, stdout=log, stderr=log, check=True)
        port = _free_port()
        options = (
            "--auth",
            "none",
            "--bind-addr",
            f"127.0.0.1:{port}",
            "--disable-telemetry",
            "--disable-update-check",
        )
        options += ("--disable-getting-started-override", "--disable-workspace-trust")
        # A session of its own: the extension hosts end with it.
        process = subprocess.Popen(
            (*start, *places, *options), env=own, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
        try:
            server = CodeServer(f"http://127.0.0.1:{port}", folder, process)
            until(lambda: _answers(server), "code-server answers")
            yield server
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


def with_programs(environment: Mapping[str, str], *folders: str) -> dict[str, str]:
    """`environment` with these folders first on PATH; VS Code takes it from the user's login shell."""
    path = os.pathsep.join([*folders, os.environ["PATH"]])
    Path(environment["HOME"], ".profile").write_text(f"export PATH={shlex.quote(path)}\n")
    return {**environment, "PATH": path, "SHELL": "/bin/sh"}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _answers(server: CodeServer) -> bool:
    assert server.process.poll() is None, f"code-server has ended: {server.folder / 'code-server.log'}"
    with suppress(URLError, ConnectionError, TimeoutError):
        return urllib.request.urlopen(f"{server.address}/healthz", timeout=5).status == 200
    return False
