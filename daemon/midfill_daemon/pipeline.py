"""Task, Guard, Run, Services and the one `run` that drives every feature."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from midfill_daemon import contract
from midfill_daemon.bucket import Buckets
from midfill_daemon.contract import Event, Raw
from midfill_daemon.errors import BadInput, NotFound, ProviderTimeout
from midfill_daemon.gateway import Gateway
from midfill_daemon.identity import Caller

ID_LIMIT_CHARS = 128

RequestT = TypeVar("RequestT")
PlanT = TypeVar("PlanT")


class Guard(Protocol):
    """Checks text on its way out. Feed it until `done`, then close it; both return the events to send."""

    @property
    def done(self) -> bool:
        """True once nothing that follows can matter; the model's stream is then closed."""

    def feed(self, text: str) -> Iterable[Event]: ...

    def close(self) -> Iterable[Event]: ...


class Credits(Protocol):
    """What runs cost. Both are safe to repeat with the same request id, in any order and from several processes."""

    async def reserve(self, caller: Caller, request: str, task: str, amount: int) -> None:
        """Take credits aside. Raises OutOfCredits when the workspace has too few."""

    async def settle(self, caller: Caller, request: str, *, used: bool) -> None:
        """Spend what was reserved, or give it back."""


class Unmetered:
    """Everything is free."""

    async def reserve(self, caller: Caller, request: str, task: str, amount: int) -> None:
        pass

    async def settle(self, caller: Caller, request: str, *, used: bool) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Services:
    """What a task may use; passed, never imported."""

    gateway: Gateway
    buckets: Buckets
    """How often each editor may ask for a completion."""
    credits: Credits = field(default_factory=Unmetered)


@dataclass(slots=True)
class Run:
    """One request on its way through a task: who asked, and the tool calls that wait for the client."""

    caller: Caller
    services: Services
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    request: str = ""
    """What its credits are booked under."""
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
    credits: int = 0
    """What one run costs; 0 is unmetered, and then nothing of it touches the records."""

    def run(self, raw: Raw, run: Run) -> AsyncGenerator[Event, None]:
        """Parse, reserve, route, handle, guard, settle: the same for every task.

        Ends with a Result or raises a MidfillError. A run that fails or is closed before its Result costs nothing.
        """
        request = self.parse(raw)
        if not self.credits:
            return self._answer(request, run)
        run.request = _request_id(raw) or run.id
        return self._paid(request, run)

    async def _paid(self, request: RequestT, run: Run) -> AsyncGenerator[Event, None]:
        await run.services.credits.reserve(run.caller, run.request, self.name, self.credits)
        used = False
        try:
            async with aclosing(self._answer(request, run)) as events:
                async for event in events:
                    # Before it is sent: who has the answer has had what it costs.
                    used = isinstance(event, contract.Result)
                    yield event
        finally:
            await _to_its_end(run.services.credits.settle(run.caller, run.request, used=used))

    async def _answer(self, request: RequestT, run: Run) -> AsyncGenerator[Event, None]:
        plan = await self.route(request, run)
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


def _request_id(raw: Raw) -> str:
    value = raw.get("request_id", "")
    if not isinstance(value, str) or len(value) > ID_LIMIT_CHARS:
        raise BadInput(f"request_id: must be a text of at most {ID_LIMIT_CHARS} characters")
    return value


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await what must happen even if the run is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


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
