"""`midfill log`: what was asked of the models and what editors report, from the daemon's records; and their removal."""

import argparse
import json
import math
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from midfill_cli import verb
from midfill_cli.verb import Context, Verb
from midfill_daemon import records
from midfill_daemon.paths import locate
from midfill_daemon.records import feedback, requests
from midfill_daemon.records.requests import Request
from midfill_lsp.explain import explain
from midfill_lsp.trace import OVERTAKEN, recorded

DAY_S = 86_400
SEARCHED = 200
"""How far back to look for a request that was not overtaken by the next key."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", nargs="?", default="show", choices=("show", "purge"), help="purge: remove all of it, for good"
    )
    parser.add_argument(
        "--last",
        type=int,
        nargs="?",
        default=20,
        const=None,
        metavar="N",
        help="how many requests (default: 20); without a number: the last one, explained in words",
    )
    parser.add_argument(
        "--traces", action="store_true", help="only what the editors report, instead of the model calls"
    )
    parser.add_argument("--keep-days", type=verb.days, metavar="N", help="purge only what is older than N days")
    parser.add_argument("--json", action="store_true", help="print JSON lines")


def _run(context: Context) -> int:
    database = locate(context.environment).database
    if context.arguments.action == "purge":
        return _purge(database, context.arguments)
    if context.arguments.last is None:
        return _explain_last(database, as_json=context.arguments.json)
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


def _purge(database: Path, arguments: argparse.Namespace) -> int:
    """The daemon need not run; one that does goes on writing to the same file."""
    keep_days = arguments.keep_days
    tables = ("feedback",) if arguments.traces else ("requests", "feedback")
    # Rows that come from clocks ahead of ours are no younger than now.
    gone = records.forget(database, tables, time.time() - keep_days * DAY_S if keep_days else math.inf)
    print(f"{gone} rows removed" if gone else "There was nothing to remove.")
    return 0


def _explain_last(database: Path, *, as_json: bool) -> int:
    traces = feedback.last(database, SEARCHED, "trace")
    last = next((row for row in traces if row.data.get("outcome") not in OVERTAKEN), None)
    if last is None:
        print("Nothing is recorded yet.")
    elif as_json:
        print(json.dumps(asdict(last)))
    else:
        print(explain(recorded(last.trace, last.data)))
    return 0


def _request_line(row: Request) -> str:
    first = "no token" if row.first_token_ms is None else f"{row.first_token_ms:.0f} ms to the first token"
    took = f"{first}, {row.total_ms or 0:.0f} ms in all"
    outcome = f"{row.outcome} ({row.error_code})" if row.error_code else row.outcome
    return (
        f"{_time(row.at)}  {row.task:<11} {row.model or '-':<28} {outcome:<24} {took}; "
        f"{_count(row.prompt_tokens)} tokens in ({_count(row.cached_tokens)} from the KV cache), "
        f"{_count(row.output_tokens)} out"
    )


def _count(tokens: int) -> str:
    return "?" if tokens < 0 else str(tokens)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%H:%M:%S")


VERB = Verb("log", "show the last model calls, or remove the records", _arguments, _run)
