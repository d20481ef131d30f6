"""Where the scope around the caret ends, and whether a completion there is one line or a block."""

import re
from collections.abc import Iterator
from typing import Literal

from tree_sitter import Node, Parser

from midfill_workspace.snapshot import Snapshot

BEFORE_LINES, BEFORE_CHARS = 120, 6_000
AFTER_LINES, AFTER_CHARS = 40, 2_000
"""What is looked at around the caret: about 1.5 ms to parse. A larger window finds the same scope, only slower."""

OPENS = re.compile(r"(?:[:{(\[]|=>|->|\b(?:then|do|else|repeat|begin|try|loop)|\bfunction\b[^()]*\([^()]*\))$")
"""The end of a stripped line that opens a block."""

COMMENT_MARKS = ("#", "//", "--", "/*", "* ")

CONTINUES = re.compile(
    r"[)\]}\s]*(?:else|elif|elseif|elsif|except|finally|catch|rescue|ensure)\b|[)\]}]+\s*(?:while|until)\b"
)
"""A line further left that belongs to the statement above it all the same."""

CLOSES = re.compile(r"[)\]}]|(?:end|done|fi|esac|until)\b|</")
"""A line further left that closes the scope, and so is its last one."""

SAME_LEVEL = re.compile(r"(?:case|default|public|private|protected)\b|#\s*(?:if|el|end|def|undef|pragma)")
"""Labels that many styles write level with the line that opens their block, and C directives, which stand anywhere."""

BLOCKS = frozenset(
    {"block", "body_statement", "chunk", "jsx_element", "element", "then", "do_block", "compound_statement"}
)
"""Node types, over all grammars, that hold statements without brackets of their own."""
BRACKETS = frozenset("([{")
ENDS = frozenset({"end", "fi", "done", "esac"})
CLOSING_LINES = re.compile(rb"(?:\s*\n[ \t]*(?:[)\]}][;,)\]}]*|end[;,)]*|</[\w.:-]*>)(?=\s*(?:\n|\Z)))+")

DEFINITION = re.compile(
    r"(?:abstract|async|class|const|def|enum|export|fn|func|function|impl|import|interface|let|local|mod|module|namespace"
    r"|package|private|protected|pub|public|static|struct|template|trait|type|typedef|use|var|void)\b|@\w"
)
"""A line at the left edge that is code in most languages, and seldom prose of a comment."""

BRACKET_OR_STRING = re.compile(r""""(?:\\.|[^"\\\n]){0,80}"|'(?:\\.|[^'\\\n]){0,80}'|`[^`\n]{0,80}`|[()\[\]{}]""")
"""A bracket, or a string on one line, in no language in particular. The bound keeps hostile text linear."""
PAIRS = {"(": ")", "[": "]", "{": "}"}

WORD = re.compile(r"\w")


def shape(snapshot: Snapshot, invoked: bool) -> Literal["line", "block"]:
    """A block where one may start and only closers follow on the line; else the rest of the line.

    Asking by hand gives a block wherever no word stands to the right.
    """
    if WORD.search(snapshot.after[:AFTER_CHARS]):
        return "line"
    before = snapshot.before[-BEFORE_CHARS:]
    may_start = not before.strip() or opens_block(before) or opens_block(line_above(snapshot))
    return "block" if may_start or invoked else "line"


def opens_block(line: str) -> bool:
    """Whether a deeper line may follow; comments say nothing about that."""
    stripped = line.strip()
    return not stripped.startswith(COMMENT_MARKS) and OPENS.search(stripped[-200:]) is not None


def line_above(snapshot: Snapshot) -> str:
    """The nearest line above the caret's that is not blank, without its end; "" where there is none nearby."""
    for index in range(snapshot.line - 1, max(-1, snapshot.line - 1 - BEFORE_LINES), -1):
        line = snapshot.lines[index][:BEFORE_CHARS].rstrip("\r\n")
        if line.strip():
            return line
    return ""


def lines_below(snapshot: Snapshot, count: int) -> list[str]:
    """The next `count` lines below the caret's that are not blank, without their ends."""
    found: list[str] = []
    for index in range(snapshot.line + 1, min(len(snapshot.lines), snapshot.line + 1 + AFTER_LINES)):
        line = snapshot.lines[index][:AFTER_CHARS].rstrip("\r\n")
        if line.strip():
            found.append(line)
        if len(found) == count:
            break
    return found


def indentation(line: str) -> int:
    """The width of the leading blanks; a tab reaches the next multiple of four."""
    return len(line[: len(line) - len(line.lstrip(" \t"))].expandtabs(4))


def surroundings(snapshot: Snapshot) -> tuple[str, str]:
    """The text before and after the caret that is worth parsing, with `\n` line ends.

    A window that does not reach the file's start begins at a definition, because a grammar reads the top level best.
    """
    first, room = snapshot.line, BEFORE_CHARS
    while first > max(0, snapshot.line - BEFORE_LINES) and room > 0:
        first -= 1
        room -= len(snapshot.lines[first])
    if first > 0:
        inside = range(first, snapshot.line)
        first = next((index for index in inside if DEFINITION.match(snapshot.lines[index])), first)
    above = "".join(line[-BEFORE_CHARS:] for line in snapshot.lines[first : snapshot.line])
    below = snapshot.lines[snapshot.line + 1 : snapshot.line + 1 + AFTER_LINES]
    after = snapshot.lines[snapshot.line][snapshot.column :] + "".join(line[:AFTER_CHARS] for line in below)
    return _unix(above + snapshot.before[-BEFORE_CHARS:]), _unix(after[:AFTER_CHARS])


def closers(text: str) -> str:
    """What closes the brackets that the text leaves open, innermost first."""
    open_ones: list[str] = []
    for match in BRACKET_OR_STRING.finditer(text):
        token = match.group()
        if token in PAIRS:
            open_ones.append(PAIRS[token])
        elif open_ones and token == open_ones[-1]:
            open_ones.pop()
    return "".join(reversed(open_ones))


def scope_end(parser: Parser, before: str, completion: str, after: str) -> int:
    """How many characters of the completion lie inside the smallest scope that the caret's line starts in.

    Tried with what follows the caret, then without it (the completion may close the same brackets). A tree that is
    broken around the caret says nothing: then indentation decides.
    """
    for rest in (after, ""):
        end = _syntax_end(parser, before, completion, rest)
        if end is not None:
            return end
    return indent_end(before, completion)


def indent_end(before: str, completion: str) -> int:
    """The same by indentation alone."""
    end = leaves_at(before, completion)
    return len(completion) if end is None else end


def leaves_at(before: str, completion: str) -> int | None:
    """Where the completion leaves the scope of the caret's line by indentation; None while it stays inside.

    Lines as deep as the caret's stay, or deeper ones where the caret's line has opened a block. A closer further left
    is the last line; any other line further left is outside. At the top level a blank line after a complete statement
    ends it too. Nothing is judged inside open multi-line quotes.
    """
    caret_line = before[before.rfind("\n") + 1 :]
    opened = bool(caret_line.strip()) and opens_block(caret_line)
    base = indentation(caret_line or _first_line_with_text(completion))
    kept = 0
    blank_above = False
    for start, line in _lines(completion):
        stripped = line.strip()
        end = start + len(line.rstrip())
        depth = indentation(line)
        inside = start == 0 or depth > base or (depth == base and (not opened or SAME_LEVEL.match(stripped)))
        new_paragraph = blank_above and kept > 0 and base == depth == 0 and not CONTINUES.match(stripped)
        blank_above = not stripped
        if not stripped or (stripped.startswith("#") and SAME_LEVEL.match(stripped)):
            continue
        if (inside and not new_paragraph) or _in_quotes(completion[:start]) or CONTINUES.match(stripped):
            kept = end
            continue
        return end if CLOSES.match(stripped) and not new_paragraph else kept
    return None


def _syntax_end(parser: Parser, before: str, completion: str, rest: str) -> int | None:
    head, body = before.encode(errors="replace"), completion.encode(errors="replace")
    # A tree is only worth something where brackets close: the window may end before they do.
    source = head + body + f"{rest}\n{closers(before + completion + rest)}\n".encode(errors="replace")
    caret, last = len(head), len(head) + len(body)
    line_start = head.rfind(b"\n") + 1
    token = len(source) - len(source[line_start:].lstrip())
    if token >= last:
        return len(completion)
    chain = _ancestors(parser, source, token)
    on_line = next((index for index, node in enumerate(chain) if index and node.start_byte >= line_start), len(chain))
    innermost = _innermost(chain, on_line, caret, closes=source[token : token + 1] in (b")", b"]", b"}"))
    if opens_block(before[before.rfind("\n") + 1 :]):
        begun = range(on_line, len(chain))
        innermost = next((i for i in begun if chain[i].type not in BLOCKS and chain[i].end_byte > caret), innermost)
    if any(node.is_error for node in chain[: max(innermost + 1, 2)]):
        return None
    if innermost:
        end = _stretched(chain[: innermost + 1], source)
        end += 0 if rest.strip() else _closing_lines(source, end)
    else:
        end = _paragraph_end(chain[min(1, len(chain) - 1)], source, last)
    return len(completion) if end >= last else len(body[: max(0, end - caret)].decode(errors="replace"))


def _innermost(chain: list[Node], on_line: int, caret: int, *, closes: bool) -> int:
    """The index of the scope: above the line's own nodes, not over before the caret.

    A line that starts with a closer ends the scope it stands in, so it belongs to the one around that.
    """
    index = on_line - 1
    if closes and index and _encloses(chain, index):
        index -= 1
    while index and (chain[index].end_byte <= caret or not _encloses(chain, index)):
        index -= 1
    return index


def _encloses(chain: list[Node], index: int) -> bool:
    """Whether a node holds a list of things: it or the next one is a block, or it has brackets of its own.

    Others, such as a call that goes on over several lines, end where the next statement may well be wanted.
    """
    if not BLOCKS.isdisjoint(node.type for node in chain[index : index + 2]):
        return True
    types = [child.type for child in chain[index].children]
    return bool(types) and (types[0] in BRACKETS or types[-1] in ENDS or "{" in types)


def _ancestors(parser: Parser, source: bytes, offset: int) -> list[Node]:
    """The nodes around `offset`, from the root down."""
    cursor = parser.parse(source).walk()
    chain = [node] if (node := cursor.node) else []
    while cursor.goto_first_child_for_byte(offset) is not None:
        node = cursor.node
        if node is None or node.start_byte > offset:
            break
        chain.append(node)
    return chain


def _paragraph_end(statement: Node, source: bytes, last: int) -> int:
    """At the top level: the end of the last statement before a blank line."""
    while (following := statement.next_named_sibling) is not None and following.start_byte < last:
        end = len(source[: statement.end_byte].rstrip())
        if source.count(b"\n", end, following.start_byte) > 1:
            return end
        statement = following
    return last


def _stretched(scopes: list[Node], source: bytes) -> int:
    """The end of the innermost scope with what belongs to it all the same.

    That is the rest of its last line (`}, [deps]);`). Where that rest opens a block (`) {`), or an `else` or the like
    follows, the statement around it is not over yet, and its end counts.
    """
    end = scopes[-1].end_byte
    for outer in reversed(scopes[1:-1]):
        rest = _rest_of_line(source, end)
        goes_on = opens_block(rest)
        if not goes_on and not CONTINUES.match(source[end : end + 80].decode(errors="replace").lstrip()):
            break
        if outer.end_byte == end and outer.type in BLOCKS and not goes_on:
            break
        end = outer.end_byte
    return end + len(_rest_of_line(source, end).encode(errors="replace"))


def _closing_lines(source: bytes, end: int) -> int:
    """At the end of a file nothing else closes the outer scopes: the length of the closing lines that follow."""
    closing = CLOSING_LINES.match(source, end)
    return closing.end() - end if closing else 0


def _rest_of_line(source: bytes, start: int) -> str:
    stop = source.find(b"\n", start)
    return source[start : stop if stop >= 0 else len(source)].decode(errors="replace").rstrip()


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line in text.split("\n"):
        yield start, line
        start += len(line) + 1


def _first_line_with_text(text: str) -> str:
    return next((line for line in text.split("\n") if line.strip()), "")


def _in_quotes(text: str) -> bool:
    return any(text.count(quote) % 2 for quote in ('"""', "'''", "`"))


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
