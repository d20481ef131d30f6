"""Providers over fake services: what they send, what they yield, which error a fault becomes, and that closing closes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from midfill_daemon import errors, fim
from midfill_daemon.models import Tier
from midfill_daemon.providers import (
    Generation,
    Message,
    Piece,
    Provider,
    Usage,
    llama_server,
    openai_compatible,
    upstream,
)
from support.fake_services import FakeLlamaServer, FakeOpenAI, FakeService, Faults, running

PROMPT = "def add(a, b):\n    secret_of_the_user = 1\n    "
ASKED = Generation(prompt=PROMPT, stops=("\n\n", "<a>", "<b>", "<c>", "<d>"), max_tokens=64)
WHOLE = "return a + b\n"
KEY_VARIABLE = "SERVICE_KEY"
KEY = "sk-0123456789"


@dataclass(frozen=True, slots=True)
class Kind:
    """One HTTP provider: its fake service, and how it is made."""

    service: Callable[[], FakeService]
    make: Callable[[Tier, dict[str, str]], Provider]
    root: str = ""
    options: dict[str, Any] = field(default_factory=dict)


KINDS = {
    "llama_server": Kind(FakeLlamaServer, llama_server.make),
    "openai_raw": Kind(FakeOpenAI, openai_compatible.make, "/v1", {"mode": "raw"}),
    "openai_chat": Kind(FakeOpenAI, openai_compatible.make, "/v1", {"mode": "chat"}),
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def asked(kind: str) -> Generation:
    return replace(ASKED, prompt="", messages=(Message("user", PROMPT),)) if kind == "openai_chat" else ASKED


@asynccontextmanager
async def serving(kind: str, faults: Faults | None = None, **options: Any) -> AsyncIterator[tuple[Provider, Any]]:
    """A provider of `kind` and the fake service behind it."""
    row = KINDS[kind]
    service = row.service()
    service.faults = faults or Faults()
    async with running(service):
        tier = Tier(kind, service.url + row.root, api_key_env=KEY_VARIABLE, **{**row.options, **options})
        provider = row.make(tier, {KEY_VARIABLE: KEY})
        try:
            yield provider, service
        finally:
            await provider.close()


async def collect(provider: Provider, generation: Generation) -> tuple[str, Usage]:
    text, usage = "", Usage()
    async with aclosing(provider.stream(generation)) as values:
        async for value in values:
            if isinstance(value, Usage):
                usage = value
            else:
                text += value.text
    return text, usage


# --- what is yielded ------------------------------------------------------------------------------


@EVERY_KIND
@pytest.mark.parametrize(
    "faults",
    [
        Faults(),
        Faults(line_end=b"\r\n"),
        Faults(comments=True),
        Faults(comments=True, line_end=b"\r\n", chunk_bytes=1),
    ],
    ids=["plain", "crlf", "comments", "byte by byte"],
)
async def test_text_and_usage(kind: str, faults: Faults) -> None:
    async with serving(kind, faults) as (provider, _):
        text, usage = await collect(provider, asked(kind))
    assert text == WHOLE
    assert (usage.prompt_tokens, usage.cached_tokens, usage.output_tokens, usage.finish) == (100, 10, 5, "stop")


@EVERY_KIND
async def test_a_limited_answer_says_so(kind: str) -> None:
    async with serving(kind) as (provider, _):
        text, usage = await collect(provider, replace(asked(kind), max_tokens=2))
    assert (text, usage.output_tokens, usage.finish) == ("return a", 2, "length")


@EVERY_KIND
@pytest.mark.parametrize("token", ["\u2028", "\x85", "\x0b", "é\U0001f44b", 'data: {"stop": true}\n\n', "x" * 100_000])
async def test_odd_text_arrives_whole(kind: str, token: str) -> None:
    async with serving(kind) as (provider, service):
        service.tokens = (token, "y")
        text, _ = await collect(provider, asked(kind))
    assert text == token + "y"


@EVERY_KIND
@pytest.mark.parametrize("reusable", [True, False])
async def test_every_stream_has_a_connection_of_its_own(kind: str, *, reusable: bool) -> None:
    async with serving(kind) as (provider, service):
        service.reusable = reusable
        await provider.describe()
        for _ in range(5):
            assert (await collect(provider, asked(kind)))[0] == WHOLE
    assert [request.headers["connection"] for request in service.generations()] == ["close"] * 5


@EVERY_KIND
async def test_a_lone_surrogate_is_sent_as_a_question_mark(kind: str) -> None:
    generation = Generation(messages=(Message("user", "\ud800"),)) if kind == "openai_chat" else Generation("\ud800")
    async with serving(kind) as (provider, service):
        assert (await collect(provider, generation))[0] == WHOLE
        assert await provider.count_tokens("\ud800") >= 1
    sent = service.generations()[0].body
    assert (sent.get("prompt") or sent["messages"][0]["content"]) == "?"


# --- what goes wrong ------------------------------------------------------------------------------

REJECTED = json.dumps({"error": {"message": "bad field 'top_k'", "code": 404}}).encode()
ECHOED = json.dumps({"error": {"message": f"cannot parse: {PROMPT}"}}).encode()
LONG = json.dumps({"detail": "z" * 5_000}).encode()
LOADING = json.dumps({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}).encode()


@EVERY_KIND
@pytest.mark.parametrize(
    ("faults", "expected", "message"),
    [
        (Faults(status=500), errors.ProviderError, "the service answered HTTP 500"),
        (Faults(status=502, body=b"<html>proxy</html>"), errors.ProviderError, "the service answered HTTP 502"),
        (Faults(status=302), errors.ProviderError, "the service answered HTTP 302"),
        (Faults(status=404, body=REJECTED), errors.ProviderRejected, "HTTP 404: bad field 'top_k'"),
        (Faults(status=413, body=ECHOED), errors.ProviderRejected, "the service answered HTTP 413"),
        (Faults(status=413, body=LONG), errors.ProviderRejected, "HTTP 413: zzz"),
        (Faults(status=413, body=b"[" * 50_000), errors.ProviderRejected, "the service answered HTTP 413"),
        (Faults(status=401, body=ECHOED), errors.ProviderRejected, "the service refused the API key"),
        (Faults(status=403), errors.ProviderRejected, "the service refused the API key"),
        (Faults(status=429), errors.RateLimited, "fewer requests"),
        (Faults(status=503), errors.ProviderError, "the service answered HTTP 503"),
        (Faults(status=503, body=LOADING), errors.ProviderDown, "the model is still loading"),
        (Faults(raw_at=(1, b"data: {nonsense\n\n")), errors.ProviderError, "nothing that could be read"),
        (Faults(raw_at=(1, b"data: [1]\n\n")), errors.ProviderError, "nothing that could be read"),
        (Faults(raw_at=(1, b"data: \xff\xfe\n\n")), errors.ProviderError, "nothing that could be read"),
        (Faults(raw_at=(1, b"data: " + b"[" * 50_000 + b"\n\n")), errors.ProviderError, "nothing that could be read"),
        (Faults(raw_at=(3, b"data: {nonsense\n\n")), errors.Truncated, "broke off"),
        (Faults(close_at=1), errors.ProviderError, "nothing that could be read"),
        (Faults(close_at=3), errors.Truncated, "broke off"),
        (Faults(hang_at=0), errors.ProviderTimeout, "no answer within 0.2 s"),
        (Faults(hang_at=3), errors.ProviderTimeout, "no answer within 0.2 s"),
    ],
)
async def test_faults_become_errors(
    kind: str, faults: Faults, expected: type[errors.ProviderError], message: str
) -> None:
    async with serving(kind, faults, timeout_s=0.2 if faults.hang_at >= 0 else 30.0) as (provider, _):
        with pytest.raises(errors.ProviderError, match=message) as raised:
            await collect(provider, asked(kind))
    assert type(raised.value) is expected
    assert len(raised.value.message) <= 200
    assert "secret_of_the_user" not in raised.value.message
    assert KEY not in raised.value.message


@EVERY_KIND
async def test_an_error_inside_the_stream_is_reported(kind: str) -> None:
    line = b'data: {"error": {"code": 400, "message": "context is full"}}\n\n'
    async with serving(kind, Faults(raw_at=(1, line))) as (provider, _):
        with pytest.raises(errors.ProviderRejected, match="HTTP 400: context is full"):
            await collect(provider, asked(kind))


@EVERY_KIND
async def test_retry_after_is_passed_on(kind: str) -> None:
    async with serving(kind, Faults(status=429, headers={"Retry-After": "2"})) as (provider, _):
        with pytest.raises(errors.RateLimited) as raised:
            await collect(provider, asked(kind))
    assert raised.value.retry_after_s == 2


@EVERY_KIND
async def test_nobody_listens(kind: str) -> None:
    async with serving(kind) as (_, service):
        url = service.url
    row = KINDS[kind]
    provider = row.make(Tier(kind, url + row.root, model="m", **row.options), {})
    with pytest.raises(errors.ProviderDown, match=f"nothing answers at {url}$"):
        await collect(provider, asked(kind))
    await provider.close()


@EVERY_KIND
async def test_the_next_call_after_a_fault_works(kind: str) -> None:
    async with serving(kind, Faults(close_at=3)) as (provider, service):
        with pytest.raises(errors.Truncated):
            await collect(provider, asked(kind))
        service.faults = Faults()
        assert (await collect(provider, asked(kind)))[0] == WHOLE


NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("999999999", 3600.0),
        ("Mon, 23 Nov 2026 12:00:07 GMT", 7.0),
        ("Mon, 23 Nov 2026 12:00:07 -0000", 7.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("Mon, 99 Nov 2026 12:00:07 GMT", None),
        ("1, 2", None),
    ],
)
def test_retry_after(value: str, expected: float | None) -> None:
    assert upstream.retry_after_s({"retry-after": value}, NOW) == expected


def test_streams_over_tls_share_connections() -> None:
    assert upstream.stream_headers("https://api.example.com/v1") == {}


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080/v1", True),
        ("http://[::1]:8080", True),
        ("http://10.0.0.7:8080", False),
        ("https://api.example.com/v1", False),
        ("http://localhost.example.com", False),
    ],
)
def test_is_local(url: str, *, local: bool) -> None:
    assert upstream.is_local(url) is local


# --- closing --------------------------------------------------------------------------------------


@EVERY_KIND
@pytest.mark.parametrize("hang_at", [0, 3], ids=["before the first token", "between tokens"])
async def test_cancelling_closes_the_connection(kind: str, hang_at: int) -> None:
    async with serving(kind, Faults(hang_at=hang_at)) as (provider, service):
        task = asyncio.ensure_future(collect(provider, asked(kind)))
        await (service.served if hang_at else service.asked).wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(service.disconnected.wait(), 5)


@EVERY_KIND
async def test_closing_the_stream_closes_the_connection(kind: str) -> None:
    async with serving(kind, Faults(hang_at=4)) as (provider, service):
        async with aclosing(provider.stream(asked(kind))) as stream:
            while await anext(stream) != Piece("return"):
                pass
        await asyncio.wait_for(service.disconnected.wait(), 5)


@EVERY_KIND
async def test_a_timeout_closes_the_connection(kind: str) -> None:
    async with serving(kind, Faults(hang_at=3), timeout_s=0.2) as (provider, service):
        with pytest.raises(errors.ProviderTimeout):
            await collect(provider, asked(kind))
        await asyncio.wait_for(service.disconnected.wait(), 5)


# --- llama-server ---------------------------------------------------------------------------------


async def test_llama_request() -> None:
    async with serving("llama_server") as (provider, service):
        await collect(provider, replace(ASKED, slot=2, seed=5, temperature=0.5))
        assert (await collect(provider, replace(ASKED, max_tokens=0)))[0] == ""
    first, warm_up = service.generations()
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert first.body == {
        "prompt": PROMPT,
        "n_predict": 64,
        "temperature": 0.5,
        "top_k": 40,
        "seed": 5,
        "stop": list(ASKED.stops),
        "cache_prompt": True,
        "stream": True,
        "return_progress": True,
        "id_slot": 2,
    }
    assert (warm_up.body["n_predict"], warm_up.body["top_k"], "id_slot" in warm_up.body) == (0, 1, False)


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        ({"total": 100, "cache": 90, "processed": 100}, [Usage(100, 90, finish="")]),
        ({"total": 100, "processed": 100}, []),
        ({"total": None, "cache": "x"}, [Usage(finish="")]),
        (None, []),
    ],
    ids=["told", "an older build", "nonsense", "nothing"],
)
async def test_llama_tells_of_the_prompt_before_the_answer(progress: Any, told: list[Usage]) -> None:
    async with serving("llama_server") as (provider, service):
        service.progress = progress
        async with aclosing(provider.stream(ASKED)) as values:
            seen = [value async for value in values]
    before = seen[: seen.index(Piece("return"))]
    assert before == told
    assert [value.finish for value in seen if isinstance(value, Usage) and value not in told] == ["stop"]


async def test_llama_counts_no_token_of_a_warm_up() -> None:
    async with serving("llama_server") as (provider, _):
        _, usage = await collect(provider, replace(ASKED, max_tokens=0))
        info = await provider.describe()
    assert (usage.prompt_tokens, usage.output_tokens, info.reads_ahead) == (100, 0, True)


async def test_llama_chat_prompts_go_through_the_models_template() -> None:
    async with serving("llama_server") as (provider, service):
        await collect(provider, Generation(messages=(Message("system", "be brief"), Message("user", "hi"))))
    assert service.generations()[0].body["prompt"] == "[system]be brief[user]hi"


async def test_llama_describes_itself() -> None:
    async with serving("llama_server") as (provider, _):
        info = await provider.describe()
    assert (info.name, info.context_tokens, info.slots, info.local) == ("tiny-coder-q8_0", 2048, 3, True)
    assert (info.prefill_tokens_s, info.suffix_field, info.control_tokens) == (1000.0, False, frozenset())


async def test_configuration_beats_what_llama_says() -> None:
    async with serving("llama_server", model="mine", context_tokens=512, slots=1) as (provider, _):
        info = await provider.describe()
    assert (info.name, info.context_tokens, info.slots) == ("mine", 512, 1)


@pytest.mark.parametrize("format_name", [name for name, row in fim.FORMATS.items() if row.proof])
async def test_llama_vocabulary_decides_the_format(format_name: str) -> None:
    async with serving("llama_server") as (provider, service):
        service.control_tokens = frozenset(fim.FORMATS[format_name].proof)
        service.props = {"model_alias": f"some-{format_name}-finetune"}
        info = await provider.describe()
    assert info.control_tokens == service.control_tokens
    assert fim.detect("auto", info.control_tokens, info.name) == format_name


async def test_llama_is_probed_again_only_for_another_model() -> None:
    async with serving("llama_server") as (provider, service):
        await provider.describe()
        probes = len(service.seen)
        await provider.describe()
        assert len(service.seen) == probes + 1
        service.props = {**service.props, "model_path": "C:\\models\\other.gguf"}
        service.control_tokens = frozenset(fim.FORMATS["qwen"].proof)
        info = await provider.describe()
    assert (info.name, info.control_tokens) == ("other", service.control_tokens)


@pytest.mark.parametrize(
    ("missing", "name", "context_tokens"),
    [
        (frozenset({"/props"}), "listed-model", 4096),
        (frozenset({"/tokenize"}), "tiny-coder-q8_0", 2048),
        (frozenset({"/props", "/tokenize", "/v1/models"}), "llama-server", 4096),
    ],
)
async def test_older_llama_servers_work(missing: frozenset[str], name: str, context_tokens: int) -> None:
    async with serving("llama_server", Faults(missing=missing)) as (provider, _):
        info = await provider.describe()
        tokens = await provider.count_tokens("one two three four")
        text, _ = await collect(provider, ASKED)
    assert (info.name, info.context_tokens, info.control_tokens) == (name, context_tokens, frozenset())
    assert tokens == (6 if "/tokenize" in missing else 4)
    assert text == WHOLE


async def test_a_tokenizer_that_makes_one_token_of_anything_proves_nothing() -> None:
    async with serving("llama_server") as (provider, service):
        service.control_tokens = frozenset((*fim.CONTROL_TOKENS, llama_server.NO_SUCH_TOKEN))
        assert (await provider.describe()).control_tokens == frozenset()


@pytest.mark.parametrize("props", [{}, {"default_generation_settings": 3, "total_slots": "x", "model_path": None}])
async def test_odd_props_are_ignored(props: dict[str, Any]) -> None:
    async with serving("llama_server") as (provider, service):
        service.props = props
        info = await provider.describe()
    assert (info.name, info.context_tokens, info.slots) == ("listed-model", 4096, 1)


async def test_llama_is_still_loading() -> None:
    async with serving("llama_server") as (provider, service):
        service.props_status, service.props = 503, json.loads(LOADING)
        with pytest.raises(errors.ProviderDown, match="the model is still loading"):
            await provider.describe()


async def test_llama_prefill_speed_is_learnt_from_prompts_that_were_read() -> None:
    async with serving("llama_server") as (provider, service):
        for timings, expected in [
            ({"prompt_n": 1, "prompt_per_second": 9.0}, 1000.0),
            ({"prompt_n": 90, "prompt_per_second": 500.0}, 500.0),
            ({"prompt_n": 90, "prompt_per_second": 600.0}, 530.0),
            ({"prompt_n": 90, "prompt_per_second": None}, 530.0),
        ]:
            service.timings = timings
            await collect(provider, ASKED)
            assert (await provider.describe()).prefill_tokens_s == pytest.approx(expected)


# --- OpenAI-compatible services -------------------------------------------------------------------

SUFFIXED = Generation(prompt="def f(", suffix="):\n    pass\n", max_tokens=64)


async def test_openai_request() -> None:
    async with serving("openai_raw") as (provider, service):
        await collect(provider, ASKED)
        await collect(provider, replace(ASKED, temperature=0.5, seed=5, stops=()))
    first, second = service.generations()
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert "openai-organization" not in first.headers
    assert first.body == {
        "model": "served-model",
        "prompt": PROMPT,
        "max_tokens": 64,
        "temperature": 0.0,
        "stop": ["\n\n", "<a>", "<b>", "<c>"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert (second.body["seed"], "stop" in second.body) == (5, False)


async def test_openai_is_not_asked_to_warm_up() -> None:
    async with serving("openai_raw") as (provider, service):
        assert await collect(provider, replace(ASKED, max_tokens=0)) == ("", Usage(0, 0, 0, finish="length"))
    assert not service.seen


async def test_openai_is_known_to_keep_no_prompts() -> None:
    async with serving("openai_raw") as (provider, _):
        assert not (await provider.describe()).reads_ahead


async def test_openai_describes_itself() -> None:
    async with serving("openai_raw") as (provider, service):
        info = await provider.describe()
        await provider.describe()
    assert (info.name, info.context_tokens, info.slots, info.local) == ("served-model", 4096, 1, True)
    assert len(service.seen) == 1


@pytest.mark.parametrize(
    ("missing", "model", "name", "context_tokens"),
    [
        (frozenset(), "mine", "mine", 8192),
        (frozenset(), "second", "second", 777),
        (frozenset({"/v1/models"}), "mine", "mine", 8192),
    ],
)
async def test_the_configured_openai_model(missing: frozenset[str], model: str, name: str, context_tokens: int) -> None:
    async with serving("openai_raw", Faults(missing=missing), model=model) as (provider, service):
        service.models = ({"id": "first"}, {"id": "second", "max_model_len": 777})
        info = await provider.describe()
    assert (info.name, info.context_tokens) == (name, context_tokens)


async def test_no_model_at_all() -> None:
    async with serving("openai_raw") as (provider, service):
        service.models = ()
        with pytest.raises(errors.ModelMissing, match="lists no models"):
            await provider.describe()


@pytest.mark.parametrize(
    ("options", "suffix_field"),
    [
        ({"mode": "suffix"}, True),
        ({"mode": "suffix", "model": "qwen2.5-coder"}, True),
        ({"mode": "raw"}, False),
        ({"mode": "chat"}, False),
        ({"mode": "auto"}, True),
        ({"mode": "auto", "model": "qwen2.5-coder"}, False),
        ({"mode": "auto", "fim": "codestral"}, False),
    ],
)
async def test_who_places_the_suffix(options: dict[str, Any], *, suffix_field: bool) -> None:
    async with serving("openai_raw", **options) as (provider, _):
        assert (await provider.describe()).suffix_field is suffix_field


@pytest.mark.parametrize(
    ("refused", "calls", "suffix_field", "remembered"),
    [
        (frozenset(), 1, True, {"suffix", "stream_options"}),
        (frozenset({"stream_options"}), 2, True, {"suffix"}),
        (frozenset({"suffix"}), 3, False, {"stream_options"}),
        (frozenset({"suffix", "stream_options"}), 4, False, set()),
    ],
)
async def test_refused_fields_are_given_up_for_good(
    refused: frozenset[str], calls: int, remembered: set[str], *, suffix_field: bool
) -> None:
    async with serving("openai_raw", Faults(refused_fields=refused), mode="auto") as (provider, service):
        assert (await collect(provider, SUFFIXED))[0] == WHOLE
        assert len(service.generations()) == calls
        assert (await provider.describe()).suffix_field is suffix_field
        assert (await collect(provider, SUFFIXED))[0] == WHOLE
    assert len(service.generations()) == calls + 1
    assert service.generations()[-1].body.keys() & {"suffix", "stream_options"} == remembered


async def test_a_refusal_for_another_reason_gives_up_nothing() -> None:
    async with serving("openai_raw", Faults(refused_fields=frozenset({"prompt"})), mode="auto") as (provider, service):
        with pytest.raises(errors.ProviderRejected, match="HTTP 400: unsupported: prompt"):
            await collect(provider, SUFFIXED)
        service.faults = Faults()
        await collect(provider, SUFFIXED)
    assert service.generations()[-1].body.keys() >= {"suffix", "stream_options"}
