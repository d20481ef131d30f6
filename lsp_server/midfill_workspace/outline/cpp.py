"""C++: classes, namespaces, templates, and members that are defined outside of their class."""

from collections.abc import Iterator
from dataclasses import replace

from tree_sitter import Node

from midfill_workspace.outline import c
from midfill_workspace.outline.spec import Row, field_text, text_of
from midfill_workspace.outline.walk import plain_type


def owner(node: Node) -> str:
    """`A` of `void ns::A<T>::f() {…}`."""
    declarator = node.child_by_field_name("declarator") if node.type in ("function_definition", "declaration") else None
    scope = ""
    for _ in range(c.DECLARATOR_LIMIT):
        if declarator is None or declarator.type in c.NAMES:
            break
        if declarator.type == "qualified_identifier":
            scope = plain_type(field_text(declarator, "scope"))
        declarator = _inner(declarator)
    return scope


def _inner(declarator: Node) -> Node | None:
    inner = declarator.child_by_field_name("declarator") or declarator.child_by_field_name("name")
    return inner or (declarator.named_children[-1] if declarator.named_children else None)


def bases(node: Node) -> Iterator[Node]:
    yield from c.bases(node)
    aliased = node.child_by_field_name("type") if node.type == "alias_declaration" else None
    if aliased is not None:
        yield aliased
    for clause in node.named_children if node.type in c.SPECIFIERS else ():
        if clause.type == "base_class_clause":
            yield from (child for child in clause.named_children if child.type not in NO_BASE)


def start(node: Node) -> Node:
    """`template <…>` belongs to what follows it."""
    above = node.parent
    return above if above is not None and above.type == "template_declaration" else node


def row_of(node: Node, row: Row) -> Row:
    """`enum class` keeps its names to itself."""
    if node.type == "enum_specifier" and any(text_of(child) in ("class", "struct") for child in node.children[:2]):
        return replace(row, open=False)
    return c.row_of(node, row)


NO_BASE = frozenset({"access_specifier", "virtual", "comment"})

SPEC = replace(
    c.extended(
        c.SPEC,
        rows={
            "struct_specifier": Row("class", brief=True),
            "class_specifier": Row("class", brief=True),
            "alias_declaration": Row("type"),
            "concept_definition": Row("type"),
        },
        through=frozenset({"namespace_definition", "template_declaration"}),
    ),
    row_of=row_of,
    bases=bases,
    owner=owner,
    start=start,
)
