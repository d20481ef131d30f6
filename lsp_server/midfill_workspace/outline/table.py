"""SPECS: the languages whose files can be outlined."""

import re
from collections.abc import Mapping

from midfill_workspace import grammars
from midfill_workspace.outline import (
    c,
    cpp,
    csharp,
    go,
    java,
    kotlin,
    lua,
    php,
    python,
    ruby,
    rust,
    scala,
    typescript,
    walk,
)
from midfill_workspace.outline.spec import Spec
from midfill_workspace.symbol import Outline

SPECS: Mapping[str, Spec] = {
    "c": c.SPEC,
    "cpp": cpp.SPEC,
    "csharp": csharp.SPEC,
    "go": go.SPEC,
    "java": java.SPEC,
    "javascript": typescript.SPEC,
    "javascriptreact": typescript.SPEC,
    "kotlin": kotlin.SPEC,
    "lua": lua.SPEC,
    "php": php.SPEC,
    "python": python.SPEC,
    "ruby": ruby.SPEC,
    "rust": rust.SPEC,
    "scala": scala.SPEC,
    "typescript": typescript.SPEC,
    "typescriptreact": typescript.SPEC,
}


CHARS_LIMIT = 300_000
"""Of one file, some 8,000 lines; what comes after is not read. Parsers recover from errors in time that grows with the
square of the text: 2 MB of broken Lua took more than two minutes."""

HEADER_OF_CPP = re.compile(
    r"^[ \t]*(?:class[ \t]+\w[^;\n]{0,200}[{:]|class[ \t]+\w+[ \t]*$|namespace\b[^;\n]{0,200}\{|template[ \t]*<|using[ \t]|(?:public|private|protected)[ \t]*:)",
    re.MULTILINE,
)
"""What tells that a `.h` is C++: its name does not."""


def outline(path: str, language: str, text: str) -> Outline:
    """Empty where the language is not known, or its grammar is not installed."""
    unix = _beginning(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    language = _told_by_text(path, grammars.ALIASES.get(language, language), unix)
    parser = grammars.parser(language)
    if parser is None or language not in SPECS:
        return Outline(path, language)
    tree = parser.parse(unix.encode(errors="replace"))
    return walk.outline(path, language, unix, tree, SPECS[language])


def _told_by_text(path: str, language: str, text: str) -> str:
    return "cpp" if language == "c" and path.endswith(".h") and HEADER_OF_CPP.search(text) else language


def _beginning(text: str) -> str:
    """Whole lines, unless the first is longer than what is read."""
    if len(text) <= CHARS_LIMIT:
        return text
    end = text.rfind("\n", 0, CHARS_LIMIT)
    return text[: end + 1 or CHARS_LIMIT]
