"""What a file declares and imports, as values: the currency of index, resolvers and context."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["function", "class", "type", "variable", "method", "field"]

MEMBERS: frozenset[Kind] = frozenset({"method", "field"})


@dataclass(frozen=True, slots=True)
class Definition:
    """One declared name. `header` is its signature as written, whole lines, dedented; a short body may be part of it."""

    name: str
    kind: Kind
    line: int
    """Where the declaration starts, from 0, its decorators and comments left out."""
    header: str
    doc: str = ""
    """The first line of its documentation."""
    owner: str = ""
    """The class or type that it is a member of."""
    bases: tuple[str, ...] = ()
    """What a class inherits, as written, without type arguments."""
    type: str = ""
    """The type of a variable or field, or what a function returns, as written or as its value says; "" if unknown."""
    exported: bool = True


@dataclass(frozen=True, slots=True)
class Import:
    """One name that comes from elsewhere."""

    module: str
    """As written, without quotes."""
    name: str = ""
    """What is taken from the module: "" is the module itself, `*` all it exports, `default` its default export."""
    alias: str = ""
    """The name it has here; "" when it has none, as with a star or an import for its effects."""
    line: int = 0
    exported: bool = False
    """Whether other files may import it from here."""


@dataclass(frozen=True, slots=True)
class Outline:
    """One file. `package` is the name that it declares itself to be part of, where its language has such a thing."""

    path: str
    language: str
    imports: tuple[Import, ...] = ()
    definitions: tuple[Definition, ...] = ()
    package: str = ""
