"""One run: a model, a server and a typist, each with processes and folders of their own, gone at the end."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from bench.process import cpu_s, rss_mb
from bench.replay import plan
from bench.replay.dialect import Found
from bench.replay.editor import Answer, Editor, Event
from bench.replay.passages import REPOSITORY
from bench.replay.plan import Call, Plan
from bench.replay.servers import SERVERS, Server, environment
from bench.replay.typist import Typist
from midfill_cli.stdio_client import LspError, StdioClient

READY_S, POLL_S = 30.0, 0.25
OPEN_S, LAST_ANSWERS_S = 1.0, 0.5
WARM_TEXT = "value = compute(first)\nother = "
END_LIMIT_S = 5.0


class NotReady(Exception):
    """The model did not start, or the server gave no suggestion at all before the typing."""


@dataclass(frozen=True, slots=True)
class Mode:
    """How a run is typed."""

    plan: Plan
    accept: float
    gap_s: float


@dataclass(slots=True)
class Record:
    """All that was seen of one run."""

    plan: Plan
    text_ok: bool
    events: list[Event] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    failures: int = 0
    cpu_s: float = 0.0
    rss_mb: float = 0.0
    server_cpu_s: float = 0.0
    """Without helpers such as a daemon."""


async def run(name: str, mode: Mode) -> Record:
    """Raises Unavailable, NotReady, or what a dead server raises."""
    server = SERVERS[name]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mfb-", ignore_cleanup_errors=True)))
        url = await stack.enter_async_context(_model(mode.plan, folder))
        client = await stack.enter_async_context(_started(server, url, folder))
        await _ready(client, server, folder)
        return await _typed(client, server, mode, folder, url)


async def _typed(client: StdioClient, server: Server, mode: Mode, folder: Path, url: str) -> Record:
    passage = mode.plan.passage
    typist = Typist(passage, mode.plan.seed, mode.accept)
    editor = Editor(client, server.dialect, passage, mode.gap_s, (folder / Path(passage.name).name).as_uri())
    await asyncio.sleep(OPEN_S)
    pids = _pids(client)
    before = [cpu_s(pid) for pid in pids]
    while not typist.done:
        await asyncio.sleep(typist.gap_s())
        action = typist.act(editor.shown)
        editor.act(action, typist.at)
    await asyncio.sleep(LAST_ANSWERS_S)
    spent = [cpu_s(pid) - earlier for pid, earlier in zip(pids, before, strict=True)]
    editor.close()
    return Record(
        mode.plan,
        text_ok=editor.text == passage.text,
        events=editor.events,
        answers=editor.answers,
        calls=[call for call in await _calls(url) if call.started_s >= editor.events[0].at_s],
        failures=editor.failures,
        cpu_s=sum(spent),
        server_cpu_s=spent[0],
        rss_mb=sum(map(rss_mb, pids)),
    )


@asynccontextmanager
async def _model(plan_: Plan, folder: Path) -> AsyncGenerator[str, None]:
    path = folder / "plan.json"
    path.write_text(plan.written(plan_))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.backend", str(path)), cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = await process.stdout.readline()
        if not port:
            raise NotReady("the process of the model has ended")
        yield f"http://127.0.0.1:{int(port)}"
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _calls(url: str) -> list[Call]:
    async with httpx.AsyncClient(trust_env=False) as client:
        return [Call(**raw) for raw in (await client.get(f"{url}/calls")).json()]


@asynccontextmanager
async def _started(server: Server, url: str, folder: Path) -> AsyncGenerator[StdioClient, None]:
    home = folder / "h"
    home.mkdir(mode=0o700)
    variables = environment(server, url, home)
    async with StdioClient(server.command(), env=variables, cwd=folder, stderr=folder / "stderr") as client:
        try:
            await client.initialize(client_name="midfill-bench", root=folder)
            yield client
        finally:
            helpers = _helpers(client)
            await client.close()
            await asyncio.to_thread(_end, helpers)


async def _ready(client: StdioClient, server: Server, folder: Path) -> None:
    """Ask in another file until there is a first suggestion, so that starting is not part of typing."""
    uri = (folder / "warm.py").as_uri()
    item = {"uri": uri, "languageId": "python", "version": 0, "text": WARM_TEXT}
    client.notify("textDocument/didOpen", {"textDocument": item})
    position = {"line": 1, "character": len("other = ")}
    try:
        async with asyncio.timeout(READY_S):
            while not await _suggested(client, server, uri, position):  # noqa: ASYNC110 - nothing tells when it is ready
                await asyncio.sleep(POLL_S)
    except TimeoutError as exc:
        errors = (folder / "stderr").read_text(errors="replace")
        raise NotReady(f"no suggestion within {READY_S:g} s {errors[-300:]}") from exc
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})


async def _suggested(client: StdioClient, server: Server, uri: str, position: dict[str, int]) -> bool:
    with suppress(LspError):
        result = await client.request(server.dialect.method, server.dialect.params(uri, position))
        found = server.dialect.found(result, position)
        return isinstance(found, Found) and bool(found.text)
    return False


def _pids(client: StdioClient) -> list[int]:
    """The server's process and those it started."""
    return [client.pid, *(helper.pid for helper in _helpers(client))]


def _helpers(client: StdioClient) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(client.pid).children(recursive=True)
    return []


def _end(processes: Sequence[psutil.Process]) -> None:
    """A server may leave a daemon behind, which is ended as well."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, END_LIMIT_S)
    for process in alive:
        process.kill()
