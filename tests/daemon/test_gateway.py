"""The gateway: one log row per call, fall-back before the first token only, back-off, slots, descriptions, budgets."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from midfill_daemon import errors, fim
from midfill_daemon.contract import Priority
from midfill_daemon.gateway import DESCRIPTION_LASTS_S, Gateway, Model, ModelCall, build_providers
from midfill_daemon.models import Tier, TierName
from midfill_daemon.providers import Generation, ModelInfo, Piece, Usage
from support.daemons import ME, Clock, Endless, Steered, gateway_of, soon

Rows = list[Mapping[str, Any]]

DOWN = errors.ProviderDown("refused")
TO_FAST: Mapping[TierName, Tier] = {"inline": Tier("scripted", fall_back="fast")}


async def build(model: Model) -> Generation:
    return Generation(prompt=f"for {model.info.name}")


def call(tier: TierName = "inline", editor: str = "window", priority: Priority = "interactive") -> ModelCall:
    return ModelCall("completion", tier, "p1", build, ME, priority, editor)


async def take(gateway: Gateway, asked: ModelCall | None = None, into: list[str] | None = None) -> str:
    """All text of one call; `into` has what came before a failure."""
    pieces = [] if into is None else into
    async with aclosing(gateway.stream(asked or call())) as values:
        async for value in values:
            if isinstance(value, Piece):
                pieces.append(value.text)
    return "".join(pieces)


# --- the log row -----------------------------------------------------------------------------------

ROW = {
    "task": "completion",
    "tier": "inline",
    "provider": "scripted",
    "model": "steered",
    "prompt_version": "p1",
    "caller": "me",
    "workspace": "local",
    "editor": "window",
    "priority": "interactive",
    "outcome": "ok",
    "error_code": "",
    "prompt_tokens": 5,
    "cached_tokens": 2,
    "output_tokens": 1,
    "first_token_ms": 10.0,
    "total_ms": 20.0,
    "fallback_from": "",
}


async def row_of(provider: Steered, clock: Clock, until: Callable[[Gateway], Any]) -> Mapping[str, Any]:
    rows: Rows = []
    await until(gateway_of(provider, rows, clock))
    assert len(rows) == 1
    return rows[0]


async def finish(gateway: Gateway) -> None:
    assert await take(gateway) == "onetwo"


async def leave_early(gateway: Gateway) -> None:
    async with aclosing(gateway.stream(call())) as values:
        async for value in values:
            if isinstance(value, Piece):
                break


async def meet(gateway: Gateway) -> None:
    with pytest.raises(errors.MidfillError):
        await take(gateway)


UNKNOWN = {"prompt_tokens": -1, "cached_tokens": -1}
PROMPT = Usage(prompt_tokens=5, cached_tokens=2, finish="")


@pytest.mark.parametrize(
    ("turns", "until", "changed"),
    [
        (["one", "two"], finish, {}),
        (["one", "two"], leave_early, {**UNKNOWN, "outcome": "closed", "total_ms": 10.0}),
        ([PROMPT, "one", "two"], leave_early, {"outcome": "closed", "total_ms": 10.0}),
        (
            [DOWN],
            meet,
            {
                **UNKNOWN,
                "outcome": "error",
                "error_code": "provider_down",
                "output_tokens": 0,
                "first_token_ms": None,
                "total_ms": 0.0,
            },
        ),
        (
            ["one", errors.ProviderTimeout("hung")],
            meet,
            {**UNKNOWN, "outcome": "error", "error_code": "truncated", "total_ms": 10.0},
        ),
    ],
    ids=["ok", "closed", "closed with usage", "error", "truncated"],
)
async def test_a_call_is_one_row(turns: list[Any], until: Callable[[Gateway], Any], changed: dict[str, Any]) -> None:
    clock = Clock()
    row = await row_of(Steered([turns], clock=clock), clock, until)
    assert {name: value for name, value in row.items() if name != "revision"} == {**ROW, **changed}
    assert len(str(row["revision"])) == 16


async def test_what_was_generated_is_counted_where_the_service_does_not_tell() -> None:
    rows: Rows = []
    provider = Steered([["a", "b", "c"]])
    provider.usage = replace(provider.usage, output_tokens=-1)
    await take(gateway_of(provider, rows))
    assert rows[0]["output_tokens"] == 3


async def test_a_cancelled_call_closes_the_stream_and_is_a_row() -> None:
    rows: Rows = []
    provider = Steered([["one", asyncio.Event()]])
    taking = asyncio.create_task(take(gateway_of(provider, rows)))
    await soon(provider.started.is_set)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    assert provider.cancelled.is_set()
    assert [row["outcome"] for row in rows] == ["closed"]


async def test_an_endless_model_is_closed_with_the_stream() -> None:
    provider = Endless()
    await leave_early(gateway_of(provider))
    assert (provider.tokens, provider.cancelled.is_set()) == (1, True)


async def test_a_defect_of_ours_is_an_error_in_the_row() -> None:
    async def broken(_: Model) -> Generation:
        raise KeyError("a defect")

    rows: Rows = []
    with pytest.raises(KeyError):
        await take(gateway_of(Steered(), rows), replace(call(), build=broken))
    assert [(row["outcome"], row["error_code"]) for row in rows] == [("error", "internal")]


# --- no model --------------------------------------------------------------------------------------


async def test_a_tier_that_is_not_configured_is_missing() -> None:
    rows: Rows = []
    gateway = gateway_of(Steered(), rows)
    with pytest.raises(errors.ModelMissing, match="'fast'"):
        await take(gateway, call("fast"))
    with pytest.raises(errors.ModelMissing):
        await gateway.model("fast")
    assert isinstance(gateway.known("fast"), errors.ModelMissing)
    assert [(row["tier"], row["outcome"], row["error_code"]) for row in rows] == [("fast", "error", "model_missing")]


async def test_a_model_that_is_not_pulled_is_named_until_it_is_there() -> None:
    provider = Steered(description_fails=errors.ModelMissing("pull it"))
    gateway = gateway_of(provider)
    with pytest.raises(errors.ModelMissing, match="pull it"):
        await take(gateway)
    assert gateway.known("inline") is provider.description_fails
    provider.description_fails = None
    assert await take(gateway) == "answer"
    assert isinstance(gateway.known("inline"), Model)


async def test_the_summary_says_what_answers_or_why_nothing_does() -> None:
    provider = Steered(description_fails=DOWN)
    gateway = gateway_of(provider)
    assert await gateway.summary("inline") == {
        "tier": "inline",
        "provider": "scripted",
        "code": "provider_down",
        "reason": "refused",
    }
    provider.description_fails = None
    assert await gateway.summary("inline") == {
        "tier": "inline",
        "provider": "scripted",
        "model": "steered",
        "format": fim.PREFIX_ONLY,
    }


# --- fall-back -------------------------------------------------------------------------------------


def two(first: Steered, second: Steered, rows: Rows) -> Gateway:
    return gateway_of(first, rows, tiers=TO_FAST, others={"fast": second})


@pytest.mark.parametrize("failing", ["stream", "describe"])
async def test_another_tier_answers_when_the_first_fails_before_its_first_token(failing: str) -> None:
    first = Steered([[DOWN]], description_fails=DOWN if failing == "describe" else None)
    second = Steered([["from fast"]], ModelInfo("other", 8192))
    rows: Rows = []
    assert await take(two(first, second, rows)) == "from fast"
    assert [generation.prompt for generation in second.generations] == ["for other"]
    told = [(row["tier"], row["model"], row["fallback_from"], row["outcome"]) for row in rows]
    assert told == [("fast", "other", "inline", "ok")]


@pytest.mark.parametrize("failure", [DOWN, errors.ProviderTimeout("hung"), errors.Truncated("broke off")])
async def test_after_the_first_token_it_is_truncated(failure: errors.ProviderError) -> None:
    second = Steered()
    text: list[str] = []
    with pytest.raises(errors.Truncated):
        await take(two(Steered([["one", failure]]), second, []), into=text)
    assert text == ["one"]
    assert second.generations == []


async def test_when_all_fail_the_last_failure_is_told() -> None:
    rows: Rows = []
    gateway = two(Steered([[DOWN]]), Steered([[errors.ProviderTimeout("hung")]]), rows)
    with pytest.raises(errors.ProviderTimeout):
        await take(gateway)
    assert [(row["outcome"], row["error_code"]) for row in rows] == [("error", "provider_timeout")]


async def test_a_circle_of_fall_backs_ends() -> None:
    tiers: Mapping[TierName, Tier] = {
        "inline": Tier("scripted", fall_back="fast"),
        "fast": Tier("scripted", fall_back="inline"),
    }
    first, second = Steered([[DOWN]]), Steered([[DOWN]])
    gateway = gateway_of(first, tiers=tiers, others={"fast": second})
    with pytest.raises(errors.ProviderDown):
        await take(gateway)
    assert (len(first.generations), len(second.generations)) == (1, 1)


async def test_a_busy_model_is_not_replaced_by_another() -> None:
    first = Steered([["one", asyncio.Event()]], ModelInfo("steered", 8192, slots=1))
    gateway = gateway_of(first, tiers=TO_FAST, others={"fast": Steered()}, queue_limit=0)
    holding = asyncio.create_task(take(gateway))
    await soon(first.started.is_set)
    with pytest.raises(errors.Busy):
        await take(gateway)
    holding.cancel()


# --- back-off --------------------------------------------------------------------------------------


async def failures(gateway: Gateway, count: int) -> list[errors.MidfillError]:
    met: list[errors.MidfillError] = []
    for _ in range(count):
        with pytest.raises(errors.MidfillError) as caught:
            await take(gateway)
        met.append(caught.value)
    return met


async def test_from_the_second_failure_on_the_model_is_left_alone_for_a_while() -> None:
    clock = Clock()
    provider = Steered([[DOWN], [DOWN], ["well again"]])
    gateway = gateway_of(provider, clock=clock)
    refused = (await failures(gateway, 3))[-1]
    assert len(provider.generations) == 2
    assert refused.code == "provider_down"
    assert 0 < (refused.retry_after_s or 0) <= 1
    clock.now_s += 1.0
    assert await take(gateway) == "well again"
    assert isinstance(gateway.known("inline"), Model)


async def test_what_the_service_asks_for_counts_from_the_first_failure_on() -> None:
    clock = Clock()
    provider = Steered([[errors.RateLimited("later", 7.0)], ["well again"]])
    gateway = gateway_of(provider, clock=clock)
    limited, refused = await failures(gateway, 2)
    assert (limited.code, limited.retry_after_s) == ("rate_limited", 7.0)
    assert (refused.code, refused.retry_after_s) == ("rate_limited", 7.0)
    clock.now_s += 6.9
    assert len(await failures(gateway, 1)) == 1
    clock.now_s += 0.1
    assert await take(gateway) == "well again"
    assert len(provider.generations) == 2


async def test_while_it_is_left_alone_the_other_tier_answers() -> None:
    first = Steered([[errors.RateLimited("later", 30.0)]])
    rows: Rows = []
    gateway = two(first, Steered([["from fast"]]), rows)
    assert [await take(gateway), await take(gateway)] == ["from fast", "from fast"]
    assert len(first.generations) == 1


async def test_a_call_that_was_closed_early_ends_a_row_of_failures() -> None:
    provider = Steered([[DOWN], ["one", "two"], [DOWN], ["well"]])
    gateway = gateway_of(provider)
    await failures(gateway, 1)
    await leave_early(gateway)
    await failures(gateway, 1)
    assert await take(gateway) == "well"


async def test_the_callers_mistakes_are_no_failures_of_the_model() -> None:
    async def refuse(_: Model) -> Generation:
        raise errors.BadInput("prefix: wrong")

    provider = Steered()
    gateway = gateway_of(provider)
    for _ in range(5):
        with pytest.raises(errors.BadInput):
            await take(gateway, replace(call(), build=refuse))
    assert await take(gateway) == "answer"


# --- slots -----------------------------------------------------------------------------------------


async def test_each_editor_keeps_its_slot() -> None:
    provider = Steered()
    gateway = gateway_of(provider)
    for editor in ("a", "b", "a", "b", "b", "a"):
        await take(gateway, call(editor=editor))
    slots = [generation.slot for generation in provider.generations]
    assert slots == [slots[0], slots[1], slots[0], slots[1], slots[1], slots[0]]
    assert {slots[0], slots[1]} == {0, 1}


async def test_waiting_calls_go_by_interactivity() -> None:
    hold = asyncio.Event()
    provider = Steered([[hold], ["x"]], ModelInfo("steered", 8192, slots=1))
    rows: Rows = []
    gateway = gateway_of(provider, rows)
    ranks: tuple[Priority, ...] = ("interactive", "batch", "speculative", "interactive")
    calls = [asyncio.create_task(take(gateway, call(priority=rank))) for rank in ranks]
    await soon(provider.started.is_set)
    hold.set()
    await asyncio.gather(*calls)
    assert [row["priority"] for row in rows] == ["interactive", "interactive", "speculative", "batch"]


@pytest.mark.parametrize("before", [[], ["some", "text"]], ids=["silent", "answering"])
async def test_speculation_gives_way_without_counting_as_a_failure(before: list[Any]) -> None:
    provider = Steered([[*before, asyncio.Event()], ["well"]] * 3, ModelInfo("steered", 8192, slots=1))
    rows: Rows = []
    gateway = gateway_of(provider, rows)
    for _ in range(3):
        text: list[str] = []
        guess = asyncio.create_task(take(gateway, call(priority="speculative"), into=text))
        await soon(lambda: len(provider.generations) == len(rows) + 1)
        assert await asyncio.wait_for(take(gateway), 20) == "well"
        with pytest.raises(errors.Preempted):
            await guess
        assert text == before
    assert provider.cancelled.is_set()
    told = [(row["priority"], row["outcome"], row["error_code"]) for row in rows]
    assert told == [("speculative", "closed", "preempted"), ("interactive", "ok", "")] * 3


@pytest.mark.parametrize(("configured", "described", "at_once"), [(0, 3, 3), (1, 3, 1), (4, 1, 4)])
async def test_the_configuration_stands_above_the_service(configured: int, described: int, at_once: int) -> None:
    provider = Steered([[asyncio.Event()]], ModelInfo("steered", 8192, slots=described))
    tiers: Mapping[TierName, Tier] = {"inline": Tier("scripted", slots=configured)}
    gateway = gateway_of(provider, tiers=tiers)
    calls = [asyncio.create_task(take(gateway)) for _ in range(6)]
    await soon(lambda: len(provider.generations) == at_once)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(provider.generations) == at_once
    for each in calls:
        each.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


# --- what is known of a model -----------------------------------------------------------------------


async def test_a_description_is_kept_for_a_while() -> None:
    clock, provider = Clock(), Steered()
    gateway = gateway_of(provider, clock=clock)
    for _ in range(3):
        await gateway.model("inline")
    assert provider.described == 1
    clock.now_s += DESCRIPTION_LASTS_S + 1
    provider.info = ModelInfo("new", 4096)
    assert (await gateway.model("inline")).info.name == "new"
    assert provider.described == 2


async def test_nothing_is_known_before_anybody_asks() -> None:
    assert gateway_of(Steered()).known("inline") is None


async def test_loading_ahead_keeps_the_failure_for_whoever_asks() -> None:
    gateway = gateway_of(Steered(description_fails=DOWN))
    await gateway.load("inline")
    assert gateway.known("inline") is DOWN


async def test_closing_closes_the_providers() -> None:
    provider = Steered()
    await gateway_of(provider).close()
    assert provider.closed


def model(tier: Tier, info: ModelInfo) -> Model:
    return Model("inline", tier, info, Steered())


@pytest.mark.parametrize(
    ("configured", "context_tokens", "prefill_tokens_s", "budget"),
    [
        (0, 8192, 1000.0, 1024),
        (0, 8192, 1023.0, 1024),
        (0, 8192, 1024.0, 2048),
        (0, 8192, 160.0, 256),
        (0, 8192, 1.0, 256),
        (0, 8192, 0.0, 256),
        (0, 100_000, 1e6, 4096),
        (0, 512, 1e6, 512 - 64 - 16),
        (0, 10, 1e6, 5),
        (0, 100, 1e6, 50),
        (3000, 8192, 1.0, 3000),
        (3000, 2048, 1.0, 2048 - 64 - 16),
    ],
)
def test_the_prompts_budget(configured: int, context_tokens: int, prefill_tokens_s: float, budget: int) -> None:
    tier = Tier("scripted", prompt_tokens=configured)
    info = ModelInfo("m", context_tokens, prefill_tokens_s=prefill_tokens_s)
    assert model(tier, info).prompt_tokens == budget


@pytest.mark.parametrize(
    ("max_tokens", "context_tokens", "output_tokens"),
    [(64, 8192, 64), (64, 100, 34), (4000, 2048, 1008), (64, 10, 1), (1_000_000, 10, 1)],
)
def test_the_answer_has_room_beside_the_prompt(max_tokens: int, context_tokens: int, output_tokens: int) -> None:
    asked = model(Tier("scripted", max_tokens=max_tokens, prompt_tokens=100_000), ModelInfo("m", context_tokens))
    assert asked.output_tokens == output_tokens


async def test_a_configured_context_stands_above_the_service() -> None:
    tiers: Mapping[TierName, Tier] = {"inline": Tier("scripted", context_tokens=1000)}
    described = await gateway_of(Steered(), tiers=tiers).model("inline")
    assert described.info.context_tokens == 1000


QWEN = frozenset(fim.FORMATS["qwen"].proof)


@pytest.mark.parametrize(
    ("configured", "tokens", "tier_model", "served", "detected"),
    [
        ("auto", frozenset(), "", "unknown", fim.PREFIX_ONLY),
        ("auto", frozenset(), "", "qwen2.5-coder-1.5b", "qwen"),
        ("auto", QWEN, "", "unknown", "qwen"),
        ("auto", QWEN, "", "starcoder2-3b", "qwen"),
        ("auto", frozenset(), "starcoder2-3b", "qwen2.5-coder", "starcoder2"),
        ("starcoder2", QWEN, "qwen2.5-coder", "qwen2.5-coder", "starcoder2"),
    ],
)
def test_detection(configured: str, tokens: frozenset[str], tier_model: str, served: str, detected: str) -> None:
    tier = Tier("scripted", fim=configured, model=tier_model)
    assert model(tier, ModelInfo(served, 8192, control_tokens=tokens)).format == detected


@pytest.mark.parametrize(
    ("mode", "name", "detected"),
    [
        ("auto", "gpt-4o", fim.CHAT),
        ("raw", "gpt-4o", fim.PREFIX_ONLY),
        ("suffix", "gpt-4o", fim.PREFIX_ONLY),
        ("chat", "gpt-4o", fim.CHAT),
        ("chat", "qwen2.5-coder", fim.CHAT),
        ("raw", "qwen2.5-coder", "qwen"),
    ],
)
def test_how_a_service_is_asked_decides_about_chat(mode: Any, name: str, detected: str) -> None:
    assert model(Tier("scripted", mode=mode), ModelInfo(name, 8192)).format == detected


BASE = Tier("scripted"), ModelInfo("m", 8192), "p1"


@pytest.mark.parametrize(
    ("tier", "info", "version", "same"),
    [
        (*BASE, True),
        (replace(BASE[0], timeout_s=9.0), *BASE[1:], True),
        (BASE[0], replace(BASE[1], context_tokens=99), "p1", True),
        (replace(BASE[0], provider="other"), *BASE[1:], False),
        (replace(BASE[0], temperature=0.5), *BASE[1:], False),
        (replace(BASE[0], fim="qwen"), *BASE[1:], False),
        (BASE[0], replace(BASE[1], name="other"), "p1", False),
        (*BASE[:2], "p2", False),
    ],
)
def test_the_revision_follows_what_changes_the_answer(tier: Tier, info: ModelInfo, version: str, same: bool) -> None:
    assert (model(tier, info).revision(version) == model(*BASE[:2]).revision("p1")) is same


def test_an_unknown_provider_is_named() -> None:
    with pytest.raises(errors.ConfigError, match=r"tiers\.inline\.provider: 'magic' is unknown; known are steered"):
        build_providers({"inline": Tier("magic")}, {"steered": lambda _: Steered()})
