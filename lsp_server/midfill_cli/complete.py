"""`midfill complete FILE:LINE:COL`: what an editor would show there."""

import argparse
import asyncio
import json
from pathlib import Path

from midfill_cli.editor import BY_HAND, Buffer, language_server
from midfill_cli.place import offset, place, read
from midfill_cli.verb import Context, Verb

ONE = {"candidates": 1}
"""Nobody chooses here, so no other suggestions are asked for."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "place", metavar="FILE:LINE:COL", help="line and column from 1; the column may be one past the end"
    )
    parser.add_argument("--explain", action="store_true", help="say how the suggestion came about")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run(context: Context) -> int:
    path, line, column = place(context.arguments.place)
    text = read(path)
    return asyncio.run(_complete(context, path, text, offset(text, line, column)))


async def _complete(context: Context, path: Path, text: str, caret: int) -> int:
    async with language_server(path.parent, context.environment, ONE) as client:
        buffer = Buffer(client, path, text, caret)
        suggestion = await buffer.suggest(BY_HAND)
        explanation = await buffer.explain()
    if context.arguments.json:
        print(json.dumps({"text": suggestion.text, "replace": suggestion.replace, "explain": explanation}))
    elif suggestion.text:
        print(suggestion.text)
    if not context.arguments.json and (context.arguments.explain or not suggestion.text):
        print(f"({explanation})")
    return 0 if suggestion.text else 1


VERB = Verb("complete", "show the suggestion for one place in a file", _arguments, _run)
