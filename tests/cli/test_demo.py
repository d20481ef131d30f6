"""The demo's passages stand in the files that they name, so that it types what it shows."""

from pathlib import Path

import pytest

from midfill_cli.demo import PASSAGES, Passage

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("passage", PASSAGES, ids=lambda passage: passage.path)
def test_passage(passage: Passage) -> None:
    assert (REPOSITORY / passage.path).read_text().count(passage.line) == 1
    assert passage.line.startswith(passage.typed)


def test_the_demo_shows_python_typescript_and_lua() -> None:
    assert {Path(passage.path).suffix for passage in PASSAGES} == {".py", ".ts", ".lua"}
