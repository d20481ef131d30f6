"""Scala, as far as its declarations."""

from collections.abc import Iterator

from tree_sitter import Node

from midfill_workspace.outline.spec import Row, Spec, field_text, nodes_at, text_of
from midfill_workspace.symbol import Import


def imports(node: Node) -> Iterator[Import]:
    line = node.start_point.row
    parts = [text_of(part) for part in nodes_at(node, "path")]
    selectors = next(iter(nodes_at(node, "namespace_selectors")), None)
    if nodes_at(node, "namespace_wildcard"):
        yield Import(".".join(parts), "*", "", line)
    elif selectors is None and len(parts) > 1:
        yield Import(".".join(parts[:-1]), parts[-1], parts[-1], line)
    for selector in selectors.named_children if selectors is not None else ():
        yield _selected(".".join(parts), selector, line)


def _selected(module: str, selector: Node, line: int) -> Import:
    if selector.type == "namespace_wildcard":
        return Import(module, "*", "", line)
    name = field_text(selector, "name") or text_of(selector)
    return Import(module, name, field_text(selector, "alias") or name, line)


def bases(node: Node) -> Iterator[Node]:
    yield from nodes_at(node, "extend.type")


def fields(node: Node) -> Iterator[Node]:
    """The parameters of a class."""
    yield from nodes_at(node, "class_parameters.class_parameter")


def exported(node: Node, name: str) -> bool:
    return all("private" not in text_of(child) for child in node.children[:1] if child.type == "modifiers")


SPEC = Spec(
    rows={
        "class_definition": Row("class"),
        "object_definition": Row("class"),
        "trait_definition": Row("class"),
        "enum_definition": Row("type", brief=True),
        "function_definition": Row("function"),
        "function_declaration": Row("function"),
        "val_definition": Row("variable", name="pattern"),
        "var_definition": Row("variable", name="pattern"),
        "val_declaration": Row("variable"),
        "type_definition": Row("type"),
        "class_parameter": Row("variable"),
    },
    through=frozenset({"template_body"}),
    import_types=("import_declaration",),
    imports=imports,
    type_fields=("return_type", "type"),
    bases=bases,
    fields=fields,
    exported=exported,
    package=("package_clause",),
)
