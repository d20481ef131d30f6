"""How long to wait, how much to ask for, and whether to ask at all, from rhythm and model health."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from midfill_daemon.contract import Shape
from midfill_lsp.fit import Extent
from midfill_lsp.settings import Settings

# --- when -----------------------------------------------------------------------------------------

QUICK_S, SLOW_FIRST_S = 0.2, 0.8
"""Between these times to an answer the debounce goes from all to none."""

HURRIED, UNHURRIED = 1.0, 3.0
"""Between these multiples of the debounce, so does it with the usual gap between two keys."""

GAPS, PAUSE_S = 16, 1.0
"""How many gaps make a rhythm; a longer one is a thought and no rhythm."""


@dataclass(slots=True)
class Rhythm:
    """How fast this user types. The caller passes the time in."""

    _last_s: float = float("-inf")
    _gaps_s: deque[float] = field(default_factory=lambda: deque(maxlen=GAPS))

    @property
    def gap_s(self) -> float:
        """The usual time between two changes; 0 while that is not known."""
        return median(self._gaps_s) if len(self._gaps_s) >= GAPS // 2 else 0.0

    def note(self, now_s: float) -> None:
        """A document was changed."""
        gap_s, self._last_s = now_s - self._last_s, now_s
        if gap_s < PAUSE_S:
            self._gaps_s.append(gap_s)


def delay_s(
    settings: Settings,
    *,
    by_hand: bool,
    fresh_line: bool,
    since_change_s: float,
    typical_s: float = 0.0,
    gap_s: float = 0.0,
) -> float:
    """Seconds to wait; 0 when nothing is gained by waiting.

    The debounce counts from the last change, and the wait that the client declares to do itself is taken off:
    VS Code asks 21-51 ms after the change it has sent at once, Neovim's built-in client sends both after 200 ms.
    It saves calls of a quick model that would answer between two keys. One that typically takes `typical_s` keeps its
    generation through several keys anyway, and waiting would only come on top; so it would for who types so slowly
    that no key comes within the debounce.
    """
    if by_hand or fresh_line:
        return 0.0
    debounce_s = settings.debounce_s
    share = _falling(typical_s, QUICK_S, SLOW_FIRST_S) * _falling(gap_s, HURRIED * debounce_s, UNHURRIED * debounce_s)
    return max(0.0, debounce_s * share - max(since_change_s, settings.client_wait_s))


def _falling(value: float, high: float, low: float) -> float:
    """1 up to `high`, 0 from `low` on, and a line between them."""
    return min(1.0, max(0.0, (low - value) / (low - high))) if low > high else 1.0


# --- how much -------------------------------------------------------------------------------------

AHEAD_LINES = 5
AHEAD_TOKENS = 64
RUNWAY_LINES = 1
"""Known lines beyond the suggestion below which the next ones are asked for."""
BLOCK_LINES = 40
SHORT_SHARE = 0.5
USUAL_GAP_S = 0.12
SPARE_CHARS = 4


@dataclass(frozen=True, slots=True)
class Portion:
    """How much one call asks for."""

    shape: Shape
    """What the daemon is told."""
    reads: Extent
    """How far the stream is read."""
    lines: int
    """After so many complete lines it is closed."""
    max_tokens: int


def portion(shape: Shape, settings: Settings, *, ahead: bool, level: "Level" = "normal") -> Portion:
    """A line is asked for with the ones after it: the answer to the next key is then known before it is pressed.

    A model that is slow is asked for less: for half of the tokens, then for no more than a line.
    """
    if shape == "line" and ahead:
        return Portion("block", "ahead", AHEAD_LINES, min(AHEAD_TOKENS, settings.max_tokens))
    if shape == "line" or level == "line":
        return Portion("line", "line", 1, settings.max_tokens)
    share = 1.0 if level == "normal" else SHORT_SHARE
    return Portion("block", "block_ahead" if ahead else "block", BLOCK_LINES, max(1, int(settings.max_tokens * share)))


def lead_chars(typical_s: float, gap_s: float) -> int:
    """So many characters before its end the user begins to need what follows a suggestion that is typed by hand."""
    return int(typical_s / (gap_s or USUAL_GAP_S)) + SPARE_CHARS


# --- whether at all -------------------------------------------------------------------------------

Level = Literal["normal", "short", "line", "by_hand"]

SLOWER_THAN_S: Mapping[Level, float] = {"by_hand": 6.0, "line": 4.0, "short": 2.5}
"""The typical time to an answer from which on less is asked for."""

BETTER = 0.7
"""It must fall to this share of that time before more is asked for again, so that the status does not flap."""

FAILING = 0.5
LEVELS: tuple[Level, ...] = ("normal", "short", "line", "by_hand")

SAMPLES = 10
FEWEST = 3
FAST_AGAIN_S = 1.5
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
        last_s = median(list(self._took_s)[-FEWEST:])
        if not any(list(self._failed)[-FEWEST:]) and last_s < FAST_AGAIN_S:
            return "normal"
        if sum(self._failed) >= FAILING * len(self._failed):
            return self._one_worse()
        return next((level for level in SLOWER_THAN_S if self.typical_s > self._limit_s(level)), "normal")

    def _limit_s(self, level: Level) -> float:
        """It is harder to leave a level, or a worse one, than to come to it."""
        holds = LEVELS.index(self.level) >= LEVELS.index(level)
        return SLOWER_THAN_S[level] * (BETTER if holds else 1.0)

    def _one_worse(self) -> Level:
        return LEVELS[min(LEVELS.index(self.level) + 1, len(LEVELS) - 1)]
