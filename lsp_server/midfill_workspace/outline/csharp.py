"""C#, as far as its declarations."""

from collections.abc import Iterator

from tree_sitter import Node

from midfill_workspace.outline.spec import Row, Spec, field_text, text_of
from midfill_workspace.symbol import Import


def imports(node: Node) -> Iterator[Import]:
    """A `using` takes all of a namespace, a static one all of a class, one with `=` a type."""
    module, line = field_text(node, "name"), node.start_point.row
    alias = node.child_by_field_name("alias")
    if alias is None:
        yield Import(module, "*", "", line)
    else:
        holder, _, name = module.rpartition(".")
        yield Import(holder, name, text_of(alias).rstrip("= "), line)


def bases(node: Node) -> Iterator[Node]:
    listed = node.child_by_field_name("bases")
    yield from listed.named_children if listed is not None else ()


def fields(node: Node) -> Iterator[Node]:
    """The components of a record."""
    parameters = node.child_by_field_name("parameters") if node.type.startswith("record") else None
    yield from parameters.named_children if parameters is not None else ()


def exported(node: Node, name: str) -> bool:
    return all(text_of(child) not in ("private", "protected") for child in node.children if child.type == "modifier")


SPEC = Spec(
    rows={
        "class_declaration": Row("class"),
        "interface_declaration": Row("type"),
        "struct_declaration": Row("type"),
        "record_declaration": Row("class"),
        "record_struct_declaration": Row("class"),
        "enum_declaration": Row("type", brief=True),
        "delegate_declaration": Row("type"),
        "method_declaration": Row("function"),
        "constructor_declaration": Row("function"),
        "property_declaration": Row("variable"),
        "field_declaration": Row("variable", name="variable_declaration.variable_declarator.name"),
        "event_field_declaration": Row("variable", name="variable_declaration.variable_declarator.name"),
        "enum_member_declaration": Row("variable"),
        "parameter": Row("variable"),
    },
    through=frozenset({"namespace_declaration", "file_scoped_namespace_declaration", "declaration_list"}),
    import_types=("using_directive",),
    imports=imports,
    type_fields=("type", "variable_declaration.type"),
    bases=bases,
    fields=fields,
    exported=exported,
    package=("namespace_declaration", "file_scoped_namespace_declaration"),
)
