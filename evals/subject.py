"""What an evaluation was of: the data, the model and its prompt, and the sources that decide what is shown or told."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import midfill_workspace
from midfill_cli.results import Figure, Results
from midfill_daemon.client import Client
from midfill_daemon.contract import InlineModel
from midfill_daemon.tasks.completion import PROMPT_VERSION
from midfill_lsp import answer, below, fit, joins, known, repeats
from midfill_workspace import scope

READY_LIMIT_S = 120.0
PATIENCE_S = 1.0
"""Between two tries of something that another process does."""

DIGEST_CHARS = 12
DATA_FILES = ("*.jsonl", "*.tar.xz")

FIT = (fit, below, joins, repeats, answer, known, scope)
"""The filters between a model's answer and the screen. They have no version but their source: a figure of these very
filters is what is stored, and a number that somebody must remember to raise would not say that."""


def results(
    suite: str, settings: Mapping[str, int], data: Path, versions: Mapping[str, str], figures: Iterable[Figure]
) -> Results:
    """One run, now."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    files = (path for pattern in DATA_FILES for path in data.rglob(pattern))
    return Results(suite, at, digest(files), settings, versions, tuple(figures))


def of_model(model: InlineModel) -> Mapping[str, str]:
    """By what and from what prompt a completion was written, and what fitted it."""
    return {
        "model": model.name,
        "provider": model.provider,
        "format": model.format,
        "revision": model.revision,
        "prompt": PROMPT_VERSION,
        "fit": digest(Path(str(module.__file__)) for module in FIT),
    }


def of_context() -> Mapping[str, str]:
    """By what the context of other files was chosen."""
    return {"context": digest(Path(midfill_workspace.__path__[0]).rglob("*.py"))}


async def ready(client: Client) -> InlineModel:
    """The inline model, once it is loaded. Raises TimeoutError."""
    async with asyncio.timeout(READY_LIMIT_S):
        while not (health := await client.connect()).inline.ready:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(PATIENCE_S)
    return health.inline


def digest(paths: Iterable[Path]) -> str:
    """Of the files' names and bytes."""
    sums = sorted(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in paths)
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()[:DIGEST_CHARS]
