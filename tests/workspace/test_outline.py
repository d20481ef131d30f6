"""What files declare and import: samples with their tables, and text that no editor should choke on."""

import importlib.util
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill_workspace import grammars
from midfill_workspace.languages import language_of
from midfill_workspace.outline import walk
from midfill_workspace.outline.table import SPECS, outline
from midfill_workspace.symbol import Outline

DATA = Path(__file__).parent.parent / "data" / "outline"
SAMPLES = sorted(path for path in DATA.glob("*/*") if path.suffix != ".toml")
BUNDLE = importlib.util.find_spec("tree_sitter_languages") is not None


def read(path: Path) -> str:
    return path.read_bytes().decode()


def without_grammar(language: str) -> bool:
    return isinstance(grammars.GRAMMARS[language], grammars.Bundled) and not BUNDLE


def table(result: Outline) -> dict[str, object]:
    """An outline as its file of expectations has it."""
    return {
        "package": result.package,
        "imports": [[each.module, each.name, each.alias, each.exported] for each in result.imports],
        "definitions": [
            [each.kind, each.owner, each.name, each.header, each.type, list(each.bases), each.exported, each.doc]
            for each in result.definitions
        ],
    }


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_sample(path: Path) -> None:
    result = outline(path.name, language_of(path), read(path))
    if without_grammar(language_of(path)):
        assert result == Outline(path.name, language_of(path))
        return
    assert table(result) == tomllib.loads(read(path.with_name(f"{path.name}.toml")))


def test_every_language_has_a_sample() -> None:
    assert {language_of(path) for path in SAMPLES} >= set(SPECS) - {"typescriptreact"}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.name}")
@pytest.mark.parametrize(("before", "line_end"), [("\ufeff", "\n"), ("", "\r\n"), ("\ufeff", "\r\n")])
def test_mark_and_line_ends_change_nothing(path: Path, before: str, line_end: str) -> None:
    plain = outline(path.name, language_of(path), read(path))
    assert outline(path.name, language_of(path), before + read(path).replace("\n", line_end)) == plain


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_lines_point_at_headers(path: Path) -> None:
    lines = read(path).split("\n")
    for each in outline(path.name, language_of(path), read(path)).definitions:
        assert lines[each.line].strip() == each.header.split("\n")[0].strip()


@pytest.mark.parametrize("language", SPECS)
@pytest.mark.parametrize(
    "text", ["", "\n", "\r\n", "\ufeff", "\0", "\ud800", "{", "}" * 50, "\t" * 9, '"', "/*", "#", "\u2028"]
)
def test_next_to_nothing_declares_nothing(language: str, text: str) -> None:
    assert not outline("x", language, text).definitions


@pytest.mark.parametrize("language", ["", "plaintext", "markdown", "json", "no such language"])
def test_unknown_language(language: str) -> None:
    assert outline("x", language, "def f(): ...") == Outline("x", language)


NESTED = 3_000
"""Deeper than any recursion may go."""


@pytest.mark.parametrize(
    ("language", "unit", "closer"),
    [
        *((language, bracket, "") for language in SPECS for bracket in "([{<"),
        ("python", "class A:\n", ""),
        ("python", "if x: ", ""),
        ("python", "x = (", ")"),
        ("python", "lambda: ", ""),
        ("typescript", "class A { b = class { c = ", "}}"),
        ("typescript", "namespace N { ", "}"),
        ("javascript", "module.exports = {a: {", "}}"),
        ("javascript", "a => ", ""),
        ("go", "type T struct { a ", "}"),
        ("rust", "mod m { ", "}"),
        ("rust", "use a::{", "};"),
        ("rust", "impl A { fn f() { ", "}}"),
        ("java", "class A { ", "}"),
        ("c", "struct s { ", "} x;"),
        ("c", "#if A\n", "#endif\n"),
        ("c", "int *", ";"),
        ("c", "int (*", ")"),
        ("cpp", "namespace n { ", "}"),
        ("cpp", "template <class T> ", ""),
        ("cpp", "class A { ", "};"),
        ("cpp", "a::", ""),
        ("csharp", "namespace N { ", "}"),
        ("kotlin", "class A { ", "}"),
        ("php", "<?php class A { function f() { ", "}}"),
        ("ruby", "module A\n", "end\n"),
        ("lua", "function a() ", "end "),
        ("scala", "object A { ", "}"),
    ],
)
@pytest.mark.timeout(60)
def test_deep_nesting(language: str, unit: str, closer: str) -> None:
    definitions = outline("x", language, unit * NESTED + "\n" + closer * NESTED).definitions
    assert len(definitions) <= walk.DEFINITION_LIMIT


@pytest.mark.parametrize("path", [path for path in SAMPLES if path.stem.lower() == "shop"], ids=lambda path: path.name)
@pytest.mark.timeout(60)
def test_half_a_megabyte(path: Path) -> None:
    text = read(path)
    result = outline(path.name, language_of(path), text * (500_000 // len(text)))
    assert len(result.definitions) <= walk.DEFINITION_LIMIT
    assert len(result.imports) <= walk.IMPORT_LIMIT


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "x = 1; " * 200_000),
        ("typescript", "const x = 1;" * 100_000),
        ("go", "package p\nconst (\n" + "A\n" * 20_000 + ")"),
        ("c", "// a\n" * 100_000 + "int f(void);"),
        ("rust", "/// a\n" * 50_000 + "fn f() {}"),
        ("go", "package p\nfunc (" + "a" * 200_000 + "!) f() {}"),
        ("python", "class A(" + ", ".join(["B"] * 50_000) + "): ..."),
        ("java", "class A { int " + ", ".join(f"v{at}" for at in range(20_000)) + "; }"),
    ],
    ids=lambda value: value[:12],
)
@pytest.mark.timeout(60)
def test_long_and_flat(language: str, text: str) -> None:
    assert len(outline("x", language, text).definitions) <= walk.DEFINITION_LIMIT


@given(st.sampled_from(sorted(SPECS)), st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_bytes(language: str, data: bytes) -> None:
    outline("x", language, data.decode(errors="replace"))
    outline("x", language, data.decode("utf-8", errors="surrogateescape"))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_mutation_of_a_sample(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(SAMPLES))
    text = read(path)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 60)))
        text = text[:start] + data.draw(st.text("(){}[]<>;:,.=*&#'\"\n\t aé\U0001d4b3\0", max_size=6)) + text[end:]
    result = outline(path.name, language_of(path), text)
    assert all(each.name and "\n" not in each.name for each in result.definitions)


def test_a_grammar_that_is_missing_leaves_an_empty_outline(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {**grammars.GRAMMARS, "ruby": grammars.Bundled("no_such_name")}
    monkeypatch.setattr(grammars, "GRAMMARS", table)
    assert outline("x.rb", "ruby", "class A; end") == Outline("x.rb", "ruby")


@pytest.mark.parametrize(
    ("path", "text", "language"),
    [
        ("a.h", "struct s { int class_count; };\n", "c"),
        ("a.h", "/* uses a class of things; */\nint f(void);\n", "c"),
        ("a.h", "class A {\n};\n", "cpp"),
        ("a.h", '#ifdef __cplusplus\nextern "C" {\n#endif\nint f(void);\n', "c"),
        ("a.h", "namespace a {\n}\n", "cpp"),
        ("a.h", "  template <class T>\nT f();\n", "cpp"),
        ("a.c", "class A {\n};\n", "c"),
    ],
)
def test_language_of_headers(path: str, text: str, language: str) -> None:
    assert outline(path, "c", text).language == language


@pytest.mark.parametrize("text", ["\n" * 300_000, "class A" * 40_000, "class A\n" * 40_000, "namespace " * 30_000])
@pytest.mark.timeout(60)
def test_a_header_is_judged_quickly(text: str) -> None:
    assert outline("a.h", "c", text).path == "a.h"


def test_lines_count_from_the_file() -> None:
    result = outline("a.py", "python", "\ufeff\r\n\r\ndef f(): ...\r\n")
    assert [each.line for each in result.definitions] == [2]
