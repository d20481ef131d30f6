"""Lua: a module is the table that its file returns."""

from collections.abc import Iterator
from dataclasses import replace

from tree_sitter import Node

from midfill_workspace.outline.spec import Row, Spec, field_text, nodes_at, text_of, unquoted
from midfill_workspace.symbol import Definition, Import, Outline


def imports(node: Node) -> Iterator[Import]:
    """`local name = require("module")`"""
    call = next(iter(nodes_at(node, "assignment_statement.expression_list.value")), None)
    if call is None or field_text(call, "name") != "require":
        return
    name = text_of(next(iter(nodes_at(node, "assignment_statement.variable_list.name")), None))
    yield Import(unquoted_argument(call), "", name, node.start_point.row)


def unquoted_argument(call: Node) -> str:
    return unquoted(call.child_by_field_name("arguments")).strip("()\"'[] ")


def row_of(node: Node, row: Row) -> Row:
    """`M.f = function() … end` is a function."""
    values = nodes_at(node, "expression_list.value") or nodes_at(node, "assignment_statement.expression_list.value")
    return Row("function", row.name) if values and values[0].type == "function_definition" else row


def names(node: Node, row: Row) -> Iterator[str]:
    """Not those of modules that are required: they are imported."""
    if node.type == "variable_declaration" and any(imports(node)):
        return
    for name in nodes_at(node, row.name):
        yield text_of(name).replace(":", ".")


def owner(node: Node) -> str:
    """`M` of `function M.f()` and of `M.f = …`."""
    name = next(iter(nodes_at(node, "name")), None) or next(iter(nodes_at(node, "variable_list.name")), None)
    return field_text(name, "table") if name is not None else ""


def as_module(outline: Outline, root: Node) -> Outline:
    """What belongs to the returned table is what the file offers; the rest is its own."""
    returned = [text_of(node) for node in nodes_at(root, "return_statement.expression_list.identifier")]
    if not returned:
        return outline
    return replace(outline, definitions=tuple(_offered(each, returned[-1]) for each in outline.definitions))


def _offered(definition: Definition, table: str) -> Definition:
    if definition.owner != table:
        return replace(definition, exported=bool(definition.owner))
    return replace(definition, owner="", kind="function" if definition.kind == "method" else "variable")


SPEC = Spec(
    rows={
        "function_declaration": Row("function"),
        "assignment_statement": Row("variable", name="variable_list.name"),
        "variable_declaration": Row("variable", name="assignment_statement.variable_list.name"),
    },
    through=frozenset(),
    import_types=("variable_declaration",),
    imports=imports,
    type_fields=(),
    row_of=row_of,
    names=names,
    owner=owner,
    finish=as_module,
)
