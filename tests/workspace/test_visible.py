"""What one file can write of the declarations of others: imports, re-exports, packages, members."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill_workspace import grammars
from midfill_workspace.languages import language_of
from midfill_workspace.visible import HOPS, LIMIT, Visible, members, named, visible
from support.projects import Files

BUNDLE = importlib.util.find_spec("tree_sitter_languages") is not None

Texts = Mapping[str, str]


def check(importer: str, texts: Texts, expected: str) -> None:
    """`expected` holds what can be written, in order, each with its file behind an @."""
    language = language_of(PurePosixPath(importer))
    if isinstance(grammars.GRAMMARS[language], grammars.Bundled) and not BUNDLE:
        return
    project = Files(texts)
    assert [written(each) for each in visible(project.of(importer), project)] == expected.split()


def written(each: Visible) -> str:
    return f"{each.qualifier}.{each.name}@{each.path}" if each.qualifier else f"{each.name}@{each.path}"


PY = {
    "p/__init__.py": "from .a import f\nfrom . import b\n",
    "p/a.py": "import os\nfrom .b import g\ndef f(): ...\ndef _h(): ...\nclass C:\n    def m(self): ...\n",
    "p/b.py": "def g(): ...\n",
    "p/b.pyi": "def g() -> int: ...\ndef only_in_stub() -> int: ...\n",
    "p/all.py": "from .a import f, C\n__all__ = ['f', 'x', '_y']\nx = 1\n_y = 2\nz = 3\n",
    "p/star.py": "from .a import *\nfrom .b import *\n",
}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("from p import f", "f@p/a.py"),
        ("from p import f as e", "e@p/a.py"),
        ("from p.a import C, missing", "C@p/a.py"),
        ("from p.a import _h", "_h@p/a.py"),
        ("from p.a import g", "g@p/b.py"),
        ("from p import b", "b.g@p/b.py"),
        ("from p.b import only_in_stub", "only_in_stub@p/b.pyi"),
        ("from p import b as q", "q.g@p/b.py"),
        ("import p.a", "p.a.f@p/a.py p.a.C@p/a.py"),
        ("import p.a as q", "q.f@p/a.py q.C@p/a.py"),
        ("import p", "p.f@p/a.py"),
        ("from p.a import *", "f@p/a.py C@p/a.py"),
        ("from p.all import *", "x@p/all.py _y@p/all.py f@p/a.py"),
        ("from p.star import *", "f@p/a.py C@p/a.py g@p/b.py"),
        ("from p.star import g", "g@p/b.py"),
        ("from p import a\nfrom p.a import f", "a.f@p/a.py a.C@p/a.py f@p/a.py"),
        ("if TYPE_CHECKING:\n    from p.b import g", "g@p/b.py"),
        ("try:\n    from p.a import f\nexcept ImportError:\n    from p.b import g", "f@p/a.py g@p/b.py"),
        ("def late():\n    from p.b import g", "g@p/b.py"),
        ("import main\ndef own(): ...", ""),
        ("from main import *\nown = 1", ""),
    ],
)
def test_python(line: str, expected: str) -> None:
    check("main.py", {**PY, "main.py": line + "\n"}, expected)


TS = {
    "a.ts": "export const x = () => 1;\nexport function f(): void;\nexport function f(a?: number): void {}\nfunction hidden() {}\n",
    "d.ts": "export default class Named {}\n",
    "anon.ts": "export default function () {}\n",
    "later.ts": "class L {}\nexport default L;\n",
    "list.ts": "import { x } from './a';\nconst a = 1;\nexport { a as b, x };\n",
    "eq.ts": "class Q {}\nexport = Q;\n",
    "barrel.ts": "export * from './a';\nexport * as ns from './list';\nexport { default as N } from './d';\n",
    "built.ts": "export const source = 1;\n",
    "built.js": "exports.source = 1;\nexports.compiled = 2;\n",
    "names.ts": "export namespace Sp { export const inner = 1; }\nexport enum E { A }\n",
    "obj.js": "const p = 1;\nfunction q() {}\nmodule.exports = { p, r: q, s() {} };\n",
    "one.js": "class One { m() {} }\nmodule.exports = One;\n",
    "each.js": "exports.u = function () {};\nexports.v = 1;\n",
}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import { x } from './a'", "x@a.ts"),
        ("import { f as g } from './a'", "g@a.ts g@a.ts"),
        ("import type { x } from './a'", "x@a.ts"),
        ("import * as a from './a'", "a.x@a.ts a.f@a.ts a.f@a.ts"),
        ("import D from './d'", "D@d.ts"),
        ("import A from './anon'", "A@anon.ts"),
        ("import L from './later'", "L@later.ts"),
        ("import { b, x } from './list'", "b@list.ts x@a.ts"),
        ("import * as l from './list'", "l.b@list.ts l.x@a.ts"),
        ("import Q = require('./eq')", "Q@eq.ts"),
        ("import { x, N } from './barrel'", "x@a.ts N@d.ts"),
        ("import { ns } from './barrel'", "ns.b@list.ts ns.x@a.ts"),
        ("import { ns as m } from './barrel'", "m.b@list.ts m.x@a.ts"),
        ("import * as b from './barrel'", "b.x@a.ts b.f@a.ts b.f@a.ts b.N@d.ts"),
        ("import { Sp, E } from './names'", "Sp@names.ts E@names.ts"),
        ("const { p, r, s } = require('./obj')", "p@obj.js r@obj.js s@obj.js"),
        ("const o = require('./obj')", "o.s@obj.js o.p@obj.js o.r@obj.js"),
        ("const One = require('./one')", "One@one.js"),
        ("const e = require('./each')", "e.u@each.js e.v@each.js"),
        ("import * as b from './built'", "b.source@built.ts"),
        ("import { compiled } from './built'", "compiled@built.js"),
        ("import { hidden2 } from './a'", ""),
        ("import './a'", ""),
    ],
)
def test_typescript(line: str, expected: str) -> None:
    check("main.ts", {**TS, "main.ts": line + ";\n"}, expected)


GO = {
    "go.mod": "module m\n",
    "a/a.go": "package a\ntype T struct { Base }\ntype Base struct { id int }\nfunc F() {}\nfunc g() {}\n",
    "a/b.go": "package a\nfunc (t *T) M() {}\nfunc (b Base) N() {}\n",
    "a/a_test.go": "package a\nfunc helper() {}\n",
    "a/x_test.go": 'package a_test\nimport "m/a"\n',
    "a/y_test.go": "package a_test\nfunc other() {}\n",
}


@pytest.mark.parametrize(
    ("importer", "text", "expected"),
    [
        ("main.go", 'package main\nimport "m/a"\n', "a.T@a/a.go a.Base@a/a.go a.F@a/a.go"),
        ("main.go", 'package main\nimport . "m/a"\n', "T@a/a.go Base@a/a.go F@a/a.go"),
        ("a/c.go", "package a\n", "T@a/a.go Base@a/a.go F@a/a.go g@a/a.go"),
        ("a/b_test.go", "package a\n", "T@a/a.go Base@a/a.go F@a/a.go g@a/a.go helper@a/a_test.go"),
        ("a/x_test.go", GO["a/x_test.go"], "a.T@a/a.go a.Base@a/a.go a.F@a/a.go other@a/y_test.go"),
    ],
)
def test_go(importer: str, text: str, expected: str) -> None:
    check(importer, {**GO, importer: text}, expected)


RS = {
    "Cargo.toml": '[package]\nname = "k"\n',
    "src/lib.rs": "mod a;\npub mod b;\npub use a::S;\npub use b::inner as shown;\n",
    "src/a.rs": "pub struct S { pub x: u8 }\nfn hidden() {}\npub enum E { V }\nimpl S { pub fn m(&self) {} }\n",
    "src/b.rs": "pub mod inner { pub fn deep() {} fn kept() {} }\npub fn f() {}\npub use super::a::*;\n",
}


@pytest.mark.parametrize(
    ("importer", "text", "expected"),
    [
        ("src/c.rs", "use crate::a::S;", "S@src/a.rs"),
        ("src/c.rs", "use crate::S as T;", "T@src/a.rs"),
        ("src/c.rs", "use crate::a;", "a.S@src/a.rs a.E@src/a.rs"),
        ("src/c.rs", "use crate::a::E::V;", "V@src/a.rs"),
        ("src/c.rs", "use crate::b::inner::deep;", "deep@src/b.rs"),
        ("src/c.rs", "use crate::b::inner::*;", "deep@src/b.rs"),
        ("src/c.rs", "use crate::b::*;", "inner@src/b.rs f@src/b.rs S@src/a.rs E@src/a.rs"),
        ("src/c.rs", "use crate::shown::deep;", "deep@src/b.rs"),
        ("tests/t.rs", "use k::{S, b};", "S@src/a.rs b.inner@src/b.rs b.f@src/b.rs b.S@src/a.rs b.E@src/a.rs"),
        ("src/main.rs", "mod b;", "b.inner@src/b.rs b.f@src/b.rs b.S@src/a.rs b.E@src/a.rs"),
        ("src/c.rs", "mod tests { use super::*; }\nfn own() {}", ""),
    ],
)
def test_rust(importer: str, text: str, expected: str) -> None:
    check(importer, {**RS, importer: text + "\n"}, expected)


JAVA = {
    "src/main/java/p/A.java": "package p;\npublic class A { public static int f() { return 1; } public static class In {} }\n",
    "src/main/java/p/B.java": "package p;\nclass B {}\n",
    "src/test/java/p/Other.java": "package p;\nclass Other {}\n",
}
JAVA_A, JAVA_B, _ = JAVA


@pytest.mark.parametrize(
    ("importer", "text", "expected"),
    [
        ("src/main/java/q/C.java", "package q;\nimport p.A;\n", f"A@{JAVA_A}"),
        ("src/main/java/q/C.java", "package q;\nimport p.*;\n", f"A@{JAVA_A}"),
        ("src/main/java/q/C.java", "package q;\nimport p.A.In;\n", f"In@{JAVA_A}"),
        ("src/main/java/q/C.java", "package q;\nimport static p.A.f;\n", f"f@{JAVA_A}"),
        ("src/main/java/q/C.java", "package q;\nimport static p.A.*;\n", f"f@{JAVA_A} In@{JAVA_A}"),
        ("src/main/java/p/C.java", "package p;\n", f"A@{JAVA_A} B@{JAVA_B}"),
        ("src/test/java/p/T.java", "package p;\n", f"Other@src/test/java/p/Other.java A@{JAVA_A} B@{JAVA_B}"),
    ],
)
def test_java(importer: str, text: str, expected: str) -> None:
    texts = {**JAVA, importer: text}
    check(importer, texts, expected)


C = {
    "src/a.h": '#include "b.h"\n#define MAX(a, b) 1\nstruct s { int x; };\nvoid f(void);\n',
    "src/b.h": '#include "a.h"\nenum e { RED };\ntypedef int num;\n',
    "src/a.c": "void f(void) {}\nstatic void own(void) {}\n",
    "src/l.h": "#define L 1\n",
    "src/k.h": "namespace n { class K { public: void m(); }; }\n",
    "src/k.cpp": "void n::K::m() {}\n",
}


@pytest.mark.parametrize(
    ("importer", "text", "expected"),
    [
        ("src/m.c", '#include "a.h"\n', "MAX@src/a.h s@src/a.h f@src/a.h e@src/b.h RED@src/b.h num@src/b.h"),
        (
            "src/m.c",
            '#include "a.h"\n#include "b.h"\n',
            "MAX@src/a.h s@src/a.h f@src/a.h e@src/b.h RED@src/b.h num@src/b.h",
        ),
        (
            "src/m.c",
            '#include "a.h"\n#include "l.h"\n',
            "MAX@src/a.h s@src/a.h f@src/a.h L@src/l.h e@src/b.h RED@src/b.h num@src/b.h",
        ),
        ("src/a.c", C["src/a.c"], "MAX@src/a.h s@src/a.h f@src/a.h"),
        ("src/a.h", C["src/a.h"], "e@src/b.h RED@src/b.h num@src/b.h f@src/a.c"),
        ("src/m.cpp", '#include "k.h"\n', "K@src/k.h"),
        ("src/k.h", C["src/k.h"], ""),
    ],
)
def test_c(importer: str, text: str, expected: str) -> None:
    check(importer, {**C, importer: text}, expected)


@pytest.mark.parametrize(
    ("importer", "texts", "expected"),
    [
        (
            "lua/m.lua",
            {
                "lua/m.lua": "local u = require('u')\n",
                "lua/u.lua": "local M = {}\nfunction M.f() end\nlocal function g() end\nreturn M\n",
            },
            "u.f@lua/u.lua",
        ),
        ("a.rb", {"a.rb": "require_relative 'b'\n", "b.rb": "class B\n  def m; end\nend\n"}, "B@b.rb"),
        (
            "a/V.kt",
            {
                "a/V.kt": "package a\nimport b.ext\nimport b.K as Q\n",
                "b/K.kt": "package b\nclass K\nfun ext() {}\n",
                "a/W.kt": "package a\nclass W\nprivate fun no() {}\n",
            },
            "ext@b/K.kt Q@b/K.kt W@a/W.kt",
        ),
        (
            "V/B.cs",
            {"V/B.cs": "using N.M;\nnamespace N.V;\n", "M/C.cs": "namespace N.M;\npublic class C {}\n"},
            "C@M/C.cs",
        ),
    ],
)
def test_others(importer: str, texts: Texts, expected: str) -> None:
    check(importer, texts, expected)


@pytest.mark.parametrize(
    ("path", "owner", "texts", "expected"),
    [
        ("a/a.go", "T", GO, "M@a/b.go id@a/a.go N@a/b.go"),
        ("p/a.py", "C", PY, "m@p/a.py"),
        (
            "b.py",
            "B",
            {
                "a.py": "class A:\n    def up(self):\n        self.x = 1\n",
                "b.py": "import a\nclass B(a.A):\n    def down(self): ...\n",
            },
            "down@b.py up@a.py x@a.py",
        ),
        ("b.py", "B", {"b.py": "class B(C): ...\nclass C(B):\n    def m(self): ...\n"}, "m@b.py"),
        ("src/k.h", "K", C, "m@src/k.h"),
        ("src/a.rs", "S", RS, "x@src/a.rs m@src/a.rs"),
        (
            "b.ts",
            "B",
            {
                "b.ts": "import {A} from './a';\nclass B extends A<B> { c = 1 }\n",
                "a.ts": "export class A<T> { d = 2 }\n",
            },
            "c@b.ts d@a.ts",
        ),
        (
            "b.cpp",
            "B",
            {
                "b.cpp": '#include "a.h"\nclass B : public n::A { int b; };\n',
                "a.h": "namespace n { class A { int a; }; }\n",
            },
            "b@b.cpp a@a.h",
        ),
    ],
)
def test_members(path: str, owner: str, texts: Texts, expected: str) -> None:
    project = Files(texts)
    definition = next(each for each in project.of(path).definitions if each.name == owner)
    assert [written(each) for each in members(definition, path, project)] == expected.split()


@pytest.mark.parametrize(
    ("importer", "name", "texts", "expected"),
    [
        ("m.py", "C", {**PY, "m.py": "from p.a import C\n"}, "p/a.py"),
        ("m.py", "a.C", {**PY, "m.py": "from p import a\n"}, "p/a.py"),
        ("m.py", "f", {**PY, "m.py": "from p.a import *\n"}, ""),
        ("m.py", "C", {**PY, "m.py": "from p.star import *\nC2 = 1\n"}, "p/a.py"),
        ("m.py", "C", {**PY, "m.py": "from p.a import C\nclass C: ...\n"}, "m.py"),
        ("m.c", "num", {**{k.removeprefix("src/"): v for k, v in C.items()}, "m.c": '#include "a.h"\n'}, "b.h"),
        ("m.py", "x.C", {**PY, "m.py": "import x\nclass C: ...\n"}, ""),
        ("m.py", "O.I", {**PY, "m.py": "class O:\n    class I: ...\n"}, "m.py"),
        ("m.cpp", "n::K", {**C, "m.cpp": '#include "src/k.h"\n'}, "src/k.h"),
        ("m.py", "", PY | {"m.py": ""}, ""),
        ("m.py", "..", PY | {"m.py": ""}, ""),
    ],
)
def test_named(importer: str, name: str, texts: Texts, expected: str) -> None:
    project = Files(texts)
    found = named(name, project.of(importer), project)
    assert (found[1] if found else "") == expected


CHAIN = {f"c{at}.py": f"from c{at + 1} import *\n" for at in range(HOPS + 4)}
BARRELS = {f"b{at}.ts": "".join(f"export * from './b{to}';\n" for to in range(40)) for at in range(40)}
SELVES = {
    "s.ts": "export { a as b, b as a };\nexport * as s from './s';\nexport * from './s';\nimport * as n from './s';\nexport { n };\n"
}


@pytest.mark.parametrize(
    ("importer", "texts", "expected"),
    [
        ("m.py", {**CHAIN, "m.py": "from c0 import x\nfrom c0 import *\n", f"c{HOPS + 4}.py": "x = 1\n"}, ""),
        ("m.py", {**CHAIN, "m.py": "from c6 import x\n", f"c{HOPS + 4}.py": "x = 1\n"}, f"x@c{HOPS + 4}.py"),
        ("m.ts", {**BARRELS, "m.ts": "import { x, y } from './b0';\nimport * as b from './b1';\n"}, ""),
        ("m.ts", {**SELVES, "m.ts": "import { a, b, n, s } from './s';\nimport * as all from './s';\n"}, ""),
        ("a.py", {"a.py": "from b import y\nx = 1\n", "b.py": "from a import x\ny = 1\n"}, "y@b.py"),
        ("a.py", {"a.py": "from b import *\nx = 1\n", "b.py": "from a import *\ny = 1\n"}, "y@b.py"),
        (
            "pkg/__init__.py",
            {"pkg/__init__.py": "from . import x\nfrom .x import y\n", "pkg/x.py": "y = 1\n"},
            "x.y@pkg/x.py y@pkg/x.py",
        ),
        ("m.py", {"m.py": "from a import f\nfrom b import f\n", "a.py": "f = 1\n", "b.py": "f = 2\n"}, "f@a.py f@b.py"),
    ],
)
def test_cycles_and_chains(importer: str, texts: Texts, expected: str) -> None:
    check(importer, texts, expected)


SAMPLES = sorted(
    path for path in (Path(__file__).parent.parent / "data" / "outline").glob("*/*") if path.suffix != ".toml"
)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_mutation_of_a_sample(data: st.DataObject) -> None:
    """A workspace of broken files that import each other, and themselves."""
    texts = {}
    for path in data.draw(st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=4)):
        text = path.read_text()
        at = data.draw(st.integers(0, len(text)))
        name = data.draw(st.sampled_from(["shop", "a", "prices", "x/shop", "lib", "mod", "__init__"]))
        texts[f"{name}{path.suffix}"] = text[:at] + data.draw(st.text("{}()<>;:.*'\"\n aé", max_size=5)) + text[at:]
    project = Files(texts)
    for path in texts:
        for each in visible(project.of(path), project):
            assert each.path != path
            list(members(each.definition, each.path, project))


def test_what_can_be_seen_is_bounded() -> None:
    texts = {f"m{at}.py": "".join(f"v{at}_{name} = 1\n" for name in range(LIMIT // 2)) for at in range(4)}
    project = Files({**texts, "main.py": "".join(f"from m{at} import *\n" for at in range(4))})
    assert len(list(visible(project.of("main.py"), project))) == LIMIT


@pytest.mark.parametrize("language", ["plaintext", "markdown", "json"])
def test_a_language_without_resolver_sees_nothing(language: str) -> None:
    project = Files({"a.txt": ""})
    assert list(visible(project.of("a.txt"), project)) == []
