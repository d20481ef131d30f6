"""The servers that are compared: one row each."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.references.base import MODEL_URL
from bench.replay import tabby
from bench.replay.dialect import CONSTANT, INLINE, LIST, Dialect
from bench.replay.passages import REPOSITORY
from midfill_cli.editor import SERVER as MIDFILL

PASSED_ON = ("PATH", "LANG", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Server:
    """How to start one, and how to speak to it."""

    command: Callable[[], tuple[str, ...]]
    environment: Callable[[str, Path], Mapping[str, str]]
    """From the model's address and an empty home folder."""
    dialect: Dialect = INLINE


def environment(server: Server, model_url: str, home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return kept | {"HOME": str(home)} | dict(server.environment(model_url, home))


def _midfill(model_url: str, home: Path) -> Mapping[str, str]:
    return {"MIDFILL_HOME": str(home), "MIDFILL_TIER_INLINE": f"llama_server:{model_url}"}


def _reference(name: str, dialect: Dialect = INLINE) -> Server:
    command = (sys.executable, "-m", f"bench.{name}")
    return Server(lambda: command, lambda url, _: {MODEL_URL: url, "PYTHONPATH": str(REPOSITORY)}, dialect)


SERVERS: Mapping[str, Server] = {
    "midfill": Server(lambda: MIDFILL, _midfill),
    "pygls_const": _reference("floor_pygls", CONSTANT),
    "naive": _reference("references.naive"),
    "debounce": _reference("references.debounce"),
    "flights": _reference("references.flights"),
    "tabby_agent": Server(tabby.command, tabby.configured, LIST),
}
