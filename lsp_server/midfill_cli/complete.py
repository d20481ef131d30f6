"""`midfill complete FILE:LINE:COL`: what an editor would show there."""

import argparse
import asyncio
import json
from pathlib import Path

from midfill_cli.editor import BY_HAND, Buffer, language_server
from midfill_cli.verb import Context, Verb
from midfill_daemon.errors import BadInput

LIMIT_BYTES = 20_000_000


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "place", metavar="FILE:LINE:COL", help="line and column from 1; the column may be one past the end"
    )
    parser.add_argument("--explain", action="store_true", help="say how the suggestion came about")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run(context: Context) -> int:
    path, line, column = _place(context.arguments.place)
    text = _read(path)
    return asyncio.run(_complete(context, path, text, _offset(text, line, column)))


async def _complete(context: Context, path: Path, text: str, caret: int) -> int:
    async with language_server(path.parent, context.environment) as client:
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


def _place(place: str) -> tuple[Path, int, int]:
    try:
        name, line, column = place.rsplit(":", 2)
        return Path(name).resolve(), int(line), int(column)
    except ValueError as exc:
        raise BadInput(f"{place}: must be FILE:LINE:COL") from exc


def _read(path: Path) -> str:
    """The file's text; bytes that are no UTF-8 become replacement characters, as in editors."""
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT_BYTES + 1)
    except OSError as exc:
        raise BadInput(f"{path}: {exc.strerror}") from exc
    if len(raw) > LIMIT_BYTES:
        raise BadInput(f"{path}: larger than {LIMIT_BYTES // 1_000_000} MB")
    if b"\0" in raw[:8192]:
        raise BadInput(f"{path}: a binary file")
    return raw.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def _offset(text: str, line: int, column: int) -> int:
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        raise BadInput(f"line {line}: the file has {len(lines)}")
    if not 1 <= column <= len(lines[line - 1]) + 1:
        raise BadInput(f"column {column}: line {line} has {len(lines[line - 1])} characters")
    return sum(len(each) + 1 for each in lines[: line - 1]) + column - 1


VERB = Verb("complete", "show the suggestion for one place in a file", _arguments, _run)
