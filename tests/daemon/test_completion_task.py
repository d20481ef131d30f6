"""The completion task: what it refuses, how it fits a request to a model, what its guard lets pass."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from midfill_daemon import fim
from midfill_daemon.contract import CompletionRequest, Delta, Snippet
from midfill_daemon.errors import BadInput
from midfill_daemon.gateway import Model
from midfill_daemon.models import Tier
from midfill_daemon.providers import Generation, ModelInfo, Piece, Usage
from midfill_daemon.tasks import completion
from midfill_daemon.tasks.completion import CompletionGuard, Plan

GOOD: dict[str, Any] = {"path": "a.py", "language": "python", "prefix": "x = ", "suffix": "\n"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"prefix": None}, "prefix"),
        ({"prefix": 1}, "prefix"),
        ({"prefix": "x" * 200_001}, "prefix"),
        ({"suffix": []}, "suffix"),
        ({"path": "x" * 5000}, "path"),
        ({"shape": "circle"}, "shape"),
        ({"shape": []}, "shape"),
        ({"priority": "urgent"}, "priority"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 2.0}, "max_tokens"),
        ({"max_tokens": 10**9}, "max_tokens"),
        ({"snippets": {}}, "snippets"),
        ({"snippets": ["x"]}, r"snippets\[0\]"),
        ({"snippets": [{"path": "p"}]}, r"snippets\[0\].text"),
        ({"snippets": [{"path": "p", "text": "t", "score": "high"}]}, r"snippets\[0\].score"),
        ({"snippets": [{"path": "p", "text": "t"}] * 65}, "snippets"),
        ({"editor": "e" * 200}, "editor"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(BadInput, match=named):
        completion.parse({**GOOD, **change})


@pytest.mark.parametrize("name", sorted(GOOD))
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(BadInput, match=name):
        completion.parse({key: value for key, value in GOOD.items() if key != name})


def test_a_good_request_is_parsed_and_unknown_fields_are_ignored() -> None:
    parsed = completion.parse({**GOOD, "colour": "red", "snippets": [{"path": "p", "text": "t", "score": 1}]})
    assert parsed == CompletionRequest("a.py", "python", "x = ", "\n", snippets=(Snippet("p", "t", 1.0),))


@pytest.mark.parametrize(
    ("max_tokens", "asked", "priority"),
    [
        (0, "interactive", "speculative"),
        (0, "speculative", "speculative"),
        (0, "batch", "batch"),
        (1, "interactive", "interactive"),
        (1, "speculative", "speculative"),
    ],
)
def test_nobody_waits_for_a_warm_up(max_tokens: int, asked: str, priority: str) -> None:
    assert completion.parse({**GOOD, "max_tokens": max_tokens, "priority": asked}).priority == priority


# --- fitting the prompt ---------------------------------------------------------------------------


@dataclass
class Counting:
    """A provider whose tokens are words; it notes how often it was asked to count."""

    counted: int = 0

    async def describe(self) -> ModelInfo:
        raise AssertionError("not asked here")

    async def stream(self, generation: Generation) -> AsyncGenerator[Piece | Usage, None]:
        yield Piece(generation.prompt)

    async def count_tokens(self, text: str) -> int:
        self.counted += 1
        return len(text.split())

    async def close(self) -> None:
        """Nothing is open."""


def model(prompt_tokens: int, fim_format: str = "qwen") -> Model:
    tier = Tier("scripted", fim=fim_format, prompt_tokens=prompt_tokens)
    return Model("inline", tier, ModelInfo("m", context_tokens=10_000, chars_per_token=2.0), Counting())


REQUEST = CompletionRequest(
    "a.py",
    "python",
    prefix="one two\n" * 40,
    suffix="three\n" * 10,
    snippets=(Snippet("low", "l " * 30, 0.1), Snippet("high", "h " * 30, 0.9), Snippet("mid", "m " * 30, 0.5)),
)
TEXT_TOKENS = 90


@pytest.mark.parametrize(
    ("prompt_tokens", "kept"),
    [
        (1000, ("low", "high", "mid")),
        (TEXT_TOKENS + 93, ("low", "high", "mid")),
        (TEXT_TOKENS + 92, ("high", "mid")),
        (TEXT_TOKENS + 31, ("high",)),
        (TEXT_TOKENS + 30, ()),
        (TEXT_TOKENS, ()),
    ],
)
async def test_whole_snippets_go_from_the_lowest_score(prompt_tokens: int, kept: tuple[str, ...]) -> None:
    built = await completion.build(REQUEST, model(prompt_tokens))
    assert [name for name in ("low", "high", "mid") if f"<|file_sep|>{name}\n" in built.prompt] == list(kept)
    assert REQUEST.prefix in built.prompt
    assert REQUEST.suffix in built.prompt


@pytest.mark.parametrize("prompt_tokens", [5, 20, 60])
async def test_a_file_that_does_not_fit_is_cut_at_line_ends_never_the_prompt(prompt_tokens: int) -> None:
    built = await completion.build(replace(REQUEST, snippets=()), model(prompt_tokens))
    prefix, _, rest = built.prompt.removeprefix("<|fim_prefix|>").partition("<|fim_suffix|>")
    suffix = rest.removesuffix("<|fim_middle|>")
    assert len((prefix + suffix).split()) <= prompt_tokens
    assert REQUEST.prefix.endswith(prefix)
    assert REQUEST.suffix.startswith(suffix)
    assert prefix.startswith("one two\n")


async def test_tokens_are_counted_exactly_only_near_the_limit() -> None:
    far, near = model(4000), model(300)
    await completion.build(REQUEST, far)
    await completion.build(REQUEST, near)
    assert isinstance(far.provider, Counting)
    assert isinstance(near.provider, Counting)
    assert (far.provider.counted, near.provider.counted > 0) == (0, True)


async def test_no_line_end_in_sight_still_ends() -> None:
    built = await completion.build(replace(REQUEST, prefix="x " * 5000, suffix="", snippets=()), model(100))
    assert 0 < len(built.prompt.split()) <= 101


async def test_a_prompt_for_a_model_without_fim_does_not_end_in_blanks() -> None:
    request = replace(REQUEST, prefix="def f():\n    ", snippets=())
    assert (await completion.build(request, model(1000, fim.PREFIX_ONLY))).prompt == "def f():\n"


@pytest.mark.parametrize("room_tokens", [1000, 40])
@pytest.mark.parametrize("name", sorted(fim.FORMATS))
async def test_a_warm_up_reads_what_the_next_request_begins_with(name: str, room_tokens: int) -> None:
    request = replace(REQUEST, prefix="x = 1\n" * 20 + "total =", suffix="\nend(1)\n" * 20)
    real = (await completion.build(request, model(room_tokens, name))).prompt
    warm_up = (await completion.build(replace(request, max_tokens=0), model(room_tokens, name))).prompt
    before_caret = real.partition("total =")[0]
    assert before_caret.count("x = 1") == (20 if room_tokens > 100 else 8)
    assert warm_up.startswith(before_caret + "total =")
    assert ("end(1)" in warm_up) is (name in ("codestral", "mellum"))


# --- the guard ------------------------------------------------------------------------------------


def passed(
    chunks: list[str], stops: tuple[str, ...] = (), lead: str = "", fim_format: str = "qwen"
) -> tuple[str, bool]:
    plan = Plan(CompletionRequest("p", "l", "prefix", ""), "r", fim_format, stops, lead)
    guard = CompletionGuard(plan)
    events = [event for chunk in chunks if not guard.done for event in guard.feed(chunk)]
    events += guard.close()
    assert all(isinstance(event, Delta) for event in events)
    return "".join(event.text for event in events if isinstance(event, Delta)), guard.done


@pytest.mark.parametrize(
    ("chunks", "stops", "lead", "text", "done"),
    [
        (["abc"], (), "", "abc", False),
        ([], ("x",), "", "", False),
        (["a"], (), "", "a", False),
        (["ab\ncd"], ("\n",), "", "ab", True),
        (["ab", "\n", "cd"], ("\n",), "", "ab", True),
        (["\n"], ("\n",), "", "", True),
        (["ab<|end", "of|>cd"], ("<|endof|>",), "", "ab", True),
        (["ab<|e", "lse"], ("<|endof|>",), "", "ab<|else", False),
        (["ab<|end"], ("<|endof|>",), "", "ab<|end", False),
        (["abSTOPcdEND"], ("END", "STOP"), "", "ab", True),
        (["    x"], (), "    ", "x", False),
        ([" ", " ", "  x"], (), "    ", "x", False),
        (["      x"], (), "    ", "  x", False),
        (["  x = 1"], (), "    ", "x = 1", False),
        (["x"], (), "    ", "x", False),
        (["  "], (), "    ", "", False),
        (["\txy"], (), "    ", "\txy", False),
    ],
)
def test_guard(chunks: list[str], stops: tuple[str, ...], lead: str, text: str, done: bool) -> None:
    assert passed(chunks, stops, lead) == (text, done)


@pytest.mark.parametrize("name", sorted(fim.FORMATS))
def test_no_format_lets_its_stops_pass(name: str) -> None:
    for stop in fim.FORMATS[name].stops:
        for cut in range(len(stop) + 1):
            assert passed(["some text", stop[:cut], stop[cut:], "more"], fim.FORMATS[name].stops) == ("some text", True)
