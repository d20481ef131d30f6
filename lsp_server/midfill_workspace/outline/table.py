"""SPECS: the languages whose files can be outlined."""

from collections.abc import Mapping

from midfill_workspace import grammars
from midfill_workspace.outline import go, python, typescript, walk
from midfill_workspace.outline.spec import Spec
from midfill_workspace.symbol import Outline

SPECS: Mapping[str, Spec] = {
    "go": go.SPEC,
    "javascript": typescript.SPEC,
    "javascriptreact": typescript.SPEC,
    "python": python.SPEC,
    "typescript": typescript.SPEC,
    "typescriptreact": typescript.SPEC,
}


def outline(path: str, language: str, text: str) -> Outline:
    """Empty where the language is not known, or its grammar is not installed."""
    language = grammars.ALIASES.get(language, language)
    parser = grammars.parser(language)
    if parser is None or language not in SPECS:
        return Outline(path, language)
    unix = text.replace("\r\n", "\n")
    tree = parser.parse(unix.encode(errors="replace"))
    return walk.outline(path, language, unix, tree, SPECS[language])
