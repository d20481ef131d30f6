"""The syntax of ignore files, as git reads it: lines -> patterns -> what they say of one path."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

# No library does this: in the one in general use (pathspec 1.1.1) the pattern `*a*a*a*a*a*b` takes 0.2 s for a name of 60
# characters and ten times that for every 20 more, `*` with `!*.py` lets files below an ignored folder through, case
# always counts, `[[:alpha:]]` names nothing, and the import takes 35 ms. The tests compare this with git itself.


LIMIT_LINES, LIMIT_LINE_BYTES = 5_000, 4_096
"""Half a second of compiling at the most."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of an ignore file."""

    expression: re.Pattern[bytes]
    """Matches the whole path of what it names, relative to the file's folder, or only the last part of it."""
    negated: bool
    folders_only: bool
    by_name: bool

    def names(self, path: bytes, is_folder: bool) -> bool:
        """Whether it names this very file or folder, not one around it."""
        if self.folders_only and not is_folder:
            return False
        return self.expression.fullmatch(path.rpartition(b"/")[2] if self.by_name else path) is not None


def parse(raw: bytes, *, fold_case: bool) -> tuple[Pattern, ...]:
    """The patterns of an ignore file; a line that git would not understand names nothing.

    Raises ValueError for a file that would take long, as no hand-written one does.
    """
    lines = raw.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if len(lines) > LIMIT_LINES or max(map(len, lines)) > LIMIT_LINE_BYTES:
        raise ValueError("too many patterns, or a pattern longer than any path")
    return tuple(pattern for line in lines for pattern in _pattern(_trimmed(line.removesuffix(b"\r")), fold_case))


def verdict(patterns: Sequence[Pattern], path: bytes, is_folder: bool) -> bool | None:
    """Whether the path is ignored by the last pattern that names it; None when none does."""
    for pattern in reversed(patterns):
        if pattern.names(path, is_folder):
            return not pattern.negated
    return None


def _trimmed(line: bytes) -> bytes:
    """Without the spaces at its end, unless they are escaped."""
    end = len(line.rstrip(b" "))
    escapes = end - len(line[:end].rstrip(b"\\"))
    return line[: end + 1] if escapes % 2 and end < len(line) else line[:end]


def _pattern(line: bytes, fold_case: bool) -> Iterator[Pattern]:
    if not line or line.startswith(b"#"):
        return
    body = line.removeprefix(b"!")
    bare = body.removesuffix(b"/")
    by_name = b"/" not in bare
    try:
        text = expression(bare if by_name else bare.removeprefix(b"/"))
        yield Pattern(re.compile(text, FLAGS[fold_case]), line.startswith(b"!"), body.endswith(b"/"), by_name)
    except (ValueError, re.error):
        return


# DOTALL for names with a line break; bytes, because git counts bytes, and knows the case of ASCII only.
FLAGS: Mapping[bool, re.RegexFlag] = {False: re.DOTALL, True: re.DOTALL | re.IGNORECASE}

TOKEN = re.compile(
    rb"(?P<folders>(?:(?<=/)|\A)\*\*+/)|(?P<rest>(?:(?<=/)|\A)\*\*+\Z)|(?P<star>\*+)|(?P<any>\?)"
    rb"|(?P<range>\[(?P<negated>[!^]?)(?P<items>\]?(?:\\.|\[:[a-z]*:\]|[^\]\\])*)\])|(?P<open>\[)|\\(?P<escaped>.)|(?P<plain>[^*?\[\\]+)|(?P<odd>\\)",
    re.DOTALL,
)


def expression(glob: bytes) -> bytes:
    """A regular expression in which no wildcard ever goes back behind the next one of its kind: the first place that
    fits is as good as any, so the time stays in proportion. Raises ValueError for a pattern that can name nothing."""
    # Git compares what comes before the first wildcard by itself, so `a**/b` begins anew behind the `a`.
    wildcard = WILDCARD.search(glob)
    start = wildcard.start() if wildcard is not None else len(glob)
    parts = _parts(list(_tokens(glob[start:])), "folders")
    return re.escape(glob[:start]) + _joined(
        [_joined([_text(piece) for piece in _parts(part, "star")]) for part in parts]
    )


WILDCARD = re.compile(rb"[*?\[\\]")
Token = tuple[str, bytes]


def _parts(tokens: Sequence[Token], kind: str) -> list[list[Token]]:
    """The tokens, cut before each of this kind."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token[0] == kind:
            parts.append([])
        parts[-1].append(token)
    return parts


def _text(tokens: Sequence[Token]) -> bytes:
    return b"".join(text for _, text in tokens)


def _joined(parts: Sequence[bytes]) -> bytes:
    """Between the first, which has no such wildcard, and the last, which must reach the end, each matches where it first can."""
    return b"".join([*parts[:1], *(b"(?>" + part + b")" for part in parts[1:-1]), *parts[1:][-1:]])


def _tokens(glob: bytes) -> Iterator[Token]:
    for match in TOKEN.finditer(glob):
        kind = match.lastgroup or ""
        if match["range"] is not None:
            yield "range", _range(match["items"], bool(match["negated"]))
        elif kind in WILDCARDS:
            yield kind, WILDCARDS[kind]
        elif kind in ("escaped", "plain"):
            yield "plain", re.escape(match[kind])
        else:
            raise ValueError(f"{kind}: git takes this for a pattern without an end")


WILDCARDS: Mapping[str, bytes] = {"folders": b"(?:[^/]*/)*?", "rest": b".*", "star": b"[^/]*?", "any": b"[^/]"}

ITEM = re.compile(rb"\[:(?P<name>[a-z]*):\]|(?P<first>\\.|[^\\])(?:-(?P<last>\\.|[^\\]))?", re.DOTALL)

CLASSES: Mapping[bytes, bytes] = {
    b"alnum": b"A-Za-z0-9",
    b"alpha": b"A-Za-z",
    b"blank": b" \\t",
    b"cntrl": b"\\x00-\\x1f\\x7f",
    b"digit": b"0-9",
    b"graph": b"\\x21-\\x7e",
    b"lower": b"a-z",
    b"print": b"\\x20-\\x7e",
    b"punct": b"\\x21-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7e",
    b"space": b"\\s",
    b"upper": b"A-Z",
    b"xdigit": b"0-9A-Fa-f",
}


def _range(items: bytes, negated: bool) -> bytes:
    parts = b"".join(map(_item, ITEM.finditer(items)))
    inside = b"[" + parts + b"]" if parts else b"(?!)"
    return b"(?!/)" + (b"(?!" + inside + b")." if negated else inside)


def _item(match: re.Match[bytes]) -> bytes:
    if match["name"] is not None:
        return CLASSES[match["name"]] if match["name"] in CLASSES else _unknown(match["name"])
    first, last = match["first"][-1], (match["last"] or match["first"])[-1]
    # The first one counts by itself, also where the range is empty.
    return b"\\x%02x" % first + (b"-\\x%02x" % last if first <= last else b"")


def _unknown(name: bytes) -> bytes:
    raise ValueError(f"{name!r}: no such class")
