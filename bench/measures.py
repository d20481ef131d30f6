"""The measurements of the smoke bench: ours and the floor in turns, so that the machine's noise meets both alike."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from statistics import median, quantiles
from time import perf_counter

from bench.process import cpu_s, rss_mb
from bench.servers import ANSWER, FLOOR, NO_WAIT, ours_and_floor, server
from bench.typist import Typist
from midfill_cli.editor import SERVER
from midfill_cli.stdio_client import StdioClient
from midfill_daemon.client import Client
from midfill_daemon.contract import CompletionRequest

Figures = Mapping[str, float]

TYPED = ANSWER[:-6]
"""Typed key by key: each but the first is a prefix of an answer that the cache holds. The rest keeps it worth showing."""

USUAL_LINES = 2_600
SIZES = {"1k": 1_000, "2600": USUAL_LINES, "10k": 10_000, "100k": 100_000}
KEY_GAP_S = 0.06
OPEN_LANGUAGES = ("python", "typescript", "rust", "java")
OPEN_FILES = 20
EDITORS = 200
CLIENTS = 20
COMPLETIONS_PER_S = 60


@dataclass(frozen=True, slots=True)
class Effort:
    """How often each thing is measured."""

    starts: int = 15
    hit_keys: int = 600
    passes: int = 6
    misses: int = 150
    load_s: float = 12.0


QUICK = Effort(starts=4, hit_keys=200, passes=3, misses=30, load_s=3.0)


async def start(environment: Mapping[str, str], effort: Effort) -> Figures:
    """CPU to the initialize reply; the first start of each only warms the byte code and the disk."""
    rows = [
        (await _start_cpu_s(SERVER, environment), await _start_cpu_s(FLOOR, environment))
        for _ in range(effort.starts + 1)
    ]
    return {
        "start_cpu_s": median(ours for ours, _ in rows[1:]),
        "floor_start_cpu_s": median(floor for _, floor in rows[1:]),
        "start_cpu_ratio": median(ours / floor for ours, floor in rows[1:]),
    }


async def _start_cpu_s(command: tuple[str, ...], environment: Mapping[str, str]) -> float:
    async with StdioClient(command, env=environment) as client:
        await client.initialize(NO_WAIT)
        return cpu_s(client.pid)


async def hits(environment: Mapping[str, str], effort: Effort) -> Figures:
    """Answers from the cache, and from an answer that is being typed out, beside the same messages to the floor."""
    async with ours_and_floor(environment) as (our_client, floor_client):
        ours, floor = (Typist(each, "hits.py", USUAL_LINES) for each in (our_client, floor_client))
        hit_ms, floor_ms, typed_ms = [], [], []
        for typist in (ours, floor):
            typist.start_line(0)
            await typist.ask()
            await typist.key("q")
            await typist.backspace()
        for _ in range(effort.hit_keys // 2):
            for press in (lambda each: each.key("q"), Typist.backspace):
                hit_ms.append(await press(ours))
                floor_ms.append(await press(floor))
        await assert_known(our_client)
        for _ in range(effort.hit_keys // len(TYPED) + 1):
            for typist in (ours, floor):
                typist.start_line(0)
            for letter in TYPED:
                typed_ms.append(await ours.key(letter))
                await floor.key(letter)
            await assert_known(our_client)
    return {
        "hit_ms_p50": median(hit_ms),
        "floor_ms_p50": median(floor_ms),
        "hit_ratio": median(hit_ms) / median(floor_ms),
        "typed_through_ms_p50": median(typed_ms),
        "typed_through_ratio": median(typed_ms) / median(floor_ms),
    }


async def assert_known(client: StdioClient) -> None:
    account = await client.request("workspace/executeCommand", {"command": "midfill.explain"})
    assert "without asking the model" in account or "typing out" in account, account


async def cpu_per_key(environment: Mapping[str, str], effort: Effort) -> Figures:
    """Typing line after line: one call of the model a line, then the answer is typed out key by key."""
    figures: dict[str, float] = {}
    async with ours_and_floor(environment) as (our_client, floor_client):
        for name, lines in SIZES.items():
            costs = await _typing_cpu_ms(our_client, floor_client, lines, effort.passes)
            figures[f"cpu_ms_per_key_{name}"] = median(ours for ours, _ in costs)
            figures[f"floor_cpu_ms_per_key_{name}"] = median(floor for _, floor in costs)
            figures[f"cpu_ratio_{name}"] = median(ours / floor for ours, floor in costs)
    for name in ("10k", "100k"):
        figures[f"cpu_growth_{name}"] = figures[f"cpu_ms_per_key_{name}"] / figures["cpu_ms_per_key_1k"]
    return figures


async def _typing_cpu_ms(
    our_client: StdioClient, floor_client: StdioClient, lines: int, passes: int
) -> list[tuple[float, float]]:
    typists = [(each.pid, Typist(each, f"typing_{lines}.py", lines)) for each in (our_client, floor_client)]
    rows: list[tuple[float, float]] = []
    for number in range(passes + 1):
        ours, floor = [await line_cpu_ms(pid, typist, number) for pid, typist in typists]
        rows.append((ours, floor))
    for _, typist in typists:
        typist.close()
    # The first line also pays for parsing the file and for what is imported on demand.
    return rows[1:]


async def line_cpu_ms(pid: int, typist: Typist, number: int) -> float:
    before_s = cpu_s(pid)
    typist.start_line(number)
    await typist.ask()
    for letter in TYPED:
        await typist.key(letter)
    return (cpu_s(pid) - before_s) * 1000 / (len(TYPED) + 1)


async def misses(environment: Mapping[str, str], effort: Effort) -> Figures:
    """From the request to the answer when the model must be asked and answers at once, without debounce."""
    async with ours_and_floor(environment) as (our_client, floor_client):
        ours, floor = (Typist(each, "misses.py", USUAL_LINES) for each in (our_client, floor_client))
        rows = [(await _miss_ms(ours, number), await _miss_ms(floor, number)) for number in range(effort.misses + 1)]
    took_ms, floor_ms = ([row[place] for row in rows[1:]] for place in (0, 1))
    return {
        "miss_overhead_ms_p50": median(took_ms),
        "miss_overhead_ms_p99": p99(took_ms),
        "miss_floor_ms_p50": median(floor_ms),
        "miss_overhead_ratio": median(took_ms) / median(floor_ms),
    }


async def _miss_ms(typist: Typist, number: int) -> float:
    typist.start_line(number)
    took_ms = await typist.ask()
    # What the server does after an answer, looking ahead, is not part of the next one.
    await asyncio.sleep(KEY_GAP_S)
    return took_ms


async def memory(environment: Mapping[str, str]) -> Figures:
    """The language server with many files open, in several languages, each completed in."""
    async with server(SERVER, environment) as client:
        for number in range(OPEN_FILES):
            language = OPEN_LANGUAGES[number % len(OPEN_LANGUAGES)]
            typist = Typist(client, f"open_{number}", USUAL_LINES, language)
            typist.start_line(number)
            await typist.ask()
            await typist.key(TYPED[0])
        return {"rss_mb": rss_mb(client.pid)}


async def daemon_load(client: Client, environment: Mapping[str, str], effort: Effort) -> Figures:
    """Many editors on one daemon against one: the share of a core, and how much later the late answers are."""
    pid = (await client.connect()).pid
    clients = [Client.of(environment) for _ in range(CLIENTS)]
    try:
        for each in clients:
            await each.connect()
        await traffic(clients, 1, COMPLETIONS_PER_S, 1.0)
        alone_ms = await traffic(clients[:1], 1, COMPLETIONS_PER_S / 10, effort.load_s / 2)
        started_s, before_s = perf_counter(), cpu_s(pid)
        many_ms = await traffic(clients, EDITORS, COMPLETIONS_PER_S, effort.load_s)
        share = (cpu_s(pid) - before_s) / (perf_counter() - started_s)
        alone_ms += await traffic(clients[:1], 1, COMPLETIONS_PER_S / 10, effort.load_s / 2)
    finally:
        for each in clients:
            await each.close()
    return {
        "daemon_cpu_share_60_per_s": share,
        "daemon_ms_p99_alone": p99(alone_ms),
        "daemon_ms_p99_60_per_s": p99(many_ms),
        "daemon_p99_ratio": p99(many_ms) / p99(alone_ms),
    }


async def traffic(clients: list[Client], editors: int, per_s: float, lasts_s: float) -> list[float]:
    """Completions of random editors at random times, as many people typing make them; milliseconds of each."""
    chance = random.Random(1)
    due_s = perf_counter()
    ends_s = due_s + lasts_s
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number in count():
            due_s += chance.expovariate(per_s)
            if due_s > ends_s:
                break
            await asyncio.sleep(max(0.0, due_s - perf_counter()))
            editor = chance.randrange(editors)
            tasks.append(group.create_task(completion_ms(clients[editor % len(clients)], f"editor-{editor}", number)))
    return [task.result() for task in tasks]


async def completion_ms(client: Client, editor: str, number: int) -> float:
    request = CompletionRequest("bench.py", "python", f"{PREFIX}total_{number} = ", "\n", editor=editor)
    started_s = perf_counter()
    async for _ in client.run("completion", request.raw()):
        pass
    return (perf_counter() - started_s) * 1000


PREFIX = "".join(f"value_{number} = compute(value_{number - 1}, {number})\n" for number in range(1, 60))


def p99(values: list[float]) -> float:
    return quantiles(values, n=100)[-1]
