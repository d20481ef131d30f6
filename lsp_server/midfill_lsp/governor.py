"""Whether this is a time to ask for something that nobody has asked for yet, and what that may cost."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from midfill_daemon.contract import InlineModel
from midfill_lsp.settings import Settings, Speculation

REMOTE_TOKENS = 2_000
"""Generated tokens a minute of a model that may cost money: about thirty speculations of 64 tokens."""

UNLIMITED_TOKENS = 1_000_000
"""More than any model generates in a minute for one window."""

BUSY_LOAD, STARVED_LOAD = 1.5, 8.0
"""Processes that want each core, from which on a model that computes on these cores, or on others, is left in peace.

Our own engine alone stays below one; a service beside us most likely has a graphics card, and how it does its latency
tells better than the load.
"""

PERIOD_S = 60.0
EMBEDDED = "embedded"
"""The provider that runs the model in a process of ours."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What speculation may take."""

    speculation: Speculation = "auto"
    tokens_per_minute: int = UNLIMITED_TOKENS
    load_per_core: float = BUSY_LOAD


@dataclass(frozen=True, slots=True)
class Facts:
    """How things stand for one speculation."""

    local: bool
    """The model runs on this machine and costs nothing but its power."""
    wanted_tokens: int
    left_tokens: int
    slow: bool = False
    excluded: bool = False
    on_battery: bool = False
    load_per_core: float = 0.0


def limits_for(settings: Settings, model: InlineModel) -> Limits:
    """What the user has said, else no budget for a local model and a small one for the others."""
    chosen = settings.speculation_tokens_per_minute
    usual = UNLIMITED_TOKENS if model.local else REMOTE_TOKENS
    load = BUSY_LOAD if model.provider == EMBEDDED else STARVED_LOAD
    return Limits(settings.speculation, usual if chosen is None else chosen, load)


def refusal(facts: Facts, limits: Limits) -> str:
    """ "" when speculation is allowed, else the reason why it is not: the first rule that applies."""
    return next((reason for reason, applies in RULES.items() if applies(facts, limits)), "")


def _spares_the_machine(facts: Facts, limits: Limits) -> bool:
    return facts.local and limits.speculation != "always"


RULES: Mapping[str, Callable[[Facts, Limits], bool]] = {
    "off": lambda facts, limits: limits.speculation == "off",
    "excluded": lambda facts, limits: facts.excluded,
    "slow": lambda facts, limits: facts.slow,
    "metered": lambda facts, limits: not facts.local and limits.tokens_per_minute == 0,
    "budget": lambda facts, limits: facts.wanted_tokens > facts.left_tokens,
    "battery": lambda facts, limits: _spares_the_machine(facts, limits) and facts.on_battery,
    "load": lambda facts, limits: _spares_the_machine(facts, limits) and facts.load_per_core > limits.load_per_core,
}


@dataclass(slots=True)
class Budget:
    """No minute, wherever it begins, costs more tokens than `per_minute`. The caller passes the time in.

    That is stricter than a bucket that refills, which would let twice as much pass in the minute after a rest.
    """

    per_minute: int
    """May be changed at any time: the user may choose another, and the model may."""
    _taken: deque[tuple[float, int]] = field(default_factory=deque)
    """When, and how many tokens; the oldest first."""
    _sum: int = 0

    def left(self, now_s: float) -> int:
        """How many tokens can be taken now."""
        while self._taken and now_s - self._taken[0][0] >= PERIOD_S:
            self._sum -= self._taken.popleft()[1]
        return max(0, self.per_minute - self._sum)

    def take(self, tokens: int, now_s: float) -> bool:
        """Reserve what a generation may use at most; False, and nothing reserved, when that is too much."""
        if tokens > self.left(now_s):
            return False
        self._add(tokens, now_s)
        return True

    def settle(self, reserved: int, used: int, now_s: float) -> None:
        """A generation has ended: give back what it has not used, or charge what it has used beyond.

        The oldest reservations shrink, whichever this was for: giving back the newest would let them pass too early.
        """
        self.left(now_s)
        if used > reserved:
            self._add(used - reserved, now_s)
        unused = reserved - used
        while unused > 0 and self._taken:
            taken_s, tokens = self._taken.popleft()
            back = min(tokens, unused)
            unused -= back
            self._sum -= back
            if tokens > back:
                self._taken.appendleft((taken_s, tokens - back))

    def _add(self, tokens: int, now_s: float) -> None:
        self._taken.append((now_s, tokens))
        self._sum += tokens


@dataclass(slots=True)
class Stakes:
    """How many guesses may be lost: every call that somebody waited for, and every guess that came true, earns a share.

    So a model that is often right, and a user who goes along with it, are asked ahead of time nearly always; and however
    wrong it is, the calls that nobody needed stay a fixed share of those that somebody did.
    """

    share: float
    most: float = 3.0
    """What can be saved up."""
    left: float = 1.0

    def earn(self) -> None:
        """Somebody waits for a call."""
        self.left = min(self.most, self.left + self.share)

    def bet(self) -> bool:
        """Stake one guess, if there is one left."""
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def won(self) -> None:
        """A guess came true: it was a call that somebody would have waited for."""
        self.left = min(self.most, self.left + 1 + self.share)
