"""The engine: a tree and the row of its language become an outline."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tree_sitter import Node, Tree

from midfill_workspace.outline.spec import Row, Spec, field_text, text_of
from midfill_workspace.symbol import Definition, Import, Kind, Outline

HEADER_ROWS, BRIEF_ROWS, HEADER_CHARS = 24, 14, 1_200
"""A signature that is longer is cut after so many lines; so is the visible part of a body."""

NEAR_ROWS = 3
"""A value that ends within so many lines belongs to the header of its variable."""

DEFINITION_LIMIT = 5_000
"""Of one file. What comes after is generated, and nobody looks for it."""

IDENTIFIER = re.compile(r"[\w$#.@-]+")
"""What is declared can be told by one word: no destructuring, and no `self.table[key]`."""

COMMENT_MARK = re.compile(r"^\s*(?:/\*+|\*+/?|///?!?|#+!?|--+|\"\"\"|''')?\s*")
TYPE_ARGUMENTS = re.compile(r"[<\[(].*", re.DOTALL)


def outline(path: str, language: str, text: str, tree: Tree, spec: Spec) -> Outline:
    """What a file declares and imports; a broken file has what could be read of it."""
    walker = _Walker(spec, text.split("\n"))
    root = tree.root_node
    definitions: list[Definition] = []
    for definition in walker.definitions(root, "", depth=0):
        definitions.append(definition)
        if len(definitions) == DEFINITION_LIMIT:
            break
    package = next((text_of(node) for node in root.named_children if node.type == spec.package), "")
    return Outline(path, language, tuple(imports(root, spec)), tuple(definitions), _last_word(package))


def imports(root: Node, spec: Spec) -> Iterator[Import]:
    """All imports, also those inside functions, in the order of the text."""
    wanted = frozenset(spec.import_types)
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type in wanted:
            yield from spec.imports(node)
        else:
            waiting.extend(reversed(node.named_children))


@dataclass(frozen=True, slots=True)
class _Walker:
    spec: Spec
    lines: Sequence[str]

    def definitions(self, node: Node, owner: str, depth: int) -> Iterator[Definition]:
        """The declarations below a node; `depth` bounds what hostile nesting can ask for."""
        if depth > 40:
            return
        for child in node.named_children:
            row = self.spec.rows.get(child.type)
            if row is not None:
                yield from self._declared(child, row, owner, depth)
            elif child.type in self.spec.through:
                yield from self.definitions(child, owner, depth + 1)

    def _declared(self, node: Node, row: Row, owner: str, depth: int) -> Iterator[Definition]:
        names = [text_of(name) for name in node.children_by_field_name(row.name)]
        owner = self.spec.owner(node) or owner
        for name in names:
            if IDENTIFIER.fullmatch(name):
                yield self._definition(node, row, name, owner)
        body = body_of(node)
        if body is not None and row.kind in ("class", "type") and names:
            yield from self.definitions(body, names[0], depth + 1)
        elif owner and row.kind == "function":
            for field in self.spec.fields(node):
                yield from self._declared(field, self.spec.rows[field.type], owner, depth + 1)

    def _definition(self, node: Node, row: Row, name: str, owner: str) -> Definition:
        return Definition(
            name=name.rpartition(".")[2],
            kind=_kind(row, owner),
            line=node.start_point.row,
            header=self._header(node, row),
            doc=self._doc(node),
            owner=owner,
            bases=tuple(plain_type(text_of(base)) for base in self.spec.bases(node)),
            type=self._type(node) if row.kind in ("function", "variable") else "",
            exported=self.spec.exported(node, name),
        )

    def _type(self, node: Node) -> str:
        for name in self.spec.type_fields:
            written = field_text(node, name).lstrip(":-> ")
            if written:
                return written[:200]
        return self.spec.value_type(node)[:200]

    def _header(self, node: Node, row: Row) -> str:
        first, last = node.start_point.row, _last_row(node, row)
        lines = [line.rstrip("\r") for line in self.lines[first : last + 1]]
        margin = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
        return "\n".join(line[margin:] if not line[:margin].strip() else line for line in lines)[:HEADER_CHARS]

    def _doc(self, node: Node) -> str:
        text = self.spec.documentation(node) if self.spec.documentation else _comment_above(node)
        stripped = (COMMENT_MARK.sub("", line).strip().removesuffix("*/").strip() for line in text.split("\n", 20))
        return next((line.strip("\"' ") for line in stripped if line.strip("\"' ")), "")[:160]


def body_of(node: Node) -> Node | None:
    """The part of a declaration that is not its signature: its own body, or that of the function or type it names."""
    body = node.child_by_field_name("body")
    if body is not None:
        return body
    for name in ("value", "type", "declarator"):
        inner = node.child_by_field_name(name)
        if inner is not None and (body := inner.child_by_field_name("body")) is not None:
            return body
    return None


def plain_type(written: str) -> str:
    """`Base[T]`, `ns.Base<T>` or `Base(args)` without what is in brackets."""
    return TYPE_ARGUMENTS.sub("", written).strip().lstrip("*&").strip("\"'")


def _kind(row: Row, owner: str) -> Kind:
    if not owner:
        return row.kind
    return {"function": "method", "variable": "field"}.get(row.kind, row.kind)  # type: ignore[return-value]


def _last_row(node: Node, row: Row) -> int:
    first, end = node.start_point.row, node.end_point.row
    body = body_of(node)
    if row.brief:
        return min(end, first + BRIEF_ROWS)
    if body is None:
        return end if end - first <= NEAR_ROWS or row.kind == "function" else first
    before = body.prev_sibling
    if before is not None and before.end_point.row < body.start_point.row:
        return min(before.end_point.row, first + HEADER_ROWS)
    return min(body.start_point.row, first + HEADER_ROWS)


def _comment_above(node: Node) -> str:
    """The comments that touch a declaration from above, or the thing that wraps it."""
    while node.parent is not None and node.parent.parent is not None and node.start_byte == node.parent.start_byte:
        node = node.parent
    parts: list[str] = []
    above = node.prev_sibling
    row = node.start_point.row
    while above is not None and "comment" in above.type and above.end_point.row >= row - 1 and len(parts) < 20:
        parts.append(text_of(above))
        row, above = above.start_point.row, above.prev_sibling
    return "\n".join(reversed(parts))


def _last_word(text: str) -> str:
    words = re.findall(r"[\w.]+", text)
    return words[-1] if words else ""
