"""Secrets that are known by the name they are given: `password = "…"` and its like in any language."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

Span = tuple[int, int]

NAMES = (
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "pass",
    "pwd",
    "secret",
    "token",
    "api_key",
    "api-key",
    "apikey",
    "access_key",
    "access-key",
    "accesskey",
    "private_key",
    "privatekey",
    "account_key",
    "accountkey",
    "encryption_key",
    "encryptionkey",
    "signing_key",
    "signingkey",
    "auth_key",
    "authkey",
    "master_key",
    "masterkey",
    "connectionstring",
    "connection_string",
    "credential",
    "identified by",
)
"""In lower case; what such a name is given may be a secret."""

SHORT = frozenset({"pass", "pwd"})
"""These are parts of too many words (`bypass`) and names (`passValue`): they count as words of their own only."""

HARMLESS = re.compile(
    r"s\b|[_\-.]?(?:name|id|ids|type|url|uri|path|file|field|hash|len|length|count|size|ttl|expir|regex|pattern|prefix"
    r"|header|endpoint|label|param|error|message|policy|env|var|kind|class|limit|index|offset|re\b|format|version|arn|ref"
    r"|manager|provider|scheme|charset|position|pos\b|start|end\b|line|map|set\b|list|table|column|usage|budget)",
    re.IGNORECASE,
)
"""`token_type`, `secretName`, `passwordField`: what follows such a name on is about the secret, not the secret."""

ASSIGNMENT = re.compile(
    r"(?P<rest>[\w.\-]{0,40}+)(?:\\?[\"'`])?\]?[ \t]{0,20}"
    r"(?:[?!]?:[ \t]{0,4}[\w.\[\]|? ]{1,40}=|:=|=>|={1,3}|:|>|value[ \t]?="
    r"|[*\w.\[\]]{1,30}[ \t]{1,4}=(?!=)|,(?=[ \t]{0,4}[\"'`])|\(|(?<=[bB][yY][ \t])(?=[\"'])|(?<=[rR][dD][ \t])(?=[\"']))[ \t]{0,20}"
    r"(?:\\\"(?P<escaped>[^\"\\\n]{6,200})"
    r"|[rRbBuUfF@]{0,2}(?:\"{3}|\")(?P<double>(?:[^\"\\\n]|\\.){6,200})"
    r"|[rRbBuUfF@]{0,2}(?:'{3}|')(?P<single>(?:[^'\\\n]|\\.){6,200})"
    r"|`(?P<back>[^`\n]{6,200})"
    r"|(?P<bare>[^\s\"'`,;(){}\[\]<>|&]{8,200})(?=[ \t]{0,20}(?:[#;&|<\\\n\r]|//|\Z|[ \t]--)))"
)
"""From the end of the name on. A closing quote is not asked for: it may lie beyond the end of the text."""

PUBLIC = ("public", "public_", "publickey", "public_key_")
"""Before such a name they say that everybody may know it."""

TEMPLATE = re.compile(
    r"\$[{(A-Za-z_]|\{\{|\}\}|%[(sd]|<[|A-Za-z]|\{[\w.!:]*\}|\*{3}|\.{3}|…"
    r"|example|placeholder|change_?-?me|your[_\- ]|redacted|x{5}|dummy|insert[_\-]",
    re.IGNORECASE,
)
"""What is put in later, or stands for what nobody should write there."""

WORDS = re.compile(r"[A-Za-z]*(?:[_\-./: ,;\\]+[A-Za-z]*)*\d{0,2}")
"""Words in a row, as names, paths and messages have them, and at most a number at the end."""

REFERENCE = re.compile(
    r"(?:[A-Za-z_]\w*(?:\.|::|->|/))+[A-Za-z_]\w*|[\w.+\-]+@[\w\-]+\.[\w.]+|\w+://.*|[./~].*/.*|-{1,2}[a-z][\w\-]*|[\w.\-]+:\d{1,5}"
)
"""A name in another object, an address, a path, an option, a host with its port."""

UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+|_+")
SHORTEST_WORDS = 3.5
"""The words of a name have so many letters on average, also where numbers and underscores count as words."""

VARIABLE = re.compile(r"(?:^|\s)(?:[A-Z][A-Z0-9_]{0,60}|--[\w\-]{1,60})(?:=|:[ \t]{0,4})\Z")
"""How an environment variable, or an option of a command, is given its value."""

LEAST_BITS = 2.5
"""Entropy per character; eight different characters have 3."""


def find(text: str, lowered: str) -> Iterator[Span]:
    """The values that look like secrets, of names that say so. `lowered` is `text` in lower case, as long as it."""
    for name in NAMES:
        start = lowered.find(name)
        while start >= 0:
            end = start + len(name)
            span = None if name in SHORT and _is_part(text, start, end) else _value(text, start, end)
            if span is not None:
                yield span
            start = lowered.find(name, start + len(name))


def _is_part(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    joined = before.isalpha() and not (before.islower() and text[start].isupper())
    return joined or after.isalpha() or after == "("


def _value(text: str, start: int, end: int) -> Span | None:
    match = ASSIGNMENT.match(text, end)
    if match is None or _goes_on(text[end - 1], match["rest"]) or HARMLESS.match(match["rest"]):
        return None
    if text[max(0, start - 10) : start].lower().endswith(PUBLIC):
        return None
    group = match.lastgroup
    assert group is not None
    accepts = _is_bare_secret if group == "bare" else _is_secret
    value = match[group]
    if not accepts(value) or (group == "bare" and not _is_data(text[max(0, start - 80) : match.start(group)], value)):
        return None
    return match.span(group)


def _goes_on(last: str, rest: str) -> bool:
    """Whether the name was only the beginning of a word: `passed`, `TOKENIZER`; not `tokenValue`."""
    return rest[:1].isalpha() and rest[0].isupper() == last.isupper() and rest[:2].lower() not in ("s_", "s")


def _is_secret(value: str) -> bool:
    """Of a value in quotes."""
    if any(map(str.isspace, value)) or WORDS.fullmatch(value) or TEMPLATE.search(value) or REFERENCE.fullmatch(value):
        return _is_scrambled(value)
    return UUID.fullmatch(value) is None and _entropy(value) >= LEAST_BITS


def _is_scrambled(value: str) -> bool:
    """Letters without any digit, but in a case that no word has."""
    turns = sum(1 for left, right in pairwise(value) if left.islower() and right.isupper())
    return len(value) >= 20 and value.isalpha() and turns * 5 >= len(value) and _entropy(value) >= 3.5


def _is_bare_secret(value: str) -> bool:
    return _is_secret(value) and any(map(str.isdigit, value))


def _is_data(before: str, value: str) -> bool:
    """Whether a value without quotes is one: in code it would be the name of something."""
    if IDENTIFIER.fullmatch(value) is None or VARIABLE.search(before) is not None:
        return True
    digits = sum(map(str.isdigit, value))
    words = WORD.findall(value)
    return len(value) < SHORTEST_WORDS * len(words) or (digits >= 4 and len(value) >= 16)


def _entropy(value: str) -> float:
    counts = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts)
