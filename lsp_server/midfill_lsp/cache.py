"""Answers by what was asked: a byte-bounded LRU keyed by a hash, and look-up of what was typed through."""

from collections import deque
from dataclasses import dataclass

import xxhash
from cachetools import LRUCache

from midfill_workspace.window import Window

LIMIT_BYTES = 64 * 1024 * 1024
ENTRY_OVERHEAD_BYTES = 400
"""Measured size of an entry besides its text: digest, Answer, dictionary and LRU links."""
LIFETIME_S = 600.0
RECENT_PER_FILE = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """Text that a model gave for one window, shaped but not yet fitted into a live buffer."""

    text: str
    window: Window
    stored_s: float
    complete: bool = False
    """The model was asked to go on and had nothing to add."""


def key(revision: str, path: str, window: Window) -> bytes:
    """The cache key: the same model, settings, file and text around the caret give the same 16 bytes."""
    digest = xxhash.xxh3_128()
    for part in (revision, path, window.prefix, window.suffix):
        encoded = part.encode("utf-8", "surrogatepass")
        # The length in front keeps ("ab", "c") and ("a", "bc") apart.
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    return digest.digest()


class Cache:
    """Pure but stateful: the caller passes the time in."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._answers: LRUCache[bytes, Answer] = LRUCache(limit_bytes, getsizeof=_size_bytes)
        self._recent: dict[str, deque[Answer]] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, digest: bytes, now_s: float) -> Answer | None:
        answer = self._answers.get(digest)
        if answer is not None and now_s - answer.stored_s > LIFETIME_S:
            del self._answers[digest]
            return None
        return answer

    def typed_through(self, path: str, window: Window, now_s: float) -> str | None:
        """What is left of an answer that the user has begun to type out. O(length of the window)."""
        for answer in reversed(self._recent.get(path, ())):
            typed = _typed_since(answer.window, window)
            fresh = now_s - answer.stored_s <= LIFETIME_S
            if typed and fresh and len(typed) < len(answer.text) and answer.text.startswith(typed):
                return answer.text[len(typed) :]
        return None

    def is_complete(self, path: str, window: Window) -> bool:
        """Whether the answer that reaches this window is known to have no continuation."""
        for answer in reversed(self._recent.get(path, ())):
            typed = _typed_since(answer.window, window)
            if typed is not None and answer.text.startswith(typed):
                return answer.complete
        return False

    def store(self, digest: bytes, path: str, answer: Answer) -> None:
        """Keep an answer; a longer one for the same window takes the place of the shorter."""
        if _size_bytes(answer) <= self._answers.maxsize:
            self._answers[digest] = answer
        recent = self._recent.setdefault(path, deque(maxlen=RECENT_PER_FILE))
        for earlier in [earlier for earlier in recent if earlier.window == answer.window]:
            recent.remove(earlier)
        recent.append(answer)

    def forget_file(self, path: str) -> None:
        """Drop what was kept for typing through; a reopened file starts afresh."""
        self._recent.pop(path, None)


def _typed_since(then: Window, now: Window) -> str | None:
    if now.suffix != then.suffix or not now.prefix.startswith(then.prefix):
        return None
    return now.prefix[len(then.prefix) :]


def _size_bytes(answer: Answer) -> int:
    # The window is shared text of two strings; both live as long as the entry.
    return ENTRY_OVERHEAD_BYTES + len(answer.text) + len(answer.window.prefix) + len(answer.window.suffix)
