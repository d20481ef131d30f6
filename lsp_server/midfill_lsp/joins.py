"""How a completion meets the rest of the caret's line: what stands there already, and what it takes the place of."""

import re
from dataclasses import dataclass

from midfill_workspace.scope import BRACKET_OR_STRING, WORD
from midfill_workspace.snapshot import Snapshot

NEARBY = 1_000
"""Of a very long line only this much on each side of the caret is read."""


OPENERS = "([{"
QUOTES = "\"'`"


@dataclass(frozen=True, slots=True)
class Brackets:
    """What a piece of text leaves open, and where it closes what it did not open itself."""

    open: int
    closing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Joint:
    """A completion between the two parts of the caret's line."""

    before: str
    text: str
    rest: str

    @property
    def surplus(self) -> tuple[int, ...]:
        """Where the completion closes brackets that the rest of the line closes.

        A bracket that the line leaves open on the left and does not close on the right is the completion's to close.
        """
        closes_right = len(brackets(self.rest).closing)
        if not closes_right:
            return ()
        free = max(0, brackets(self.before).open - closes_right)
        return brackets(self.text).closing[free:]

    @property
    def closes_string(self) -> bool:
        """The caret is in a string whose end stands to the right of it, and the completion ends that string."""
        quote = self.rest[:1]
        return quote != "" and quote in QUOTES and self.before.count(quote) % 2 == 1 and self.text.count(quote) % 2 == 1


def joint(text: str, snapshot: Snapshot) -> Joint:
    line, column = snapshot.lines[snapshot.line], snapshot.column
    return Joint(line[max(0, column - NEARBY) : column], text, line[column : column + NEARBY].rstrip())


def brackets(text: str) -> Brackets:
    """Counted without regard to kind; those inside strings do not count, an unfinished string is not one."""
    depth = 0
    closing: list[int] = []
    for match in BRACKET_OR_STRING.finditer(text):
        token = match.group()
        if token in OPENERS:
            depth += 1
        elif len(token) > 1:
            continue
        elif depth:
            depth -= 1
        else:
            closing.append(match.start())
    return Brackets(depth, tuple(closing))


def drop_rest_of_line(text: str, snapshot: Snapshot) -> str:
    """Without the tail that already stands to the right of the caret."""
    at = joint(text, snapshot)
    if not at.rest:
        return text
    return _drop_known_words(at) if WORD.search(at.rest) else _drop_known_closers(at)


def _drop_known_words(at: Joint) -> str:
    """The rest of the line, or its first word, at the end of the completion or of its first line."""
    first_line = at.text.partition("\n")[0]
    first_word = re.match(r"\w+", at.rest)
    known = (at.rest, first_word.group()) if first_word else (at.rest,)
    for tail in known:
        for candidate in (first_line, at.text):
            head = candidate.removesuffix(tail)
            whole = not (WORD.match(tail) and WORD.match(head[-1:]))
            if head != candidate and whole and not brackets(head).open:
                return head
    return at.text


def _drop_known_closers(at: Joint) -> str:
    surplus = at.surplus
    head = at.text.removesuffix(at.rest)
    closes_again = bool(surplus) or not brackets(at.rest).closing
    if head != at.text and closes_again and not Joint(at.before, head, at.rest).surplus:
        return head
    if surplus and at.rest.startswith(at.text[surplus[0] :]):
        return at.text[: surplus[0]]
    if at.closes_string and at.text.endswith(at.rest[0]):
        return at.text[:-1]
    return at.text


def balance(text: str, snapshot: Snapshot) -> str:
    """Cut before the first bracket that closes what the rest of the line closes, unless that rest is replaced."""
    at = joint(text, snapshot)
    surplus = at.surplus
    return text if not surplus or replaced(text, snapshot) == len(at.rest) else text[: surplus[0]]


def replaced(text: str, snapshot: Snapshot) -> int:
    """How many characters right of the caret the completion takes the place of.

    Only punctuation is ever replaced: all of it when the completion closes everything that it closes, or its first
    quote when the completion ends that string and goes on.
    """
    at = joint(text, snapshot)
    if not at.rest or WORD.search(at.rest):
        return 0
    closes_right = len(brackets(at.rest).closing)
    if closes_right and len(at.surplus) >= closes_right and _keeps(text, at.rest):
        return len(at.rest)
    if not closes_right and "\n" in text and text.partition("\n")[0].endswith(at.rest):
        return len(at.rest)
    return 1 if at.closes_string else 0


def _keeps(text: str, rest: str) -> bool:
    """Whether all of the rest is in the text, in its order: editors show nothing that would take a character away."""
    left = iter(text)
    return all(character in left for character in rest)


def keep_words_whole(text: str, snapshot: Snapshot) -> str:
    """Nothing inside a word, and nothing that would run into the word on the right."""
    line, column = snapshot.lines[snapshot.line], snapshot.column
    if not WORD.match(line, column):
        return text
    inside = column > 0 and WORD.match(line, column - 1) is not None
    return "" if inside or WORD.match(text[-1:]) else text
