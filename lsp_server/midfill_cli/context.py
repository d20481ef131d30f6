"""`midfill context FILE:LINE:COL`: everything that a model would be sent for one place, and what is kept back."""

import argparse
import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from midfill_cli.place import offset, place, read
from midfill_cli.verb import Context, Verb
from midfill_daemon import contract
from midfill_daemon.client import Client
from midfill_daemon.contract import CompletionRequest, InlineModel
from midfill_lsp.documents import split_lines
from midfill_lsp.link import Link
from midfill_lsp.prompt import Prompts
from midfill_workspace import context as assembly
from midfill_workspace import secrets
from midfill_workspace.context import Question, Shelf
from midfill_workspace.exclusion import REASONS, Rules
from midfill_workspace.files import Withheld, Workspace
from midfill_workspace.folder import Folder
from midfill_workspace.indexed_files import IndexedFiles
from midfill_workspace.installed_files import InstalledFiles
from midfill_workspace.languages import language_of
from midfill_workspace.outline.table import outline
from midfill_workspace.pack import Snippet
from midfill_workspace.resolve.installed import activated
from midfill_workspace.snapshot import Snapshot
from midfill_workspace.window import Window

SHOWN_REASONS = 6


@dataclass(frozen=True, slots=True)
class Sending:
    """What leaves for one place. `secrets` counts what was masked, by the rule that found it."""

    request: CompletionRequest
    snippets: Sequence[Snippet]
    secrets: dict[str, int]
    withheld: dict[str, int]
    """Files of the workspace that are never read, by reason."""
    model: InlineModel


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", metavar="FILE:LINE:COL", help="line and column from 1")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run(context: Context) -> int:
    path, line, column = place(context.arguments.place)
    text = read(path)
    offset(text, line, column)
    root = _root(path)
    reason = Workspace(root).reason(path.relative_to(root).as_posix())
    if reason:
        print(f"Nothing is sent of this file. {REASONS[reason]}")
        return 1
    model = asyncio.run(_handshake(context))
    sending = _sending(context, model, root, _snapshot(path, root, text, line, column))
    print(_as_json(sending) if context.arguments.json else _as_text(sending))
    return 0


async def _handshake(context: Context) -> InlineModel:
    client = Client.of(context.environment)
    try:
        return (await client.connect()).inline
    finally:
        await client.close()


def _sending(context: Context, model: InlineModel, root: Path, snapshot: Snapshot) -> Sending:
    link = Link(Client.of(context.environment), lambda _: None)
    link.model = model
    told: list[Snippet] = []
    ask = _asker(root, snapshot, activated(context.environment))

    def tell(_: Snapshot, view: Window, limit_chars: int) -> list[contract.Snippet]:
        told[:] = assembly.assemble(ask(view), limit_chars)
        return [contract.Snippet(each.path, each.text, each.score) for each in told]

    prompts = Prompts(link, tell)
    prompts.settle(snapshot)
    prompt = prompts.of(snapshot)
    request = prompt.request(snapshot, "", max_tokens=model.max_tokens)
    whole = [prompt.window.prefix + prompt.window.suffix, *(each.text for each in told)]
    return Sending(
        request,
        [replace(each, text=sent.text) for each, sent in zip(told, request.snippets, strict=True)],
        dict(Counter(secret.rule for text in whole for secret in secrets.find(text))),
        dict(Counter(each.reason for each in Workspace(root).survey() if isinstance(each, Withheld))),
        model,
    )


def _asker(root: Path, snapshot: Snapshot, environments: Sequence[str]) -> Callable[[Window], Question]:
    """What is known around the file, from the files themselves: an index would be there only later."""
    files = IndexedFiles(root, Rules())
    installed = InstalledFiles(root, Rules(), environments)
    project = Folder(files.walk(), lambda path: files.read(path) or "", installed.read)
    read_text = "".join(snapshot.lines)
    around = assembly.surroundings(outline(snapshot.path, snapshot.language, read_text), snapshot.lines, project)
    return lambda view: assembly.question(snapshot, view, around, project, Shelf())


def _snapshot(path: Path, root: Path, text: str, line: int, column: int) -> Snapshot:
    lines = tuple(split_lines(text))
    inside = path.relative_to(root).as_posix()
    return Snapshot(path.as_uri(), inside, 1, language_of(path), lines, line - 1, column - 1)


def _root(path: Path) -> Path:
    """The repository around a file, else its folder."""
    above = (folder for folder in path.parents if os.path.lexists(folder / ".git"))
    return next(above, path.parent)


def _as_json(sending: Sending) -> str:
    snippets = [asdict(each) | {"tokens": _tokens(each.text, sending.model)} for each in sending.snippets]
    request = sending.request
    return json.dumps(
        {
            "path": request.path,
            "prefix": request.prefix,
            "suffix": request.suffix,
            "snippets": snippets,
            "secrets": sending.secrets,
            "withheld": sending.withheld,
        },
        indent=2,
    )


def _as_text(sending: Sending) -> str:
    request, model = sending.request, sending.model
    parts = [_snippet(each, model) for each in sending.snippets]
    parts.append(_part(f"{request.path}, before the caret", request.prefix, model))
    parts.append(_part(f"{request.path}, after the caret", request.suffix, model))
    return "\n\n".join([*parts, *_kept_back(sending)])


def _snippet(each: Snippet, model: InlineModel) -> str:
    return _part(f"{each.path}, {each.source}, score {each.score:.4f}", each.text, model)


def _part(title: str, text: str, model: InlineModel) -> str:
    return f"=== {title}, about {_tokens(text, model)} tokens\n{text}"


def _tokens(text: str, model: InlineModel) -> int:
    return round(len(text) / model.chars_per_token)


def _kept_back(sending: Sending) -> list[str]:
    lines = [f"{count} times {rule}" for rule, count in sending.secrets.items()]
    masked = f"=== Masked as secrets: {', '.join(lines) or 'nothing'}."
    most = sorted(sending.withheld.items(), key=lambda each: -each[1])[:SHOWN_REASONS]
    files = "; ".join(f"{count}: {REASONS[reason][0].lower()}{REASONS[reason][1:]}" for reason, count in most)
    return [
        masked,
        f"=== Files and folders of the workspace that are never read: {files or 'none'}",
        "=== In an editor, recent edits and similar pieces of open files come on top of this.",
    ]


VERB = Verb("context", "what a model would be sent for one place, and what is kept back", _arguments, _run)
