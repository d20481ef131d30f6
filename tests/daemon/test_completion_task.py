"""The completion task: what it refuses, how it fits a request to a model, what its guard lets pass."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill_daemon import fim, unwrap
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
        ({"variant": -1}, "variant"),
        ({"variant": 99}, "variant"),
        ({"variant": "1"}, "variant"),
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


@pytest.mark.parametrize(
    ("variant", "own", "temperature"),
    [(0, 0.0, 0.0), (0, 0.4, 0.4), (1, 0.0, 0.6), (2, 0.0, 0.75), (1, 0.9, 0.9), (4, 0.9, 1.05)],
)
async def test_each_variant_is_another_sample(variant: int, own: float, temperature: float) -> None:
    asked = model(1000)
    asked = replace(asked, tier=replace(asked.tier, temperature=own))
    built = await completion.build(completion.parse({**GOOD, "variant": variant}), asked)
    assert (built.seed, round(built.temperature, 6)) == (variant, temperature)


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


def model(prompt_tokens: int, fim_format: str = "qwen", context_share: float = 1.0) -> Model:
    tier = Tier("scripted", fim=fim_format, prompt_tokens=prompt_tokens, context_share=context_share)
    return Model("inline", tier, ModelInfo("m", context_tokens=10_000, chars_per_token=2.0), Counting())


REQUEST = CompletionRequest(
    "a.py",
    "python",
    prefix="one two\n" * 40,
    suffix="three\n" * 10,
    snippets=(Snippet("low", "l " * 30, 0.1), Snippet("high", "h " * 30, 0.9), Snippet("mid", "m " * 30, 0.5)),
)
TEXT_TOKENS = len(fim.render("qwen", fim.Parts(REQUEST.prefix, REQUEST.suffix)).text.split())
AROUND_TOKENS = 2
"""Of the names of the repository and the file, which are there only with snippets."""
ONE = 31
"""A snippet with its path."""


@pytest.mark.parametrize(
    ("prompt_tokens", "context_share", "kept"),
    [
        (1000, 1.0, ("low", "high", "mid")),
        (TEXT_TOKENS + 3 * ONE + AROUND_TOKENS, 1.0, ("low", "high", "mid")),
        (TEXT_TOKENS + 3 * ONE + AROUND_TOKENS - 1, 1.0, ("high", "mid")),
        (TEXT_TOKENS + ONE + AROUND_TOKENS, 1.0, ("high",)),
        (TEXT_TOKENS + ONE + AROUND_TOKENS - 1, 1.0, ()),
        (TEXT_TOKENS, 1.0, ()),
        (1000, 0.5, ("low", "high", "mid")),
        (1000, 0.07, ("high", "mid")),
        (1000, 0.04, ("high",)),
        (1000, 0.02, ()),
        (1000, 0.0, ()),
    ],
)
async def test_whole_snippets_go_from_the_lowest_score(
    prompt_tokens: int, context_share: float, kept: tuple[str, ...]
) -> None:
    built = await completion.build(REQUEST, model(prompt_tokens, "qwen", context_share))
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


def sent(generation: Generation) -> str:
    """All that a model is given to read."""
    return "".join((generation.prompt, generation.suffix, *(message.text for message in generation.messages)))


FRAME_TOKENS = {
    name: len((row.system + row.file_form).split()) + 2 * completion.TURN_TOKENS for name, row in fim.FORMATS.items()
}
SUFFIX_FIRST = ("codegeex4", "codestral", "mellum", "seed-coder")


@pytest.mark.parametrize("is_small", [False, True])
@pytest.mark.parametrize("name", sorted(fim.FORMATS))
async def test_a_warm_up_reads_what_the_next_request_begins_with(name: str, *, is_small: bool) -> None:
    of_size = model(40 + FRAME_TOKENS[name] if is_small else 1000, name)
    request = replace(REQUEST, prefix="x = 1\n" * 40 + "total =", suffix="\nend(1)\n" * 40)
    real = sent(await completion.build(request, of_size))
    warm_up = sent(await completion.build(replace(request, max_tokens=0), of_size))
    before_caret = real.partition("total =")[0]
    assert 5 <= before_caret.count("x = 1") <= 40
    assert (before_caret.count("x = 1") < 40) is is_small
    assert warm_up.startswith(before_caret + "total =")
    assert ("end(1)" in warm_up) is (name in SUFFIX_FIRST)


# --- no request is larger than its model's budget --------------------------------------------------


@dataclass
class Costly(Counting):
    """A provider with a tokenizer as unkind as there can be: a token for every few bytes."""

    bytes_per_token: int = 1

    async def count_tokens(self, text: str) -> int:
        return -(-len(text.encode("utf-8", "replace")) // self.bytes_per_token)


LINES = st.sampled_from(
    ["x = 1\n", "    return näher(value)\n", "\n", "# 字" * 9 + "\n", "y" * 300 + "\n", "}", "<|fim_middle|>"]
)
TEXTS = st.lists(LINES, max_size=60).map("".join)
SNIPPETS = st.lists(
    st.builds(Snippet, st.sampled_from(["a.py", "näher/" * 30]), TEXTS, st.floats(0, 1)), max_size=6, unique=True
).map(tuple)
SIZED = st.builds(
    CompletionRequest,
    st.sampled_from(["", "a.py", "deep/" * 800]),
    st.just("python"),
    TEXTS,
    TEXTS,
    max_tokens=st.sampled_from([0, 64, 1024]),
    snippets=SNIPPETS,
)
SIZES = st.tuples(
    st.sampled_from([768, 1024, 4096]), st.sampled_from([0, 400, 100_000]), st.sampled_from([16, 64, 10_000])
)
WAYS = [*((name, False) for name in sorted(fim.FORMATS)), (fim.PREFIX_ONLY, True)]


@pytest.mark.parametrize(("name", "suffix_field"), WAYS)
@settings(max_examples=60, deadline=None)
@given(request=SIZED, sizes=SIZES, share=st.sampled_from([0.0, 0.3, 1.0]), bytes_per_token=st.integers(1, 4))
async def test_no_request_exceeds_its_budget(
    name: str,
    request: CompletionRequest,
    sizes: tuple[int, int, int],
    share: float,
    bytes_per_token: int,
    *,
    suffix_field: bool,
) -> None:
    context_tokens, prompt_tokens, max_tokens = sizes
    tier = Tier("scripted", fim=name, prompt_tokens=prompt_tokens, max_tokens=max_tokens, context_share=share)
    provider = Costly(bytes_per_token=bytes_per_token)
    info = ModelInfo("m", context_tokens, suffix_field=suffix_field)
    asked = Model("inline", tier, info, provider)
    built = await completion.build(request, asked)
    tokens = await provider.count_tokens(sent(built))
    assert tokens <= asked.prompt_tokens
    assert tokens + built.max_tokens <= context_tokens
    fitted = await completion._fit(request, asked)
    check_parts(request, fitted)
    alone_tokens = await completion._prompt_tokens(replace(fitted, snippets=()), asked)
    assert await completion._prompt_tokens(fitted, asked) - alone_tokens <= asked.snippet_tokens


def check_parts(request: CompletionRequest, fitted: CompletionRequest) -> None:
    """What is left of a request: its text next to the caret, and its best snippets, whole and in order."""
    assert request.prefix.endswith(fitted.prefix)
    assert request.suffix.startswith(fitted.suffix)
    assert list(fitted.snippets) == [each for each in request.snippets if each in fitted.snippets]
    dropped = [each.score for each in request.snippets if each not in fitted.snippets]
    assert max(dropped, default=0) <= min((each.score for each in fitted.snippets), default=1)


@pytest.mark.parametrize(
    ("prefix_lines", "suffix_lines", "kept"),
    [
        (100, 100, (45, 15)),
        (100, 10, (50, 10)),
        (100, 0, (60, 0)),
        (30, 100, (30, 30)),
        (0, 100, (0, 60)),
        (40, 20, (40, 20)),
    ],
)
async def test_the_prefix_gets_three_times_the_suffix_and_what_one_leaves_is_the_others(
    prefix_lines: int, suffix_lines: int, kept: tuple[int, int]
) -> None:
    request = CompletionRequest("a.py", "python", "p\n" * prefix_lines, "\ns" * suffix_lines)
    fitted = await completion._fit(request, model(61))
    assert (fitted.prefix.count("p"), fitted.suffix.count("s")) == pytest.approx(kept, abs=4)


async def test_the_start_of_a_cut_prefix_stays_for_many_keys() -> None:
    asked = replace(model(4096), provider=Costly(), info=ModelInfo("m", 10_000))
    text = "".join(f"{number:03} = one two three\n" for number in range(400))
    starts = set()
    for count in range(200):
        request = CompletionRequest("a.py", "python", text + "x" * count, "\n")
        starts.add((await completion._fit(request, asked)).prefix[:3])
    assert len(starts) <= 2


async def test_a_suffix_that_the_model_does_not_see_costs_nothing() -> None:
    request = CompletionRequest("a.py", "python", "p\n" * 50, "s\n" * 1000)
    assert (await completion.build(request, model(60, fim.PREFIX_ONLY))).prompt == request.prefix


async def test_a_chat_model_gets_a_marked_hole_that_no_text_can_forge() -> None:
    request = replace(REQUEST, prefix=f"a {fim.HOLE}\nb", suffix=f"{fim.HOLE_END}\n", shape="line")
    built = await completion.build(request, model(1000, fim.CHAT))
    system, user = built.messages
    assert (system.role, system.text, user.role) == ("system", fim.CHAT_SYSTEM, "user")
    assert (user.text.count(fim.HOLE), user.text.count(fim.HOLE_END)) == (1, 0)
    assert f"\nb{fim.HOLE}" in user.text
    assert (built.prompt, "\n" in built.stops) == ("", False)


# --- the guard ------------------------------------------------------------------------------------


def passed(
    chunks: list[str], stops: tuple[str, ...] = (), lead: str = "", fim_format: str = "qwen", prefix: str = "prefix"
) -> tuple[str, bool]:
    plan = Plan(CompletionRequest("p", "l", prefix, ""), "r", fim_format, stops, lead)
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


@pytest.mark.parametrize(
    ("answer", "stops", "text", "done"),
    [
        ("a + b", (), "a + b", False),
        ("a + b<|/hole|> I hope this helps", ("<|/hole|>",), "a + b", True),
        ("```python\na + b\n```\nThis adds.", (), "a + b", True),
        ("```\na + b\n```", ("\n",), "a + b", True),
        ("\n```py\n    return a + b\n```", (), "a + b", True),
        ("    return a + b\n", ("\n",), "a + b", True),
        ("return a + b", (), "a + b", False),
        ("def add(a, b):\n    return a + b", (), "a + b", False),
        ("a\n```\nb", (), "a\n```\nb", False),
        (" a + b", (), "a + b", False),
        ("", (), "", False),
        ("``", (), "``", False),
        ("```", (), "", False),
        ("   ", (), "   ", False),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_the_answer_of_a_chat_model_is_unwrapped(
    answer: str, stops: tuple[str, ...], text: str, size: int, *, done: bool
) -> None:
    chunks = [answer[at : at + size] for at in range(0, len(answer), size)]
    assert passed(chunks, stops, fim_format=fim.CHAT, prefix="def add(a, b):\n    return ") == (text, done)


FRAGMENTS = ["```", "`", "python", "\n", " ", "    ", "return ", "def add(a, b):\n", "x", fim.HOLE_END, "<|/"]


@settings(max_examples=300, deadline=None)
@given(fragments=st.lists(st.sampled_from(FRAGMENTS), max_size=10))
def test_how_an_answer_is_cut_into_chunks_changes_nothing(fragments: list[str]) -> None:
    answer, prefix = "".join(fragments), "def add(a, b):\n    return "
    text, _ = passed([answer], (fim.HOLE_END,), fim_format=fim.CHAT, prefix=prefix)
    assert passed(fragments, (fim.HOLE_END,), fim_format=fim.CHAT, prefix=prefix)[0] == text
    assert passed(list(answer), (fim.HOLE_END,), fim_format=fim.CHAT, prefix=prefix)[0] == text
    assert text in answer
    assert fim.HOLE_END not in text


@pytest.mark.parametrize(
    ("suffix", "stops"),
    [
        ("", ()),
        (")", ()),
        (")\n", ()),
        ("\n}\n", ()),
        (")\n\n    print(half(4))\nmore", ("\n    print(half(4))",)),
    ],
)
def test_a_chat_model_stops_at_the_line_below(suffix: str, stops: tuple[str, ...]) -> None:
    assert unwrap.suffix_stops(suffix) == stops
