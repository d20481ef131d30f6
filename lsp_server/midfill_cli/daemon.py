"""`midfill daemon status|start|stop|restart`."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from midfill_cli.verb import Context, Verb
from midfill_daemon import launch
from midfill_daemon.client import Client
from midfill_daemon.contract import Health
from midfill_daemon.errors import DaemonDown
from midfill_daemon.paths import Paths, locate

STOP_LIMIT_S = 15.0


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=tuple(ACTIONS))


def _run(context: Context) -> int:
    act = ACTIONS[context.arguments.action]
    return asyncio.run(act(locate(context.environment), context.environment))


async def _status(paths: Paths, environment: Mapping[str, str]) -> int:
    client = Client(paths, environment, start=False)
    try:
        print(_describe(await client.connect()))
    except DaemonDown as exc:
        print(exc.message)
        return 1
    finally:
        await client.close()
    return 0


async def _start(paths: Paths, environment: Mapping[str, str]) -> int:
    client = Client(paths, environment)
    try:
        print(_describe(await client.connect()))
    finally:
        await client.close()
    return 0


async def _stop(paths: Paths, environment: Mapping[str, str]) -> int:
    client = Client(paths, environment, start=False)
    try:
        pid = (await client.connect()).pid
        await client.post("/v1/stop")
    except DaemonDown as exc:
        print(exc.message)
        return 0
    finally:
        await client.close()
    if not await launch.ended(pid, STOP_LIMIT_S):
        raise DaemonDown(f"process {pid} does not end; its log says why")
    print(f"stopped (it was process {pid})")
    return 0


async def _restart(paths: Paths, environment: Mapping[str, str]) -> int:
    await _stop(paths, environment)
    return await _start(paths, environment)


def _describe(health: Health) -> str:
    model = health.inline
    state = f"{model.name} ({model.provider}, {model.format})" if model.ready else f"not ready: {model.reason}"
    return f"running: process {health.pid}, version {health.version}, up {health.uptime_s:.0f} s; inline model {state}"


ACTIONS: Mapping[str, Callable[[Paths, Mapping[str, str]], Coroutine[Any, Any, int]]] = {
    "status": _status,
    "start": _start,
    "stop": _stop,
    "restart": _restart,
}

VERB = Verb("daemon", "look at, start or stop the shared daemon", _arguments, _run)
