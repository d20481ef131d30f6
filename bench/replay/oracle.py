"""Models that know the file: they write what follows, right seven times of ten, and run on as models do."""

import re
from collections.abc import Callable, Mapping
from functools import cache

from bench.replay.chance import chance, share
from bench.replay.passages import Passage

WRONG_OF_TEN = 3
"""Of ten answers, or of each ten lines with content."""

ANSWER_LINES, ANSWER_CHARS = 4, 160
"""An answer has at most so many lines, and is cut in the middle of one when that is too much text, as by a limit of tokens."""

RIGHT_CHARS = 6
"""A wrong answer may begin with so many characters of the right one."""

BLOCK_LINES = 5
TAIL_CHARS = 240
PIECE = re.compile(r"\n[ \t]*|[ \t]*\w{1,5}|[ \t]*[^\w\s]{1,3}|[ \t]+")
LINE = re.compile(r"^[^\n]*\S[^\n]*", re.MULTILINE)
MARKERS = re.compile(r"<\|fim_prefix\|>(.*)<\|fim_suffix\|>", re.DOTALL)


def prefix_of(prompt: str) -> str:
    """The text before the caret in a fill-in-the-middle prompt, or all of a plain one."""
    found = MARKERS.search(prompt)
    return found[1] if found else prompt


def pieces(text: str) -> list[str]:
    """Tokens of about four characters."""
    return PIECE.findall(text)


def cut(text: str, limit_tokens: int, stops: list[str]) -> list[str]:
    """The tokens that a service sends of an answer: up to its limit and to the first stop."""
    ends = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    return pieces(text[: min(ends, default=len(text))])[: max(0, limit_tokens)]


def fickle(prefix: str, passage: Passage, seed: int) -> str:
    """The rest of the line and a few more, right or wrong by the place: with more of a line typed, it may know better."""
    at = place(prefix, passage)
    if at is None:
        return _astray(prefix, passage, seed)
    random = chance(seed, "answer", at)
    end = at
    for _ in range(random.randint(1, ANSWER_LINES)):
        line_break = passage.text.find("\n", end + 1, passage.end)
        end = passage.end if line_break < 0 else line_break
    right = passage.text[at : min(end, at + ANSWER_CHARS)]
    if random.random() >= WRONG_OF_TEN / 10:
        return right.rstrip()
    begun = right[: random.randint(0, RIGHT_CHARS)]
    typed = prefix.rpartition("\n")[2] + begun
    return begun + _other_line(passage, (seed, "wrong", at), typed, right[len(begun) :])


def stubborn(prefix: str, passage: Passage, seed: int) -> str:
    """The rest of the line and a small block, the true ones up to the first line that is wrong.

    Three lines of ten are wrong, and stay wrong however much of them has been typed.
    """
    at = place(prefix, passage)
    if at is None:
        return _astray(prefix, passage, seed)
    written, indentation, lines = "", -1, 0
    while at < passage.end and lines < _block_lines(passage, seed, at, lines):
        start, stop = _line_around(passage, at)
        rest, depth = passage.text[at:stop], _indentation(passage.text[start:stop])
        if rest.strip():
            if depth < indentation:
                break
            indentation = depth if indentation < 0 else indentation
            if start in wrong_lines(passage, seed):
                margin = rest[: len(rest) - len(rest.lstrip())]
                typed = passage.text[start:at]
                return written + margin + _other_line(passage, (seed, "wrong", start), typed, rest)
            lines += 1
        elif lines:
            break
        written += rest + "\n"
        at = stop + 1
    return written.rstrip()


MODELS: Mapping[str, Callable[[str, Passage, int], str]] = {"fickle": fickle, "stubborn": stubborn}
"""From the text before the caret, the passage and the seed to what the model writes."""


def _astray(prefix: str, passage: Passage, seed: int) -> str:
    """What it writes where the text is not the file's."""
    return _other_line(passage, (seed, prefix[-TAIL_CHARS:]), prefix.rpartition("\n")[2], truth="")


@cache
def wrong_lines(passage: Passage, seed: int) -> frozenset[int]:
    """Where the lines start that it gets wrong. As many in each ten: by the line alone, luck would decide short runs."""
    starts = [match.start() for match in LINE.finditer(passage.text, passage.start, passage.end)]
    tens = [starts[first : first + 10] for first in range(0, len(starts), 10)]
    ranked = [sorted(ten, key=lambda start: share(seed, "line", start)) for ten in tens]
    return frozenset(start for ten in ranked for start in ten[: round(len(ten) * WRONG_OF_TEN / 10)])


def place(prefix: str, passage: Passage) -> int | None:
    """Where in the passage a prefix ends; None when its last words are not those of the file."""
    tail = prefix[-TAIL_CHARS:]
    at = passage.text.find(tail, max(0, passage.start - len(tail)), passage.end)
    return None if at < 0 or not tail else at + len(tail)


def _block_lines(passage: Passage, seed: int, at: int, lines: int) -> int:
    """How many lines it feels like writing; asked anew at each line so that a block ends where it ends."""
    return BLOCK_LINES if not lines or share(seed, "block", at) > 1 / BLOCK_LINES else lines


def _line_around(passage: Passage, at: int) -> tuple[int, int]:
    stop = passage.text.find("\n", at, passage.end)
    return passage.text.rfind("\n", 0, at) + 1, passage.end if stop < 0 else stop


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _other_line(passage: Passage, why: tuple[object, ...], typed: str, truth: str) -> str:
    """Plausible text for a place: another line of the file without as many tokens as stand here already."""
    lines = [line for raw in passage.text.split("\n") if len(line := raw.strip()) >= 8]
    skipped = len(pieces(typed.strip()))
    random = chance(*why)
    for _ in range(10):
        tokens = pieces(random.choice(lines))
        text = "".join(tokens[min(skipped, len(tokens) - 2) :] if skipped else tokens)
        text = text.lstrip() if typed[-1:].isspace() else text
        if text[:4] != truth.lstrip()[:4] and len(text) >= 4:
            return text
    return ""
