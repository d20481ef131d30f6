"""The completion task: text around the caret in, the missing middle out."""

import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any, get_args

from midfill_daemon import contract, fim
from midfill_daemon.contract import CompletionRequest, Event, Priority, Raw, Shape, Snippet
from midfill_daemon.errors import BadInput, Busy
from midfill_daemon.gateway import Model, ModelCall
from midfill_daemon.pipeline import Run, Task
from midfill_daemon.providers import Generation, Message, Piece

PROMPT_VERSION = "completion-1"
TEXT_LIMIT_CHARS = 200_000
SNIPPET_LIMIT = 64
OUTPUT_LIMIT_TOKENS = 1024
OUTPUT_LIMIT_CHARS = 16 * OUTPUT_LIMIT_TOKENS
"""Only a service that takes no notice of the limit in tokens says more."""
NEAR_LIMIT = 0.8
"""Below this share of the budget an estimate from characters is safe; above it tokens are counted exactly."""


# --- parse ---------------------------------------------------------------------------------------


def parse(raw: Raw) -> CompletionRequest:
    max_tokens = _tokens(raw)
    return CompletionRequest(
        path=_text(raw, "path", 4_096),
        language=_text(raw, "language", 128),
        prefix=_text(raw, "prefix", TEXT_LIMIT_CHARS),
        suffix=_text(raw, "suffix", TEXT_LIMIT_CHARS),
        shape=_choice(raw, "shape", get_args(Shape), "block"),
        max_tokens=max_tokens,
        repository=_text(raw, "repository", 1_024, ""),
        snippets=_snippets(raw.get("snippets", [])),
        priority=_priority(raw, max_tokens),
        editor=_text(raw, "editor", 128, ""),
    )


def _text(raw: Raw, name: str, limit_chars: int, default: str | None = None) -> str:
    value = raw.get(name, default)
    if not isinstance(value, str):
        raise BadInput(f"{name}: must be text")
    if len(value) > limit_chars:
        raise BadInput(f"{name}: {len(value)} characters are more than {limit_chars}")
    return value


def _choice(raw: Raw, name: str, allowed: tuple[Any, ...], default: str) -> Any:
    value = raw.get(name, default)
    if value not in allowed:
        raise BadInput(f"{name}: must be one of {', '.join(allowed)}")
    return value


def _priority(raw: Raw, max_tokens: int) -> Priority:
    priority: Priority = _choice(raw, "priority", get_args(Priority), "interactive")
    # Nobody waits for a warm-up.
    return "speculative" if max_tokens == 0 and priority == "interactive" else priority


def _tokens(raw: Raw) -> int:
    value = raw.get("max_tokens", 64)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= OUTPUT_LIMIT_TOKENS:
        raise BadInput(f"max_tokens: must be a whole number from 0 to {OUTPUT_LIMIT_TOKENS}")
    return value


def _snippets(raw: Any) -> tuple[Snippet, ...]:
    if not isinstance(raw, list) or len(raw) > SNIPPET_LIMIT:
        raise BadInput(f"snippets: must be a list of at most {SNIPPET_LIMIT}")
    return tuple(_snippet(item, index) for index, item in enumerate(raw))


def _snippet(raw: Any, index: int) -> Snippet:
    if not isinstance(raw, Mapping):
        raise BadInput(f"snippets[{index}]: must be an object")
    score = raw.get("score", 0.0)
    if not isinstance(score, int | float):
        raise BadInput(f"snippets[{index}].score: must be a number")
    try:
        return Snippet(_text(raw, "path", 4_096), _text(raw, "text", TEXT_LIMIT_CHARS), float(score))
    except BadInput as exc:
        raise BadInput(f"snippets[{index}].{exc}") from exc


# --- route: fit the request to the model ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """A parsed request, and what the model that will answer it must not say."""

    request: CompletionRequest
    revision: str
    format: str
    """A key of `fim.FORMATS`."""
    stops: tuple[str, ...]
    """All of them; the service is told at most four, the guard enforces the rest."""
    lead: str
    """Blanks left off the prompt's end, which the answer may begin with."""
    is_idle: bool = False
    """A warm-up of a service that keeps no prompts, or is paid for each: the model is not asked."""


async def route(request: CompletionRequest, run: Run) -> Plan:
    """Raises Busy when the editor asks more often than anybody types."""
    if not run.services.buckets.take(request.editor or run.caller.user, time.monotonic()):
        raise Busy("this editor asks too often; see `limits` in `midfill config`")
    model = await run.services.gateway.model("inline")
    stops = _line_stops(request) + fim.FORMATS[model.format].stops
    is_idle = request.max_tokens == 0 and not model.info.reads_ahead
    return Plan(request, model.revision(PROMPT_VERSION), model.format, stops, _lead(request, model), is_idle)


def _line_stops(request: CompletionRequest) -> tuple[str, ...]:
    return ("\n",) if request.shape == "line" else ()


def _lead(request: CompletionRequest, model: Model) -> str:
    """Blanks before the caret that a model without FIM training must produce itself.

    Its tokens begin with their blank, so a prompt that ends in one asks for text it has never seen.
    """
    prefix = request.prefix
    return prefix[len(prefix.rstrip(" \t")) :] if model.format == fim.PREFIX_ONLY else ""


async def build(request: CompletionRequest, model: Model) -> Generation:
    """Render the prompt for `model`; it is never cut once it is rendered."""
    request = await _fit(request, model)
    if request.max_tokens == 0 and fim.FORMATS[model.format].is_prefix_first:
        # After the next key llama.cpp finds again only what stands before the caret, even with `n_cache_reuse`.
        request = replace(request, suffix="")
    prefix = request.prefix.removesuffix(_lead(request, model))
    parts = fim.Parts(prefix, request.suffix, request.path, request.repository, request.snippets, request.language)
    generation = Generation(
        max_tokens=min(request.max_tokens, model.tier.max_tokens),
        temperature=model.tier.temperature,
        stops=_line_stops(request),
    )
    if model.tier.mode == "chat":
        return replace(generation, messages=_messages(parts))
    if model.info.suffix_field:
        context = "".join(f"{snippet.text}\n" for snippet in request.snippets)
        return replace(generation, prompt=context + request.prefix, suffix=request.suffix)
    prompt = fim.render(model.format, parts)
    return replace(generation, prompt=prompt.text, stops=generation.stops + prompt.stops)


async def _fit(request: CompletionRequest, model: Model) -> CompletionRequest:
    """The request as the model's budget allows: whole snippets go first, then the far ends of the file."""
    texts = [request.prefix, request.suffix, *(_shown(snippet) for snippet in request.snippets)]
    estimate_tokens = sum(map(len, texts)) / model.info.chars_per_token
    if estimate_tokens < model.prompt_tokens * NEAR_LIMIT:
        return request
    request = await _fit_text(request, model)
    return replace(request, snippets=await _fit_snippets(request, model))


async def _fit_text(request: CompletionRequest, model: Model) -> CompletionRequest:
    """Shorten prefix and suffix at line ends until they fit on their own."""
    count = model.provider.count_tokens
    used_tokens = await count(request.prefix + request.suffix)
    while used_tokens > model.prompt_tokens and request.prefix + request.suffix:
        share = model.prompt_tokens / used_tokens * 0.95
        prefix = _tail(request.prefix, int(len(request.prefix) * share))
        suffix = _head(request.suffix, int(len(request.suffix) * share))
        request = replace(request, prefix=prefix, suffix=suffix)
        used_tokens = await count(prefix + suffix)
    return request


async def _fit_snippets(request: CompletionRequest, model: Model) -> tuple[Snippet, ...]:
    """The best snippets that fit beside the text, in the order given; the lowest score goes first."""
    room_tokens = model.prompt_tokens - await model.provider.count_tokens(request.prefix + request.suffix)
    kept: set[int] = set()
    for index in sorted(range(len(request.snippets)), key=lambda index: -request.snippets[index].score):
        room_tokens -= await model.provider.count_tokens(_shown(request.snippets[index]))
        if room_tokens < 0:
            break
        kept.add(index)
    return tuple(snippet for index, snippet in enumerate(request.snippets) if index in kept)


def _shown(snippet: Snippet) -> str:
    return f"{snippet.path}\n{snippet.text}\n"


def _tail(text: str, limit_chars: int) -> str:
    cut = text[max(0, len(text) - limit_chars) :]
    return cut[cut.find("\n") + 1 :] or cut


def _head(text: str, limit_chars: int) -> str:
    cut = text[:limit_chars]
    return cut[: cut.rfind("\n") + 1] or cut


CHAT_SYSTEM = (
    "You complete source code. Answer with the exact text that belongs at <COMPLETE/> and nothing else: "
    "no explanation, no Markdown fence, no repetition of the text around it."
)


def _messages(parts: fim.Parts) -> tuple[Message, ...]:
    context = "".join(f"File {snippet.path}:\n{snippet.text}\n\n" for snippet in parts.snippets)
    return (
        Message("system", CHAT_SYSTEM),
        Message("user", f"{context}File {parts.path}:\n{parts.prefix}<COMPLETE/>{parts.suffix}"),
    )


# --- handle ---------------------------------------------------------------------------------------


async def handle(plan: Plan, run: Run) -> AsyncGenerator[str | Event, None]:
    call = ModelCall(
        # A row of its own kind: the share of a warm-up that was cached says nothing about requests.
        task="completion" if plan.request.max_tokens else "warm_up",
        tier="inline",
        prompt_version=PROMPT_VERSION,
        build=lambda model: build(plan.request, model),
        caller=run.caller,
        priority=plan.request.priority,
        editor=plan.request.editor,
    )
    yield contract.Status("revision", plan.revision)
    if plan.is_idle:
        return
    async with aclosing(run.services.gateway.stream(call)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Piece):
                yield piece.text
                continue
            run.facts.update(asdict(piece))
            if not piece.finish:
                # Before the text, because the result comes only to those who stay to the end.
                yield contract.Status("prompt", data=dict(run.facts))


# --- guard ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class CompletionGuard:
    """Lets text pass up to the first stop; holds back what may be the beginning of one."""

    plan: Plan
    done: bool = False
    _text: str = ""
    _sent: int = 0
    _started: bool = False
    _beginnings: frozenset[str] = field(init=False)
    """Of all stops, without the stops themselves. A set, because it is asked for every token."""
    _longest: int = field(init=False)
    """Of the stops, in characters."""

    def __post_init__(self) -> None:
        self._beginnings = _beginnings(self.plan.stops)
        self._longest = max(map(len, self.plan.stops), default=0)

    def feed(self, text: str) -> Iterable[Event]:
        self._text += text
        if not self._started and not self._start(complete=False):
            return ()
        self._cut()
        return self._send(len(self._text) - (0 if self.done else self._held()))

    def close(self) -> Iterable[Event]:
        if not self._started:
            self._start(complete=True)
            self._cut()
        return self._send(len(self._text))

    def _start(self, *, complete: bool) -> bool:
        """Clean the answer's first characters, once there are enough of them to see what they are."""
        lead = self.plan.lead
        if not complete and len(self._text) < max(len(lead), 2):
            return False
        self._text = self._text[_shared_length(lead, self._text) :]
        self._text = fim.clean_start(self.plan.format, self.plan.request.prefix, self._text)
        self._started = True
        return True

    def _cut(self) -> None:
        """End the text at the first stop, if one is there, and where no model that counts its tokens would be."""
        fresh = max(0, self._sent - self._longest)
        found = [at for stop in self.plan.stops if (at := self._text.find(stop, fresh)) >= 0]
        if len(self._text) >= OUTPUT_LIMIT_CHARS:
            found.append(OUTPUT_LIMIT_CHARS)
        if found:
            self._text, self.done = self._text[: min(found)], True

    def _held(self) -> int:
        """Length of the longest tail that a stop begins with."""
        lengths = range(min(self._longest - 1, len(self._text)), 0, -1)
        return next((length for length in lengths if self._text[-length:] in self._beginnings), 0)

    def _send(self, end: int) -> Iterable[Event]:
        fresh, self._sent = self._text[self._sent : end], max(end, self._sent)
        return (contract.Delta(fresh),) if fresh else ()


@lru_cache(maxsize=64)
def _beginnings(stops: tuple[str, ...]) -> frozenset[str]:
    return frozenset(stop[:length] for stop in stops for length in range(1, len(stop)))


def _shared_length(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


TASK: Task[CompletionRequest, Plan] = Task("completion", parse, route, handle, CompletionGuard)
