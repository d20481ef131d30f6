"""What the user does with suggestions: accepts them, types along, or writes something else."""

from dataclasses import dataclass, field

from midfill_lsp import typed
from midfill_lsp.typed import Place
from midfill_workspace.snapshot import Snapshot

AT_FIRST = 0.1
SOME = 0.05
"""The share of keys beside a suggestion that accept it, from which on the next one should be there at once."""

ACCEPTED_WEIGHT, TYPED_WEIGHT = 0.1, 0.03
"""How much one acceptance, and one key instead of it, change that share."""

ACCEPTED_CHARS = 2
"""A change that adds so many visible characters of a suggestion at once was no key; a key adds one, or an indentation."""


@dataclass(frozen=True, slots=True)
class Given:
    """A suggestion on the screen."""

    place: Place
    version: int
    text: str


@dataclass(slots=True)
class Habits:
    """Of the user of one window."""

    accepting: float = AT_FIRST
    _given: dict[str, Given] = field(default_factory=dict)
    """The last suggestion of each document."""

    @property
    def accepts(self) -> bool:
        """Whether this user accepts suggestions now and then, who else types everything by hand."""
        return self.accepting >= SOME

    def gave(self, snapshot: Snapshot, text: str) -> None:
        """A suggestion is about to be shown."""
        self._given[snapshot.uri] = Given(typed.place_of(snapshot), snapshot.version, text)

    def saw(self, snapshot: Snapshot) -> None:
        """The document as it is at the next request: did the user go along with what was shown?"""
        given = self._given.get(snapshot.uri)
        if given is None:
            return
        added = typed.since(given.place, snapshot.lines)
        if added is None or not given.text.startswith(added):
            del self._given[snapshot.uri]
        elif added and snapshot.version == given.version + 1:
            self._note(accepted=len(added.strip()) >= ACCEPTED_CHARS)

    def forget(self, uri: str) -> None:
        self._given.pop(uri, None)

    def _note(self, *, accepted: bool) -> None:
        weight = ACCEPTED_WEIGHT if accepted else TYPED_WEIGHT
        self.accepting += weight * (float(accepted) - self.accepting)
