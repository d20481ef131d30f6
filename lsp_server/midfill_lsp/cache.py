"""Answers that are known already, by the text around the caret: a byte-bounded LRU that also knows what is typed out."""

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cachetools import LRUCache
from xxhash import xxh3_128_digest

from midfill_lsp.answer import Answer, Known
from midfill_workspace.snapshot import Snapshot

LIMIT_BYTES = 64 * 1024 * 1024
ANSWER_BYTES = 500
STRETCH_BYTES = 255
"""What is kept besides the texts, for each answer and each stretch of it: the most that was measured while thousands
came and went."""
LIFETIME_S = 600.0

ABOVE_LINES = 16
BELOW_LINES = 6
"""A place is the same while this many lines above and below the caret are: an edit farther away is no other question."""
TYPED_LINES = 8
"""An answer is found again while it is typed out over this many line breaks."""
LINE_CHARS = 1024
"""Of a longer line (minified code) the part that is nearest to the caret in reading order stands for all of it."""
ANSWERS_PER_PLACE = 16
"""All that a look-up may have to compare; on one line a user rarely asks more often."""

assert TYPED_LINES <= ABOVE_LINES, "what counts as typed must be part of the key, or it would not be compared"


@dataclass(slots=True, eq=False)
class Entry:
    """An answer, and where it was asked for."""

    answer: Answer
    before: str
    """The end of what stood on the line before the caret."""
    column: int
    stored_s: float
    number: int
    """Grows with each answer that is stored."""
    touched: int
    """Grows with each answer that is stored or used."""
    keys: tuple[bytes, ...]
    """One for each of its stretches."""


class Stretch(NamedTuple):
    """The part of an answer on one line, which is where the caret stands while that part is typed out."""

    entry: Entry
    start: int
    """Where in the answer's text it begins."""
    before: str
    column: int
    """What stands on the line in front of it, and up to where: nothing on all lines but the first."""

    def typed_to(self, line: str, column: int) -> int | None:
        """How far into the answer a caret on this line is, if all before it is the answer's; the cost is what was typed."""
        text, length = self.entry.answer.text, column - self.column
        if not 0 <= length <= len(text) - self.start:
            return None
        if not line.startswith(self.before, self.column - len(self.before)):
            return None
        return self.start + length if text.startswith(line[self.column : column], self.start) else None


class Match(NamedTuple):
    """An answer that fits the buffer, and how much of it is typed."""

    entry: Entry
    known: Known


class Cache:
    """Pure but stateful: the caller passes the time in.

    An answer is indexed once for each line that it reaches, by the text that surrounds the caret when the user has
    typed it out that far. So a look-up hashes one window and compares the few answers it finds there, whatever was
    typed and however many answers there are; the price is some hashes more when one is stored.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES, digest: Callable[[bytes], bytes] = xxh3_128_digest) -> None:
        self._digest = digest
        self._entries: LRUCache[int, Entry] = LRUCache(limit_bytes, getsizeof=_size_bytes)
        self._stretches: dict[bytes, tuple[Stretch, ...]] = {}
        """Newest first."""
        self._numbers = itertools.count(1)
        self._saved_s: dict[str, float] = {}
        """When files were saved last."""
        self._shown: Entry | None = None
        """What the last look-up gave, which is therefore on the screen."""

    def __len__(self) -> int:
        return len(self._entries)

    def look_up(self, revision: str, snapshot: Snapshot, now_s: float) -> Known | None:
        """What is known to follow the caret: no parsing, and no work that grows with the file or the cache."""
        match = _choose(self._matches(revision, snapshot, now_s), self._shown)
        self._shown = match.entry if match else None
        if match is None:
            return None
        match.entry.touched = next(self._numbers)
        self._entries.get(match.entry.number)  # The LRU counts this as a use.
        return match.known

    def has(self, revision: str, snapshot: Snapshot, now_s: float) -> bool:
        """Whether something is known to follow the caret; does not count as a use."""
        return bool(self._matches(revision, snapshot, now_s))

    def all(self, revision: str, snapshot: Snapshot, now_s: float) -> list[Known]:
        """Everything that is known to follow the caret, in the order of the samples; does not count as a use."""
        found = [match.known for match in self._matches(revision, snapshot, now_s)]
        return sorted(found, key=lambda known: known.answer.variant)

    def store(self, revision: str, snapshot: Snapshot, answer: Answer, now_s: float) -> None:
        """Keep an answer; it takes the place of one for the same place that it repeats or extends, but not of another sample."""
        before, column = _before(snapshot), snapshot.column
        starts = _line_starts(answer.text)
        keys = tuple(map(self._digest, _places(revision, snapshot, before, answer.text, starts)))
        number = next(self._numbers)
        entry = Entry(answer, before, column, now_s, number, number, keys)
        size_bytes = _size_bytes(entry)
        if size_bytes > self._entries.maxsize:
            return
        for earlier in self._asked_at(keys[0], before, column):
            if answer.variant == earlier.answer.variant and answer.text.startswith(earlier.answer.text):
                self._drop(earlier)
        while self._entries.currsize + size_bytes > self._entries.maxsize:
            self._drop(self._entries.popitem()[1])
        self._entries[number] = entry
        self._add(keys[0], Stretch(entry, 0, before, column))
        for key, start in zip(keys[1:], starts[1:], strict=True):
            self._add(key, Stretch(entry, start, "", 0))

    def saved(self, path: str, now_s: float) -> None:
        """What models were told of this file is out of date, and so are their answers."""
        self._saved_s[path] = now_s

    def _is_stale(self, entry: Entry, now_s: float) -> bool:
        if now_s - entry.stored_s > LIFETIME_S:
            return True
        return any(self._saved_s.get(path, 0.0) > entry.stored_s for path in entry.answer.told)

    def _matches(self, revision: str, snapshot: Snapshot, now_s: float) -> list[Match]:
        """All answers that fit, newest first."""
        key = self._digest(_place(revision, snapshot.path, _above(snapshot), _below(snapshot)))
        line, column = snapshot.lines[snapshot.line], snapshot.column
        matches: list[Match] = []
        for stretch in self._stretches.get(key, ()):
            if self._is_stale(stretch.entry, now_s):
                self._drop(stretch.entry)
                continue
            typed = stretch.typed_to(line, column)
            if typed is not None:
                matches.append(Match(stretch.entry, Known(stretch.entry.answer, typed)))
        return matches

    def _asked_at(self, key: bytes, before: str, column: int) -> list[Entry]:
        return [
            stretch.entry
            for stretch in self._stretches.get(key, ())
            if stretch.start == 0 and (stretch.before, stretch.column) == (before, column)
        ]

    def _add(self, key: bytes, stretch: Stretch) -> None:
        if len(self._stretches.get(key, ())) >= ANSWERS_PER_PLACE:
            self._drop(min((each.entry for each in self._stretches[key]), key=lambda entry: entry.touched))
        self._stretches[key] = (stretch, *self._stretches.get(key, ()))

    def _drop(self, entry: Entry) -> None:
        self._entries.pop(entry.number, None)
        for key in entry.keys:
            kept = tuple(each for each in self._stretches.pop(key, ()) if each.entry is not entry)
            if kept:
                self._stretches[key] = kept


def _choose(matches: Sequence[Match], shown: Entry | None) -> Match | None:
    """Of these matches, newest first, the one to show; what is being typed out comes before all else.

    It is on the screen, and another answer would make it flicker.
    """
    typed_out = [match for match in matches if match.known.typed and match.known.text]
    if len(matches) == len(typed_out) == 1:
        return matches[0]  # As nearly always; to rank it would be a seventh of the look-up.
    if typed_out:
        best = max(typed_out, key=lambda match: (match.entry is shown, match.entry.touched, match.known.typed))
        # A newer answer that begins the same knows more, as one that was asked for ahead of time.
        return next(match for match in matches if match.known.text.startswith(best.known.text))
    # A sample beside the first answer is found by who types it out, and never comes in its place.
    exact = [match for match in matches if match.known.typed == 0 and match.known.answer.variant == 0]
    if exact:
        return exact[0]
    return next((match for match in matches if match.known.answer.complete), None)


def _line_starts(text: str) -> list[int]:
    """Where the lines begin over which this text can be followed."""
    starts = [0]
    while len(starts) <= TYPED_LINES:
        end = text.find("\n", starts[-1])
        # What exceeds a line's share of the key would count as typed without having been compared.
        if end < 0 or end - starts[-1] > LINE_CHARS:
            break
        starts.append(end + 1)
    return starts


def _places(revision: str, snapshot: Snapshot, before: str, text: str, starts: Sequence[int]) -> Iterator[bytes]:
    """The place, and those where the user will be with each further line typed out."""
    above, below = _above(snapshot), _below(snapshot)
    yield _place(revision, snapshot.path, above, below)
    for start, end in itertools.pairwise(starts):
        above.append(_line_end(before + text[start:end]))
        before = ""
        yield _place(revision, snapshot.path, above[-ABOVE_LINES:], below)


def _place(revision: str, path: str, above: Sequence[str], below: str) -> bytes:
    """The same model, settings, file and text around the caret give the same bytes, whatever ends the lines."""
    upper, lower = _with_unix_ends("".join(above)), _with_unix_ends(below)
    # The lengths in front keep ("ab", "c") and ("a", "bc") apart.
    text = f"{len(revision)} {len(path)} {len(upper)} {revision}{path}{upper}{lower}"
    return text.encode("utf-8", "surrogatepass")


def _above(snapshot: Snapshot) -> list[str]:
    lines = snapshot.lines[max(0, snapshot.line - ABOVE_LINES) : snapshot.line]
    return [line if len(line) <= LINE_CHARS else _line_end(line) for line in lines]


def _line_end(line: str) -> str:
    # The line end is taken off before the rest is measured: "\r\n" must not cost a character of the text.
    return line[-LINE_CHARS - 2 :].rstrip("\r\n")[-LINE_CHARS:] + "\n"


def _below(snapshot: Snapshot) -> str:
    here = snapshot.line
    rest = snapshot.lines[here][snapshot.column : snapshot.column + LINE_CHARS]
    lines = snapshot.lines[here + 1 : here + 1 + BELOW_LINES]
    return "".join([rest, *[line[:LINE_CHARS] for line in lines]])


def _before(snapshot: Snapshot) -> str:
    return snapshot.lines[snapshot.line][max(0, snapshot.column - LINE_CHARS) : snapshot.column]


def _with_unix_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _size_bytes(entry: Entry) -> int:
    texts = sys.getsizeof(entry.answer.text) + sys.getsizeof(entry.before)
    return ANSWER_BYTES + STRETCH_BYTES * len(entry.keys) + texts
