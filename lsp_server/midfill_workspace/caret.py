"""What the text at the caret asks for: a member, an argument, a name to import, or anything."""

import re
from dataclasses import dataclass

from midfill_workspace.snapshot import Snapshot
from midfill_workspace.words import IDENTIFIER

LOOK_BACK_LINES, LOOK_BACK_CHARS = 12, 1_500
"""How far above the caret the call that is open there may have begun."""

RECEIVER = re.compile(r"((?:[^\W\d]\w*|\)|\])(?:\??\.[^\W\d]\w*)*)(?:\??\.|::|->)\w*$")
CALLEE = re.compile(r"((?:[^\W\d]\w*(?:\??\.|::|->))*)([^\W\d][\w$]*)(?:<[^<>()]*>|\[[^\[\]()]*\])?\s*$")
IMPORT_LINE = re.compile(r"\s*(?:from\s+[\w.]*|import\b|export\b[^;]*\bfrom\b|(?:pub\s+)?use\s|#\s*include\b)")
NAMES_OF = re.compile(r"\s*from\s+([\w.]+)\s+import\b|\s*(?:import|export)\b[^;]*\bfrom\s*[\"']([^\"']+)[\"']")
KEYWORDS = frozenset(
    {"if", "for", "while", "switch", "catch", "return", "and", "or", "not", "in", "await", "elif", "func"}
)
OPENING, CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is open at the caret: `qualifier.name(`."""

    name: str
    qualifier: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted here."""

    receiver: str = ""
    """What stands before the dot that was just written, "" where none was."""
    calls: tuple[Call, ...] = ()
    """The calls whose arguments are being written, innermost first."""
    importing: bool = False
    module: str = ""
    """On an import line, the module whose names are to be written."""


def wish(snapshot: Snapshot) -> Wish:
    before = snapshot.before[-LOOK_BACK_CHARS:]
    receiver = RECEIVER.search(before[-200:])
    module = _module(before, snapshot.after[:LOOK_BACK_CHARS])
    return Wish(
        receiver=receiver[1] if receiver else "",
        calls=open_calls(_text_before(snapshot)),
        importing=module != "" or IMPORT_LINE.match(before) is not None,
        module=module,
    )


def _module(before: str, after: str) -> str:
    """`from module import ‸` names it before the caret, `import {‸} from "module"` after it."""
    found = NAMES_OF.match(before) or (NAMES_OF.match(before + after) if "{" in before else None)
    return (found[1] or found[2]) if found else ""


def open_calls(text: str) -> tuple[Call, ...]:
    """The calls that a text leaves open, innermost first, at most three. Strings are not told apart from code."""
    calls: list[Call] = []
    depth = 0
    for index in range(len(text) - 1, -1, -1):
        mark = text[index]
        if mark in CLOSING:
            depth += 1
        elif mark in OPENING and depth:
            depth -= 1
        elif mark == "(":
            found = CALLEE.search(text[max(0, index - 120) : index])
            if found is not None and found[2] not in KEYWORDS:
                calls.append(Call(found[2], found[1].rstrip(".:>-?")))
            if len(calls) == 3:
                break
    return tuple(calls)


def _text_before(snapshot: Snapshot) -> str:
    first = max(0, snapshot.line - LOOK_BACK_LINES)
    return ("".join(snapshot.lines[first : snapshot.line]) + snapshot.before)[-LOOK_BACK_CHARS:]


def words_near(snapshot: Snapshot, lines: int) -> dict[str, int]:
    """The identifiers around the caret and how many lines away the nearest of each is."""
    found: dict[str, int] = {}
    lowest = max(0, snapshot.line - lines)
    for distance in range(lines + 1):
        for index in {snapshot.line - distance, snapshot.line + distance}:
            if lowest <= index < len(snapshot.lines):
                text = snapshot.lines[index] if distance else snapshot.before
                for word in IDENTIFIER.findall(text[:400] if distance else text[-400:]):
                    found.setdefault(word, distance)
    return found
