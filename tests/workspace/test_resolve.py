"""Which files an import means, in each language."""

import importlib.util
from collections.abc import Mapping
from pathlib import PurePosixPath

import pytest

from midfill_workspace import grammars
from midfill_workspace.languages import language_of
from midfill_workspace.resolve.table import RESOLVERS
from support.projects import Files

BUNDLE = importlib.util.find_spec("tree_sitter_languages") is not None


def check(files: str, texts: Mapping[str, str], importer: str, line: str, expected: str) -> None:
    """`files` are empty ones; the import is the only text of the importer, after what `texts` has of it."""
    language = language_of(PurePosixPath(importer))
    if isinstance(grammars.GRAMMARS[language], grammars.Bundled) and not BUNDLE:
        return
    project = Files({**dict.fromkeys(files.split(), ""), **texts, importer: texts.get(importer, "") + line + "\n"})
    resolver = RESOLVERS[language]
    found = [path for each in project.of(importer).imports for path in resolver.files(each, importer, project)]
    assert list(dict.fromkeys(found)) == expected.split()


PYTHON = "pkg/__init__.py pkg/a.py pkg/sub/__init__.py pkg/sub/b.py"


@pytest.mark.parametrize(
    ("files", "importer", "line", "expected"),
    [
        (PYTHON, "pkg/main.py", "import pkg.a", "pkg/a.py"),
        (PYTHON, "pkg/main.py", "import pkg.a as x, pkg.sub", "pkg/a.py pkg/sub/__init__.py"),
        (PYTHON, "pkg/main.py", "from . import a", "pkg/__init__.py"),
        (PYTHON, "pkg/sub/c.py", "from ..a import f", "pkg/a.py"),
        (PYTHON, "pkg/sub/c.py", "from .. import a", "pkg/__init__.py"),
        (PYTHON, "pkg/sub/c.py", "from ...x import a", ""),
        (PYTHON, "tests/test_a.py", "from pkg.sub.b import *", "pkg/sub/b.py"),
        (PYTHON, "main.py", "if True:\n    try:\n        from pkg import a\n    except E: pass", "pkg/__init__.py"),
        ("src/pkg/__init__.py src/pkg/a.py", "tests/t.py", "import pkg.a", "src/pkg/a.py"),
        ("space/pkg/a.py", "main.py", "import space.pkg.a", "space/pkg/a.py"),
        ("pkg/a.py pkg/a.pyi", "main.py", "import pkg.a", "pkg/a.py pkg/a.pyi"),
        ("pkg/a.pyi", "main.py", "import pkg.a", "pkg/a.pyi"),
        ("Pkg/A.py", "main.py", "import pkg.a", ""),
        ("a.py", "main.py", "import os, sys", ""),
        ("main.py", "main.py", "import main", "main.py"),
        ("", "main.py", "from . import", ""),
        ("", "main.py", "import", ""),
    ],
)
def test_python(files: str, importer: str, line: str, expected: str) -> None:
    check(files, {}, importer, line, expected)


TSCONFIG = '{"compilerOptions": {"baseUrl": ".", /* c */ "paths": {"@/*": ["src/*"], "exact": ["src/e.ts"],}}}'
PACKAGE = '{"name": "@o/lib", "exports": {".": {"types": "./dist/main.d.ts"}, "./f/*": {"import": "./dist/f/*.js"}}}'


@pytest.mark.parametrize(
    ("files", "texts", "importer", "line", "expected"),
    [
        ("src/a.ts", {}, "src/m.ts", "import {x} from './a'", "src/a.ts"),
        ("src/a.ts", {}, "src/m.ts", "import {x} from './a.js'", "src/a.ts"),
        ("src/a/index.tsx", {}, "src/m.ts", "export * from './a'", "src/a/index.tsx"),
        ("a.ts a.js a/index.ts", {}, "m.ts", "import * as a from './a'", "a.ts a.js a/index.ts"),
        ("src/index.ts", {}, "src/m.ts", "import x from '.'", "src/index.ts"),
        ("index.ts", {}, "src/m.ts", "import x from '..'", "index.ts"),
        ("a.b.ts", {}, "m.ts", "import x from './a.b'", "a.b.ts"),
        ("a.js", {}, "m.js", "const {x} = require('./a')", "a.js"),
        ("a.d.ts", {}, "m.ts", "import a = require('./a')", "a.d.ts"),
        ("A.ts", {}, "m.ts", "import a from './a'", ""),
        ("a.vue", {}, "m.ts", "import a from './a'", ""),
        ("a.ts", {}, "m.ts", "import react from 'react'", ""),
        ("../a.ts", {}, "m.ts", "import x from '../a'", "../a.ts"),
        ("src/a.ts", {"tsconfig.json": TSCONFIG}, "src/d/m.ts", "import x from '@/a'", "src/a.ts"),
        ("src/e.ts", {"tsconfig.json": TSCONFIG}, "src/d/m.ts", "import x from 'exact'", "src/e.ts"),
        ("src/e.ts", {"tsconfig.json": TSCONFIG}, "src/d/m.ts", "import x from 'src/e'", "src/e.ts"),
        (
            "src/a.ts",
            {"conf/base.json": TSCONFIG.replace('"."', '".."'), "tsconfig.json": '{"extends": "./conf/base"}'},
            "src/m.ts",
            "import x from '@/a'",
            "src/a.ts",
        ),
        ("", {"tsconfig.json": '{"extends": "./tsconfig.json"}'}, "m.ts", "import x from 'a'", ""),
        ("", {"tsconfig.json": "{" * 5000 + "["}, "m.ts", "import x from 'a'", ""),
        (
            "packages/lib/src/main.ts",
            {"packages/lib/package.json": PACKAGE},
            "packages/app/m.ts",
            "import x from '@o/lib'",
            "packages/lib/src/main.ts",
        ),
        (
            "packages/lib/src/f/g.ts",
            {"packages/lib/package.json": PACKAGE},
            "packages/app/m.ts",
            "import x from '@o/lib/f/g'",
            "packages/lib/src/f/g.ts",
        ),
        (
            "code/lib/src/index.ts",
            {"package.json": '{"workspaces": ["code/*"]}', "code/lib/package.json": '{"name": "@o/lib"}'},
            "code/app/m.ts",
            "import x from '@o/lib'",
            "code/lib/src/index.ts",
        ),
        (
            "code/lib/index.ts",
            {"pnpm-workspace.yaml": "packages:\n  - 'code/*'\n", "code/lib/package.json": '{"name": "lib"}'},
            "code/app/m.ts",
            "import x from 'lib'",
            "code/lib/index.ts",
        ),
        (
            "src/in/a.ts",
            {"package.json": '{"imports": {"#in/*": {"default": "./src/in/*.js"}}}'},
            "src/m.ts",
            "import x from '#in/a'",
            "src/in/a.ts",
        ),
        (
            "",
            {"package.json": '{"name": 1, "exports": [[[]]], "imports": 3, "workspaces": {}}'},
            "m.ts",
            "import 'a'",
            "",
        ),
    ],
)
def test_typescript(files: str, texts: Mapping[str, str], importer: str, line: str, expected: str) -> None:
    check(files, texts, importer, line, expected)


GO_MOD = {"go.mod": "module example.com/m\n\ngo 1.22\n"}
REPLACING = "module example.com/m\nreplace (\n\texample.com/r v1.0.0 => ./third/r\n)\nreplace example.com/s => ../s\n"


@pytest.mark.parametrize(
    ("files", "texts", "importer", "line", "expected"),
    [
        ("a/a.go a/b.go a/a_test.go", GO_MOD, "main.go", 'import "example.com/m/a"', "a/a.go a/b.go"),
        ("a.go", GO_MOD, "cmd/main.go", 'import m "example.com/m"', "a.go"),
        ("ab/a.go", {"go.mod": "module example.com/m/a"}, "main.go", 'import "example.com/m/ab"', ""),
        ("fmt/a.go", GO_MOD, "main.go", 'import "fmt"', ""),
        ("third/r/x/a.go", {"go.mod": REPLACING}, "main.go", 'import "example.com/r/x"', "third/r/x/a.go"),
        ("s/a.go", {"m/go.mod": REPLACING}, "m/main.go", 'import "example.com/s"', "s/a.go"),
        (
            "b/y/a.go",
            {
                "go.work": "go 1.22\nuse (\n\t./a // first\n\t./b\n)\n",
                "a/go.mod": "module a.org/a",
                "b/go.mod": "module b.org",
            },
            "a/main.go",
            'import "b.org/y"',
            "b/y/a.go",
        ),
        ("vendor/c.org/z/a.go", GO_MOD, "main.go", 'import "c.org/z"', "vendor/c.org/z/a.go"),
        ("src/c.org/z/a.go z/a.go", {}, "main.go", 'import "c.org/z"', "z/a.go"),
        ("", GO_MOD, "main.go", "import (", ""),
    ],
)
def test_go(files: str, texts: Mapping[str, str], importer: str, line: str, expected: str) -> None:
    check(files, texts, importer, line, expected)


CRATE = "src/lib.rs src/main.rs src/a.rs src/a/b.rs src/a/b/c.rs src/d/mod.rs src/d/e.rs"
CARGO = {"Cargo.toml": '[package]\nname = "my-crate"\n'}
WORKSPACE = {
    "Cargo.toml": '[workspace]\nmembers = ["crates/*"]\n[workspace.dependencies]\nfar = { path = "elsewhere/far" }\n',
    "crates/one/Cargo.toml": '[package]\nname = "one"\n[dependencies]\nnear-by = { path = "../near" }\n',
    "crates/two-b/Cargo.toml": '[package]\nname = "two-b"\n',
}


@pytest.mark.parametrize(
    ("files", "texts", "importer", "line", "expected"),
    [
        (CRATE, CARGO, "src/d/f.rs", "use crate::a::X;", "src/a.rs"),
        (
            CRATE,
            CARGO,
            "src/d/f.rs",
            "use crate::{a::b::{X, c::*}, d::e::Y as Z};",
            "src/a/b.rs src/a/b/c.rs src/d/e.rs",
        ),
        (CRATE, CARGO, "src/d/f.rs", "use super::e::X;", "src/d/e.rs"),
        (CRATE, CARGO, "src/d/f.rs", "use super::super::a::X;", "src/a.rs"),
        (CRATE, CARGO, "src/d/f.rs", "use super::*;", "src/d/mod.rs"),
        (CRATE, CARGO, "src/a/b.rs", "use super::X;", "src/a.rs"),
        (CRATE, CARGO, "src/a.rs", "use self::b::X;", "src/a/b.rs"),
        (CRATE, CARGO, "src/a.rs", "mod b;", "src/a/b.rs"),
        (CRATE, CARGO, "src/d/mod.rs", "pub mod e;", "src/d/e.rs"),
        (CRATE, CARGO, "src/main.rs", "mod a;\nuse a::X;", "src/a.rs"),
        (CRATE, CARGO, "src/main.rs", "use my_crate::d::X;", "src/d/mod.rs"),
        (CRATE, CARGO, "tests/t.rs", "use my_crate::a::X;", "src/a.rs"),
        ("tests/common/mod.rs", CARGO, "tests/t.rs", "mod common;", "tests/common/mod.rs"),
        (CRATE, CARGO, "src/d/e.rs", "mod tests { use super::super::X; }", "src/d/mod.rs"),
        (CRATE, CARGO, "src/a.rs", "use std::io::Read;\nuse serde::X;", ""),
        (
            CRATE,
            {**CARGO, "src/d/mod.rs": "pub use crate::a::b as moved;"},
            "src/a.rs",
            "use crate::d::moved::c::X;",
            "src/a/b/c.rs",
        ),
        (CRATE, {**CARGO, "src/a.rs": "pub enum E { V }"}, "src/d/f.rs", "use crate::a::E::V;", "src/a.rs"),
        (CRATE, {**CARGO, "src/a.rs": "pub enum E { V }"}, "src/d/f.rs", "use crate::a::F::V;", ""),
        ("crates/two-b/src/lib.rs", WORKSPACE, "crates/one/src/lib.rs", "use two_b::X;", "crates/two-b/src/lib.rs"),
        ("crates/near/src/lib.rs", WORKSPACE, "crates/one/src/lib.rs", "use near_by::X;", "crates/near/src/lib.rs"),
        (
            "elsewhere/far/src/lib.rs",
            WORKSPACE,
            "crates/one/src/lib.rs",
            "extern crate far;",
            "elsewhere/far/src/lib.rs",
        ),
        ("", {"Cargo.toml": "[[["}, "src/lib.rs", "use a::b; use ; use crate::", ""),
        ("", {"src/lib.rs": "use crate::x as y; use crate::y as x;"}, "src/lib.rs", "use x::y::z;", "src/lib.rs"),
        ("src/A.rs", CARGO, "src/lib.rs", "mod a;", ""),
    ],
)
def test_rust(files: str, texts: Mapping[str, str], importer: str, line: str, expected: str) -> None:
    check(files, texts, importer, line, expected)


MAIN = "src/main/java/org/x/"
POM = {"pom.xml": "<modules><module>core</module><module>web</module></modules>"}


@pytest.mark.parametrize(
    ("files", "texts", "importer", "line", "expected"),
    [
        (MAIN + "A.java", {}, MAIN + "y/B.java", "package org.x.y;\nimport org.x.A;", MAIN + "A.java"),
        (MAIN + "A.java", {}, "src/test/java/org/x/T.java", "package org.x;\nimport org.x.A;", MAIN + "A.java"),
        (MAIN + "A.java", {}, MAIN + "y/B.java", "package org.x.y;\nimport static org.x.A.f;", MAIN + "A.java"),
        (MAIN + "A.java", {}, MAIN + "y/B.java", "package org.x.y;\nimport org.x.A.Inner;", MAIN + "A.java"),
        (
            MAIN + "A.java " + MAIN + "C.java",
            {},
            MAIN + "y/B.java",
            "package org.x.y;\nimport org.x.*;",
            f"{MAIN}A.java {MAIN}C.java",
        ),
        ("java/util/List.java", {}, "A.java", "import java.util.List;", ""),
        ("code/org/x/A.java", {}, "code/org/y/B.java", "package org.y;\nimport org.x.A;", "code/org/x/A.java"),
        (
            f"core/{MAIN}A.java",
            POM,
            "web/src/main/java/org/w/W.java",
            "package org.w;\nimport org.x.A;",
            f"core/{MAIN}A.java",
        ),
        (MAIN + "a.java", {}, MAIN + "y/B.java", "package org.x.y;\nimport org.x.A;", ""),
        (MAIN + "A.java", {}, MAIN + "y/B.java", "package org.x.y;\nimport org.x.", ""),
    ],
)
def test_java(files: str, texts: Mapping[str, str], importer: str, line: str, expected: str) -> None:
    check(files, texts, importer, line, expected)


@pytest.mark.parametrize(
    ("files", "importer", "line", "expected"),
    [
        ("src/a.h", "src/a.c", '#include "a.h"', "src/a.h"),
        ("include/p/a.h", "src/a.c", '#include "p/a.h"', "include/p/a.h"),
        ("include/p/a.h", "src/deep/a.cpp", "#include <p/a.h>", "include/p/a.h"),
        ("lib/include/a.h", "lib/src/a.c", "#include <a.h>", "lib/include/a.h"),
        ("src/string.h", "src/a.c", "#include <string.h>", ""),
        ("src/a.h include/a.h", "src/b.c", '#include "a.h"', "src/a.h"),
        ("common/a.h", "app/b.c", '#include "../common/a.h"', "common/a.h"),
        ("common/a.h", "app/b.c", '#include "common/a.h"', "common/a.h"),
        ("A.h", "b.c", '#include "a.h"', ""),
        ("a.h", "b.c", '#include MACRO\n#include\n#include "', ""),
    ],
)
def test_c(files: str, importer: str, line: str, expected: str) -> None:
    check(files, {}, importer, line, expected)


COMPOSER = {
    "composer.json": '{"autoload": {"psr-4": {"App\\\\": "src/"}}, "autoload-dev": {"psr-4": {"App\\\\T\\\\": ["t"]}}}'
}


@pytest.mark.parametrize(
    ("files", "texts", "importer", "line", "expected"),
    [
        ("app/ui/A.kt", {}, "app/data/B.kt", "package com.x.data\nimport com.x.ui.A", "app/ui/A.kt"),
        ("com/x/F.kt", {}, "com/y/B.kt", "package com.y\nimport com.x.helper", "com/x/F.kt"),
        ("a/b/A.scala", {}, "a/c/B.scala", "package a.c\nimport a.b.{A, X => Y}", "a/b/A.scala"),
        ("", {"src/A.D/X/C.cs": "namespace A.D.X;"}, "src/A.E/B.cs", "using A.D.X;\nnamespace A.E;", "src/A.D/X/C.cs"),
        ("", {"M/C.cs": "namespace N.M;\n"}, "V/B.cs", "using N.M;\nnamespace N.V { }", "M/C.cs"),
        ("", {"M/C.cs": "namespace Other;\n"}, "V/B.cs", "using N.M;\nnamespace N.V { }", ""),
        ("src/M/User.php", COMPOSER, "src/C/X.php", "<?php namespace App\\C; use App\\M\\User;", "src/M/User.php"),
        ("t/Base.php", COMPOSER, "t/X.php", "<?php use App\\T\\{Base};", "t/Base.php"),
        ("inc/a.php", {}, "b.php", "<?php require __DIR__ . '/inc/a.php';", "inc/a.php"),
        ("", {"composer.json": "[" * 9000}, "b.php", "<?php use A\\B;", ""),
        ("a/b.rb", {}, "a/c.rb", "require_relative 'b'", "a/b.rb"),
        ("lib/a/b.rb", {}, "test/c.rb", "require 'a/b'", "lib/a/b.rb"),
        ("lua/a/b.lua", {}, "lua/c.lua", "local b = require('a.b')", "lua/a/b.lua"),
        ("a/init.lua", {}, "c.lua", 'local a = require "a"', "a/init.lua"),
    ],
)
def test_others(files: str, texts: Mapping[str, str], importer: str, line: str, expected: str) -> None:
    check(files, texts, importer, line, expected)


@pytest.mark.parametrize(
    "text", ["\n" * 200_000, "/*" * 100_000, '"' * 99_999, "- " * 99_999, "use " * 50_000, "[" * 99_999]
)
@pytest.mark.parametrize(
    ("config", "importer", "line"),
    [
        ("tsconfig.json", "m.ts", "import 'a'"),
        ("package.json", "m.ts", "import '#a'"),
        ("pnpm-workspace.yaml", "m.ts", "import 'a'"),
        ("go.mod", "m.go", 'import "a.b/c"'),
        ("go.work", "m/m.go", 'import "a.b/c"'),
        ("Cargo.toml", "src/lib.rs", "use a::b;"),
        ("composer.json", "m.php", "<?php use A\\B;"),
        ("pom.xml", "A.java", "import a.b.C;"),
        ("settings.gradle", "A.java", "import a.b.C;"),
    ],
)
@pytest.mark.timeout(30)
def test_hostile_configuration(text: str, config: str, importer: str, line: str) -> None:
    check("", {config: text, "m/go.mod": "module m\n"}, importer, line, "")


@pytest.mark.parametrize(
    ("files", "path", "expected"),
    [
        ("a/x.go a/y.go a/x_test.go b/z.go", "a/x.go", "a/y.go"),
        ("a/x.go a/y.go a/x_test.go", "a/x_test.go", "a/x.go a/y.go"),
        ("p/A.java p/B.java p/C.txt", "p/A.java", "p/B.java"),
        ("src/main/java/p/A.java", "src/test/java/p/T.java", "src/main/java/p/A.java"),
        ("src/test/java/p/T.java", "src/main/java/p/A.java", ""),
        ("src/a.c src/a.h", "src/a.c", "src/a.h"),
        ("src/a.c src/a.h", "src/a.h", "src/a.c"),
        ("m/src/d/a.cc m/include/d/a.hpp", "m/src/d/a.cc", "m/include/d/a.hpp"),
        ("m/src/d/a.cc m/include/d/a.hpp", "m/include/d/a.hpp", "m/src/d/a.cc"),
        ("a.py b.py", "a.py", ""),
    ],
)
def test_neighbours(files: str, path: str, expected: str) -> None:
    resolver = RESOLVERS[language_of(PurePosixPath(path))]
    assert list(resolver.neighbours(path, Files(dict.fromkeys(files.split(), "")))) == expected.split()
