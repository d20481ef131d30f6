"""What a user sees in a real Neovim, with the real server and a scripted model."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from editors.nvim.neovim import Neovim, Step, neovim
from support.processes import Home, after, living_in, script

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULES = (
    after("total =", "sum(values)"),
    after("mean =", "total / len(values)"),
    after("area(", "width, height)"),
    after("'naïve 🎉' +", "'日本 🎈'"),
    after("def fib(n):", "\n    if n < 2:\n        return n\n    return fib(n - 1) + fib(n - 2)\n"),
    after("x = fibre", "(n)"),
    after("x = fibula", " + 1"),
    after("many =", "one(1)", seed=0),
    after("many =", "two(2)", seed=1),
    after("many =", "three(3)", seed=2),
    after("if grows:", "one()\n    two()\n    three()\n", token_ms=40),
    {"match": "", "text": ""},
)

LAST = "\n    return fib(n - 1) + fib(n - 2)"
FIB = f"if n < 2:\n        return n{LAST}"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory, program: Path) -> AsyncIterator[Home]:
    folder = tmp_path_factory.mktemp("home")
    async with living_in(folder, script(folder, *RULES)) as home:
        yield home


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def editor(home: Home, program: Path) -> AsyncIterator[Neovim]:
    async with neovim(program, home) as editor:
        yield editor


STORIES: dict[str, tuple[Step, ...]] = {
    "shown after typing": (("total =", "total =‹sum(values)›"),),
    "accepted": (("total = ", "total = ‹sum(values)›"), ("<Tab>", "total = sum(values)")),
    "typed out": (
        ("total = ", "total = ‹sum(values)›"),
        ("s", "total = s‹um(values)›"),
        ("um(v", "total = sum(v‹alues)›"),
        ("<Tab>", "total = sum(values)"),
    ),
    "contradicted": (("total = ", "total = ‹sum(values)›"), ("x", "total = x")),
    "gone with Insert mode": (("total = ", "total = ‹sum(values)›"), ("<Esc>", "total = ")),
    "dismissed": (("total = ", "total = ‹sum(values)›"), ("<C-]>", "total = "), ("s", "total = s‹um(values)›")),
    "taken back": (
        ("total = ", "total = ‹sum(values)›"),
        ("su", "total = su‹m(values)›"),
        ("<BS>", "total = s‹um(values)›"),
        ("<BS>", "total = ‹sum(values)›"),
    ),
    "undone and retyped": (
        ("total = ", "total = ‹sum(values)›"),
        ("<Tab>", "total = sum(values)"),
        ("<Esc>", "total = sum(values)"),
        ("u", "total = "),
        ("A", "total = ‹sum(values)›"),
    ),
    "accepted by words": (
        ("mean = ", "mean = ‹total / len(values)›"),
        ("<M-Right>", "mean = total‹ / len(values)›"),
        ("<M-Right>", "mean = total /‹ len(values)›"),
        ("<M-Right>", "mean = total / len‹(values)›"),
        ("<Tab>", "mean = total / len(values)"),
    ),
    "accepted by lines": (
        ("def fib(n):<CR>", f"def fib(n):\n    ‹{FIB}›"),
        ("<M-Down>", f"def fib(n):\n    if n < 2:‹\n        return n{LAST}›"),
        ("<M-Down>", f"def fib(n):\n    if n < 2:\n        return n‹{LAST}›"),
        ("<Tab>", f"def fib(n):\n    {FIB}"),
    ),
    "around closing brackets": (
        ("area()<Left>", "area(‹width, height›)"),
        ("w", "area(w‹idth, height›)"),
        ("<Tab>", "area(width, height)"),
    ),
    "after wide characters": (
        ("'naïve 🎉' + ", "'naïve 🎉' + ‹'日本 🎈'›"),
        ("'日", "'naïve 🎉' + '日‹本 🎈'›"),
        ("<BS>", "'naïve 🎉' + '‹日本 🎈'›"),
        ("<Tab>", "'naïve 🎉' + '日本 🎈'"),
    ),
    "nothing to accept": (("x<Tab>y", "x   y"),),
}


@pytest.mark.parametrize("name", STORIES)
async def test_story(editor: Neovim, name: str) -> None:
    await editor.open()
    await editor.play(*STORIES[name])


async def test_what_was_accepted_is_what_is_written(editor: Neovim) -> None:
    await editor.open("\t‸\nrest = '🎉'\n")
    await editor.type("total = ")
    await editor.see("    total = ‹sum(values)›\nrest = '🎉'", held="^Itotal = \nrest = '🎉'")
    await editor.type("<Tab>")
    await editor.see("    total = sum(values)\nrest = '🎉'", held="^Itotal = sum(values)\nrest = '🎉'")
    assert await editor.text() == "\ttotal = sum(values)\nrest = '🎉'\n".encode()


STEADY: dict[str, tuple[list[str], tuple[Step, ...]]] = {
    "typed out": (
        ["um(values)", "m(values)", "(values)"],
        (("s", "total = s‹um(values)›"), ("u", "total = su‹m(values)›"), ("m", "total = sum‹(values)›")),
    ),
    "taken back": (
        ["um(values)", "m(values)", "um(values)", "sum(values)"],
        (
            ("s", "total = s‹um(values)›"),
            ("u", "total = su‹m(values)›"),
            ("<BS>", "total = s‹um(values)›"),
            ("<BS>", "total = ‹sum(values)›"),
        ),
    ),
}


@pytest.mark.parametrize("name", STEADY)
async def test_nothing_flickers(editor: Neovim, name: str) -> None:
    frames, steps = STEADY[name]
    await editor.open()
    await editor.play(("total = ", "total = ‹sum(values)›"))
    await editor.frames()
    await editor.play(*steps)
    assert await editor.frames() == frames


async def test_it_grows_while_the_model_writes(editor: Neovim) -> None:
    await editor.open()
    await editor.frames()
    await editor.play(("if grows:<CR>", "if grows:\n    ‹one()\n    two()\n    three()›"))
    shown = [frame for frame in await editor.frames() if frame]
    assert shown[0] == "one()"
    assert all(longer.startswith(shorter) for shorter, longer in itertools.pairwise(shown)), shown


async def test_another_suggestion_is_chosen(editor: Neovim) -> None:
    await editor.open()
    await editor.play(("many = ", "many = ‹one(1)›"))
    # Nobody looks for another one so soon after a key, so the server would give only the first.
    await editor.pause()
    await editor.play(
        ("<M-n>", "many = ‹two(2)›"),
        ("<M-n>", "many = ‹three(3)›"),
        ("<M-p>", "many = ‹two(2)›"),
        ("t", "many = t‹wo(2)›"),
        ("<Tab>", "many = two(2)"),
    )


async def test_an_explanation(editor: Neovim) -> None:
    await editor.open()
    await editor.play(("mean = ", "mean = ‹total / len(values)›"))
    await editor.command("Midfill explain")
    await editor.terminal.until(lambda rows: "A suggestion of 19 characters" in "".join(rows), "an explanation")


async def test_the_health_check_finds_nothing(editor: Neovim) -> None:
    await editor.open()
    await editor.command("Midfill health")
    await editor.terminal.until(lambda rows: "Midfill: ready, scripted" in "".join(rows), "the health of the server")
    report = await editor.lua("table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), [[\\n]])")
    assert "ERROR" not in report
    assert "WARNING" not in report
    assert "accept: <Tab>" in report
    await editor.type(":close<CR>")


async def test_a_language_is_switched_off_and_on(editor: Neovim) -> None:
    await editor.open()
    await editor.command("Midfill language")
    await editor.type("A")
    await editor.play(("total = ", "total = "))
    await editor.status("off")
    await editor.command("Midfill language python")
    await editor.type("A")
    await editor.see("total = ‹sum(values)›")
    await editor.status("ready")


async def test_a_folder_is_switched_off_and_on(editor: Neovim) -> None:
    await editor.open()
    await editor.command("Midfill folder")
    await editor.type("A")
    await editor.play(("total = ", "total = "))
    await editor.status("off")
    await editor.command("Midfill folder")
    await editor.type("A")
    await editor.see("total = ‹sum(values)›")
    await editor.status("ready")


async def test_all_is_switched_off_and_on(editor: Neovim) -> None:
    await editor.open()
    await editor.command("Midfill disable")
    await editor.type("A")
    await editor.play(("total = ", "total = "), ("<M-\\>", "total = "))
    await editor.command("Midfill enable")
    await editor.type("A")
    await editor.see("total = ‹sum(values)›")


async def test_by_hand_only(editor: Neovim) -> None:
    await editor.open()
    await editor.command("Midfill manual")
    await editor.type("A")
    await editor.play(("total = ", "total = "), ("<M-\\>", "total = ‹sum(values)›"), ("s", "total = s‹um(values)›"))
    await editor.command("Midfill automatic")


MENU = "fibula = 1\nfibre = 2\n"


async def test_beside_the_completion_menu(editor: Neovim) -> None:
    await editor.open(MENU + "x = ‸")
    await editor.type("fib<C-x><C-n>")
    rows = await editor.see(MENU + "x = fibula‹ + 1›")
    assert [row.strip("~ ") for row in rows[3:5]] == ["fibula", "fibre"], "the menu is open"
    await editor.type("<C-n>")
    await editor.see(MENU + "x = fibre‹(n)›")
    await editor.type("<Tab>")
    await editor.see(MENU + "x = fibre(n)")


async def test_a_selected_entry_is_completed(editor: Neovim) -> None:
    await editor.command("set completeopt=menuone,noinsert")
    await editor.open(MENU + "x = ‸")
    await editor.type("fibu<C-x><C-n>")
    await editor.see(MENU + "x = fibu‹la + 1›")
    await editor.type("<Tab>")
    await editor.see(MENU + "x = fibula + 1")
    await editor.command("set completeopt&")


async def test_two_windows_share_one_daemon(home: Home, editor: Neovim, program: Path) -> None:
    async with neovim(program, home, "two", MIDFILL_TEST_ENCODING="utf-16") as other:
        await other.open()
        await other.play(*STORIES["after wide characters"])
        assert len(home.daemons()) == 1
    await editor.open()
    await editor.play(("total = ", "total = ‹sum(values)›"))


async def test_a_killed_daemon_is_seen_and_comes_back(home: Home, editor: Neovim) -> None:
    await editor.open()
    daemon = await home.daemon()
    daemon.kill()
    await editor.status("disconnected", "starting")
    await editor.status("ready")
    await editor.play(("mean = ", "mean = ‹total / len(values)›"))
    assert (await home.daemon()).pid != daemon.pid
