"""The only HTTP client of the daemon: find or start it, shake hands, stream, answer tool calls, cancel by closing."""

import asyncio
import json
import logging
import subprocess
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from midfill_daemon import contract, launch
from midfill_daemon.backoff import Backoff
from midfill_daemon.contract import Event, Health, Raw
from midfill_daemon.errors import DaemonDown, DaemonIncompatible, Draining, Internal, MidfillError, from_wire
from midfill_daemon.paths import Paths, locate
from midfill_daemon.wire import Answer, Wire

log = logging.getLogger(__name__)

START_LIMIT_S = 20.0
DRAIN_LIMIT_S = 30.0
POLL_S = 0.05
SUCCESSION_S = 1.0
"""How long a daemon that has won the race may take until it listens."""
TIMEOUT = httpx.Timeout(5.0, read=180.0)
"""The daemon bounds every model call itself; this is for a daemon that hangs."""

Tool = Callable[[Raw], Awaitable[Any]]


class Door(httpx.AsyncClient):
    """The way to one daemon: httpx for whatever is rare, and the wire itself for runs."""

    def __init__(self, wire: Wire, url: httpx.URL, headers: Mapping[str, str]) -> None:
        super().__init__(transport=wire, base_url=url, headers=headers, timeout=TIMEOUT)
        self.wire = wire
        lines = {"host": url.netloc.decode(), "content-type": "application/json", **headers}
        self.preamble = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()


class Client:
    """One connection pool to the user's daemon. Every method raises MidfillError and nothing else."""

    def __init__(
        self,
        paths: Paths,
        environment: Mapping[str, str],
        *,
        start: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._paths = paths
        self._environment = environment
        self._may_start = start
        self._clock = clock
        self._sleep = sleep
        self._backoff = Backoff()
        self._problem: MidfillError | None = None
        self._http: Door | None = None
        self._connecting: asyncio.Task[Health] | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Client":
        """A client of the daemon that this environment names. Raises ConfigError for a bad MIDFILL_HOME."""
        return cls(locate(environment), environment)

    @property
    def is_connected(self) -> bool:
        """Whether the next call goes to a daemon that is known, and starts none."""
        return self._http is not None

    @property
    def cache(self) -> Path:
        """The user's cache folder, which need not exist."""
        return self._paths.cache

    async def connect(self) -> Health:
        """Shake hands, after starting or replacing the daemon where that is needed. Callers share one attempt."""
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect_with_backoff())
        return await asyncio.shield(self._connecting)

    async def run(
        self, task: str, request: Raw, tools: Mapping[str, Tool] | None = None
    ) -> AsyncGenerator[Event, None]:
        """The events of one run, ending with its Result; closing the generator cancels the run.

        Raises the error that the daemon reported, or DaemonDown when it went away. Tool calls are answered here.
        """
        body = json.dumps(request).encode()
        for last_try in (False, True):
            http = self._http or await self._reconnected()
            started = False
            try:
                async with aclosing(self._events(http, f"/v1/tasks/{task}", body, tools or {})) as events:
                    async for event in events:
                        started = True
                        yield event
                return
            except (DaemonDown, Draining):
                # A kept connection to a daemon that has gone in the meantime: its successor gets one try.
                self.forget(http)
                if started or last_try:
                    raise

    async def follow(self, after: int | None = None) -> AsyncGenerator[Raw, None]:
        """Events that the daemon pushes, newer than `after`. Ends or raises DaemonDown when the daemon goes."""
        http = self._http or await self._reconnected()
        path = "/v1/events" if after is None else f"/v1/events?after={after}"
        try:
            async with http.stream("GET", path) as response:
                if response.status_code != httpx.codes.OK:
                    raise _refusal(await response.aread())
                async for line in response.aiter_lines():
                    yield _object(line)
        except httpx.HTTPError as exc:
            self.forget(http)
            raise DaemonDown("the daemon went away") from exc

    async def get(self, path: str) -> Any:
        return await self._call("GET", path)

    async def post(self, path: str, body: Any = None) -> Any:
        return await self._call("POST", path, body)

    async def feedback(self, rows: list[Raw]) -> None:
        await self.post("/v1/feedback", {"events": rows})

    def forget(self, http: Door | None = None) -> None:
        """Drop the connection, so that the next call looks for the daemon again."""
        if http is None or http is self._http:
            self._http = None

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
        await self._hang_up()

    async def _hang_up(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    # --- one exchange

    async def _events(
        self, http: Door, path: str, body: bytes, tools: Mapping[str, Tool]
    ) -> AsyncGenerator[Event, None]:
        answers: set[asyncio.Task[None]] = set()
        finished = False
        try:
            async with http.wire.post(path, body, http.preamble, TIMEOUT) as reply, aclosing(_decoded(reply)) as events:
                if reply.status != httpx.codes.OK:
                    raise _refusal(b"".join([chunk async for chunk in reply.body]))
                # Read on to the end of the body, past the Result: only then is the connection used again.
                async for event in events:
                    if isinstance(event, contract.Failure):
                        raise from_wire(event.code, event.message, event.retry_after_s)
                    if isinstance(event, contract.Call):
                        answers.add(asyncio.create_task(self._answer(event, tools)))
                        continue
                    yield event
                    finished = isinstance(event, contract.Result)
            if not finished:
                raise DaemonDown("the daemon went away in the middle of an answer")
        except httpx.HTTPError as exc:
            raise DaemonDown(f"the daemon went away ({type(exc).__name__})") from exc
        except ValueError as exc:
            raise Internal("the daemon sent something that is not an event") from exc
        finally:
            for answer in answers:
                answer.cancel()

    async def _answer(self, call: contract.Call, tools: Mapping[str, Tool]) -> None:
        """Run one tool and hand in what it returned; a failing tool is an answer too."""
        tool = tools.get(call.tool)
        try:
            answer = await tool(call.arguments) if tool else {"error": f"unknown tool {call.tool}"}
        except MidfillError as exc:
            answer = {"error": exc.message}
        except Exception:
            log.exception("tool.crashed", extra={"tool": call.tool})
            answer = {"error": f"the tool {call.tool} failed"}
        try:
            await self.post(f"/v1/runs/{call.run}/calls/{call.id}", answer)
        except MidfillError as exc:
            log.info("tool.answer_unwanted", extra={"tool": call.tool, "code": exc.code})

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        http = self._http or await self._reconnected()
        try:
            response = await http.request(method, path, json={} if body is None and method == "POST" else body)
        except httpx.HTTPError as exc:
            self.forget(http)
            raise DaemonDown(f"the daemon went away ({type(exc).__name__})") from exc
        if response.status_code != httpx.codes.OK:
            raise _refusal(response.content)
        return _content(response)

    # --- finding, starting and replacing the daemon

    async def _reconnected(self) -> Door:
        await self.connect()
        assert self._http is not None
        return self._http

    async def _connect_with_backoff(self) -> Health:
        wait_s = self._backoff.wait_s(self._clock())
        if wait_s > 0:
            reason = self._problem.message if self._problem else "it failed before"
            raise DaemonDown(f"{reason}; next try in {wait_s:.0f} s")
        try:
            health = await self._find()
        except MidfillError as exc:
            self._problem = exc
            self._backoff.failed(self._clock())
            raise
        self._backoff.succeeded()
        return health

    async def _find(self) -> Health:
        health = await self._shake_hands()
        if health is None:
            health = await self._start()
        if health.protocol > contract.PROTOCOL_VERSION:
            await self._hang_up()
            raise DaemonIncompatible(f"the running daemon ({health.version}) is newer than this client; update it")
        if health.protocol < contract.PROTOCOL_VERSION or health.draining:
            await self._drain(health.pid)
            health = await self._start()
        return health

    async def _shake_hands(self) -> Health | None:
        """The handshake of a daemon that runs, else None. Its connection is kept where there is none yet."""
        http = self._open()
        if http is None:
            return None
        try:
            health = contract.parse_health((await http.get("/v1/health")).json())
            self._http = self._http or http
        except httpx.TransportError:
            return None
        except (httpx.HTTPError, ValueError, RecursionError) as exc:
            raise DaemonDown("something else answers at the daemon's address") from exc
        finally:
            if self._http is not http:
                await http.aclose()
        return health

    def _open(self) -> Door | None:
        loop = asyncio.get_running_loop()
        if launch.is_there(self._paths.socket):
            wire = Wire(partial(loop.create_unix_connection, path=str(self._paths.socket)))
            return Door(wire, httpx.URL("http://midfill"), {})
        address = launch.read_address(self._paths)
        if address is None or address.token is None:
            return None
        headers = {"authorization": f"Bearer {address.token}"}
        url = httpx.URL(address.url)
        wire = Wire(partial(loop.create_connection, host=url.host, port=url.port))
        return Door(wire, url, headers)

    async def _start(self) -> Health:
        if not self._may_start:
            raise DaemonDown("no daemon is running")
        deadline_s = self._clock() + START_LIMIT_S
        while self._clock() < deadline_s:
            starting = await asyncio.to_thread(launch.spawn, self._paths, self._environment)
            report = await asyncio.wait_for(asyncio.to_thread(launch.read_report, starting), START_LIMIT_S)
            if report:
                raise DaemonDown(f"the daemon did not start: {report}")
            health = await self._until_it_answers(starting.process, deadline_s)
            if health is not None:
                return health
        raise DaemonDown(f"the daemon did not start; its log is {self._paths.log_file}")

    async def _until_it_answers(self, process: subprocess.Popen[bytes], deadline_s: float) -> Health | None:
        """The handshake of whichever daemon answers. None when the process has given way to a daemon that does not:
        that one is about to end, and has only not yet let go of the lock."""
        while self._clock() < deadline_s:
            status = process.poll()
            health = await self._shake_hands()
            if health is not None:
                return health
            if status:
                raise DaemonDown(f"the daemon broke down while it started; its log is {self._paths.log_file}")
            if status == 0:
                deadline_s = min(deadline_s, self._clock() + SUCCESSION_S)
            await self._sleep(POLL_S)
        return None

    async def _drain(self, pid: int) -> None:
        """Ask an older daemon to finish and wait until it has ended."""
        self.forget()  # And not closed: what runs on it may come to its end.
        http = self._open()
        if http is not None:
            async with http:
                try:
                    await http.post("/v1/drain", json={})
                except httpx.HTTPError as exc:
                    log.info("daemon.drain_unanswered", extra={"error": type(exc).__name__})
        if not await launch.ended(pid, DRAIN_LIMIT_S):
            raise DaemonDown("the older daemon does not end; stop it with `midfill daemon stop`")


def _object(line: str) -> Raw:
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise Internal("the daemon sent something that is not JSON") from exc
    if not isinstance(raw, dict):
        raise Internal("the daemon sent something that is not an object")
    return raw


def _content(response: httpx.Response) -> Any:
    """What a route answered: the decoded JSON, or text."""
    if not response.headers.get("content-type", "").startswith("application/json"):
        return response.text
    try:
        return response.json()
    except (ValueError, RecursionError) as exc:
        raise Internal("the daemon sent something that is not JSON") from exc


async def _decoded(reply: Answer) -> AsyncGenerator[Event, None]:
    """The events of a body. Text that has come at once is given at once, however many tokens it was."""
    rest = b""
    async for chunk in reply.body:
        *lines, rest = (rest + chunk).split(b"\n")
        for event in contract.joined(map(contract.decode, lines)):
            yield event


def _refusal(body: bytes) -> MidfillError:
    try:
        raw = json.loads(body)
        return from_wire(raw["code"], raw["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return Internal("the daemon refused the request without a reason")
