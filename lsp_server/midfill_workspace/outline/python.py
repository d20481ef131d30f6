"""Python."""

import re
from collections.abc import Iterator
from dataclasses import replace

from tree_sitter import Node

from midfill_workspace.outline.spec import Row, Spec, field_text, nodes_at, text_of
from midfill_workspace.outline.walk import plain_type
from midfill_workspace.symbol import Import, Outline

STRING = re.compile(r"[\"'](\w+)[\"']")

THROUGH = frozenset(
    {
        "decorated_definition",
        "expression_statement",
        "if_statement",
        "elif_clause",
        "else_clause",
        "try_statement",
        "except_clause",
        "finally_clause",
        "with_statement",
        "match_statement",
        "case_clause",
        "block",
    }
)
STATEMENTS = THROUGH | {"for_statement", "while_statement", "except_group_clause"}
"""Where a method may assign a field."""


def imports(node: Node) -> Iterator[Import]:
    line = node.start_point.row
    if node.type == "import_statement":
        for name in node.children_by_field_name("name"):
            yield _of_module(name, line)
        return
    module = field_text(node, "module_name")
    if any(child.type == "wildcard_import" for child in node.named_children):
        yield Import(module, "*", "", line, exported=True)
    for name in node.children_by_field_name("name"):
        taken, alias = _name_and_alias(name)
        yield Import(module, taken, alias or taken, line, exported=True)


def _of_module(name: Node, line: int) -> Import:
    """`import a.b` binds `a`, but what is used is written `a.b.c`: the whole name is kept as the alias."""
    module, alias = _name_and_alias(name)
    return Import(module, "", alias or module, line, exported=True)


def _name_and_alias(name: Node) -> tuple[str, str]:
    if name.type == "aliased_import":
        return field_text(name, "name"), field_text(name, "alias")
    return text_of(name), ""


def names(node: Node, row: Row) -> Iterator[str]:
    """Also those of `first, second = …`."""
    for name in nodes_at(node, row.name):
        yield from (text_of(each) for each in (name.named_children if name.type == "pattern_list" else (name,)))


def bases(node: Node) -> Iterator[Node]:
    superclasses = node.child_by_field_name("superclasses")
    if superclasses is not None:
        yield from (child for child in superclasses.named_children if child.type != "keyword_argument")


def value_type(node: Node) -> str:
    """`x = Name(...)` is taken to be a Name, where Name looks like a class."""
    value = node.child_by_field_name("right")
    if value is None or value.type != "call":
        return ""
    called = plain_type(field_text(value, "function"))
    return called if called.rpartition(".")[2][:1].isupper() else ""


def fields(node: Node) -> Iterator[Node]:
    """`self.name = …` inside a method, not inside functions within it."""
    body = node.child_by_field_name("body")
    waiting = [body] if body is not None and b"self." in (body.text or b"") else []
    while waiting:
        child = waiting.pop()
        if child.type == "assignment":
            if field_text(child, "left").startswith("self."):
                yield child
        elif child.type in STATEMENTS:
            waiting.extend(reversed(child.named_children))


def documentation(node: Node) -> str:
    body = node.child_by_field_name("body")
    first = body.named_children[0] if body is not None and body.named_children else None
    if first is None or first.type != "expression_statement" or not first.named_children:
        return ""
    return text_of(first.named_children[0]).lstrip("rRuUbB") if first.named_children[0].type == "string" else ""


def exported(node: Node, name: str) -> bool:
    """By the underscore; what `__all__` says comes after."""
    return not name.startswith("_") or name.endswith("__")


def by_list(outline: Outline, root: Node) -> Outline:
    """A module with `__all__` offers what is in it."""
    names = _listed(root)
    if not names:
        return outline
    definitions = tuple(
        each if each.owner else replace(each, exported=each.name in names) for each in outline.definitions
    )
    imports = tuple(replace(each, exported=each.name == "*" or each.alias in names) for each in outline.imports)
    return replace(outline, definitions=definitions, imports=imports)


def _listed(root: Node) -> frozenset[str]:
    """The strings of what is assigned or added to `__all__`."""
    texts = [text_of(node) for node in root.named_children if node.type == "expression_statement"]
    written = [text for text in texts if text.startswith("__all__")]
    return frozenset(name for text in written for name in STRING.findall(text))


SPEC = Spec(
    rows={
        "function_definition": Row("function"),
        "class_definition": Row("class"),
        "assignment": Row("variable", name="left"),
        "type_alias_statement": Row("type", name="left"),
    },
    through=THROUGH,
    import_types=("import_statement", "import_from_statement"),
    imports=imports,
    names=names,
    value_type=value_type,
    bases=bases,
    fields=fields,
    documentation=documentation,
    exported=exported,
    finish=by_list,
)
