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


def median(values: Sequence[float]) -> float:"""
MEDIAN = """\
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return mean(ordered[middle - 1 : middle + 1])
"""

OPTIONS = {"server": {"context": False, "maxTokens": 200}}

STATUS_LINE = """' %f%=%{luaeval(''require"midfill".status()'')} '"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def editor(tmp_path_factory: pytest.TempPathFactory, program: Path) -> AsyncIterator[Neovim]:
    folder = tmp_path_factory.mktemp("pictures")
    rules = (after("median(values: Sequence[float]) -> float:", "\n" + MEDIAN), {"match": "", "text": ""})
    async with living_in(folder, script(folder, *rules)) as home, neovim(program, home, options=OPTIONS) as editor:
        await editor.command("set termguicolors")
        yield editor


async def test_a_suggestion_and_why_it_was_given(editor: Neovim) -> None:
    await editor.open(ABOVE, name="statistics.py")
    await editor.type("<CR>")
    await editor.terminal.until(lambda rows: "middle + 1]" in "".join(rows), "the suggestion")
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
