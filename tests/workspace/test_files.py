"""What of a workspace may be listed and read: ignore files, links, repositories inside, and things that are no files."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from midfill_workspace import files
from midfill_workspace.exclusion import REASONS, Rules
from midfill_workspace.files import Text, Withheld, Workspace

NEEDS_UNIX = pytest.mark.skipif(os.name == "nt", reason="links and pipes of Unix")


def plant(root: Path, tree: Mapping[str, str]) -> Workspace:
    """Files by path; a path that ends with `/` is a folder, and a text that begins with `->` a link."""
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
        elif text.startswith("->"):
            path.symlink_to(text.removeprefix("->"))
        else:
            path.write_text(text)
    return Workspace(root)


def check(workspace: Workspace, path: str, reason: str) -> None:
    """Read it: its text, or the reason."""
    assert workspace.allowed(path) or workspace.reason(path) in REASONS
    found = workspace.read(path)
    assert (found.reason if isinstance(found, Withheld) else "") == reason


# --- ignore files ---------------------------------------------------------------------------------------

TREE: Mapping[str, str] = {
    ".git/info/exclude": "private.py\n",
    ".gitignore": "*.log\n/build\nnested/*.txt\n",
    ".midfillignore": "notes/\n!important.log\n*.draft\n",
    "app.py": "x = 1\n",
    "private.py": "",
    "debug.log": "",
    "important.log": "",
    "build/a.py": "",
    "build/.gitignore": "!*\n",
    "src/build/a.py": "",
    "nested/a.txt": "",
    "nested/.gitignore": "!kept.txt\n",
    "nested/kept.txt": "",
    "notes/plan.md": "",
    "a.draft": "",
    "sub/.gitignore": "!a.draft\n",
    "sub/a.draft": "",
    "module/.git": "gitdir: ../.git/modules/module\n",
    ".git/modules/module/info/exclude": "own.py\n",
    "module/.gitignore": "*.tmp\n!debug.log\n",
    "module/a.tmp": "",
    "module/a.py": "",
    "module/own.py": "",
    "module/debug.log": "",
    ".env": "",
}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("app.py", ""),
        ("private.py", "ignored"),
        ("debug.log", "ignored"),
        ("important.log", ""),
        ("build/a.py", "ignored"),
        ("src/build/a.py", ""),
        ("nested/a.txt", "ignored"),
        ("nested/kept.txt", ""),
        ("notes/plan.md", "midfill_ignored"),
        ("sub/a.draft", "midfill_ignored"),
        ("module/a.py", ""),
        ("module/a.tmp", "ignored"),
        ("module/own.py", "ignored"),
        ("module/debug.log", "ignored"),
        (".env", "secret_file"),
        (".git/config", "repository_internal"),
        ("missing.py", "unreadable"),
    ],
)
def test_ignore_files(tmp_path: Path, path: str, reason: str) -> None:
    check(plant(tmp_path, TREE), path, reason)


def test_a_walk_finds_what_may_be_read(tmp_path: Path) -> None:
    workspace = plant(tmp_path, TREE)
    found = list(workspace.walk())
    assert found == sorted(path for path in TREE if workspace.allowed(path) and path != "build/.gitignore")
    assert all(isinstance(workspace.read(path), Text) for path in found)
    told = {entry.path: entry.reason for entry in workspace.survey() if isinstance(entry, Withheld)}
    assert told["build"] == "ignored"
    assert told[".git"] == "repository_internal"


def test_a_folder_inside_a_repository_obeys_the_files_above_it(tmp_path: Path) -> None:
    plant(
        tmp_path, {".git/": "", ".gitignore": "*.log\n/app/gen/\n", "app/a.log": "", "app/gen/a.py": "", "app/a.py": ""}
    )
    workspace = Workspace(tmp_path / "app")
    assert list(workspace.walk()) == ["a.py"]


def test_a_star_in_our_file_switches_a_workspace_off(tmp_path: Path) -> None:
    workspace = plant(tmp_path, {".midfillignore": "*\n", "a.py": "", "b/c.py": ""})
    assert list(workspace.walk()) == []


def test_what_git_ignores_can_be_sent_by_choice_but_not_what_our_file_names(tmp_path: Path) -> None:
    plant(tmp_path, TREE)
    workspace = Workspace(tmp_path, sends_ignored=True)
    check(workspace, "build/a.py", "")
    check(workspace, "a.draft", "midfill_ignored")
    check(workspace, "build/a.draft", "midfill_ignored")
    check(workspace, ".env", "secret_file")


def test_an_ignore_file_is_read_again_once_it_is_forgotten(tmp_path: Path) -> None:
    workspace = plant(tmp_path, {"a.py": ""})
    check(workspace, "a.py", "")
    (tmp_path / ".gitignore").write_text("a.py\n")
    check(workspace, "a.py", "")
    workspace.ignores.forget()
    check(workspace, "a.py", "ignored")


@NEEDS_UNIX
def test_an_ignore_file_that_cannot_be_read_keeps_its_folder_back(tmp_path: Path) -> None:
    tree = {"a/x.py": "", "b/x.py": "", "b/.gitignore/": "", "c/x.py": "", "c/.gitignore": "a\n" * 10_000}
    workspace = plant(tmp_path, tree)
    os.mkfifo(tmp_path / "a" / ".gitignore")
    check(workspace, "a/x.py", "ignored")
    check(workspace, "b/x.py", "")
    check(workspace, "c/x.py", "ignored")


def test_case_counts_as_git_says(tmp_path: Path) -> None:
    tree = {
        ".git/config": "[core]\n\tignorecase = true\n",
        ".gitignore": "Secret/\n*.LOG\n",
        "secret/a.py": "",
        "a.log": "",
    }
    workspace = plant(tmp_path, tree)
    check(workspace, "secret/a.py", "ignored")
    check(workspace, "a.log", "ignored")


# --- links ----------------------------------------------------------------------------------------------


@NEEDS_UNIX
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("app.py", ""),
        ("../outside.py", "symlink_outside"),
        ("/etc/hostname", "symlink_outside"),
        (".env", "secret_file"),
        ("build/a.py", "ignored"),
        ("notes/plan.md", "midfill_ignored"),
        (".git/config", "repository_internal"),
        ("link.py", "not_a_file"),
        ("src", "not_a_file"),
        ("gone.py", "unreadable"),
    ],
)
def test_a_link_counts_as_what_it_leads_to(tmp_path: Path, target: str, reason: str) -> None:
    (tmp_path / "outside.py").write_text("out = 1\n")
    workspace = plant(tmp_path / "w", {**TREE, "link.py": f"->{target}"})
    check(workspace, "link.py", reason)
    assert "link.py" not in set(workspace.walk())


@NEEDS_UNIX
def test_folders_that_lead_outside_or_in_circles_are_not_walked(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.py").write_text("")
    workspace = plant(tmp_path / "w", {"a.py": "", "b/circle": "->..", "b/out": "->../../out", "b/self": "->self"})
    assert list(workspace.walk()) == ["a.py"]
    check(workspace, "b/circle/a.py", "")
    check(workspace, "b/out/a.py", "symlink_outside")


@NEEDS_UNIX
def test_a_root_that_is_a_link_is_a_workspace_as_well(tmp_path: Path) -> None:
    plant(tmp_path / "w", {"a.py": "x"})
    (tmp_path / "l").symlink_to("w")
    assert Workspace(tmp_path / "l").read("a.py") == Text("a.py", "x")


@NEEDS_UNIX
def test_a_link_that_is_put_there_after_the_check_is_not_followed(tmp_path: Path) -> None:
    plant(tmp_path, {"out/a.py": "other", "w/b/a.py": "", "w/a.py": "->../out/a.py", "w/c": "->../out"})
    # What was checked is a path without a link in it, and this is what is opened.
    assert files._read(tmp_path / "w", "a.py", 100) == "not_a_file"
    with pytest.raises(OSError, match="c"):
        files._read(tmp_path / "w", "c/a.py", 100)


# --- things that are no text ----------------------------------------------------------------------------


@NEEDS_UNIX
def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    workspace = plant(tmp_path, {"folder.py/": "", "a.py": ""})
    os.mkfifo(tmp_path / "pipe.py")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.py"))
        for path in ("pipe.py", "socket.py", "folder.py"):
            check(workspace, path, "not_a_file")
        assert list(workspace.walk()) == ["a.py"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"x = 1\n", "x = 1\n"),
        (b"\xef\xbb\xbfx = 1\r\n", "x = 1\r\n"),
        (b"name = '\xe9t\xe9'  # Latin-1, as some old files are, with enough around it to be text\n", "\ufffd"),
        (b"\xff\xfe\x80\x81", "binary"),
        (b"x\0y", "binary"),
        (b"x" * 3_000, "minified"),
        (b"x = 1\n" * 2_000, "too_large"),
        (b"", ""),
    ],
)
def test_texts(tmp_path: Path, raw: bytes, expected: str) -> None:
    (tmp_path / "a.py").write_bytes(raw)
    found = Workspace(tmp_path, Rules(limit_chars=10_000)).read("a.py")
    assert found.reason == expected if isinstance(found, Withheld) else expected in found.text


@pytest.mark.parametrize("path", ["", ".", "..", "../a.py", "a/../../b", "/etc/passwd", "a\0b"])
def test_paths_that_lead_out(tmp_path: Path, path: str) -> None:
    check(plant(tmp_path, {"a.py": ""}), path, "outside")


@NEEDS_UNIX
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    workspace = plant(tmp_path, {"a.py": "", "b/a.py": ""})
    (tmp_path / "a.py").chmod(0)
    (tmp_path / "b").chmod(0)
    check(workspace, "a.py", "unreadable")
    assert Withheld("b", "unreadable") in list(workspace.survey())
    (tmp_path / "b").chmod(0o700)


def test_a_walk_ends(tmp_path: Path) -> None:
    plant(tmp_path, {f"{number}.py": "" for number in range(5)})
    workspace = Workspace(tmp_path, limit_files=3)
    assert [*workspace.survey()][-1] == Withheld("", "too_many")
    assert len(list(workspace.walk())) == 3
