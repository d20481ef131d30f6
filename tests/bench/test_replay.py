"""The pure parts of the replay: what its model says, what its typist does, and how answers are judged."""

import pytest

from bench.replay import figures, oracle, passages
from bench.replay.dialect import INLINE, LIST, Found
from bench.replay.editor import Answer
from bench.replay.passages import Passage
from bench.replay.plan import Call
from bench.replay.typist import Typist

CODE = "".join(f"def f{n}(a, b):\n    first = a + {n}\n    return first * b\n\n" for n in range(40))
PASSAGE = Passage("code.py", "python", CODE, CODE.index("def f10"), CODE.index("\n\ndef f30"))
SEEDS = range(6)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("suffix", [".py", ".ts"])
def test_a_passage_is_whole_lines_of_its_file(seed: int, suffix: str) -> None:
    languages = tuple(passages.LANGUAGES)
    passage = passages.choose(seed * len(languages) + languages.index(suffix), 300)
    assert passage.text[passage.start - 1] == passage.text[passage.end] == "\n"
    assert 300 <= passage.end - passage.start < 300 + passages.LINE_LIMIT_CHARS


@pytest.mark.parametrize("seed", SEEDS)
def test_the_stubborn_model_is_right_up_to_the_first_wrong_line(seed: int) -> None:
    wrong = oracle.wrong_lines(PASSAGE, seed)
    for at in range(PASSAGE.start, PASSAGE.end):
        said = oracle.stubborn(CODE[:at], PASSAGE, seed)
        line = CODE.rfind("\n", 0, at) + 1
        rest = CODE[at : CODE.index("\n", at)]
        if rest.strip() and line in wrong:
            assert not said or not CODE[at:].startswith(said)
        elif rest.strip():
            assert said.startswith(rest)


def test_the_fickle_model_is_right_seven_times_of_ten() -> None:
    places = range(PASSAGE.start, PASSAGE.end)
    said = {at: oracle.fickle(CODE[:at], PASSAGE, 1) for at in places}
    right = [at for at in places if CODE[at : PASSAGE.end].startswith(said[at])]
    assert len(right) / len(places) == pytest.approx(0.7, abs=0.05)
    assert all(CODE[at:].startswith(said[at][:1]) for at in right)
    assert max(map(len, said.values())) <= oracle.ANSWER_CHARS + oracle.RIGHT_CHARS


def test_three_lines_of_ten_are_wrong() -> None:
    lines = [line for line in CODE[PASSAGE.start : PASSAGE.end].split("\n") if line.strip()]
    assert len(oracle.wrong_lines(PASSAGE, 1)) == len(lines) * 3 // 10


@pytest.mark.parametrize(
    ("text", "limit", "stops", "sent"),
    [
        ("a = b\nc", 64, ["\n"], "a = b"),
        ("a = b\nc", 64, [], "a = b\nc"),
        ("a = b", 2, [], "a ="),
        ("a", 0, [], ""),
    ],
)
def test_limits_and_stops(text: str, limit: int, stops: list[str], sent: str) -> None:
    assert "".join(oracle.cut(text, limit, stops)) == sent


def test_prompts_of_both_kinds() -> None:
    assert oracle.prefix_of("<|fim_prefix|>a <|fim_suffix|>b<|fim_middle|>") == "a "
    assert oracle.prefix_of("plain") == "plain"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("accept", [0.0, 0.35, 1.0])
def test_the_typist_ends_with_the_file(seed: int, accept: float) -> None:
    typist = Typist(PASSAGE, seed, accept)
    written = CODE[: PASSAGE.start]
    kinds = set()
    while not typist.done:
        assert typist.gap_s() > 0
        action = typist.act(oracle.fickle(written, PASSAGE, seed))
        written = written[: len(written) - action.erased] + action.text
        kinds.add(action.kind)
        assert (written == CODE[: typist.at]) == action.true
    assert written == CODE[: PASSAGE.end]
    assert "type" in kinds
    assert ("accept" in kinds) is (accept > 0)


@pytest.mark.parametrize(
    ("shown", "expected", "useful"),
    [
        ("return first", "return first * b", True),
        ("return first + 1", "return first * b", True),
        ("return a", "return first", False),
        ("a)", "a)\n", True),
        ("", "return", False),
        ("return", "", False),
    ],
)
def test_useful(shown: str, expected: str, useful: bool) -> None:
    assert figures.is_useful(shown, expected) is useful


ITEM = {"start": {"line": 3, "character": 4}, "end": {"line": 3, "character": 6}}


@pytest.mark.parametrize(
    ("dialect", "result", "found"),
    [
        (INLINE, None, None),
        (INLINE, {"items": []}, Found("")),
        (INLINE, {"items": [{"insertText": "abc", "range": ITEM}]}, Found("c")),
        (LIST, [{"textEdit": {"newText": "abc", "range": ITEM}}], Found("c")),
        (LIST, [], Found("")),
    ],
)
def test_dialects(dialect: object, result: object, found: Found | None) -> None:
    assert dialect in (INLINE, LIST)
    assert (INLINE if dialect is INLINE else LIST).found(result, {"line": 3, "character": 6}) == found


def call(started_s: float, ended_s: float) -> Call:
    return Call(started_s, "x = ", "value + 1", 3, ended_s)


@pytest.mark.parametrize(
    ("before", "text", "asked_s", "calls", "source"),
    [
        ("x = ", "value + 1", 1.0, [call(1.1, 1.9)], "model"),
        ("x = v", "alue + 1", 1.0, [call(0.5, 1.9)], "flight"),
        ("x = v", "alue + 1", 1.0, [call(0.1, 0.9)], "typed_through"),
        ("x = ", "value + 1", 1.0, [call(0.1, 0.9)], "hit"),
        ("x = ", "value + 1", 1.0, [call(0.0, 0.9)], "speculation"),
        ("x = ", "constant", 1.0, [call(0.1, 0.9)], "other"),
    ],
)
def test_sources(before: str, text: str, asked_s: float, calls: list[Call], source: str) -> None:
    answer = Answer(asked_s, 2.0, before, text, current=True, stale=False)
    assert figures.source_of(answer, calls, {"x = ": 0.05}) == source
