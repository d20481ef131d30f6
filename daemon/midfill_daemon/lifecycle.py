"""The life of the daemon process: hold the lock, take over a stale socket, serve, exit when idle, leave nothing behind."""

import asyncio
import json
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from midfill_daemon.config import Config
from midfill_daemon.errors import DaemonDown
from midfill_daemon.paths import Paths
from midfill_daemon.server import Daemon, build_app

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 75
"""How long an idle connection is kept: typing pauses are longer than the usual five seconds."""

GRACE_S = 3
"""How long requests may go on once the daemon stops."""


@contextmanager
def only_one(paths: Paths) -> Generator[bool, None, None]:
    """Hold the lock that makes this the user's one daemon; False when another one holds it."""
    import fcntl

    with paths.lock_file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket, and the token that TCP needs (a Unix socket is protected by its folder and owner)."""

    socket: socket.socket
    address: str
    token: str | None


def listen(config: Config, paths: Paths) -> Listener:
    """Bind where the configuration says. The caller holds the lock, so a socket that exists is stale."""
    try:
        return _bind(config, paths)
    except OSError as exc:
        raise DaemonDown(f"the daemon cannot listen ({exc.strerror})") from exc


def _bind(config: Config, paths: Paths) -> Listener:
    if config.daemon.listen == "tcp":
        server = socket.create_server(("127.0.0.1", config.daemon.port))
        # asyncio sets this only on sockets that were made with the protocol's number; without it an answer takes 40 ms.
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Listener(server, f"http://127.0.0.1:{server.getsockname()[1]}", secrets.token_urlsafe(32))
    paths.socket.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o177)
    try:
        server.bind(str(paths.socket))
    finally:
        os.umask(previous)
    server.listen(128)
    return Listener(server, str(paths.socket), None)


def write_address(paths: Paths, listener: Listener) -> None:
    """Tell clients where the daemon is. On a full disk the Unix socket alone must do, which they find without this."""
    try:
        _write_address(paths, listener)
    except OSError as exc:
        if listener.token is not None:
            raise DaemonDown(f"{paths.address_file} cannot be written ({exc.strerror})") from exc
        log.warning("daemon.address_unwritten", extra={"errno": exc.errno})


def _write_address(paths: Paths, listener: Listener) -> None:
    """Mode 0600, because the token is in it."""
    record = {"pid": os.getpid(), "version": version("midfill"), "address": listener.address, "token": listener.token}
    fresh = paths.address_file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(record, file)
    fresh.replace(paths.address_file)


class OwnerOnly(HttpToolsProtocol):
    """Refuses connections of other users, should the folder's mode ever fail to."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        peer = transport.get_extra_info("socket")
        if not _same_user(peer):
            log.warning("connection.refused")
            transport.abort()
            return
        super().connection_made(transport)


def _same_user(peer: socket.socket) -> bool:
    if not hasattr(socket, "SO_PEERCRED") or peer.family != socket.AF_UNIX:
        return True
    uid = int.from_bytes(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[4:8], sys.byteorder)
    return uid == os.getuid()


class _Server(uvicorn.Server):
    """uvicorn re-raises the signals it saw after serving, which would skip our own clean-up."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def serve(
    daemon: Daemon, config: Config, paths: Paths, listener: Listener, report: int | None, grace_s: int = GRACE_S
) -> None:
    """Answer requests until `daemon.stop` is set, by a signal, a request, a drain or idleness."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop.set)
    server = _Server(
        uvicorn.Config(
            build_app(daemon, listener.token),
            http=OwnerOnly,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=grace_s,
        )
    )
    write_address(paths, listener)
    serving = asyncio.create_task(server.serve(sockets=[listener.socket]))
    watching = asyncio.create_task(_stop_when_idle(daemon, config))
    tell(report, "")
    log.info("daemon.listening", extra={"pid": os.getpid(), "tcp": listener.token is not None})
    stopping = asyncio.create_task(daemon.stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        _forget_address(paths)
        daemon.hub.close()
        server.should_exit = True
        watching.cancel()
        stopping.cancel()
        await asyncio.gather(serving, watching, stopping, return_exceptions=True)
        await daemon.services.gateway.close()
        log.info("daemon.stopped")


async def _stop_when_idle(daemon: Daemon, config: Config) -> None:
    """Set `stop` once nothing was asked for `idle_exit_s` and nothing is running."""
    limit_s = config.daemon.idle_exit_s
    while not config.daemon.stay:
        idle_s = daemon.clock() - daemon.used_s
        if idle_s >= limit_s and not len(daemon.runs):
            daemon.hub.publish("goodbye", {"reason": "idle"})
            daemon.stop.set()
            return
        await asyncio.sleep(max(0.05, min(limit_s - idle_s, 30.0)))


def _forget_address(paths: Paths) -> None:
    """Remove what points at us before the last requests end, so that a successor can start at once."""
    with suppress(OSError):
        paths.address_file.unlink(missing_ok=True)
        paths.socket.unlink(missing_ok=True)


def tell(report: int | None, message: str) -> None:
    """Say to whoever started us that we listen (empty) or why we do not."""
    if report is None:
        return
    with suppress(OSError), os.fdopen(report, "w") as pipe:
        pipe.write(message)
