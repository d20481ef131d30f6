"""The axis of context: ranking and packing for one caret in a long file, beside so many open files."""

import asyncio
import gc
import random
from collections.abc import Mapping
from statistics import median
from time import perf_counter

from lsprotocol import types

from bench.axes import Effort
from bench.measures import Figures, p99
from bench.typist import source
from midfill_lsp.briefs import Briefs
from midfill_lsp.documents import Document, Documents
from midfill_workspace import window
from midfill_workspace.folder import Folder
from midfill_workspace.outline.table import outline
from midfill_workspace.project import Project
from midfill_workspace.snapshot import Snapshot
from midfill_workspace.symbol import Outline

OPEN = (20, 200)
LONG_LINES, OTHER_LINES = 10_000, 600
MODULES, NAMES = 60, 3
"""What the long file imports: so many names of each of so many modules."""

WINDOW_CHARS, CONTEXT_CHARS = 6_000, 6_000
BEAT_S = 0.001


async def context_files(_environment: Mapping[str, str], effort: Effort) -> Mapping[int, Figures]:
    """`ms_p50` and `ms_p99` of a request's share, and `held_ms`: the longest that preparing held the loop."""
    texts = {f"pack/module_{number}.py": source(OTHER_LINES, number * OTHER_LINES) for number in range(max(OPEN))}
    texts["pack/main.py"] = _imports() + source(LONG_LINES, 0)
    outlines = {path: outline(path, "python", text) for path, text in texts.items()}
    project = Folder(texts, texts.__getitem__)
    for path in texts:
        # The product has them from its index.
        project.outline(path)
    # To go through what the bench itself has made would take the collector longer than all that is measured.
    gc.freeze()
    found: dict[int, Figures] = {}
    for count in OPEN:
        found[count] = await _beside(count, project, texts, outlines, effort.contexts)
    gc.unfreeze()
    return found


async def _beside(
    count: int, project: Project, texts: Mapping[str, str], outlines: Mapping[str, Outline], rounds: int
) -> Figures:
    async def outlined(path: str, _language: str, _text: str) -> Outline:
        return outlines[path]

    documents = Documents()
    documents.set_folders(["file:///w"])
    briefs = Briefs(lambda uri: (project, uri.removeprefix("file:///w/")), outlined, lambda document: True)
    held = asyncio.create_task(_longest_hold_s())
    opened = [_open(documents, path, texts[path]) for path in [*list(texts)[: count - 1], "pack/main.py"]]
    for document in opened:
        briefs.opened(document)
        await asyncio.sleep(0)
    await briefs.ready()
    held.cancel()
    held_s = (await asyncio.gather(held, return_exceptions=True))[0]
    times_ms = _times_ms(briefs, documents, opened[-1], rounds)
    await briefs.close()
    assert isinstance(held_s, float)
    return {"ms_p50": median(times_ms), "ms_p99": p99(times_ms), "held_ms": held_s * 1000}


async def _longest_hold_s() -> float:
    """The longest time between two beats of the loop, until it is cancelled."""
    longest_s, last_s = 0.0, perf_counter()
    try:
        while True:
            await asyncio.sleep(BEAT_S)
            now_s = perf_counter()
            longest_s, last_s = max(longest_s, now_s - last_s - BEAT_S), now_s
    except asyncio.CancelledError:
        return longest_s


def _open(documents: Documents, path: str, text: str) -> Document:
    uri = f"file:///w/{path}"
    documents.open(types.TextDocumentItem(uri, "python", 1, text))
    document = documents.get(uri)
    assert document is not None
    return document


def _times_ms(briefs: Briefs, documents: Documents, document: Document, rounds: int) -> list[float]:
    chance, times_ms = random.Random(1), []
    for _ in range(rounds):
        snapshot = _somewhere(documents, document, chance)
        view = window.cut(snapshot, WINDOW_CHARS)
        started_s = perf_counter()
        told = briefs.snippets(snapshot, view, CONTEXT_CHARS)
        times_ms.append((perf_counter() - started_s) * 1000)
        assert told
    return times_ms


def _somewhere(documents: Documents, document: Document, chance: random.Random) -> Snapshot:
    line = chance.randrange(MODULES, len(document.lines))
    column = chance.randrange(len(document.lines[line]) + 1)
    snapshot = documents.snapshot(document.uri, types.Position(line, column))
    assert snapshot is not None
    return snapshot


def _imports() -> str:
    lines = (
        f"from .module_{number} import {', '.join(f'function_{number * OTHER_LINES + 20 * name}' for name in range(NAMES))}"
        for number in range(MODULES)
    )
    return "\n".join(lines) + "\n\n\n"
