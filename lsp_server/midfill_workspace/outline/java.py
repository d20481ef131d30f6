"""Java."""

from collections.abc import Iterator

from tree_sitter import Node

from midfill_workspace.outline.spec import Row, Spec, text_of
from midfill_workspace.symbol import Import

HERITAGE = frozenset({"superclass", "super_interfaces", "extends_interfaces", "type_list"})
TYPES = frozenset({"class_declaration", "interface_declaration", "enum_declaration", "record_declaration"})


def imports(node: Node) -> Iterator[Import]:
    """`import a.b.C` takes C from a.b, a static one its member from the class."""
    written = next((child for child in node.named_children if "identifier" in child.type), None)
    module, _, name = text_of(written).rpartition(".")
    if any(child.type == "asterisk" for child in node.named_children):
        yield Import(text_of(written), "*", "", node.start_point.row)
    elif module:
        yield Import(module, name, name, node.start_point.row)


def bases(node: Node) -> Iterator[Node]:
    for child in node.named_children if node.type in TYPES else ():
        if child.type in HERITAGE:
            yield from _types(child)


def _types(node: Node) -> Iterator[Node]:
    for child in node.named_children:
        yield from child.named_children if child.type in HERITAGE else (child,)


def fields(node: Node) -> Iterator[Node]:
    """The components of a record."""
    parameters = node.child_by_field_name("parameters") if node.type == "record_declaration" else None
    yield from parameters.named_children if parameters is not None else ()


def exported(node: Node, name: str) -> bool:
    """Of a class itself, whether other packages see it; of a member, whether other classes do."""
    modifiers = {part.type for child in node.children[:1] if child.type == "modifiers" for part in child.children}
    top = node.parent is None or node.parent.parent is None
    return "public" in modifiers if top else "private" not in modifiers


SPEC = Spec(
    rows={
        "class_declaration": Row("class"),
        "interface_declaration": Row("type"),
        "enum_declaration": Row("type", brief=True),
        "record_declaration": Row("class"),
        "annotation_type_declaration": Row("type"),
        "method_declaration": Row("function"),
        "constructor_declaration": Row("function"),
        "annotation_type_element_declaration": Row("function"),
        "field_declaration": Row("variable", name="declarator.name"),
        "constant_declaration": Row("variable", name="declarator.name"),
        "enum_constant": Row("variable"),
        "formal_parameter": Row("variable"),
    },
    through=frozenset({"enum_body_declarations"}),
    import_types=("import_declaration",),
    imports=imports,
    bases=bases,
    fields=fields,
    exported=exported,
    package=("package_declaration",),
)
