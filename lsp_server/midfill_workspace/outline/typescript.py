"""TypeScript and JavaScript."""

from collections.abc import Iterator

from tree_sitter import Node

from midfill_workspace.outline.spec import Row, Spec, field_text, text_of
from midfill_workspace.symbol import Import

QUOTES = "\"'`"


def imports(node: Node) -> Iterator[Import]:
    """Imports, re-exports (`export … from`), local export lists, and `require`."""
    module = field_text(node, "source").strip(QUOTES)
    if node.type == "variable_declarator":
        yield from _required(node)
    elif node.type == "export_statement":
        yield from _reexports(node, module)
    else:
        yield from _imported(node, module)


def _imported(node: Node, module: str) -> Iterator[Import]:
    line = node.start_point.row
    clause = next((child for child in node.named_children if child.type.endswith("_clause")), None)
    if clause is None:
        yield Import(module, "", "", line)
        return
    if clause.type == "import_require_clause":
        module = field_text(clause, "source").strip(QUOTES)
    for part in clause.named_children:
        match part.type:
            case "identifier":
                yield Import(module, "" if clause.type == "import_require_clause" else "default", text_of(part), line)
            case "namespace_import":
                yield Import(module, "", _last(part), line)
            case "named_imports":
                yield from _specifiers(part, module, exported=False)


def _reexports(node: Node, module: str) -> Iterator[Import]:
    clause = next((child for child in node.named_children if child.type in ("export_clause", "namespace_export")), None)
    if clause is None:
        if module:
            yield Import(module, "*", "", node.start_point.row, exported=True)
    elif clause.type == "namespace_export":
        yield Import(module, "", _last(clause), node.start_point.row, exported=True)
    else:
        yield from _specifiers(clause, module, exported=True)


def _specifiers(clause: Node, module: str, *, exported: bool) -> Iterator[Import]:
    """`{a as b}`. Without a module it exports what is declared or imported in the same file."""
    for part in clause.named_children:
        name = field_text(part, "name")
        if name:
            yield Import(module, name, field_text(part, "alias") or name, part.start_point.row, exported)


def _required(node: Node) -> Iterator[Import]:
    value = node.child_by_field_name("value")
    if value is None or value.type != "call_expression" or field_text(value, "function") != "require":
        return
    module = field_text(value, "arguments").strip("() ").strip(QUOTES)
    name = node.child_by_field_name("name")
    if name is None or name.type == "identifier":
        yield Import(module, "", text_of(name), node.start_point.row)
        return
    for part in name.named_children:
        taken = field_text(part, "key") or text_of(part)
        yield Import(module, taken, field_text(part, "value") or taken, node.start_point.row)


def _last(node: Node) -> str:
    return text_of(node.named_children[-1]) if node.named_children else ""


def bases(node: Node) -> Iterator[Node]:
    for child in node.named_children:
        if child.type in ("class_heritage", "extends_clause", "implements_clause", "extends_type_clause"):
            yield from bases(child)
        elif node.type.endswith(("_clause", "_heritage")) and child.type != "type_arguments":
            yield child


def value_type(node: Node) -> str:
    value = node.child_by_field_name("value")
    return field_text(value, "constructor") if value is not None and value.type == "new_expression" else ""


def fields(node: Node) -> Iterator[Node]:
    """Parameters of a constructor that are fields of its class: those with an accessibility."""
    parameters = node.child_by_field_name("parameters")
    if parameters is not None and field_text(node, "name") == "constructor":
        for child in parameters.named_children:
            if any(part.type == "accessibility_modifier" or part.type == "readonly" for part in child.children):
                yield child


def exported(node: Node, name: str) -> bool:
    """Below an `export`, or a member of something."""
    parent = node.parent
    while parent is not None and parent.type in ("lexical_declaration", "variable_declaration", "ambient_declaration"):
        parent = parent.parent
    return parent is not None and parent.type != "program"


SPEC = Spec(
    rows={
        "function_declaration": Row("function"),
        "generator_function_declaration": Row("function"),
        "function_signature": Row("function"),
        "class_declaration": Row("class"),
        "abstract_class_declaration": Row("class"),
        "interface_declaration": Row("type", brief=True),
        "type_alias_declaration": Row("type", brief=True),
        "enum_declaration": Row("type", brief=True),
        "variable_declarator": Row("variable"),
        "method_definition": Row("function"),
        "method_signature": Row("function"),
        "abstract_method_signature": Row("function"),
        "public_field_definition": Row("variable"),
        "field_definition": Row("variable", name="property"),
        "property_signature": Row("variable"),
        "required_parameter": Row("variable", name="pattern"),
        "optional_parameter": Row("variable", name="pattern"),
    },
    through=frozenset(
        {
            "export_statement",
            "lexical_declaration",
            "variable_declaration",
            "ambient_declaration",
            "expression_statement",
            "internal_module",
            "module",
            "statement_block",
        }
    ),
    import_types=("import_statement", "export_statement", "variable_declarator"),
    imports=imports,
    value_type=value_type,
    bases=bases,
    fields=fields,
    exported=exported,
)
