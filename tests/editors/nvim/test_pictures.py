"""The pictures of the documentation, made by a real Neovim: PICTURES=1 puts them there, else they are only made."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from editors.nvim import pictures
from editors.nvim.neovim import Neovim, neovim
from support.processes import after, living_in, script

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCS = Path(__file__).parents[3] / "docs" / "screenshots"

ABOVE = """\
from collections.abc import Sequence


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def deviation(values: Sequence[float]) -> float:"""
BODY = """\
    centre = mean(values)
    squares = [(value - centre) ** 2 for value in values]
    return mean(squares) ** 0.5
"""

STATUS_LINE = """' %f%=%{luaeval(''require"midfill".status()'')} '"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def editor(tmp_path_factory: pytest.TempPathFactory, program: Path) -> AsyncIterator[Neovim]:
    folder = tmp_path_factory.mktemp("pictures")
    rules = (after("deviation(values: Sequence[float]) -> float:", "\n" + BODY), {"match": "", "text": ""})
    async with living_in(folder, script(folder, *rules)) as home, neovim(program, home) as editor:
        await editor.command("set termguicolors")
        yield editor


async def test_a_suggestion_and_why_it_was_given(editor: Neovim) -> None:
    await editor.open(ABOVE, name="statistics.py")
    await editor.type("<CR>")
    await editor.terminal.until(lambda rows: "** 0.5" in "".join(rows), "the suggestion")
    await editor.evaluate(f"setwinvar(0, '&statusline', {STATUS_LINE})")
    await editor.terminal.until(lambda rows: rows[-2].rstrip().endswith("midfill: ready"), "a plain status line")
    await keep(editor, "nvim-suggestion")
    await editor.evaluate("execute('Midfill explain')")
    await editor.terminal.until(lambda rows: any("A suggestion of" in row for row in rows), "an explanation")
    await keep(editor, "nvim-explain")
    await editor.evaluate("setwinvar(0, '&statusline', '')")


async def keep(editor: Neovim, name: str) -> None:
    picture = pictures.svg(await editor.terminal.rows(colours=True), "nvim statistics.py")
    for folder in (pictures.OUT, *((DOCS,) if os.environ.get("PICTURES") else ())):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.svg").write_text(picture)
