"""`midfill log` and `midfill stats`: what was asked of the models, from the daemon's records."""

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime

from midfill_cli.verb import Context, Verb
from midfill_daemon.paths import locate
from midfill_daemon.records import feedback, requests
from midfill_daemon.records.requests import Request, Summary


def _log_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--last", type=int, default=20, metavar="N", help="how many requests (default: 20)")
    parser.add_argument("--traces", action="store_true", help="show what the editors report instead of the model calls")
    parser.add_argument("--json", action="store_true", help="print JSON lines")


def _log(context: Context) -> int:
    database = locate(context.environment).database
    rows = (feedback if context.arguments.traces else requests).last(database, context.arguments.last)
    if not rows:
        print("Nothing is recorded yet.")
    for row in reversed(rows):
        if context.arguments.json:
            print(json.dumps(asdict(row)))
        elif isinstance(row, Request):
            print(_request_line(row))
        else:
            print(f"{_time(row.at)}  {row.kind:<9} {row.trace}  {json.dumps(row.data)}")
    return 0


def _request_line(row: Request) -> str:
    took = f"{row.first_token_ms or 0:.0f} ms to the first token, {row.total_ms or 0:.0f} ms in all"
    outcome = f"{row.outcome} ({row.error_code})" if row.error_code else row.outcome
    return (
        f"{_time(row.at)}  {row.task:<11} {row.model or '-':<28} {outcome:<24} {took}; "
        f"{row.prompt_tokens} tokens in ({row.cached_tokens} from the KV cache), {row.output_tokens} out"
    )


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%H:%M:%S")


def _stats_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _stats(context: Context) -> int:
    sums = requests.summary(locate(context.environment).database)
    if context.arguments.json:
        print(json.dumps([asdict(row) for row in sums]))
        return 0
    if not sums:
        print("Nothing is recorded yet.")
    for row in sums:
        print(_sum_line(row))
    return 0


def _sum_line(row: Summary) -> str:
    reused = row.cached_tokens / row.prompt_tokens if row.prompt_tokens > 0 else 0.0
    return (
        f"{row.task} by {row.model or 'no model'} ({row.provider or '-'}): {row.calls} calls, {row.ok} ran to their end; "
        f"first token after {row.first_token_ms or 0:.0f} ms on average; "
        f"{row.prompt_tokens} tokens in ({reused:.0%} from the KV cache), {row.output_tokens} out"
    )


VERB = Verb("log", "show the last model calls", _log_arguments, _log)
STATS = Verb("stats", "show sums by task and model", _stats_arguments, _stats)
