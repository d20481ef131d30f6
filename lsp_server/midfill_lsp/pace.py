"""How long to wait, how much to ask for, and whether to ask at all, from rhythm and model health."""

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from midfill_daemon.contract import Shape
from midfill_lsp.settings import Settings

AHEAD_LINES = 5
AHEAD_TOKENS = 64
RUNWAY_LINES = 1
"""Known lines beyond the suggestion below which the next ones are asked for."""
BLOCK_LINES = 40


QUICK_S, SLOW_FIRST_S = 0.2, 0.8


def delay_s(
    settings: Settings, *, by_hand: bool, fresh_line: bool, since_change_s: float, typical_s: float = 0.0
) -> float:
    """Seconds to wait; 0 when nothing is gained by waiting.

    The debounce counts from the last change, and the wait that the client declares to do itself is taken off:
    VS Code asks 21-51 ms after the change it has sent at once, Neovim's built-in client sends both after 200 ms.
    It saves calls of a quick model that would answer between two keys. One that typically takes `typical_s` keeps its
    generation through several keys anyway, and waiting would only come on top.
    """
    if by_hand or fresh_line:
        return 0.0
    share = min(1.0, max(0.0, (SLOW_FIRST_S - typical_s) / (SLOW_FIRST_S - QUICK_S)))
    return max(0.0, settings.debounce_s * share - max(since_change_s, settings.client_wait_s))


@dataclass(frozen=True, slots=True)
class Extent:
    """How much one call asks for: its shape, the lines after which it is closed, and the tokens it may cost."""

    shape: Shape
    lines: int
    max_tokens: int


def extent(shape: Shape, settings: Settings, *, ahead: bool) -> Extent:
    """A line is asked for with the one after it: the answer to the next key is then known before it is pressed."""
    if shape == "block":
        return Extent("block", BLOCK_LINES, settings.max_tokens)
    if ahead:
        return Extent("block", AHEAD_LINES, min(AHEAD_TOKENS, settings.max_tokens))
    return Extent("line", 1, settings.max_tokens)


Level = Literal["normal", "short", "by_hand"]

SAMPLES = 10
FEWEST = 3
SLOW_S, FAST_AGAIN_S = 3.0, 2.0
VERY_SLOW_S = 6.0
PROBE_S = 10.0


@dataclass(slots=True)
class Health:
    """The last generations of this window: a model that is slow or times out is first asked for less, then only by hand.

    It gets better at another threshold than it gets worse, so that the status does not flap, and while it is asked by
    hand only, one automatic request every PROBE_S finds out whether it has recovered. The caller passes the time in.
    """

    level: Level = "normal"
    _took_s: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    _failed: deque[bool] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    _asked_s: float = 0.0

    @property
    def typical_s(self) -> float:
        """How long a generation takes until it is shown; 0 while that is not known."""
        return median(self._took_s) if self._took_s else 0.0

    def may_ask(self, now_s: float) -> bool:
        """Whether an automatic request may be sent now."""
        if self.level != "by_hand":
            return True
        if now_s - self._asked_s < PROBE_S:
            return False
        self._asked_s = now_s
        return True

    def note(self, now_s: float, took_s: float, *, failed: bool) -> None:
        """One generation has ended."""
        self._took_s.append(took_s)
        self._failed.append(failed)
        self._asked_s = now_s
        self.level = self._judge()

    def _judge(self) -> Level:
        if len(self._took_s) < FEWEST:
            return self.level
        typical_s, last_s = median(self._took_s), median(list(self._took_s)[-FEWEST:])
        failing = sum(self._failed) * 2 >= len(self._failed)
        if not any(list(self._failed)[-FEWEST:]) and last_s < FAST_AGAIN_S:
            return "normal"
        if failing or typical_s > VERY_SLOW_S:
            return "by_hand"
        return "short" if typical_s > SLOW_S or self.level != "normal" else "normal"
