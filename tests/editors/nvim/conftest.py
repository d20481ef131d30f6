"""These tests run for who names this folder, as `make editors-nvim` does, and for the soak; `make test` leaves them out."""

import os
from pathlib import Path

import pytest

NAME = "editors"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    wanted = os.environ.get("MIDFILL_SOAK") or any(NAME in Path(argument).parts for argument in config.args)
    return None if wanted else True
