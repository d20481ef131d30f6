"""The plugin against a server that does what a test says: growing suggestions, several of them, and what it is told."""

import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from editors.nvim.neovim import HERE, SETTLED, Neovim, Step, neovim
from support.processes import Home, environment

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(slots=True)
class Told:
    """What the server has been told since it was asked last."""

    log: Path
    read: int = 0

    def take(self) -> list[list[Any]]:
        lines = self.log.read_text().splitlines()
        new, self.read = lines[self.read :], len(lines)
        return [json.loads(line) for line in new]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, program: Path) -> Home:
    folder = tmp_path_factory.mktemp("fake")
    return Home(folder, environment(folder, "none", {}))


@pytest.fixture(scope="module")
def told(home: Home) -> Told:
    return Told(home.folder / "told")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def editor(home: Home, told: Told, program: Path) -> AsyncIterator[Neovim]:
    command = [sys.executable, str(HERE / "fake_server.py"), str(told.log)]
    options = {"cmd": command, "server": {"maxTokens": 32}}
    async with neovim(program, home, options=options) as editor:
        yield editor


OPTIONS = {
    "clientWaitMs": 0,
    "disabledFolders": [],
    "disabledLanguages": [],
    "enabled": True,
    "maxTokens": 32,
    "streaming": "live",
    "trigger": "automatic",
}


async def test_what_the_server_is_told_at_the_start(editor: Neovim, told: Told) -> None:
    assert told.take() == [["options", OPTIONS]]


GROW: Step = ("grow = ", "grow = ‹one›")
PICK: Step = ("pick = ", "pick = ‹first()›")

STORIES: dict[str, tuple[tuple[Step, ...], list[list[Any]]]] = {
    "it grows": (
        (
            GROW,
            ("<F2>", "grow = ‹one(two›"),
            ("<F2>", "grow = ‹one(two,\n    three)›"),
            ("<Tab>", "grow = one(two,\n    three)"),
        ),
        [["midfill.accepted", []]],
    ),
    "a part is accepted": (
        (GROW, ("<F2>", "grow = ‹one(two›"), ("<M-Right>", "grow = one‹(two›"), ("<C-]>", "grow = one")),
        [["midfill.partlyAccepted", [3]], ["midfill.dismissed", []]],
    ),
    "several by hand": (
        (
            PICK,
            ("<M-n>", "pick = ‹second()›"),
            ("s", "pick = s‹econd()›"),
            ("<BS>", "pick = ‹second()›"),
            ("<M-n>", "pick = ‹third()›"),
            ("<M-n>", "pick = ‹first()›"),
            ("<M-p>", "pick = ‹third()›"),
            ("<Tab>", "pick = third()"),
        ),
        [["midfill.accepted", []]],
    ),
    "what makes no sense is passed over": (
        (("odd = ", "odd = ‹good›"), ("<Tab>", "odd = good")),
        [["midfill.accepted", []]],
    ),
    "the key was mapped": ((("x = <C-]>", "x = was mapped"),), []),
}


@pytest.mark.parametrize("name", STORIES)
async def test_story(editor: Neovim, told: Told, name: str) -> None:
    steps, commands = STORIES[name]
    await editor.open()
    told.take()
    await editor.play(*steps)
    await editor.lua(SETTLED)
    assert told.take() == commands


async def test_lines_go_between_what_stands_before_and_after(editor: Neovim, told: Told) -> None:
    await editor.open("x = ‸ + 1")
    await editor.play(
        ("grown", "x = grown‹(one,\n    two)› + 1"),
        ("<Tab>", "x = grown(one,\n    two) + 1"),
    )
    told.take()


async def test_nothing_is_shown_while_another_plugin_hides_it(editor: Neovim, told: Told) -> None:
    await editor.open()
    await editor.play(GROW)
    await editor.evaluate("setbufvar('', 'midfill_hidden', v:true)")
    await editor.play(("<BS>", "grow ="), (" ", "grow = "))
    await editor.evaluate("setbufvar('', 'midfill_hidden', v:false)")
    await editor.play(("<BS>", "grow ="), (" ", "grow = ‹one›"))
    told.take()


async def test_the_log_is_opened(editor: Neovim) -> None:
    await editor.command("Midfill log")
    await editor.terminal.until(lambda rows: any("lsp.log" in row for row in rows[-3:]), "the log")
    await editor.command("tabclose")


async def test_lines_behind_the_completion_menu_are_counted(editor: Neovim, told: Told) -> None:
    await editor.open("grown\ngrowing\nx = ‸")
    await editor.type("gro<C-x><C-n>")
    await editor.see("grown\ngrowing\nx = grown‹(one, … +1›")
    await editor.type("<Tab>")
    await editor.see("grown\ngrowing\nx = grown(one,\n    two)")
    told.take()


SWITCHES: dict[str, dict[str, Any]] = {
    "disable": {"enabled": False},
    "enable": {"enabled": True},
    "toggle": {"enabled": False},
    "toggle ": {"enabled": True},
    "manual": {"trigger": "manual"},
    "automatic": {"trigger": "automatic"},
    "language": {"disabledLanguages": ["python"]},
    "language rust": {"disabledLanguages": ["python", "rust"]},
    "language python": {"disabledLanguages": ["rust"]},
    "language rust ": {"disabledLanguages": []},
    "folder /srv/secret": {"disabledFolders": ["/srv/secret"]},
    "folder /srv/secret/": {"disabledFolders": []},
}


async def test_the_switches(editor: Neovim, told: Told) -> None:
    await editor.open()
    told.take()
    for switch, changed in SWITCHES.items():
        await editor.evaluate(f"execute('Midfill {switch}')")
        await editor.lua(SETTLED)
        assert told.take() == [["settings", OPTIONS | changed]], switch


async def test_what_is_set_up_again_holds_for_open_files(editor: Neovim, told: Told) -> None:
    await editor.open()
    told.take()
    await editor.lua('require("midfill").setup({ trigger = "manual" }) == nil')
    await editor.lua(SETTLED)
    assert told.take() == [["settings", OPTIONS | {"trigger": "manual"}]]
    await editor.play(("grow = ", "grow = "), ("<M-\\>", "grow = ‹one›"), ("o", "grow = o‹ne›"))
    await editor.lua('require("midfill").setup() == nil')
    await editor.lua(SETTLED)
    assert told.take() == [["settings", OPTIONS]]


async def test_a_server_is_started_again_by_hand(editor: Neovim, told: Told) -> None:
    await editor.open()
    told.take()
    await editor.evaluate("execute('Midfill restart')")
    await editor.terminal.until(lambda _: ["options", OPTIONS] in told.take(), "a new server")
    await editor.status("ready")
    await editor.play(GROW)


async def test_a_server_that_crashed_is_started_again(home: Home, editor: Neovim, told: Told) -> None:
    await editor.open()
    told.take()
    # Neovim itself has something to say, in more than a line where the path of its log is long.
    await editor.evaluate("execute('set cmdheight=3')")
    (server,) = [process for process in home.processes() if str(told.log) in process.cmdline()]
    server.kill()
    await editor.terminal.until(lambda _: ["options", OPTIONS] in told.take(), "a new server")
    await editor.status("ready")
    await editor.play(GROW)
