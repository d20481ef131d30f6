"""What is known around each open document, kept ready for requests: surroundings, recent edits, similar pieces.

All cold work is done here, in pauses: the outline of a document is made in another process, and imports are followed
in steps of a few milliseconds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from midfill_lsp.documents import Document
from midfill_workspace import context, edits
from midfill_workspace.context import Shelf, Surroundings
from midfill_workspace.folder import Folder
from midfill_workspace.pack import Snippet
from midfill_workspace.project import Project
from midfill_workspace.snapshot import Snapshot
from midfill_workspace.symbol import Outline
from midfill_workspace.window import Window

Outliner = Callable[[str, str, str], Awaitable[Outline]]
"""Path, language and text -> what they declare; takes as long as it takes, but not on this loop."""

Locator = Callable[[str], tuple[Project, str] | None]
"""Uri of a document -> the project that it belongs to, and its path in that."""

Fetcher = Callable[[str], Awaitable[bool]]
"""Uri of a document -> whether more of what its imports lead to has been read since its project was asked for it."""

NO_PROJECT = Folder((), lambda path: "")

FETCHES = 5
"""An import of a package may lead on to other files of it, so often."""

PAUSE_S, REST_S = 1.0, 2.0
"""After such pauses in the changes of a document its surroundings, and what was changed, are looked at."""

TURN_S = 0.05
"""Between two of many documents that were opened: keys come first."""

LONG_LINES = 20_000
"""A longer document is not compared with what it was, nor cut into pieces."""

KEPT_PIECES = 20
"""Of so many documents, the last ones that were worked on, similar pieces are looked for."""


@dataclass(slots=True)
class Brief:
    """Of one document. `around` is that of a moment ago while a newer one is being made."""

    document: Document
    around: Surroundings | None = None
    before: Sequence[str] | None = None
    """The lines as they were before the changes that have not been noted yet."""
    saved: Sequence[str] = ()
    """The lines as the disk has them: those that the document was opened or last saved with; none of a long one."""
    is_stale: bool = False
    """Other files have changed since; looked at again when the document is asked about."""
    making: asyncio.Task[None] | None = None
    timers: tuple[asyncio.TimerHandle, ...] = ()


class Briefs:
    """Of one window. No lock: one event loop owns this."""

    def __init__(
        self, locate: Locator, outliner: Outliner, may_read: Callable[[Document], bool], fetch: Fetcher | None = None
    ) -> None:
        self._locate, self._outliner, self._may_read, self._fetch = locate, outliner, may_read, fetch or _no_more
        self.sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        self.on_outline: Callable[[str, Outline], None] = _nothing
        """Told what an open document declares, whatever its file says."""
        self._briefs: dict[str, Brief] = {}
        self._recent: dict[str, None] = {}
        self._opened: dict[str, Document] = {}
        """Those that nobody has looked at yet."""
        self._looking: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.shelf = Shelf()

    def is_known(self, uri: str) -> bool:
        """Whether the surroundings of an open document have been looked at."""
        brief = self._briefs.get(uri)
        return brief is not None and brief.around is not None

    async def ready(self) -> None:
        """Wait until nothing is being made any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def opened(self, document: Document) -> None:
        self._forget(document.uri)
        self._briefs[document.uri] = Brief(document, is_stale=True)
        self.saved(document)
        self._opened[document.uri] = document
        if self._looking is None or self._looking.done():
            self._looking = self._begin(self._look_at_opened())

    def saved(self, document: Document) -> None:
        brief = self._briefs.get(document.uri)
        if brief is not None:
            brief.saved = tuple(document.lines) if len(document.lines) <= LONG_LINES else ()

    def about_to_change(self, document: Document) -> None:
        """Called before each change; what the document was before a run of changes is kept until they are noted."""
        brief = self._briefs.get(document.uri)
        if brief is not None and brief.before is None and len(document.lines) <= LONG_LINES:
            brief.before = tuple(document.lines)

    def changed(self, document: Document) -> None:
        """Look at it again when the user pauses."""
        brief = self._briefs.get(document.uri)
        if brief is None:
            return
        loop = asyncio.get_running_loop()
        _cancel(brief.timers)
        brief.timers = (
            loop.call_later(PAUSE_S, self.refresh, document),
            loop.call_later(REST_S, self._rested, document),
        )

    def closed(self, document: Document) -> None:
        """Its pieces stay until others take their place: a file that was just closed is still on the user's mind.

        What was not saved is gone with it.
        """
        brief = self._briefs.get(document.uri)
        if brief is not None and document.path in self._recent and tuple(document.lines) != brief.saved:
            self.shelf.edits.forget(document.path)
            self.shelf.library.put(document.path, brief.saved)
        self._forget(document.uri)

    def withdraw(self, document: Document) -> None:
        """The document may not be read any more: nothing of it is told from now on."""
        self._drop_pieces(document.path)
        self.shelf.edits.forget(document.path)
        brief = self._briefs.get(document.uri)
        if brief is not None:
            brief.around, brief.before = None, None

    def forget_closed(self) -> None:
        """What may be read has changed: of documents that are not open any more nobody says whether they may."""
        still_open = {brief.document.path for brief in self._briefs.values()}
        for path in [path for path in self._recent if path not in still_open]:
            self._drop_pieces(path)
            self.shelf.edits.forget(path)

    def refresh(self, document: Document) -> None:
        """Make the surroundings anew."""
        brief = self._briefs.get(document.uri)
        if brief is not None and self._may_read(document) and len(document.lines) <= LONG_LINES:
            brief.is_stale = False
            if brief.making is not None:
                brief.making.cancel()
            brief.making = self._begin(self._make(brief, document))

    def others_changed(self) -> None:
        """Other files may declare other things: what is asked about next is looked at again, and the last one now."""
        for brief in self._briefs.values():
            brief.is_stale = True
        newest = next(reversed(self._recent), "")
        for brief in self._briefs.values():
            if brief.document.path == newest:
                self.refresh(brief.document)

    def snippets(self, snapshot: Snapshot, view: Window, limit_chars: int) -> list[Snippet]:
        """What to tell a model for this request; [] while nothing is known."""
        brief = self._briefs.get(snapshot.uri)
        if brief is not None and brief.is_stale:
            self.refresh(brief.document)
        if brief is None or brief.around is None or limit_chars <= 0:
            return []
        project, path = self._place(snapshot.uri, snapshot.path)
        snapshot = replace(snapshot, path=path)
        return context.assemble(context.question(snapshot, view, brief.around, project, self.shelf), limit_chars)

    async def close(self) -> None:
        for uri in tuple(self._briefs):
            self._forget(uri)
        if self._looking is not None:
            self._looking.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _look_at_opened(self) -> None:
        """Editors open many documents at once: when they are done, look at the last one, then at one after the other.

        Who asks about another one earlier has it looked at then.
        """
        opened = 0
        while opened != len(self._opened):
            opened = len(self._opened)
            await self.sleep(PAUSE_S)
        for uri in [*self._opened][-1:]:
            self.refresh(self._opened[uri])
        while self._opened:
            if len(self._opened) > KEPT_PIECES:
                del self._opened[next(iter(self._opened))]
                continue
            self._shelve(self._opened.pop(next(iter(self._opened))))
            await self.sleep(TURN_S)

    async def _make(self, brief: Brief, document: Document) -> None:
        lines = tuple(document.lines)
        project, path = self._place(document.uri, document.path)
        outline = await self._outliner(path, document.language, "".join(lines))
        self.on_outline(document.uri, outline)
        brief.around = await context.surroundings_in_steps(outline, lines, project, _breathe)
        for _ in range(FETCHES):
            await context.follow_installed(brief.around, project, _breathe)
            if not await self._fetch(document.uri):
                return
            brief.around = await context.surroundings_in_steps(outline, lines, project, _breathe)

    def _place(self, uri: str, path: str) -> tuple[Project, str]:
        return self._locate(uri) or (NO_PROJECT, path)

    def _rested(self, document: Document) -> None:
        brief = self._briefs[document.uri]
        if brief.before is not None and self._may_read(document):
            made = edits.edit(document.path, brief.before, document.lines)
            if made is not None:
                self.shelf.edits.note(made)
            self._shelve(document)
        brief.before = None

    def _shelve(self, document: Document) -> None:
        """Its pieces may be told to other documents; of those worked on longest ago no longer."""
        if not self._may_read(document) or len(document.lines) > LONG_LINES:
            return
        self._recent.pop(document.path, None)
        self._recent[document.path] = None
        self.shelf.library.put(document.path, document.lines)
        while len(self._recent) > KEPT_PIECES:
            self._drop_pieces(next(iter(self._recent)))

    def _drop_pieces(self, path: str) -> None:
        self._recent.pop(path, None)
        self.shelf.library.drop(path)

    def _forget(self, uri: str) -> None:
        brief = self._briefs.pop(uri, None)
        self._opened.pop(uri, None)
        if brief is not None:
            _cancel(brief.timers)
            if brief.making is not None:
                brief.making.cancel()


def _cancel(timers: Sequence[asyncio.TimerHandle]) -> None:
    for timer in timers:
        timer.cancel()


def _nothing(uri: str, outline: Outline) -> None:
    """Nobody else is interested."""


async def _no_more(uri: str) -> bool:
    return False


async def _breathe() -> None:
    """Let everything else run that waits for the loop."""
    await asyncio.sleep(0)
