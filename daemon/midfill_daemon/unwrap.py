"""What a chat model wraps around its answer against all advice: a code fence, and an echo of the text at the hole."""

from collections.abc import Iterator

FENCE = "```"
FENCE_END = "\n```"
ECHO_LINES = 8
ECHO_CHARS = 6
"""A shorter text is repeated by chance: `f(` in `f(f(x))`."""


def start(prefix: str, text: str) -> tuple[str, str] | None:
    """What follows the fence and the echo at the beginning of an answer, and the mark that now ends it ("": none).

    None: too little of the answer is there to tell.
    """
    if not text.strip() or (FENCE.startswith(text.strip()) and text.strip() != FENCE):
        return None
    if not text.lstrip().startswith(FENCE):
        return _with_end(_unechoed(prefix, text), "")
    _, line_end, inside = text.lstrip().partition("\n")
    return _with_end(_unechoed(prefix, inside), FENCE_END) if line_end else None


def whole(prefix: str, text: str) -> tuple[str, str]:
    """As `start`, when there is no more of the answer to come."""
    is_fenced = text.lstrip().startswith(FENCE)
    inside = text.lstrip().partition("\n")[2] if is_fenced else text
    echo = next((echo for echo in _echoes(prefix) if inside.startswith(echo)), "")
    return inside.removeprefix(echo), FENCE_END if is_fenced else ""


def suffix_stops(suffix: str) -> tuple[str, ...]:
    """The first line below the hole, at which an answer that runs on has reached what is there already."""
    lines = (line.rstrip() for line in suffix.partition("\n")[2].split("\n"))
    line = next(filter(None, lines), "")
    return (f"\n{line}",) if len(line.strip()) >= ECHO_CHARS else ()


def _with_end(text: str | None, end: str) -> tuple[str, str] | None:
    return None if text is None else (text, end)


def _unechoed(prefix: str, text: str) -> str | None:
    """`text` without its echo of the prefix's end; None while it may still become one."""
    if any(len(text) < len(echo) and echo.startswith(text) for echo in _echoes(prefix)):
        return None
    echo = next((echo for echo in _echoes(prefix) if text.startswith(echo)), "")
    return text.removeprefix(echo)


def _echoes(prefix: str) -> Iterator[str]:
    """The last lines up to the hole, most of them first, and the last one without its indentation."""
    lines = prefix.split("\n")[-ECHO_LINES:]
    tails = ("\n".join(lines[at:]) for at in range(len(lines)))
    yield from (tail for tail in (*tails, lines[-1].lstrip()) if len(tail.strip()) >= ECHO_CHARS)
