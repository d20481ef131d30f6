"""The axes along which cost may grow. Sizes take turns where they can, so that the machine's noise meets all alike."""

import asyncio
import os
import random
import sqlite3
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import psutil

from bench import measures
from bench.measures import (
    COMPLETIONS_PER_S,
    OPEN_LANGUAGES,
    Figures,
    assert_known,
    completion_ms,
    line_cpu_ms,
    p99,
    traffic,
)
from bench.process import cpu_s, rss_mb
from bench.servers import NO_WAIT, server
from bench.typist import Typist, opening, source
from midfill_cli.editor import SERVER
from midfill_cli.stdio_client import StdioClient
from midfill_daemon.client import Client
from midfill_daemon.paths import locate
from midfill_lsp.answer import Answer
from midfill_lsp.cache import Cache
from midfill_workspace.snapshot import Snapshot
from midfill_workspace.store import location

Axis = Mapping[int, Figures]
"""Figures by size."""

OPEN_FILES = (5, 20, 200)
OPEN_LINES = 600
OPENED_EACH_S = 0.01
AFTERMATH_S = 1.0
"""Keys this soon after the last of many files still meet the work that opening them has caused."""
BURST_KEY_S = 0.005

STILL_S, STILL_CPU_S, STILL_LIMIT_S = 0.25, 0.005, 60.0

EDITORS = (1, 10, 50, 200)
COMPLETIONS_PER_EDITOR_S = 0.3
LEAST_PER_S = 10.0
"""So that there are enough answers of few editors for a percentile."""

CACHE_BYTES = 4 * 1024**3
BATCH, LOOK_UP_BATCHES = 200, 300
STORE_BATCH, STORE_BATCHES = 20, 25
"""Few, so that storing does not change the smallest size much."""
INDEXED_LINES, INDEXED_IN_FOLDER = 120, 50
INDEXING_POLL_S = 0.25
FILES = 1_000
REVISION = "scripted"


@dataclass(frozen=True, slots=True)
class Effort:
    """How often each thing is measured, and up to which size."""

    passes: int = 8
    hit_keys: int = 400
    bursts: int = 4
    entries: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    rounds: int = 2
    load_s: float = 12.0
    indexed_files: int = 10_000
    contexts: int = 200


QUICK = Effort(
    passes=2,
    hit_keys=100,
    bursts=1,
    entries=(1_000, 10_000, 100_000),
    rounds=1,
    load_s=3.0,
    indexed_files=500,
    contexts=50,
)


# --- lines of the file that is typed in -----------------------------------------------------------


async def file_lines(environment: Mapping[str, str], effort: Effort) -> Axis:
    found = await measures.cpu_per_key(environment, measures.Effort(passes=effort.passes))
    names = ("cpu_ms_per_key", "floor_cpu_ms_per_key")
    return {lines: {name: found[f"{name}_{size}"] for name in names} for size, lines in measures.SIZES.items()}


# --- open files -----------------------------------------------------------------------------------


async def open_files(environment: Mapping[str, str], effort: Effort) -> Axis:
    """Hits and typing in one file beside so many others; a server for each size."""
    async with AsyncExitStack() as stack:
        clients = {count: await stack.enter_async_context(server(SERVER, environment)) for count in OPEN_FILES}
        typists = {count: await _beside_others(client, count) for count, client in clients.items()}
        hits_ms: dict[int, list[float]] = {count: [] for count in OPEN_FILES}
        for press in PRESSES[: effort.hit_keys]:
            for count, typist in typists.items():
                hits_ms[count].append(await press(typist))
        for client in clients.values():
            await assert_known(client)
        cpu_ms: dict[int, list[float]] = {count: [] for count in OPEN_FILES}
        for number in range(1, effort.passes + 1):
            for count, typist in typists.items():
                cpu_ms[count].append(await line_cpu_ms(clients[count].pid, typist, number))
        return {
            count: {
                "hit_ms_p50": median(hits_ms[count]),
                "cpu_ms_per_key": median(cpu_ms[count]),
                "rss_mb": rss_mb(client.pid),
            }
            for count, client in clients.items()
        }


async def opening_files(environment: Mapping[str, str], effort: Effort) -> Axis:
    """Answers to keys while an editor opens many files beside the few it has, against the keys before."""
    few, many = OPEN_FILES[0], OPEN_FILES[-1]
    files = [opening(f"more_{number}", _text(number), _language(number)) for number in range(few, many)]
    few_ms, many_ms, behind_ms, full_mb = [], [], [], []
    async with server(SERVER, environment) as client:
        typist = await _beside_others(client, few)
        for _ in range(effort.bursts):
            few_ms += await _typed_during(asyncio.sleep(len(files) * OPENED_EACH_S), typist)
            many_ms += await _typed_during(_open_all(client, files), typist)
            full_mb.append(rss_mb(client.pid))
            await _close_all(client, files)
            for each in files:
                client.notify("textDocument/didOpen", each)
            # In one go, the next key's answer comes after all of them.
            behind_ms.append(await typist.ask())
            await _close_all(client, files)
        empty_mb = rss_mb(client.pid)
    return {
        few: {"key_ms_p50": median(few_ms), "key_ms_p99": p99(few_ms), "rss_mb": empty_mb},
        many: {
            "key_ms_p50": median(many_ms),
            "key_ms_p99": p99(many_ms),
            "rss_mb": full_mb[-1],
            "behind_all_ms": median(behind_ms),
        },
    }


# --- files that are indexed -----------------------------------------------------------------------


async def indexing(environment: Mapping[str, str], effort: Effort) -> Axis:
    """Answers to keys while so many files are indexed for the first time, against those of the same window before."""
    count = effort.indexed_files
    with TemporaryDirectory(prefix="midfill-bench-") as folder:
        root = await asyncio.to_thread(_write_workspace, Path(folder), count)
        async with server(SERVER, environment, NO_WAIT | {"index": False}, root) as client:
            typist = await _beside_others(client, OPEN_FILES[0])
            idle_ms = await _typed_during(asyncio.sleep(effort.load_s), typist)
            idle_mb = rss_mb(client.pid)
            started_s = perf_counter()
            client.notify("workspace/didChangeConfiguration", {"settings": NO_WAIT | {"index": True}})
            indexed = asyncio.ensure_future(_indexed(location(locate(environment).cache), count))
            busy_ms = await _typed_during(indexed, typist)
            took_s = indexed.result() - started_s
            (worker,) = psutil.Process(client.pid).children()
            return {
                1: {"key_ms_p50": median(idle_ms), "key_ms_p99": p99(idle_ms), "rss_mb": idle_mb},
                count: {
                    "key_ms_p50": median(busy_ms),
                    "key_ms_p99": p99(busy_ms),
                    "rss_mb": rss_mb(client.pid),
                    "worker_rss_mb": rss_mb(worker.pid),
                    "worker_cpu_s": cpu_s(worker.pid),
                    "files_s": count / took_s,
                },
            }


def _write_workspace(folder: Path, count: int) -> Path:
    root = folder.resolve()
    for number in range(count):
        file = root / f"package_{number // INDEXED_IN_FOLDER}" / f"module_{number}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(source(INDEXED_LINES, first=number * INDEXED_LINES))
    return root


async def _indexed(index: Path, count: int) -> float:
    """When the index has so many files."""
    while await asyncio.to_thread(_files_in, index) < count:  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(INDEXING_POLL_S)
    return perf_counter()


def _files_in(index: Path) -> int:
    try:
        with closing(sqlite3.connect(f"{index.as_uri()}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM files").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # It is about to be made.


async def _beside_others(client: StdioClient, count: int) -> Typist:
    """A typist whose file is one of `count`, and whose next keys the cache answers."""
    for number in range(1, count):
        client.notify("textDocument/didOpen", opening(f"open_{number}", _text(number), _language(number)))
    typist = Typist(client, "typed.py", OPEN_LINES)
    typist.start_line(0)
    await typist.ask()
    for press in PRESSES[:2]:
        await press(typist)
    await _still(client.pid)
    return typist


def _text(number: int) -> str:
    return source(OPEN_LINES, first=number * OPEN_LINES)


def _language(number: int) -> str:
    return OPEN_LANGUAGES[number % len(OPEN_LANGUAGES)]


async def _typed_during(event: Awaitable[object], typist: Typist) -> list[float]:
    """Milliseconds of the keys that the cache answers, until shortly after the event."""
    ends = asyncio.ensure_future(event)
    took_ms: list[float] = []
    left_s = AFTERMATH_S
    for press in cycle(PRESSES):
        if left_s <= 0:
            break
        took_ms.append(await press(typist))
        await asyncio.sleep(BURST_KEY_S)
        left_s -= BURST_KEY_S if ends.done() else 0
    await ends
    return took_ms


async def _open_all(client: StdioClient, files: Sequence[Mapping[str, Any]]) -> None:
    for each in files:
        client.notify("textDocument/didOpen", each)
        await asyncio.sleep(OPENED_EACH_S)


async def _close_all(client: StdioClient, files: Sequence[Mapping[str, Any]]) -> None:
    for each in files:
        client.notify("textDocument/didClose", {"textDocument": {"uri": each["textDocument"]["uri"]}})
    await _still(client.pid)


async def _still(pid: int) -> None:
    """Until a process has done what it does in the background, which nothing tells."""
    async with asyncio.timeout(STILL_LIMIT_S):
        used_s = STILL_CPU_S
        while used_s >= STILL_CPU_S:
            before_s = cpu_s(pid)
            await asyncio.sleep(STILL_S)
            used_s = cpu_s(pid) - before_s


async def _type_q(typist: Typist) -> float:
    return await typist.key("q")


PRESSES = (_type_q, Typist.backspace) * 5_000
"""After one of each, the cache has the answers to both."""


# --- entries of the cache -------------------------------------------------------------------------


async def cache_entries(_environment: Mapping[str, str], effort: Effort) -> Axis:
    """In this process: the cache alone, one for each size, without any of the work around it."""
    return await asyncio.to_thread(_in_caches, effort.entries)


def _in_caches(sizes: Sequence[int]) -> Axis:
    caches = {size: cache_calls(CACHE_BYTES) for size in sizes}
    sizes_mb = {size: _filled_mb(store, size) for size, (_, store) in caches.items()}
    chance = random.Random(1)
    batches_us: dict[int, dict[str, list[float]]] = {size: defaultdict(list) for size in sizes}
    for _ in range(LOOK_UP_BATCHES):
        for size, (look_up, _) in caches.items():
            known = [chance.randrange(size) for _ in range(BATCH)]
            unknown = [2 * size + number for number in known]
            batches_us[size]["look_up_us"].append(_look_up_us(look_up, known, found=True))
            batches_us[size]["missing_us"].append(_look_up_us(look_up, unknown, found=False))
    for turn in range(STORE_BATCHES):
        for size, (_, store) in caches.items():
            first = size + turn * STORE_BATCH
            batches_us[size]["store_us"].append(_store_us(store, range(first, first + STORE_BATCH)))
    return {
        size: {name: median(each) for name, each in batches_us[size].items()} | {"rss_mb": sizes_mb[size]}
        for size in sizes
    }


def cache_calls(limit_bytes: int) -> tuple[Callable[[Snapshot], object], Callable[[Snapshot, str], None]]:
    """How a request looks up and stores; nothing else here knows the cache."""
    cache = Cache(limit_bytes)

    def look_up(snapshot: Snapshot) -> object:
        return cache.look_up(REVISION, snapshot, 0.0)

    def store(snapshot: Snapshot, text: str) -> None:
        cache.store(REVISION, snapshot, Answer(text), 0.0)

    return look_up, store


def _filled_mb(store: Callable[[Snapshot, str], None], size: int) -> float:
    """Fill a cache; how much memory that took."""
    before_mb = rss_mb(os.getpid())
    _store_us(store, range(size))
    return rss_mb(os.getpid()) - before_mb


def _store_us(store: Callable[[Snapshot, str], None], numbers: range) -> float:
    took_s = 0.0
    for number in numbers:
        snapshot, text = entry(number), f"compute(value_{number}, other)"
        started_s = perf_counter()
        store(snapshot, text)
        took_s += perf_counter() - started_s
    return took_s * 1e6 / len(numbers)


def _look_up_us(look_up: Callable[[Snapshot], object], numbers: Sequence[int], *, found: bool) -> float:
    snapshots = [entry(number) for number in numbers]
    started_s = perf_counter()
    answers = [look_up(snapshot) for snapshot in snapshots]
    took_s = perf_counter() - started_s
    assert all((answer is not None) is found for answer in answers)
    return took_s * 1e6 / len(numbers)


def entry(number: int) -> Snapshot:
    """A place like no other, in one of many files."""
    path = f"file_{number % FILES}.py"
    lines = [f"value_{number} = compute({number})\n", "result = "]
    return Snapshot(f"file:///bench/{path}", path, 1, "python", lines, 1, len(lines[1]))


# --- editors on one daemon ------------------------------------------------------------------------


async def editors(environment: Mapping[str, str], effort: Effort) -> Axis:
    """Completions through the whole pipeline; every editor has an id and a connection of its own."""
    clients = [Client.of(environment) for _ in range(EDITORS[-1])]
    took_ms: dict[int, list[float]] = {count: [] for count in EDITORS}
    shares: dict[int, list[float]] = {count: [] for count in EDITORS}
    sizes_mb: dict[int, float] = {}
    try:
        pid = (await clients[0].connect()).pid
        await traffic(clients[:1], 1, COMPLETIONS_PER_S, 1.0)
        for turn in range(effort.rounds):
            for count in EDITORS:
                if turn == 0:
                    await _connect(clients[:count])
                started_s, before_s = perf_counter(), cpu_s(pid)
                took_ms[count] += await traffic(clients[:count], count, _rate(count), effort.load_s)
                shares[count].append((cpu_s(pid) - before_s) / (perf_counter() - started_s))
                sizes_mb.setdefault(count, rss_mb(pid))
    finally:
        for each in clients:
            await each.close()
    return {
        count: {
            "per_s": _rate(count),
            "cpu_share": fmean(shares[count]),
            "ms_p50": median(took_ms[count]),
            "ms_p99": p99(took_ms[count]),
            "rss_mb": sizes_mb[count],
        }
        for count in EDITORS
    }


async def _connect(clients: Sequence[Client]) -> None:
    """Connections and handshakes are not part of what a completion costs."""
    for number, each in enumerate(clients):
        await each.connect()
        await completion_ms(each, f"editor-{number}", number)


def _rate(count: int) -> float:
    return max(LEAST_PER_S, count * COMPLETIONS_PER_EDITOR_S)
