"""The path of one completion request, top to bottom: exclusion, cache, flight, pace, model, fit, look ahead."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, field

from midfill_daemon.contract import CompletionRequest, Delta, Shape, Status
from midfill_daemon.errors import ProviderTimeout
from midfill_lsp import cache, fit, known, pace
from midfill_lsp.cache import Answer, Cache
from midfill_lsp.fit import Fitted
from midfill_lsp.flights import Flight, Flights
from midfill_lsp.link import Link
from midfill_lsp.newest import Newest
from midfill_lsp.pace import Health
from midfill_lsp.settings import Settings
from midfill_lsp.trace import Trace
from midfill_workspace import scope, window
from midfill_workspace.grammars import parser
from midfill_workspace.snapshot import Snapshot
from midfill_workspace.window import Window

SLOW_READER_TOKENS_S = 1000.0


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of the editor. `excluded` is the reason why this document is never sent, or ""."""

    snapshot: Snapshot
    by_hand: bool
    since_change_s: float
    excluded: str = ""
    is_current: Callable[[], bool] = lambda: True
    """Whether the document is still the one that was asked about."""


@dataclass(slots=True)
class Desk:
    """What the path works with."""

    link: Link
    settings: Settings
    editor: str
    flights: Flights = field(init=False)
    cache: Cache = field(default_factory=Cache)
    newest: Newest = field(default_factory=Newest)
    health: Health = field(default_factory=Health)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        self.flights = Flights(lambda: self.settings.client_wait_s, lambda: 2 if self.looks_ahead else 1)

    @property
    def looks_ahead(self) -> bool:
        """Whether to ask for more than is shown: not of a service that may cost money, nor of a model that takes seconds."""
        model = self.link.model
        return model.local and model.prefill_tokens_s >= SLOW_READER_TOKENS_S and self.health.level == "normal"


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
        view = window.cut(snapshot, desk.link.window_chars)
        text = _look_up(view, ask, desk, trace)
        watch.lap("cache")
        while text is None:
            flights = desk.flights.find(snapshot)
            if not flights:
                wait_s = _debounce_s(ask, desk) - watch.total_s
                if await _is_over(over, wait_s, desk) or not ask.is_current():
                    trace.outcome = "superseded"
                    return None
                watch.lap("debounce")
                flights = [(_take_off(view, ask, desk), "")]
            landed = await desk.flights.first(flights, over)
            watch.lap("model")
            if over.done():
                trace.outcome = "superseded"
                return None
            # A generation that was joined may turn out to disagree with what was typed meanwhile: then ask anew.
            text = _land(*landed, trace) if landed else None
        fitted = _finish(text, ask, trace, watch)
        if fitted.text and trace.source != "model":
            # Not before the user has gone along with an answer: three of ten are wrong, and so is what follows them.
            _look_ahead(text, fitted, view, ask, desk)
        return fitted


def _refusal(ask: Ask, desk: Desk) -> str:
    if not desk.settings.enabled:
        return "disabled"
    if desk.settings.trigger == "manual" and not ask.by_hand:
        return "manual"
    if not ask.by_hand and not desk.health.may_ask(desk.clock()):
        return "slow"
    return ask.excluded


def _look_up(view: Window, ask: Ask, desk: Desk, trace: Trace) -> str | None:
    """Text that is already known for this place; a hit never waits and never parses.

    What is being typed out comes first: it is on the screen, and another answer would make it flicker.
    """
    now_s = desk.clock()
    path = ask.snapshot.path
    through = desk.cache.typed_through(path, view, now_s)
    if through is not None:
        trace.source = "typed-through"
        return through
    hit = desk.cache.get(cache.key(desk.link.model.revision, path, view), now_s)
    if hit is not None:
        trace.source = "cache"
        return hit.text
    return None


def _debounce_s(ask: Ask, desk: Desk) -> float:
    fresh_line = not ask.snapshot.before.strip() and not ask.snapshot.after.strip()
    return pace.delay_s(
        desk.settings,
        by_hand=ask.by_hand,
        fresh_line=fresh_line,
        since_change_s=ask.since_change_s,
        typical_s=desk.health.typical_s,
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


def _take_off(view: Window, ask: Ask, desk: Desk) -> Flight:
    """Start a generation; what it yields is cached even if nobody waits for it in the end."""
    shape: Shape = scope.shape(ask.snapshot, ask.by_hand)
    extent = pace.extent(shape, desk.settings, ahead=desk.looks_ahead)
    flight = Flight(ask.snapshot, extent.shape, extent.lines)
    _start(flight, view, extent.max_tokens, desk)
    return flight


def _look_ahead(text: str, fitted: Fitted, view: Window, ask: Ask, desk: Desk) -> None:
    """Ask for what follows a suggestion before the user does, unless enough of it is known or this is no time for it.

    The continuation belongs to the same answer, so that typing or accepting any part of it finds the rest.
    """
    beyond = text[len(fitted.text) :]
    if not desk.looks_ahead or known.lines(beyond) >= pace.RUNWAY_LINES or fitted.rules or fitted.replace:
        return
    if desk.flights.is_running(ask.snapshot.uri) or desk.cache.is_complete(ask.snapshot.path, view):
        return
    extent = pace.extent("line", desk.settings, ahead=True)
    flight = Flight(ask.snapshot, extent.shape, extent.lines, text=text, given=len(text))
    _start(flight, view, extent.max_tokens, desk)


def _start(flight: Flight, view: Window, max_tokens: int, desk: Desk) -> None:
    snapshot = flight.snapshot
    request = CompletionRequest(
        path=snapshot.path,
        language=snapshot.language,
        prefix=view.prefix + flight.text,
        suffix=view.suffix,
        shape=flight.shape,
        max_tokens=max_tokens,
        editor=desk.editor,
        priority="speculative" if flight.is_speculation else "interactive",
    )
    started_s = desk.clock()

    def store(landed: Flight) -> None:
        timed_out = isinstance(landed.error, ProviderTimeout)
        if (landed.error is None or timed_out) and not landed.is_speculation:
            desk.health.note(desk.clock(), desk.clock() - started_s, failed=timed_out)
        if landed.error is None:
            _store(landed, view, desk)

    desk.flights.start(flight, _pieces(flight, request, desk.link), store)


def _store(flight: Flight, view: Window, desk: Desk) -> None:
    """Shape a finished generation and keep it. One that has not grown is the end of what the model has to say."""
    snapshot = flight.snapshot
    shaped = fit.shape_answer(flight.text, snapshot, flight.shape, parser(snapshot.language))
    grown = shaped.text.startswith(flight.text[: flight.given]) and len(shaped.text) > flight.given
    flight.text, flight.rules = (shaped.text if grown else flight.text[: flight.given]), shaped.rules
    digest = cache.key(flight.revision or desk.link.model.revision, snapshot.path, view)
    answer = Answer(flight.text, view, desk.clock(), complete=flight.is_speculation and not grown)
    desk.cache.store(digest, snapshot.path, answer)


async def _pieces(flight: Flight, request: CompletionRequest, link: Link) -> AsyncGenerator[str, None]:
    link.want()
    if flight.is_speculation:
        # The answer that this looks ahead of is ready: it leaves first.
        await asyncio.sleep(0)
    async with aclosing(link.client.run("completion", asdict(request))) as events:
        async for event in events:
            if isinstance(event, Delta):
                yield event.text
            elif isinstance(event, Status) and event.code == "revision":
                flight.revision = event.message
                link.saw_revision(event.message)


def _land(flight: Flight, typed: str, trace: Trace) -> str:
    """What a generation has for this request, which may have come while it ran."""
    trace.source, trace.shape, trace.rules = "model", flight.shape, flight.rules
    if flight.error is not None and not flight.rest(typed):
        trace.outcome, trace.reason, trace.message = "failed", flight.error.code, flight.error.message
    elif not flight.text.startswith(typed):
        trace.reason = "stale"
    return flight.rest(typed)


def _finish(text: str, ask: Ask, trace: Trace, watch: "Stopwatch") -> Fitted:
    """Fit one suggestion's worth of known text into the buffer as it is now."""
    snapshot = ask.snapshot
    unit = known.unit(text, snapshot, scope.shape(snapshot, ask.by_hand))
    fitted = fit.fit(unit, snapshot, by_hand=ask.by_hand)
    watch.lap("fit")
    trace.rules += fitted.rules
    trace.chars = len(fitted.text)
    if fitted.text:
        trace.outcome, trace.reason = "shown", ""
    elif not trace.reason:
        trace.reason = trace.rules[-1] if trace.rules else "empty"
    return fitted


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
