"""The engine: a tree and the row of its language become an outline."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from tree_sitter import Language, Node, Query, QueryCursor, Tree

from midfill_workspace.outline.spec import Row, Spec, field_text, nodes_at, text_of
from midfill_workspace.symbol import Definition, Import, Kind, Outline

HEADER_ROWS, BRIEF_ROWS, HEADER_CHARS = 24, 14, 1_200
"""A signature that is longer is cut after so many lines; so is the visible part of a body."""

NEAR_ROWS = 3
"""A value that ends within so many lines belongs to the header of its variable."""

DEFINITION_LIMIT, IMPORT_LIMIT = 5_000, 2_000
"""Of one file. What comes after is generated, and nobody looks for it."""

NAMES_LIMIT, BASES_LIMIT = 200, 30
"""Of one declaration."""

DEPTH_LIMIT = 40
"""Declarations that are nested deeper are not looked for: the walk is recursive, and hostile text can nest for ever."""

IDENTIFIER = re.compile(r"[\w$#.@-]{1,200}[?!]?")
"""What is declared can be told by one word: no destructuring, and no `self.table[key]`."""

ATTRIBUTES = frozenset({"attribute_item"})
"""What may stand between a comment and the declaration that it is of."""

COMMENT_MARK = re.compile(r"^\s*(?:/\*+|\*+/?|///?!?|#+!?|--+|\"\"\"|''')?\s*")
TAG = re.compile(r"^<\w+>\s*|\s*</\w+>$")
TYPE_ARGUMENTS = re.compile(r"[<\[(].*", re.DOTALL)


def outline(path: str, language: str, text: str, tree: Tree, spec: Spec) -> Outline:
    """What a file declares and imports; a broken file has what could be read of it."""
    root = tree.root_node
    walker = _Walker(spec, text.split("\n"))
    found = tuple(islice(_first_fields(walker.definitions(root, "", depth=0)), DEFINITION_LIMIT))
    taken = tuple(islice(imports(root, tree.language, spec), IMPORT_LIMIT))
    return spec.finish(Outline(path, language, taken, found, _package(root, spec)), root)


def imports(root: Node, language: Language, spec: Spec) -> Iterator[Import]:
    """All imports, also those inside functions, in the order of the text."""
    nodes = QueryCursor(_query(language, spec.import_types)).captures(root).get("import", [])
    for node in sorted(nodes, key=lambda each: each.start_byte):
        yield from spec.imports(node)


@lru_cache(maxsize=64)
def _query(language: Language, types: tuple[str, ...]) -> Query:
    """Of the types those that this grammar has: JavaScript lacks some of TypeScript's."""
    known = [each for each in types if language.id_for_node_kind(each, True)]
    return Query(language, f"[{' '.join(f'({each})' for each in known)}] @import")


def _package(root: Node, spec: Spec) -> str:
    node = next((child for child in root.named_children if child.type in spec.package), None) if spec.package else None
    if node is None or not node.named_children:
        return ""
    return field_text(node, "name") or text_of(node.named_children[-1])


def _first_fields(definitions: Iterable[Definition]) -> Iterator[Definition]:
    """A field that is assigned in several methods is declared by the first."""
    seen: set[tuple[str, str]] = set()
    for each in definitions:
        if each.kind != "field" or (each.owner, each.name) not in seen:
            yield each
        if each.kind == "field":
            seen.add((each.owner, each.name))


@dataclass(frozen=True, slots=True)
class _Walker:
    spec: Spec
    lines: Sequence[str]

    def definitions(self, node: Node, owner: str, depth: int) -> Iterator[Definition]:
        """The declarations below a node."""
        for child in node.named_children:
            yield from self._at(child, owner, depth)

    def _at(self, node: Node, owner: str, depth: int) -> Iterator[Definition]:
        row = self.spec.rows.get(node.type)
        if depth > DEPTH_LIMIT:
            return
        if row is not None:
            yield from self._declared(node, self.spec.row_of(node, row), owner, depth)
        elif node.type in self.spec.through:
            yield from self.definitions(node, self.spec.owner(node) or owner, depth + 1)

    def _declared(self, node: Node, row: Row, owner: str, depth: int) -> Iterator[Definition]:
        names = [name for name in islice(self.spec.names(node, row), NAMES_LIMIT) if IDENTIFIER.fullmatch(name)]
        owner = self.spec.owner(node) or owner
        if names:
            first = self._definition(node, row, names[0], owner)
            yield first
            for name in names[1:]:
                yield replace(first, name=last_part(name), exported=self.spec.exported(node, name))
        for other in self.spec.beside(node):
            yield from self._at(other, owner, depth + 1)
        if row.kind in ("class", "type"):
            yield from self._members(node, owner if row.open or not names else last_part(names[0]), depth)
        elif owner and row.kind == "function":
            yield from self._fields(node, owner, depth)

    def _members(self, node: Node, owner: str, depth: int) -> Iterator[Definition]:
        yield from self._fields(node, owner, depth)
        body = body_of(node)
        if body is not None:
            yield from self.definitions(body, owner, depth + 1)

    def _fields(self, node: Node, owner: str, depth: int) -> Iterator[Definition]:
        for field in self.spec.fields(node):
            yield from self._at(field, owner, depth + 1)

    def _definition(self, node: Node, row: Row, name: str, owner: str) -> Definition:
        start = self.spec.start(node)
        return Definition(
            name=last_part(name),
            kind=_kind(row, owner),
            line=start.start_point.row,
            header=self._header(start.start_point.row, _last_row(node, row)),
            doc=self._doc(start),
            owner=owner,
            bases=tuple(plain_type(text_of(base))[:200] for base in islice(self.spec.bases(node), BASES_LIMIT)),
            type=self._type(node) if row.kind in ("function", "variable") else "",
            exported=self.spec.exported(node, name),
        )

    def _type(self, node: Node) -> str:
        for path in self.spec.type_fields:
            written = text_of(next(iter(nodes_at(node, path)), None)).lstrip(":-> ")
            if written:
                return written[:200]
        return self.spec.value_type(node)[:200]

    def _header(self, first: int, last: int) -> str:
        lines = self.lines[first : last + 1]
        margin = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
        return "\n".join(line[margin:] if not line[:margin].strip() else line for line in lines)[:HEADER_CHARS]

    def _doc(self, node: Node) -> str:
        text = self.spec.documentation(node) if self.spec.documentation else _comment_above(node, self.spec.through)
        stripped = (
            TAG.sub("", COMMENT_MARK.sub("", line).strip().removesuffix("*/").strip()) for line in text.split("\n", 20)
        )
        return next((line.strip("\"' ") for line in stripped if line.strip("\"' ")), "")[:160]


def body_of(node: Node) -> Node | None:
    """The part of a declaration that is not its signature: its own body, or that of the function or type it names."""
    body = node.child_by_field_name("body")
    if body is not None:
        return body
    for name in ("value", "type", "declarator", "right"):
        inner = node.child_by_field_name(name)
        if inner is not None and (body := inner.child_by_field_name("body")) is not None:
            return body
    return None


def plain_type(written: str) -> str:
    """`Base[T]`, `ns.Base<T>` or `Base(args)` without what is in brackets."""
    return TYPE_ARGUMENTS.sub("", written).strip("*& \t\n\"'")


def last_part(name: str) -> str:
    return name.rpartition(".")[2]


AS_MEMBER: Mapping[Kind, Kind] = {"function": "method", "variable": "field"}


def _kind(row: Row, owner: str) -> Kind:
    if not owner:
        return row.kind
    return AS_MEMBER.get(row.kind, row.kind)


def _last_row(node: Node, row: Row) -> int:
    first, end = node.start_point.row, _end_row(node)
    if row.brief:
        return min(end, first + BRIEF_ROWS)
    body = body_of(node)
    if body is None:
        return min(end, first + HEADER_ROWS) if end - first <= NEAR_ROWS or row.kind == "function" else first
    before = body.prev_sibling
    while before is not None and "comment" in before.type:
        before = before.prev_sibling
    if before is not None and before.end_point.row < body.start_point.row:
        return min(before.end_point.row, first + HEADER_ROWS)
    return min(body.start_point.row, first + HEADER_ROWS)


def _end_row(node: Node) -> int:
    """Of a node that takes its line end with it, as those of the C preprocessor do, the row before."""
    start, end = node.start_point, node.end_point
    return end.row - 1 if end.column == 0 and end.row > start.row else end.row


def _comment_above(node: Node, wrappers: frozenset[str]) -> str:
    """The comments that touch a declaration from above, or the thing that wraps it, such as an `export`."""
    while (
        (parent := node.parent) is not None
        and parent.parent is not None
        and parent.start_point.row == node.start_point.row
    ):
        if parent.start_byte != node.start_byte and parent.type not in wrappers:
            break
        node = parent
    parts: list[str] = []
    above = _before(node)
    row = node.start_point.row
    while above is not None and above.end_point.row >= row - 1 and len(parts) < 20:
        if _is_comment(above):
            parts.append(text_of(above))
        elif above.type not in ATTRIBUTES:
            break
        row, above = above.start_point.row, _before(above)
    return "\n".join(reversed(parts))


def _before(node: Node) -> Node | None:
    """Line ends are nodes in some grammars."""
    above = node.prev_sibling
    return above.prev_sibling if above is not None and not above.is_named and not text_of(above).strip() else above


def _is_comment(node: Node) -> bool:
    """Not one that ends the line of something else."""
    before = node.prev_sibling if "comment" in node.type else node
    return before is None or (before is not node and _end_row(before) < node.start_point.row)
