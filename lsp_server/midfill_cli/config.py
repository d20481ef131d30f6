"""`midfill config`: every value in use and where it came from."""

import argparse
import json
from dataclasses import asdict

from midfill_cli.verb import Context, Verb
from midfill_daemon import config
from midfill_daemon.paths import locate


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run(context: Context) -> int:
    paths = locate(context.environment)
    loaded = config.load(paths, context.environment)
    origins = config.describe(loaded)
    if context.arguments.json:
        print(json.dumps([asdict(origin) for origin in origins], default=str))
        return 0
    print(f"# configuration file: {paths.config_file}{'' if paths.config_file.exists() else ' (not there)'}")
    width = max(len(f"{origin.name} = {origin.value!r}") for origin in origins)
    for origin in origins:
        print(f"{f'{origin.name} = {origin.value!r}':<{width}}  # {origin.source}")
    for warning in loaded.warnings:
        print(f"warning: {warning}")
    return 0


VERB = Verb("config", "show every setting and where it came from", _arguments, _run)
