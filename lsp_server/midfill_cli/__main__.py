"""`midfill`: one verb per row."""

import argparse
import os
import sys
from importlib.metadata import version

from midfill_cli import complete, config, context, daemon, demo, doctor, eval, log, models
from midfill_cli.verb import Context, Verb
from midfill_daemon import logs
from midfill_daemon.errors import MidfillError

VERBS: tuple[Verb, ...] = (
    demo.VERB,
    doctor.VERB,
    models.VERB,
    complete.VERB,
    context.VERB,
    config.VERB,
    daemon.VERB,
    log.VERB,
    log.STATS,
    eval.VERB,
)


def main() -> None:
    """Run the verb; a MidfillError is a line for the user, never a traceback."""
    logs.configure("error")
    arguments = _parser().parse_args()
    try:
        status = arguments.verb.run(Context(arguments, os.environ))
    except MidfillError as exc:
        sys.exit(f"midfill: {exc.message}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output (head, less) has seen enough. Keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)


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
