"""The small pure parts of the language server: settings, pace, cache, flights' agreement."""

from typing import Any, get_args

import pytest

from midfill_daemon.contract import InlineModel, Shape
from midfill_lsp import cache, known, pace, settings, status
from midfill_lsp.cache import Answer, Cache
from midfill_lsp.flights import agrees, typed_since
from midfill_lsp.settings import Settings
from midfill_workspace.window import Window
from support.buffers import snapshot_of


@pytest.mark.parametrize(
    ("raw", "changed", "problem"),
    [
        (None, {}, ""),
        ({}, {}, ""),
        ({"debounceMs": 100}, {"debounce_s": 0.1}, ""),
        ({"midfill": {"trigger": "manual"}}, {"trigger": "manual"}, ""),
        (
            {"exclude": ["*.sql"], "disabledLanguages": ["text"]},
            {"exclude": ("*.sql",), "disabled_languages": ("text",)},
            "",
        ),
        ([], {}, "must be an object"),
        ({"debounceMs": True}, {}, "debounceMs: must be a number"),
        ({"debounceMs": -1}, {}, "debounceMs: must be a number"),
        ({"debounceMs": float("nan")}, {}, "debounceMs: must be a number"),
        ({"enabled": "yes", "maxTokens": 5}, {"max_tokens": 5}, "enabled: must be true or false"),
        ({"trigger": "sometimes"}, {}, "trigger: must be automatic or manual"),
        ({"speculation": "always"}, {"speculation": "always"}, ""),
        ({"speculation": False}, {}, "speculation: must be auto, off or always"),
        ({"speculation": ["off"]}, {}, "speculation: must be auto, off or always"),
        ({"speculationTokensPerMinute": 0}, {"speculation_tokens_per_minute": 0}, ""),
        ({"speculationTokensPerMinute": 1_000_000}, {"speculation_tokens_per_minute": 1_000_000}, ""),
        ({"speculationTokensPerMinute": 1_000_001}, {}, "speculationTokensPerMinute: must be a whole number from 0"),
        ({"speculationTokensPerMinute": None}, {}, "speculationTokensPerMinute: must be a whole number from 0"),
        ({"exclude": "*.sql"}, {}, "exclude: must be a list of texts"),
        ({"debouncems": 1}, {}, "did you mean debounceMs?"),
        ({"model": "http://evil"}, {}, "your own configuration file only"),
        ({"token": "x"}, {}, "your own configuration file only"),
    ],
)
def test_settings(raw: Any, changed: dict[str, Any], problem: str) -> None:
    parsed, problems = settings.parse(raw, Settings())
    assert parsed == Settings(**changed)
    assert len(problems) == bool(problem)
    assert problem in "".join(problems)


@pytest.mark.parametrize(
    ("client_wait_s", "since_change_s", "by_hand", "fresh_line", "delay_s"),
    [
        (0.0, 0.0, False, False, 0.075),
        (0.05, 0.03, False, False, 0.025),
        (0.2, 0.0, False, False, 0.0),
        (0.0, 0.06, False, False, 0.015),
        (0.0, 9.0, False, False, 0.0),
        (0.0, 0.0, True, False, 0.0),
        (0.0, 0.0, False, True, 0.0),
    ],
)
def test_pace(client_wait_s: float, since_change_s: float, by_hand: bool, fresh_line: bool, delay_s: float) -> None:
    chosen = Settings(client_wait_s=client_wait_s)
    delay = pace.delay_s(chosen, by_hand=by_hand, fresh_line=fresh_line, since_change_s=since_change_s)
    assert delay == pytest.approx(delay_s)


@pytest.mark.parametrize(
    ("then", "now", "typed"),
    [
        ("a‸b", "ax‸b", "x"),
        ("a‸b", "a‸b", ""),
        ("a‸", "axy", "xy"),
        ("f(‸)", "f(1)", "1"),
        ("f(‸)\nend", "f(\n  1)\nend", "\n  1"),
        ("f(‸)\r\nend", "f(\r\n1)\r\nend", "\n1"),
        ("a‸b", "b", None),
        ("a‸b", "ab\nc", None),
        ("a\n‸b", "b", None),
        ("one\ntwo‸", "one changed\ntwo!", "!"),
    ],
)
def test_typed_since(then: str, now: str, typed: str | None) -> None:
    assert typed_since(snapshot_of(then), snapshot_of(now.replace("‸", "") + "‸").lines) == typed


@pytest.mark.parametrize(
    ("text", "typed", "agreed"),
    [("", "x", True), ("x", "", True), ("xy", "x", True), ("x", "xy", True), ("xy", "xz", False)],
)
def test_agrees(text: str, typed: str, agreed: bool) -> None:
    assert agrees(text, typed) is agreed


def test_keys_keep_their_parts_apart() -> None:
    keys = {
        cache.key("r", "p", Window("ab", "c")),
        cache.key("r", "p", Window("a", "bc")),
        cache.key("r", "pa", Window("b", "c")),
        cache.key("rp", "", Window("ab", "c")),
        cache.key("r", "p", Window("\ud800", "")),
    }
    assert len(keys) == 5
    assert cache.key("r", "p", Window("ab", "c")) == cache.key("r", "p", Window("ab", "c"))


def stored(text: str, prefix: str = "a", suffix: str = "z", at_s: float = 0.0, limit_bytes: int = 10_000) -> Cache:
    answers = Cache(limit_bytes)
    window = Window(prefix, suffix)
    answers.store(cache.key("r", "p", window), "p", Answer(text, window, at_s))
    return answers


@pytest.mark.parametrize(
    ("prefix", "suffix", "now_s", "rest"),
    [
        ("a", "z", 0.0, None),
        ("ab", "z", 0.0, "cd"),
        ("abcd", "z", 0.0, None),
        ("ax", "z", 0.0, None),
        ("ab", "y", 0.0, None),
        ("", "z", 0.0, None),
        ("ab", "z", cache.LIFETIME_S + 1, None),
    ],
)
def test_typed_through(prefix: str, suffix: str, now_s: float, rest: str | None) -> None:
    assert stored("bcd").typed_through("p", Window(prefix, suffix), now_s) == rest


def test_an_answer_expires() -> None:
    answers = stored("b")
    digest = cache.key("r", "p", Window("a", "z"))
    assert answers.get(digest, cache.LIFETIME_S) is not None
    assert answers.get(digest, cache.LIFETIME_S + 0.1) is None
    assert len(answers) == 0


def test_the_cache_is_bounded_by_bytes_and_drops_the_least_recently_used() -> None:
    answers = Cache(limit_bytes=3 * (cache.ENTRY_OVERHEAD_BYTES + 102))
    digests = [bytes([index]) for index in range(4)]
    for index, digest in enumerate(digests):
        answers.store(digest, str(index), Answer("x" * 100, Window("a", "z"), 0.0))
        answers.get(digests[0], 0.0)
    assert [answers.get(digest, 0.0) is not None for digest in digests] == [True, False, True, True]


def test_an_answer_larger_than_the_cache_is_not_kept() -> None:
    assert len(stored("x" * 20_000)) == 0


def test_a_longer_answer_replaces_the_shorter_one_of_its_window() -> None:
    answers = stored("bcd")
    window = Window("a", "z")
    answers.store(cache.key("r", "p", window), "p", Answer("bcdefg", window, 1.0, complete=True))
    assert answers.typed_through("p", Window("abc", "z"), 1.0) == "defg"
    assert answers.is_complete("p", Window("abc", "z"))
    assert not answers.is_complete("p", Window("x", "z"))


@pytest.mark.parametrize(
    ("text", "buffer", "shape", "unit"),
    [
        ("1)\nmore", "f(‸", "line", "1)"),
        ("1)", "f(‸", "line", "1)"),
        ("\n    next()\nmore", "f()‸", "line", "\n    next()"),
        ("\n\n    next()\nmore", "f()‸", "line", "\n\n    next()"),
        ("\n    next()\nmore", "f(‸)", "line", ""),
        ("    a\n    b\nc", "def f():\n‸", "block", "    a\n    b"),
        ("", "f(‸", "line", ""),
    ],
)
def test_unit(text: str, buffer: str, shape: Shape, unit: str) -> None:
    assert known.unit(text, snapshot_of(buffer), shape) == unit


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("", False),
        ("a", False),
        ("a\n", True),
        ("\n", False),
        ("\n\na", False),
        ("\na\n", True),
        ("if x:\n", False),
        ("f(\n", False),
        ("f(\n  1)\n", False),
    ],
)
def test_has_unit(text: str, has: bool) -> None:
    assert known.has_unit(text) is has


@pytest.mark.parametrize(
    ("took", "level"),
    [
        ([], "normal"),
        ([9.0, 9.0], "normal"),
        ([4.0] * 3, "short"),
        ([9.0] * 3, "by_hand"),
        ([None] * 3, "by_hand"),
        ([9.0] * 10 + [1.0], "by_hand"),
        ([9.0] * 10 + [1.0] * 2, "normal"),
        ([4.0] * 5 + [2.5] * 5, "short"),
        ([4.0] * 5 + [2.5] * 5 + [1.0] * 3, "normal"),
        ([1.0, None, 1.0, 1.0], "normal"),
    ],
)
def test_health(took: list[float | None], level: str) -> None:
    health = pace.Health()
    for at_s, each in enumerate(took):
        health.note(float(at_s), 30.0 if each is None else each, failed=each is None)
    assert health.level == level


LOADED = InlineModel(ready=True, name="m")
LOADING = InlineModel(ready=False, code="loading", reason="the model is still loading")


@pytest.mark.parametrize("level", get_args(pace.Level))
def test_each_level_of_health_has_its_words(level: str) -> None:
    told = status.of_health(level, LOADED)
    assert (told.state, told.model) == ("ready" if level == "normal" else "slow", "m")
    assert bool(told.reason) is (level != "normal")
    assert status.of_health(level, LOADING) == status.of_model(LOADING)


def test_no_two_levels_have_the_same_words() -> None:
    assert len(set(status.SLOW.values())) == len(status.SLOW)


def test_a_model_that_is_asked_by_hand_only_is_tried_again_now_and_then() -> None:
    health = pace.Health()
    for _ in range(3):
        health.note(0.0, 9.0, failed=False)
    asked = [health.may_ask(at_s) for at_s in (1.0, pace.PROBE_S, pace.PROBE_S + 1, 2 * pace.PROBE_S)]
    assert asked == [False, True, False, True]
