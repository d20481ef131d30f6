"""Fused candidates -> snippets that fit a budget: pieces of one file together, nothing that the prompt holds already."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from midfill_workspace.fuse import Candidate, Fused, Source

PATH_COST = 5
"""What a snippet costs besides its path and text: a comment mark and line ends."""

TELLING_CHARS = 12
"""A shorter line stands in many files and says nothing about a repetition."""

REPEATED_SHARE = 0.8
"""A piece of which so many lines stand in the prompt already is left out."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Part of a file, what brought it here, and how much its best part is wanted."""

    path: str
    text: str
    score: float
    source: Source


@dataclass(slots=True)
class _Growing:
    score: float
    source: Source
    lines: dict[int, str] = field(default_factory=dict)


def pack(fused: Sequence[Fused], shown: str, limit_chars: int) -> list[Snippet]:
    """As much as fits, best first. `shown` is what the prompt holds already; what lies in it is not told again."""
    held = frozenset(_telling_lines(shown))
    growing: dict[tuple[str, Source], _Growing] = {}
    room = limit_chars
    for each in fused:
        if not 0 < len(each.candidate.text) < room:
            continue
        key = (each.candidate.path, _group(each.candidate.source))
        known = growing.get(key)
        fresh = _fresh(each.candidate, known, held)
        cost = sum(len(text) + 1 for text in fresh.values()) + (0 if known else len(key[0]) + PATH_COST)
        if fresh and cost <= room:
            room -= cost
            growing.setdefault(key, _Growing(each.score, each.candidate.source)).lines.update(fresh)
    return [_snippet(path, found) for (path, _), found in growing.items()]


def _group(source: Source) -> Source:
    """Declarations of one file stand together, whatever asked for them."""
    return "definition" if source in ("member", "file", "twin") else source


def _fresh(candidate: Candidate, known: _Growing | None, held: frozenset[str]) -> dict[int, str]:
    parts = {candidate.line: candidate.text, **dict(candidate.more)}
    taken = known.lines if known else {}
    if candidate.line not in taken and _is_repeated(candidate.text, held):
        return {}
    return {line: text for line, text in parts.items() if line not in taken}


def _is_repeated(text: str, held: frozenset[str]) -> bool:
    lines = list(_telling_lines(text))
    return bool(lines) and sum(line in held for line in lines) > REPEATED_SHARE * len(lines)


def _telling_lines(text: str) -> Iterable[str]:
    return (line for line in map(str.strip, text.split("\n")) if len(line) >= TELLING_CHARS)


def _snippet(path: str, found: _Growing) -> Snippet:
    return Snippet(path, "\n".join(text for _, text in sorted(found.lines.items())), found.score, found.source)
