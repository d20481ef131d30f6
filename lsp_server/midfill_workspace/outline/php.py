"""PHP, as far as its declarations."""

import re
from collections.abc import Iterator

from tree_sitter import Node

from midfill_workspace.outline.spec import Row, Spec, nodes_at, text_of
from midfill_workspace.symbol import Import

PROMOTED = "property_promotion_parameter"
QUOTED = re.compile(r"[\"']([^\"'$]+)[\"']")


def imports(node: Node) -> Iterator[Import]:
    """`use` takes a name out of a namespace; an included file is all here."""
    line = node.start_point.row
    if node.type != "namespace_use_declaration":
        found = QUOTED.search(text_of(node))
        if found is not None:
            yield Import("./" + found[1].lstrip("/"), "*", "", line, exported=True)
        return
    group = next(iter(nodes_at(node, "namespace_use_group")), None)
    prefix = text_of(next(iter(nodes_at(node, "namespace_name")), None)) if group is not None else ""
    for clause in (group or node).named_children:
        yield from _clause(clause, prefix, line)


def _clause(clause: Node, prefix: str, line: int) -> Iterator[Import]:
    if not clause.type.endswith("_clause") or not clause.named_children:
        return
    path = f"{prefix}\\{text_of(clause.named_children[0])}".strip("\\")
    module, _, name = path.rpartition("\\")
    alias = text_of(next(iter(nodes_at(clause, "namespace_aliasing_clause.name")), None))
    if module:
        yield Import(module, name, alias or name, line)


def bases(node: Node) -> Iterator[Node]:
    for clause in ("base_clause", "class_interface_clause"):
        yield from (name for each in nodes_at(node, clause) for name in each.named_children)
    for used in nodes_at(node, "body.use_declaration"):
        yield from (name for name in used.named_children if name.type in ("name", "qualified_name"))


def fields(node: Node) -> Iterator[Node]:
    """Parameters of a constructor that are properties."""
    yield from (each for each in nodes_at(node, "parameters.property_promotion_parameter") if each.type == PROMOTED)


def exported(node: Node, name: str) -> bool:
    return all(text_of(child) != "private" for child in node.children if child.type == "visibility_modifier")


SPEC = Spec(
    rows={
        "class_declaration": Row("class"),
        "interface_declaration": Row("type"),
        "trait_declaration": Row("class"),
        "enum_declaration": Row("type", brief=True),
        "function_definition": Row("function"),
        "method_declaration": Row("function"),
        "property_declaration": Row("variable", name="property_element.variable_name.name"),
        PROMOTED: Row("variable", name="name.name"),
        "const_declaration": Row("variable", name="const_element.name"),
        "enum_case": Row("variable"),
    },
    through=frozenset({"namespace_definition", "compound_statement"}),
    import_types=(
        "namespace_use_declaration",
        "require_expression",
        "require_once_expression",
        "include_expression",
        "include_once_expression",
    ),
    imports=imports,
    type_fields=("return_type", "type"),
    bases=bases,
    fields=fields,
    exported=exported,
    package=("namespace_definition",),
)
