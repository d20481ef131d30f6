"""The path of one completion request, top to bottom: exclusion, cache, flight, pace, model, cache, fit."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, field

from midfill_daemon.contract import CompletionRequest, Delta, Shape, Status
from midfill_lsp import cache, fit, pace
from midfill_lsp.cache import Answer, Cache
from midfill_lsp.fit import Fitted
from midfill_lsp.flights import Flight, Flights
from midfill_lsp.link import Link
from midfill_lsp.newest import Newest
from midfill_lsp.settings import Settings
from midfill_lsp.trace import Trace
from midfill_workspace import scope, window
from midfill_workspace.grammars import parser
from midfill_workspace.snapshot import Snapshot
from midfill_workspace.window import Window


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of the editor. `excluded` is the reason why this document is never sent, or ""."""

    snapshot: Snapshot
    by_hand: bool
    since_change_s: float
    excluded: str = ""


@dataclass(slots=True)
class Desk:
    """What the path works with."""

    link: Link
    settings: Settings
    editor: str
    flights: Flights = field(init=False)
    cache: Cache = field(default_factory=Cache)
    newest: Newest = field(default_factory=Newest)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        self.flights = Flights(lambda: self.settings.client_wait_s)


async def complete(ask: Ask, desk: Desk, trace: Trace) -> Fitted | None:
    """The suggestion for one request, an empty one with the reason in `trace`, or None when a newer request came.

    Raises CancelledError when the editor withdraws; the generation then lives on for a moment, for its successor.
    """
    watch = Stopwatch(trace, desk.clock)
    snapshot = ask.snapshot
    if refused := _refusal(ask, desk.settings):
        trace.outcome, trace.reason = "off", refused
        return Fitted("")
    with desk.newest.turn(snapshot.uri) as over:
        view = window.cut(snapshot, desk.link.window_chars)
        found = _look_up(view, snapshot.path, desk, trace)
        watch.lap("cache")
        if found is not None:
            return _finish(found, ask, trace, watch)
        flight = desk.flights.find(snapshot)
        if flight is None:
            fresh_line = not snapshot.before.strip() and not snapshot.after.strip()
            wait_s = pace.delay_s(
                desk.settings, by_hand=ask.by_hand, fresh_line=fresh_line, since_change_s=ask.since_change_s
            )
            if await _is_over(over, wait_s, desk):
                trace.outcome = "superseded"
                return None
            watch.lap("debounce")
            flight = _take_off(view, ask, desk)
        ended = await desk.flights.wait(flight, over)
        watch.lap("model")
        if not ended or over.done():
            trace.outcome = "superseded"
            return None
        return _land(flight, ask, trace, watch)


def _refusal(ask: Ask, settings: Settings) -> str:
    if not settings.enabled:
        return "disabled"
    if settings.trigger == "manual" and not ask.by_hand:
        return "manual"
    return ask.excluded


def _look_up(view: Window, path: str, desk: Desk, trace: Trace) -> str | None:
    """Text that is already known for this place; a hit never waits and never parses."""
    now_s = desk.clock()
    hit = desk.cache.get(cache.key(desk.link.model.revision, path, view), now_s)
    if hit is not None:
        trace.source = "cache"
        return hit.text
    through = desk.cache.typed_through(path, view, now_s)
    if through is not None:
        trace.source = "typed-through"
        return through[1]
    return None


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
    snapshot = ask.snapshot
    shape: Shape = scope.shape(snapshot, ask.by_hand)
    flight = Flight(snapshot, shape)
    request = CompletionRequest(
        path=snapshot.path,
        language=snapshot.language,
        prefix=view.prefix,
        suffix=view.suffix,
        shape=shape,
        max_tokens=desk.settings.max_tokens,
        editor=desk.editor,
    )

    def store(landed: Flight) -> None:
        if landed.error is not None:
            return
        shaped = fit.shape_answer(landed.text, snapshot, shape, parser(snapshot.language))
        landed.text, landed.rules = shaped.text, shaped.rules
        digest = cache.key(landed.revision, snapshot.path, view)
        desk.cache.store(digest, snapshot.path, Answer(landed.text, view, desk.clock()))

    desk.flights.start(flight, _pieces(flight, request, desk.link), store)
    return flight


async def _pieces(flight: Flight, request: CompletionRequest, link: Link) -> AsyncGenerator[str, None]:
    async with aclosing(link.client.run("completion", asdict(request))) as events:
        async for event in events:
            if isinstance(event, Delta):
                yield event.text
            elif isinstance(event, Status) and event.code == "revision":
                flight.revision = event.message
                link.saw_revision(event.message)


def _land(flight: Flight, ask: Ask, trace: Trace, watch: "Stopwatch") -> Fitted:
    """What a finished generation means for this request, which may have come while it ran."""
    trace.source, trace.shape = "model", flight.shape
    if flight.error is not None:
        trace.outcome, trace.reason, trace.message = "failed", flight.error.code, flight.error.message
        return Fitted("")
    typed = flight.typed(ask.snapshot.lines)
    if typed is None or not flight.text.startswith(typed):
        trace.reason = "stale"
        return Fitted("")
    trace.rules = flight.rules
    return _finish(flight.text[len(typed) :], ask, trace, watch)


def _finish(text: str, ask: Ask, trace: Trace, watch: "Stopwatch") -> Fitted:
    """Fit known text into the buffer as it is now."""
    fitted = fit.fit(text, ask.snapshot, by_hand=ask.by_hand)
    watch.lap("fit")
    trace.rules += fitted.rules
    trace.chars = len(fitted.text)
    trace.outcome = "shown" if fitted.text else "nothing"
    trace.reason = "" if fitted.text else (trace.rules[-1] if trace.rules else "empty")
    return fitted


class Stopwatch:
    """Writes the milliseconds of each stage into the trace."""

    def __init__(self, trace: Trace, clock: Callable[[], float]) -> None:
        self._trace, self._clock, self._last_s = trace, clock, clock()

    def lap(self, stage: str) -> None:
        now_s = self._clock()
        self._trace.stages_ms[stage] = round((now_s - self._last_s) * 1000, 3)
        self._last_s = now_s
