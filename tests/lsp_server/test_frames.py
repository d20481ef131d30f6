"""The frame parser: whatever the chunking and the damage, whole messages come out whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill_lsp.frames import HEAD_BYTES, LINE_LIMIT, Damaged, Frame, FrameParser, Oversized

LIMIT = 100
HELLO = b"Content-Length: 5\r\n\r\nhello"
LENGTH_SPELLINGS = ("Content-Length: {}", "content-length:{}", "CONTENT-LENGTH :  {}\t")
OTHER_FIELDS = ("Content-Type: application/vscode-jsonrpc; charset=utf-8", "X-Anything:")


def check(stream: bytes, *expected: object) -> None:
    """`expected`: bytes for a message, Damaged or Oversized for the kind of a fault."""
    assert [_kind(frame) for frame in FrameParser(LIMIT).feed(stream)] == list(expected)


def _kind(frame: Frame) -> object:
    return frame if isinstance(frame, bytes) else type(frame)


ROWS = [
    ("plain", HELLO * 2, [b"hello", b"hello"]),
    ("bare newlines", b"Content-Length: 5\n\nhello", [b"hello"]),
    ("lower case", b"content-length: 5\r\n\r\nhello", [b"hello"]),
    ("other fields around", b"A: b\r\nContent-Length:5\r\nContent-Type: x; y=z\r\n\r\nhello", [b"hello"]),
    ("empty body", b"Content-Length: 0\r\n\r\n" + HELLO, [b"", b"hello"]),
    ("blank lines between", HELLO + b"\r\n\r\n" + HELLO, [b"hello", b"hello"]),
    ("no length", b"Content-Type: x\r\n\r\nhello" + HELLO, [Damaged, b"hello"]),
    ("garbage length", b"Content-Length: abc\r\n\r\nhello" + HELLO, [Damaged, b"hello"]),
    ("negative length", b"Content-Length: -5\r\n\r\nhello" + HELLO, [Damaged, b"hello"]),
    ("empty length", b"Content-Length:\r\n\r\nhello" + HELLO, [Damaged, b"hello"]),
    ("length with underscore", b"Content-Length: 0_5\r\n\r\nhello" + HELLO, [Damaged, b"hello"]),
    ("length of 4 GB is garbage", b"Content-Length: 4294967295\r\n\r\nhello" + HELLO, [Damaged, b"hello"]),
    ("length of 5000 digits", b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nx" + HELLO, [Damaged, b"hello"]),
    ("text before", b"Starting server...\n" + HELLO, [Damaged, b"hello"]),
    ("endless line", b"x" * LINE_LIMIT + b"xx" + HELLO, [Damaged, b"hello"]),
    ("length too short", b"Content-Length: 2\r\n\r\n{}}}}" + HELLO, [b"{}", Damaged, b"hello"]),
    ("told once per loss", b"?\nContent-Length: x\r\nContent-Length: y\r\n" + HELLO, [Damaged, b"hello"]),
    ("told again after a message", b"?\n" + HELLO + b"?\n" + HELLO, [Damaged, b"hello", Damaged, b"hello"]),
    ("oversized", b"Content-Length: 101\r\n\r\n" + b"x" * 101 + HELLO, [Oversized, b"hello"]),
    ("at the limit", b"Content-Length: 100\r\n\r\n" + b"x" * 100 + HELLO, [b"x" * 100, b"hello"]),
    ("cut in the header", b"Content-Le", []),
    ("cut in the body", b"Content-Length: 5\r\n\r\nhel", []),
]


@pytest.mark.parametrize(("stream", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_rows(stream: bytes, expected: list[object]) -> None:
    check(stream, *expected)


@pytest.mark.parametrize("stream", [row[1] for row in ROWS], ids=[row[0] for row in ROWS])
def test_rows_byte_by_byte(stream: bytes) -> None:
    parser = FrameParser(LIMIT)
    one_by_one = [frame for byte in stream for frame in parser.feed(bytes([byte]))]
    assert one_by_one == FrameParser(LIMIT).feed(stream)


def test_oversized_keeps_only_the_head() -> None:
    parser = FrameParser(LIMIT)
    body = bytes(range(256)) * 64
    frames = parser.feed(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert frames == [Oversized(len(body), body[:HEAD_BYTES])]


def framed(body: bytes, length: str, others: list[str], newline: str) -> bytes:
    fields = [*others, length.format(len(body))]
    return (newline.join(fields) + newline * 2).encode() + body


messages = st.lists(
    st.builds(
        lambda body, length, others, newline: (body, framed(body, length, others, newline)),
        st.binary(max_size=LIMIT),
        st.sampled_from(LENGTH_SPELLINGS),
        st.lists(st.sampled_from(OTHER_FIELDS), max_size=2),
        st.sampled_from(["\r\n", "\n"]),
    ),
    max_size=8,
)
cuts = st.lists(st.integers(min_value=1, max_value=60), min_size=1, max_size=20)


def feed_in_chunks(stream: bytes, sizes: list[int]) -> list[Frame]:
    parser, frames, start, turn = FrameParser(LIMIT), list[Frame](), 0, 0
    while start < len(stream):
        end = start + sizes[turn % len(sizes)]
        frames += parser.feed(stream[start:end])
        start, turn = end, turn + 1
    return frames


@given(messages, cuts)
def test_any_chunking_gives_the_same_messages(sent: list[tuple[bytes, bytes]], sizes: list[int]) -> None:
    stream = b"".join(raw for _, raw in sent)
    assert feed_in_chunks(stream, sizes) == [body for body, _ in sent]


@given(st.binary(max_size=300), cuts)
def test_garbage_never_hides_a_later_message(garbage: bytes, sizes: list[int]) -> None:
    # The line break ends whatever header the garbage began; two messages, as a valid length in it may eat one.
    stream = garbage + b"\n?\n" + HELLO * 2
    frames = feed_in_chunks(stream, sizes)
    assert frames == FrameParser(LIMIT).feed(stream)
    assert frames[-1:] == [b"hello"]
