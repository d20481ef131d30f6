"""Every language in the table parses, or says once that it cannot."""

import importlib.util
import logging

import pytest

from midfill_workspace import grammars
from midfill_workspace.grammars import ALIASES, GRAMMARS, Bundled, Source, Wheel

SOURCES = {
    "python": "def f():\n    return 1\n",
    "javascript": "function f() { return 1; }\n",
    "javascriptreact": "const a = <b>{c}</b>;\n",
    "typescript": "const a: number = 1;\n",
    "typescriptreact": "const a: number = <b>{c}</b>;\n",
    "go": "package p\n\nfunc f() {}\n",
    "rust": "fn f() -> u8 { 1 }\n",
    "java": "class A { int f() { return 1; } }\n",
    "c": "int f(void) { return 1; }\n",
    "cpp": "template <class T> T f() { return 1; }\n",
    "lua": "function f() return 1 end\n",
    "ruby": "def f\n  1\nend\n",
    "shellscript": "if true; then echo 1; fi\n",
    "csharp": "class A { int F() { return 1; } }\n",
}
BUNDLE = importlib.util.find_spec("tree_sitter_languages") is not None


@pytest.mark.parametrize("language", SOURCES)
def test_source_without_error(language: str) -> None:
    parser = grammars.parser(language)
    if isinstance(GRAMMARS[language], Bundled) and not BUNDLE:
        assert parser is None
        return
    assert parser is not None
    assert not parser.parse(SOURCES[language].encode()).root_node.has_error


@pytest.mark.parametrize("language", [*GRAMMARS, *ALIASES])
def test_every_row_loads(language: str) -> None:
    bundled = isinstance(GRAMMARS[ALIASES.get(language, language)], Bundled)
    assert (grammars.parser(language) is not None) == (BUNDLE or not bundled)


@pytest.mark.parametrize("language", ["", "plaintext", "markdown", "no such language", "\ud800"])
def test_unknown_language_is_plain_text(language: str) -> None:
    assert grammars.parser(language) is None


def test_parsers_are_not_shared() -> None:
    assert grammars.parser("python") is not grammars.parser("python")


@pytest.mark.parametrize(
    "source",
    [
        Wheel("no_such_grammar"),
        Wheel("tree_sitter_python", "no_such_function"),
        Wheel("os", "getcwd"),
        Bundled("no_such_name"),
    ],
)
def test_unusable_grammar_is_logged_once(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    grammars.load.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert grammars.load(source) is None
        assert grammars.load(source) is None
    assert [record.message for record in caplog.records] == ["grammar.unusable"]
