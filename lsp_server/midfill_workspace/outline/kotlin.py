"""Kotlin, as far as its declarations."""

from collections.abc import Iterator

from tree_sitter import Node

from midfill_workspace.outline.spec import Row, Spec, nodes_at, text_of
from midfill_workspace.symbol import Import


def imports(node: Node) -> Iterator[Import]:
    written = text_of(next(iter(nodes_at(node, "identifier")), None))
    alias = text_of(next(iter(nodes_at(node, "import_alias.type_identifier")), None))
    module, _, name = written.rpartition(".")
    if any(child.type == ".*" for child in node.children):
        yield Import(written, "*", "", node.start_point.row)
    elif module:
        yield Import(module, name, alias or name, node.start_point.row)


def bases(node: Node) -> Iterator[Node]:
    for each in nodes_at(node, "delegation_specifier"):
        yield from nodes_at(each, "constructor_invocation.user_type") or nodes_at(each, "user_type")


def fields(node: Node) -> Iterator[Node]:
    """Parameters of the primary constructor that are properties."""
    for parameter in nodes_at(node, "primary_constructor.class_parameter"):
        if any(child.type in ("val", "var", "binding_pattern_kind") for child in parameter.children):
            yield parameter


def exported(node: Node, name: str) -> bool:
    return all("private" not in text_of(child) for child in node.children[:1] if child.type == "modifiers")


SPEC = Spec(
    rows={
        "class_declaration": Row("class"),
        "object_declaration": Row("class"),
        "function_declaration": Row("function"),
        "property_declaration": Row("variable", name="variable.simple_identifier"),
        "class_parameter": Row("variable", name="simple_identifier"),
        "enum_entry": Row("variable", name="simple_identifier"),
        "type_alias": Row("type"),
    },
    through=frozenset({"companion_object", "class_body"}),
    import_types=("import_header",),
    imports=imports,
    type_fields=("return_type", "variable.user_type", "user_type", "type"),
    bases=bases,
    fields=fields,
    exported=exported,
    package=("package_header",),
)
