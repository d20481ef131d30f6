"""What is kept ready around open documents: when it is made, and that it never holds what may not be read."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from lsprotocol import types

from bench.virtual_time import run_virtually
from midfill_lsp import briefs as module
from midfill_lsp.briefs import Briefs, Fetcher
from midfill_lsp.documents import Document, Documents
from midfill_workspace import window
from midfill_workspace.outline.table import outline as outlined
from midfill_workspace.pack import Snippet
from midfill_workspace.project import Project
from midfill_workspace.symbol import Outline
from support.projects import Files

PROJECT = Files(
    {
        "shop/cart.py": "def open_cart(owner: str) -> None: ...\n",
        "shop/main.py": "",
        "shop/mail.py": "",
    }
)
MAIN, MAIL = "file:///w/shop/main.py", "file:///w/shop/mail.py"
TEXT = "from .cart import open_cart\n\nx = \n"


def virtually(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Pauses cost nothing."""

    @wraps(test)
    def run() -> None:
        run_virtually(test())

    return run


@dataclass(slots=True)
class Desk:
    """An editor window with two documents."""

    kept_back: set[str] = field(default_factory=set)
    outlined: list[str] = field(default_factory=list)
    documents: Documents = field(default_factory=Documents)
    fetch: Fetcher | None = None
    briefs: Briefs = field(init=False)

    def __post_init__(self) -> None:
        self.documents.set_folders(["file:///w"])
        self.briefs = Briefs(self._locate, self._outline, self._may_read, self.fetch)

    def _may_read(self, document: Document) -> bool:
        return document.uri not in self.kept_back

    def _locate(self, uri: str) -> tuple[Project, str]:
        return PROJECT, uri.removeprefix("file:///w/")

    async def _outline(self, path: str, language: str, text: str) -> Outline:
        self.outlined.append(path)
        return outlined(path, language, text)

    def open(self, uri: str, text: str) -> Document:
        self.documents.open(types.TextDocumentItem(uri, "python", 1, text))
        document = self.documents.get(uri)
        assert document is not None
        self.briefs.opened(document)
        return document

    def type(self, document: Document, line: int, text: str) -> None:
        self.briefs.about_to_change(document)
        start = types.Position(line, len(document.lines[line].rstrip("\n")))
        change = types.TextDocumentContentChangePartial(range=types.Range(start, start), text=text)
        self.documents.change(document.uri, document.version + 1, [change])
        self.briefs.changed(document)

    def found(self, *words: str) -> set[str]:
        """Those of these words that pieces for another document hold."""
        likes = self.briefs.shelf.library.like(frozenset(words), "")
        return {word for like in likes for word in words if word in like.piece.words}

    def ask(self, document: Document, line: int) -> list[Snippet]:
        column = len(document.lines[line].rstrip("\n"))
        snapshot = self.documents.snapshot(document.uri, types.Position(line, column))
        assert snapshot is not None
        return self.briefs.snippets(snapshot, window.cut(snapshot, 2000), 2000)


@virtually
async def test_what_a_document_imports_is_told_once_it_is_known() -> None:
    desk = Desk()
    document = desk.open(MAIN, TEXT)
    assert desk.ask(document, 2) == []
    await asyncio.sleep(module.REST_S + 1)
    assert [each.text for each in desk.ask(document, 2)] == ["def open_cart(owner: str) -> None: ..."]
    await desk.briefs.close()


@virtually
async def test_a_pause_makes_it_anew_and_a_run_of_keys_only_once() -> None:
    desk = Desk()
    document = desk.open(MAIN, "x = 1\n")
    await asyncio.sleep(module.REST_S + 1)
    for line in TEXT.splitlines(keepends=True):
        desk.type(document, len(document.lines) - 1, line)
    await asyncio.sleep(module.REST_S + 1)
    assert desk.outlined == ["shop/main.py"] * 2
    await desk.briefs.close()


@virtually
async def test_an_edit_is_told_to_other_documents_after_a_rest() -> None:
    desk = Desk()
    mail, main = desk.open(MAIL, "one = 1\ntwo = 2\n"), desk.open(MAIN, TEXT)
    desk.type(mail, 0, "23")
    desk.type(mail, 0, "45")
    await asyncio.sleep(module.REST_S + 1)
    [edit] = desk.briefs.shelf.edits.besides("shop/main.py")
    assert edit.text == "-one = 1\n+one = 12345"
    assert "edit" in [each.source for each in desk.ask(main, 2)]
    assert "edit" not in [each.source for each in desk.ask(mail, 0)]
    await desk.briefs.close()


@virtually
async def test_what_may_not_be_read_is_nowhere() -> None:
    desk = Desk(kept_back={MAIL})
    mail = desk.open(MAIL, "rare_secret_word = other_secret_word\n")
    main = desk.open(MAIN, "rare_secret_word\nother_secret_word = ")
    desk.type(mail, 0, "3")
    await asyncio.sleep(module.REST_S + 1)
    assert desk.outlined == ["shop/main.py"]
    assert [each.path for each in desk.ask(main, 1)] == []
    assert desk.briefs.shelf.library.like(frozenset({"rare_secret_word"}), "shop/main.py") == []
    await desk.briefs.close()


@virtually
async def test_pieces_of_a_document_outlive_it_but_not_many_others() -> None:
    desk = Desk()
    mail = desk.open(MAIL, "rare_word = 1\nother_word = 2\n")
    await desk.briefs.ready()
    desk.briefs.closed(mail)
    assert desk.briefs.shelf.library.like(frozenset({"rare_word"}), "") != []
    for number in range(module.KEPT_PIECES):
        desk.open(f"file:///w/f{number}.py", f"word_{number} = 1\n")
    await desk.briefs.ready()
    assert desk.briefs.shelf.library.like(frozenset({"rare_word"}), "") == []
    await desk.briefs.close()


@virtually
async def test_what_was_not_saved_is_gone_when_its_document_is_closed() -> None:
    desk = Desk()
    mail = desk.open(MAIL, "first_word = 1\n")
    await desk.briefs.ready()
    desk.type(mail, 0, "2\nsaved_word = 2")
    desk.briefs.saved(mail)
    desk.type(mail, 0, "3\nlost_word = 3")
    await asyncio.sleep(module.REST_S + 1)
    assert desk.found("first_word", "saved_word", "lost_word") == {"first_word", "saved_word", "lost_word"}
    desk.briefs.closed(mail)
    assert desk.found("first_word", "saved_word", "lost_word") == {"first_word", "saved_word"}
    assert desk.briefs.shelf.edits.besides("") == []
    await desk.briefs.close()


@virtually
async def test_what_was_saved_stays_with_its_edits() -> None:
    desk = Desk()
    mail = desk.open(MAIL, "first_word = 1\n")
    await desk.briefs.ready()
    desk.type(mail, 0, "2\nsaved_word = 2")
    await asyncio.sleep(module.REST_S + 1)
    desk.briefs.saved(mail)
    desk.briefs.closed(mail)
    assert desk.found("saved_word") == {"saved_word"}
    assert len(desk.briefs.shelf.edits.besides("")) == 1
    await desk.briefs.close()


@virtually
async def test_what_imports_lead_on_to_is_fetched_and_looked_at_again_but_not_for_ever() -> None:
    fetched = list[str]()

    async def fetch(uri: str) -> bool:
        fetched.append(uri)
        return True

    desk = Desk(fetch=fetch)
    desk.open(MAIN, TEXT)
    await desk.briefs.ready()
    assert fetched == [MAIN] * module.FETCHES
    assert desk.outlined == ["shop/main.py"]
    await desk.briefs.close()


@virtually
async def test_when_other_files_change_the_last_document_is_looked_at_and_others_when_they_are_asked_about() -> None:
    desk = Desk()
    main, mail = desk.open(MAIN, TEXT), desk.open(MAIL, TEXT)
    await desk.briefs.ready()
    assert desk.ask(main, 2) == []
    await desk.briefs.ready()
    assert desk.outlined == ["shop/mail.py", "shop/main.py"]
    desk.outlined.clear()
    desk.briefs.others_changed()
    await desk.briefs.ready()
    assert desk.outlined == ["shop/mail.py"]
    for _ in range(2):
        assert desk.ask(main, 2) != []
        await desk.briefs.ready()
    assert desk.ask(mail, 2) != []
    assert desk.outlined == ["shop/mail.py", "shop/main.py"]
    await desk.briefs.close()


@virtually
async def test_nothing_runs_after_the_end() -> None:
    desk = Desk()
    document = desk.open(MAIN, TEXT)
    desk.type(document, 2, "y")
    await asyncio.sleep(0)
    desk.briefs.closed(document)
    desk.briefs.changed(document)
    await desk.briefs.close()
    assert desk.ask(document, 2) == []
    assert len(asyncio.all_tasks()) == 1
