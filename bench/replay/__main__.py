"""`python -m bench.replay`: real files are typed again, with servers and a slow model, and it is counted what shows."""

import argparse
import asyncio
import json
import signal
from dataclasses import replace
from pathlib import Path

from bench.replay import matrix, report
from bench.replay.matrix import MATRICES, Matrix
from bench.replay.plan import PROFILES
from bench.replay.runs import Setting
from bench.replay.servers import SERVERS


def main() -> None:
    arguments = _arguments()
    chosen = _narrowed(MATRICES[arguments.matrix] if arguments.matrix else _single(arguments), arguments)
    # Ended like by Ctrl-C, so that no process is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results = asyncio.run(
        matrix.run(chosen, arguments.jobs or chosen.jobs, tuple(arguments.files), resume=arguments.resume)
    )
    if arguments.matrix:
        report.write(results, arguments.matrix)
    if arguments.json:
        (first, *_) = results.values()
        print(json.dumps(report.as_json(results) if arguments.matrix else first))
    else:
        print(report.table(results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.replay", description=__doc__)
    parser.add_argument(
        "--matrix", choices=tuple(MATRICES), help="many settings in one run, with the bars of the design"
    )
    parser.add_argument("--profile", choices=tuple(PROFILES), help="how fast the model is: flat800, or all of a matrix")
    parser.add_argument("--servers", default=",".join(SERVERS), help=f"of {','.join(SERVERS)}")
    parser.add_argument("--accept", type=float, default=0.0, help="how likely a right suggestion is accepted at a key")
    parser.add_argument("--gap-ms", type=float, default=0.0, help="the editor's wait between a change and its request")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--chars", type=int, default=1000, help="length of the passage that is typed")
    parser.add_argument("--files", type=Path, nargs="+", default=[], help="files to type in instead of the usual ones")
    parser.add_argument("--jobs", type=int, default=0, help="runs side by side; they mostly wait")
    parser.add_argument("--resume", action="store_true", help="do not repeat what this code has done before")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser.parse_args()


def _single(arguments: argparse.Namespace) -> Matrix:
    setting = Setting(arguments.profile or "flat800", arguments.accept, arguments.gap_ms)
    return Matrix((setting,), tuple(SERVERS), arguments.seeds, arguments.chars)


def _narrowed(chosen: Matrix, arguments: argparse.Namespace) -> Matrix:
    names = tuple(arguments.servers.split(","))
    unknown = sorted(set(names) - SERVERS.keys())
    if unknown:
        raise SystemExit(f"unknown servers: {', '.join(unknown)}")
    settings = tuple(each for each in chosen.settings if arguments.profile in (None, each.profile))
    return replace(chosen, servers=names, settings=settings)


if __name__ == "__main__":
    main()
