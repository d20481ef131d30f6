"""TypeScript and JavaScript."""

import re
from collections.abc import Iterator
from dataclasses import replace

from tree_sitter import Node

from midfill_workspace.outline.spec import Row, Spec, field_text, nodes_at, text_of, unquoted
from midfill_workspace.symbol import Import

QUOTES = "\"'`"


ANONYMOUS = frozenset(
    {
        "class",
        "function_expression",
        "generator_function",
        "arrow_function",
        "object",
        "call_expression",
        "new_expression",
        "array",
    }
)
"""What may follow `export default` without a name that others could use."""

DESTRUCTURED = ("name.shorthand_property_identifier_pattern", "name.identifier")
FUNCTIONS = frozenset({"function_expression", "generator_function", "arrow_function"})
WRAPPERS = frozenset({"lexical_declaration", "variable_declaration", "ambient_declaration", "expression_statement"})
EXPORTS = re.compile(r"(?:module\.)?exports\.([\w$]+)")
FIELD = re.compile(r"this\.(#?[\w$]+)")


def imports(node: Node) -> Iterator[Import]:
    """Imports, re-exports (`export … from`), export lists, `require`, and what `module.exports` is given."""
    module = unquoted(node.child_by_field_name("source"))
    match node.type:
        case "variable_declarator":
            yield from _required(node)
        case "assignment_expression":
            yield from _assigned(node)
        case "export_statement":
            yield from _reexports(node, module)
        case _:
            yield from _imported(node, module)


def _imported(node: Node, module: str) -> Iterator[Import]:
    line = node.start_point.row
    clause = next((child for child in node.named_children if child.type.endswith("_clause")), None)
    if clause is None:
        yield Import(module, "", "", line)
        return
    if clause.type == "import_require_clause":
        yield from _whole(unquoted(clause.child_by_field_name("source")), text_of(clause.named_children[0]), line)
        return
    for part in clause.named_children:
        match part.type:
            case "identifier":
                yield Import(module, "default", text_of(part), line)
            case "namespace_import":
                yield Import(module, "", _last(part), line)
            case "named_imports":
                yield from _specifiers(part, module, exported=False)


def _whole(module: str, alias: str, line: int) -> Iterator[Import]:
    """`require`: the module's exports as an object, or the one thing that it exports."""
    yield Import(module, "", alias, line)
    if alias:
        yield Import(module, "default", alias, line)


def _reexports(node: Node, module: str) -> Iterator[Import]:
    clause = next((child for child in node.named_children if child.type in ("export_clause", "namespace_export")), None)
    if clause is None:
        yield from [Import(module, "*", "", node.start_point.row, exported=True)] if module else _default(node)
    elif clause.type == "namespace_export":
        yield Import(module, "", _last(clause), node.start_point.row, exported=True)
    else:
        yield from _specifiers(clause, module, exported=True)


def _default(node: Node) -> Iterator[Import]:
    """`export default name`, also with its declaration, and `export = name`."""
    declaration = node.child_by_field_name("declaration")
    named = [declaration.child_by_field_name("name")] if declaration is not None and _is_default(node) else []
    for child in (*named, *node.named_children):
        if child is not None and child.type.endswith("identifier"):
            yield Import("", text_of(child), "default", node.start_point.row, exported=True)


def _is_default(node: Node) -> bool:
    return any(child.type == "default" for child in node.children[:3])


def _specifiers(clause: Node, module: str, *, exported: bool) -> Iterator[Import]:
    """`{a as b}`. Without a module it exports what is declared or imported in the same file."""
    for part in clause.named_children:
        name = field_text(part, "name")
        if name:
            yield Import(module, name, field_text(part, "alias") or name, part.start_point.row, exported)


def _required(node: Node) -> Iterator[Import]:
    module = _required_module(node.child_by_field_name("value"))
    name = node.child_by_field_name("name")
    if not module or name is None:
        return
    if name.type == "identifier":
        yield from _whole(module, text_of(name), node.start_point.row)
        return
    for part in name.named_children:
        taken = field_text(part, "key") or text_of(part)
        yield Import(module, taken, field_text(part, "value") or taken, node.start_point.row)


def _required_module(value: Node | None) -> str:
    if value is None or value.type != "call_expression" or field_text(value, "function") != "require":
        return ""
    return field_text(value, "arguments").strip("() ").strip(QUOTES)


def _assigned(node: Node) -> Iterator[Import]:
    """`module.exports = {a, b: c}`, `module.exports = name`, and modules that are passed on."""
    value, left = node.child_by_field_name("right"), field_text(node, "left")
    if value is None or left not in ("module.exports", "exports"):
        found = EXPORTS.fullmatch(left)
        if found is not None and value is not None and value.type == "identifier":
            yield Import("", text_of(value), found[1], node.start_point.row, exported=True)
        return
    module = _required_module(value)
    if module:
        yield Import(module, "*", "", node.start_point.row, exported=True)
    elif value.type == "identifier":
        yield Import("", text_of(value), "default", node.start_point.row, exported=True)
    for part in value.named_children if value.type == "object" else ():
        yield from _property(part)


def _property(part: Node) -> Iterator[Import]:
    value = part.child_by_field_name("value")
    if part.type == "shorthand_property_identifier":
        yield Import("", text_of(part), text_of(part), part.start_point.row, exported=True)
    elif value is not None and value.type == "identifier":
        yield Import("", text_of(value), field_text(part, "key"), part.start_point.row, exported=True)
    elif part.type == "spread_element" and part.named_children and _required_module(part.named_children[0]):
        yield Import(_required_module(part.named_children[0]), "*", "", part.start_point.row, exported=True)


def _last(node: Node) -> str:
    return text_of(node.named_children[-1]) if node.named_children else ""


def bases(node: Node) -> Iterator[Node]:
    """What a class or interface extends or implements; nested clauses are two deep at most."""
    for child in node.named_children:
        if child.type in ("class_heritage", "extends_clause", "implements_clause", "extends_type_clause"):
            yield from bases(child)
        elif node.type.endswith(("_clause", "_heritage")) and child.type != "type_arguments":
            yield child


def value_type(node: Node) -> str:
    value = node.child_by_field_name("value") or node.child_by_field_name("right")
    return field_text(value, "constructor") if value is not None and value.type == "new_expression" else ""


def fields(node: Node) -> Iterator[Node]:
    """What a constructor assigns to `this`, and its parameters that are fields: those with an accessibility."""
    if node.type != "method_definition" or field_text(node, "name") != "constructor":
        return
    for child in nodes_at(node, "parameters"):
        yield from (each for each in child.named_children if _is_field(each))
    for child in nodes_at(node, "body.expression_statement.assignment_expression"):
        if FIELD.fullmatch(field_text(child, "left")):
            yield child


def _is_field(parameter: Node) -> bool:
    return any(part.type in ("accessibility_modifier", "readonly") for part in parameter.children)


def beside(node: Node) -> Iterator[Node]:
    """Functions inside `module.exports = {…}`."""
    value = node.child_by_field_name("right") if node.type == "assignment_expression" else None
    if value is not None and value.type == "object" and field_text(node, "left") in ("module.exports", "exports"):
        yield from (child for child in value.named_children if child.type in ("method_definition", "pair"))


def row_of(node: Node, row: Row) -> Row:
    """What a name is bound to tells what it is."""
    value = node.child_by_field_name("value") or node.child_by_field_name("right")
    bound = value.type if value is not None and node.type != "export_statement" else node.type
    if bound in FUNCTIONS:
        return replace(row, kind="function")
    return replace(row, kind="class") if bound == "class" else row


def names(node: Node, row: Row) -> Iterator[str]:
    """`default` is the name of what has no other."""
    if node.type in ANONYMOUS:
        yield from ["default"] if node.parent is not None and node.parent.type == "export_statement" else ()
    elif node.type == "assignment_expression":
        yield from _assigned_name(field_text(node, "left"), node.child_by_field_name("right"))
    elif node.type == "pair":
        value = node.child_by_field_name("value")
        yield from [field_text(node, "key")] if value is not None and value.type != "identifier" else ()
    elif node.type != "variable_declarator" or not _required_module(node.child_by_field_name("value")):
        yield from (text_of(name) for path in (row.name, *DESTRUCTURED) for name in nodes_at(node, path))


def _assigned_name(left: str, value: Node | None) -> Iterator[str]:
    found = EXPORTS.fullmatch(left) or FIELD.fullmatch(left)
    if left == "module.exports":
        yield from ["default"] if value is not None and value.type in ANONYMOUS - {"object", "call_expression"} else ()
    elif found is not None and (value is None or value.type != "identifier" or left.startswith("this.")):
        yield found[1]


def exported(node: Node, name: str) -> bool:
    """Below an `export`, or a member of something."""
    if node.type in ("assignment_expression", "pair"):
        return True
    parent = node.parent
    while parent is not None and parent.type in WRAPPERS:
        parent = parent.parent
    return parent is not None and parent.type != "program"


VARIABLE = Row("variable")

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
        "enum_assignment": VARIABLE,
        "property_identifier": Row("variable", name=""),
        "internal_module": Row("type"),
        "module": Row("type"),
        "variable_declarator": VARIABLE,
        "method_definition": Row("function"),
        "method_signature": Row("function"),
        "abstract_method_signature": Row("function"),
        "public_field_definition": VARIABLE,
        "field_definition": Row("variable", name="property"),
        "property_signature": VARIABLE,
        "required_parameter": Row("variable", name="pattern"),
        "optional_parameter": Row("variable", name="pattern"),
        "assignment_expression": VARIABLE,
        "pair": VARIABLE,
        **dict.fromkeys(ANONYMOUS, VARIABLE),
    },
    through=frozenset(
        {
            "export_statement",
            "lexical_declaration",
            "variable_declaration",
            "ambient_declaration",
            "expression_statement",
            "statement_block",
        }
    ),
    type_fields=("return_type", "type", "value.return_type"),
    import_types=("import_statement", "export_statement", "variable_declarator", "assignment_expression"),
    imports=imports,
    row_of=row_of,
    names=names,
    value_type=value_type,
    bases=bases,
    fields=fields,
    beside=beside,
    exported=exported,
)
