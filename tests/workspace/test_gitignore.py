"""Ignore patterns: rows, the same answers as git itself on generated trees, and no pattern that takes long."""

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from midfill_workspace.gitignore import parse, verdict
from midfill_workspace.ignore import Ignores

NAMES = ("a", "b", "ab", "foo", "bar", "foobar", "Foo", "a.txt", "b.log", "x y", "#h", "!n", "é", "[z]", "a\\b", "abc1")
PARTS = (
    *NAMES,
    *("*", "**", "***", "?", "f*", "*o*", "*.txt", "*.log", "?o", "a*b", "f**o", "foo**", "**r", "*1", "a.", "FOO"),
    *("[ab]", "[!a]", "[^b]*", "[]a]", "[a-f]oo", "[b-a]", "[a-]", "[", "[a", "[\\]a]", "\\[z]"),
    *("[[:alpha:]]", "[[:digit:]]", "[[:nonsense:]]", "\\a", "\\!n", "\\#h", "x\\ y", "a\\"),
)
SEEDS = range(2000 if os.environ.get("MIDFILL_SOAK") else 60)


@pytest.mark.parametrize(
    ("lines", "path", "ignored"),
    [
        ("*.log\n!keep.log\n", "keep.log", False),
        ("*.log\n!keep.log\n", "a.log", True),
        ("/a\n", "b/a", None),
        ("a/b\n", "c/a/b", None),
        ("**/a/b\n", "c/a/b", True),
        ("a/**/b\n", "a/b", True),
        ("a/**\n", "a", None),
        ("build/\n", "build", None),
        ("# a\n\\#b\r\n", "#b", True),
        ("a \nb\\ \n", "b ", True),
        ("[\n", "[", None),
        ("\ufeffa\n", "a", True),
        ("A.TXT\n", "a.txt", None),
    ],
)
def test_one_path(lines: str, path: str, ignored: bool | None) -> None:
    assert verdict(parse(lines.encode(), fold_case=False), path.encode(), is_folder=False) is ignored


def test_case_can_be_ignored() -> None:
    assert verdict(parse(b"A.[T]xt\n", fold_case=True), b"a.TXT", is_folder=False)


@pytest.mark.parametrize(
    "glob", ["*a" * 20 + "b", "**/a/" * 20 + "b", "**/*a*a/" * 20 + "b", "*" * 4_000, "**/" * 300 + "b"]
)
@pytest.mark.parametrize("path", ["a" * 4_000, "a/" * 2_000 + "a", "aa/" * 1_000 + "c"])
def test_a_hostile_pattern_takes_no_time(glob: str, path: str) -> None:
    # A matcher that goes back would not end while anybody waits.
    verdict(parse(glob.encode(), fold_case=False), path.encode(), is_folder=False)


# --- git itself -----------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    command = ("git", "-C", str(folder), *arguments)
    return subprocess.run(command, input=given, env=environment, stdout=subprocess.PIPE, check=False).stdout


def pattern(chance: random.Random) -> str:
    text = "/".join(chance.choice(PARTS) for _ in range(chance.choice((1, 1, 1, 2, 2, 3))))
    start, end = chance.choice(("", "", "", "/")), chance.choice(("", "", "", "/"))
    return chance.choice(("", "", "!")) + start + text + end + chance.choice(("",) * 9 + ("  ",))


def lines(chance: random.Random) -> str:
    return "".join(f"{pattern(chance)}\n" for _ in range(chance.randint(1, 4)))


def grow(root: Path, chance: random.Random) -> None:
    """A repository with files, folders, and ignore files in some of them."""
    git(root, "init", "-q")
    git(root, "config", "core.ignorecase", chance.choice(("true", "false", "false")))
    (root / ".git" / "info" / "exclude").write_text(lines(chance) if chance.random() < 0.3 else "")
    for _ in range(25):
        path = root.joinpath(*(chance.choice(NAMES) for _ in range(chance.randint(1, 4))))
        if all(not folder.exists() or folder.is_dir() for folder in path.parents) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    folders = [folder for folder in root.rglob("*") if folder.is_dir() and ".git" not in folder.parts]
    for folder in [root, *chance.sample(folders, min(2, len(folders)))]:
        (folder / ".gitignore").write_text(lines(chance))


def paths_below(root: Path) -> Iterator[tuple[str, bool]]:
    for path in sorted(root.rglob("*")):
        if ".git" not in path.relative_to(root).parts:
            yield path.relative_to(root).as_posix(), path.is_dir()


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_git_says_the_same(tmp_path: Path, seed: int) -> None:
    grow(tmp_path, random.Random(seed))
    paths = list(paths_below(tmp_path))
    given = "\0".join(path for path, _ in paths).encode()
    told = git(tmp_path, "check-ignore", "--no-index", "-z", "--stdin", given=given).decode().split("\0")
    ignores = Ignores(tmp_path)
    ours = [path for path, is_folder in paths if ignores.reason(path, is_folder=is_folder)]
    assert sorted(ours) == sorted(filter(None, told))
