"""Ruby, as far as its declarations."""

from collections.abc import Iterator

from tree_sitter import Node

from midfill_workspace.outline.spec import Row, Spec, field_text, nodes_at, text_of, unquoted
from midfill_workspace.symbol import Import

ATTRIBUTES = frozenset({"attr_reader", "attr_writer", "attr_accessor"})


def imports(node: Node) -> Iterator[Import]:
    """What is required is all here; a relative path is told by its dot."""
    method = field_text(node, "method")
    if method in ("require", "require_relative"):
        path = unquoted(next(iter(nodes_at(node, "arguments.string")), None))
        module = path if method == "require" or path.startswith(".") else f"./{path}"
        yield Import(module, "*", "", node.start_point.row, exported=True)


def names(node: Node, row: Row) -> Iterator[str]:
    """Of a call, only `attr_reader :a, :b` and its like declare something; of assignments, those of constants."""
    if node.type == "call":
        if field_text(node, "method") in ATTRIBUTES:
            yield from (text_of(symbol).lstrip(":") for symbol in nodes_at(node, "arguments.simple_symbol"))
        return
    name = field_text(node, row.name)
    if node.type != "assignment" or name[:1].isupper():
        yield name


def bases(node: Node) -> Iterator[Node]:
    yield from (each for each in nodes_at(node, "superclass") for each in each.named_children)
    for call in nodes_at(node, "body.call"):
        if field_text(call, "method") == "include":
            yield from nodes_at(call, "arguments.constant")


SPEC = Spec(
    rows={
        "class": Row("class"),
        "module": Row("class"),
        "method": Row("function"),
        "singleton_method": Row("function"),
        "assignment": Row("variable", name="left"),
        "call": Row("variable", name="method"),
    },
    through=frozenset({"singleton_class", "body_statement"}),
    import_types=("call",),
    imports=imports,
    type_fields=(),
    names=names,
    bases=bases,
)
