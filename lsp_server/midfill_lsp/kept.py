"""How much of an accepted text is still there later: where it stands, followed through edits, and what is left of it."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from midfill_lsp.documents import Caret, Edit
from midfill_lsp.suggestion import Event, Origin, told

CHECKS_S = (30.0, 120.0, 600.0)
"""When to look, counted from the acceptance."""

MOST_FOLLOWED = 64
"""Texts that are followed at a time; each costs every key a comparison. The oldest gives way."""

TEXT_CHARS, FOUND_CHARS = 2_000, 8_000
"""How much is compared of what was accepted, and of what stands there later."""

WORD = re.compile(r"\w{1,64}|[^\w\s]")

LinesOf = Callable[[str], Sequence[str] | None]
"""The lines of an open document."""


@dataclass(slots=True, eq=False)
class Accepted:
    """A text that a user took into a document, and where it stands now."""

    id: str
    uri: str
    origin: Origin
    text: str
    start: Caret
    end: Caret
    accepted_s: float
    looked: int = 0
    """How many of the looks are over."""

    def grow(self, text: str, end: Caret) -> None:
        """More of the same suggestion was taken."""
        self.text, self.end = text, end

    def move(self, edit: Edit) -> None:
        """Go with an edit. What is inserted at either end is none of it, unless nothing else is left: an undo that is redone."""
        start, end = self.start, self.end
        if edit.start >= end > start or (edit.end[0] < start[0] and not edit.lines_added):
            return
        if start == end == edit.start == edit.end:
            self.end = edit.after
            return
        if start > edit.start:
            self.start = edit.start if start < edit.end else _behind(start, edit)
        elif start == edit.end:
            self.start = edit.after
        if end > edit.start:
            self.end = edit.after if end < edit.end else _behind(end, edit)

    def looks(self, now_s: float, lines_of: LinesOf) -> Iterator[Event]:
        """What is found by those that are due."""
        while self.looked < len(CHECKS_S) and now_s - self.accepted_s >= CHECKS_S[self.looked]:
            lines = lines_of(self.uri)
            share = None if lines is None else share_of(self.text, _between(lines, self.start, self.end))
            yield self._event(share)

    def lost(self) -> Iterator[Event]:
        """The looks that will not take place."""
        while self.looked < len(CHECKS_S):
            yield self._event(None)

    def _event(self, share: float | None) -> Event:
        """`share` is None when the text could not be followed that long."""
        data = {"after_s": CHECKS_S[self.looked], "share": share, "chars": visible_chars(self.text)}
        self.looked += 1
        return Event("kept", self.id, {**told(self.origin), **data})


@dataclass(slots=True)
class Kept:
    """The accepted texts of a window, oldest first. The caller passes the time in."""

    _followed: dict[str, list[Accepted]] = field(default_factory=dict)
    """By document."""
    _lost: list[Event] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(map(len, self._followed.values()))

    def find(self, uri: str, name: str) -> Accepted | None:
        return next((each for each in self._followed.get(uri, ()) if each.id == name), None)

    def follow(self, accepted: Accepted) -> None:
        if len(self) >= MOST_FOLLOWED:
            self._drop(min(self._all(), key=lambda each: each.accepted_s))
        self._followed.setdefault(accepted.uri, []).append(accepted)

    def changed(self, uri: str, edits: Iterable[Edit]) -> None:
        followed = self._followed.get(uri)
        if followed:
            for edit in edits:
                for accepted in followed:
                    accepted.move(edit)

    @property
    def uris(self) -> tuple[str, ...]:
        return tuple(self._followed)

    def closed(self, uri: str) -> None:
        """What happens to a file that is not open nobody tells: its texts are not known any more."""
        for accepted in self._followed.pop(uri, ()):
            self._lost.extend(accepted.lost())

    def due(self, now_s: float, lines_of: LinesOf) -> list[Event]:
        """What there is to report; a text that was looked at for the last time is let go."""
        found, self._lost = self._lost, []
        for accepted in self._all():
            found.extend(accepted.looks(now_s, lines_of))
        left = {uri: [each for each in texts if each.looked < len(CHECKS_S)] for uri, texts in self._followed.items()}
        self._followed = {uri: texts for uri, texts in left.items() if texts}
        return found

    def _all(self) -> list[Accepted]:
        return [accepted for texts in self._followed.values() for accepted in texts]

    def _drop(self, accepted: Accepted) -> None:
        self._followed[accepted.uri].remove(accepted)
        self._lost.extend(accepted.lost())


def _behind(place: Caret, edit: Edit) -> Caret:
    """Where a place behind an edit is after it."""
    line, column = place[0] + edit.lines_added, place[1]
    return (line, edit.after[1] + column - edit.end[1]) if place[0] == edit.end[0] else (line, column)


def _between(lines: Sequence[str], start: Caret, end: Caret) -> str:
    """The text of a range, or its beginning; a place beyond the text is its end."""
    pieces: list[str] = []
    wanted = FOUND_CHARS
    for number in range(max(start[0], 0), min(end[0] + 1, len(lines))):
        first = start[1] if number == start[0] else 0
        last = end[1] if number == end[0] else len(lines[number])
        pieces.append(lines[number][first : min(last, first + wanted)])
        wanted -= len(pieces[-1])
        if wanted <= 0:
            break
    return "".join(pieces)


# --- likeness -------------------------------------------------------------------------------------


def visible_chars(text: str) -> int:
    """Blanks do not count: a formatter may move them."""
    return sum(map(len, WORD.findall(text)))


def share_of(text: str, found: str) -> float:
    """The share of the visible characters of `text` that `found` has, in the same order; 0 to 1.

    Of a word that was changed its unchanged beginning counts: any two texts have a good part of their letters in common.
    """
    wanted = _beginnings(text[:TEXT_CHARS])
    if not wanted:
        return 1.0
    return round(_common(wanted, _beginnings(found[:FOUND_CHARS])) / len(wanted), 3)


def _beginnings(text: str) -> list[str]:
    """For each visible character its word up to there: a letter of one word is none of another."""
    return [word[: at + 1] for word in WORD.findall(text) for at in range(len(word))]


def _common(wanted: Sequence[str], found: Iterable[str]) -> int:
    """The length of the longest common subsequence.

    One bit for each that is wanted, so that each that is found costs four operations on numbers of that many bits
    (Hyyrö 2004, "Bit-parallel LCS-length computation revisited").
    """
    places: dict[str, int] = {}
    for at, each in enumerate(wanted):
        places[each] = places.get(each, 0) | 1 << at
    every = (1 << len(wanted)) - 1
    unmatched = every
    for each in found:
        here = unmatched & places.get(each, 0)
        unmatched = ((unmatched + here) | (unmatched - here)) & every
    return len(wanted) - unmatched.bit_count()
