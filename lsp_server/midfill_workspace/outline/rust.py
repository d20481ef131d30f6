"""Rust."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from tree_sitter import Node

from midfill_workspace.outline.spec import Row, Spec, field_text, text_of
from midfill_workspace.outline.walk import plain_type
from midfill_workspace.symbol import Import, Outline

PATH_LIMIT = 40
"""How deeply the braces of one `use` are read."""


def imports(node: Node) -> Iterator[Import]:
    """`use` trees, `extern crate`, and `mod x;`, which is read as an import of the module."""
    line, exported = node.start_point.row, _is_public(node)
    match node.type:
        case "mod_item":
            if node.child_by_field_name("body") is None:
                yield Import(
                    _from_file("self", node) + "::" + field_text(node, "name"),
                    "",
                    field_text(node, "name"),
                    line,
                    exported,
                )
        case "extern_crate_declaration":
            name = field_text(node, "name")
            yield Import(name, "", field_text(node, "alias") or name, line, exported)
        case _:
            argument = node.child_by_field_name("argument")
            for path, alias in _leaves(argument, "", PATH_LIMIT) if argument is not None else ():
                yield _import(_from_file(path, node), alias, line, exported)


def _import(path: str, alias: str, line: int, exported: bool) -> Import:
    """`a::b` takes b from a; of a path with one part, the part itself is the module."""
    module, _, name = path.rpartition("::")
    if name == "*":
        return Import(module, "*", "", line, exported)
    if not module:
        return Import(name, "", alias or name, line, exported)
    return Import(module, name, alias or name, line, exported)


def _leaves(node: Node, prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    """Each path of a use tree, and its alias."""
    match node.type:
        case "use_list" | "scoped_use_list" if depth:
            holder = node.child_by_field_name("list") if node.type == "scoped_use_list" else node
            inner = _joined(prefix, field_text(node, "path"))
            for child in holder.named_children if holder is not None else ():
                yield from _leaves(child, inner, depth - 1)
        case "use_as_clause":
            yield _joined(prefix, field_text(node, "path")), field_text(node, "alias")
        case "use_wildcard":
            yield _joined(prefix, text_of(node).rstrip("*").rstrip(":")) + "::*", ""
        case "self":
            yield (prefix, "") if prefix else ("self", "")
        case "identifier" | "scoped_identifier" | "crate" | "super":
            yield _joined(prefix, text_of(node)), ""


def _joined(prefix: str, path: str) -> str:
    bare = "".join(path.split()).removeprefix("::").removesuffix("::self")
    return f"{prefix}::{bare}" if prefix and bare else prefix or bare


def _from_file(path: str, node: Node) -> str:
    """A path as it would be written at the top of the file: inside of `mod a {…}`, `super` is not the file's."""
    inner = _inline_modules(node)
    parts = path.split("::")
    if not inner or parts[0] not in ("self", "super"):
        return path
    parts = parts[1:] if parts[0] == "self" else parts
    while parts and parts[0] == "super" and inner:
        parts, inner = parts[1:], inner[:-1]
    return "::".join(parts if parts and parts[0] == "super" else ["self", *inner, *parts])


def _inline_modules(node: Node) -> list[str]:
    names: list[str] = []
    above = node.parent
    while above is not None and len(names) < PATH_LIMIT:
        if above.type == "mod_item":
            names.insert(0, field_text(above, "name"))
        above = above.parent
    return names


def names(node: Node, row: Row) -> Iterator[str]:
    """`mod x;` declares nothing: it is an import."""
    if node.type != "mod_item" or node.child_by_field_name("body") is not None:
        yield field_text(node, row.name)


def owner(node: Node) -> str:
    """The type that an `impl` is for."""
    return plain_type(field_text(node, "type")).rpartition("::")[2] if node.type == "impl_item" else ""


def bases(node: Node) -> Iterator[Node]:
    """The traits that a trait demands; those that a type implements are found by `with_traits`."""
    bounds = node.child_by_field_name("bounds")
    yield from (child for child in (bounds.named_children if bounds is not None else ()) if child.type != "lifetime")


def exported(node: Node, name: str) -> bool:
    return node.type in ("enum_variant", "macro_definition") or _is_public(node) or _of_trait(node)


def _is_public(node: Node) -> bool:
    return any(child.type == "visibility_modifier" for child in node.named_children[:2])


def _of_trait(node: Node) -> bool:
    """What a trait declares, and what an `impl` of one defines, is as public as the trait."""
    holder = node.parent.parent if node.parent is not None else None
    return holder is not None and (holder.type == "trait_item" or holder.child_by_field_name("trait") is not None)


def with_traits(outline: Outline, root: Node) -> Outline:
    """`impl Trait for Type` makes the trait a base of a type of the same file."""
    traits: dict[str, list[str]] = defaultdict(list)
    for node in root.named_children:
        if node.type == "impl_item" and node.child_by_field_name("trait") is not None:
            traits[owner(node)].append(plain_type(field_text(node, "trait")).rpartition("::")[2])
    definitions = tuple(
        replace(each, bases=each.bases + tuple(traits[each.name]))
        if each.kind == "type" and each.name in traits
        else each
        for each in outline.definitions
    )
    return replace(outline, definitions=definitions)


SPEC = Spec(
    rows={
        "function_item": Row("function"),
        "function_signature_item": Row("function"),
        "struct_item": Row("type", brief=True),
        "union_item": Row("type", brief=True),
        "enum_item": Row("type", brief=True),
        "trait_item": Row("type", brief=True),
        "type_item": Row("type"),
        "associated_type": Row("type"),
        "const_item": Row("variable"),
        "static_item": Row("variable"),
        "field_declaration": Row("variable"),
        "enum_variant": Row("variable"),
        "macro_definition": Row("function", brief=True),
        "mod_item": Row("type"),
    },
    through=frozenset({"impl_item", "declaration_list", "foreign_mod_item"}),
    import_types=("use_declaration", "extern_crate_declaration", "mod_item"),
    imports=imports,
    names=names,
    bases=bases,
    owner=owner,
    exported=exported,
    finish=with_traits,
)
