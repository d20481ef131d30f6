"""What is outlined again and what is not; what becomes excluded; files that fail, and files that end the process."""

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest

from midfill_workspace.exclusion import Rules
from midfill_workspace.indexed_files import LIMIT_BYTES
from support.index import DAY, FILES, Indexed, indexed, write

SOURCES = ["app/__init__.py", "app/main.py", "app/model.py", "shop/cart.go"]


@pytest.fixture
def it(tmp_path_factory: pytest.TempPathFactory) -> Indexed:
    """A workspace that has been indexed."""
    it = indexed(tmp_path_factory.mktemp("index"))
    assert it.sweep() == SOURCES
    return it


def paths(it: Indexed) -> list[str]:
    with closing(it.open()) as store:
        return sorted(store.stamps(store.workspace(str(it.root))))


# --- what is done again ---------------------------------------------------------------------------------


def nothing(it: Indexed) -> None:
    pass


def touch(it: Indexed) -> None:
    os.utime(it.root / "app/model.py", ns=(1, 1))


def edit(it: Indexed) -> None:
    (it.root / "app/model.py").write_text("class Basket: ...\n")


def add(it: Indexed) -> None:
    write(it.root, {"app/new.py": "new = 1\n"})


def rename(it: Indexed) -> None:
    (it.root / "app/model.py").rename(it.root / "app/order.py")


def rename_folder(it: Indexed) -> None:
    (it.root / "app").rename(it.root / "application")


def copy(it: Indexed) -> None:
    write(it.root, {"copy/model.py": FILES["app/model.py"]})


def delete(it: Indexed) -> None:
    (it.root / "app/model.py").unlink()


@pytest.mark.parametrize("fresh", [False, True], ids=["sweep", "refresh"])
@pytest.mark.parametrize(
    ("act", "changed", "outlined", "there"),
    [
        (nothing, [], [], []),
        (touch, ["app/model.py"], [], ["app/model.py"]),
        (edit, ["app/model.py"], ["app/model.py"], ["app/model.py"]),
        (add, ["app/new.py"], ["app/new.py"], ["app/new.py", "app/model.py"]),
        (rename, ["app/model.py", "app/order.py"], [], ["app/order.py"]),
        (rename_folder, ["app", *(f"application/{name}" for name in ("main.py", "model.py", "__init__.py"))], [], []),
        (copy, ["copy/model.py"], [], ["app/model.py", "copy/model.py"]),
        (delete, ["app/model.py"], [], []),
    ],
)
def test_only_new_content_is_outlined(
    it: Indexed,
    act: Callable[[Indexed], None],
    changed: list[str],
    outlined: list[str],
    there: list[str],
    fresh: bool,
) -> None:
    act(it)
    assert (it.refresh(*changed) if fresh else it.sweep()) == outlined
    on_disk = [str(file.relative_to(it.root)) for file in it.root.rglob("*") if file.is_file()]
    assert paths(it) == sorted(on_disk)
    project = it.project()
    assert all(project.outline(path) for path in there)


def test_a_branch_switch_and_back_uses_what_is_known(it: Indexed) -> None:
    other = {f"app/m{number}.py": f"x{number} = 1\n" for number in range(300)}
    write(it.root, other)
    assert len(it.sweep()) == 300
    for path in other:
        (it.root / path).unlink()
    assert it.sweep() == []
    write(it.root, other)
    assert it.sweep() == []
    assert len(paths(it)) == len(FILES) + 300


def test_a_clone_uses_what_is_known(it: Indexed) -> None:
    write(it.root.parent / "clone", FILES)
    assert replace(it, root=it.root.parent / "clone").sweep() == []


# --- what is never read ---------------------------------------------------------------------------------

UNREAD = {
    ".env.py": "KEY = 1\n",
    ".hidden/a.py": "a = 1\n",
    ".git/hook.py": "a = 1\n",
    "node_modules/lib/a.js": "a = 1\n",
    "keys/secrets.py": "KEY = 1\n",
    "api_pb2.py": "a = 1\n",
    "a.txt": "text\n",
    "big.py": "x = 1\n" * (LIMIT_BYTES // 6 + 1),
    "binary.py": "x = 1\0\n",
    "flat.js": "a=1;" * 6000,
}


@pytest.mark.parametrize("path", UNREAD)
def test_what_is_excluded_is_not_there(it: Indexed, path: str) -> None:
    write(it.root, {path: UNREAD[path]})
    assert it.sweep() == []
    assert it.refresh(path) == []
    assert not it.project().has(path)


def test_links_are_not_followed(it: Indexed) -> None:
    write(it.root.parent / "outside", {"secret.py": "s = 1\n"})
    (it.root / "linked.py").symlink_to(it.root.parent / "outside/secret.py")
    (it.root / "linked").symlink_to(it.root.parent / "outside")
    assert it.sweep() == []
    assert it.refresh("linked.py", "linked/secret.py", "../outside/secret.py") == []
    assert paths(it) == sorted(FILES)


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        (Rules(globs=("app/",)), ["go.mod", "shop/cart.go"]),
        (Rules(languages=("python",)), ["go.mod", "shop/cart.go"]),
        (Rules(globs=("*.mod",)), SOURCES),
    ],
)
def test_what_becomes_excluded_vanishes(it: Indexed, rules: Rules, left: list[str]) -> None:
    hidden = replace(it, rules=rules)
    assert hidden.sweep() == []
    assert paths(hidden) == left
    it.sweep()
    assert paths(it) == sorted(FILES)


def test_a_file_that_grows_too_large_vanishes(it: Indexed) -> None:
    write(it.root, {"app/model.py": UNREAD["big.py"]})
    it.refresh("app/model.py")
    assert not it.project().has("app/model.py")


def test_not_more_files_than_the_limit(it: Indexed) -> None:
    it.limit_files = 2
    it.sweep()
    assert len(paths(it)) == 2


# --- files that harm ------------------------------------------------------------------------------------


def test_a_file_that_fails_is_empty_and_the_others_are_read(it: Indexed) -> None:
    write(it.root, {"app/bad.py": "FAIL\n", "app/good.py": "good = 1\n"})
    assert it.sweep() == ["app/bad.py", "app/good.py"]
    outline = it.project().outline("app/bad.py")
    assert outline
    assert not outline.definitions
    assert it.outline("app/good.py").definitions
    assert it.sweep() == []


def test_a_file_that_ended_the_process_twice_is_skipped(it: Indexed, caplog: pytest.LogCaptureFixture) -> None:
    write(it.root, {"app/bad.py": "CRASH\n", "app/good.py": "good = 1\n", "app/zzz.py": "z = 1\n"})
    it.crash()
    it.crash()
    assert "app/bad.py" not in it.sweep()
    assert [record.message for record in caplog.records] == ["index.file_skipped"]
    assert it.outline("app/good.py").definitions
    assert it.sweep() == []
    write(it.root, {"app/bad.py": "better = 1\n"})
    assert it.sweep() == ["app/bad.py"]


def test_several_files_that_end_the_process_are_found_one_by_one(it: Indexed) -> None:
    write(it.root, {f"app/bad{number}.py": f"CRASH {number}\n" for number in range(3)} | {"app/good.py": "good = 1\n"})
    for _ in range(4):
        it.crash()
    it.sweep()
    assert it.outline("app/good.py").definitions
    assert {f"app/bad{number}.py" for number in range(3)} <= set(paths(it))


@pytest.mark.parametrize(
    ("window", "days", "suspected"), [("", 0, True), ("other", 0, False), ("", 1, True), ("other", 1, True)]
)
def test_what_another_window_works_on_is_not_suspected(it: Indexed, window: str, days: int, suspected: bool) -> None:
    write(it.root, {"app/bad.py": "CRASH\n"})
    it.crash()
    with closing(it.open(DAY + days, window)) as store:
        assert bool(store.tries()) is suspected


def test_what_an_orderly_end_interrupts_is_not_suspected(it: Indexed) -> None:
    write(it.root, {"app/bad.py": "CRASH\n"})
    it.crash()
    with closing(it.open()) as store:
        store.begin_alone(next(iter(store.tries())))
    with closing(it.open()) as store:
        assert not store.tries()
