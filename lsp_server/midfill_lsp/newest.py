"""Newest wins: a request of a document ends the wait of the one before it."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


class Newest:
    """One turn per document. No lock: one event loop owns this."""

    def __init__(self) -> None:
        self._turns: dict[str, asyncio.Future[None]] = {}

    @contextmanager
    def turn(self, uri: str) -> Generator[asyncio.Future[None], None, None]:
        """A future that is done as soon as a newer request for the same document has come."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.end(uri)
        self._turns[uri] = over
        try:
            yield over
        finally:
            if self._turns.get(uri) is over:
                del self._turns[uri]

    def end(self, uri: str) -> None:
        """End the wait of the document's current request, if there is one."""
        previous = self._turns.pop(uri, None)
        if previous is not None and not previous.done():
            previous.set_result(None)
