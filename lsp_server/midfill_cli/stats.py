"""`midfill stats`: what became of suggestions, how soon they came, and what was asked of the models."""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from midfill_cli import verb
from midfill_cli.verb import Context, Verb
from midfill_daemon.paths import locate
from midfill_daemon.records import requests
from midfill_daemon.records.requests import Summary
from midfill_daemon.records.usage import Group, Kept, Latency, Usage, usage

DAYS = 30
DAY_S = 86_400

GROUPS_SHOWN = 10
"""So many languages, or models, are listed; `--json` has them all."""

EMPTY = """\
Nothing is recorded of the last {days} days.
Open a file in an editor with Midfill and type, or try `midfill complete FILE:LINE:COL`; `midfill doctor` says what is \
missing. Nothing is stored of an editor whose setting `telemetry` is false."""

NO_SUGGESTIONS = """\
No suggestion has been shown in an editor, or its setting `telemetry` is false."""

Row = Sequence[str]


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--days", type=verb.days, default=DAYS, metavar="N", help=f"how far back (default: {DAYS} days)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run(context: Context) -> int:
    days = context.arguments.days
    database, since = locate(context.environment).database, time.time() - days * DAY_S
    calls, used = requests.summary(database, since), usage(database, since)
    if context.arguments.json:
        print(json.dumps(_raw(days, calls, used)))
    elif not calls and not used.total.shown and not used.latencies:
        print(EMPTY.format(days=days))
    else:
        print("\n".join(_report(days, calls, used)))
    return 0


def _raw(days: int, calls: Sequence[Summary], used: Usage) -> dict[str, Any]:
    return {
        "days": days,
        "suggestions": _group_raw(used.total),
        **{f"by_{grouping}": [_group_raw(group) for group in groups] for grouping, groups in used.groups.items()},
        "kept": [{**asdict(kept), "share": kept.share} for kept in used.kept],
        "latency": [asdict(latency) for latency in used.latencies],
        "calls": [asdict(row) for row in calls],
    }


def _group_raw(group: Group) -> dict[str, Any]:
    return {**asdict(group), "acceptance": group.acceptance, "accepted_share": group.accepted_share}


# --- in words -------------------------------------------------------------------------------------


def _report(days: int, calls: Sequence[Summary], used: Usage) -> Iterator[str]:
    yield f"The last {days} days" if days > 1 else "The last day"
    yield ""
    yield from _suggestions(used) if used.total.shown else [NO_SUGGESTIONS]
    if used.latencies:
        head = ("answers came from", "answers", "p50", "p95", "p99")
        yield from ("", *_table([head, *map(_latency_row, used.latencies)]))
    if calls:
        yield from ("", "Asked of the models", *map(_sum_line, calls))


def _suggestions(used: Usage) -> Iterator[str]:
    head = ("suggestions", "shown", "accepted", "in part", "rate", "characters", "typed out", "dismissed")
    rows: list[Row] = [head, _group_row("all", used.total)]
    for grouping, groups in used.groups.items():
        rows += [_group_row(f"  {grouping} {group.name or 'unknown'}", group) for group in groups[:GROUPS_SHOWN]]
    yield from _table(rows)
    if used.kept:
        yield from ("", *_table([("accepted text", "texts", "still there", "not known"), *map(_kept_row, used.kept)]))


def _group_row(title: str, group: Group) -> Row:
    counts = (group.shown, group.accepted, group.partly)
    shares = (_percent(group.acceptance), _percent(group.accepted_share))
    return (title, *map(str, counts), *shares, str(group.typed), str(group.dismissed))


def _kept_row(kept: Kept) -> Row:
    title = f"  after {kept.after_s / 60:.0f} min" if kept.after_s >= 60 else f"  after {kept.after_s:.0f} s"
    return (title, str(kept.texts), _percent(kept.share), str(kept.unknown))


def _latency_row(latency: Latency) -> Row:
    times = (f"{each:.1f} ms" for each in (latency.p50_ms, latency.p95_ms, latency.p99_ms))
    return (f"  {latency.source or 'unknown'}", str(latency.answers), *times)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _table(rows: Sequence[Row]) -> Iterator[str]:
    """The first column to the left, the numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for title, *numbers in rows:
        cells = (number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True))
        yield "  ".join((title.ljust(widths[0]), *cells))


def _sum_line(row: Summary) -> str:
    first = "no token" if row.first_token_ms is None else f"first token after {row.first_token_ms:.0f} ms on average"
    reused = row.cached_tokens / row.prompt_tokens if row.prompt_tokens > 0 else 0.0
    return (
        f"{row.task} by {row.model or 'no model'} ({row.provider or '-'}): {row.calls} calls, {row.ok} ran to their end; "
        f"{first}; "
        f"{row.prompt_tokens} tokens in ({reused:.0%} from the KV cache), {row.output_tokens} out"
    )


VERB = Verb("stats", "show what became of suggestions, and sums by task and model", _arguments, _run)
