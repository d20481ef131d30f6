"""Go."""

import re
from collections.abc import Iterator

from tree_sitter import Node

from midfill_workspace.outline.spec import Row, Spec, field_text
from midfill_workspace.symbol import Import

RECEIVER = re.compile(r"([A-Za-z_]\w*)(?:\[[^\]]*\])?\s*\)$")
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
    found = RECEIVER.search(field_text(node, "receiver"))
    return found[1] if found else ""


def value_type(node: Node) -> str:
    found = LITERAL.match(field_text(node, "value"))
    return found[1] if found else ""


def bases(node: Node) -> Iterator[Node]:
    """Embedded types: fields that have a type only."""
    inner = node.child_by_field_name("type")
    for holder in inner.named_children if inner is not None else ():
        for field in holder.named_children if holder.type == "field_declaration_list" else ():
            written = field.child_by_field_name("type")
            if written is not None and field.child_by_field_name("name") is None:
                yield written


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
    through=frozenset(
        {"type_declaration", "var_declaration", "const_declaration", "var_spec_list", "field_declaration_list"}
    ),
    import_types=("import_spec",),
    imports=imports,
    value_type=value_type,
    bases=bases,
    owner=owner,
    exported=exported,
    package="package_clause",
)
