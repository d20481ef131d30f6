"""A slow, obvious model of a document that is edited over LSP: one string, and positions found by counting."""

from dataclasses import dataclass

UNIT_BYTES = {
    "utf-8": ("utf-8", 1),
    "utf-16": ("utf-16-le", 2),
    "utf-32": ("utf-32-le", 4),
}


@dataclass(slots=True)
class ReferenceText:
    """A whole document; `encoding` says in which units columns are counted."""

    text: str
    encoding: str

    def lines(self) -> list[str]:
        starts = self.line_starts()
        ends = [*starts[1:], len(self.text)]
        return [self.text[start:end] for start, end in zip(starts, ends, strict=True)]

    def line_starts(self) -> list[int]:
        """A line ends after "\\n", after "\\r\\n", and after a "\\r" that no "\\n" follows."""
        starts = [0]
        for index, character in enumerate(self.text):
            following = self.text[index + 1 : index + 2]
            if character == "\n" or (character == "\r" and following != "\n"):
                starts.append(index + 1)
        return starts

    def offset(self, line: int, column: int) -> int:
        """Of a position as the client counts it; what cannot be is moved to the nearest place that can."""
        if line < 0:
            return 0
        starts = self.line_starts()
        if line >= len(starts):
            return len(self.text)
        units = 0
        offset = starts[line]
        for character in self.text[offset:]:
            units += self.width(character)
            if character in "\r\n" or units > column:
                break
            offset += 1
        return offset

    def caret(self, line: int, column: int) -> tuple[int, int]:
        """The same place as line and column in code points."""
        offset = self.offset(line, column)
        starts = [start for start in self.line_starts() if start <= offset]
        return len(starts) - 1, offset - starts[-1]

    def replace(self, start: tuple[int, int], end: tuple[int, int], text: str) -> None:
        first, last = sorted((self.offset(*start), self.offset(*end)))
        self.text = self.text[:first] + text + self.text[last:]

    def width(self, character: str) -> int:
        codec, unit_bytes = UNIT_BYTES[self.encoding]
        return len(character.encode(codec, "surrogatepass")) // unit_bytes
