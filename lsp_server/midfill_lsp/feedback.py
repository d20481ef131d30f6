"""Traces and shown/accepted events, posted to the daemon in batches; kept for the last requests."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from midfill_daemon.client import Client
from midfill_daemon.contract import Raw
from midfill_daemon.errors import BadInput, MidfillError
from midfill_lsp.trace import OVERTAKEN, UNRECORDED, Trace

log = logging.getLogger(__name__)

BATCH_S = 5.0
KEPT = 500
"""Events kept while the daemon is away; older ones are dropped, this is not a ledger."""


class Feedback:
    """Collects without waiting; `keep_posting` runs for as long as the window lives."""

    def __init__(self, editor: str) -> None:
        self.last: Trace | None = None
        self.rules: Counter[str] = Counter()
        """How often each fit rule changed or dropped something in this window."""
        self._editor = editor
        self._waiting: deque[Raw] = deque(maxlen=KEPT)

    def traced(self, trace: Trace) -> None:
        """A request has ended. Superseded ones explain nothing to the user and do not become the last one."""
        if trace.outcome not in OVERTAKEN:
            self.last = trace
        self.rules.update(trace.rules)
        data = {name: value for name, value in asdict(trace).items() if name not in UNRECORDED}
        self._add("trace", trace.id, data)
        if trace.outcome == "shown":
            self._add("shown", trace.id, {"chars": trace.chars})

    def accepted(self, trace_id: str) -> None:
        self._add("accepted", trace_id, {})

    def _add(self, kind: str, trace_id: str, data: Raw) -> None:
        self._waiting.append({"kind": kind, "trace": trace_id, "editor": self._editor, "data": data})

    async def keep_posting(self, client: Client, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        while True:
            await sleep(BATCH_S)
            await self.post(client)

    async def post(self, client: Client) -> None:
        """Post what has gathered; what cannot be posted now waits for the next time."""
        if not self._waiting:
            return
        rows = list(self._waiting)
        self._waiting.clear()
        try:
            await client.feedback(rows)
        except BadInput as exc:
            # It would be refused again, and all that comes after it too.
            log.warning("feedback.refused", extra={"code": exc.code, "rows": len(rows)})
        except MidfillError as exc:
            self._waiting = deque([*rows, *self._waiting], maxlen=KEPT)
            log.info("feedback.kept", extra={"code": exc.code, "rows": len(rows)})
