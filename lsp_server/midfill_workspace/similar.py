"""Pieces of open and recently viewed files that share most words with the text around the caret (Jaccard windows)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from midfill_workspace.words import COMMON, IDENTIFIER

WINDOW_LINES, STEP_LINES = 20, 10
QUERY_LINES = 12
"""How many lines above the caret are compared."""

WINDOW_LIMIT = 400
"""Of one file; what lies further down is not looked at."""

LINE_CHARS = 300
COMMON_SHARE = 0.2
"""A word in more than this share of the windows finds all of them, and so says nothing."""

LEAST = 0.06
"""Less alike than this is chance."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Some lines of a file."""

    path: str
    line: int
    text: str
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Like:
    """A piece, and the share of words that it has in common with the text that was asked for."""

    piece: Piece
    jaccard: float


class Library:
    """The windows of some files, found by their words. The cost of a question grows with what shares its rare words."""

    def __init__(self) -> None:
        self._pieces: dict[str, Sequence[Piece]] = {}
        self._by_word: dict[str, set[Piece]] = defaultdict(set)
        self._count = 0

    def put(self, path: str, lines: Sequence[str]) -> None:
        """Take a file as it is now."""
        self.drop(path)
        self._pieces[path] = tuple(pieces(path, lines))
        self._count += len(self._pieces[path])
        for piece in self._pieces[path]:
            for word in piece.words:
                self._by_word[word].add(piece)

    def drop(self, path: str) -> None:
        for piece in self._pieces.pop(path, ()):
            self._count -= 1
            for word in piece.words:
                self._by_word[word].discard(piece)
                if not self._by_word[word]:
                    del self._by_word[word]

    def like(self, words: frozenset[str], besides: str, limit: int = 5) -> list[Like]:
        """The pieces of other files than `besides` that are most alike, best first; none overlaps another."""
        shared: Counter[Piece] = Counter()
        for word in words:
            found = self._by_word.get(word, ())
            if len(found) <= max(4, COMMON_SHARE * self._count):
                shared.update(found)
        alike = [
            Like(piece, count / (len(words) + len(piece.words) - count))
            for piece, count in shared.most_common(limit * 20)
            if piece.path != besides
        ]
        return _apart((each for each in sorted(alike, key=_order) if each.jaccard >= LEAST), limit)


def pieces(path: str, lines: Sequence[str]) -> Iterator[Piece]:
    """Overlapping windows; those without a telling word are left out."""
    for number, first in enumerate(range(0, max(1, len(lines) - STEP_LINES), STEP_LINES)):
        if number == WINDOW_LIMIT:
            return
        chosen = [line[:LINE_CHARS].rstrip("\r\n") for line in lines[first : first + WINDOW_LINES]]
        words = words_of(chosen)
        if words:
            yield Piece(path, first, "\n".join(chosen).strip("\n"), words)


def words_of(lines: Iterable[str]) -> frozenset[str]:
    return frozenset(word for line in lines for word in IDENTIFIER.findall(line[:LINE_CHARS]) if word not in COMMON)


def _order(each: Like) -> tuple[float, str, int]:
    return (-each.jaccard, each.piece.path, each.piece.line)


def _apart(likes: Iterable[Like], limit: int) -> list[Like]:
    chosen: list[Like] = []
    for each in likes:
        if len(chosen) == limit:
            break
        if not any(_overlap(each.piece, other.piece) for other in chosen):
            chosen.append(each)
    return chosen


def _overlap(one: Piece, other: Piece) -> bool:
    return one.path == other.path and abs(one.line - other.line) < WINDOW_LINES
