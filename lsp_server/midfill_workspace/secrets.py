"""Finds secrets in any text, and takes them out so that the code around them stays valid."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, groupby

from midfill_workspace import assignments
from midfill_workspace.secret_rules import SHAPES

LINES_KEPT = 1_000
"""Lines of which it is known whether they hold a token; a prompt has some hundred, at worst one of many thousand characters."""

MASK = "x"
"""Takes the place of every character of a secret but its line ends: lines, columns and quotes stay as they are."""


@dataclass(frozen=True, slots=True, order=True)
class Secret:
    """Where a secret stands, and what told so: a key of `secret_rules.SHAPES`, or one of ours below."""

    start: int
    end: int
    rule: str


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without its secrets, the ids of the rules that found any, and how many there were."""

    text: str
    rules: tuple[str, ...] = ()
    count: int = 0


def find(text: str) -> tuple[Secret, ...]:
    """The secrets in their order; none overlaps another. The time grows with the length of the text, whatever it holds."""
    return _with_tokens(text, _tokens(text))


def _with_tokens(text: str, tokens: Iterable[Secret]) -> tuple[Secret, ...]:
    named = (Secret(*span, "assignment") for span in assignments.find(text, _lowered(text)))
    return _disjoint(sorted(chain(_keys(text), tokens, _url_passwords(text), named)))


def redact(text: str) -> Redacted:
    found = find(text)
    return Redacted(_masked(text, found), tuple(dict.fromkeys(secret.rule for secret in found)), _count(found))


def redact_around(prefix: str, suffix: str) -> tuple[str, str, int]:
    """Both sides of a caret, and how many secrets there were; one that the caret stands in goes from both sides."""
    text = prefix + suffix
    # Looking for tokens is most of the work, and from one key to the next hardly a line is another.
    found = _with_tokens(text, _tokens_by_line(text))
    if not found:
        return prefix, suffix, 0
    masked = _masked(text, found)
    return masked[: len(prefix)], masked[len(prefix) :], _count(found)


def _count(found: tuple[Secret, ...]) -> int:
    """Of a private key each line is found."""
    keys = groupby(found, key=lambda secret: secret.rule == "private_key")
    return sum(1 if is_key else len(list(secrets)) for is_key, secrets in keys)


def _masked(text: str, found: tuple[Secret, ...]) -> str:
    pieces: list[str] = []
    done = 0
    for secret in found:
        pieces += text[done : secret.start], VISIBLE.sub(MASK, text[secret.start : secret.end])
        done = secret.end
    return "".join((*pieces, text[done:]))


VISIBLE = re.compile(r"[^\r\n]")


def _disjoint(found: list[Secret]) -> tuple[Secret, ...]:
    """Those that overlap become one, by the name of the first."""
    kept: list[Secret] = []
    for secret in found:
        if kept and secret.start < kept[-1].end:
            kept[-1] = Secret(kept[-1].start, max(kept[-1].end, secret.end), kept[-1].rule)
        else:
            kept.append(secret)
    return tuple(kept)


def _lowered(text: str) -> str:
    """In lower case and as long as it was: a few letters become two."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join(map(_lower_letter, text))


def _lower_letter(letter: str) -> str:
    lowered = letter.lower()
    return lowered if len(lowered) == 1 else letter


# --- tokens and addresses ---------------------------------------------------------------------------


def _tokens(text: str) -> Iterator[Secret]:
    # One flat list: this is asked of every suggestion, also of those that are known already.
    for rule in dict.fromkeys([rule for hint, rule in HINTS if hint in text]):
        for match in SHAPES[rule].expression.finditer(text):
            if _begins_word(text, match.start()) and len(set(match["secret"])) >= LEAST_DIFFERENT:
                yield Secret(*match.span("secret"), rule)


def _tokens_by_line(text: str) -> Iterator[Secret]:
    """The same: no shape goes beyond the end of a line."""
    start = 0
    for line in text.split("\n"):
        for found in _tokens_of_line(line):
            yield Secret(start + found.start, start + found.end, found.rule)
        start += len(line) + 1


@lru_cache(maxsize=LINES_KEPT)
def _tokens_of_line(line: str) -> tuple[Secret, ...]:
    return tuple(_tokens(line))


def _begins_word(text: str, at: int) -> bool:
    """Asked here and not by the expression, which is faster when it begins with the letters of its hint."""
    before = text[max(0, at - 2) : at]
    return not before[-1:].isalnum() or before in ("\\n", "\\r", "\\t")


HINTS = tuple((hint, rule) for rule, shape in SHAPES.items() for hint in shape.hints)


LEAST_DIFFERENT = 5
"""Different characters of a token: fewer are a placeholder, our own among them."""


def _url_passwords(text: str) -> Iterator[Secret]:
    if "://" in text:
        for match in URL_PASSWORD.finditer(text):
            password = match["secret"]
            if assignments.TEMPLATE.search(password) is None and password.lower() not in NO_PASSWORDS:
                yield Secret(*match.span("secret"), "url_password")


URL_PASSWORD = re.compile(r"://[^\s:/@\"'`<>]{0,100}:(?P<secret>[^\s/\"'`<>\\]{3,200})@(?=[\w\[{$.])")
NO_PASSWORDS = frozenset({"pass", "passwd", "password", "pwd", "secret", "xxx", "pw"})


# --- private keys -----------------------------------------------------------------------------------


def _keys(text: str) -> Iterator[Secret]:
    """The insides of private keys line by line, also of one whose beginning or end lies outside of the text."""
    for start, end in _key_bodies(text):
        for line in KEY_LINES.finditer(text, start, end):
            if line["secret"]:
                yield Secret(*line.span("secret"), "private_key")


def _key_bodies(text: str) -> Iterator[assignments.Span]:
    for begin in KEY_BEGIN.finditer(text) if "PRIVATE KEY" in text else ():
        body = KEY_BELOW.match(text, begin.end())
        if body is not None:
            yield body.span("body")
    for end in KEY_END.finditer(text) if "-----END" in text else ():
        above = KEY_ABOVE.match(text[max(0, end.start() - LONGEST_KEY_CHARS) : end.start()][::-1])
        if above is not None:
            start = end.start() - above.end()
            # Read backwards, the letter of an escape (`\\n`) looks like the key's first.
            yield start + (text[start - 1 : start] == "\\"), end.start()
    yield from _cut_keys(text)


def _cut_keys(text: str) -> Iterator[assignments.Span]:
    """Lines full of base64 at the edge of a text: a key whose beginning and end lie outside of it looks like this."""
    top = CUT.match(text)
    if top is not None:
        yield top.span()
    bottom = CUT.match(text[-LONGEST_KEY_CHARS:][::-1])
    if bottom is not None:
        yield len(text) - bottom.end(), len(text)


LONGEST_KEY_CHARS = 16_000
KEY_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")

# Quantifiers that never give back (`{}+`) keep the time linear where a character may be of the key or between its lines.
BETWEEN = r"(?:\\[nr]|[ \t\"'`+,.#*>|\\;\r\n]){1,60}+"
NWEBTEB = r"(?:[nr]\\|[ \t\"'`+,.#*>|\\;\r\n]){0,60}+"
"""What may stand between the lines of a key: line ends and indentation, ends of strings, escapes, comment signs; and
the same read backwards."""

HEADERS = r"(?:\s{1,8}(?:Proc-Type|DEK-Info|Version|Comment|Charset|Hash):[^\n]{0,200}){0,5}+"
KEY_BELOW = re.compile(
    rf"{HEADERS}(?P<body>(?:{BETWEEN}[A-Za-z0-9+/=]{{20,4000}}+){{1,400}}+"
    rf"(?:{BETWEEN}[A-Za-z0-9+/=]{{1,80}}+(?={BETWEEN}-|-|\Z))?)"
)
KEY_ABOVE = re.compile(
    rf"(?:{NWEBTEB}[A-Za-z0-9+/=]{{1,80}}+(?={NWEBTEB}[A-Za-z0-9+/=]{{40}}|\s{{0,20}}\Z))?"
    rf"(?:{NWEBTEB}[A-Za-z0-9+/=]{{40,4000}}+){{0,400}}+"
)
KEY_LINES = re.compile(r"\\[nr]|(?P<secret>[A-Za-z0-9+/=]{2,})")
CUT = re.compile(r"[A-Za-z0-9+/=]{0,80}(?:[ \t]{0,40}\r?\n[ \t]{0,40}[A-Za-z0-9+/=]{60,80}(?=[ \t\r\n]|\Z)){2,400}")
