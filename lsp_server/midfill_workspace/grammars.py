"""Which tree-sitter grammar reads a language; each is loaded on first use and kept."""

import ctypes
import importlib
import importlib.util
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tree_sitter

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A grammar with a package of its own; `function` returns its language."""

    module: str
    function: str = "language"


@dataclass(frozen=True, slots=True)
class Bundled:
    """A grammar inside the shared library of `tree_sitter_languages`, which not every Python has."""

    name: str


Source = Wheel | Bundled

GRAMMARS: Mapping[str, Source] = {
    "c": Wheel("tree_sitter_c"),
    "cpp": Wheel("tree_sitter_cpp"),
    "go": Wheel("tree_sitter_go"),
    "java": Wheel("tree_sitter_java"),
    "javascript": Wheel("tree_sitter_javascript"),
    "javascriptreact": Wheel("tree_sitter_javascript"),
    "lua": Wheel("tree_sitter_lua"),
    "python": Wheel("tree_sitter_python"),
    "rust": Wheel("tree_sitter_rust"),
    "typescript": Wheel("tree_sitter_typescript", "language_typescript"),
    "typescriptreact": Wheel("tree_sitter_typescript", "language_tsx"),
    "csharp": Bundled("c_sharp"),
    "css": Bundled("css"),
    "dockerfile": Bundled("dockerfile"),
    "elisp": Bundled("elisp"),
    "elixir": Bundled("elixir"),
    "elm": Bundled("elm"),
    "erb": Bundled("embedded_template"),
    "erlang": Bundled("erlang"),
    "fortran": Bundled("fortran"),
    "go.mod": Bundled("gomod"),
    "hack": Bundled("hack"),
    "haskell": Bundled("haskell"),
    "html": Bundled("html"),
    "json": Bundled("json"),
    "julia": Bundled("julia"),
    "kotlin": Bundled("kotlin"),
    "lisp": Bundled("commonlisp"),
    "makefile": Bundled("make"),
    "objective-c": Bundled("objc"),
    "ocaml": Bundled("ocaml"),
    "perl": Bundled("perl"),
    "php": Bundled("php"),
    "r": Bundled("r"),
    "ruby": Bundled("ruby"),
    "scala": Bundled("scala"),
    "shellscript": Bundled("bash"),
    "sql": Bundled("sql"),
    "terraform": Bundled("hcl"),
    "toml": Bundled("toml"),
    "yaml": Bundled("yaml"),
}
"""By LSP language id. Prose formats are left out on purpose: their trees say nothing about scope."""

ALIASES: Mapping[str, str] = {
    "bash": "shellscript",
    "commonlisp": "lisp",
    "cs": "csharp",
    "emacs-lisp": "elisp",
    "eruby": "erb",
    "gomod": "go.mod",
    "hcl": "terraform",
    "javascript.jsx": "javascriptreact",
    "jsonc": "json",
    "make": "makefile",
    "objc": "objective-c",
    "sh": "shellscript",
    "typescript.tsx": "typescriptreact",
    "zsh": "shellscript",
}
"""What other editors call the same language (Neovim sends its file type)."""


def parser(language: str) -> tree_sitter.Parser | None:
    """A new parser, so that no two callers share one; None where the language is read as plain text."""
    source = GRAMMARS.get(ALIASES.get(language, language))
    grammar = None if source is None else load(source)
    return None if grammar is None else tree_sitter.Parser(grammar)


@cache
def load(source: Source) -> tree_sitter.Language | None:
    """None, and one event, for a package that is missing or a grammar that this tree-sitter cannot run."""
    try:
        match source:
            case Wheel(module, function):
                return tree_sitter.Language(getattr(importlib.import_module(module), function)())
            case Bundled(name):
                return tree_sitter.Language(_capsule(name))
    except (ImportError, AttributeError, OSError, ValueError, TypeError) as exc:
        log.warning("grammar.unusable", extra={"grammar": repr(source), "reason": type(exc).__name__})
        return None


def _capsule(name: str) -> object:
    """The package's own `get_parser` fails with a current tree-sitter, so its library is asked directly."""
    find = getattr(_bundle(), f"tree_sitter_{name}")
    find.restype = ctypes.c_void_p
    wrap = ctypes.pythonapi.PyCapsule_New
    wrap.restype = ctypes.py_object
    wrap.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return wrap(find(), b"tree_sitter.Language", None)


@cache
def _bundle() -> ctypes.CDLL:
    spec = importlib.util.find_spec("tree_sitter_languages")
    if spec is None or spec.origin is None:
        raise ImportError("tree_sitter_languages")
    library = "languages.dll" if ctypes.sizeof(ctypes.c_wchar) == 2 else "languages.so"
    return ctypes.CDLL(str(Path(spec.origin).with_name(library)))
