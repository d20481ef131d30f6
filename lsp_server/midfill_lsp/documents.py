"""The open documents: lines, edits and positions as the client counts them; makes the Snapshots."""

import io
import itertools
import logging
import posixpath
import re
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from lsprotocol import types

from midfill_workspace.snapshot import Snapshot

log = logging.getLogger(__name__)

Caret = tuple[int, int]
"""Line and column, in code points; the column never lies beyond the line's text or inside its line end."""


@dataclass(slots=True)
class Document:
    """One open document. Only `Documents` changes it; whoever keeps its lines for later takes a Snapshot.

    Every line but the last ends with `\\n`, `\\r\\n` or `\\r`, and the last never does: it is "" after a final line end.
    """

    uri: str
    path: str
    language: str
    version: int
    lines: list[str]
    generation: int
    """Differs after every change, whatever the client does with its versions; never used twice by one store."""

    keepers: list[weakref.ref[Snapshot]] = field(default_factory=list)
    """The snapshots that were given these very lines; none is left of those that have been dropped since."""

    def writable(self) -> list[str]:
        """The lines, for editing; copied only while a snapshot of them is kept.

        Hardly any outlives its request, and a copy for each key would be most of the work in a file of 100,000 lines.
        """
        if any(keeper() is not None for keeper in self.keepers):
            self.lines = self.lines.copy()
        self.keepers.clear()
        return self.lines


class Documents:
    """What the client has open. No lock: one event loop owns this. No path is ever opened here."""

    def __init__(self) -> None:
        self.encoding: str = types.PositionEncodingKind.Utf16.value
        """A key of `CODECS`, agreed with the client once, before the first document."""
        self._open: dict[str, Document] = {}
        self._folders: tuple[str, ...] = ()
        self._generations = itertools.count(1)

    def set_folders(self, uris: Sequence[str]) -> None:
        """The workspace folders; the paths of documents that are open already follow."""
        self._folders = tuple(uris)
        for document in self._open.values():
            document.path = relative_path(document.uri, self._folders)

    def open(self, item: types.TextDocumentItem) -> None:
        """Opening an open document replaces it."""
        language = item.language_id
        self._open[item.uri] = Document(
            uri=item.uri,
            path=relative_path(item.uri, self._folders),
            language=language.value if isinstance(language, types.LanguageKind) else language,
            version=item.version,
            lines=split_lines(item.text),
            generation=next(self._generations),
        )

    def change(self, uri: str, version: int | None, changes: Sequence[types.TextDocumentContentChangeEvent]) -> None:
        """Applies the changes in their order, each to the result of the one before."""
        document = self._open.get(uri)
        if document is None:
            log.debug("document.not_open", extra={"version": version, "changes": len(changes)})
            return
        if version is not None:
            document.version = version
        for change in changes:
            self._apply(document, change)
            document.generation = next(self._generations)

    def close(self, uri: str) -> None:
        self._open.pop(uri, None)

    def get(self, uri: str) -> Document | None:
        return self._open.get(uri)

    def all(self) -> Sequence[Document]:
        return tuple(self._open.values())

    def snapshot(
        self, uri: str, position: types.Position, selected: types.SelectedCompletionInfo | None = None
    ) -> Snapshot | None:
        """None when the document is not open; an impossible position is clamped.

        While the editor's own completion list has a selection, the text is as if that had been accepted.
        """
        document = self._open.get(uri)
        if document is None:
            return None
        if selected is None:
            lines, (line, column) = document.lines, self._caret(document.lines, position)
        else:
            lines, (line, column) = self._with_selected(document.lines, selected)
        snapshot = Snapshot(
            uri=document.uri,
            path=document.path,
            version=document.version,
            language=document.language,
            lines=lines,
            line=line,
            column=column,
        )
        document.keepers.append(weakref.ref(snapshot))
        return snapshot

    def position(self, document: Document | Snapshot, line: int, column: int) -> types.Position:
        """A place in our own terms as the client counts it; the line must exist."""
        text = document.lines[line].rstrip(LINE_ENDS)
        return types.Position(line, wire_column(text, column, CODECS[self.encoding]))

    def _apply(self, document: Document, change: types.TextDocumentContentChangeEvent) -> None:
        if not isinstance(change, types.TextDocumentContentChangePartial):
            document.lines = split_lines(change.text)
            return
        lines = document.writable()
        start, end = self._carets(lines, change.range)
        splice(lines, start, end, change.text)

    def _with_selected(self, lines: Sequence[str], selected: types.SelectedCompletionInfo) -> tuple[list[str], Caret]:
        start, end = self._carets(lines, selected.range)
        lines_from_caret, text_from_caret = len(lines) - end[0], len(lines[end[0]]) - end[1]
        applied = list(lines)
        splice(applied, start, end, selected.text)
        line = len(applied) - lines_from_caret
        # Not inside a line end, which a selected text that ends with "\r" could bring together.
        column = min(len(applied[line]) - text_from_caret, len(applied[line].rstrip(LINE_ENDS)))
        return applied, (line, column)

    def _carets(self, lines: Sequence[str], where: types.Range) -> tuple[Caret, Caret]:
        # A range that runs backwards is swapped, as VS Code's own TextDocument does.
        ends = self._caret(lines, where.start), self._caret(lines, where.end)
        return min(ends), max(ends)

    def _caret(self, lines: Sequence[str], position: types.Position) -> Caret:
        if position.line < 0:
            return 0, 0
        if position.line >= len(lines):
            return len(lines) - 1, len(lines[-1])
        text = lines[position.line].rstrip(LINE_ENDS)
        return position.line, code_point_column(text, max(position.character, 0), CODECS[self.encoding])


# --- lines -------------------------------------------------------------------------------------

LINE_ENDS = "\r\n"


def split_lines(text: str) -> list[str]:
    """The lines of a whole document, with their line ends."""
    lines = _split(text)
    _close(lines)
    return lines


def splice(lines: list[str], start: Caret, end: Caret, text: str) -> None:
    """Replaces a range in place; the cost is that of the lines touched and of moving the list's tail."""
    first, last = start[0], end[0]
    merged = lines[first][: start[1]] + text + lines[last][end[1] :]
    if first > 0 and merged.startswith("\n") and lines[first - 1].endswith("\r"):
        # The edit has brought a line break "\r\n" together out of its halves.
        first -= 1
        merged = lines[first] + merged
    lines[first : last + 1] = _split(merged)
    _close(lines)


def _split(text: str) -> list[str]:
    # Not str.splitlines, which also breaks at \x0b, \x0c, \x1c-\x1e, \x85, U+2028 and U+2029: the protocol does not.
    return io.StringIO(text, newline="").readlines()


def _close(lines: list[str]) -> None:
    if not lines or lines[-1].endswith(("\n", "\r")):
        lines.append("")


# --- columns -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Codec:
    """How a client counts columns: in units of `unit_bytes` bytes of this Python codec."""

    name: str
    unit_bytes: int


CODECS: Mapping[str, Codec] = {
    "utf-8": Codec("utf-8", 1),
    "utf-16": Codec("utf-16-le", 2),
    "utf-32": Codec("utf-32-le", 4),
}

LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def code_point_column(text: str, column: int, codec: Codec) -> int:
    """Code points before a wire column of a line without its end; rounds down inside a character."""
    if text.isascii():
        return min(column, len(text))
    # `column` code points fill at least `column` units, so the rest of a long line need not be encoded.
    encoded = _encode(text[:column], codec)
    return len(encoded[: column * codec.unit_bytes].decode(codec.name, "ignore"))


def wire_column(text: str, column: int, codec: Codec) -> int:
    """The reverse of `code_point_column`."""
    if text.isascii():
        return min(column, len(text))
    return len(_encode(text[:column], codec)) // codec.unit_bytes


def _encode(text: str, codec: Codec) -> bytes:
    # JSON can carry half a surrogate pair, which no codec accepts; U+FFFD is as wide as it in all three.
    return LONE_SURROGATE.sub("\ufffd", text).encode(codec.name)


# --- paths -------------------------------------------------------------------------------------

URI = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?://(?P<authority>[^/]*))?(?P<path>.*)",
    re.DOTALL,
)
"""A scheme has two letters at least, so that the drive in `C:\\code` is none."""

UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def relative_path(uri: str, folders: Sequence[str]) -> str:
    """A name for the document: relative to the innermost folder around it, else its last part."""
    path = _absolute_path(uri)
    inside = [
        path.removeprefix(folder)
        for folder in (_absolute_path(folder).rstrip("/") + "/" for folder in folders)
        if path.startswith(folder)
    ]
    shortest = min(inside, key=len, default="")
    return shortest or posixpath.basename(path) or UNTITLED


def scheme(uri: str) -> str:
    """In lower case; what is no uri is taken for the path of a file."""
    match = URI.fullmatch(uri)
    return match["scheme"].lower() if match else "file"


def is_file(uri: str) -> bool:
    """Whether it can be read from this machine's disk, and not only from what the editor sends."""
    return scheme(uri) == "file"


def told_path(uri: str, path: str) -> str:
    """The name that a model is told: "" where there is none that says anything of the text."""
    is_new = path == UNTITLED or (scheme(uri) == "untitled" and "/" not in uri)
    return "" if is_new or scheme(uri) in CELLS else path


UNTITLED = "untitled"
"""What we call a document whose uri has no name in it."""


CELLS = frozenset({"vscode-notebook-cell", "vscode-interactive-input", "jupyter-notebook-cell"})
"""Parts of a notebook: named like it, but their text is of their own language, not of a notebook's file."""


def disk_path(uri: str) -> Path:
    """Where a file lies, or the one that the document is a twin of."""
    return Path(re.sub(r"\A/(?=[a-z]:)", "", _absolute_path(uri)))


def _absolute_path(uri: str) -> str:
    """The decoded path of a uri of any scheme, so that a `git:` or `untitled:` twin of a file is named like it."""
    match = URI.fullmatch(uri)
    scheme, authority, path = match.group("scheme", "authority", "path") if match else ("file", "", uri)
    if scheme.lower() != "file":
        path = re.split("[?#]", path, maxsplit=1)[0]
    path = unquote(path)
    if authority and authority != "localhost":
        path = f"//{authority}{path}"
    # The path is shown and put into prompts: it must print on one line and encode.
    return _posix(UNPRINTABLE.sub("\ufffd", path))


def _posix(path: str) -> str:
    """Rooted, without dot segments; Windows paths as `/c:/code/a.py`: clients disagree about the drive's case."""
    drive = re.match(r"/?([A-Za-z]):(?=[/\\])", path)
    if drive:
        path = f"{drive[1].lower()}:{path[drive.end() :]}".replace("\\", "/")
    return posixpath.normpath("/" + path.lstrip("/"))
