"""From what was seen of the runs of one server to its figures."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean, median, quantiles
from typing import Any

from bench.replay import oracle
from bench.replay.editor import Answer, Event
from bench.replay.plan import Call
from bench.replay.session import Record

USEFUL_CHARS = 8
PAUSE_S = 0.4
SOURCES = ("hit", "typed_through", "speculation", "flight", "model", "other")
KNOWN_BEFORE = ("hit", "typed_through", "speculation", "other")
"""Sources of answers that were there when they were asked for; `other` is text that no call of the model explains."""

Figures = Mapping[str, Any]


def figures(records: Sequence[Record]) -> Figures:
    """Means over the runs; latencies over all their answers, from the request to the answer; `stale` is a total."""
    waits_ms = _waits_ms(records)
    everything_ms = [wait_ms for each in waits_ms.values() for wait_ms in each]
    stale = [answer for record in records for answer in record.answers if answer.stale]
    known_ms = [wait_ms for source in KNOWN_BEFORE for wait_ms in waits_ms.get(source, ())]
    return {
        **{name: round(fmean(map(rate, records)), 4) for name, rate in RATES.items()},
        "lat_ms_p50": _percentile(everything_ms, 50),
        "lat_ms_p90": _percentile(everything_ms, 90),
        "known_ms_p50": _percentile(known_ms, 50),
        "by_source": {source: _source(waits_ms.get(source, ()), len(everything_ms)) for source in SOURCES},
        "stale": len(stale),
        "stale_after_ms": [round(1000 * answer.after_s, 1) for answer in stale],
        "failures": sum(record.failures for record in records),
        "text_ok": all(record.text_ok for record in records),
        "runs": len(records),
    }


def _source(waits_ms: Sequence[float], among: int) -> Mapping[str, float | None]:
    share = round(len(waits_ms) / among, 4) if among else 0.0
    return {"share": share, "p50": _percentile(waits_ms, 50), "p90": _percentile(waits_ms, 90)}


def _percentile(values: Sequence[float], percent: int) -> float | None:
    if len(values) < 2:
        return round(values[0], 2) if values else None
    return round(median(values) if percent == 50 else quantiles(values, n=100)[percent - 1], 2)


# --- rates of one run -----------------------------------------------------------------------------


def _keys(record: Record) -> list[Event]:
    return [event for event in record.events if event.kind == "type"]


def _visible(record: Record) -> float:
    return _share(bool(event.shown) for event in _keys(record))


def _useful(record: Record) -> float:
    return _share(is_useful(event.shown, event.expected) for event in _keys(record))


def is_useful(shown: str, expected: str) -> bool:
    """Whether the start of a suggestion is what the user is about to type."""
    return bool(shown) and expected.startswith(shown[:USEFUL_CHARS])


def _possible(record: Record) -> float:
    """What would be useful of a model without any latency: the rest it gets wrong, or has nothing to say."""
    model, passage, seed = oracle.MODELS[record.plan.profile.model], record.plan.passage, record.plan.seed
    return _share(is_useful(model(key.tail, passage, seed), key.expected) for key in _keys(record))


def _visible_in_pauses(record: Record) -> float:
    pauses = [event for event, after in pairwise(record.events) if after.at_s - event.at_s > PAUSE_S]
    return _share(bool(event.shown or event.shown_late) for event in pauses)


def _waste(record: Record) -> float:
    """The share of generated characters that were neither accepted nor typed along with."""
    generated = sum(len(call.text) for call in record.calls)
    used = sum(event.kept_chars for event in record.events)
    return max(0.0, 1 - used / generated) if generated else 0.0


def _per_100(count: Callable[[Record], float]) -> Callable[[Record], float]:
    return lambda record: 100 * count(record) / (record.plan.passage.end - record.plan.passage.start)


def _share(of: Iterable[bool]) -> float:
    values = list(of)
    return sum(values) / len(values) if values else 0.0


RATES: Mapping[str, Callable[[Record], float]] = {
    "visible_150": _visible,
    "useful_150": _useful,
    "possible_150": _possible,
    "wrong_shown": lambda record: _visible(record) - _useful(record),
    "visible_in_pauses": _visible_in_pauses,
    "calls_per_100": _per_100(lambda record: len(record.calls)),
    "cancelled_per_100": _per_100(lambda record: sum(call.cancelled for call in record.calls)),
    "tokens_per_100": _per_100(lambda record: sum(call.tokens for call in record.calls)),
    "keys_per_100": _per_100(lambda record: len(_keys(record))),
    "accepted_per_100": _per_100(lambda record: sum(event.kind == "accept" for event in record.events)),
    "waste": _waste,
    "cpu_ms_per_key": lambda record: 1000 * record.cpu_s / len(record.events),
    "server_cpu_ms_per_key": lambda record: 1000 * record.server_cpu_s / len(record.events),
    "rss_mb": lambda record: record.rss_mb,
}


# --- where answers came from ----------------------------------------------------------------------


def _waits_ms(records: Iterable[Record]) -> Mapping[str, Sequence[float]]:
    """Milliseconds from request to answer, by source, of the answers that were shown."""
    found: dict[str, list[float]] = defaultdict(list)
    for record in records:
        # A typed place may be asked about twice; the first time it was the caret's counts.
        first_s: dict[str, float] = {}
        for event in record.events:
            first_s.setdefault(event.tail, event.at_s)
        for answer in record.answers:
            if answer.current:
                source = source_of(answer, record.calls, first_s)
                found[source].append(1000 * (answer.came_s - answer.asked_s))
    return found


def source_of(answer: Answer, calls: Sequence[Call], first_s: Mapping[str, float]) -> str:
    """Seen from outside: the last call whose text this is, when it ran, and whether the caret had been there then.

    `first_s`: when the caret was first at the end of a text.
    """
    for call in reversed(calls):
        typed = _typed_of(call, answer)
        if typed is None or call.started_s > answer.came_s:
            continue
        if call.ended_s > answer.asked_s:
            return "model" if call.started_s >= answer.asked_s else "flight"
        if first_s.get(call.tail, answer.came_s) > call.started_s:
            return "speculation"
        return "typed_through" if typed else "hit"
    return "other"


def _typed_of(call: Call, answer: Answer) -> str | None:
    """What of a call's text stands in the document already, if the answer is the next of it."""
    at = answer.before.rfind(call.tail, max(0, len(answer.before) - len(call.tail) - len(call.text)))
    typed = answer.before[at + len(call.tail) :]
    if at < 0 or not call.text.startswith(typed):
        return None
    start = answer.text.strip()[:USEFUL_CHARS]
    return typed if call.text[len(typed) :].strip().startswith(start) else None
