"""The window's link to the daemon: what model there is, and finding the daemon again when it goes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

from midfill_daemon.client import Client
from midfill_daemon.contract import Health, InlineModel
from midfill_daemon.errors import DaemonIncompatible, MidfillError
from midfill_lsp import status
from midfill_lsp.status import Status

log = logging.getLogger(__name__)

FAST_READER_TOKENS_S = 1000.0
"""A model that reads faster has read any prompt before the user notices."""

FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 30.0
LOADING_POLL_S = 1.0
BROKEN_POLL_S = 5.0


class Link:
    """Owns one Client. `keep` runs for as long as the window lives; requests never wait for it."""

    def __init__(
        self,
        client: Client,
        on_status: Callable[[Status], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.client = client
        self.model = InlineModel(ready=False, code="loading", reason="the daemon is starting")
        self._on_status = on_status
        self._sleep = sleep
        self._stale = asyncio.Event()
        self._wanted = asyncio.Event()

    @property
    def prompt_chars(self) -> int:
        """How much text the model can take, by the handshake's estimate."""
        return int(self.model.prompt_tokens * self.model.chars_per_token)

    @property
    def context_chars(self) -> int:
        """How much of that may be of other files."""
        return int(self.prompt_chars * self.model.context_share)

    @property
    def reads_slowly(self) -> bool:
        return self.model.prefill_tokens_s < FAST_READER_TOKENS_S

    def saw_revision(self, revision: str) -> None:
        """Every answer names the revision it was made with; a new one means that the handshake is out of date."""
        if revision != self.model.revision:
            self.model = replace(self.model, revision=revision)
            self._stale.set()

    def want(self) -> None:
        """Somebody needs the daemon: connect again at once if it has exited for idleness."""
        self._wanted.set()

    async def keep(self) -> None:
        """Stay connected: shake hands, follow the daemon's events, and start over when it goes away."""
        retry_s = FIRST_RETRY_S
        while True:
            try:
                self._know(await self.client.connect())
                retry_s = FIRST_RETRY_S
                if await self._follow():
                    await self._rest_until_wanted()
            except DaemonIncompatible as exc:
                self._on_status(Status("error", exc.message))
                return
            except MidfillError as exc:
                self._on_status(Status("disconnected", exc.message))
                log.info("daemon.lost", extra={"code": exc.code})
                await self._sleep(retry_s)
                retry_s = min(LONGEST_RETRY_S, retry_s * 2)

    async def _follow(self) -> bool:
        """Follow events until the daemon ends; True when it said goodbye for idleness."""
        asking = asyncio.create_task(self._ask_until_ready())
        try:
            async with aclosing(self.client.follow()) as events:
                async for event in events:
                    if event.get("kind") == "goodbye":
                        return True
        finally:
            asking.cancel()
        return False

    async def _rest_until_wanted(self) -> None:
        self._wanted.clear()
        self._on_status(Status("ready", "the daemon rests until it is needed", self.model.name))
        await self._wanted.wait()

    async def _ask_until_ready(self) -> None:
        """Ask again while the model is loading or missing, and whenever an answer came from another revision."""
        while True:
            if self.model.ready:
                await self._stale.wait()
            else:
                await self._sleep(LOADING_POLL_S if self.model.code == "loading" else BROKEN_POLL_S)
            try:
                self._know(await self.client.connect())
            except MidfillError as exc:
                # When the daemon has gone, following it ends too, and `keep` says so.
                log.info("daemon.unanswered", extra={"code": exc.code})
                await self._sleep(BROKEN_POLL_S)

    def _know(self, health: Health) -> None:
        self.model = health.inline
        self._stale.clear()
        self._on_status(status.of_model(health.inline))
