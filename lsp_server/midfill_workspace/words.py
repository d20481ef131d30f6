"""Identifiers and their parts, as ranking sees them."""

import re
from functools import lru_cache

IDENTIFIER = re.compile(r"[^\W\d]\w{0,79}|\$\w{1,79}")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")

COMMON = frozenset(
    re.findall(
        r"\w+",
        """a an and any are as async at await be break bool by case cls const def do else err error false for from func
        function get if in int int32 int64 interface is it let len map name new nil none not null of on or out ok return
        self set str string struct that the this to true try type typeof undefined use val value values var void with""",
    )
)
"""Words that say nothing about what is meant."""


@lru_cache(maxsize=20_000)
def parts(identifier: str) -> tuple[str, ...]:
    """`getHTTPError_2` -> `get`, `http`, `error`, `2`: the words that an identifier is made of, in lower case."""
    return tuple(part.lower() for part in PART.findall(identifier))


@lru_cache(maxsize=20_000)
def telling(identifier: str) -> frozenset[str]:
    """Those of its words that say something."""
    return frozenset(stem(part) for part in parts(identifier) if len(part) > 1 and part not in COMMON)


def stem(word: str) -> str:
    """Singular and plural are one word; nothing cleverer, since code is written in all languages."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
