"""An outline as a few bytes without its path, and the key of the content that it was made of."""

import json
from collections.abc import Sequence
from typing import Any, get_args

from xxhash import xxh3_128_digest

from midfill_workspace.symbol import Definition, Import, Kind, Outline

VERSION = 1
"""Part of every key. Raise it when outlines of the same text come out differently than before."""

KINDS: tuple[Kind, ...] = get_args(Kind)
NUMBERS = {kind: number for number, kind in enumerate(KINDS)}


def key(language: str, text: str) -> bytes:
    """16 bytes that stand for the outline of such a text."""
    return xxh3_128_digest(f"{VERSION}\0{language}\0{text}".encode(errors="surrogatepass"))


def encode(outline: Outline) -> bytes:
    """Columns instead of rows: half the work when they are read again."""
    imports = zip(
        *((each.module, each.name, each.alias, each.line, each.exported) for each in outline.imports), strict=True
    )
    definitions = zip(*map(_row, outline.definitions), strict=True)
    packed = [outline.package, [*imports], [*definitions]]
    return json.dumps(packed, separators=(",", ":")).encode("ascii")


def decode(data: bytes, path: str, language: str) -> Outline:
    """The reverse. Raises ValueError, TypeError or LookupError for what `encode` has not written."""
    package, imports, columns = json.loads(data)
    definitions = map(Definition, *_typed(columns)) if columns else ()
    return Outline(path, language, tuple(map(Import, *imports)) if imports else (), tuple(definitions), package)


def _row(each: Definition) -> tuple[Any, ...]:
    kind = NUMBERS[each.kind]
    return each.name, kind, each.line, each.header, each.doc, each.owner, each.bases, each.type, each.exported


def _typed(columns: Sequence[Any]) -> Sequence[Any]:
    name, kinds, line, header, doc, owner, bases, type_, exported = columns
    return name, map(KINDS.__getitem__, kinds), line, header, doc, owner, map(tuple, bases), type_, exported
