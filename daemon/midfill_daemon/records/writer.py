"""The one writer: rows queue up and a thread appends them in batches, whatever state the disk is in."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from midfill_daemon import config
from midfill_daemon.errors import Internal
from midfill_daemon.records import Unwritable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from midfill_daemon.records.store import Row, Store

log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Pace:
    batch_rows: int = 100
    batch_s: float = 0.05
    """A batch is written when it is full or its first row has waited this long."""
    queue_rows: int = 10_000
    queue_chars: int = 64_000_000
    """Rows beyond either bound are dropped; the texts of prompts would else fill the memory of a full disk."""
    busy_timeout_ms: int = 5000
    first_retry_s: float = 1.0
    last_retry_s: float = 30.0
    purge_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Counts:
    written: int
    batches: int
    dropped: int
    queued: int
    failing: str
    """The reason why nothing can be written at the moment; "" when all is well."""


@dataclass(frozen=True, slots=True)
class _Entry:
    table: str
    row: Mapping[str, Any]
    chars: int


class Writer:
    """`start` it, `append` from any thread, `close` it. No method raises for what happens to the database.

    One condition guards the queue and the counts; the database is touched by the thread alone.
    """

    def __init__(
        self,
        database: Path,
        keep: config.Records,
        clock: Callable[[], float] = time.time,
        pace: Pace = Pace(),
    ) -> None:
        self._database, self._keep, self._clock, self._pace = database, keep, clock, pace
        self._wake = threading.Condition()
        self._queue: deque[_Entry] = deque()
        self._queued_chars = 0
        self._flushes: list[Future[None]] = []
        self._jobs: deque[tuple[Callable[[Connection], Any], Future[Any]]] = deque()
        self._closing = False
        self._ended = False
        self._written = self._batches = self._dropped = 0
        self._failing = ""
        self._retry_s = pace.first_retry_s
        self._purged_at: float | None = None
        self._opened: Store | None = None
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)

    def start(self) -> None:
        """Opens the database in the thread, importing SQLAlchemy there: the daemon serves meanwhile."""
        self._thread.start()

    def append(self, table: str, row: Mapping[str, Any]) -> None:
        """Queues one row; never blocks and never raises. A row without `at` gets the time of its batch."""
        chars = sum(len(value) for value in row.values() if isinstance(value, str))
        with self._wake:
            full = len(self._queue) >= self._pace.queue_rows or self._queued_chars + chars > self._pace.queue_chars
            if full or self._closing or self._ended:
                self._dropped += 1
                return
            self._queue.append(_Entry(table, dict(row), chars))
            self._queued_chars += chars
            if len(self._queue) in (1, self._pace.batch_rows):
                self._wake.notify()

    async def flush(self) -> None:
        """Returns once everything appended so far is written, or could not be and waits for the next attempt."""
        done: Future[None] = Future()
        with self._wake:
            if self._ended or not self._thread.is_alive():
                return
            self._flushes.append(done)
            self._wake.notify()
        await asyncio.wrap_future(done)

    async def transact(self, work: "Callable[[Connection], ResultT]") -> ResultT:
        """What `work` gives, run in the thread in one transaction, once all jobs before it have run.

        Raises what it raises, and Internal when the database takes nothing at the moment. Cancelling the wait does
        not undo it.
        """
        done: Future[ResultT] = Future()
        with self._wake:
            if self._ended or self._closing or not self._thread.is_alive():
                raise Internal("the records are closed")
            self._jobs.append((work, done))
            self._wake.notify()
        return await asyncio.shield(asyncio.wrap_future(done))

    def close(self, timeout_s: float = 10.0) -> None:
        """Writes the rest and ends the thread. Blocks: run it in a thread of its own where a loop must go on."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def counts(self) -> Counts:
        with self._wake:
            return Counts(self._written, self._batches, self._dropped, len(self._queue), self._failing)

    # --- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._attempt(self._purge)
            while not self._ended:
                self._wait()
                self._round()
        finally:
            self._end()

    def _wait(self) -> None:
        """Returns when a batch is due, a retry or a purge, or when somebody waits for us."""
        with self._wake:
            if self._failing:
                self._wake.wait_for(self._is_urgent, self._retry_s)
            elif self._wake.wait_for(lambda: self._queue or self._is_urgent(), self._pace.purge_s):
                self._wake.wait_for(self._is_batch_due, self._pace.batch_s)

    def _is_urgent(self) -> bool:
        return bool(self._closing or self._flushes or self._jobs)

    def _is_batch_due(self) -> bool:
        return self._is_urgent() or len(self._queue) >= self._pace.batch_rows

    def _round(self) -> None:
        self._do_jobs()
        with self._wake:
            flushes, self._flushes = self._flushes, []
            closing = self._closing
            due = len(self._queue) if closing or flushes else min(len(self._queue), self._pace.batch_rows)
        while due > 0 and self._attempt(self._write_batch):
            due -= self._pace.batch_rows
        if due <= 0 and self._is_purge_due():
            self._attempt(self._purge)
        for flush in flushes:
            _resolve(flush)
        self._ended = self._ended or closing

    def _do_jobs(self) -> None:
        while True:
            with self._wake:
                if not self._jobs:
                    return
                work, done = self._jobs.popleft()
            self._do(work, done)

    def _do(self, work: "Callable[[Connection], Any]", done: "Future[Any]") -> None:
        try:
            result = self._store().transact(work)
        except Unwritable as exc:
            done.set_exception(Internal(f"the records take nothing at the moment ({exc.reason})"))
        except Exception as exc:  # noqa: BLE001 - whatever work raises is for who waits for it
            done.set_exception(exc)
        else:
            done.set_result(result)

    def _is_purge_due(self) -> bool:
        return self._purged_at is None or self._clock() - self._purged_at >= self._pace.purge_s

    def _attempt(self, action: Callable[[], None]) -> bool:
        """Whether the action succeeded; keeps the state, and logs when it changes."""
        try:
            try:
                action()
            except Unwritable as exc:
                if exc.reason != "corrupt":
                    raise
                self._replace_corrupt()
                action()
        except Unwritable as exc:
            self._fail(exc.reason)
            return False
        if self._failing:
            log.info("records.recovered", extra={"dropped": self._dropped})
        self._failing, self._retry_s = "", self._pace.first_retry_s
        return True

    def _write_batch(self) -> None:
        with self._wake:
            batch = list(islice(self._queue, self._pace.batch_rows))
        written = self._insert([(entry.table, entry.row) for entry in batch])
        with self._wake:
            # The rows leave the queue only now: a failed batch is simply tried again.
            for entry in batch:
                self._queue.popleft()
                self._queued_chars -= entry.chars
            self._written += written
            self._batches += 1
            self._dropped += len(batch) - written

    def _insert(self, rows: "Sequence[Row]") -> int:
        try:
            return self._store().insert(rows, self._clock())
        except Unwritable as exc:
            if exc.reason != "other":
                raise
            # Nothing that waiting would mend: these rows must not block those behind them.
            log.error("records.refused", extra={"rows": len(rows), "cause": type(exc.__cause__).__name__})
            return 0

    def _purge(self) -> None:
        now = self._clock()
        self._store().purge(now, self._keep.keep_days, self._keep.keep_mb)
        self._purged_at = now

    def _store(self) -> "Store":
        """The open database; opened again when its file was moved or deleted under us."""
        from midfill_daemon.records.store import Store

        if self._opened is not None and not self._opened.is_current():
            self._close_store()
        if self._opened is None:
            self._opened = Store(self._database, self._pace.busy_timeout_ms)
        return self._opened

    def _close_store(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _replace_corrupt(self) -> None:
        from midfill_daemon.records.store import set_aside

        self._close_store()
        name = set_aside(self._database)
        if name:
            log.error("records.corrupt", extra={"moved_to": name})

    def _fail(self, reason: str) -> None:
        if reason == "newer":
            log.error("records.disabled", extra={"reason": reason, "file": self._database.name})
            self._ended = True
        elif reason != self._failing:
            log.warning("records.failed", extra={"reason": reason, "queued": len(self._queue)})
        elif not self._is_urgent():
            self._retry_s = min(self._retry_s * 2, self._pace.last_retry_s)
        self._failing = reason

    def _end(self) -> None:
        self._close_store()
        with self._wake:
            self._ended = True
            if self._queue:
                log.warning("records.dropped", extra={"rows": len(self._queue)})
            self._dropped += len(self._queue)
            self._queue.clear()
            self._queued_chars = 0
            flushes, self._flushes = self._flushes, []
            jobs = list(self._jobs)
            self._jobs.clear()
        for _, done in jobs:
            done.set_exception(Internal("the records are closed"))
        for flush in flushes:
            _resolve(flush)


def _resolve(flush: Future[None]) -> None:
    """Nobody may be waiting any more."""
    if flush.set_running_or_notify_cancel():
        flush.set_result(None)
