"""The process's stdin and stdout as one byte stream on the event loop."""

import asyncio
import logging
import os
import socket
import stat
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Protocol

log = logging.getLogger(__name__)

UNREAD_LIMIT = 16 * 1024 * 1024
"""A client that leaves more than this unread has stopped reading; the connection is given up."""
FLUSH_S = 1.0
_READ_BYTES = 256 * 1024
_CHUNKS_AHEAD = 4


class Closable(Protocol):
    async def close(self) -> None: ...


class Writer(Closable, Protocol):
    def write(self, data: bytes) -> None: ...


Opened = Callable[[Writer], None]
Receive = Callable[[bytes], None]
Ended = Callable[[], None]


def take_stdio() -> tuple[int, int]:
    """Moves stdin and stdout to descriptors of our own and returns those.

    After it a stray print lands in stderr, and a child process cannot eat the editor's messages.
    """
    input_fd, output_fd = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return input_fd, output_fd


@asynccontextmanager
async def connection(
    input_fd: int, output_fd: int, opened: Opened, receive: Receive, ended: Ended
) -> AsyncGenerator[None, None]:
    """Owns both descriptors. `opened` gets the writer before `receive` gets the first chunk of input;
    `ended` is called when either side is gone."""
    async with AsyncExitStack() as stack:
        if _is_same_socket(input_fd, output_fd):
            os.close(input_fd)
            endpoint = Endpoint(receive, ended)
            stack.push_async_callback(endpoint.close)
            opened(endpoint)
            await _open_socket(output_fd, endpoint)
        else:
            writer = await _open_output(output_fd, ended)
            stack.push_async_callback(writer.close)
            opened(writer)
            reader = await _open_input(input_fd, receive, ended)
            stack.push_async_callback(reader.close)
        yield


class Endpoint(asyncio.Protocol):
    """One pipe or socket that the event loop watches."""

    def __init__(self, receive: Receive, ended: Ended) -> None:
        self._receive = receive
        self._ended = ended
        self._transport: asyncio.WriteTransport | None = None
        self._closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Also a read-only pipe's transport, of which nothing but close() is used.
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._closed.set()
        self._ended()

    def write(self, data: bytes) -> None:
        """Writes at once what the pipe takes; the transport keeps the rest, up to the limit."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > UNREAD_LIMIT:
            log.error("lsp.client_not_reading", extra={"unread_bytes": transport.get_write_buffer_size()})
            transport.abort()

    async def close(self) -> None:
        """A living client gets FLUSH_S to read what is left."""
        transport = self._transport
        if transport is None:
            return
        transport.close()
        try:
            async with asyncio.timeout(FLUSH_S):
                await self._closed.wait()
        except TimeoutError:
            transport.abort()


class FileWriter:
    """Blocking writes, for what an event loop cannot watch: a file, a terminal, any output on Windows."""

    def __init__(self, output_fd: int, ended: Ended) -> None:
        self._file = os.fdopen(output_fd, "wb")
        self._ended = ended

    def write(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
        except (OSError, ValueError):
            self._ended()

    async def close(self) -> None:
        try:
            self._file.close()
        except OSError as exc:
            log.info("lsp.output_closed_early", extra={"error": type(exc).__name__})


class ThreadReader:
    """Blocking reads in a daemon thread, for what an event loop cannot watch."""

    def __init__(self, input_fd: int, receive: Receive, ended: Ended) -> None:
        self._input_fd = input_fd
        self._receive = receive
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        # Keeps a large file from being read into memory faster than it is handled.
        self._ahead = threading.Semaphore(_CHUNKS_AHEAD)
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def _read(self) -> None:
        # A closed loop means that the process is ending, and nobody waits for input any more.
        with suppress(RuntimeError):
            try:
                while self._ahead.acquire() and (data := os.read(self._input_fd, _READ_BYTES)):
                    self._loop.call_soon_threadsafe(self._deliver, data)
            except OSError as exc:
                log.warning("lsp.input_failed", extra={"error": type(exc).__name__})
            self._loop.call_soon_threadsafe(self._ended)

    def _deliver(self, data: bytes) -> None:
        self._ahead.release()
        self._receive(data)

    async def close(self) -> None:
        """Nothing to do: a blocked read cannot be interrupted, and the thread dies with the process."""


async def _open_socket(fd: int, endpoint: Endpoint) -> None:
    """One socket for both directions, as socat and inetd hand it over: a pipe transport would take
    the first input on its output for a hang-up."""
    await asyncio.get_running_loop().create_connection(lambda: endpoint, sock=socket.socket(fileno=fd))


async def _open_output(fd: int, ended: Ended) -> Writer:
    if not _is_watchable(fd):
        return FileWriter(fd, ended)
    endpoint = Endpoint(_ignore, ended)
    await asyncio.get_running_loop().connect_write_pipe(lambda: endpoint, os.fdopen(fd, "wb", buffering=0))
    return endpoint


async def _open_input(fd: int, receive: Receive, ended: Ended) -> Closable:
    if not _is_watchable(fd):
        return ThreadReader(fd, receive, ended)
    endpoint = Endpoint(receive, ended)
    await asyncio.get_running_loop().connect_read_pipe(lambda: endpoint, os.fdopen(fd, "rb", buffering=0))
    return endpoint


def _ignore(data: bytes) -> None:
    """What arrives on an output is nothing to us."""


def _is_watchable(fd: int) -> bool:
    """Files and /dev/null cannot be polled, Windows cannot poll pipes, and a terminal that turns
    non-blocking does so for the shell as well."""
    mode = os.fstat(fd).st_mode
    return os.name != "nt" and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


def _is_same_socket(input_fd: int, output_fd: int) -> bool:
    status = os.fstat(input_fd)
    return os.name != "nt" and stat.S_ISSOCK(status.st_mode) and os.path.samestat(status, os.fstat(output_fd))
