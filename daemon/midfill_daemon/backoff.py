"""When to try a failing service again: 1 to 30 s with jitter, from the second failure in a row on. Pure."""

import random
from dataclasses import dataclass, field
from typing import Protocol

FIRST_S = 1.0
LONGEST_S = 30.0


class Jitter(Protocol):
    def uniform(self, low: float, high: float, /) -> float:
        """A number between the two."""


@dataclass(slots=True)
class Backoff:
    """One service's health. A single failure costs no wait: the next keystroke may well succeed."""

    jitter: Jitter = field(default_factory=random.Random)
    failures: int = 0
    until_s: float = 0.0

    def wait_s(self, now_s: float) -> float:
        """Seconds until the next try is due; 0 when it is."""
        return max(0.0, self.until_s - now_s)

    def succeeded(self) -> None:
        self.failures, self.until_s = 0, 0.0

    def failed(self, now_s: float, retry_after_s: float | None = None) -> None:
        """Note a failure; `retry_after_s` is what the service itself asked for and counts from the first one on."""
        self.failures += 1
        wait_s = 0.0
        if self.failures > 1:
            exponential_s = min(LONGEST_S, FIRST_S * 2 ** min(self.failures - 2, 10))
            wait_s = exponential_s * self.jitter.uniform(0.5, 1.0)
        self.until_s = now_s + max(wait_s, retry_after_s or 0.0)
