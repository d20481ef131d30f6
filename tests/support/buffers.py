"""Buffers written down with a caret `‸`, as snapshots."""

import re

from midfill_workspace.snapshot import Snapshot

CARET = "‸"
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


def snapshot_of(buffer: str, language: str = "plaintext", path: str = "") -> Snapshot:
    """`‸` marks the caret. Lines end at `\\n`, `\\r\\n` and `\\r` only."""
    before, caret, after = buffer.partition(CARET)
    assert caret, "a buffer needs a caret"
    text = before + after
    lines = LINE.findall(text)
    if not text or text[-1] in "\r\n":
        lines.append("")
    line, column = _position(lines, len(before))
    name = path or "file"
    return Snapshot(f"file:///{name}", name, 1, language, tuple(lines), line, column)


def _position(lines: list[str], offset: int) -> tuple[int, int]:
    """A caret between `\\r` and `\\n` stands at the end of that line's text, as every editor places it."""
    for number, line in enumerate(lines):
        if offset < len(line) or number == len(lines) - 1:
            return number, min(offset, len(line.rstrip("\r\n")))
        offset -= len(line)
    return 0, 0
