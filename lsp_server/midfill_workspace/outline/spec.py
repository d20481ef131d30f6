"""What the engine must know of a language: which nodes declare something, and where to look for more of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tree_sitter import Node

from midfill_workspace.symbol import Import, Kind


@dataclass(frozen=True, slots=True)
class Row:
    """A node type that declares a name."""

    kind: Kind
    name: str = "name"
    """The field that holds the name; there may be several, as in `var a, b int`."""
    brief: bool = False
    """Whether the beginning of its body belongs to what others should see: the fields of a struct, the cases of an enum."""


def no_nodes(node: Node) -> Iterator[Node]:
    """Nothing of this kind in this language."""
    yield from ()


def no_name(node: Node) -> str:
    return ""


def always(node: Node, name: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Spec:
    """One language."""

    rows: Mapping[str, Row]
    through: frozenset[str]
    """Nodes that declare nothing themselves, but hold declarations of the same level."""
    import_types: tuple[str, ...]
    imports: Callable[[Node], Iterator[Import]]
    """What one such node imports, wherever in the file it stands."""
    type_fields: tuple[str, ...] = ("return_type", "type", "result")
    value_type: Callable[[Node], str] = no_name
    """The type that the value of a variable or field tells, where none is written."""
    bases: Callable[[Node], Iterator[Node]] = no_nodes
    """The nodes that name what a class inherits."""
    fields: Callable[[Node], Iterator[Node]] = no_nodes
    """Nodes inside a method that declare a field of its class."""
    owner: Callable[[Node], str] = no_name
    """The type that a declaration belongs to although it stands outside of it."""
    exported: Callable[[Node, str], bool] = always
    package: str = ""
    """The type of the node that names the package, directly below the root."""
    documentation: Callable[[Node], str] | None = None
    """The text of a declaration's documentation where it does not stand in comments above it."""


def text_of(node: Node | None) -> str:
    """The source of a node, "" for none; what is no UTF-8 is replaced."""
    return (node.text or b"").decode(errors="replace") if node is not None else ""


def field_text(node: Node, name: str) -> str:
    return text_of(node.child_by_field_name(name))
