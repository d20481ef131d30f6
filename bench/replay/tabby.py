"""Tabby's agent from npm: fetched once into a cache folder, configured to use our model and to report nothing."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

VERSION = "1.5.0"
FETCH_LIMIT_S = 300
CONFIG = """[server]
endpoint = "{url}"
token = ""

[anonymousUsageTracking]
disable = true
"""


class Unavailable(Exception):
    """The server cannot be had on this machine; the message says why."""


def command() -> tuple[str, ...]:
    """Raises Unavailable without Node.js or when npm cannot fetch the package."""
    node = shutil.which("node")
    if node is None:
        raise Unavailable("node is not installed")
    script = _folder() / "node_modules/tabby-agent/dist/cli.js"
    if not script.exists():
        _fetch()
    return node, str(script), "--lsp", "--stdio"


def configured(model_url: str, home: Path) -> Mapping[str, str]:
    folder = home / ".tabby-client/agent"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(CONFIG.format(url=model_url))
    return {}


def _folder() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "midfill-bench" / f"tabby-agent-{VERSION}"


def _fetch() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed")
    _folder().mkdir(parents=True, exist_ok=True)
    install = (npm, "install", "--prefix", str(_folder()), "--no-audit", "--no-fund", "--ignore-scripts")
    package = f"tabby-agent@{VERSION}"
    try:
        done = subprocess.run((*install, package), capture_output=True, text=True, timeout=FETCH_LIMIT_S)
    except subprocess.TimeoutExpired as exc:
        raise Unavailable(f"npm did not install tabby-agent {VERSION} within {FETCH_LIMIT_S} s") from exc
    if done.returncode:
        raise Unavailable(f"npm could not install tabby-agent {VERSION}: {done.stderr.strip()[-200:]}")
