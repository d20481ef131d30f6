"""A token bucket per key: the only limit on completions, in memory. Pure but stateful: the caller passes the time in."""

from cachetools import LRUCache

KEYS = 1000


class Buckets:
    """Each key may take `burst` at once and `rate` a second on average. Keys long unused are forgotten."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._level: LRUCache[str, tuple[float, float]] = LRUCache(KEYS)

    def take(self, key: str, now_s: float) -> bool:
        """Take one token; False when there is none."""
        level, then_s = self._level.get(key, (float(self._burst), now_s))
        level = min(self._burst, level + (now_s - then_s) * self._rate)
        allowed = level >= 1.0
        self._level[key] = (level - allowed, now_s)
        return allowed
