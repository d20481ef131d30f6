"""One editor window: settings, what may be sent, edits that were lost, documents that go while they are asked about."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from lsprotocol import types

from bench.virtual_time import run_virtually
from midfill_daemon import errors
from midfill_lsp.session import IDLE_S, REST_S, Session
from midfill_lsp.settings import Settings
from midfill_lsp.status import Status
from midfill_workspace import exclusion
from support.daemons import Clock, soon
from support.scripted_client import MODEL, ScriptedClient

ROOT = "file:///work/project"


@dataclass(slots=True)
class Window:
    """A session, and what it told the editor."""

    client: ScriptedClient
    session: Session
    clock: Clock
    statuses: list[Status] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def open(self, text: str, name: str = "a.py", language: str = "python") -> str:
        uri = f"{ROOT}/{name}"
        self.session.opened(types.TextDocumentItem(uri=uri, language_id=language, version=1, text=text))
        return uri

    def change(self, uri: str, text: str, version: int = 2) -> None:
        """Replace the whole text."""
        change = types.TextDocumentContentChangeWholeDocument(text=text)
        document = types.VersionedTextDocumentIdentifier(version=version, uri=uri)
        self.session.changed(types.DidChangeTextDocumentParams(text_document=document, content_changes=[change]))

    def ask(self, uri: str, column: int, line: int = 0, *, by_hand: bool = False) -> asyncio.Task[Any]:
        kind = types.InlineCompletionTriggerKind.Invoked if by_hand else types.InlineCompletionTriggerKind.Automatic
        params = types.InlineCompletionParams(
            text_document=types.TextDocumentIdentifier(uri=uri),
            position=types.Position(line, column),
            context=types.InlineCompletionContext(trigger_kind=kind),
        )
        return asyncio.create_task(self.session.inline_completion(params))

    async def text(self, uri: str, column: int) -> str:
        """What is suggested, "" for nothing."""
        answer = await self.ask(uri, column)
        assert answer is not None
        return answer.items[0].insert_text if answer.items else ""

    async def why(self, uri: str, column: int = 0) -> str:
        """The reason why nothing is suggested."""
        assert await self.text(uri, column) == ""
        last = self.session.feedback.last
        assert last
        return last.reason


def initialization(client: str, options: Any = None, folders: Sequence[str] = (ROOT,)) -> types.InitializeParams:
    return types.InitializeParams(
        capabilities=types.ClientCapabilities(),
        client_info=types.ClientInfo(name=client) if client else None,
        initialization_options=options,
        workspace_folders=[types.WorkspaceFolder(uri=uri, name="w") for uri in folders] or None,
        root_uri=None if folders else ROOT,
    )


@asynccontextmanager
async def window(*runs: Any, client_name: str = "test", options: Any = None) -> AsyncIterator[Window]:
    """A window that is initialized and has shaken hands."""
    client, clock = ScriptedClient(*runs), Clock()
    statuses, warnings = list[Status](), list[str]()
    session = Session(client, statuses.append, warnings.append, clock)
    it = Window(client, session, clock, statuses, warnings)
    session.initialize(initialization(client_name, {"debounceMs": 0} if options is None else options), "utf-16")
    await soon(lambda: session.desk.link.model == MODEL)
    try:
        yield it
    finally:
        await session.close()


# --- settings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client_name", "options", "expected"),
    [
        ("", {}, Settings()),
        ("Visual Studio Code", {}, Settings(client_wait_s=0.05)),
        ("Neovim", {}, Settings(client_wait_s=0.2)),
        ("Neovim", {"clientWaitMs": 10, "debounceMs": 5}, Settings(client_wait_s=0.01, debounce_s=0.005)),
        ("test", {"midfill": {"trigger": "manual"}}, Settings(trigger="manual")),
    ],
)
async def test_the_client_and_its_options_make_the_settings(client_name: str, options: Any, expected: Settings) -> None:
    async with window(client_name=client_name, options=options) as it:
        assert (it.session.desk.settings, it.warnings) == (expected, [])


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        ({"debounceMs": "soon"}, "Midfill: midfill.debounceMs: must be a number"),
        ({"model": "evil"}, "Midfill: midfill.model: is taken from your own configuration file only"),
        ("nonsense", "Midfill: midfill: the settings must be an object"),
    ],
)
async def test_an_option_that_cannot_be_taken_is_told_once(options: Any, warning: str) -> None:
    async with window(options=options) as it:
        assert len(it.warnings) == 1
        assert it.warnings[0].startswith(warning)
        assert it.session.desk.settings == Settings()


async def test_changed_options_count_from_the_next_request_on() -> None:
    async with window(["answer"]) as it:
        uri = it.open("x = ")
        it.session.configure({"midfill": {"enabled": False}})
        assert await it.why(uri, 4) == "disabled"
        it.session.configure({"midfill": {"enabled": True, "disabledLanguages": ["python"]}})
        assert await it.why(uri, 4) == "language_off"
        it.session.configure({"disabledLanguages": []})
        assert await it.text(uri, 4) == "answer"
        assert len(it.client.asked) == 1


START = {"debounceMs": 5, "disabledLanguages": ["lua"]}
AT_START = Settings(debounce_s=0.005, disabled_languages=("lua",))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([{"trigger": "manual"}], replace(AT_START, trigger="manual")),
        ([{"trigger": "manual"}, {"enabled": False}], replace(AT_START, enabled=False)),
        ([{"trigger": "manual"}, {}], AT_START),
        ([{"midfill": {"disabledLanguages": []}}, {"midfill": {}}], replace(AT_START, disabled_languages=())),
        ([START, {}], Settings()),
        ([START, {"debounceMs": 7}], Settings(debounce_s=0.007)),
        ([{"disabledLanguages": []}], replace(AT_START, disabled_languages=())),
        ([{"trigger": "manual"}, None], replace(AT_START, trigger="manual")),
        ([{"trigger": "manual"}, "nonsense"], replace(AT_START, trigger="manual")),
        ([{"trigger": "manual"}, {"trigger": "nonsense"}], AT_START),
    ],
)
async def test_an_option_that_is_removed_has_its_default_unless_only_the_start_named_it(
    changes: list[Any], expected: Settings
) -> None:
    async with window(options=START) as it:
        for change in changes:
            it.session.configure(change)
        assert it.session.desk.settings == expected


async def test_without_folders_the_root_names_the_documents() -> None:
    client = ScriptedClient()
    session = Session(client, lambda _: None, lambda _: None)
    session.initialize(initialization("test", folders=()), "utf-16")
    session.opened(types.TextDocumentItem(uri=f"{ROOT}/src/a.py", language_id="python", version=1, text=""))
    assert [document.path for document in session.documents.all()] == ["src/a.py"]
    await session.close()


async def test_documents_follow_the_folders_of_the_workspace() -> None:
    async with window() as it:
        it.open("", "src/a.py")
        paths: list[str] = []
        for added, removed in (([f"{ROOT}/src"], []), ([], [ROOT]), ([ROOT], [f"{ROOT}/src"]), ([ROOT], ["file:///x"])):
            it.session.folders_changed(added, removed)
            paths.append(it.session.documents.all()[0].path)
        assert paths == ["a.py", "a.py", "src/a.py", "src/a.py"]


# --- a request ------------------------------------------------------------------------------------------


async def test_a_suggestion_has_its_range_and_tells_when_it_is_accepted() -> None:
    async with window(["value"]) as it:
        answer = await it.ask(it.open("é\U0001f600 = \n"), 6)
        (item,) = answer.items
        assert item.insert_text == "value"
        assert item.range == types.Range(types.Position(0, 6), types.Position(0, 6))
        last = it.session.feedback.last
        assert last
        assert item.command.arguments == [last.id]
        assert (it.client.asked[0]["path"], it.client.asked[0]["editor"]) == ("a.py", it.session.editor)


async def test_the_debounce_counts_from_the_last_change_of_the_document() -> None:
    async with window(["value"], options={"debounceMs": 75}) as it:
        uri = it.open("x")
        it.change(uri, "x = ")
        it.clock.now_s += 0.075
        assert await it.text(uri, 4) == "value"


async def test_a_document_that_is_not_open_is_told() -> None:
    async with window() as it:
        assert await it.why(f"{ROOT}/unknown.py") == "not_open"
        assert it.client.asked == []


async def test_a_withdrawn_request_is_a_trace_but_not_the_last_one() -> None:
    async with window([asyncio.Event()]) as it:
        asked = it.ask(it.open("x = "), 4)
        await soon(it.client.started.is_set)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert it.session.feedback.last is None
        assert it.session.explain() == "Nothing has been asked for yet."


async def test_explain_is_about_the_last_request() -> None:
    async with window(["value"]) as it:
        uri = it.open("x = hunter2 + ")
        await it.text(uri, 14)
        said = it.session.explain()
        assert said.startswith("A suggestion of 5 characters was given in a.py. The model m wrote it.")
        assert "hunter2" not in said
        assert "value" not in said


async def test_the_status_is_sent_when_it_changes() -> None:
    async with window() as it:
        assert it.session.status == Status("ready", "", "m")
        assert it.statuses == [Status("ready", "", "m")]


# --- what may be sent -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "language", "text", "reason"),
    [
        (".env", "plaintext", "KEY=1", "secret_file"),
        ("keys/id_rsa", "plaintext", "", "secret_file"),
        (".git/config", "plaintext", "", "repository_internal"),
        ("uv.lock", "toml", "", "generated"),
        ("off/a.py", "python", "", "folder_off"),
        ("a.md", "markdown", "", "language_off"),
        ("long.py", "python", "x\n" * 60, "too_large"),
        ("min.js", "javascript", "x" * 3000, "too_large"),
    ],
)
async def test_an_excluded_document_is_never_sent(name: str, language: str, text: str, reason: str) -> None:
    options = {"exclude": ["off/"], "disabledLanguages": ["markdown"], "maxFileChars": 100, "debounceMs": 0}
    async with window(options=options) as it:
        uri = it.open(text, name, language)
        assert await it.why(uri) == reason
        assert exclusion.REASONS[reason] in it.session.explain()
        assert it.client.asked == []


async def test_a_document_is_judged_again_when_it_is_saved() -> None:
    async with window(["value"], options={"maxFileChars": 100, "debounceMs": 0}) as it:
        uri = it.open("x = ")
        it.change(uri, "y\n" * 60)
        it.session.saved(uri)
        assert await it.why(uri) == "too_large"
        it.change(uri, "x = ", version=3)
        it.session.saved(uri)
        assert await it.text(uri, 4) == "value"


async def test_saving_what_is_not_open_is_nothing() -> None:
    async with window() as it:
        it.session.saved("file:///unknown")
        it.session.closed("file:///unknown")


# --- edits that were lost -------------------------------------------------------------------------------


def lost(it: Window, uri: str, method: str = types.TEXT_DOCUMENT_DID_CHANGE) -> None:
    it.session.lost_notification(method, {"textDocument": {"uri": uri, "version": "x"}})


async def test_after_a_lost_edit_a_document_is_not_asked_about_until_it_is_reopened() -> None:
    async with window(["value"]) as it:
        uri, other = it.open("x = "), it.open("y = ", "b.py")
        lost(it, uri)
        assert await it.why(uri, 4) == "out_of_sync"
        it.change(uri, "x =  ")
        it.session.saved(uri)
        assert await it.why(uri, 4) == "out_of_sync"
        assert await it.text(other, 4) == "value"
        it.session.closed(uri)
        assert await it.text(it.open("x = "), 4) == "value"


async def test_a_lost_edit_ends_the_generation() -> None:
    async with window([asyncio.Event()]) as it:
        uri = it.open("x = ")
        asked = it.ask(uri, 4)
        await soon(it.client.started.is_set)
        lost(it, uri)
        async with asyncio.timeout(20):
            assert await asked is None
        assert (len(it.client.asked), it.client.closed) == (1, 1)


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        (types.TEXT_DOCUMENT_DID_CHANGE, None),
        (types.TEXT_DOCUMENT_DID_CHANGE, []),
        (types.TEXT_DOCUMENT_DID_CHANGE, {"textDocument": None}),
        (types.TEXT_DOCUMENT_DID_CHANGE, {"textDocument": {"uri": 5}}),
        (types.TEXT_DOCUMENT_DID_CHANGE, {"textDocument": {"uri": []}}),
        (types.TEXT_DOCUMENT_DID_SAVE, {"textDocument": {"uri": f"{ROOT}/a.py"}}),
        ("$/setTrace", {"textDocument": {"uri": f"{ROOT}/a.py"}}),
    ],
)
async def test_a_lost_notification_that_names_no_edit_changes_nothing(method: str, raw: Any) -> None:
    async with window(["value"]) as it:
        uri = it.open("x = ")
        it.session.lost_notification(method, raw)
        assert await it.text(uri, 4) == "value"


# --- documents that change while they are asked about ---------------------------------------------------


async def test_closing_a_document_answers_its_request_with_null_and_closes_its_stream() -> None:
    async with window([asyncio.Event()]) as it:
        uri = it.open("x = ")
        asked = it.ask(uri, 4)
        await soon(it.client.started.is_set)
        it.session.closed(uri)
        async with asyncio.timeout(20):
            assert await asked is None
        await soon(lambda: it.client.closed == 1)


async def test_a_change_that_disagrees_answers_null_and_closes_the_stream() -> None:
    async with window([asyncio.Event()]) as it:
        uri = it.open("x = ")
        asked = it.ask(uri, 4)
        await soon(it.client.started.is_set)
        it.change(uri, "y = ")
        async with asyncio.timeout(20):
            assert await asked is None
        assert (len(it.client.asked), it.client.closed) == (1, 1)


@pytest.mark.parametrize("happens", ["typed", "reopened"])
async def test_a_stale_answer_is_never_sent(happens: str) -> None:
    hold = asyncio.Event()
    async with window([hold, "value"]) as it:
        uri = it.open("x = ")
        asked = it.ask(uri, 4)
        await soon(it.client.started.is_set)
        if happens == "typed":
            it.change(uri, "x = v")
        else:
            it.open("x = ")
        hold.set()
        async with asyncio.timeout(20):
            assert await asked is None


async def test_closing_the_window_posts_what_has_gathered() -> None:
    async with window(["value"]) as it:
        await it.text(it.open("x = "), 4)
    assert [row["kind"] for row in it.client.posted[-1]] == ["trace", "shown"]


async def test_closing_a_window_that_lost_its_daemon_starts_none() -> None:
    async with window(["value"]) as it:
        await it.text(it.open("x = "), 4)
        it.client.shaken = 0
    assert it.client.posted == []


async def test_closing_the_window_ends_everything() -> None:
    async with window([asyncio.Event()]) as it:
        asked = it.ask(it.open("x = "), 4)
        await soon(it.client.started.is_set)
        await it.session.close()
        async with asyncio.timeout(20):
            assert await asked is None
        assert (len(it.client.asked), it.client.closed) == (1, 1)


# --- pauses and health ----------------------------------------------------------------------------------

SLOW = replace(MODEL, reads_ahead=True)


def prefixes(work: Callable[[Window], Awaitable[None]], *runs: Any) -> list[str]:
    """What the model was asked to go on with, in a window whose time passes only while it waits."""

    async def begin() -> Window:
        async with window(*runs) as it:
            it.session.desk.link.model = SLOW
            await work(it)
        return it

    return run_virtually(begin()).client.prefixes


def test_a_small_file_is_read_when_it_is_opened() -> None:
    async def work(it: Window) -> None:
        it.open("x = 1\ny = 2\n")
        it.open("z" * 100_000, "large.py")
        await asyncio.sleep(0.1)

    assert prefixes(work, [""]) == ["x = 1\ny = 2\n"]


@pytest.mark.parametrize(("paused_s", "asked"), [(REST_S - 0.1, ["x = "]), (REST_S + 0.1, ["x = ", "x = "])])
def test_in_a_pause_a_slow_reader_reads(paused_s: float, asked: list[str]) -> None:
    async def work(it: Window) -> None:
        uri = it.open("x = 1\n" + "y\n" * 100_000)
        await it.text(uri, 4)
        await asyncio.sleep(paused_s)

    assert prefixes(work, [""]) == asked


@pytest.mark.parametrize("options", [{"enabled": False}, {"exclude": ["*.py"]}])
def test_what_may_not_be_sent_is_not_read_ahead_either(options: Any) -> None:
    async def work(it: Window) -> None:
        it.session.configure(options)
        uri = it.open("x = 1")
        await it.text(uri, 4)
        await asyncio.sleep(REST_S + 0.1)

    assert prefixes(work, [""]) == []


def test_a_document_that_is_out_of_step_is_not_read_ahead() -> None:
    async def work(it: Window) -> None:
        uri = it.open("x = 1\n" + "y\n" * 100_000)
        it.session.lost_notification(types.TEXT_DOCUMENT_DID_CHANGE, {"textDocument": {"uri": uri}})
        await it.text(uri, 4)
        await asyncio.sleep(REST_S + 0.1)

    assert prefixes(work, [""]) == []


def test_a_change_ends_the_pause() -> None:
    async def work(it: Window) -> None:
        uri = it.open("x = ")
        await it.text(uri, 4)
        it.change(uri, "y = ")
        await asyncio.sleep(IDLE_S + REST_S)

    assert prefixes(work, [""]) == ["x = ", "x = "]


async def test_the_status_says_how_the_model_does() -> None:
    async with window([errors.ProviderTimeout("too slow")]) as it:
        uri = it.open("x = ")
        for number in range(5):
            it.change(uri, f"x = {number} + ", number + 2)
            await it.text(uri, 8)
        states = [(status.state, status.reason.split(":")[0]) for status in it.statuses]
        assert states[-3:] == [("slow", "the model is slow")] * 2 + [
            ("slow", "the model is too slow or fails too often")
        ]
