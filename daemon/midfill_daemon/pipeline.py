"""Task, Guard, Run, Services and the one `run` that drives every feature."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from midfill_daemon import contract
from midfill_daemon.bucket import Buckets
from midfill_daemon.contract import Event, Raw
from midfill_daemon.errors import NotFound, ProviderTimeout
from midfill_daemon.gateway import Gateway
from midfill_daemon.identity import Caller

RequestT = TypeVar("RequestT")
PlanT = TypeVar("PlanT")


class Guard(Protocol):
    """Checks text on its way out. Feed it until `done`, then close it; both return the events to send."""

    @property
    def done(self) -> bool:
        """True once nothing that follows can matter; the model's stream is then closed."""

    def feed(self, text: str) -> Iterable[Event]: ...

    def close(self) -> Iterable[Event]: ...


@dataclass(frozen=True, slots=True)
class Services:
    """What a task may use; passed, never imported."""

    gateway: Gateway
    buckets: Buckets
    """How often each editor may ask for a completion."""


@dataclass(slots=True)
class Run:
    """One request on its way through a task: who asked, and the tool calls that wait for the client."""

    caller: Caller
    services: Services
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    """What the Result event will report: tokens, finish and the like."""

    def ask(self, tool: str, arguments: Raw) -> contract.Call:
        """The event that asks the client to run a tool; yield it, then await `answer` with it."""
        call = contract.Call(run=self.id, id=str(len(self.waiting) + 1), tool=tool, arguments=arguments)
        self.waiting[call.id] = asyncio.get_running_loop().create_future()
        return call

    async def answer(self, call: contract.Call, timeout_s: float) -> Any:
        """What the client's tool returned. Raises ProviderTimeout when it does not answer in time."""
        try:
            return await asyncio.wait_for(self.waiting[call.id], timeout_s)
        except TimeoutError as exc:
            raise ProviderTimeout(f"the editor did not answer the tool call {call.tool}") from exc


@dataclass(frozen=True, slots=True)
class Task(Generic[RequestT, PlanT]):
    """One feature as a row of `tasks.TASKS`.

    `parse` raises BadInput naming the field; `route` chooses model tier, prompt and budget; `handle` streams text
    for the guard and events that pass it by.
    """

    name: str
    parse: Callable[[Raw], RequestT]
    route: Callable[[RequestT, Run], Awaitable[PlanT]]
    handle: Callable[[PlanT, Run], AsyncGenerator[str | Event, None]]
    guard: Callable[[PlanT], Guard]

    async def run(self, raw: Raw, run: Run) -> AsyncGenerator[Event, None]:
        """Parse, route, handle, guard: the same for every task. Ends with a Result or raises a MidfillError."""
        plan = await self.route(self.parse(raw), run)
        guard = self.guard(plan)
        async with aclosing(self.handle(plan, run)) as chunks:
            async for chunk in chunks:
                for event in guard.feed(chunk) if isinstance(chunk, str) else (chunk,):
                    yield event
                if guard.done:
                    break
        for event in guard.close():
            yield event
        yield contract.Result(run.facts)


class AnyTask(Protocol):
    """A row of the table whatever its request and plan are."""

    @property
    def name(self) -> str: ...

    def run(self, raw: Raw, run: Run) -> AsyncGenerator[Event, None]: ...


class Runs:
    """The runs in progress, so that a tool's answer finds its run."""

    def __init__(self) -> None:
        self._open: dict[str, Run] = {}

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, run: Run) -> None:
        self._open[run.id] = run

    def leave(self, run: Run) -> None:
        self._open.pop(run.id, None)

    def deliver(self, caller: Caller, run_id: str, call_id: str, answer: Any) -> None:
        """Hand a tool's answer to its run. Raises NotFound unless the run is this caller's and waits for it."""
        run = self._open.get(run_id)
        waiting: Mapping[str, asyncio.Future[Any]] = run.waiting if run and run.caller == caller else {}
        future = waiting.get(call_id)
        if future is None or future.done():
            raise NotFound(f"no call {call_id} is waiting in run {run_id}")
        future.set_result(answer)
