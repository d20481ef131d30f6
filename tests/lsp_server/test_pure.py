"""The small pure parts of the language server: settings, pace, flights' agreement."""

from typing import Any, get_args

import pytest

from midfill_daemon.contract import InlineModel, Shape
from midfill_lsp import known, pace, settings, status, typed
from midfill_lsp.answer import Answer, Known
from midfill_lsp.settings import Settings
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
        ({"disabledFolders": ["/a", "C:\\b", "file:///c"]}, {"disabled_folders": ("/a", "C:\\b", "file:///c")}, ""),
        ({"disabledFolders": ["build/"]}, {}, "disabledFolders: must be a list of absolute paths or uris"),
        ({"disabledFolders": "/a"}, {}, "disabledFolders: must be a list of texts"),
        ({"streaming": "live", "candidates": 5}, {"streaming": "live", "candidates": 5}, ""),
        ({"streaming": True}, {}, "streaming: must be none, once or live"),
        ({"candidates": 0}, {}, "candidates: must be a whole number from 1 to 5"),
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
        ({"telemetry": False}, {"telemetry": False}, ""),
        ({"telemetry": "off"}, {}, "telemetry: must be true or false"),
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
    ("then", "now", "added"),
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
def test_typed_since(then: str, now: str, added: str | None) -> None:
    place = typed.place_of(snapshot_of(then))
    assert typed.since(place, snapshot_of(now.replace("‸", "") + "‸").lines) == added


@pytest.mark.parametrize(
    ("text", "added", "agreed"),
    [("", "x", True), ("x", "", True), ("xy", "x", True), ("x", "xy", True), ("xy", "xz", False)],
)
def test_agrees(text: str, added: str, agreed: bool) -> None:
    assert typed.agrees(text, added) is agreed


@pytest.mark.parametrize(
    ("text", "block_end", "buffer", "shape", "unit"),
    [
        ("1)\nmore", 0, "f(‸", "line", "1)"),
        ("1)", 0, "f(‸", "line", "1)"),
        ("\n    next()\nmore", 0, "f()‸", "line", "\n    next()"),
        ("\n\n    next()\nmore", 0, "f()‸", "line", "\n\n    next()"),
        ("\n    next()\nmore", 0, "f(‸)", "line", ""),
        ("    a\n    b\nc", 0, "def f():\n‸", "block", "    a\n    b"),
        ("    a\n    b\nc", 5, "def f():\n‸", "block", "    a"),
        ("", 0, "f(‸", "line", ""),
    ],
)
def test_unit(text: str, block_end: int, buffer: str, shape: Shape, unit: str) -> None:
    assert known.unit(Known(Answer(text, block_end)), snapshot_of(buffer), shape) == unit


@pytest.mark.parametrize(
    ("gaps_s", "typical_s", "delay_s"),
    [
        ([], 0.0, 0.075),
        ([0.05] * 20, 0.0, 0.075),
        ([0.15] * 20, 0.0, 0.0375),
        ([0.3] * 20, 0.0, 0.0),
        ([0.05] * 20, 0.5, 0.0375),
        ([0.05] * 20, 0.8, 0.0),
        ([5.0] * 20, 0.0, 0.075),
    ],
)
def test_who_types_slowly_and_whose_model_is_slow_does_not_wait(
    gaps_s: list[float], typical_s: float, delay_s: float
) -> None:
    rhythm, now_s = pace.Rhythm(), 0.0
    for gap_s in gaps_s:
        now_s += gap_s
        rhythm.note(now_s)
    delay = pace.delay_s(
        Settings(), by_hand=False, fresh_line=False, since_change_s=0.0, typical_s=typical_s, gap_s=rhythm.gap_s
    )
    assert delay == pytest.approx(delay_s)


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
        ("```python\nreturn 1\n", False),
        ("\n  ~~~\n\n", False),
    ],
)
def test_has_unit(text: str, has: bool) -> None:
    assert known.has_unit(text) is has


@pytest.mark.parametrize(
    ("took", "level"),
    [
        ([], "normal"),
        ([9.0, 9.0], "normal"),
        ([3.0] * 3, "short"),
        ([4.5] * 3, "line"),
        ([9.0] * 3, "by_hand"),
        ([None] * 3, "short"),
        ([None] * 4, "line"),
        ([None] * 5, "by_hand"),
        ([9.0] * 10 + [1.0], "by_hand"),
        ([9.0] * 10 + [1.0] * 2, "normal"),
        ([4.5] * 10 + [3.0] * 5, "line"),
        ([4.5] * 10 + [2.6] * 6, "short"),
        ([3.0] * 5 + [2.0] * 6, "short"),
        ([3.0] * 5 + [1.6] * 6, "normal"),
        ([3.0] * 5 + [2.0] * 5 + [1.0] * 3, "normal"),
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
