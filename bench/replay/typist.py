"""A person who types a passage: rhythm, slips, second thoughts, and a mind about suggestions."""

import math
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bench.replay.chance import chance, share
from bench.replay.passages import Passage

MEDIAN_GAP_S, SPREAD = 0.14, 0.45
"""Gaps of typists are close to log-normal."""

WITHIN_WORD, LINE_END, LINE_START, BLOCK_START = 0.7, 1.5, 4.0, 7.0
"""Factors on the gap before a key, by where it stands: bursts inside of words, pauses where something new begins."""

THOUGHT_SHARE, THOUGHT_S = 0.12, (0.5, 2.0)
"""At the start of a word, now and then."""

GAP_LIMITS_S = (0.03, 3.0)
SLIP_SHARE, UNDO_SHARE = 0.02, 0.03
"""Of keys, and of ends of words."""

PARTIAL: Mapping[Literal["line", "word"], re.Pattern[str]] = {
    "line": re.compile(r"\s*[^\n]*"),
    "word": re.compile(r"\s*(?:\w+|[^\w\s]+)"),
}
FULL_SHARE, LINE_SHARE = 0.75, 0.15
"""Of what is accepted; the rest is accepted by the word."""

FIRST_LINE_ZEAL = 0.5
"""How likely, beside that of a right suggestion, it is that a wrong one is accepted up to its first line, if that is right."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person does; `true` tells whether the text up to the caret is then that of the file."""

    kind: Literal["type", "erase", "accept"]
    text: str = ""
    erased: int = 0
    true: bool = True


@dataclass(slots=True)
class Typist:
    """Pure but stateful. What is decided at a place depends on the seed and the place, not on the server."""

    passage: Passage
    seed: int
    accept: float
    at: int = field(init=False)
    """How much of the file's text stands in the editor, up to the caret."""
    _next: deque[Action] = field(default_factory=deque)
    _slipped: set[int] = field(default_factory=set)
    _undone: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.at = self.passage.start

    @property
    def done(self) -> bool:
        return self.at >= self.passage.end and not self._next

    def gap_s(self) -> float:
        """How long the person waits before the next key."""
        random = chance(self.seed, "gap", self.at, len(self._next))
        gap_s = MEDIAN_GAP_S * math.exp(SPREAD * random.gauss()) * self._pace()
        if self._at_word() and random.random() < THOUGHT_SHARE:
            gap_s += random.uniform(*THOUGHT_S)
        return min(max(gap_s, GAP_LIMITS_S[0]), GAP_LIMITS_S[1])

    def act(self, shown: str) -> Action:
        """What the person does now, with `shown` after the caret."""
        if self._next:
            return self._next.popleft()
        wanted = self._wanted(shown)
        if wanted:
            self.at += len(wanted)
            return Action("accept", wanted)
        return self._slip() or self._undo() or self._type()

    def _pace(self) -> float:
        before = self.passage.text[: self.at].rstrip(" \t")
        if before.endswith("\n"):
            return BLOCK_START if before.endswith("\n\n") else LINE_START
        if self.passage.text.startswith("\n", self.at):
            return LINE_END
        return WITHIN_WORD if self._in_word() else 1.0

    def _in_word(self) -> bool:
        return bool(re.match(r"\w\w", self.passage.text[self.at - 1 : self.at + 1]))

    def _at_word(self) -> bool:
        return bool(re.match(r"\W\w", self.passage.text[self.at - 1 : self.at + 1]))

    def _wanted(self, shown: str) -> str:
        """What of a suggestion is accepted: of a wrong one at most its right first line."""
        rest = self.passage.text[self.at : self.passage.end]
        mood = share(self.seed, "accept", self.at)
        if not shown.strip():
            return ""
        if rest.startswith(shown):
            return self._part(shown) if mood < self.accept else ""
        line = _start(shown, "line")
        right = rest.startswith(line) and rest[len(line) :][:1] in ("\n", "")
        return line if right and mood < self.accept * FIRST_LINE_ZEAL else ""

    def _part(self, shown: str) -> str:
        mood = share(self.seed, "part", self.at)
        if mood < FULL_SHARE:
            return shown
        return _start(shown, "line" if mood < FULL_SHARE + LINE_SHARE else "word")

    def _slip(self) -> Action | None:
        """One wrong letter and perhaps some right ones after it, then back again."""
        random = chance(self.seed, "slip", self.at)
        right = self.passage.text[self.at : self.at + random.randint(0, 2)]
        if random.random() >= SLIP_SHARE or self.at in self._slipped or "\n" in right:
            return None
        self._slipped.add(self.at)
        wrong = random.choice("aeinorst".replace(self.passage.text[self.at], ""))
        keys = [Action("type", letter, true=False) for letter in wrong + right]
        self._next.extend(keys[1:])
        self._next.extend(Action("erase", erased=1, true=left == 0) for left in reversed(range(len(keys))))
        return keys[0]

    def _undo(self) -> Action | None:
        """The last word goes, and is then typed again."""
        word = re.search(r"\w{2,12}$", self.passage.text[self.passage.start : self.at][-13:])
        ended = not re.match(r"\w", self.passage.text[self.at])
        if word is None or not ended or self.at in self._undone or share(self.seed, "undo", self.at) >= UNDO_SHARE:
            return None
        self._undone.add(self.at)
        self.at -= len(word[0])
        return Action("erase", erased=len(word[0]))

    def _type(self) -> Action:
        """One key; the editor indents what Enter begins."""
        text = self.passage.text[self.at]
        if text == "\n":
            indented = re.compile(r"\n[ \t]*").match(self.passage.text, self.at, self.passage.end)
            assert indented is not None
            text = indented[0]
        self.at += len(text)
        return Action("type", text)


def _start(shown: str, how_far: Literal["line", "word"]) -> str:
    found = PARTIAL[how_far].match(shown)
    assert found is not None
    return found[0]
