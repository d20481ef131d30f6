"""The completion task: text around the caret in, the missing middle out."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any, get_args

from midfill_daemon import contract, fim, unwrap
from midfill_daemon.contract import CompletionRequest, Event, Priority, Raw, Shape, Snippet
from midfill_daemon.errors import BadInput, Busy
from midfill_daemon.gateway import Model, ModelCall
from midfill_daemon.pipeline import Run, Task
from midfill_daemon.providers import Generation, Message, Piece

PROMPT_VERSION = "completion-2"
TEXT_LIMIT_CHARS = 200_000
SNIPPET_LIMIT = 64
OUTPUT_LIMIT_TOKENS = 1024
OUTPUT_LIMIT_CHARS = 16 * OUTPUT_LIMIT_TOKENS
"""Only a service that takes no notice of the limit in tokens says more."""
PREFIX_SHARE = 0.75
"""Of the room for the file's text, where prefix and suffix both want more than there is: what precedes matters more."""
TURN_TOKENS = 16
"""What a chat template, or a service that places the suffix by itself, puts around each text."""
VARIANT_LIMIT = 8
VARIANT_TEMPERATURE, VARIANT_STEP = 0.6, 0.15
"""Below the first a small model mostly repeats what it says anyway; each further variant dares a little more."""
SLACK = 0.95
STEPS = 8
"""The start of a prefix that is cut moves by this part of the budget, in characters, not with every key: the KV cache
holds what follows an unmoved start.
"""


# --- parse ---------------------------------------------------------------------------------------


def parse(raw: Raw) -> CompletionRequest:
    max_tokens = _count(raw, "max_tokens", OUTPUT_LIMIT_TOKENS, 64)
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
        variant=_count(raw, "variant", VARIANT_LIMIT, 0),
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


def _count(raw: Raw, name: str, limit: int, default: int) -> int:
    value = raw.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
        raise BadInput(f"{name}: must be a whole number from 0 to {limit}")
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
    if model.format == fim.CHAT:
        stops += unwrap.suffix_stops(request.suffix)
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
    if not _sees_suffix(model):
        request = replace(request, suffix="")
    if (generation := _certain(request, model)) is not None:
        return generation
    request = await _fit(request, model)
    if request.max_tokens == 0 and fim.FORMATS[model.format].is_prefix_first:
        # After the next key llama.cpp finds again only what stands before the caret, even with `n_cache_reuse`.
        request = replace(request, suffix="")
    return _generation(request, model)


def _generation(request: CompletionRequest, model: Model) -> Generation:
    """The call of `model` for `request` as it is."""
    generation = Generation(
        max_tokens=min(request.max_tokens, model.output_tokens),
        temperature=_temperature(request.variant, model),
        seed=request.variant,
        stops=_line_stops(request),
    )
    if model.info.suffix_field:
        context = "".join(f"{snippet.text}\n" for snippet in request.snippets)
        return replace(generation, prompt=context + request.prefix, suffix=request.suffix)
    prefix = request.prefix.removesuffix(_lead(request, model))
    parts = fim.Parts(prefix, request.suffix, request.path, request.repository, request.snippets, request.language)
    prompt = fim.render(model.format, parts)
    if prompt.system:
        # Without the line stop, at which a code fence would end the answer. The guard knows of both.
        messages = (Message("system", prompt.system), Message("user", prompt.text))
        return replace(generation, messages=messages, stops=prompt.stops)
    return replace(generation, prompt=prompt.text, stops=generation.stops + prompt.stops)


def _temperature(variant: int, model: Model) -> float:
    own = model.tier.temperature
    return max(own, VARIANT_TEMPERATURE + VARIANT_STEP * (variant - 1)) if variant else own


# --- fit the request to the model's budget --------------------------------------------------------


async def _fit(request: CompletionRequest, model: Model) -> CompletionRequest:
    """The request as the model's budget allows: whole snippets go first, then the far ends of the file."""
    alone = replace(request, snippets=())
    alone_tokens = await _prompt_tokens(alone, model)
    if alone_tokens > model.prompt_tokens:
        return await _fit_text(alone, model)
    limit_tokens = min(model.prompt_tokens, alone_tokens + model.snippet_tokens)
    best_first = sorted(range(len(request.snippets)), key=lambda index: -request.snippets[index].score)
    kept = await _most(len(best_first), lambda count: _fits(_with(request, best_first[:count]), model, limit_tokens))
    return _with(request, best_first[:kept])


def _certain(request: CompletionRequest, model: Model) -> Generation | None:
    """The call where nothing need be counted: no tokenizer makes more tokens than there are bytes."""
    if len(request.prefix) + len(request.suffix) > model.prompt_tokens or request.max_tokens == 0:
        return None  # And nothing need be rendered to see that.
    generation = _generation(request, model)
    most_tokens = _bytes(generation)
    most_snippet_tokens = 0
    if request.snippets:
        most_snippet_tokens = most_tokens - _bytes(_generation(replace(request, snippets=()), model))
    fits = most_tokens + _around(model) <= model.prompt_tokens and most_snippet_tokens <= model.snippet_tokens
    return generation if fits else None


def _bytes(generation: Generation) -> int:
    return len(_sent(generation).encode("utf-8", "replace"))


def _sees_suffix(model: Model) -> bool:
    return model.info.suffix_field or fim.FORMATS[model.format].sees_suffix


def _with(request: CompletionRequest, kept: Iterable[int]) -> CompletionRequest:
    """`request` with some of its snippets, in the order given."""
    return replace(request, snippets=tuple(request.snippets[index] for index in sorted(kept)))


async def _most(limit: int, fits: Callable[[int], Awaitable[bool]]) -> int:
    """The largest number up to `limit` that fits, by bisection from the top; 0 always does."""
    low, high, tried = 0, limit, limit
    while low < high:
        low, high = (tried, high) if await fits(tried) else (low, tried - 1)
        tried = (low + high + 1) // 2
    return low


async def _fits(request: CompletionRequest, model: Model, limit_tokens: int) -> bool:
    return await _prompt_tokens(request, model) <= limit_tokens


async def _prompt_tokens(request: CompletionRequest, model: Model) -> int:
    """How many tokens all that is sent for `request` has."""
    return await model.provider.count_tokens(_sent(_generation(request, model))) + _around(model)


def _sent(generation: Generation) -> str:
    return "".join((generation.prompt, generation.suffix, *(message.text for message in generation.messages)))


def _around(model: Model) -> int:
    """The tokens that others put around our texts."""
    turns = 1 if model.info.suffix_field else 2 if fim.FORMATS[model.format].system else 0
    return TURN_TOKENS * turns


async def _fit_text(request: CompletionRequest, model: Model) -> CompletionRequest:
    """Shorten prefix and suffix at line ends until they fit on their own."""
    request, frame_tokens = await _framed(request, model)
    room_tokens = model.prompt_tokens - frame_tokens
    texts_tokens = [await model.provider.count_tokens(text) for text in (request.prefix, request.suffix)]
    step_chars = max(1, model.prompt_tokens // STEPS)
    fitted = _cut(request, texts_tokens, room_tokens, step_chars)
    while (used_tokens := await _prompt_tokens(fitted, model)) > model.prompt_tokens and _has_text(fitted):
        room_tokens = int(room_tokens * min(SLACK, model.prompt_tokens / used_tokens))
        fitted = _cut(request, texts_tokens, room_tokens, step_chars)
    return fitted


async def _framed(request: CompletionRequest, model: Model) -> tuple[CompletionRequest, int]:
    """`request` and the tokens around its text; without the names of file and folder if they take half of the room."""
    frame_tokens = await _prompt_tokens(replace(request, prefix="", suffix=""), model)
    if frame_tokens <= model.prompt_tokens // 2 or not request.path + request.repository:
        return request, frame_tokens
    return await _framed(replace(request, path="", repository=""), model)


def _has_text(request: CompletionRequest) -> bool:
    return bool(request.prefix or request.suffix)


def _cut(request: CompletionRequest, texts_tokens: list[int], room_tokens: int, step_chars: int) -> CompletionRequest:
    """The text next to the caret; the prefix gets three times the suffix, and each what the other leaves."""
    prefix_tokens, suffix_tokens = texts_tokens
    prefix_room = max(room_tokens * PREFIX_SHARE, room_tokens - suffix_tokens)
    suffix_room = max(room_tokens * (1 - PREFIX_SHARE), room_tokens - prefix_tokens)
    prefix = _tail(request.prefix, _share(request.prefix, prefix_room, prefix_tokens), step_chars)
    suffix = _head(request.suffix, _share(request.suffix, suffix_room, suffix_tokens))
    return replace(request, prefix=prefix, suffix=suffix)


def _share(text: str, room_tokens: float, tokens: int) -> int:
    """How many characters of a text of so many tokens the room takes."""
    return int(len(text) * min(1.0, max(0.0, room_tokens) / max(1, tokens)))


def _tail(text: str, limit_chars: int, step_chars: int) -> str:
    surplus_chars = max(0, len(text) - limit_chars)
    cut = text[-(-surplus_chars // step_chars) * step_chars :]
    return cut if len(cut) == len(text) else cut[cut.find("\n") + 1 :] or cut


def _head(text: str, limit_chars: int) -> str:
    cut = text[:limit_chars]
    return cut if len(cut) == len(text) else cut[: cut.rfind("\n") + 1] or cut


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
    _stops: tuple[str, ...] = ()
    _beginnings: frozenset[str] = field(init=False)
    """Of all stops, without the stops themselves. A set, because it is asked for every token."""
    _longest: int = field(init=False)
    """Of the stops, in characters."""

    def __post_init__(self) -> None:
        self._stop_at(self.plan.stops)

    def _stop_at(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._beginnings = _beginnings(stops)
        self._longest = max(map(len, stops), default=0)

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
        lead, prefix = self.plan.lead, self.plan.request.prefix
        if not complete and len(self._text) < max(len(lead), 2):
            return False
        text = self._text[_shared_length(lead, self._text) :]
        if self.plan.format == fim.CHAT:
            unwrapped = unwrap.whole(prefix, text) if complete else unwrap.start(prefix, text)
            if unwrapped is None or (not complete and len(unwrapped[0]) < 2):
                return False
            text, end = unwrapped
            self._stop_at((*self.plan.stops, end) if end else self.plan.stops)
        self._text = fim.clean_start(self.plan.format, prefix, text)
        self._started = True
        return True

    def _cut(self) -> None:
        """End the text at the first stop, if one is there, and where no model that counts its tokens would be."""
        fresh = max(0, self._sent - self._longest)
        found = [at for stop in self._stops if (at := self._text.find(stop, fresh)) >= 0]
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
