"""Lets the model read a prompt before anybody asks, so that the first answer does not wait for the reading."""

import asyncio
import logging
from contextlib import aclosing

from midfill_daemon.contract import CompletionRequest
from midfill_daemon.errors import MidfillError
from midfill_lsp.link import Link
from midfill_lsp.prompt import Prompts
from midfill_workspace.snapshot import Snapshot

log = logging.getLogger(__name__)


class Warmth:
    """At most one warm-up at a time; the newest is the one that counts."""

    def __init__(self, link: Link, prompts: Prompts, editor: str) -> None:
        self._link, self._prompts, self._editor = link, prompts, editor
        self._warming: asyncio.Task[None] | None = None
        self._warmed = ""
        """The prompt that was read last, or would be once more."""

    def warm(self, snapshot: Snapshot) -> None:
        """Let the model read up to this caret, where that is of use and it has not just done so."""
        model = self._link.model
        if not model.ready or not model.reads_ahead or not self._link.reads_slowly:
            return
        prompt = self._prompts.of(snapshot)
        if prompt.window.prefix and not self._warmed.startswith(prompt.beginning):
            self.cool()
            self._warmed = prompt.beginning
            self._warming = asyncio.create_task(self._read(prompt.request(snapshot, self._editor, max_tokens=0)))

    def cool(self) -> None:
        """Somebody wants to be answered, or the document is gone: the reading ends, and will be done again."""
        if self._warming is not None and not self._warming.done():
            self._warming.cancel()
            self._warmed = ""

    async def _read(self, request: CompletionRequest) -> None:
        try:
            async with aclosing(self._link.client.run("completion", request.raw())) as events:
                async for _ in events:
                    pass
        except MidfillError as exc:
            self._warmed = ""
            log.info("warmth.failed", extra={"code": exc.code})
