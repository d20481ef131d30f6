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
from midfill_daemon.contract import CompletionRequest
from midfill_daemon.gateway import Gateway, ModelCall
from midfill_daemon.identity import Caller
from midfill_daemon.models import Tier
from midfill_daemon.providers import (
    Generation,
    Message,
    Piece,
    Provider,
    Usage,
    llama_server,
    ollama,
    openai_compatible,
    upstream,
)
from midfill_daemon.tasks import completion
from support.fake_services import FakeLlamaServer, FakeOllama, FakeOpenAI, FakeService, Faults, running

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
    cached_tokens: int = 10
    failure: dict[str, Any] = field(
        default_factory=lambda: {"error": {"code": 400, "message": "context is full"}},
    )
    """An event that says so."""


FAILED = {"error": "context is full", "status": 400}
KINDS = {
    "llama_server": Kind(FakeLlamaServer, llama_server.make),
    "openai_raw": Kind(FakeOpenAI, openai_compatible.make, "/v1", {"mode": "raw"}),
    "openai_chat": Kind(FakeOpenAI, openai_compatible.make, "/v1", {"mode": "chat"}),
    "ollama_raw": Kind(FakeOllama, ollama.make, cached_tokens=-1, failure=FAILED),
    "ollama_chat": Kind(FakeOllama, ollama.make, "", {"mode": "chat"}, cached_tokens=-1, failure=FAILED),
}
BY_CHAT = ("openai_chat", "ollama_chat")
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def asked(kind: str) -> Generation:
    return replace(ASKED, prompt="", messages=(Message("user", PROMPT),)) if kind in BY_CHAT else ASKED


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
    assert (usage.prompt_tokens, usage.output_tokens, usage.finish) == (100, 5, "stop")
    assert usage.cached_tokens == KINDS[kind].cached_tokens


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
    generation = Generation(messages=(Message("user", "\ud800"),)) if kind in BY_CHAT else Generation("\ud800")
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
    line = KINDS[kind].service().framed(KINDS[kind].failure)
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


# --- Ollama ---------------------------------------------------------------------------------------

OLLAMA_NAME = "qwen2.5-coder:1.5b-base"


async def test_ollama_request() -> None:
    async with serving("ollama_raw") as (provider, service):
        await collect(provider, replace(ASKED, temperature=0.5, seed=5))
        assert (await collect(provider, replace(ASKED, max_tokens=0)))[0] == ""
    first, warm_up = service.generations()
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert first.body == {
        "model": OLLAMA_NAME,
        "prompt": PROMPT,
        "raw": True,
        "stream": True,
        "keep_alive": "30m",
        "truncate": False,
        "shift": False,
        "options": {
            "num_ctx": 4096,
            "num_predict": 64,
            "temperature": 0.5,
            "top_k": 40,
            "seed": 5,
            "repeat_penalty": 1.0,
            "stop": list(ASKED.stops),
        },
    }
    assert (warm_up.body["options"]["num_predict"], warm_up.body["options"]["top_k"]) == (1, 1)


async def test_ollama_counts_no_token_of_a_warm_up() -> None:
    async with serving("ollama_raw") as (provider, _):
        text, usage = await collect(provider, replace(ASKED, max_tokens=0))
    assert (text, usage.prompt_tokens, usage.output_tokens) == ("", 100, 0)


async def test_ollama_chat_and_suffix_requests() -> None:
    async with serving("ollama_raw") as (provider, service):
        await collect(provider, SUFFIXED)
        await collect(provider, Generation(messages=(Message("system", "be brief"), Message("user", "hi"))))
    suffix, chat = service.generations()
    assert (suffix.path, suffix.body["suffix"], "raw" in suffix.body) == ("/api/generate", SUFFIXED.suffix, False)
    assert (chat.path, "prompt" in chat.body) == ("/api/chat", False)
    assert chat.body["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]


@pytest.mark.parametrize(("capabilities", "thinks"), [(["completion", "thinking"], True), (["completion"], False)])
async def test_ollama_is_told_not_to_think(capabilities: list[str], *, thinks: bool) -> None:
    async with serving("ollama_raw") as (provider, service):
        service.shown = {**service.shown, "capabilities": capabilities}
        await collect(provider, ASKED)
    assert ("think" in service.generations()[0].body) is thinks


async def test_ollama_describes_itself() -> None:
    async with serving("ollama_raw") as (provider, _):
        info = await provider.describe()
    assert (info.name, info.context_tokens, info.slots, info.local) == (OLLAMA_NAME, 4096, 1, True)
    assert (info.reads_ahead, info.suffix_field, info.control_tokens) == (True, False, frozenset())


@pytest.mark.parametrize(
    ("options", "loaded", "length", "context_tokens"),
    [
        ({"context_tokens": 512}, 8192, 32768, 512),
        ({}, 8192, 32768, 8192),
        ({}, None, 32768, 4096),
        ({}, None, 2048, 2048),
        ({}, None, "x", 4096),
        ({}, None, None, 4096),
    ],
)
async def test_ollama_keeps_the_length_that_the_model_is_loaded_with(
    options: dict[str, Any], loaded: Any, length: Any, context_tokens: int
) -> None:
    async with serving("ollama_raw", **options) as (provider, service):
        service.loaded = ({"name": OLLAMA_NAME, "context_length": loaded}, {"name": "other", "context_length": 77})
        service.shown = {**service.shown, "model_info": {"qwen2.context_length": length}}
        assert (await provider.describe()).context_tokens == context_tokens
        await collect(provider, ASKED)
    assert service.generations()[0].body["options"]["num_ctx"] == context_tokens


@pytest.mark.parametrize(
    ("model", "names", "loaded", "chosen"),
    [
        ("llama3.1:8b", ("qwen2.5-coder:7b", "llama3.1:8b"), (), "llama3.1:8b"),
        ("", ("llama3.1:8b", "qwen2.5-coder:7b"), (), "qwen2.5-coder:7b"),
        ("", ("llama3.1:8b", "gemma3:1b"), ("gemma3:1b",), "gemma3:1b"),
        ("", ("starcoder2:3b", "qwen2.5-coder:7b"), ("qwen2.5-coder:7b",), "qwen2.5-coder:7b"),
    ],
)
async def test_which_model_of_ollama(model: str, names: tuple[str, ...], loaded: tuple[str, ...], chosen: str) -> None:
    async with serving("ollama_raw", model=model) as (provider, service):
        service.names, service.loaded = names, tuple({"name": name} for name in loaded)
        assert (await provider.describe()).name == chosen


@pytest.mark.parametrize(
    ("model", "names", "message"),
    [
        ("qwen2.5-coder:7b", ("gemma3:1b",), r"no model 'qwen2.5-coder:7b': `ollama pull qwen2.5-coder:7b`"),
        ("", (), "Ollama has no models: `ollama pull` one"),
    ],
)
async def test_ollama_lacks_the_model(model: str, names: tuple[str, ...], message: str) -> None:
    async with serving("ollama_raw", model=model) as (provider, service):
        service.names = names
        for ask in (provider.describe(), collect(provider, ASKED)):
            with pytest.raises(errors.ModelMissing, match=message):
                await ask


async def test_a_model_that_was_removed_from_ollama_is_missed() -> None:
    async with serving("ollama_raw") as (provider, service):
        await collect(provider, ASKED)
        service.names = ()
        with pytest.raises(errors.ModelMissing, match=f"`ollama pull {OLLAMA_NAME}`"):
            await collect(provider, ASKED)


FIM_TEMPLATE = "{{- if .Suffix }}<|fim_prefix|>{{ .Prompt }}<|fim_suffix|>{{ .Suffix }}<|fim_middle|>{{ end }}"


@pytest.mark.parametrize(
    ("name", "shown", "expected"),
    [
        ("qwen2.5-coder:1.5b", {"template": FIM_TEMPLATE}, "qwen"),
        ("codegemma:2b", {"template": FIM_TEMPLATE}, "codegemma"),
        ("mine", {"template": FIM_TEMPLATE}, "qwen"),
        ("mine", {"template": "<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>"}, "codellama"),
        ("mine", {"model_info": {"general.basename": "Seed-Coder"}}, "seed-coder"),
        ("mine", {"details": {"family": "starcoder2"}}, "starcoder2"),
        ("mine", {"details": {"parent_model": "codellama:7b"}}, "codellama"),
        ("mine", {}, "prefix-only"),
        ("mine", {"template": 3, "model_info": [], "details": "x", "capabilities": {}}, "prefix-only"),
    ],
)
async def test_how_the_family_of_a_model_of_ollama_is_known(name: str, shown: dict[str, Any], expected: str) -> None:
    async with serving("ollama_raw", model=name) as (provider, service):
        service.names, service.shown = (name,), shown
        info = await provider.describe()
    assert fim.detect("auto", info.control_tokens, info.name) == expected


@pytest.mark.parametrize(
    ("options", "shown", "suffix_field"),
    [
        ({}, {"capabilities": ["insert"]}, True),
        ({}, {"template": "{{ .Prompt }}<hole>{{ .Suffix }}"}, True),
        ({}, {"template": "{{ .Prompt }}"}, False),
        ({}, {"template": FIM_TEMPLATE, "capabilities": ["insert"]}, False),
        ({"fim": "codestral"}, {"capabilities": ["insert"]}, False),
        ({"fim": "prefix-only"}, {"capabilities": ["insert"]}, False),
        ({"mode": "suffix"}, {"template": FIM_TEMPLATE, "capabilities": ["insert"]}, True),
        ({"mode": "suffix"}, {"template": "{{ .Prompt }}"}, False),
        ({"mode": "raw"}, {"capabilities": ["insert"]}, False),
        ({"mode": "chat"}, {"capabilities": ["insert"]}, False),
    ],
)
async def test_who_places_the_suffix_with_ollama(
    options: dict[str, Any], shown: dict[str, Any], *, suffix_field: bool
) -> None:
    async with serving("ollama_raw", model="mine", **options) as (provider, service):
        service.names, service.shown = ("mine",), shown
        assert (await provider.describe()).suffix_field is suffix_field


@pytest.mark.parametrize(
    ("name", "shown"), [("gpt-oss:120b-cloud", {}), ("mine", {"remote_host": "https://ollama.com:443"})]
)
async def test_a_model_in_the_cloud_is_not_local(name: str, shown: dict[str, Any]) -> None:
    async with serving("ollama_raw", model=name) as (provider, service):
        service.names, service.shown = (name,), shown
        info = await provider.describe()
    assert (info.local, info.reads_ahead) == (False, False)


async def test_ollama_learns_how_long_tokens_are() -> None:
    prompt = "x = 1\n" * 100
    async with serving("ollama_raw") as (provider, service):
        for prompt_tokens, expected in [(300, 2.5), (300, 2.25), (10, 2.25), (20, 2.25), (599, 1.75)]:
            service.counts = {"prompt_eval_count": prompt_tokens}
            await collect(provider, replace(ASKED, prompt=prompt))
            assert (await provider.describe()).chars_per_token == expected
        assert await provider.count_tokens("x" * 175) == 100
        assert await provider.count_tokens("字" * 10) == 15


async def test_ollama_learns_the_speed_from_prompts_that_were_not_cached() -> None:
    async with serving("ollama_raw") as (provider, service):
        for prompt, tokens, duration_ms, expected in [
            ("a" * 300, 10, 1, 1000.0),
            ("b" * 300, 100, 200, 500.0),
            ("b" * 300 + "c", 100, 1, 500.0),
            ("d" * 300, 100, 100, 650.0),
            ("e" * 300, 100, 0, 650.0),
        ]:
            service.counts = {"prompt_eval_count": tokens, "prompt_eval_duration": duration_ms * 1_000_000}
            await collect(provider, replace(ASKED, prompt=prompt))
            assert (await provider.describe()).prefill_tokens_s == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "options", "prompt"),
    [
        (OLLAMA_NAME, {}, "<|fim_prefix|>def f(<|fim_suffix|>):\n<|fim_middle|>"),
        ("seed-coder:8b", {}, "<[fim-suffix]>):\n<[fim-prefix]>def f(<[fim-middle]>"),
        ("llama3.1:8b", {}, "def f("),
        ("llama3.1:8b", {"mode": "chat"}, f"File a.py:\ndef f({fim.HOLE}):\n"),
    ],
)
async def test_a_completion_reaches_ollama_in_the_format_of_its_model(
    name: str, options: dict[str, Any], prompt: str
) -> None:
    rows: list[Any] = []
    request = CompletionRequest("a.py", "python", "def f(", "):\n")
    async with serving("ollama_raw", model=name, **options) as (provider, service):
        service.names = (name,)
        gateway = Gateway(
            {"inline": Tier("ollama", fim="auto", model=name, **options)}, {"inline": provider}, rows.append
        )
        call = ModelCall("completion", "inline", "p1", lambda model: completion.build(request, model), Caller("me"))
        async with aclosing(gateway.stream(call)) as values:
            first, *_ = [value async for value in values]
    assert first == Piece("return")
    body = service.generations()[0].body
    assert (body["messages"][-1]["content"] if "messages" in body else body["prompt"]) == prompt
    assert [(row["outcome"], row["prompt_tokens"]) for row in rows] == [("ok", 100)]


@pytest.mark.parametrize("missing", ["/api/ps", "/api/tags"])
async def test_older_versions_of_ollama_work(missing: str) -> None:
    async with serving("ollama_raw", Faults(missing=frozenset({missing})), model=OLLAMA_NAME) as (provider, _):
        assert (await collect(provider, ASKED))[0] == WHOLE


def test_ollama_has_a_usual_address() -> None:
    assert ollama.make(Tier("ollama"), {"OLLAMA_HOST": "http://evil.example"})._url == "http://127.0.0.1:11434"


# --- what services without a tokenizer share ---------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "chars_per_token", "tokens"),
    [("", 3.0, 0), ("x", 3.0, 1), ("x" * 30, 3.0, 10), ("x" * 30, 2.5, 12), ("é", 3.0, 1), ("\U0001f44b" * 3, 3.0, 6)],
)
def test_an_estimate_is_rather_too_high(text: str, chars_per_token: float, tokens: int) -> None:
    assert upstream.estimated_tokens(text, chars_per_token) == tokens
