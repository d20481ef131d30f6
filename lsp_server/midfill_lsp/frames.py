"""Splits a byte stream into LSP message bodies, whatever its sender does wrong."""

import re
from dataclasses import dataclass

BODY_LIMIT = 64 * 1024 * 1024
"""A larger message is skipped, never held in memory."""
SKIP_LIMIT = 1024 * 1024 * 1024
"""A length beyond this is taken for garbage: skipping it would leave the server deaf for good."""
LINE_LIMIT = 8 * 1024
HEAD_BYTES = 4 * 1024

_FIELD = re.compile(rb"([A-Za-z0-9-]+)[ \t]*:(.*)")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_RESTART = re.compile(rb"content-length:", re.IGNORECASE)
_RESTART_BYTES = len(b"content-length:")


@dataclass(frozen=True, slots=True)
class Damaged:
    """Headers that made no sense; everything up to the next `Content-Length:` is lost. Told once per loss."""

    reason: str


@dataclass(frozen=True, slots=True)
class Oversized:
    """A message beyond the limit; `head` is its first few kilobytes."""

    size: int
    head: bytes


Frame = bytes | Damaged | Oversized


class FrameParser:
    """Feed it chunks of any size; it answers with the frames that are complete.

    Header names may be in any case and order, lines may end in `\\n` alone, unknown headers are ignored.
    """

    def __init__(self, body_limit: int = BODY_LIMIT) -> None:
        self._body_limit = body_limit
        self._buffer = bytearray()
        self._step = self._read_line
        self._frames: list[Frame] = []
        self._fields = 0
        self._length = -1
        self._skipped = 0
        self._head = bytearray()
        self._lost = False

    def feed(self, data: bytes) -> list[Frame]:
        self._buffer += data
        while self._step():
            pass
        frames, self._frames = self._frames, []
        return frames

    # Every step answers whether another step can follow without more data.

    def _read_line(self) -> bool:
        end = self._buffer.find(b"\n", 0, LINE_LIMIT)
        if end < 0:
            return len(self._buffer) >= LINE_LIMIT and self._damage("a header line has no end")
        line = self._buffer[:end]
        if line == b"\r" or not line:
            del self._buffer[: end + 1]
            return self._start_body()
        field = _FIELD.fullmatch(line)
        if field is None:
            return self._damage("a line is not a header")
        if field[1].lower() == b"content-length":
            value = field[2].strip()
            if not _LENGTH.fullmatch(value) or int(value) > SKIP_LIMIT:
                return self._damage("Content-Length is not a usable number")
            self._length = int(value)
        self._fields += 1
        del self._buffer[: end + 1]
        return True

    def _start_body(self) -> bool:
        if self._fields == 0:
            return True  # A blank line between two messages does no harm.
        if self._length < 0:
            return self._damage("Content-Length is missing")
        self._step = self._read_body if self._length <= self._body_limit else self._skip_body
        return True

    def _read_body(self) -> bool:
        if len(self._buffer) < self._length:
            return False
        return self._finish(bytes(self._buffer[: self._length]), self._length)

    def _skip_body(self) -> bool:
        if len(self._head) < HEAD_BYTES:
            self._head += self._buffer[: min(HEAD_BYTES, self._length) - len(self._head)]
        rest = self._length - self._skipped
        if len(self._buffer) < rest:
            self._skipped += len(self._buffer)
            self._buffer.clear()
            return False
        return self._finish(Oversized(self._length, bytes(self._head)), rest)

    def _finish(self, frame: Frame, consumed: int) -> bool:
        del self._buffer[:consumed]
        self._frames.append(frame)
        self._lost = False
        self._restart()
        return True

    def _damage(self, reason: str) -> bool:
        if not self._lost:
            self._frames.append(Damaged(reason))
        self._lost = True
        # Past the first byte, so that a bad Content-Length line is not found again.
        del self._buffer[:1]
        self._step = self._resynchronise
        return True

    def _resynchronise(self) -> bool:
        found = _RESTART.search(self._buffer)
        if found is None:
            del self._buffer[: -_RESTART_BYTES + 1]
            return False
        del self._buffer[: found.start()]
        self._restart()
        return True

    def _restart(self) -> None:
        self._step = self._read_line
        self._fields, self._length, self._skipped = 0, -1, 0
        self._head.clear()
