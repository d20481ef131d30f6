"""The suggestions of a window: which are on the screen, what became of each, and what is kept of the accepted ones."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from midfill_lsp.documents import Caret, Edit
from midfill_lsp.kept import Accepted, Kept, LinesOf
from midfill_lsp.suggestion import Event, Suggestion

SETTLED_S = 1.0
"""How long after its end a suggestion is told of: the client may still have to say that it was accepted."""

MOST_ENDED = 256
"""Suggestions that wait to be told of; so many end in five seconds only where nobody types. The oldest is lost."""


@dataclass(slots=True)
class Watch:
    """Pure but stateful: the caller passes the time in. One suggestion at most is on the screen in each document."""

    kept: Kept = field(default_factory=Kept)
    _open: dict[str, Suggestion] = field(default_factory=dict)
    _ended: deque[Suggestion] = field(default_factory=lambda: deque(maxlen=MOST_ENDED))
    _last: str = ""
    """The document of the suggestion that was answered last."""
    _dismissed: dict[str, Caret] = field(default_factory=dict)
    """Where nothing is suggested by itself until the document changes."""

    # --- what the server does

    def answered(self, given: Suggestion) -> None:
        """An editor was given a suggestion, or what is left of the one that it shows."""
        self._last = given.uri
        current = self._open.get(given.uri)
        if current is not None and current.is_continued_by(given):
            current.go_on(given)
            return
        self.cleared(given.uri, given.answered_s)
        self._open[given.uri] = given

    def grew(self, name: str, rest: str) -> None:
        """What an editor shows of a suggestion has become this; an earlier one is not shown any more."""
        suggestion = self._find(name)
        if suggestion is not None and suggestion.ended_s is None:
            suggestion.show(rest)

    def cleared(self, uri: str, now_s: float) -> None:
        """Nothing is on the screen any more."""
        current = self._open.pop(uri, None)
        if current is not None:
            current.ended_s = now_s
            self._ended.append(current)

    def is_dismissed(self, uri: str, caret: Caret) -> bool:
        return self._dismissed.get(uri) == caret

    # --- what the user does

    def changed(self, uri: str, lines: Sequence[str], edits: Sequence[Edit], at_once: bool, now_s: float) -> None:
        """A document has changed; `at_once` when one of the edits was more than a key writes."""
        self._dismissed.pop(uri, None)
        self.kept.changed(uri, edits)
        current = self._open.get(uri)
        if current is None:
            return
        before = current.taken
        agrees = current.follow(lines, at_once)
        self._keep(current, before, now_s)
        if not agrees or current.complete:
            self.cleared(uri, now_s)

    def accepted(self, name: str, now_s: float) -> None:
        """A client says so, of a suggestion by the id of any of its answers."""
        suggestion = self._find(name)
        if suggestion is not None:
            before = suggestion.taken
            suggestion.was_accepted()
            self._keep(suggestion, before, now_s)

    def partly_accepted(self, name: str, chars: int | None, now_s: float) -> None:
        """So many characters, if the client knows; without a name it is what was shown last."""
        suggestion = self._find(name)
        if suggestion is not None:
            before = suggestion.taken
            suggestion.was_taken(chars)
            self._keep(suggestion, before, now_s)

    def dismissed(self, name: str, now_s: float) -> str:
        """The document where a suggestion is no longer wanted, "" when it is not known."""
        suggestion = self._find(name)
        if suggestion is None:
            return "" if name else self._last
        suggestion.dismissed = True
        if self._open.get(suggestion.uri) is suggestion:
            self._dismissed[suggestion.uri] = suggestion.caret
            self.cleared(suggestion.uri, now_s)
        return suggestion.uri

    def closed(self, uri: str, now_s: float) -> None:
        self.cleared(uri, now_s)
        self.kept.closed(uri)
        self._dismissed.pop(uri, None)

    # --- what there is to tell

    def events(self, now_s: float, lines_of: LinesOf, settled_s: float = SETTLED_S) -> list[Event]:
        """What has become certain since the last call."""
        events: list[Event] = []
        while self._ended and self._ended[0].ended_s is not None and now_s - self._ended[0].ended_s >= settled_s:
            events.extend(self._ended.popleft().events())
        return events + self.kept.due(now_s, lines_of)

    def close(self, now_s: float, lines_of: LinesOf) -> list[Event]:
        """All that is left to tell of a window that ends."""
        for uri in {*self._open, *self.kept.uris}:
            self.closed(uri, now_s)
        return self.events(now_s, lines_of, settled_s=0.0)

    def _find(self, name: str) -> Suggestion | None:
        if not name:
            return self._open.get(self._last)
        known = (*self._open.values(), *reversed(self._ended))
        return next((each for each in known if name in each.names), None)

    def _keep(self, suggestion: Suggestion, taken_before: int, now_s: float) -> None:
        """Follow what was accepted just now, together with what was accepted of it before."""
        if suggestion.taken == taken_before or suggestion.reached <= suggestion.taken_from:
            return
        text = suggestion.text[suggestion.taken_from : suggestion.reached]
        known = self.kept.find(suggestion.uri, suggestion.id)
        if known is not None:
            known.grow(text, suggestion.caret)
        elif text.strip():
            start = suggestion.caret_at(suggestion.taken_from)
            self.kept.follow(
                Accepted(suggestion.id, suggestion.uri, suggestion.origin, text, start, suggestion.caret, now_s)
            )
