"""The path of one completion request, top to bottom: exclusion, cache, flight, pace, model, fit, look ahead."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from midfill_daemon.contract import CompletionRequest, Delta, Shape, Status
from midfill_daemon.errors import Preempted, ProviderTimeout
from midfill_lsp import fit, governor, known, pace, speculate
from midfill_lsp.answer import Answer, Guess, Known
from midfill_lsp.cache import Cache
from midfill_lsp.fit import Fitted
from midfill_lsp.flights import Flight, Flights
from midfill_lsp.governor import Budget, Facts, Stakes
from midfill_lsp.habits import Habits
from midfill_lsp.link import Link
from midfill_lsp.machine import Machine
from midfill_lsp.newest import Newest
from midfill_lsp.pace import Health, Level, Portion, Rhythm
from midfill_lsp.prompt import Prompts, Teller, nothing
from midfill_lsp.settings import Settings
from midfill_lsp.trace import Source, Trace, reused
from midfill_workspace import scope
from midfill_workspace.grammars import parser
from midfill_workspace.snapshot import Snapshot

PREPARING_S = 0.003
"""What making a prompt takes: ranking what other files have to say, and looking for secrets in all of it."""

AFTER_ANSWER_S = 0.002
"""An answer leaves before what follows it is asked for, which takes about a millisecond of this loop."""

NEXT_SHARE, ELSEWHERE_SHARE = 0.5, 0.03
"""Guesses that may be lost for each call that was needed: at what follows a suggestion, and at other places."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of the editor. `excluded` is the reason why this document is never sent, or ""."""

    snapshot: Snapshot
    by_hand: bool
    since_change_s: float
    excluded: str = ""
    is_current: Callable[[], bool] = lambda: True
    """Whether the document is still the one that was asked about."""
    under_way: Callable[[], None] = lambda: None
    """Called for who asks by hand, as soon as what the model says first is known or asked for."""


@dataclass(slots=True)
class Desk:
    """What the path works with."""

    link: Link
    settings: Settings
    editor: str
    tell: Teller = nothing
    """What is worth telling a model of other files."""
    prompts: Prompts = field(init=False)
    flights: Flights = field(init=False)
    cache: Cache = field(default_factory=Cache)
    newest: Newest = field(default_factory=Newest)
    health: Health = field(default_factory=Health)
    habits: Habits = field(default_factory=Habits)
    rhythm: Rhythm = field(default_factory=Rhythm)
    machine: Machine = field(default_factory=Machine)
    budget: Budget = field(default_factory=lambda: Budget(governor.UNLIMITED_TOKENS))
    next_stakes: Stakes = field(default_factory=lambda: Stakes(NEXT_SHARE))
    elsewhere_stakes: Stakes = field(default_factory=lambda: Stakes(ELSEWHERE_SHARE, most=1.0, left=0.0))
    on_level: Callable[[Level], None] = lambda level: None
    """Told how well the model does whenever that changes."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        self.prompts = Prompts(self.link, self.tell)
        self.flights = Flights(linger_s=lambda: self.settings.client_wait_s)

    @property
    def revision(self) -> str:
        return self.link.model.revision

    @property
    def reads_ahead(self) -> bool:
        """Whether to read more than is shown: not of a service that may cost money, nor of a model that takes seconds."""
        model = self.link.model
        return model.local and not self.link.reads_slowly and self.health.level == "normal"


async def complete(ask: Ask, desk: Desk, trace: Trace) -> Fitted | None:
    """The suggestion for one request, an empty one with the reason in `trace`, or None when a newer request came.

    Raises CancelledError when the editor withdraws; the generation then lives on for a moment, for its successor.
    """
    watch = Stopwatch(trace, desk.clock)
    snapshot = ask.snapshot
    if refused := _refusal(ask, desk):
        trace.outcome, trace.reason = "off", refused
        return Fitted("")
    with desk.newest.turn(snapshot.uri) as over:
        desk.habits.saw(snapshot)
        found = _look_up(ask, desk, trace)
        watch.lap("cache")
        while found is None:
            source: Source = "flight"
            joined = desk.flights.find(snapshot)
            if joined is None:
                wait_s = _debounce_s(ask, desk) - watch.total_s
                flight = await _ready_to_start(ask, over, wait_s, desk)
                if flight is None:
                    trace.outcome = "superseded"
                    return None
                watch.lap("debounce")
                _take_off(flight, desk)
                joined, source = (flight, ""), "model"
            if ask.by_hand:
                ask.under_way()
            flight, added = joined
            answered = await desk.flights.answered(flight, added, over)
            watch.lap("model")
            if over.done():
                trace.outcome = "superseded"
                return None
            # A generation that was joined may turn out to disagree with what was typed meanwhile: then ask anew.
            found = _land(flight, added, source, trace) if answered else None
        if ask.by_hand:
            ask.under_way()
        fitted = _finish(found, ask, trace, watch)
        if fitted.text:
            _follow_up(found, fitted, ask, desk, trace)
        return fitted


def think_ahead(ask: Ask, desk: Desk) -> None:
    """While the user pauses: ask for the next place where they are likely to type, unless it is known what belongs there."""
    if desk.health.level != "normal" or desk.flights.is_running(ask.snapshot.uri) or _refusal(ask, desk):
        return
    for place in speculate.likely_places(ask.snapshot):
        if not desk.cache.has(desk.revision, place, desk.clock()):
            portion = _portion(scope.shape(place, invoked=False), desk)
            _guess(Flight(place, portion), desk, desk.elsewhere_stakes)
            return


def _refusal(ask: Ask, desk: Desk) -> str:
    if not desk.settings.enabled:
        return "disabled"
    if desk.settings.trigger == "manual" and not ask.by_hand:
        return "manual"
    if not ask.by_hand and not desk.health.may_ask(desk.clock()):
        return "slow"
    return ask.excluded


def _look_up(ask: Ask, desk: Desk, trace: Trace) -> Known | None:
    """What is known for this place; it never waits and never parses. Who asks by hand is not told that there is nothing."""
    found = desk.cache.look_up(desk.revision, ask.snapshot, desk.clock())
    if found is None or (ask.by_hand and not found.text):
        return None
    trace.source = "typed-through" if found.typed else "cache"
    return found


def _debounce_s(ask: Ask, desk: Desk) -> float:
    fresh_line = not ask.snapshot.before.strip() and not ask.snapshot.after.strip()
    return pace.delay_s(
        desk.settings,
        by_hand=ask.by_hand,
        fresh_line=fresh_line,
        since_change_s=ask.since_change_s,
        typical_s=desk.health.typical_s,
        gap_s=desk.rhythm.gap_s,
    )


async def _is_over(over: asyncio.Future[None], wait_s: float, desk: Desk) -> bool:
    """Wait for the debounce to pass; True at once when a newer request comes meanwhile."""
    if wait_s <= 0:
        return over.done()
    waiting = asyncio.ensure_future(desk.sleep(wait_s))
    try:
        await asyncio.wait({over, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    return over.done()


async def _ready_to_start(ask: Ask, over: asyncio.Future[None], wait_s: float, desk: Desk) -> Flight | None:
    """Wait for the debounce; its last milliseconds are spent on the prompt. None: a newer request came meanwhile."""
    if await _is_over(over, wait_s - PREPARING_S, desk) or not ask.is_current():
        return None
    began_s = desk.clock()
    flight = Flight(ask.snapshot, _portion(scope.shape(ask.snapshot, ask.by_hand), desk))
    flight.request = _request(flight, desk)
    rest_s = min(wait_s, PREPARING_S) - (desk.clock() - began_s)
    return None if await _is_over(over, rest_s, desk) or not ask.is_current() else flight


def _take_off(flight: Flight, desk: Desk) -> None:
    """Start a generation; what it yields is cached even if nobody waits for it in the end."""
    desk.next_stakes.earn()
    desk.elsewhere_stakes.earn()
    start(flight, desk, desk.flights)


def _portion(shape: Shape, desk: Desk) -> Portion:
    return pace.portion(shape, desk.settings, ahead=desk.reads_ahead, level=desk.health.level)


def _land(flight: Flight, added: str, source: Source, trace: Trace) -> Known | None:
    """What a generation has for this request, which may have come while it ran; None: it is for another text."""
    if isinstance(flight.error, Preempted) or not flight.text.startswith(added):
        return None
    found = flight.known(added)
    trace.source, trace.shape, trace.rules, trace.reused = source, flight.portion.shape, flight.rules, flight.reused
    trace.told_files, trace.redacted = len(flight.told), flight.redacted
    if flight.error is not None and not found.text:
        trace.outcome, trace.reason, trace.message = "failed", flight.error.code, flight.error.message
    return found


def _finish(found: Known, ask: Ask, trace: Trace, watch: "Stopwatch") -> Fitted:
    """The suggestion, and what the trace says of it."""
    fitted = suggestion(found, ask.snapshot, by_hand=ask.by_hand)
    watch.lap("fit")
    trace.rules += fitted.rules
    trace.chars = len(fitted.text)
    if fitted.text:
        trace.outcome, trace.reason = "answered", ""
    elif not trace.reason:
        trace.reason = trace.rules[-1] if trace.rules else "empty"
    return fitted


def suggestion(found: Known, snapshot: Snapshot, *, by_hand: bool) -> Fitted:
    """One suggestion's worth of known text, fitted into the buffer as it is now."""
    unit = known.unit(found, snapshot, scope.shape(snapshot, by_hand))
    # What is on the screen stays there to its last character.
    return fit.fit(unit, snapshot, by_hand=by_hand or found.typed > 0)


# --- ahead of the user ----------------------------------------------------------------------------


def _follow_up(found: Known, fitted: Fitted, ask: Ask, desk: Desk, trace: Trace) -> None:
    """What a suggestion that is about to be shown says of the guess it came from, and what to ask for next."""
    guess = found.guess
    if guess is not None:
        trace.source = "speculation"
        if not guess.came_true:
            guess.came_true = True
            (desk.next_stakes if guess.start else desk.elsewhere_stakes).won()
    desk.habits.gave(ask.snapshot, fitted.text)
    if _needs_more(found, fitted, desk):
        asyncio.get_running_loop().call_later(AFTER_ANSWER_S, _guess_next, found, ask, desk)


def _guess_next(found: Known, ask: Ask, desk: Desk) -> None:
    """Ask for what follows an answer that has left, unless the user has typed on already."""
    if ask.is_current() and not desk.flights.is_running(ask.snapshot.uri):
        portion = pace.portion("line", desk.settings, ahead=True)
        # The continuation belongs to the same answer, so that typing or accepting any part of it finds the rest.
        _guess(Flight(ask.snapshot, portion, text=found.text, given=len(found.text)), desk, desk.next_stakes)


def _needs_more(found: Known, fitted: Fitted, desk: Desk) -> bool:
    """Whether what follows this suggestion is unknown, and will be wanted before the model could say it.

    Who accepts suggestions wants it at any moment, who types them out when the end comes near.
    """
    if fitted.rules or fitted.replace or found.answer.complete:
        return False
    if known.lines(found.text[len(fitted.text) :]) >= pace.RUNWAY_LINES:
        return False
    return desk.habits.accepts or len(fitted.text) <= pace.lead_chars(desk.health.typical_s, desk.rhythm.gap_s)


def _guess(flight: Flight, desk: Desk, stakes: Stakes) -> None:
    """Start a generation that nobody has asked for, if this is a time for it and there is something left to lose.

    One at a time. What it reserves of the budget is settled when it lands; one that is closed keeps it, because what a
    service charges for that is not known.
    """
    tokens, now_s = flight.portion.max_tokens, desk.clock()
    if desk.flights.is_guessing or _forbids(tokens, now_s, desk) or not stakes.bet():
        return
    desk.budget.take(tokens, now_s)
    flight.guess = Guess(flight.given)
    start(flight, desk, desk.flights)


def _forbids(tokens: int, now_s: float, desk: Desk) -> str:
    """Why nothing is asked for ahead of time now, or ""."""
    model, reading = desk.link.model, desk.machine.reading()
    limits = governor.limits_for(desk.settings, model)
    desk.budget.per_minute = limits.tokens_per_minute
    facts = Facts(
        local=model.local,
        wanted_tokens=tokens,
        left_tokens=desk.budget.left(now_s),
        slow=desk.health.level != "normal" or (model.local and desk.link.reads_slowly),
        on_battery=reading.on_battery,
        load_per_core=reading.load_per_core,
    )
    return governor.refusal(facts, limits)


# --- generations ----------------------------------------------------------------------------------


def _request(flight: Flight, desk: Desk) -> CompletionRequest:
    """All that leaves for a generation; the most work on the way to the model."""
    snapshot, portion = flight.snapshot, flight.portion
    prompt = desk.prompts.of(snapshot)
    sending = prompt.sending(snapshot, desk.editor, max_tokens=portion.max_tokens, given=flight.text)
    flight.told, flight.redacted = frozenset(each.path for each in prompt.snippets), sending.secrets
    return replace(
        sending.request,
        shape=portion.shape,
        # A sample gives way to the first answer, and to that of whoever waits for one elsewhere.
        priority="speculative" if flight.guess or flight.variant else "interactive",
        variant=flight.variant,
    )


def start(flight: Flight, desk: Desk, registry: Flights) -> None:
    """Run a generation in a registry that owns it; what it says is cached."""
    portion, request = flight.portion, flight.request or _request(flight, desk)
    started_s = desk.clock()

    def store(landed: Flight) -> None:
        if landed.guess is None and landed.variant == 0:
            _note_health(landed, desk.clock() - started_s, desk)
        elif landed.guess is not None:
            used_tokens = int((len(landed.text) - landed.given) / desk.link.model.chars_per_token)
            desk.budget.settle(portion.max_tokens, used_tokens, desk.clock())
        if landed.error is None:
            _store(landed, desk)

    registry.start(flight, _pieces(flight, request, desk), store)


def _note_health(landed: Flight, took_s: float, desk: Desk) -> None:
    timed_out, before = isinstance(landed.error, ProviderTimeout), desk.health.level
    if landed.error is None or timed_out:
        desk.health.note(desk.clock(), took_s, failed=timed_out)
    if desk.health.level != before:
        desk.on_level(desk.health.level)


def _store(flight: Flight, desk: Desk) -> None:
    """Shape a finished generation and keep it. A guess that adds nothing is the end of what the model has to say."""
    snapshot, given = flight.snapshot, flight.text[: flight.given]
    complete = flight.guess is not None and not flight.text[flight.given :].strip()
    shaped = fit.shape_answer(flight.text, snapshot, flight.portion.shape, parser(snapshot.language))
    grown = shaped.text.startswith(given) and len(shaped.text) > len(given)
    flight.text, flight.rules = (shaped.text if grown else given), shaped.rules
    block_end = min(shaped.end, len(flight.text))
    flight.answer = Answer(flight.text, block_end, complete, flight.guess, flight.told, flight.variant)
    desk.cache.store(flight.revision or desk.revision, snapshot, flight.answer, desk.clock())


async def _pieces(flight: Flight, request: CompletionRequest, desk: Desk) -> AsyncGenerator[str, None]:
    desk.link.want()
    async with aclosing(desk.link.client.run("completion", request.raw())) as events:
        async for event in events:
            if isinstance(event, Delta):
                yield event.text
            elif isinstance(event, Status) and event.code == "revision":
                flight.revision = event.message
                desk.link.saw_revision(event.message)
            elif isinstance(event, Status) and event.code == "prompt":
                flight.reused = reused(event.data)


class Stopwatch:
    """Writes the milliseconds of each stage into the trace."""

    def __init__(self, trace: Trace, clock: Callable[[], float]) -> None:
        self._trace, self._clock = trace, clock
        self._started_s = self._last_s = clock()

    def lap(self, stage: str) -> None:
        now_s = self._clock()
        took_ms = self._trace.stages_ms.get(stage, 0.0) + (now_s - self._last_s) * 1000
        self._trace.stages_ms[stage] = round(took_ms, 3)
        self._last_s = now_s

    @property
    def total_s(self) -> float:
        return self._clock() - self._started_s
