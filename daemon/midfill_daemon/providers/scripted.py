"""A model that follows a script, in process: exact latencies, tokens and faults for the demo, tests and benchmarks."""

import asyncio
import math
import re
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from midfill_daemon import fim
from midfill_daemon.errors import ProviderDown, ProviderError, ProviderTimeout, RateLimited
from midfill_daemon.models import Tier
from midfill_daemon.providers import Generation, ModelInfo, Piece, Usage, script, upstream
from midfill_daemon.providers.script import Fault, Rule, Script

CHARS_PER_TOKEN = 3.0
TOKEN = re.compile(r"\s+|\w{1,6}|[^\w\s]")
WORD = re.compile(r"\w+")
WORDS = ("value", "result", "item", "name", "total", "index", "text", "count")
TAIL_CHARS = 2_000
"""How much of a prompt's end the rules see."""

ANCHOR_CHARS = 8
"""The shortest end of a prompt that is looked up in the oracle's files."""

ANCHOR_LIMIT_CHARS = 256
TAIL_KEY_CHARS = 64
SHARES = 1_000_000
ANSWER_CHARS = 2_000

Sleep = Callable[[float], Awaitable[object]]


def make(tier: Tier) -> "Scripted":
    """`tier.url` is the path of a script, `?first_token_ms=60&text=foo`, or both. Raises ConfigError."""
    return Scripted(script.load(tier.url), tier)


@dataclass(slots=True)
class Scripted:
    """Plays a script. The counters are for tests and benchmarks."""

    script: Script = field(default_factory=Script)
    tier: Tier = field(default_factory=lambda: Tier("scripted"))
    sleep: Sleep = asyncio.sleep
    calls: int = 0
    cancelled: int = 0
    tokens: int = 0
    _uses: dict[int, int] = field(default_factory=dict)

    async def describe(self) -> ModelInfo:
        return ModelInfo(
            name=self.tier.model or self.script.model,
            context_tokens=self.tier.context_tokens or self.script.context_tokens,
            slots=self.tier.slots or self.script.slots,
            control_tokens=frozenset(fim.FORMATS[self.script.fim].proof),
            chars_per_token=CHARS_PER_TOKEN,
        )

    async def count_tokens(self, text: str) -> int:
        return math.ceil(len(text) / CHARS_PER_TOKEN)

    async def close(self) -> None:
        """Nothing is open."""

    async def stream(self, generation: Generation) -> AsyncGenerator[Piece | Usage, None]:
        if generation.max_tokens == 0:
            # There is nothing to warm up, and no rule to use up.
            yield Usage(0, 0, 0, finish="length")
            return
        self.calls += 1
        try:
            rule = self._rule(_before_caret(generation, *self._markers), generation.seed)
            await self._wait(rule.first_token_ms, self.script.first_token_ms)
            await self._fail(rule.fault)
            tokens = TOKEN.findall(_until_stop(rule.text, generation.stops))
            sent = tokens[: min(generation.max_tokens, _limit(rule.fault))]
            for number, token in enumerate(sent):
                if number:
                    await self._wait(rule.token_ms, self.script.token_ms)
                self.tokens += 1
                yield Piece(token)
            if rule.fault.kind == "truncate":
                raise upstream.broken(text_arrived=bool(sent))
        except (GeneratorExit, asyncio.CancelledError):
            self.cancelled += 1
            raise
        prompt_tokens = await self.count_tokens(generation.prompt)
        yield Usage(prompt_tokens, 0, len(sent), finish="length" if len(sent) < len(tokens) else "stop")

    async def _wait(self, own_ms: float | None, usual_ms: float) -> None:
        wait_ms = usual_ms if own_ms is None else own_ms
        # Not even a sleep of 0: it would cost every token a turn of the loop.
        if wait_ms > 0:
            await self.sleep(wait_ms / 1000)

    async def _fail(self, fault: Fault) -> None:
        if fault.kind == "hang":
            await self.sleep(self.tier.timeout_s)
        if fault.kind in FAILURES:
            raise FAILURES[fault.kind](fault)

    @property
    def _markers(self) -> tuple[str, str]:
        """What stands before and after the prefix in a prompt of our format."""
        format_name = self.script.fim if self.tier.fim == fim.AUTO else self.tier.fim
        before, _, after = fim.FORMATS[format_name].file_form.partition("{prefix}")
        return before.rpartition("}")[2], after.partition("{")[0]

    def _rule(self, before: str, seed: int) -> Rule:
        """The first rule that matches and is not used up, else one made of the oracle's answer."""
        tail = before[-TAIL_CHARS:]
        for index, rule in enumerate(self.script.rules):
            uses = self._uses.get(index, 0)
            meant = rule.seed in (None, seed) and (rule.times is None or uses < rule.times)
            if meant and rule.match.search(tail):
                self._uses[index] = uses + 1
                return rule
        return Rule(text=answer(self.script, tail))


def _before_caret(generation: Generation, before: str, after: str) -> str:
    """The text that the answer continues, taken out of a rendered prompt."""
    if generation.messages:
        return generation.messages[-1].text
    prefix = generation.prompt.rpartition(before)[2] if before else generation.prompt
    return prefix.partition(after)[0] if after else prefix


def answer(script: Script, tail: str) -> str:
    """What the oracle's files say after the longest end of `tail` that occurs in one; else an invented statement."""
    found = (_continued(source, tail) for source in script.oracle)
    length, follows = max(found, key=lambda match: match[0], default=(0, ""))
    key = zlib.crc32(tail[-TAIL_KEY_CHARS:].encode("utf-8", "replace"), script.seed)
    if not length:
        return _invented(key)
    right = key % SHARES < script.right_share * SHARES
    return follows if right else _wrong(follows, key // SHARES)


def _continued(source: str, tail: str) -> tuple[int, str]:
    """The length of the longest end of `tail` in `source`, 0 when that is too short, and what follows it there."""
    high = min(len(tail), ANCHOR_LIMIT_CHARS)
    if high < ANCHOR_CHARS or tail[-ANCHOR_CHARS:] not in source:
        return 0, ""
    # An end that occurs has only shorter ends that occur too, so the longest is found by bisection.
    low = ANCHOR_CHARS
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if tail[-middle:] in source else (low, middle - 1)
    end = source.index(tail[-low:]) + low
    return low, source[end : end + ANSWER_CHARS]


def _wrong(right: str, key: int) -> str:
    """`right` with another first word: plausible, and wrong from its first characters on."""
    first = WORD.search(right)
    word = next(word for word in _words_from(key) if first is None or word != first[0])
    if first is None or first.start() > 2:
        return word + right
    return right[: first.start()] + word + right[first.end() :]


def _invented(key: int) -> str:
    one, other, *_ = _words_from(key)
    return f"{one} = {other}({key % 100})\nreturn {one}\n"


def _words_from(key: int) -> tuple[str, ...]:
    start = key % len(WORDS)
    return WORDS[start:] + WORDS[:start]


def _until_stop(text: str, stops: tuple[str, ...]) -> str:
    return text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))]


def _limit(fault: Fault) -> int:
    return fault.number if fault.kind == "truncate" else ANSWER_CHARS


FAILURES: Mapping[str, Callable[[Fault], ProviderError]] = {
    "error_500": lambda fault: ProviderError("the script answered HTTP 500"),
    "rate_limited": lambda fault: RateLimited("the script asks for fewer requests", float(fault.number)),
    "hang": lambda fault: ProviderTimeout("the script hung"),
    "refused": lambda fault: ProviderDown("the script refused the connection"),
    "garbage": lambda fault: upstream.broken(text_arrived=False),
}
"""What each fault raises before the first token; `truncate` comes later."""
