"""The cache of answers: which buffers find what was stored for another, which answer comes first, and at what cost."""

import itertools
import string
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any, overload

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_128_digest

from midfill_lsp import cache
from midfill_lsp.answer import Answer, Known
from midfill_lsp.cache import Cache
from midfill_workspace.snapshot import Snapshot
from support.buffers import CARET, snapshot_of

REVISION = "r1"


def look_up(answers: Cache, buffer: str, now_s: float = 0.0, **fields: Any) -> Known | None:
    return answers.look_up(REVISION, snapshot_of(buffer, **fields), now_s)


def store(answers: Cache, buffer: str, text: str, now_s: float = 0.0, **fields: Any) -> None:
    answers.store(REVISION, snapshot_of(buffer), Answer(text, **fields), now_s)


def shown(known: Known | None) -> str | None:
    """The whole answer with the caret where the user is in it; None for a miss."""
    return None if known is None else known.answer.text[: known.typed] + CARET + known.text


def check(asked: str, answer: str, now: str, expected: str | None) -> None:
    """What was stored for one buffer is looked up in another."""
    answers = Cache()
    store(answers, asked, answer)
    assert shown(look_up(answers, now)) == expected


def numbered(name: str, numbers: Sequence[int]) -> str:
    return "".join(f"{name} {number}\n" for number in numbers)


# --- which buffers find an answer ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("x = ‸", "‸value", id="where it was asked"),
        pytest.param("x = v‸", "v‸alue", id="one letter typed"),
        pytest.param("x = valu‸", "valu‸e", id="all but one"),
        pytest.param("x = value‸", None, id="nothing is left"),
        pytest.param("x = value ‸", None, id="beyond its end"),
        pytest.param("x = w‸", None, id="a wrong letter"),
        pytest.param("x =‸", None, id="before the place"),
        pytest.param("y = v‸", None, id="another line"),
        pytest.param(" x = v‸", None, id="another indentation"),
        pytest.param("x = v‸ ", None, id="something follows"),
        pytest.param("x = v‸\n", None, id="a line follows"),
        pytest.param("\nx = v‸", None, id="a line precedes"),
        pytest.param("x = ‸v", None, id="moved back without deleting"),
    ],
)
def test_on_the_line(now: str, expected: str | None) -> None:
    check("x = ‸", "value", now, expected)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("if x:‸ #\nend", "‸\n  a\n\n  b", id="where it was asked"),
        pytest.param("if x:\n‸ #\nend", "\n‸  a\n\n  b", id="a line break typed"),
        pytest.param("if x:\n  ‸ #\nend", "\n  ‸a\n\n  b", id="indented"),
        pytest.param("if x:\n  a‸ #\nend", "\n  a‸\n\n  b", id="a line typed"),
        pytest.param("if x:\n  a\n‸ #\nend", "\n  a\n‸\n  b", id="on the empty line"),
        pytest.param("if x:\n  a\n\n  ‸ #\nend", "\n  a\n\n  ‸b", id="on the last line"),
        pytest.param("if x:\n  a\n\n  b‸ #\nend", None, id="nothing is left"),
        pytest.param("if x:\n  A\n‸ #\nend", None, id="another line typed"),
        pytest.param("if x:\n  a\n \n  ‸ #\nend", None, id="blank, but not empty"),
        pytest.param("if y:\n  a\n‸ #\nend", None, id="another line before"),
        pytest.param("if x:\n  a\n‸ #\nfi", None, id="another line after"),
        pytest.param("if x:\n  a\n‸\nend", None, id="another rest of the line"),
    ],
)
def test_over_several_lines_with_any_line_ends(now: str, expected: str | None, ending: str) -> None:
    asked, now = ("one\nif x:‸ #\nend".replace("\n", ending), "one\n".replace("\n", ending) + now.replace("\n", ending))
    check(asked, "\n  a\n\n  b", now, expected)


TWENTY, NINE = range(20), range(9)


@pytest.mark.parametrize(
    ("above", "below", "hit"),
    [
        pytest.param(TWENTY, NINE, True, id="the same"),
        pytest.param([99, *TWENTY], NINE, True, id="a line more at the top"),
        pytest.param(TWENTY[1:], NINE, True, id="a line less at the top"),
        pytest.param([0, 1, 2, 99, *TWENTY[4:]], NINE, True, id="the nearest line that is too far above to matter"),
        pytest.param([*TWENTY[:4], 99, *TWENTY[5:]], NINE, False, id="the farthest line above that matters"),
        pytest.param([*TWENTY, 99], NINE, False, id="a line more just above"),
        pytest.param(TWENTY, [*NINE, 99], True, id="a line more at the bottom"),
        pytest.param(TWENTY, NINE[:-1], True, id="a line less at the bottom"),
        pytest.param(TWENTY, [*NINE[:6], 99, *NINE[7:]], True, id="the nearest line that is too far below to matter"),
        pytest.param(TWENTY, [*NINE[:5], 99, *NINE[6:]], False, id="the farthest line below that matters"),
        pytest.param(TWENTY, [99, *NINE], False, id="a line more just below"),
    ],
)
@pytest.mark.parametrize(("typed", "expected"), [("", "‸value"), ("val", "val‸ue")])
def test_edits_elsewhere(above: Sequence[int], below: Sequence[int], typed: str, hit: bool, expected: str) -> None:
    asked = f"{numbered('above', TWENTY)}x = ‸\n{numbered('below', NINE)}"
    now = f"{numbered('above', above)}x = {typed}‸\n{numbered('below', below)}"
    check(asked, "value", now, expected if hit else None)


@pytest.mark.parametrize("lines", range(cache.TYPED_LINES + 2))
@pytest.mark.parametrize("above", [0, 30])
def test_as_many_lines_as_are_followed(lines: int, above: int) -> None:
    answer = "\n" + numbered("line", range(20))
    typed = "\n".join(answer.split("\n")[: lines + 1])
    expected = typed + CARET + answer[len(typed) :] if lines <= cache.TYPED_LINES else None
    buffer = numbered("above", range(above)) + "x = "
    check(f"{buffer}‸\nend", answer, f"{buffer}{typed}‸\nend", expected)


LONG = " ".join(map(str, range(5000)))
KEPT = cache.LINE_CHARS


@pytest.mark.parametrize(
    ("asked", "answer", "now", "expected"),
    [
        pytest.param(f"{LONG}‸{LONG}", "value", f"{LONG}val‸{LONG}", "val‸ue", id="typed inside a long line"),
        pytest.param(f"{LONG}‸{LONG}", "value", f"{LONG}vel‸{LONG}", None, id="mistyped inside a long line"),
        pytest.param(f"{LONG}‸{LONG}", "value", f"{LONG[:-1]}x‸{LONG}", None, id="another end of what precedes"),
        pytest.param(f"{LONG}‸{LONG}", "value", f"x{LONG}‸{LONG}", None, id="another column"),
        pytest.param(f"{LONG}‸{LONG}", "value", f"{LONG}‸x{LONG}", None, id="another start of what follows"),
        pytest.param(f"{LONG}‸", "a\n  value", f"{LONG}a\n  val‸", "a\n  val‸ue", id="below a long line"),
        pytest.param(f"{LONG}‸", "a\n  value", f"{LONG}b\n  val‸", None, id="below a long line that ends differently"),
        pytest.param(f"{LONG}\nx‸\n{LONG}", "yz", f"{LONG}\nxy‸\n{LONG}", "y‸z", id="between long lines"),
        pytest.param(f"{LONG}\nx‸\n", "yz", f"{LONG};\nxy‸\n", None, id="a long line above ends differently"),
        pytest.param(f"x‸\n{LONG}", "yz", f"xy‸\n;{LONG}", None, id="a long line below starts differently"),
        pytest.param("x‸", "y" * KEPT + "\nz", "x" + "y" * KEPT + "\n‸", "y" * KEPT + "\n‸z", id="a long answer"),
        pytest.param("x‸", "y" * KEPT + "y\nz", "x" + "y" * KEPT + "y\n‸", None, id="a line too long to be compared"),
        pytest.param("x‸", LONG, f"x{LONG[:-1]}‸", f"{LONG[:-1]}‸9", id="a line too long, while it is typed"),
        pytest.param("\ud800‸\udc00", "\ud800a", "\ud800\ud800‸\udc00", "\ud800‸a", id="lone surrogates"),
        pytest.param("😀‸", "😀é", "😀😀‸", "😀‸é", id="code points"),
        pytest.param("‸", "a", "‸", "‸a", id="an empty document"),
        pytest.param("a\n‸b", "c", "‸a\nb", None, id="the same text, another caret"),
        pytest.param("\n\n‸", "\n\n\n", "\n\n\n\n‸", "\n\n‸\n", id="line breaks alone"),
    ],
)
def test_odd_texts(asked: str, answer: str, now: str, expected: str | None) -> None:
    check(asked, answer, now, expected)


@pytest.mark.parametrize("length", range(KEPT - 4, KEPT + 5))
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_ends_do_not_count_as_length(length: int, ending: str) -> None:
    before, last = "x" * length + "ab", "y" * length + ending
    check(f"{before}‸{ending}{last}", "c\nd", f"{before}c{ending}‸{ending}{last}", "c\n‸d")


@pytest.mark.parametrize(
    ("revision", "path"),
    [("r1", "other"), ("r2", "file"), ("r", "1file"), ("r1file", "")],
)
def test_another_model_or_file(revision: str, path: str) -> None:
    answers = Cache()
    store(answers, "x = ‸", "value")
    assert answers.look_up(revision, replace(snapshot_of("x = ‸"), path=path), 0.0) is None


@pytest.mark.parametrize("now", ["a\nb‸c", "a\nbx‸c", "a\nbx\n‸c", "a\nbx\n  y‸c"])
def test_what_is_known_about_an_answer(now: str) -> None:
    answers = Cache()
    store(answers, "a\nb‸c", "x\n  yz", block_end=2, complete=True)
    known = look_up(answers, now)
    assert known is not None
    assert (known.answer.block_end, known.answer.complete) == (2, True)


# --- which answer comes first ---------------------------------------------------------------------------

Step = tuple[str, str, str | None]
"""A verb, a buffer, and the answer to store or to find; "✓" at the end marks a complete one."""


def put(buffer: str, text: str) -> Step:
    return ("store", buffer, text)


def see(buffer: str, expected: str | None) -> Step:
    return ("look up", buffer, expected)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([put("x‸", "abc"), put("xa‸", "BC"), see("xa‸", "a‸bc")], id="typed out before exact"),
        pytest.param([put("x‸", "old"), put("x‸", "new"), see("x‸", "‸new")], id="the newest"),
        pytest.param(
            [put("x‸", "old"), put("x‸", "new"), see("xo‸", "o‸ld"), see("x‸", "‸new")],
            id="the newest, whatever was typed meanwhile",
        ),
        pytest.param(
            [put("x‸", "a1"), put("x‸", "a2"), see("xa‸", "a‸2")],
            id="of two that fit, the one stored last",
        ),
        pytest.param(
            [put("x‸", "a1"), see("x‸", "‸a1"), put("x‸", "a2"), see("xa‸", "a‸1"), see("x‸", "‸a2")],
            id="of two that fit, the one on the screen",
        ),
        pytest.param(
            [put("x‸", "ab1"), put("xa‸", "b2"), see("xab1‸", None), see("xab‸", "b‸2")],
            id="of two that fit, the one stored last, although less of it is typed",
        ),
        pytest.param(
            [put("x‸", "ab1;"), put("xa‸", "b2;"), see("xab1‸", "ab1‸;"), see("xab‸", "ab‸1;")],
            id="erased back to where two fit, the one on the screen",
        ),
        pytest.param(
            [put("x‸", "ab1;"), put("xa‸", "b2;"), see("xab1‸", "ab1‸;"), see("y‸", None), see("xab‸", "ab‸1;")],
            id="of two that fit, the one used last",
        ),
        pytest.param(
            [put("x‸", "ab"), see("xa‸", "a‸b"), see("xaq‸", None), see("xa‸", "a‸b"), see("x‸", "‸ab")],
            id="a wrong letter is erased again",
        ),
        pytest.param(
            [
                put("x‸", "abc"),
                see("xa‸", "a‸bc"),
                put("xa‸", "bc\nd"),
                see("xa‸", "‸bc\nd"),
                see("xab‸", "b‸c\nd"),
                see("xabc‸", "bc‸\nd"),
                see("xa‸", "‸bc\nd"),
                see("x‸", "‸abc"),
            ],
            id="a later answer that says the same knows more",
        ),
        pytest.param(
            [put("xa‸", "bcd"), put("x‸", "abc"), see("xab‸", "ab‸c")],
            id="an earlier answer does not know more",
        ),
        pytest.param([put("x‸", "ab"), put("x‸", "abc"), see("xab‸", "ab‸c")], id="a longer one in its place"),
        pytest.param([put("x‸", "ab✓"), see("x‸", "‸ab✓"), see("xab‸", "ab‸✓")], id="complete"),
        pytest.param([put("x‸", "ab"), put("x‸", "ab✓"), see("xab‸", "ab‸✓")], id="complete after all"),
        pytest.param([put("x‸", "ab✓"), put("x‸", "abc"), see("xab‸", "ab‸c")], id="not complete after all"),
        pytest.param(
            [put("x‸", "abc"), put("xa‸", "bc✓"), see("xab‸", "b‸c✓"), see("xabc‸", "bc‸✓")],
            id="a later answer knows that there is no more",
        ),
        pytest.param([put("x‸", "ab✓"), put("xab‸", "c"), see("xab‸", "‸c")], id="an answer before none"),
        pytest.param([put("x‸", ""), see("x‸", "‸"), see("xa‸", None)], id="nothing is an answer too"),
        pytest.param([put("x‸", "a"), put("x‸", ""), see("x‸", "‸"), see("xa‸", None)], id="nothing is newer"),
    ],
)
def test_which_comes_first(steps: list[Step]) -> None:
    answers = Cache()
    for verb, buffer, text in steps:
        if verb == "store" and text is not None:
            store(answers, buffer, text.removesuffix("✓"), complete=text.endswith("✓"))
        else:
            known = look_up(answers, buffer)
            mark = "✓" if known and known.answer.complete else ""
            assert (known and f"{shown(known)}{mark}") == text


def test_a_longer_answer_takes_the_place_of_the_shorter_one() -> None:
    answers = Cache()
    for text in ("a", "ab", "ab\nc", "ab\nc\nd"):
        store(answers, "x‸", text)
        assert len(answers) == 1
    store(answers, "x‸", "other")
    store(answers, "xa‸", "b\nc\nd\ne")
    assert len(answers) == 3


# --- what is kept, and for how long ---------------------------------------------------------------------


@pytest.mark.parametrize("now", ["x‸", "xa‸", "xa\n‸"])
def test_an_answer_expires(now: str) -> None:
    answers = Cache()
    store(answers, "x‸", "a\nb", now_s=5.0)
    assert look_up(answers, now, now_s=5.0 + cache.LIFETIME_S) is not None
    assert look_up(answers, now, now_s=5.1 + cache.LIFETIME_S) is None
    assert len(answers) == 0


ANSWER = "a" * 99 + "\n"


@pytest.mark.parametrize(("saved", "at_s", "found"), [("a.py", 6.0, False), ("a.py", 5.0, True), ("c.py", 6.0, True)])
def test_an_answer_goes_with_what_the_model_was_told(saved: str, at_s: float, found: bool) -> None:
    answers = Cache()
    store(answers, "x = ‸", "value", now_s=5.0, told=frozenset({"a.py", "b.py"}))
    answers.saved(saved, at_s)
    assert (look_up(answers, "x = ‸", now_s=7.0) is not None) is found


def kept_bytes(count: int) -> int:
    """What `count` answers of `ANSWER` after one letter are counted as."""
    texts = sys.getsizeof(ANSWER) + sys.getsizeof("x") + sys.getsizeof(b"")
    return count * (cache.ANSWER_BYTES + 2 * cache.STRETCH_BYTES + texts)


@pytest.mark.parametrize("used", ["0‸", "0a‸", "0" + ANSWER[:-1] + "‸"])
def test_the_least_recently_used_answer_makes_room(used: str) -> None:
    answers = Cache(kept_bytes(3))
    for name in "0123":
        store(answers, f"{name}‸", ANSWER)
        look_up(answers, used)
    assert [look_up(answers, f"{name}‸") is not None for name in "0123"] == [True, False, True, True]
    assert [look_up(answers, f"{name}a‸") is not None for name in "0123"] == [True, False, True, True]


def test_an_answer_larger_than_the_cache_is_not_kept() -> None:
    answers = Cache(limit_bytes=10_000)
    store(answers, "x‸", "x" * 20_000)
    assert (len(answers), look_up(answers, "x‸")) == (0, None)


def test_one_place_holds_a_few_answers() -> None:
    answers, letters = Cache(), string.ascii_lowercase
    for number in range(cache.ANSWERS_PER_PLACE + 1):
        store(answers, "x‸", f"{letters[number]}.")
        look_up(answers, "xa‸")
    assert len(answers) == cache.ANSWERS_PER_PLACE
    assert [shown(look_up(answers, f"x{letter}‸")) for letter in "abc"] == ["a‸.", None, "c‸."]


def test_the_bound_is_that_of_the_memory() -> None:
    limit_bytes = 3_000_000
    tracemalloc.start()
    try:
        answers = Cache(limit_bytes)
        before_bytes, _ = tracemalloc.get_traced_memory()
        for number in range(5000):
            store(answers, f"{number}\n‸", f"{number}\n  one\n  two", now_s=float(number))
        after_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(answers) < 2500
    assert 0.8 * limit_bytes < after_bytes - before_bytes < 1.1 * limit_bytes


# --- what a look-up costs -------------------------------------------------------------------------------


class CountedLines(Sequence[str]):
    """Lines that know how many of them were read."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.read = 0

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        found = self.lines[index]
        self.read += 1 if isinstance(index, int) else len(found)
        return found


def steps_of(function: Callable[[], object]) -> int:
    """The bytecode instructions that a call executes: the same on every machine, unlike its time."""
    steps = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal steps
        frame.f_trace_opcodes = True
        steps += event == "opcode"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(previous)
    return steps


@dataclass(frozen=True, slots=True)
class Cost:
    steps: int
    lines: int
    hashed_bytes: list[int]


@dataclass(slots=True)
class Counting:
    """A digest that says of how many bytes it was asked."""

    hashed_bytes: list[int] = field(default_factory=list)

    def __call__(self, data: bytes) -> bytes:
        self.hashed_bytes.append(len(data))
        return xxh3_128_digest(data)


def cost(answers: Cache, snapshot: Snapshot, digest: Counting) -> Cost:
    counted = CountedLines(snapshot.lines)
    digest.hashed_bytes.clear()
    steps = steps_of(lambda: answers.look_up(REVISION, replace(snapshot, lines=counted), 0.0))
    return Cost(steps, counted.read, list(digest.hashed_bytes))


@pytest.mark.parametrize("typed", ["", "v", "value\n  mo", "w"])
def test_a_look_up_costs_the_same_in_any_file_and_cache(typed: str) -> None:
    costs = []
    for entries, lines in ((1, 20), (1, 20_000), (5_000, 20), (5_000, 20_000)):
        digest = Counting()
        answers = Cache(digest=digest)
        above, below = numbered("above", range(-lines, 0)), numbered("below", range(lines))
        for number in range(entries):
            store(answers, f"{number}\nx = ‸", "value\n  more()")
        store(answers, f"{numbered('above', range(-20, 0))}x = ‸\n{numbered('below', range(20))}", "value\n  more()")
        costs.append(cost(answers, snapshot_of(f"{above}x = {typed}‸\n{below}"), digest))
    assert len(costs[0].hashed_bytes) == 1
    assert all(each == costs[0] for each in costs)


def test_little_of_long_lines_is_hashed_or_kept() -> None:
    minified = "x" * 1_000_000
    lines = [f"{minified}\n"] * 40
    digest = Counting()
    answers = Cache(10_000, digest)
    snapshot = Snapshot("file:///file", "file", 1, "javascript", lines, 20, 500_000)
    answers.store(REVISION, snapshot, Answer("value"), 0.0)
    assert len(answers) == 1
    found = cost(answers, snapshot, digest)
    window = cache.ABOVE_LINES + 1 + cache.BELOW_LINES
    assert sum(found.hashed_bytes) <= window * (cache.LINE_CHARS + 1) + 50
    assert found.lines <= window + 1


# --- the same as by looking through all -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    above: list[str]
    before: str
    after: list[str]

    @classmethod
    def of(cls, buffer: str) -> "Place":
        before, _, after = buffer.partition(CARET)
        *above, line = _lines(before)
        return cls(above[-cache.ABOVE_LINES :], line, _lines(after)[: cache.BELOW_LINES + 1])

    def with_typed(self, text: str) -> "Place":
        *above, line = _lines(self.before + text)
        return Place([*self.above, *above][-cache.ABOVE_LINES :], line, self.after)


def _lines(text: str) -> list[str]:
    *lines, last = text.split("\n")
    return [*(f"{line}\n" for line in lines), last]


@dataclass(slots=True, eq=False)
class Entry:
    place: Place
    text: str
    complete: bool
    stored_s: float
    number: int
    touched: int


Fitting = tuple[Entry, int]
"""An entry and how many of its characters are typed."""


@dataclass(slots=True)
class Naive:
    """What a cache should do, by typing all answers out letter by letter to see whether they lead to the place."""

    entries: list[Entry] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    shown: Entry | None = None

    def store(self, buffer: str, text: str, now_s: float, complete: bool) -> None:
        place, number = Place.of(buffer), next(self.numbers)
        self.entries = [entry for entry in self.entries if entry.place != place or not text.startswith(entry.text)] + [
            Entry(place, text, complete, now_s, number, number)
        ]

    def look_up(self, buffer: str, now_s: float) -> tuple[str, str, bool] | None:
        place = Place.of(buffer)
        self.entries = [entry for entry in self.entries if now_s - entry.stored_s <= cache.LIFETIME_S]
        chosen = self.choose([fitting for entry in self.entries for fitting in self.fitting(entry, place)])
        self.shown = chosen[0] if chosen else None
        if chosen is None:
            return None
        entry, typed = chosen
        entry.touched = next(self.numbers)
        return entry.text[:typed], entry.text[typed:], entry.complete

    def fitting(self, entry: Entry, place: Place) -> Iterator[Fitting]:
        for typed in range(len(entry.text) + 1):
            beginning = entry.text[:typed]
            if beginning.count("\n") <= cache.TYPED_LINES and entry.place.with_typed(beginning) == place:
                yield entry, typed

    def choose(self, fitting: list[Fitting]) -> Fitting | None:
        begun = [(entry, typed) for entry, typed in fitting if 0 < typed < len(entry.text)]
        exact = [(entry, typed) for entry, typed in fitting if typed == 0]
        ended = [(entry, typed) for entry, typed in fitting if entry.complete]
        if not begun:
            return max(exact or ended, key=_newest, default=None)
        best = max(begun, key=lambda each: (each[0] is self.shown, each[0].touched, each[1]))
        left = best[0].text[best[1] :]
        later = [
            each for each in fitting if each[0].number > best[0].number and each[0].text[each[1] :].startswith(left)
        ]
        return max(later, key=_newest, default=best)


def _newest(fitting: Fitting) -> tuple[int, int]:
    entry, typed = fitting
    return entry.number, typed


TEXTS = st.text("ab\n", max_size=6)
TYPE_AN_ANSWER = st.tuples(st.just("type an answer"), st.integers(0, 1), st.integers(1, 4))
ACTIONS = st.lists(
    st.one_of(
        TYPE_AN_ANSWER,
        TYPE_AN_ANSWER,
        st.tuples(st.just("type"), TEXTS),
        st.tuples(st.just("erase"), st.integers(1, 6)),
        st.tuples(st.just("undo"), st.integers(1, 6)),
        st.tuples(st.just("edit at"), st.integers(0, 40), TEXTS),
        st.tuples(st.just("ask"), TEXTS, st.booleans()),
        st.tuples(st.just("ask"), TEXTS, st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([1.0, 300.0])),
    ),
    max_size=30,
)


@dataclass(slots=True)
class Typist:
    """A text and a caret that are changed at random; it remembers where it was and what it was told."""

    text: str
    caret: int
    now_s: float = 0.0
    answers: list[str] = field(default_factory=list)
    past: list[tuple[str, int]] = field(default_factory=list)

    @property
    def buffer(self) -> str:
        return self.text[: self.caret] + CARET + self.text[self.caret :]

    def act(self, verb: str, *how: Any) -> None:
        self.past.append((self.text, self.caret))
        match verb:
            case "type":
                self.insert(how[0])
            case "type an answer" if self.answers:
                self.insert(self.answers[-1 - how[0] % len(self.answers)][: how[1]])
            case "erase":
                kept = max(0, self.caret - how[0])
                self.text, self.caret = self.text[:kept] + self.text[self.caret :], kept
            case "edit at":
                at = how[0] % (len(self.text) + 1)
                self.text = self.text[:at] + how[1] + self.text[at:]
                self.caret += len(how[1]) if at < self.caret else 0
            case "undo":
                self.text, self.caret = self.past[-min(how[0], len(self.past))]
            case "wait":
                self.now_s += how[0]

    def insert(self, text: str) -> None:
        self.text = self.text[: self.caret] + text + self.text[self.caret :]
        self.caret += len(text)


@given(st.text("ab\n", max_size=30), ACTIONS, st.sampled_from(["\n", "\r\n"]))
def test_it_finds_what_looking_through_all_finds(text: str, actions: list[tuple[Any, ...]], ending: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        # A small window and few lines, so that short texts reach beyond them.
        for name, value in {"ABOVE_LINES": 3, "BELOW_LINES": 2, "TYPED_LINES": 2, "ANSWERS_PER_PLACE": 1000}.items():
            patched.setattr(cache, name, value)
        answers, naive, typist = Cache(), Naive(), Typist(text, len(text) // 2)
        for verb, *how in actions:
            typist.act(verb, *how)
            buffer = typist.buffer.replace("\n", ending)
            if verb == "ask":
                typist.answers.append(how[0])
                store(answers, buffer, how[0], typist.now_s, complete=how[1])
                naive.store(typist.buffer, how[0], typist.now_s, complete=how[1])
            known = look_up(answers, buffer, typist.now_s)
            found = known and (known.answer.text[: known.typed], known.text, known.answer.complete)
            assert found == naive.look_up(typist.buffer, typist.now_s)
