"""Installed packages: which folders are theirs, what of them may be read, and what an import of one brings."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from midfill_workspace.exclusion import Rules
from midfill_workspace.installed_files import LIMIT_CHARS, InstalledFiles
from midfill_workspace.packages import KNOWN, WANTED, Packages
from midfill_workspace.resolve.installed import activated, is_installed, node_folders
from midfill_workspace.visible import visible
from support.index import write
from support.projects import Files

LIB = "lib/python3.11/site-packages"
CFG = "home = /usr/bin\n"
LINK = "-> "
"""What a file's text begins with that is a link: where it leads follows."""

VENV = {".venv/pyvenv.cfg": CFG, f".venv/{LIB}/pack/__init__.py": "inside"}
PACK = "../site-packages/pack/__init__.py"


def read(folder: Path, files: Mapping[str, str], path: str, rules: Rules, variables: Mapping[str, str]) -> str | None:
    """In a folder with a workspace `work` and whatever lies beside it."""
    write(folder, {name: text for name, text in files.items() if not text.startswith(LINK)})
    for name, text in files.items():
        if text.startswith(LINK):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(folder / text.removeprefix(LINK))
    environments = [str(folder / each) for each in activated(variables)]
    return InstalledFiles(folder / "work", rules, environments).read(path)


def work(files: Mapping[str, str]) -> dict[str, str]:
    return {f"work/{name}": text for name, text in files.items()}


OUTSIDE = {f"other/{LIB}/pack/__init__.py": "outside"}
ACTIVE = {"VIRTUAL_ENV": "other"}


@pytest.mark.parametrize(
    ("files", "variables", "expected"),
    [
        (work(VENV), {}, "inside"),
        (work({"venv/pyvenv.cfg": CFG, f"venv/{LIB}/pack/__init__.py": "inside"}), {}, "inside"),
        (work({"env/pyvenv.cfg": CFG, "env/Lib/site-packages/pack/__init__.py": "inside"}), {}, "inside"),
        (work(VENV | {".venv/bin/python": f"{LINK}python"}) | {"python": ""}, {}, "inside"),
        (work(VENV | {".venv/lib/python3.9/site-packages/pack/__init__.py": "old"}), {}, "inside"),
        (work(VENV) | OUTSIDE, ACTIVE, "inside"),
        (work(VENV | {f"own/{LIB}/pack/__init__.py": "active"}), {"VIRTUAL_ENV": "work/own"}, "active"),
        (OUTSIDE, ACTIVE, "outside"),
        (OUTSIDE, {"CONDA_PREFIX": "other"}, "outside"),
        (OUTSIDE | {"link": f"{LINK}other"}, {"VIRTUAL_ENV": "link"}, "outside"),
        # A repository leads nowhere.
        (OUTSIDE, {}, None),
        (OUTSIDE | work({".venv/pyvenv.cfg": "home = ../other\n"}), {}, None),
        (OUTSIDE | work({".venv": f"{LINK}other"}) | {"other/pyvenv.cfg": CFG}, {}, None),
        (OUTSIDE | work({".venv/pyvenv.cfg": CFG, ".venv/lib": f"{LINK}other/lib"}), {}, None),
        (OUTSIDE | work({".venv/pyvenv.cfg": CFG, f".venv/{LIB}": f"{LINK}other/{LIB}"}), {}, None),
        (OUTSIDE | work({".venv/pyvenv.cfg": CFG, f".venv/{LIB}/pack": f"{LINK}other/{LIB}/pack"}), {}, None),
        (OUTSIDE | work({".venv/pyvenv.cfg": CFG, f".venv/{LIB}/a.pth": "../other"}), {}, None),
        (work({f".venv/{LIB}/pack/__init__.py": "no environment"}), {}, None),
        (
            work(
                {
                    ".gitignore": "/mine/\n",
                    ".venv/pyvenv.cfg": CFG,
                    "mine/__init__.py": "ignored",
                    f".venv/{LIB}/pack": f"{LINK}work/mine",
                }
            ),
            {},
            None,
        ),
    ],
)
def test_the_environment_of_a_workspace(
    tmp_path: Path, files: Mapping[str, str], variables: Mapping[str, str], expected: str | None
) -> None:
    assert read(tmp_path, files, PACK, Rules(), variables) == expected


NODE = {"node_modules/pack/index.d.ts": "types"}
TYPES = "node_modules/pack/index.d.ts"


@pytest.mark.parametrize(
    ("files", "path", "rules", "expected"),
    [
        (VENV | {".gitignore": ".venv\n"}, PACK, Rules(), "inside"),
        (VENV | {".midfillignore": ".venv\n"}, PACK, Rules(), None),
        (VENV | {".midfillignore": "pack/\n"}, PACK, Rules(), None),
        (VENV | {f".venv/{LIB}/.midfillignore": "pack\n"}, PACK, Rules(), None),
        (VENV, PACK, Rules(globs=(".venv/",)), None),
        (VENV, PACK, Rules(globs=("pack/",)), None),
        (VENV, PACK, Rules(languages=("python",)), None),
        (VENV | {f".venv/{LIB}/pack/__init__.py": "x\n" * LIMIT_CHARS}, PACK, Rules(), None),
        (VENV | {f".venv/{LIB}/pack/__init__.py": "\0"}, PACK, Rules(), None),
        (VENV | {f".venv/{LIB}/credentials.py": "c"}, "../site-packages/credentials.py", Rules(), None),
        (VENV | {f".venv/{LIB}/pack/data.json": "{}"}, "../site-packages/pack/data.json", Rules(), None),
        (VENV, "../site-packages/../site-packages/pack/__init__.py", Rules(), None),
        (VENV | {".venv/lib/x.py": "x"}, "../site-packages/../../x.py", Rules(), None),
        (VENV, "../pyvenv.py", Rules(), None),
        (VENV, "../site-packages/\0.py", Rules(), None),
        (VENV, "../site-packages/\ud800.py", Rules(), None),
        (VENV, f"../site-packages/{'long' * 2_000}.py", Rules(), None),
        (NODE, "node_modules/\0/index.d.ts", Rules(), None),
        (NODE, "node_modules/\ud800/index.d.ts", Rules(), None),
        (NODE, f"node_modules/{'long' * 2_000}/index.d.ts", Rules(), None),
        (NODE, TYPES, Rules(), "types"),
        (NODE | {".gitignore": "node_modules\n"}, TYPES, Rules(), "types"),
        (NODE | {".midfillignore": "node_modules\n"}, TYPES, Rules(), None),
        (NODE, TYPES, Rules(globs=("node_modules/",)), None),
        ({"node_modules/pack/package.json": "{}"}, "node_modules/pack/package.json", Rules(), "{}"),
        ({"node_modules/pack/index.ts": "source"}, "node_modules/pack/index.ts", Rules(), None),
        ({"mine/index.d.ts": "own"}, "mine/index.d.ts", Rules(), None),
        (
            {
                "node_modules/.pnpm/p@1/node_modules/pack/index.d.ts": "linked",
                "node_modules/pack": f"{LINK}work/node_modules/.pnpm/p@1/node_modules/pack",
            },
            TYPES,
            Rules(),
            "linked",
        ),
        ({"mine/index.d.ts": "own", "node_modules/pack": f"{LINK}work/mine"}, TYPES, Rules(), None),
        ({"node_modules/pack": f"{LINK}far", "../far/index.d.ts": "far"}, TYPES, Rules(), None),
    ],
)
def test_what_may_be_read(
    tmp_path: Path, files: Mapping[str, str], path: str, rules: Rules, expected: str | None
) -> None:
    assert read(tmp_path, work(files), path, rules, {}) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("../site-packages/a.py", True),
        ("node_modules/a/index.d.ts", True),
        ("web/node_modules/@o/a/index.d.ts", True),
        ("site-packages/a.py", False),
        ("my_node_modules/a.ts", False),
        ("node_modules", False),
        ("src/a.ts", False),
    ],
)
def test_paths_tell_what_is_installed(path: str, expected: bool) -> None:
    assert is_installed(path) == expected


def test_packages_are_looked_for_upwards() -> None:
    assert list(node_folders("web/src")) == ["web/src/node_modules", "web/node_modules", "node_modules"]
    assert list(node_folders("node_modules/a")) == ["node_modules/a/node_modules", "node_modules"]


# --- what an import brings ----------------------------------------------------------------------------


def check(importer: str, texts: Mapping[str, str], line: str, expected: str) -> None:
    project = Files({**texts, importer: line + "\n"})
    seen = visible(project.of(importer), project)
    written = [
        f"{each.qualifier}.{each.name}@{each.path}" if each.qualifier else f"{each.name}@{each.path}" for each in seen
    ]
    assert " ".join(written) == expected.replace("~", "../site-packages")


PYTHON = {
    "../site-packages/req/__init__.py": "from .api import get\nfrom . import models\n__version__ = '1'\n",
    "../site-packages/req/api.py": "from .models import Reply\ndef get(url: str) -> Reply: ...\ndef _inner(): ...\n",
    "../site-packages/req/models.py": "class Reply: ...\n",
    "../site-packages/typed/__init__.py": "def f(a): ...\n",
    "../site-packages/typed/__init__.pyi": "def f(a: int) -> int: ...\n",
    "../site-packages/late/__init__.py": "def g(a): ...\ndef only_in_source(): ...\n",
    "../site-packages/late-stubs/__init__.pyi": "from .inner import g as g\n",
    "../site-packages/late-stubs/inner.pyi": "def g(a: int) -> int: ...\n",
    "../site-packages/single.py": "import own\nfrom req import get\ndef h(): ...\n",
    "../site-packages/shadow.py": "def installed(): ...\n",
    "shadow.py": "def own(): ...\n",
    "own.py": "def o(): ...\n",
}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("from req import get", "get@~/req/api.py"),
        ("from req.models import Reply as R", "R@~/req/models.py"),
        ("import req", "req.__version__@~/req/__init__.py req.get@~/req/api.py"),
        ("from req import models", "models.Reply@~/req/models.py"),
        ("from typed import f", "f@~/typed/__init__.pyi"),
        ("from late import g, only_in_source", "g@~/late-stubs/inner.pyi only_in_source@~/late/__init__.py"),
        ("import single", "single.h@~/single.py"),
        ("from single import own", ""),
        ("import shadow", "shadow.own@shadow.py"),
        ("import missing, os", ""),
        (
            "import req.models\nfrom single import h\nfrom own import o",
            "o@own.py h@~/single.py req.models.Reply@~/req/models.py",
        ),
    ],
)
def test_python(line: str, expected: str) -> None:
    check("main.py", PYTHON, line, expected)


NODE_TEXTS = {
    "node_modules/a/package.json": '{"types": "./dist/index.d.ts", "main": "./dist/index.js"}',
    "node_modules/a/dist/index.d.ts": "import { T } from 'dep';\nexport * from './more.js';\nexport declare function f(t: T): void;\n",
    "node_modules/a/dist/more.d.ts": "export declare const more: number;\n",
    "node_modules/a/dist/index.ts": "export const source = 1;\n",
    "node_modules/@o/b/package.json": '{"exports": {".": {"import": {"types": "./b.d.mts"}}, "./sub": {"types": "./s.d.ts"}}}',
    "node_modules/@o/b/b.d.mts": "export declare class B {}\n",
    "node_modules/@o/b/s.d.ts": "export interface Sub {}\n",
    "node_modules/c/package.json": '{"main": "index.js"}',
    "node_modules/@types/c/package.json": '{"typings": "c.d.ts"}',
    "node_modules/@types/c/c.d.ts": "declare module 'c' {\n  export function run(n: number): string;\n}\n",
    "node_modules/@types/o__d/package.json": "{}",
    "node_modules/@types/o__d/index.d.ts": "export function d(): void;\n",
    "node_modules/bad/package.json": '{"types": "../../src/own.ts"}',
    "web/node_modules/a/package.json": '{"types": "near.d.ts"}',
    "web/node_modules/a/near.d.ts": "export const near: number;\n",
    "src/own.ts": "export const own = 1;\n",
}


@pytest.mark.parametrize(
    ("importer", "line", "expected"),
    [
        (
            "src/m.ts",
            "import { f, more, source } from 'a'",
            "f@node_modules/a/dist/index.d.ts more@node_modules/a/dist/more.d.ts",
        ),
        (
            "src/m.ts",
            "import * as a from 'a'",
            "a.f@node_modules/a/dist/index.d.ts a.more@node_modules/a/dist/more.d.ts",
        ),
        ("src/m.js", "const { f } = require('a')", "f@node_modules/a/dist/index.d.ts"),
        ("web/m.ts", "import { near } from 'a'", "near@web/node_modules/a/near.d.ts"),
        ("src/m.ts", "import { B } from '@o/b'", "B@node_modules/@o/b/b.d.mts"),
        ("src/m.ts", "import { Sub } from '@o/b/sub'", "Sub@node_modules/@o/b/s.d.ts"),
        ("src/m.ts", "import { run } from 'c'", "run@node_modules/@types/c/c.d.ts"),
        ("src/m.ts", "import { d } from '@o/d'", "d@node_modules/@types/o__d/index.d.ts"),
        (
            "src/m.ts",
            "import { f } from 'a'\nimport { own } from './own'",
            "own@src/own.ts f@node_modules/a/dist/index.d.ts",
        ),
        ("src/m.ts", "import { x } from '../../etc/a'\nimport y from 'fs'", ""),
    ],
)
def test_typescript(importer: str, line: str, expected: str) -> None:
    check(importer, NODE_TEXTS, line, expected)


def test_a_vendored_go_module_is_read() -> None:
    texts = {
        "go.mod": "module example.com/me\n",
        "vendor/example.com/dep/dep.go": "package dep\n\nfunc Run(n int) error { return nil }\n",
    }
    check("main.go", texts, 'package main\n\nimport "example.com/dep"', "dep.Run@vendor/example.com/dep/dep.go")


# --- what is known of them ----------------------------------------------------------------------------


def test_what_is_asked_for_is_looked_for_once() -> None:
    packages = Packages()
    assert not packages.has("a")
    assert not packages.has("b")
    assert packages.take() == ["a", "b"]
    assert packages.apply([("a", 7, ""), ("b", None, "")])
    assert (packages.has("a"), packages.outline("a"), packages.has("b")) == (True, 7, False)
    assert packages.take() == []
    assert not packages.apply([("a", 7, "")])


def test_a_doubt_looks_again_and_forgetting_forgets() -> None:
    packages = Packages()
    packages.apply([("a", 7, "text"), ("b", None, "")])
    packages.doubt()
    assert packages.text("a") == "text"
    assert packages.take() == ["a"]
    assert packages.apply([("a", None, "")])
    packages.apply([("a", 7, "text")])
    epoch = packages.epoch
    packages.forget()
    assert (packages.text("a"), packages.take(), packages.epoch != epoch) == ("", ["a"], True)


def test_it_stays_bounded() -> None:
    packages = Packages()
    assert not any(packages.has(str(number)) for number in range(3 * WANTED))
    assert len(packages.take()) == WANTED
    packages.apply((str(number), 1, "") for number in range(KNOWN))
    assert not packages.has("another")
    assert packages.take() == []
