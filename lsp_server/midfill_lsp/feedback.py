"""Traces, and what became of suggestions, posted to the daemon in batches; nothing of a text and no path is among it."""

import asyncio
import logging
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

from midfill_daemon.client import Client
from midfill_daemon.contract import Raw
from midfill_daemon.errors import BadInput, MidfillError
from midfill_lsp.documents import Document, Edit
from midfill_lsp.kept import LinesOf
from midfill_lsp.suggestion import Event, is_at_once
from midfill_lsp.trace import FITTING, OVERTAKEN, Trace
from midfill_lsp.watch import Watch

log = logging.getLogger(__name__)

BATCH_S = 5.0
KEPT = 500
"""Events kept while the daemon is away; older ones are dropped, this is not a ledger."""

LANGUAGE = re.compile(r"[a-zA-Z0-9_+#.-]{1,40}")
"""Clients may send anything as the name of a language."""

FOLDERS = re.compile(r"\A(?:/|[a-zA-Z]:[\\/]|\\\\).*[\\/]", re.DOTALL)
"""A model service may name a model by the path of its file."""

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class Feedback:
    """Collects without waiting; `keep_posting` runs for as long as the window lives."""

    def __init__(self, editor: str, lines_of: LinesOf = lambda uri: None, clock: Clock = time.monotonic) -> None:
        self.last: Trace | None = None
        self.rules: Counter[str] = Counter()
        """How often each fit rule changed or dropped something in this window."""
        self.watch = Watch()
        self._editor, self._lines_of, self._clock = editor, lines_of, clock
        self._waiting: deque[Raw] = deque(maxlen=KEPT)
        self._wanted = True

    def switch(self, wanted: bool) -> None:
        """Whether anything is stored; what has gathered goes with the old answer."""
        if wanted != self._wanted:
            self._wanted, self.watch = wanted, Watch()
            self._waiting.clear()

    def traced(self, trace: Trace) -> None:
        """A request has ended. Superseded ones explain nothing to the user and do not become the last one."""
        if trace.outcome not in OVERTAKEN:
            self.last = trace
        self.rules.update(trace.rules)
        data = {
            name: getattr(trace, name) for name in FITTING
        }  # Not asdict: it copies deeply, on the way of every key.
        self._add("trace", trace.id, {**data, "total_ms": round(trace.total_ms, 3)})

    def changed(self, document: Document, edits: Sequence[Edit], inserted: Iterable[str]) -> None:
        """A document has changed; `inserted` are the texts that were put into it."""
        at_once = any(map(is_at_once, inserted))
        self.watch.changed(document.uri, document.lines, edits, at_once, self._clock())

    def accepted(self, trace_id: str) -> None:
        self.watch.accepted(trace_id, self._clock())

    def partly_accepted(self, trace_id: str, chars: int | None) -> None:
        self.watch.partly_accepted(trace_id, chars, self._clock())

    async def keep_posting(self, client: Client, sleep: Sleep = asyncio.sleep) -> None:
        while True:
            await sleep(BATCH_S)
            self._note(self.watch.events(self._clock(), self._lines_of))
            await self.post(client)

    async def post_rest(self, client: Client) -> None:
        """The window ends."""
        self._note(self.watch.close(self._clock(), self._lines_of))
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
            self._waiting = deque([*rows, *self._waiting] if self._wanted else (), maxlen=KEPT)
            log.info("feedback.kept", extra={"code": exc.code, "rows": len(rows)})

    def _note(self, events: Iterable[Event]) -> None:
        for event in events:
            self._add(event.kind, event.id, event.data)

    def _add(self, kind: str, trace_id: str, data: Raw) -> None:
        if self._wanted:
            row = {"kind": kind, "trace": trace_id, "editor": self._editor, "data": {**data, **_names(data)}}
            self._waiting.append(row)


def _names(data: Raw) -> Raw:
    """The names in an event that others chose, without what they could betray."""
    language, model = data["language"], data["model"]
    return {"language": language if LANGUAGE.fullmatch(language) else "", "model": FOLDERS.sub("", model)[:100]}
