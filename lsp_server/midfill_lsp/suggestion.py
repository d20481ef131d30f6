"""What becomes of one suggestion on the screen: seen, accepted, typed out, contradicted. Knows no clock."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from midfill_daemon.contract import Raw
from midfill_lsp import typed
from midfill_lsp.documents import Caret
from midfill_lsp.trace import Source
from midfill_lsp.typed import Place

VISIBLE_S = 0.75
"""What stood on the screen for so long has been seen."""

AT_ONCE_CHARS = 2
"""Visible characters from which on an insertion is no key."""

PAIRS = frozenset({"()", "[]", "{}", "<>", '""', "''", "``"})
CLOSERS = ")]}>\"'`"
"""What an editor adds by itself to an opening bracket or quote."""

NAMES_KEPT = 8
"""Of a suggestion that was answered anew with each key; a client tells of the last one it was given."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a suggestion came from; all that its events tell of it besides numbers."""

    language: str = ""
    source: Source = ""
    model: str = ""
    revision: str = ""
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the suggestion of this id."""

    kind: str
    id: str
    data: Raw


@dataclass(slots=True, eq=False)
class Suggestion:
    """One text at one place, for as long as it, or what is left of it, is on the screen.

    Every key that goes along with it brings a request and an answer of its own; they are the same suggestion.
    """

    id: str
    uri: str
    origin: Origin
    place: Place
    text: str
    """All of it, with `\\n` line ends."""
    replaced: int
    """How many characters behind the caret it replaces."""
    answered_s: float
    others: tuple[str, ...] = ()
    """What the user may choose instead; the client does not tell which it shows."""
    reached: int = 0
    """How much of it stands in the document."""
    furthest: int = 0
    """The most that ever stood there: what is deleted and written again counts once."""
    offered: int = 0
    """Its greatest length."""
    taken: int = 0
    typed: int = 0
    taken_from: int = -1
    """Where in the text the first accepted piece began; -1: nothing was accepted."""
    ended_s: float | None = None
    dismissed: bool = False
    accepted: bool = False
    announced: bool = False
    """The client said that the next change is an acceptance."""
    last: int = 0
    """What the last change added to `typed`: what a client says of it may come later."""
    presumed: bool = False
    """The last change looked like an acceptance, and the client has not said so yet."""
    names: deque[str] = field(default_factory=lambda: deque(maxlen=NAMES_KEPT))

    def __post_init__(self) -> None:
        self.offered = len(self.text)
        self.names.append(self.id)

    @property
    def complete(self) -> bool:
        return self.reached >= len(self.text)

    @property
    def rest(self) -> str:
        """What is left of it on the screen."""
        return self.text[self.reached :]

    @property
    def caret(self) -> Caret:
        """Where that stands."""
        return self.caret_at(self.reached)

    def caret_at(self, chars: int) -> Caret:
        return typed.caret_after(self.place, self.text[:chars])

    # --- what happens to it

    def is_continued_by(self, other: "Suggestion") -> bool:
        """Whether that one is what is left of this one, or more of the same."""
        alike = other.rest.startswith(self.rest) or self.rest.startswith(other.rest)
        return alike and not self.complete and other.caret == self.caret

    def go_on(self, other: "Suggestion") -> None:
        self.names.append(other.id)
        self.show(other.rest, other.others)

    def show(self, rest: str, others: Sequence[str] = ()) -> None:
        """From now on this is on the screen where the rest of it was."""
        standing = self.text[: self.reached]
        self._choose(standing + rest)
        self.others = tuple(standing + each for each in others)

    def follow(self, lines: Sequence[str], at_once: bool) -> bool:
        """Note how much of it a changed document has; False when the document says something else.

        `at_once`: something was inserted that no single key writes.
        """
        reached = self._standing(lines)
        if reached is None:
            return False
        gained, before = reached - self.furthest, self.reached
        self.reached, self.last, self.presumed = reached, 0, False
        if gained > 0:
            self.furthest = reached
            self.presumed = at_once and gained >= AT_ONCE_CHARS
            if self.announced or self.presumed:
                self._take(gained, before)
            else:
                self.typed += gained
                self.last = gained
            self.presumed = self.presumed and not self.announced
            self.announced = False
        return True

    def was_accepted(self) -> None:
        """The client says that all of it was accepted; its change may have come before, or be on its way."""
        self.accepted = True
        self.was_taken()

    def was_taken(self, chars: int | None = None) -> None:
        """The client says that a piece was accepted; so many characters, if it knows."""
        if self.presumed:
            self.presumed = False
        elif self.last and chars in (None, self.last):
            self.typed -= self.last
            self._take(self.last, self.reached - self.last)
            self.last = 0
        else:
            self.announced = True

    def _take(self, chars: int, begun: int) -> None:
        self.taken += chars
        if self.taken_from < 0:
            self.taken_from = begun

    def _choose(self, text: str) -> None:
        self.text = text
        self.offered = max(self.offered, len(text))

    def _standing(self, lines: Sequence[str]) -> int | None:
        """How much of it stands there, or of the first among the others that agrees when it does not."""
        added = typed.since(self.place, lines)
        beyond = replace(self.place, rest=self.place.rest[self.replaced :]) if self.replaced else None
        added_over = typed.since(beyond, lines) if beyond else None
        for text in (self.text, *self.others):
            reached = len(text) if added_over == text else None if added is None else standing(text, added)
            if reached is not None:
                self._choose(text)
                return reached
        return None

    # --- what there is to tell

    def events(self) -> Iterator[Event]:
        """How it ended."""
        assert self.ended_s is not None, "it is still on the screen"
        if self.accepted and self.furthest < len(self.text):
            # The client said so, and showed no change that we understood.
            self._take(len(self.text) - self.furthest, self.reached)
            self.furthest = len(self.text)
        visible_s = self.ended_s - self.answered_s
        if visible_s >= VISIBLE_S or self.taken or self.dismissed:
            yield self._event("shown", by_hand=self.origin.by_hand, visible_ms=round(visible_s * 1000))
        if self.taken:
            whole = self.accepted or (self.complete and not self.last)
            yield self._event("accepted" if whole else "partly", chars=self.taken)
        if self.typed:
            yield self._event("typed", chars=self.typed, complete=self.typed == self.offered)
        if self.dismissed:
            yield self._event("dismissed")

    def _event(self, kind: str, **data: object) -> Event:
        return Event(kind, self.id, {**told(self.origin), "length": self.offered, **data})


def told(origin: Origin) -> Raw:
    """What every event says of where its suggestion came from."""
    return {
        "language": origin.language,
        "source": origin.source,
        "model": origin.model,
        "revision": origin.revision,
    }


def standing(text: str, added: str) -> int | None:
    """How much of a suggestion stands in a document once this was added at its caret; None when that says otherwise."""
    if text.startswith(added):
        return len(added)
    shared = next((at for at, (one, other) in enumerate(zip(text, added, strict=False)) if one != other), len(text))
    if shared == len(text) or (shared and not added[shared:].strip(CLOSERS)):
        return shared
    return None


def is_at_once(inserted: str) -> bool:
    """Whether an insertion is more than one key writes: an indentation is not, nor a bracket with its closing one."""
    visible = inserted.strip()
    return len(visible) >= AT_ONCE_CHARS and visible not in PAIRS
