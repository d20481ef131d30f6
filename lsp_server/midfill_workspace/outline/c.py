"""C; what C++ adds to it is in `cpp`."""

from collections.abc import Iterator
from dataclasses import replace

from tree_sitter import Node

from midfill_workspace.outline.spec import Row, Spec, field_text, text_of, unquoted
from midfill_workspace.symbol import Import

NAMES = frozenset({"identifier", "field_identifier", "type_identifier"})
SPECIFIERS = frozenset({"struct_specifier", "union_specifier", "enum_specifier", "class_specifier"})
DECLARATOR_LIMIT = 60
"""How many stars and brackets may stand around one name."""


def imports(node: Node) -> Iterator[Import]:
    """A file that includes this one has all of it. `<…>` stays part of the name: it is looked for elsewhere."""
    path = node.child_by_field_name("path")
    if path is not None and path.type in ("string_literal", "system_lib_string"):
        written = text_of(path) if path.type == "system_lib_string" else unquoted(path)
        yield Import(written, "*", "", node.start_point.row, exported=True)


def row_of(node: Node, row: Row) -> Row:
    """A prototype is a function, whatever declares it."""
    declarator = node.child_by_field_name("declarator") if row.kind == "variable" else None
    return FUNCTION if declarator is not None and is_function(declarator) else row


def is_function(declarator: Node) -> bool:
    """Not so `(*name)(…)`, which is a pointer to one."""
    for _ in range(DECLARATOR_LIMIT):
        inner = declarator.child_by_field_name("declarator")
        if declarator.type == "function_declarator":
            return inner is not None and inner.type != "parenthesized_declarator"
        if declarator.type in ("pointer_declarator", "reference_declarator"):
            inner = inner or _last_child(declarator)
        if inner is None or declarator.type not in ("pointer_declarator", "reference_declarator", "init_declarator"):
            return False
        declarator = inner
    return False


def names(node: Node, row: Row) -> Iterator[str]:
    if node.type in SPECIFIERS:
        yield from [field_text(node, "name")] if node.child_by_field_name("body") is not None else ()
    elif node.type == "preproc_def":
        yield from [field_text(node, "name")] if node.child_by_field_name("value") is not None else ()
    elif row.name == "declarator":
        for declarator in node.children_by_field_name("declarator"):
            yield text_of(name_of(declarator))
    else:
        yield field_text(node, row.name)


def name_of(declarator: Node) -> Node | None:
    """The name inside of stars, brackets and initialisers; in C++ it may be qualified."""
    node: Node | None = declarator
    for _ in range(DECLARATOR_LIMIT):
        if node is None or node.type in NAMES:
            return node
        inner = node.child_by_field_name("declarator") or node.child_by_field_name("name")
        node = inner if inner is not None or "declarator" not in node.type else _last_child(node)
    return None


def _last_child(node: Node) -> Node | None:
    return node.named_children[-1] if node.named_children else None


def beside(node: Node) -> Iterator[Node]:
    """The struct or enum that a declaration declares by the way; of one without a name, what it holds."""
    if node.type not in ("declaration", "type_definition", "field_declaration", "function_definition"):
        return
    written = node.child_by_field_name("type")
    if written is None or written.type not in SPECIFIERS:
        return
    body = written.child_by_field_name("body")
    if written.child_by_field_name("name") is not None:
        yield written
    elif body is not None and (node.child_by_field_name("declarator") is None or body.type == "enumerator_list"):
        yield body


def bases(node: Node) -> Iterator[Node]:
    """What a typedef is another name for; one with a body of its own has the same fields by itself."""
    written = node.child_by_field_name("type") if node.type == "type_definition" else None
    if written is not None and written.type in SPECIFIERS and written.child_by_field_name("body") is None:
        yield from written.children_by_field_name("name")
    elif written is not None and written.type in NAMES:
        yield written


def exported(node: Node, name: str) -> bool:
    """Not a `static` function, unless it is an inline one, as in headers."""
    words = [text_of(child) for child in node.children[:4] if child.type == "storage_class_specifier"]
    return "static" not in words or "inline" in words or node.type != "function_definition"


FUNCTION = Row("function", name="declarator")

SPEC = Spec(
    rows={
        "function_definition": FUNCTION,
        "declaration": Row("variable", name="declarator"),
        "field_declaration": Row("variable", name="declarator"),
        "type_definition": Row("type", name="declarator", brief=True),
        "struct_specifier": Row("type", brief=True),
        "union_specifier": Row("type", brief=True),
        "enum_specifier": Row("type", brief=True, open=True),
        "enumerator": Row("variable"),
        "preproc_def": Row("variable"),
        "preproc_function_def": Row("function"),
    },
    through=frozenset(
        {
            "preproc_ifdef",
            "preproc_if",
            "preproc_else",
            "preproc_elif",
            "preproc_elifdef",
            "linkage_specification",
            "declaration_list",
            "field_declaration_list",
            "enumerator_list",
        }
    ),
    import_types=("preproc_include",),
    imports=imports,
    type_fields=("struct_specifier.name", "enum_specifier.name", "type"),
    row_of=row_of,
    names=names,
    bases=bases,
    beside=beside,
    exported=exported,
)


def extended(spec: Spec, rows: dict[str, Row], through: frozenset[str]) -> Spec:
    """The same language with more in it."""
    return replace(spec, rows={**spec.rows, **rows}, through=spec.through | through)
