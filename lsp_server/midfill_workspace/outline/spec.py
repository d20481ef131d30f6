"""What the engine must know of a language: which nodes declare something, and where to look for more of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tree_sitter import Node

from midfill_workspace.symbol import Import, Kind, Outline


@dataclass(frozen=True, slots=True)
class Row:
    """A node type that declares a name."""

    kind: Kind
    name: str = "name"
    """Where the name is: a path as of `nodes_at`. There may be several names, as in `var a, b int`."""
    brief: bool = False
    """Whether the beginning of its body belongs to what others should see: the fields of a struct, the cases of an enum."""
    open: bool = False
    """Whether what it holds is named without it, as the enumerators of C are."""


def nodes_at(node: Node, path: str) -> list[Node]:
    """Fields, or the types of children where there is no such field, joined by dots; "" is the node itself."""
    found = [node]
    for part in path.split(".") if path else ():
        found = [child for each in found for child in _children(each, part)]
    return found


def _children(node: Node, part: str) -> list[Node]:
    fields = [child for child in node.children_by_field_name(part) if child.is_named]
    return fields or [child for child in node.named_children if child.type == part]


def named_by_path(node: Node, row: Row) -> Iterator[str]:
    for name in nodes_at(node, row.name):
        yield text_of(name)


def no_nodes(node: Node) -> Iterator[Node]:
    """Nothing of this kind in this language."""
    yield from ()


def no_name(node: Node) -> str:
    return ""


def always(node: Node, name: str) -> bool:
    return True


def same_row(node: Node, row: Row) -> Row:
    return row


def itself(node: Node) -> Node:
    return node


def unchanged(outline: Outline, root: Node) -> Outline:
    return outline


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
    """Where a type is written: paths, the first that leads somewhere counts."""
    row_of: Callable[[Node, Row], Row] = same_row
    """The row of a node where its type alone does not tell, as with a prototype and a variable in C."""
    names: Callable[[Node, Row], Iterator[str]] = named_by_path
    value_type: Callable[[Node], str] = no_name
    """The type that the value of a variable or field tells, where none is written."""
    bases: Callable[[Node], Iterator[Node]] = no_nodes
    """The nodes that name what a class inherits."""
    fields: Callable[[Node], Iterator[Node]] = no_nodes
    """Nodes inside the signature of a class, or inside a method, that declare a field of the class."""
    beside: Callable[[Node], Iterator[Node]] = no_nodes
    """Nodes inside a declaration that declare something of the same level, as `struct s {…} x;` does."""
    owner: Callable[[Node], str] = no_name
    """The type that a declaration, or all that a node holds, belongs to although it stands outside of it."""
    start: Callable[[Node], Node] = itself
    """The node that the header of a declaration begins with."""
    exported: Callable[[Node, str], bool] = always
    package: tuple[str, ...] = ()
    """The types of nodes that name the package, directly below the root."""
    documentation: Callable[[Node], str] | None = None
    """The text of a declaration's documentation where it does not stand in comments above it."""
    finish: Callable[[Outline, Node], Outline] = unchanged
    """What only the whole file tells."""


def text_of(node: Node | None) -> str:
    """The source of a node, "" for none; what is no UTF-8 is replaced."""
    return (node.text or b"").decode(errors="replace") if node is not None else ""


def field_text(node: Node, name: str) -> str:
    return text_of(node.child_by_field_name(name))


def unquoted(node: Node | None) -> str:
    return text_of(node).strip("\"'`<>")
