"""`midfill-daemon`: load the configuration, build the services, serve, exit when idle."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from midfill_daemon import logs
from midfill_daemon.bucket import Buckets
from midfill_daemon.config import Config, load
from midfill_daemon.errors import MidfillError
from midfill_daemon.gateway import Gateway, build_providers
from midfill_daemon.lifecycle import listen, only_one, serve, tell
from midfill_daemon.metrics import Metrics
from midfill_daemon.paths import Paths, locate
from midfill_daemon.pipeline import Services
from midfill_daemon.providers.table import factories
from midfill_daemon.records.writer import Writer
from midfill_daemon.server import Daemon
from midfill_daemon.tasks import TASKS

log = logging.getLogger("midfill_daemon")
"""By name: as a program this module is called `__main__`, which is none of our loggers."""


def main() -> None:
    arguments = _arguments()
    try:
        _run(os.environ, arguments.report)
    except MidfillError as exc:
        tell(arguments.report, exc.message)
        sys.exit(f"midfill-daemon: {exc.message}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="midfill-daemon", description="The shared backend of Midfill.")
    parser.add_argument("--report", type=int, metavar="FD", help="a pipe to close once the daemon listens")
    return parser.parse_args()


def _run(environment: Mapping[str, str], report: int | None) -> None:
    paths = locate(environment)
    paths.ensure()
    with only_one(paths) as alone:
        if not alone:
            tell(report, "")
            return
        config = load(paths, environment)
        logs.configure(config.daemon.log_level)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(config, paths, environment, report))


async def _serve(config: Config, paths: Paths, environment: Mapping[str, str], report: int | None) -> None:
    records = Writer(paths.database, config.records)
    metrics = Metrics()
    loop = asyncio.get_running_loop()

    def write_row(row: Mapping[str, Any]) -> None:
        metrics.count_call(row)
        # Once the answer has left: the writer's thread wakes at this, and then wants the interpreter (2 ms, measured).
        loop.call_soon(records.append, "requests", row)

    providers = build_providers(config.tiers, factories(paths, environment))
    daemon = Daemon(
        services=Services(
            Gateway(config.tiers, providers, write_row, config.limits.queue),
            Buckets(config.limits.completions_per_s, config.limits.completions_burst),
        ),
        tasks=TASKS,
        write_feedback=partial(records.append, "feedback"),
        stop=asyncio.Event(),
        metrics=metrics,
        environment=config.environment_digest,
    )
    for warning in config.warnings:
        log.warning("config.warning", extra={"what": warning})
    records.start()
    loading = asyncio.create_task(daemon.services.gateway.load("inline"))
    try:
        await serve(daemon, config, paths, listen(config, paths), report)
    finally:
        loading.cancel()
        await asyncio.sleep(0)  # The rows of the last runs are on their way.
        await asyncio.to_thread(records.close)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # There is none for Windows.
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
