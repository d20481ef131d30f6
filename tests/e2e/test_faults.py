"""The list of faults: whatever goes wrong, every request gets one answer and the next one its suggestion."""

import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest
import pytest_asyncio

from midfill_cli.stdio_client import LspError, Request, ServerGone
from support import faults
from support.faults import ANSWER, Scenario
from support.processes import Editor, Home, Page, editing, ended, living_in, script, soon, suggested

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUND_TRIPS = 40
"""Up to so many messages pass before the user acts: 0 to about 40 ms, without asking a clock."""
WITHDRAWN = -32800
BY_HAND = 1


@dataclass(slots=True)
class Stage:
    """A home and the editor that is open now."""

    home: Home
    editor: Editor
    stack: AsyncExitStack
    chance: random.Random = field(default_factory=random.Random)

    async def while_time_passes(self) -> None:
        for _ in range(self.chance.randrange(ROUND_TRIPS)):
            await self.editor.command("midfill.status")

    async def reopen(self) -> None:
        self.editor = await self.stack.enter_async_context(editing(self.home))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("home")
    tier = script(folder, *faults.rules())
    async with AsyncExitStack() as stack:
        home = await stack.enter_async_context(living_in(folder, tier, MIDFILL_TIERS_INLINE_TIMEOUT_S="0.2"))
        editor = await stack.enter_async_context(editing(home))
        await editor.until("ready")
        yield Stage(home, editor, stack)


# --- what the user does -----------------------------------------------------------------------------


async def cancel(stage: Stage, page: Page, request: Request) -> list[Request]:
    stage.editor.client.cancel(request.id)
    return []


async def close(stage: Stage, page: Page, request: Request) -> list[Request]:
    page.close()
    return []


async def disagree(stage: Stage, page: Page, request: Request) -> list[Request]:
    page.type("other")
    return [page.request()]


async def agree(stage: Stage, page: Page, request: Request) -> list[Request]:
    page.type(ANSWER[: stage.chance.randrange(1, len(ANSWER))])
    return [page.request()]


async def ask_again(stage: Stage, page: Page, request: Request) -> list[Request]:
    return [page.request()]


async def kill_the_daemon(stage: Stage, page: Page, request: Request) -> list[Request]:
    daemon = await stage.home.daemon()
    os.kill(daemon.pid, signal.SIGKILL)
    assert not await ended([daemon])
    return [page.request()]


async def disconnect(stage: Stage, page: Page, request: Request) -> list[Request]:
    await stage.editor.client.wait()
    await stage.reopen()
    return []


ACTS: Mapping[str, Callable[[Stage, Page, Request], Awaitable[list[Request]]]] = {
    "cancel": cancel,
    "close": close,
    "disagree": disagree,
    "agree": agree,
    "ask again": ask_again,
    "kill the daemon": kill_the_daemon,
    "disconnect": disconnect,
}


# --- what must hold ---------------------------------------------------------------------------------


async def test_the_list_is_complete() -> None:
    assert len(faults.ALL) >= 200
    assert set(faults.ACTS) == set(ACTS)


SCENARIOS = faults.ALL if os.environ.get("MIDFILL_SOAK") else faults.a_tenth()


@pytest.mark.soak
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
async def test_a_fault(stage: Stage, scenario: Scenario) -> None:
    stage.chance = random.Random(scenario.seed)
    survivors = await family(stage, scenario)
    page = stage.editor.open(f"s{scenario.number}.py", scenario.text)
    first = page.request(BY_HAND)
    old = stage.editor
    await stage.while_time_passes()
    requests = [first, *await ACTS[scenario.act](stage, page, first)]
    for request in requests:
        await check_answer(request, gone=scenario.act == "disconnect")
    await check_works(stage, scenario)
    assert old.client.strays.empty(), "one answer for each request"
    assert all(process.is_running() for process in survivors)


async def family(stage: Stage, scenario: Scenario) -> list[psutil.Process]:
    """The processes that have no reason to end in this scenario."""
    server, daemon = await stage.editor.process(), await stage.home.daemon()
    doomed = {"kill the daemon": daemon, "disconnect": server}.get(scenario.act)
    return [process for process in (server, daemon) if process != doomed]


async def check_answer(request: Request, *, gone: bool) -> None:
    """null, a list of nothing or of one right suggestion, or "withdrawn"; the end of the server if that was the act."""
    try:
        answer: Any = await soon(request)
    except (LspError, ServerGone) as exc:
        fine = gone if isinstance(exc, ServerGone) else exc.code == WITHDRAWN
    else:
        fine = answer is None or isinstance(answer["items"], list)
    assert fine


async def check_works(stage: Stage, scenario: Scenario) -> None:
    """A plain request gets its suggestion. After two failures in a row it may first be told to wait for a second."""
    page = stage.editor.open(f"plain{scenario.number}.py", f"# plain {scenario.number}\ntotal = ")
    while not (text := suggested(await soon(page.request(BY_HAND)))):
        assert "before asking the model again" in await stage.editor.explain()
    assert text == ANSWER
    page.close()
