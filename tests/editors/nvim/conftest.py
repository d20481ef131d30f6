"""These tests run for who names this folder, as `make editors-nvim` does, and for the soak; `make test` leaves them out."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from editors.nvim import pictures
from editors.nvim.programs import find_forky, find_neovim

NAME = "editors"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    wanted = os.environ.get("MIDFILL_SOAK") or any(NAME in Path(argument).parts for argument in config.args)
    return None if wanted else True


@pytest.fixture(scope="session")
def forky() -> Path:
    """The newest Neovim that can be had, or a skip."""
    return find_forky()


@pytest.fixture(scope="session", params=["oldest", pytest.param("newest", marks=pytest.mark.soak)])
def program(request: pytest.FixtureRequest) -> Path:
    """The Neovim to test: the oldest that is supported, in the soak the newest too."""
    return find_neovim() if request.param == "oldest" else find_forky()


@pytest.fixture(autouse=True)
def captures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keeps the screens of each test, also of one that fails."""
    if "editor" not in request.fixturenames:
        yield
        return
    seen = request.getfixturevalue("editor").terminal.seen
    seen.clear()
    yield
    pictures.write_text(seen, re.sub(r"\W+", "-", request.node.name).strip("-"))
