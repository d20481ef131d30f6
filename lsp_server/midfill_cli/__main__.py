"""`midfill`: one verb per row."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from midfill_cli import complete, config, context, daemon, demo, doctor, eval, log, models, setup, stats
from midfill_cli.verb import Context, Verb
from midfill_daemon import logs
from midfill_daemon.errors import MidfillError

VERBS: tuple[Verb, ...] = (
    demo.VERB,
    setup.VERB,
    doctor.VERB,
    models.VERB,
    complete.VERB,
    context.VERB,
    config.VERB,
    daemon.VERB,
    log.VERB,
    stats.VERB,
    eval.VERB,
)


def main() -> None:
    logs.configure("error")
    try:
        status = run(sys.argv[1:], os.environ)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output (head, less) has seen enough. Keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)


def run(words: Sequence[str], variables: Mapping[str, str]) -> int | str:
    """The exit status of a verb; a MidfillError is a line for the user, never a traceback. Exits for odd words."""
    arguments = _parser().parse_args(words)
    verb: Verb = arguments.verb
    try:
        return verb.run(Context(arguments, variables))
    except MidfillError as exc:
        return f"midfill: {exc.message}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="midfill", description="AI completion for any editor from one local daemon.")
    parser.add_argument("--version", action="version", version=version("midfill"))
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for verb in VERBS:
        child = verbs.add_parser(verb.name, help=verb.help, description=verb.help)
        verb.arguments(child)
        child.set_defaults(verb=verb)
    return parser


if __name__ == "__main__":
    main()
