"""The scripted provider: what a script says, what is wrong with one, and that it plays exactly that."""

import asyncio
import json
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from midfill_daemon import errors, fim
from midfill_daemon.contract import Snippet
from midfill_daemon.models import Tier
from midfill_daemon.providers import Generation, Message, Usage, script, scripted


@dataclass(slots=True)
class Clock:
    """Notes the sleeps and returns at once."""

    slept_s: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)


def playing(raw: dict[str, Any], clock: Clock | None = None, folder: Path = Path(), **tier: Any) -> scripted.Scripted:
    sleep = (clock or Clock()).sleep
    return scripted.Scripted(script.parse(raw, folder), Tier("scripted", **tier), sleep)


async def collect(
    provider: scripted.Scripted, generation: Generation, arrived: list[str] | None = None
) -> tuple[list[str], Usage]:
    """All of a stream; the text goes into `arrived`, which is still there when the stream fails."""
    pieces = [] if arrived is None else arrived
    usage = Usage()
    async with aclosing(provider.stream(generation)) as values:
        async for value in values:
            if isinstance(value, Usage):
                usage = value
            else:
                pieces.append(value.text)
    return pieces, usage


async def said(provider: scripted.Scripted, prompt: str, **options: Any) -> str:
    pieces, _ = await collect(provider, Generation(prompt, **options))
    return "".join(pieces)


async def test_a_rule_may_be_for_one_sample_only() -> None:
    provider = playing({"rules": [{"text": "one", "seed": 1}, {"text": "first", "seed": 0}, {"text": "other"}]})
    assert [await said(provider, "x = ", seed=seed) for seed in (0, 1, 2)] == ["first", "one", "other"]


# --- answers --------------------------------------------------------------------------------------


async def test_tokens_times_and_counters() -> None:
    clock = Clock()
    provider = playing({"first_token_ms": 60, "token_ms": 10, "rules": [{"text": "a = b(1)\n"}]}, clock)
    pieces, usage = await collect(provider, Generation("x" * 30))
    assert pieces == ["a", " ", "=", " ", "b", "(", "1", ")", "\n"]
    assert clock.slept_s == [0.06, *[0.01] * 8]
    assert usage == Usage(10, 0, 9, finish="stop")
    assert (provider.calls, provider.cancelled, provider.tokens) == (1, 0, 9)


@pytest.mark.parametrize(
    ("options", "expected", "finish"),
    [
        ({}, "one\ntwo\n\nthree", "stop"),
        ({"stops": ("\n\n", "two")}, "one\n", "stop"),
        ({"max_tokens": 3}, "one\ntwo", "length"),
        ({"max_tokens": 0}, "", "length"),
        ({"stops": ("\n",), "max_tokens": 1}, "one", "stop"),
    ],
)
async def test_stops_and_limits(options: dict[str, Any], expected: str, finish: str) -> None:
    pieces, usage = await collect(playing({"rules": [{"text": "one\ntwo\n\nthree"}]}), Generation("x", **options))
    assert ("".join(pieces), usage.finish) == (expected, finish)


async def test_the_first_matching_rule_that_is_not_used_up_wins() -> None:
    rules = [{"match": "def $", "text": "f", "times": 1}, {"match": "def ", "text": "g"}, {"text": "else"}]
    provider = playing({"rules": rules})
    prompts = ("def ", "def ", "def h", "class ")
    assert [await said(provider, prompt) for prompt in prompts] == ["f", "g", "g", "else"]


async def test_a_rule_has_its_own_times() -> None:
    clock = Clock()
    rule = {"text": "a b", "first_token_ms": 5, "token_ms": 0}
    await said(playing({"first_token_ms": 60, "token_ms": 10, "rules": [rule]}, clock), "x")
    assert clock.slept_s == [0.005]


async def test_without_rules_the_answer_depends_on_the_prompt_and_the_seed_only() -> None:
    answers = [await said(playing({"seed": seed}), prompt) for seed in (0, 0, 1) for prompt in ("a", "b")]
    assert answers[:2] == answers[2:4]
    assert len(set(answers)) == 4
    assert all(answers)


async def test_a_warm_up_is_nothing_and_uses_no_rule_up() -> None:
    provider = playing({"rules": [{"match": "x", "text": "once", "times": 1}]})
    assert await said(provider, "x", max_tokens=0) == ""
    assert (provider.calls, await said(provider, "x")) == (0, "once")


# --- the oracle -----------------------------------------------------------------------------------

SOURCE = "def first(one):\n    return one + 1\n\n\ndef second(two):\n    return two + 2\n"


@pytest.fixture
def oracle(tmp_path: Path) -> Path:
    (tmp_path / "source.py").write_text(SOURCE)
    (tmp_path / "other.py").write_text("if odd:\n    return one + 100\n")
    return tmp_path


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("def first(one):\n    return ", "one + 1\n"),
        ("anything\n\ndef second(two):\n    return ", "two + 2\n"),
        ("if odd:\n    return one + ", "100\n"),
        (SOURCE, ""),
    ],
)
async def test_the_oracle_continues_the_longest_match(oracle: Path, prompt: str, expected: str) -> None:
    provider = playing({"oracle": ["other.py", "source.py"]}, folder=oracle)
    assert (await said(provider, prompt, stops=("\n\n",))).partition("\n")[0] == expected.partition("\n")[0]


@pytest.mark.parametrize("prompt", ["unknown text", "one", ""])
async def test_what_the_oracle_does_not_know_is_invented(oracle: Path, prompt: str) -> None:
    assert await said(playing({"oracle": ["source.py"]}, folder=oracle), prompt) == await said(playing({}), prompt)


@pytest.mark.parametrize(("share", "lowest", "highest"), [(0, 0, 0), (0.7, 0.55, 0.85), (1, 1, 1)])
async def test_the_oracle_is_right_as_often_as_told(
    tmp_path: Path, share: float, lowest: float, highest: float
) -> None:
    source = "".join(f"value_{number} = compute({number})\n" for number in range(200))
    (tmp_path / "source.py").write_text(source)
    provider = playing({"oracle": ["source.py"], "right_share": share}, folder=tmp_path)
    ends = [source.index(f"value_{number} =") for number in range(1, 200)]
    truths = [source[end:].partition(" ")[0] for end in ends]
    answers = [await said(provider, source[:end], stops=(" ",)) for end in ends]
    same = sum(map(str.__eq__, answers, truths)) / len(ends)
    assert lowest <= same <= highest


@pytest.mark.parametrize("right", ["one + 1\n", "\n    return x\n", "", "(+)", "value"])
@pytest.mark.parametrize("key", range(8))
def test_a_wrong_answer_differs_from_its_first_characters_on(right: str, key: int) -> None:
    wrong = scripted._wrong(right, key)
    assert wrong[:8] != right[:8]


@pytest.mark.parametrize("format_name", fim.FORMATS)
@pytest.mark.parametrize("snippets", [(), (Snippet("other.py", "elsewhere\n"),)])
async def test_the_oracle_sees_through_rendered_prompts(
    oracle: Path, format_name: str, snippets: tuple[Snippet, ...]
) -> None:
    provider = playing({"oracle": ["source.py"], "fim": format_name}, folder=oracle)
    parts = fim.Parts("def first(one):\n    return ", "\n# after\n", "source.py", "repository", snippets)
    prompt = fim.render(format_name, parts).text
    assert await said(provider, prompt, stops=("\n",)) == "one + 1"


async def test_chat_is_answered_by_the_last_message() -> None:
    provider = playing({"rules": [{"match": "hello", "text": "yes"}, {"text": "no"}]})
    messages = (Message("system", "hello"), Message("user", "bye"))
    assert (await collect(provider, Generation(messages=messages)))[0] == ["no"]


# --- faults and cancellation ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected", "text", "retry_after_s"),
    [
        ("error_500", errors.ProviderError, "", None),
        ("rate_limited:3", errors.RateLimited, "", 3.0),
        ("hang", errors.ProviderTimeout, "", None),
        ("refused", errors.ProviderDown, "", None),
        ("garbage", errors.ProviderError, "", None),
        ("truncate:0", errors.ProviderError, "", None),
        ("truncate:2", errors.Truncated, "a ", None),
        ("truncate:50", errors.Truncated, "a b", None),
    ],
)
async def test_faults(fault: str, expected: type[errors.ProviderError], text: str, retry_after_s: float | None) -> None:
    clock = Clock()
    provider = playing({"rules": [{"text": "a b", "fault": fault}]}, clock, timeout_s=9.0)
    arrived: list[str] = []
    with pytest.raises(errors.ProviderError) as raised:
        await collect(provider, Generation("x"), arrived)
    assert (type(raised.value), "".join(arrived), raised.value.retry_after_s) == (expected, text, retry_after_s)
    assert clock.slept_s == ([9.0] if fault == "hang" else [])
    assert (provider.calls, provider.cancelled) == (1, 0)


async def test_a_closed_stream_counts_as_cancelled() -> None:
    provider = playing({})
    stream = provider.stream(Generation("x"))
    await anext(stream)
    await stream.aclose()
    assert (provider.cancelled, provider.tokens) == (1, 1)


async def test_a_cancelled_wait_counts_as_cancelled() -> None:
    provider = scripted.Scripted(script.parse({"first_token_ms": 60_000}, Path()))
    task = asyncio.ensure_future(collect(provider, Generation("x")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (provider.calls, provider.cancelled, provider.tokens) == (1, 1, 0)


# --- scripts --------------------------------------------------------------------------------------


async def test_a_script_from_a_file_with_options(oracle: Path) -> None:
    path = oracle / "script.json"
    path.write_text(json.dumps({"model": "toy", "slots": 2, "token_ms": 4, "oracle": ["source.py"]}))
    provider = scripted.make(Tier("scripted", f"{path}?token_ms=0&context_tokens=99"))
    info = await provider.describe()
    assert (info.name, info.slots, info.context_tokens, info.local) == ("toy", 2, 99, True)
    assert await said(provider, "def first(one):\n    return ", stops=("\n",)) == "one + 1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", script.Script()),
        ("?first_token_ms=60&token_ms=1.5", script.Script(first_token_ms=60.0, token_ms=1.5)),
        ("?text=foo", script.Script(rules=(script.Rule(text="foo"),))),
        ("?text=a%0Ab&times=2", script.Script(rules=(script.Rule(text="a\nb", times=2),))),
        ("?text=5", script.Script(rules=(script.Rule(text="5"),))),
        ("?fault=truncate:5", script.Script(rules=(script.Rule(fault=script.Fault("truncate", 5)),))),
    ],
)
def test_options_in_the_url(url: str, expected: script.Script) -> None:
    assert script.load(url) == expected


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "script: must be an object"),
        ({"modle": "x"}, "script.modle: is not one of model, fim"),
        ({"model": 3}, "script.model: must be text"),
        ({"fim": "quen"}, "script.fim: must be one of .*qwen"),
        ({"fim": ["qwen"]}, "script.fim: must be text"),
        ({"slots": 0}, "script.slots: must be a whole number, 1 or more"),
        ({"slots": True}, "script.slots: must be a whole number"),
        ({"token_ms": -1}, "script.token_ms: must be a number, 0 or more"),
        ({"token_ms": float("nan")}, "script.token_ms: must be a number"),
        ({"right_share": 1.5}, "script.right_share: must be a number from 0 to 1"),
        ({"oracle": "a.py"}, "script.oracle: must be a list"),
        ({"oracle": ["/nowhere/a.py"]}, "script.oracle: /nowhere/a.py: cannot be read"),
        ({"rules": {}}, "script.rules: must be a list"),
        ({"rules": [{}, 3]}, r"rules\[1\]: must be an object"),
        ({"rules": [{"match": "("}]}, r"rules\[0\].match: is not a regular expression"),
        ({"rules": [{"fault": "explode"}]}, r"rules\[0\].fault: must be empty or one of error_500"),
        ({"rules": [{"fault": "truncate:x"}]}, r"rules\[0\].fault: must have a whole number after truncate:"),
        ({"rules": [{"times": 1.5}]}, r"rules\[0\].times: must be a whole number"),
    ],
)
def test_a_wrong_script_is_named(raw: Any, message: str) -> None:
    with pytest.raises(errors.ConfigError, match=message):
        script.parse(raw, Path())


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("?token_ms=fast", "options.token_ms: must be a number"),
        ("?oracle=a.py", "options.oracle: is not one of"),
        ("?slots=1.5", "options.slots: must be a whole number"),
        ("?times=inf", "options.times: must be a whole number"),
        ("/nowhere/script.json", "/nowhere/script.json: cannot be read"),
    ],
)
def test_a_wrong_url_is_named(url: str, message: str) -> None:
    with pytest.raises(errors.ConfigError, match=message):
        script.load(url)


def test_a_script_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_bytes(b"\xff{")
    with pytest.raises(errors.ConfigError, match=r"script\.json: is not JSON"):
        script.load(str(path))
