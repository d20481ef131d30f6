"""An httpx transport straight on the event loop: on the way of every completion the usual one is most of our own time."""

import asyncio
import select
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httptools
import httpx

IDLE_LIMIT = 8


class Connection(asyncio.Protocol):
    """One connection to the daemon, for one exchange after another; what the parser finds is kept until it is read."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._news = asyncio.Event()
        self._error: httpx.TransportError | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: deque[bytes] = deque()
        self._has_head = self._complete = self._stays_open = False

    @property
    def is_reusable(self) -> bool:
        return self._error is None and self._complete and self._stays_open

    @property
    def is_silent(self) -> bool:
        """Whether nothing has come unasked. The daemon hangs up on idle connections, of which the loop may not know yet."""
        assert self._transport is not None
        return not _is_readable(self._transport.get_extra_info("socket").fileno())

    async def ask(self, message: bytes, read_s: float | None) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Send a request and wait for the head of its answer: status and headers. The body is yet to be read."""
        if self._transport is not None and self._error is None:
            self._begin()
            self._transport.write(message)
        while not self._has_head:
            await self._hear(read_s)
        return self._parser.get_status_code(), self._headers

    async def read(self, read_s: float | None) -> bytes:
        """Some of the body; empty at its end."""
        while not self._body and not self._complete:
            await self._hear(read_s)
        chunk = b"".join(self._body)
        self._body.clear()
        return chunk

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _hear(self, read_s: float | None) -> None:
        if self._error is not None:
            raise self._error
        self._news.clear()
        try:
            async with asyncio.timeout(read_s):
                await self._news.wait()
        except TimeoutError as exc:
            raise httpx.ReadTimeout("the daemon is silent") from exc

    # --- called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as exc:
            self._error = httpx.RemoteProtocolError(f"not an answer in HTTP ({type(exc).__name__})")
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._error = self._error or httpx.ReadError("the connection was closed")
        self._news.set()

    # --- called by the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._has_head = True

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        self._complete = True
        # Known only now: once the parser has reset itself it says no.
        self._stays_open = self._parser.should_keep_alive()


class Body(httpx.AsyncByteStream):
    """The rest of an answer; at its end the connection joins the idle ones."""

    def __init__(self, connection: Connection, read_s: float | None, idle: list[Connection]) -> None:
        self._connection, self._read_s, self._idle = connection, read_s, idle

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self._connection.read(self._read_s):
            yield chunk

    async def aclose(self) -> None:
        if self._connection.is_reusable and self._connection not in self._idle and len(self._idle) < IDLE_LIMIT:
            self._idle.append(self._connection)
        elif self._connection not in self._idle:
            self._connection.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer, and the rest to iterate over."""

    status: int
    body: Body


Connect = Callable[[Callable[[], Connection]], Awaitable[tuple[asyncio.BaseTransport, Connection]]]
"""How to reach the daemon: `loop.create_connection` or `loop.create_unix_connection` with all but the factory."""


class Wire(httpx.AsyncBaseTransport):
    """Kept connections to one daemon, in HTTP/1.1 without TLS. A response closed before its end closes its connection."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._idle: list[Connection] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeouts = request.extensions["timeout"]
        assert isinstance(request.stream, httpx.AsyncByteStream)
        message = _head(request) + b"".join([chunk async for chunk in request.stream])
        connection = await self._connection(timeouts["connect"])
        try:
            status, headers = await connection.ask(message, timeouts["read"])
        except BaseException:
            connection.close()
            raise
        return httpx.Response(status, headers=headers, stream=Body(connection, timeouts["read"], self._idle))

    @asynccontextmanager
    async def post(self, path: str, body: bytes, headers: bytes, timeout: httpx.Timeout) -> AsyncIterator[Answer]:
        """One POST without what httpx does for services elsewhere (redirects, cookies, encodings), which would be half
        of the client's own time. `headers` are whole lines. Raises httpx.TransportError."""
        head = b"POST %s HTTP/1.1\r\n%scontent-length: %d\r\n\r\n" % (path.encode(), headers, len(body))
        connection = await self._connection(timeout.connect)
        answer = Body(connection, timeout.read, self._idle)
        try:
            status, _ = await connection.ask(head + body, timeout.read)
            yield Answer(status, answer)
        finally:
            await answer.aclose()

    async def aclose(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _connection(self, connect_s: float | None) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_reusable and connection.is_silent:
                return connection
            connection.close()
        try:
            async with asyncio.timeout(connect_s):
                return (await self._connect(Connection))[1]
        except TimeoutError as exc:
            raise httpx.ConnectTimeout("the daemon does not accept connections") from exc
        except OSError as exc:
            raise httpx.ConnectError(f"the daemon cannot be reached: {exc.strerror}") from exc


def _head(request: httpx.Request) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    return b"\r\n".join([*lines, b"", b""])


def _is_readable(descriptor: int) -> bool:
    if not hasattr(select, "poll"):  # Windows, where select itself has no limit of 1024 descriptors.
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
