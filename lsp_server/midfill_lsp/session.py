"""One editor window: its documents, settings, link and requests, in terms of our own values."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from lsprotocol import types

from midfill_daemon.client import Client
from midfill_daemon.contract import Snippet
from midfill_lsp import completion, render, settings, status
from midfill_lsp.briefs import Briefs
from midfill_lsp.candidates import LOOKED_S, Samples
from midfill_lsp.completion import Ask, Desk
from midfill_lsp.documents import Document, Documents, disk_path
from midfill_lsp.explain import explain
from midfill_lsp.feedback import Feedback
from midfill_lsp.fit import Fitted
from midfill_lsp.indexer import Indexer
from midfill_lsp.link import Link
from midfill_lsp.permits import IGNORE_FILES, Permits
from midfill_lsp.settings import Settings
from midfill_lsp.status import Status
from midfill_lsp.streaming import Shown, Streams
from midfill_lsp.suggestion import Origin, Suggestion
from midfill_lsp.trace import Trace
from midfill_lsp.warmth import Warmth
from midfill_workspace.resolve.installed import is_installed
from midfill_workspace.snapshot import Snapshot
from midfill_workspace.window import Window

log = logging.getLogger(__name__)

IDLE_S, REST_S = 0.15, 2.0
"""After such pauses the next places are asked for, and the model reads what it may be asked about."""

FAREWELL_S = 1.0
"""How long a window that closes tries to post its last traces; editors wait about two seconds before they kill."""


class Session:
    """What the handlers of `server` act on; it knows LSP values, but not pygls."""

    def __init__(
        self,
        client: Client,
        notify: Callable[[Status], None],
        warn: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        indexer: Indexer | None = None,
    ) -> None:
        self.documents = Documents()
        self.editor = secrets.token_hex(6)
        self.feedback = Feedback(self.editor, self._lines_of, clock)
        self.client = client
        self.indexer = indexer or Indexer(client.cache, {})
        self.indexer.on_progress = self._on_progress
        self.briefs = Briefs(self.indexer.project, self.indexer.outline, self._may_be_told, self.indexer.fetch)
        self.briefs.on_outline, self.indexer.on_news = self.indexer.shown, self.briefs.others_changed
        self.desk = Desk(Link(self.client, self._on_status), Settings(), self.editor, tell=self._tell, clock=clock)
        self.desk.on_level = lambda level: self._on_status(status.of_model(self.desk.link.model))
        self.samples, self.streams = Samples(self.desk), Streams(self.desk)
        self.streams.on_growth = lambda shown_id, text: self.feedback.watch.grew(shown_id, text)
        self.warmth = Warmth(self.desk.link, self.desk.prompts, self.editor)
        self.status = self._told = Status("starting", "the daemon is starting")
        self._notify, self._warn, self._clock = notify, warn, clock
        self._defaults = self._initial = self.desk.settings
        self._changed_s: dict[str, float] = {}
        self._excluded: dict[str, str] = {}
        self._broken: set[str] = set()
        self._permits = Permits()
        self._linked = self.status
        self._tasks: list[asyncio.Task[None]] = []
        self._pausing: tuple[asyncio.TimerHandle, ...] = ()
        self._folders: list[str] = []
        self._progress = ""
        self._running = False

    # --- life

    def initialize(self, params: types.InitializeParams, encoding: str) -> None:
        """Take what the client says of itself, and begin the background work."""
        self.documents.encoding = encoding
        client_name = params.client_info.name if params.client_info else ""
        self._defaults = self._initial = self.desk.settings = settings.defaults_for(client_name)
        self._folders = [folder.uri for folder in params.workspace_folders or []] or _root(params)
        self.documents.set_folders(self._folders)
        self._permits.set_folders(self._folders)
        self.configure(params.initialization_options)
        self._initial = self.desk.settings
        self._tasks = [
            asyncio.create_task(self.desk.link.keep()),
            asyncio.create_task(self.feedback.keep_posting(self.client)),
        ]

    def initialized(self) -> None:
        """The editor has its answer: what may take its time begins."""
        self._running = True
        self._index()

    async def close(self) -> None:
        ending = asyncio.create_task(self.indexer.close())
        await self.streams.close()
        for document in self.documents.all():
            self._drop(document.uri)
        self._stir()
        self.warmth.cool()
        self.desk.machine.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self.briefs.close(), return_exceptions=True)
        if self.client.is_connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_S):
                    await self.feedback.post_rest(self.client)
        await self.client.close()
        await ending

    def configure(self, raw: Any) -> None:
        """Take the client's options, all of them; tell the user once about each that cannot be taken.

        An option that is not among them any more has its default again. Those that only the initialization options
        named, which some editors send apart from the rest, stay. A client that sends none says nothing.
        """
        base = self.desk.settings
        if isinstance(raw, Mapping):
            base = self._initial = settings.handed_over(raw, self._initial, self._defaults)
        self.desk.settings, problems = settings.parse(raw, base)
        self._permits.configure(self.desk.settings)
        self.feedback.switch(self.desk.settings.telemetry)
        self._judge_all()
        self._index()
        # What was off may be on now; the next request says so again if it is not.
        self._show(self._linked)
        for problem in problems:
            self._warn(f"Midfill: {problem}")

    def folders_changed(self, added: Sequence[str], removed: Sequence[str]) -> None:
        """The workspace has other folders: their ignore rules count, documents are named by them, they are indexed."""
        kept = [uri for uri in self._folders if uri not in removed]
        self._folders = list(dict.fromkeys([*kept, *added]))
        self.documents.set_folders(self._folders)
        self._permits.set_folders(self._folders)
        self._judge_all()
        self._index()

    def _index(self) -> None:
        """As the settings say."""
        if self._running and self.desk.settings.index:
            folders = [uri for uri in self._folders if not self._permits.is_disabled(uri)]
            self.indexer.start(folders, self._permits.rules)
        else:
            self.indexer.stop()

    def _on_progress(self, progress: str) -> None:
        if progress != self._progress:
            self._progress = progress
            self._on_status(self._told)

    def _on_status(self, told: Status) -> None:
        self._told = told
        if told.state == "ready":
            told = status.of_health(self.desk.health.level, self.desk.link.model)
        told = status.with_progress(told, self._progress)
        if told == self._linked:
            return
        ready = told.state == "ready" and self._linked.state != "ready"
        self._linked = told
        self._show(told)
        if ready:
            for document in self.documents.all():
                self._warm_file(document)

    def _show(self, told: Status) -> None:
        if told != self.status:
            self.status = told
            self._notify(told)

    # --- documents

    def opened(self, item: types.TextDocumentItem) -> None:
        self.documents.open(item)
        self.feedback.watch.closed(item.uri, self._clock())
        self._broken.discard(item.uri)
        document = self.documents.get(item.uri)
        assert document is not None
        self._permits.forget()
        self._judge(document)
        self.indexer.opened(item.uri)
        self.briefs.opened(document)
        self._warm_file(document)

    def changed(self, params: types.DidChangeTextDocumentParams) -> None:
        uri = params.text_document.uri
        self.streams.end(uri)
        before = self.documents.get(uri)
        if before is not None:
            self.briefs.about_to_change(before)
        edits = self.documents.change(uri, params.text_document.version, params.content_changes)
        self._changed_s[uri] = self._clock()
        self.desk.rhythm.note(self._changed_s[uri])
        self._stir()
        document = self.documents.get(uri)
        if document is not None:
            self.desk.flights.judge(uri, document.lines)
            self.feedback.changed(document, edits, [change.text for change in params.content_changes])
            self.samples.judge(uri, document.lines)
            self.briefs.changed(document)

    def saved(self, uri: str) -> None:
        document = self.documents.get(uri)
        self._permits.forget()
        if disk_path(uri).name in IGNORE_FILES:
            self.indexer.sweep()
            self._judge_all()
        elif document is not None:
            self._judge(document)
            self.briefs.saved(document)
            self.desk.cache.saved(document.path, self._clock())
        self.indexer.changed([uri])

    def files_changed(self, uris: Sequence[str]) -> None:
        """Something on the disk has changed. What is ignored from now on is no more in the index either."""
        self.indexer.changed(uris)
        if any(disk_path(uri).name in IGNORE_FILES for uri in uris):
            self.indexer.sweep()
            self._permits.forget()
            self._judge_all()

    def closed(self, uri: str) -> None:
        document = self.documents.get(uri)
        if document is not None:
            self.briefs.closed(document)
        self.indexer.hidden(uri)
        self.desk.prompts.forget(uri)
        self.documents.close(uri)
        self.desk.habits.forget(uri)
        self.feedback.watch.closed(uri, self._clock())
        self._drop(uri)
        self._changed_s.pop(uri, None)
        self._excluded.pop(uri, None)
        self._broken.discard(uri)

    def _drop(self, uri: str) -> None:
        """End the document's generation, and the request that waits for it, which would else begin another."""
        self.desk.flights.end(uri)
        self.samples.end(uri)
        self.streams.end(uri)
        self.desk.newest.end(uri)

    def lost_notification(self, method: str, raw: object) -> None:
        """An edit could not be understood: what we hold is no longer what the editor shows, until it is reopened."""
        document = raw.get("textDocument") if isinstance(raw, Mapping) else None
        uri = document.get("uri") if isinstance(document, Mapping) else None
        if isinstance(uri, str) and method in (types.TEXT_DOCUMENT_DID_CHANGE, types.TEXT_DOCUMENT_DID_OPEN):
            log.warning("document.out_of_sync", extra={"method": method})
            self._broken.add(uri)
            self.feedback.watch.closed(uri, self._clock())
            self._drop(uri)

    def _judge_all(self) -> None:
        """Other files than before may be sent."""
        for document in self.documents.all():
            self._judge(document)
        self.briefs.forget_closed()
        self.desk.prompts.unsettle()

    def _judge(self, document: Document) -> None:
        """Whether the document may be sent; it reads the whole text, so not at every key."""
        reason = self._permits.reason(document)
        if reason and self._excluded.get(document.uri) == "":
            self._drop(document.uri)
            self.warmth.cool()
        if reason:
            self.briefs.withdraw(document)
            self.indexer.hidden(document.uri)
        self._excluded[document.uri] = reason

    # --- requests

    async def inline_completion(self, params: types.InlineCompletionParams) -> types.InlineCompletionList | None:
        """None: a newer request came, the client should keep what it shows. An empty list: nothing to show."""
        document = self.documents.get(params.text_document.uri)
        trace = Trace(
            id=secrets.token_hex(6),
            path=document.path if document else "",
            language=document.language if document else "",
            by_hand=self._is_by_hand(params),
            model=self.desk.link.model.name,
        )
        try:
            return await self._complete(params, document, trace)
        except asyncio.CancelledError:
            trace.outcome = "cancelled"
            self.samples.end(params.text_document.uri)
            raise
        finally:
            self.feedback.traced(trace)

    async def _complete(
        self, params: types.InlineCompletionParams, document: Document | None, trace: Trace
    ) -> types.InlineCompletionList | None:
        selected = params.context.selected_completion_info
        uri = params.text_document.uri
        snapshot = self.documents.snapshot(uri, params.position, selected)
        if document is None or snapshot is None:
            trace.outcome, trace.reason = "off", "not_open"
            return types.InlineCompletionList(items=[])
        generation = document.generation
        wants_others = trace.by_hand and self.desk.settings.candidates > 1 and self._has_looked(uri)
        ask = Ask(
            snapshot,
            by_hand=trace.by_hand,
            since_change_s=self._clock() - self._changed_s.get(uri, self._clock()),
            excluded=self._kept_back(uri) or self._dismissed_here(snapshot, trace),
            is_current=lambda: self.documents.get(uri) is document and document.generation == generation,
            under_way=partial(self.samples.begin, snapshot) if wants_others else _nothing,
        )
        self._stir()
        self.streams.end(uri)
        self._show(status.of_document(ask.excluded, self._linked))
        fitted = await completion.complete(ask, self.desk, trace)
        if fitted is None or not ask.is_current():
            trace.outcome = "superseded"
            return None
        if not trace.by_hand:
            self._pause(uri, params.position)
        suggestions = [fitted]
        if wants_others and trace.outcome in ("answered", "nothing"):
            suggestions = await self._with_others(fitted, snapshot, trace)
            if not suggestions or not ask.is_current():
                trace.outcome = "superseded"
                return None
        answer = render.inline_items(suggestions, snapshot, self.documents, trace.id, selected)
        self._watch(answer, trace, document, params.position)
        if self.desk.settings.streaming != "none" and len(answer.items) == 1:
            lead = selected.text if selected else ""
            given = next(fitted for fitted in suggestions if fitted.text)
            self.streams.follow(Shown(trace.id, ask, params.position, given, lead))
        return answer

    def _is_by_hand(self, params: types.InlineCompletionParams) -> bool:
        if params.context.trigger_kind != types.InlineCompletionTriggerKind.Invoked:
            return False
        document = self.documents.get(params.text_document.uri)
        return document is None or not self.streams.expects(document.uri, document.version, params.position)

    async def _with_others(self, first: Fitted, snapshot: Snapshot, trace: Trace) -> list[Fitted]:
        began_s = self._clock()
        suggestions = await self.samples.beside(first, snapshot)
        trace.stages_ms["others"] = round((self._clock() - began_s) * 1000, 3)
        texts = [fitted.text for fitted in suggestions if fitted.text]
        if texts:
            trace.outcome, trace.reason = "answered", ""
            trace.chars, trace.others = len(texts[0]), len(texts) - 1
        return suggestions

    def _has_looked(self, uri: str) -> bool:
        """Whether the last change is long enough ago for somebody to have asked by hand."""
        changed_s = self._changed_s.get(uri)
        return changed_s is None or self._clock() - changed_s >= LOOKED_S

    def _kept_back(self, uri: str) -> str:
        """Why nothing of the document may be sent, or ""."""
        return "out_of_sync" if uri in self._broken else self._excluded.get(uri, "")

    # --- what becomes of suggestions

    def _lines_of(self, uri: str) -> Sequence[str] | None:
        document = self.documents.get(uri)
        return document.lines if document else None

    def _watch(
        self, answer: types.InlineCompletionList, trace: Trace, document: Document, position: types.Position
    ) -> None:
        """What the editor shows from now on; of several suggestions it shows the first."""
        now_s, watch = self._clock(), self.feedback.watch
        found = [render.insertion(item, position, document, self.documents) for item in answer.items]
        put = [each for each in found if each]
        if not put:
            watch.cleared(document.uri, now_s)
            return
        origin = Origin(trace.language, trace.source, trace.model, self.desk.revision, trace.by_hand)
        others = tuple(each.text for each in put[1:])
        watch.answered(Suggestion(trace.id, document.uri, origin, *put[0], now_s, others))

    def _dismissed_here(self, snapshot: Snapshot, trace: Trace) -> str:
        at_caret = self.feedback.watch.is_dismissed(snapshot.uri, (snapshot.line, snapshot.column))
        return "dismissed" if at_caret and not trace.by_hand else ""

    def dismissed(self, trace_id: str) -> None:
        """The user wants this suggestion away, without an id the one that is shown; what still runs for it ends."""
        uri = self.feedback.watch.dismissed(trace_id, self._clock())
        if uri:
            self._stir()
            self._drop(uri)

    # --- what other files have to say

    def _may_be_told(self, document: Document) -> bool:
        return self.desk.settings.context and not self._kept_back(document.uri)

    def _tell(self, snapshot: Snapshot, view: Window, limit_chars: int) -> list[Snippet]:
        if not self.desk.settings.context:
            return []
        found = self.briefs.snippets(snapshot, view, limit_chars)
        told = [each for each in found if each.source == "tree" or self._may_tell(snapshot.uri, each.path)]
        return [Snippet(each.path, each.text, each.score) for each in told]

    def _may_tell(self, uri: str, path: str) -> bool:
        """Of packages whatever the index still has: it forgets them when other files may be read."""
        if not is_installed(path):
            return self._permits.may_tell(uri, path)
        found = self.indexer.project(uri)
        return found is not None and found[0].has(path)

    # --- pauses

    def _pause(self, uri: str, position: types.Position) -> None:
        """The user has been answered: what may be done until the next key. The timers hold no document."""
        self._stir()
        loop = asyncio.get_running_loop()
        self._pausing = (
            loop.call_later(IDLE_S, self._think_ahead, uri, position),
            loop.call_later(REST_S, self._warm_up, uri, position),
        )

    def _stir(self) -> None:
        """The pause is over."""
        for timer in self._pausing:
            timer.cancel()
        self._pausing = ()

    def _think_ahead(self, uri: str, position: types.Position) -> None:
        snapshot = self.documents.snapshot(uri, position, None)
        if snapshot is not None:
            completion.think_ahead(Ask(snapshot, False, 0.0, self._kept_back(uri)), self.desk)

    def _warm_up(self, uri: str, position: types.Position) -> None:
        snapshot = self.documents.snapshot(uri, position, None)
        if snapshot is not None and self.desk.settings.enabled and not self._kept_back(uri):
            self.desk.prompts.settle(snapshot)
            self.warmth.warm(snapshot)

    def _warm_file(self, document: Document) -> None:
        """A small file that was opened: where its caret will be nobody tells, but all carets share its beginning."""
        if sum(map(len, document.lines)) > self.desk.link.prompt_chars:
            return
        last = len(document.lines) - 1
        self._warm_up(document.uri, types.Position(last, len(document.lines[last])))

    def explain(self) -> str:
        return explain(self.feedback.last)


def _nothing() -> None:
    """One suggestion is all that is wanted."""


def _root(params: types.InitializeParams) -> list[str]:
    return [params.root_uri] if params.root_uri else []
