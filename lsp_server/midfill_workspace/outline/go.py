"""Go."""

import re
from collections.abc import Iterator

from tree_sitter import Node

from midfill_workspace.outline.spec import Row, Spec, field_text, nodes_at
from midfill_workspace.symbol import Import

RECEIVER = re.compile(r"([^\W\d]\w*)(?:\[[^\]]*\])?\s*\)$")
REPEAT_LIMIT = 60
"""How far above the last constant with a value may stand."""

LITERAL = re.compile(r"&?([\w.]+)\{")


def imports(node: Node) -> Iterator[Import]:
    """The name of a package is not told by its path, but nearly always its last part without a version."""
    module = field_text(node, "path").strip('"`')
    name = field_text(node, "name")
    if name == ".":
        yield Import(module, "*", "", node.start_point.row)
    elif name != "_":
        yield Import(module, "", name or package_name(module), node.start_point.row)


def package_name(module: str) -> str:
    parts = [part for part in module.split("/") if not re.fullmatch(r"v\d+", part)] or [module]
    return re.sub(r"\.v\d+$", "", parts[-1]).removeprefix("go-")


def owner(node: Node) -> str:
    """The type of a method's receiver."""
    found = RECEIVER.search(field_text(node, "receiver")[-300:])
    return found[1] if found else ""


def value_type(node: Node) -> str:
    if node.type == "const_spec":
        return _repeated_type(node) if node.child_by_field_name("value") is None else ""
    found = LITERAL.match(field_text(node, "value"))
    return found[1] if found else ""


def _repeated_type(node: Node) -> str:
    """A constant without a value repeats the last one that has one, with its type."""
    above = node.prev_named_sibling
    for _ in range(REPEAT_LIMIT):
        if above is None or above.child_by_field_name("value") is not None:
            break
        above = above.prev_named_sibling
    return field_text(above, "type") if above is not None else ""


def bases(node: Node) -> Iterator[Node]:
    """Embedded types, which are fields that have a type only, and what an alias stands for."""
    inner = node.child_by_field_name("type")
    if node.type == "type_alias" and inner is not None:
        yield inner
    for holder in inner.named_children if inner is not None else ():
        if holder.type == "type_elem":
            yield holder
        for field in holder.named_children if holder.type == "field_declaration_list" else ():
            written = field.child_by_field_name("type")
            if written is not None and field.child_by_field_name("name") is None:
                yield written


def fields(node: Node) -> Iterator[Node]:
    """Fields of a struct, methods of an interface."""
    for path in ("type.field_declaration_list.field_declaration", "type.method_elem"):
        yield from nodes_at(node, path) if node.type == "type_spec" else ()


def exported(node: Node, name: str) -> bool:
    return name[:1].isupper()


SPEC = Spec(
    rows={
        "function_declaration": Row("function"),
        "method_declaration": Row("function"),
        "type_spec": Row("type", brief=True),
        "type_alias": Row("type"),
        "var_spec": Row("variable"),
        "const_spec": Row("variable"),
        "field_declaration": Row("variable"),
        "method_elem": Row("function"),
    },
    through=frozenset({"type_declaration", "var_declaration", "const_declaration", "var_spec_list"}),
    import_types=("import_spec",),
    imports=imports,
    value_type=value_type,
    bases=bases,
    fields=fields,
    owner=owner,
    exported=exported,
    package=("package_clause",),
)
