"""Fits a model's answer into the buffer: ordered tables of small filters, and when to stop reading the stream."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from tree_sitter import Parser

from midfill_daemon.contract import Shape
from midfill_lsp import below, joins, repeats
from midfill_workspace import scope
from midfill_workspace.snapshot import Snapshot

LIMIT_CHARS = 8_000
"""No completion is longer; it bounds the work of every filter."""


PROSE = frozenset({"markdown", "mdx", "quarto", "rmd", "restructuredtext", "asciidoc", "plaintext", "text", ""})
MARKUP = frozenset(
    {"html", "xml", "svg", "vue", "svelte", "astro", "php", "erb", "handlebars", "javascriptreact", "typescriptreact"}
)

CONTROL_TOKEN = re.compile(
    r"<\|[\w \u2581]{1,40}\|>|<\uff5c[^\uff5c\n]{1,40}\uff5c>|</?fim_(?:prefix|suffix|middle|pad)>"
    r"|<(?:EOT|EOM|PRE|SUF|MID|endoftext|empty_output|gh_stars|(?:jupyter|issue|commit)_(?:start|text|code|output|before|msg|after))>"
    r"|^<(?:file_sep|filename|reponame|repo_name)>|(?<!\w)<s>|</s>|(?<!\w)\[(?:PREFIX|SUFFIX|MIDDLE)\]",
    re.MULTILINE,
)
"""Those that people write as placeholders too (`<filename>`) count at the start of a line only."""

MARKUP_TOKENS = frozenset({"<s>", "</s>"})
GARBLED = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ufffd\ud800-\udfff]")
FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n`]*(?:\n|\Z)", re.MULTILINE)
PATH_LINE = re.compile(
    r"^[ \t]*(?:#|//|--|;|%|/\*|<!--) ?(?:Path|File|Filename): ?\S+\.\w+[^\n]*\n?|^diff --git ", re.MULTILINE
)
LEADING_BLANK = re.compile(r"(?:[ \t]*\n)+")
BETWEEN_WORDS = re.compile(r"[\s;,'\"`]+")


Extent = Literal["line", "block", "block_ahead", "ahead"]
"""How far a stream is read: to the end of the line or of the scope, or on into what will be asked for next."""

Where = TypeVar("Where")
Filters = tuple[tuple[str, Callable[[str, Where], str]], ...]
"""Rule ids and filters, in the order in which they are applied."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer was asked for; `parser` is None for a language that is read as plain text."""

    snapshot: Snapshot
    shape: Shape
    parser: Parser | None


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is left of an answer, and the ids of the filters that changed it."""

    text: str
    replace: int = 0
    """Code points right of the caret, on its line, that the text takes the place of."""
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shaped:
    """What of an answer is worth keeping, how much of it is one suggestion at the place it was asked for, and the ids
    of the filters that changed it."""

    text: str
    end: int
    rules: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        return self.text[: self.end]


def shape_answer(text: str, snapshot: Snapshot, shape: Shape, parser: Parser | None) -> Shaped:
    """What the text and the place of the question decide: once per generation, before it is cached; may parse.

    What lies beyond the scope is kept: it is not shown here, but it is what the model would say to whoever has taken
    all of the block.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    place = Place(snapshot, shape, parser)
    text, cleaned = _apply(CLEANS, text, place)
    shown, ended = _apply(ENDS, text, place)
    goes_on = "scope_end" in ended and "closing_line" not in ended and not snapshot.after.strip()
    return Shaped(text.rstrip() if goes_on else shown, len(shown), cleaned + ended)


def fit(text: str, snapshot: Snapshot, *, by_hand: bool) -> Fitted:
    """What the buffer decides as it is now: for every answer, cached or not; strings only, no parse."""
    filters = FITS_BY_HAND if by_hand else FITS
    text, rules = _apply(filters, text, snapshot)
    changed = rules
    while text and changed:
        # A cut may lay bare what an earlier filter takes away; each pass makes the text shorter, so this ends.
        text, changed = _apply(filters, text, snapshot)
        rules += tuple(rule for rule in changed if rule not in rules)
    return Fitted(text, joins.replaced(text, snapshot) if text else 0, rules)


def enough(text: str, snapshot: Snapshot, extent: Extent) -> int | None:
    """How much of a growing answer to keep when no more of it is wanted; None while more is.

    What lies beyond the scope is kept as far as it has come: it has been paid for, and may be asked for next.
    """
    if len(text) > LIMIT_CHARS:
        return LIMIT_CHARS
    ends = [end for find in STREAM_ENDS[extent] if (end := find(text, snapshot)) is not None]
    if not ends and any(left(text, snapshot) for left in SCOPE_ENDS[extent]):
        return len(text)
    return min(ends) if ends else None


def _apply(filters: Filters[Where], text: str, where: Where) -> tuple[str, tuple[str, ...]]:
    rules: list[str] = []
    for rule, change in filters:
        changed = change(text, where)
        if changed != text:
            rules.append(rule)
            text = changed
        if not text:
            break
    return text, tuple(rules)


# --- filters on the answer and the place it was asked for -----------------------------------------


def cut_length(text: str, _: object) -> str:
    return text if len(text) <= LIMIT_CHARS else text[: text.rfind("\n", 0, LIMIT_CHARS) + 1]


def cut_control_tokens(text: str, place: Place) -> str:
    at = _control_token(text, place.snapshot)
    return text if at is None else text[:at]


def unfence(text: str, place: Place) -> str:
    """The inside of the first code fence; the text before a fence that only closes; all of it in prose."""
    first = FENCE.search(text)
    if first is None or place.snapshot.language in PROSE or _in_buffer("```", place.snapshot):
        return text
    closing = first.group().strip() in ("```", "~~~") and text[: first.start()].strip() != ""
    if closing:
        return text[: first.start()]
    end = FENCE.search(text, first.end())
    return text[first.end() : end.start() if end else len(text)]


def drop_prompt_echo(text: str, place: Place) -> str:
    """Without the caret's line repeated at its start, and without the heading of a further file."""
    typed = place.snapshot.before[-scope.AFTER_CHARS :].strip()
    bare = text.lstrip()
    if len(typed) >= 6 and " " in typed and bare.startswith(typed):
        text = bare[len(typed) :]
    heading = PATH_LINE.search(text)
    if heading is None or _in_buffer(heading.group().strip(), place.snapshot):
        return text
    return text[heading.end() :] if heading.start() == 0 else text[: heading.start()]


def keep_first_line(text: str, place: Place) -> str:
    return text.partition("\n")[0] if place.shape == "line" else text


def cut_loop(text: str, _: object) -> str:
    end = repeats.loop_at(text)
    return text if end is None else text[:end]


def drop_known_indent(text: str, place: Place) -> str:
    """Before the scope is judged, which the first line's indentation decides."""
    return match_indent(text, place.snapshot)


def cut_at_scope_end(text: str, place: Place) -> str:
    """A single line never leaves the scope that it begins in, and is not parsed for."""
    if place.shape == "line" or "\n" not in text.rstrip():
        return text
    before, after = scope.surroundings(place.snapshot)
    if place.parser is None:
        return text[: scope.indent_end(before, text)]
    return text[: scope.scope_end(place.parser, before, text, after)]


def drop_known_closing_lines(text: str, place: Place) -> str:
    return below.drop_known_closers(text, place.snapshot)


def trim_end(text: str, place: Place) -> str:
    """Blanks at the end stay where they part the text from a word, or indent what follows on the line."""
    rest = place.snapshot.after
    if not rest.strip():
        return text.rstrip()
    last_line = text[text.rfind("\n") + 1 :]
    return text.rstrip(" \t") if last_line.strip() and rest[0] in " \t)]},;:" else text


# --- filters on the buffer as it is now -----------------------------------------------------------


def drop_leading_blank(text: str, snapshot: Snapshot) -> str:
    """On a blank line that follows a blank line or a block's opener there is no need for another one."""
    blanks = LEADING_BLANK.match(text)
    if blanks is None or (snapshot.before + snapshot.after).strip():
        return text
    above = snapshot.lines[snapshot.line - 1][: scope.BEFORE_CHARS] if snapshot.line else ""
    return text[blanks.end() :] if not above.strip() or scope.opens_block(above) else text


def match_indent(text: str, snapshot: Snapshot) -> str:
    """The indentation that the caret's line has already is not inserted a second time."""
    before = snapshot.before[: scope.BEFORE_CHARS]
    if not before or before.strip() or not text.startswith(before):
        return text
    above = scope.line_above(snapshot)
    deep_enough = scope.indentation(above) + scope.opens_block(above)
    return text[len(before) :] if scope.indentation(before) >= deep_enough else text


def cut_at_next_lines(text: str, snapshot: Snapshot) -> str:
    at = below.next_lines_at(text, snapshot)
    return text if at is None else text[:at].rstrip()


def drop_line_above(text: str, snapshot: Snapshot) -> str:
    """Nothing where the answer starts by writing the line above again, in other blanks or quotes perhaps.

    Lines that differ in a word, a number or an operator are new, however near: such rows are what completion is for.
    """
    before = snapshot.before[: scope.BEFORE_CHARS]
    first = text.partition("\n")[0]
    if before.strip() or len(repeats.WORDS.findall(first)) < 3:
        return text
    again = BETWEEN_WORDS.sub("", first) == BETWEEN_WORDS.sub("", scope.line_above(snapshot))
    return "" if again and below.is_telling(first) else text


def drop_secret(text: str, snapshot: Snapshot) -> str:
    """Nothing where the text holds something like a secret, or completes one that begins before the caret."""
    from midfill_workspace import secrets  # Not at the start of the server, see `completion`.

    before = snapshot.before[-scope.BEFORE_CHARS :]
    found = secrets.find(before + text)
    return "" if any(secret.end > len(before) for secret in found) else text


def drop_blank(text: str, _: Snapshot) -> str:
    return "" if text.isspace() else text


def drop_too_short(text: str, snapshot: Snapshot) -> str:
    """At least two visible characters; one is enough before a closer or a separator."""
    visible = "".join(text[:LIMIT_CHARS].split())
    fills = snapshot.after[:1] in tuple(")]}\"'`,;:") and visible.isalnum()
    return text if len(visible) > 1 or fills else ""


# --- what ends a stream ---------------------------------------------------------------------------


def _line_break(text: str, _: Snapshot) -> int | None:
    at = text.find("\n")
    return None if at < 0 else at


def _loop(text: str, _: Snapshot) -> int | None:
    """Lines are compared once they are complete."""
    return repeats.loop_at(text[: text.rfind("\n") + 1]) or repeats.loop_at(text[text.rfind("\n") + 1 :])


def _control_token(text: str, snapshot: Snapshot) -> int | None:
    """Where text ends that can be source: a token in quotes, or one that the file mentions, is source too."""
    garbled = GARBLED.search(text)
    limit = garbled.start() if garbled else len(text)
    for match in CONTROL_TOKEN.finditer(text, 0, limit):
        token = match.group()
        quoted = text[match.start() - 1 : match.start()] in tuple("\"'`")
        markup = snapshot.language in MARKUP | PROSE and token in MARKUP_TOKENS
        if not quoted and not markup and not _in_buffer(token, snapshot):
            return match.start()
    return garbled.start() if garbled else None


def _scope_left(text: str, snapshot: Snapshot) -> bool:
    """An unfinished line is judged once its first word is complete."""
    start = text.rfind("\n") + 1
    judged = text if re.match(r"\s*\w+\W", text[start:]) else text[:start]
    return scope.leaves_at(snapshot.before[-scope.BEFORE_CHARS :], judged) is not None


def _line_beyond(text: str, snapshot: Snapshot) -> bool:
    """Whether a line beyond the scope is complete: what is asked for once the block is taken."""
    return scope.leaves_at(snapshot.before[-scope.BEFORE_CHARS :], text[: text.rfind("\n") + 1]) is not None


def _next_lines(text: str, snapshot: Snapshot) -> int | None:
    """Only once the answer has written all of the next lines: two of them may be the same idiom used again."""
    complete = text[: text.rfind("\n") + 1]
    at = below.next_lines_at(complete, snapshot)
    if at is None:
        return None
    written = sum(1 for line in complete[at:].split("\n") if line.strip())
    return at if written >= len(scope.lines_below(snapshot, below.FOLLOWING_LINES)) else None


def _in_buffer(words: str, snapshot: Snapshot) -> bool:
    return any(words in part for part in scope.surroundings(snapshot))


CLEANS: Filters[Place] = (
    ("too_long", cut_length),
    ("stop_leak", cut_control_tokens),
    ("code_fence", unfence),
    ("prompt_echo", drop_prompt_echo),
    ("single_line", keep_first_line),
    ("repeats", cut_loop),
    ("match_indent", drop_known_indent),
)

ENDS: Filters[Place] = (
    ("scope_end", cut_at_scope_end),
    ("closing_line", drop_known_closing_lines),
    ("trailing_space", trim_end),
)

FITS_BY_HAND: Filters[Snapshot] = (
    ("too_long", cut_length),
    ("secret", drop_secret),
    ("leading_blank", drop_leading_blank),
    ("match_indent", match_indent),
    ("suffix_near", cut_at_next_lines),
    ("suffix_exact", joins.drop_rest_of_line),
    ("bracket_balance", joins.balance),
    ("mid_word", joins.keep_words_whole),
    ("line_above", drop_line_above),
    ("blank", drop_blank),
)

FITS: Filters[Snapshot] = (*FITS_BY_HAND, ("too_short", drop_too_short))
"""Only who asked by hand wants to see a single character."""

STREAM_ENDS: Mapping[Extent, tuple[Callable[[str, Snapshot], int | None], ...]] = {
    "line": (_line_break, _loop, _control_token),
    "block": (_next_lines, _loop, _control_token),
    "block_ahead": (_next_lines, _loop, _control_token),
    "ahead": (_next_lines, _loop, _control_token),
}

SCOPE_ENDS: Mapping[Extent, tuple[Callable[[str, Snapshot], bool], ...]] = {
    "line": (),
    "block": (_scope_left,),
    "block_ahead": (_line_beyond,),
    "ahead": (),
}

RULES: Mapping[str, str] = {
    "too_long": f"The answer was cut at {LIMIT_CHARS:,} characters.",
    "stop_leak": "The answer was cut at a control token of the model, which is not source text.",
    "code_fence": "The model put its answer between code fences; only the code was kept.",
    "prompt_echo": "The model repeated its prompt; that part was removed.",
    "single_line": "Only the rest of this line was asked for.",
    "repeats": "The model began to repeat itself and was cut there.",
    "scope_end": "The answer was cut where the block around the caret ends.",
    "closing_line": "A closing line at the end stands below the caret already.",
    "trailing_space": "Blanks at the end were removed.",
    "secret": "The answer held what looks like a password, key or token, so it is not suggested.",
    "leading_blank": "Blank lines at the start were removed.",
    "match_indent": "The indentation stood there already.",
    "suffix_exact": "The end of the answer stands right of the caret already.",
    "suffix_near": "The answer wrote the next lines of the file again and was cut before them.",
    "bracket_balance": "The answer closed a bracket that is closed right of the caret.",
    "mid_word": "The caret is inside a word, or the answer would have run into the next one.",
    "line_above": "The answer only repeated the line above.",
    "blank": "What was left was blank.",
    "too_short": "What was left was too short to be useful.",
}
