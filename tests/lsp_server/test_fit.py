"""What of a model's answer is shown where: one row of tests/data/fit per case, and what holds for any text."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill_lsp import fit, repeats
from midfill_lsp.fit import CLEANS, ENDS, FITS, RULES, Fitted
from midfill_workspace import grammars, scope
from midfill_workspace.snapshot import Snapshot
from support.buffers import snapshot_of

FILES = sorted((Path(__file__).parents[1] / "data" / "fit").glob("*.toml"))


def cases() -> Iterator[Any]:
    for file in FILES:
        for case in tomllib.loads(file.read_text(encoding="utf-8"))["case"]:
            yield pytest.param(case, id=f"{file.stem}: {case['name']}")


@pytest.mark.parametrize("case", list(cases()))
def test_shown(case: Mapping[str, Any]) -> None:
    snapshot = snapshot_of(case["buffer"], case["language"])
    by_hand = case.get("by_hand", False)
    shape = case.get("shape") or scope.shape(snapshot, by_hand)
    shaped = fit.shape_answer(case["model"], snapshot, shape, grammars.parser(case["language"]))
    fitted = fit.fit(shaped.shown, snapshot, by_hand=by_hand)
    assert fitted.text == case["shown"]
    assert [*shaped.rules, *fitted.rules] == case["rules"]
    assert fitted.replace == case.get("replace", 0)
    assert fit.fit(fitted.text, snapshot, by_hand=by_hand).text == fitted.text


def test_every_rule_has_a_sentence_and_a_case() -> None:
    ids = {rule for rule, _ in (*CLEANS, *ENDS, *FITS)}
    assert ids == set(RULES)
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in RULES.values())
    seen = {rule for case in cases() for rule in case.values[0]["rules"]}
    assert ids - seen == {"too_long"}


def test_too_long_is_cut_at_a_line_end() -> None:
    snapshot = snapshot_of("‸")
    fitted = fit.fit("word " * 20 + "\n" + "x" * fit.LIMIT_CHARS, snapshot, by_hand=False)
    assert fitted == Fitted("word " * 20 + "\n", 0, ("too_long",))


def until(buffer: str, model: str, shape: str = "block") -> str | None:
    """The part of the answer that is kept when the stream is closed after `model`; None if it is not."""
    snapshot = snapshot_of(buffer, "python")
    assert shape in ("line", "block")
    end = fit.enough(model, snapshot, "line" if shape == "line" else "block")
    return None if end is None else model[:end]


F = "def f():\n    ‸\n"


@pytest.mark.parametrize(
    ("buffer", "model", "kept"),
    [
        (F, "", None),
        (F, "retu", None),
        (F, "return 1", None),
        (F, "return 1\n", None),
        (F, "return 1\n\n", None),
        (F, "return 1\n\n\nde", None),
        (F, "return 1\n\n\ndef ", "return 1\n\n\ndef "),
        (F, "return 1\n\n\ndef g():\n    pass", "return 1\n\n\ndef g():\n    pass"),
        (F, "if x:\n        return 1\n    return 2", None),
        (F, "if x:\n        return 1\n    else:\n        pass", None),
        ("if a:\n    b()\n    ‸", "c()\nelse", None),
        ("if a:\n    b()\n    ‸", "c()\nelse:\n    d()\n", None),
        ("if a:\n    b()\n    ‸", "c()\nelse:\n    d()\nprint(", "c()\nelse:\n    d()\nprint("),
        ("if a:\n    b()\n    ‸", "c()\nelsewhere = 1", "c()\nelsewhere = 1"),
        ("x = [\n    ‸", "1,\n    2,\n]\ny", "1,\n    2,\n]\ny"),
        ("x = {\n    ‸", "1: 2,\n}", None),
        ("x = {\n    ‸", "1: 2,\n}\n", "1: 2,\n}"),
        ("‸", "import os\nimport sys\n", None),
        ("‸", "import os\nimport sys\n\n", None),
        ("‸", "import os\nimport sys\n\ndef ", "import os\nimport sys\n\ndef "),
        ("‸", "def f():\n    a = 1\n\n    return a\n", None),
        (F, '"""One.\n\nTwo at the left, and (more)\n', None),
        (F, "    a = 1\n    b = 2\n", None),
        (F, "a = 1\n    a = 1\n    a = 1\n", "a = 1"),
        (F, "a = 1\n    a = 1\n    a = 1", None),
        (F, "x = 'ab ab ab ab ab ab ab", "x = 'ab ab"),
        (F, "return 1<|endoftext|>", "return 1"),
        (F, "return '<|endoftext|>'", None),
        ("def f(a):\n    ‸\n    return a\n", "a += 1\n    return a\n", "a += 1\n    "),
        ("def f(a):\n    ‸\n    return a\n", "a += 1\n    return a", None),
        ("def f(a):\n    ‸\n    b()\n    return a\n", "a += 1\n    b()\n", None),
        ("def f(a):‸\n", "\n    return a\n", None),
        ("def f(a):‸\n", "\n    return a\nx = 1", "\n    return a\nx = 1"),
    ],
)
def test_enough_of_a_block(buffer: str, model: str, kept: str | None) -> None:
    got = until(buffer, model)
    assert (got if got is None else got.rstrip()) == (kept if kept is None else kept.rstrip())


@pytest.mark.parametrize(
    ("model", "kept"),
    [("", None), ("x + 1", None), ("x + 1\n", "x + 1"), ("x + 1\ny", "x + 1"), ("\ny", ""), ("1<|im_end|>", "1")],
)
def test_enough_of_a_line(model: str, kept: str | None) -> None:
    assert until("y = ‸\n", model, "line") == kept


@pytest.mark.parametrize(
    ("one", "other", "share", "near"),
    [
        ("", "", 0.1, True),
        ("abc", "abd", 0.1, True),
        ("abc", "xyz", 0.1, False),
        ("a" * 40, "a" * 38, 0.05, True),
        ("a" * 40, "a" * 37, 0.05, False),
        ("kitten sitting on it", "sitting kitten on it", 0.1, False),
        ("x" * 500 + "a", "x" * 500 + "b", 0.01, True),
    ],
)
def test_near_equal(one: str, other: str, share: float, near: bool) -> None:
    assert repeats.near_equal(one, other, share) is near
    assert repeats.near_equal(other, one, share) is near


PIECES = st.sampled_from(
    [
        *"()[]{}\"'`\\\n\t ,;:x0é🎉\ud800\x00\u2028",
        "\r\n",
        "    ",
        "ab",
        "if x:",
        "end",
        "else",
        "return x",
        "}\n",
        "<|x|>",
        "```",
    ]
)
TEXTS = st.lists(PIECES, max_size=25).map("".join)
LANGUAGES = st.sampled_from(["python", "typescript", "go", "lua", "plaintext"])


def derived(text: str, model: str) -> bool:
    """A piece of the model's text in one go, line ends apart."""
    return text in model.replace("\r\n", "\n").replace("\r", "\n")


def can_be_drawn(replaced: str, text: str) -> bool:
    """VS Code's rule: a suggestion only adds, so what it replaces must be found in it, in this order."""
    return re.search(".*".join(map(re.escape, replaced)), text, re.DOTALL) is not None


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS, TEXTS, LANGUAGES, st.booleans())
def test_any_text_in_any_buffer(before: str, after: str, model: str, language: str, by_hand: bool) -> None:
    snapshot = snapshot_of(f"{before}‸{after}", language)
    shape = scope.shape(snapshot, by_hand)
    shaped = fit.shape_answer(model, snapshot, shape, grammars.parser(language))
    fitted = fit.fit(shaped.shown, snapshot, by_hand=by_hand)
    assert shaped.shown == "" or derived(shaped.text, model)
    assert 0 <= fitted.replace <= len(snapshot.after)
    assert can_be_drawn(snapshot.after[: fitted.replace], fitted.text)
    assert fitted.text == "" or derived(fitted.text, model)
    assert set(shaped.rules + fitted.rules) <= set(RULES)
    end = fit.enough(model, snapshot, shape)
    assert end is None or 0 <= end <= len(model)


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS, TEXTS, LANGUAGES)
def test_fitting_twice_changes_nothing_more(before: str, after: str, model: str, language: str) -> None:
    snapshot = snapshot_of(f"{before}‸{after}", language)
    once = fit.fit(model, snapshot, by_hand=True)
    twice = fit.fit(once.text, snapshot, by_hand=True)
    assert twice.text == once.text


HOSTILE = {
    "brackets": "(" * 100_000,
    "closers": ")" * 100_000,
    "closers and a word": "}" * 7_000 + "x\n" + ")" * 900,
    "separators": "," * 7_900 + "x",
    "separated lines": (" ,;" * 600 + "x\n") * 4,
    "quotes": '"' * 100_000,
    "escapes": '"' + '\\"' * 50_000,
    "backslashes": "\\" * 100_000,
    "blanks": " " * 100_000,
    "line breaks": "\n" * 100_000,
    "short lines": "a\n" * 50_000,
    "near lines": "".join(f"value number {index} of them\n" for index in range(5_000)),
    "one word": "a" * 100_000,
    "words": "ab " * 33_000,
    "fences": "```\n" * 25_000,
    "tokens": "<|" * 50_000,
    "surrogates": "\ud800" * 100_000,
    "zeros": "\x00" * 100_000,
    "openers": "if x:\n" * 16_000,
    "comment marks": "# Path: " * 12_000,
    "deep": "".join(" " * depth + "if x:\n" for depth in range(400)),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("language", ["python", "typescript", "plaintext"])
@pytest.mark.timeout(20)
def test_hostile_sizes(name: str, language: str) -> None:
    """As answer, before the caret and after it; a filter that is not linear does not come back in time."""
    text = HOSTILE[name]
    for buffer, model in (
        ("def f(‸)", text),
        (f"{text}‸", "x = f(1)"),
        (f"‸{text}", "x = f(1)"),
        (f"{text}‸{text}", text),
    ):
        all_stages(snapshot_of(buffer, language), model)


def all_stages(snapshot: Snapshot, model: str) -> None:
    for shape in ("line", "block"):
        shaped = fit.shape_answer(model, snapshot, shape, grammars.parser(snapshot.language))
        for text in (model, shaped.text, shaped.shown):
            fitted = fit.fit(text, snapshot, by_hand=False)
            assert len(fitted.text) <= fit.LIMIT_CHARS
            assert fitted.replace <= len(snapshot.after)
        fit.enough(model, snapshot, shape)
