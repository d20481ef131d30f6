"""`python -m midfill_workspace.worker`: indexes the workspaces of one editor window until its stdin closes.

It reads one JSON object a line: first `{"cache": folder, "window": name, "environments": [folders]}`, then
`{"index": root, "exclude": [globs], "languages": [off], "limit_chars": number}`,
`{"root": root, "changed": [paths]}`, `{"damaged": root}` when the index cannot be read,
`{"fetch": number, "root": root, "paths": [paths]}` for files of installed packages, and
`{"outline": number, "path": …, "language": …, "text": …}` for an open document.
It writes, for each root, `{"opened": number}` (read all of the index now), `{"files": [[path, id]]}` (a null id: gone),
`{"progress": [done, total]}` while it takes long, `{"done": outlined}`; `{"answered": number, "data": …}` for a
document; `{"answered": number, "files": [[path, id, text]]}` for packages; and `{"problem": reason}` before it ends because of the index.
"""

import json
import logging
import os
import queue
import sqlite3
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from midfill_workspace import compact
from midfill_workspace import store as stores
from midfill_workspace.exclusion import Rules
from midfill_workspace.indexed_files import IndexedFiles
from midfill_workspace.installed_files import InstalledFiles
from midfill_workspace.limits import TooSlow, bound_memory, step_back, time_limit
from midfill_workspace.outline.table import outline
from midfill_workspace.packages import Found
from midfill_workspace.secrets import redact
from midfill_workspace.store import Store, open_store
from midfill_workspace.sweep import Place, Step, fetch, refresh, sweep
from midfill_workspace.symbol import Outline

log = logging.getLogger(__name__)

SILENT_S, PROGRESS_S = 2.0, 0.5
"""Progress is told of what takes longer than the first, as often as the second."""

LAST_S = 5.0
"""How long the file at hand may still take once the editor is gone."""

SWEEP_FROM = 1_000
"""So many changes at once are a branch switch: looking at all files is simpler then, and as quick."""

Message = Mapping[str, Any]

WAKE_UP: Message = {}

Say = Callable[[Mapping[str, Any]], None]


class Stopped(BaseException):
    """The editor is gone, or does not want this any more. Not an Exception: no file's failure may hide it."""


class Inbox:
    """What the editor has said, in its order."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._documents: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._stopped = threading.Event()

    def put(self, message: Message) -> None:
        if "stop" in message:
            self._stopped.set()
        if "outline" in message:
            self._documents.put(message)
            message = WAKE_UP
        self._messages.put(message)

    def documents(self) -> Iterator[Message]:
        """The open documents whose outlines somebody waits for."""
        with suppress(queue.Empty):
            while True:
                yield self._documents.get_nowait()

    def check(self) -> None:
        """Raises Stopped once nothing is wanted any more."""
        if self._stopped.is_set():
            raise Stopped

    def take(self) -> Message:
        """The next message; waits for it."""
        message = self._messages.get()
        self.check()
        return message

    def waiting(self) -> bool:
        return not self._messages.empty()


@dataclass(slots=True)
class Job:
    """A run over one workspace, in steps."""

    root: str
    steps: Iterator[Step]
    started_s: float
    told_s: float
    outlined: int = 0


class Worker:
    """Owns the index's writing side, and takes turns between the workspaces and what changes in them."""

    def __init__(
        self,
        path: Path,
        window: str,
        inbox: Inbox,
        say: Say,
        clock: Callable[[], float] = time.monotonic,
        environments: Sequence[str] = (),
    ) -> None:
        self._path, self._window, self._inbox, self._say, self._clock = path, window, inbox, say, clock
        self._environments = environments
        self._store = self._open()
        self._orders: dict[str, Message] = {}
        self._places: dict[str, Place] = {}
        self._installed: dict[str, InstalledFiles] = {}
        self._jobs: deque[Job] = deque()
        self._tidied_day = 0
        self._outdated: set[str] = set()
        """Roots whose reader has not been told what another window's worker wrote."""

    def run(self) -> None:
        """Until Stopped, or an index that cannot be used: sqlite3.Error or OSError."""
        try:
            while True:
                self._turn()
        finally:
            self._store.close()

    def _turn(self) -> None:
        try:
            while self._inbox.waiting() or not self._jobs:
                self._obey(self._inbox.take())
                self._serve()
            self._step(self._jobs[0])
        except sqlite3.Error as exc:
            if stores.reason(exc) != "corrupt":
                raise
            self._start_over()

    def _start_over(self) -> None:
        """The index was damaged while it was in use."""
        log.warning("index.damaged")
        self._store.close()
        stores.remove(self._path)
        self._store = self._open()
        self._jobs.clear()
        for order in list(self._orders.values()):
            self._index(order)

    def _open(self) -> Store:
        return open_store(self._path, self._window)

    # --- orders

    def _obey(self, message: Message) -> None:
        if "index" in message:
            self._index(message)
        elif "damaged" in message:
            self._start_over()
        elif "changed" in message and message["root"] in self._places:
            self._change(message["root"], message["changed"])
        elif "fetch" in message:
            self._fetch(message)

    def _index(self, order: Message) -> None:
        root = order["index"]
        before = self._places.get(root)
        self._orders[root] = order
        self._places[root] = place = self._place(order)
        if before is None or before.store is not self._store:
            self._say({"root": root, "opened": place.workspace})
        self._sweep(root)

    def _place(self, order: Message) -> Place:
        root, rules = Path(os.path.realpath(order["index"])), _rules(order)
        self._installed[order["index"]] = InstalledFiles(root, rules, self._environments)
        return Place(root, self._store.workspace(str(root)), IndexedFiles(root, rules), self._store, self._outline)

    def _change(self, root: str, paths: Sequence[str]) -> None:
        place = self._places[root]
        is_much = len(paths) > SWEEP_FROM or any((place.root / path).is_dir() for path in paths)
        if is_much:
            self._sweep(root)
        else:
            self._jobs.appendleft(self._job(root, refresh(place, paths)))

    def _fetch(self, message: Message) -> None:
        """In the order of the messages, unlike documents: rules that were told before count."""
        root, files = message["root"], list[Found]()
        place = self._places.get(root)
        try:
            for each in fetch(place, self._installed[root].read, message["paths"]) if place is not None else ():
                files.append(each)
                self._inbox.check()
                self._serve()
        finally:
            self._say({"answered": message["fetch"], "files": files})

    def _sweep(self, root: str) -> None:
        """It finds whatever was still to be done for this root."""
        others = [job for job in self._jobs if job.root != root]
        self._jobs = deque([*others, self._job(root, sweep(self._places[root]))])

    def _job(self, root: str, steps: Iterator[Step]) -> Job:
        return Job(root, steps, self._clock(), self._clock())

    def _serve(self) -> None:
        """Between any two files: a user waits for the outlines of what is open."""
        for message in self._inbox.documents():
            self._say({"answered": message["outline"], "data": self._of_document(message)})

    def _of_document(self, message: Message) -> str:
        """The outline of an open document; an empty one if it takes too long."""
        path, language = message["path"], message["language"]
        try:
            with time_limit():
                found = outline(path, language, message["text"])
        except TooSlow:
            found = Outline(path, language)
        return compact.encode(found).decode("ascii")

    def _outline(self, path: str, language: str, text: str) -> Outline:
        self._inbox.check()
        self._serve()
        with time_limit():
            return _without_secrets(outline(path, language, text))

    # --- work

    def _step(self, job: Job) -> None:
        step = next(job.steps, None)
        if step is None:
            self._jobs.popleft()
            self._finish(job)
            return
        job.outlined += step.outlined
        if step.changes:
            self._say({"root": job.root, "files": step.changes})
        self._tell_progress(job, step)

    def _finish(self, job: Job) -> None:
        if self._store.changed_by_others():
            self._outdated.update(self._places)
        if job.root in self._outdated:
            self._outdated.discard(job.root)
            self._say({"root": job.root, "opened": self._places[job.root].workspace})
        self._say({"root": job.root, "done": job.outlined})
        self._tidy()

    def _tidy(self) -> None:
        """Once a day, when there is nothing else to do."""
        day = int(time.time() // stores.DAY_S)
        if not self._jobs and self._tidied_day != day:
            self._tidied_day = day
            self._store.tidy()
            self._store.shrink()

    def _tell_progress(self, job: Job, step: Step) -> None:
        now_s = self._clock()
        if now_s - job.started_s > SILENT_S and now_s - job.told_s > PROGRESS_S:
            job.told_s = now_s
            self._say({"root": job.root, "progress": [step.done, step.total]})


def _rules(order: Message) -> Rules:
    return Rules(
        globs=tuple(order.get("exclude", ())),
        languages=tuple(order.get("languages", ())),
        limit_chars=order.get("limit_chars", Rules().limit_chars),
    )


def _without_secrets(found: Outline) -> Outline:
    """A header may hold the value of a variable, and what is stored stays on the disk."""
    return replace(
        found, definitions=tuple(replace(each, header=redact(each.header).text) for each in found.definitions)
    )


def main() -> None:
    """Returns when the editor is gone."""
    _log_to_stderr()
    step_back()
    bound_memory()
    say = _speaker(_take_stdout())
    os.umask(0o077)
    inbox = Inbox()
    threading.Thread(target=_listen, args=(sys.stdin, inbox), daemon=True).start()
    try:
        first = inbox.take()
        path, environments = stores.location(Path(first["cache"])), first.get("environments", ())
        Worker(path, first["window"], inbox, say, environments=environments).run()
    except Stopped:
        return
    except (sqlite3.Error, OSError) as exc:
        log.warning("index.unusable", extra={"error": type(exc).__name__})
        say({"problem": stores.reason(exc)})


def _log_to_stderr() -> None:
    """As the lines of all other processes: events with their fields, never an exception's text."""
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger().handlers[0].setFormatter(_Lines())


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {name: getattr(record, name) for name in ("error", "reason", "language") if hasattr(record, name)}
        return json.dumps({"level": record.levelname.lower(), "logger": record.name, "event": record.msg, **fields})


def _listen(stream: TextIO, inbox: Inbox) -> None:
    for line in stream:
        inbox.put(json.loads(line))
    inbox.put({"stop": True})
    # The main thread ends by itself after the file at hand, if that lets it.
    threading.Event().wait(LAST_S)
    os._exit(0)


def _take_stdout() -> TextIO:
    """stdout as a stream of ours; whatever else is printed goes to stderr."""
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "w", encoding="ascii")


def _speaker(stream: TextIO) -> Say:
    def say(message: Mapping[str, Any]) -> None:
        try:
            stream.write(json.dumps(message) + "\n")
            stream.flush()
        except BrokenPipeError as exc:
            raise Stopped from exc

    return say


if __name__ == "__main__":
    main()
