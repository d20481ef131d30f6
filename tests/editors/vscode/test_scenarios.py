"""What a user does in VS Code, each in a file of its own, in one window that stays open."""

import signal
import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import BrowserContext

from support.processes import Home, signal_to
from tests.editors.vscode import project
from tests.editors.vscode.server import CodeServer
from tests.editors.vscode.window import GHOST_TEXT, STATUS_TEXT, Window, open_window

CALL = "(prices) + shipping"
"""How `total = sum` goes on, says the model."""


def suggested(window: Window, file: str, typed: str = "total = sum", ghost: str = CALL) -> None:
    """Open the file and type until the suggestion is there."""
    window.open(file)
    window.type(typed)
    window.until_ghost(ghost)


def test_a_suggestion_appears_and_tab_accepts_it(window: Window) -> None:
    suggested(window, "accept.py")
    window.press("Tab")
    window.until_saved("accept.py", "total = sum" + CALL)


def test_what_is_typed_along_stays(window: Window) -> None:
    suggested(window, "along.py")
    window.record("ghosts", GHOST_TEXT)
    window.type("(pri")
    window.until_ghost(CALL[4:])
    assert set(window.recorded("ghosts")) <= {CALL[typed:] for typed in range(5)}


def test_escape_dismisses(window: Window) -> None:
    suggested(window, "escape.py")
    window.press("Escape")
    window.until_ghost("")
    window.until_saved("escape.py", "total = sum")


def test_backspace_does_not_flicker(window: Window) -> None:
    suggested(window, "backspace.py")
    window.type("(pr")
    window.until_ghost(CALL[3:])
    window.record("ghosts", GHOST_TEXT)
    window.press("Backspace", "Backspace")
    window.until_ghost(CALL[1:])
    assert "" not in window.recorded("ghosts")


def test_what_was_undone_and_is_typed_again_shows_at_once(window: Window) -> None:
    suggested(window, "undo.py")
    window.press("Tab")
    window.until_saved("undo.py", "total = sum" + CALL)
    window.press("Control+z")
    window.until_saved("undo.py", "total = sum")
    window.press("Backspace")
    window.until_ghost_is_gone()  # Else what is seen next could be the one of before.
    window.type("m")
    window.until_ghost(CALL)
    window.until_explained("It came from the cache")


@pytest.mark.parametrize(
    ("file", "key", "taken"),
    [("word.py", "Control+ArrowRight", "("), ("line.py", "Control+Alt+ArrowRight", CALL)],
)
def test_a_part_is_accepted(window: Window, file: str, key: str, taken: str) -> None:
    suggested(window, file)
    window.press(key)
    window.until_ghost(CALL.removeprefix(taken))
    window.until_saved(file, "total = sum" + taken)
    # What was left of it is not on the screen any more, so that it can be told what became of it.
    window.type("#")


def test_two_windows_share_one_daemon(window: Window, browser: BrowserContext, server: CodeServer, home: Home) -> None:
    other = open_window(browser, server, project.make(server.folder / "other"))
    other.until_status("ready")
    suggested(other, "accept.py")
    assert len(home.daemons()) == 1
    other.page.close()


def test_a_killed_daemon_is_shown_and_comes_back(window: Window, home: Home) -> None:
    window.open("killed.py")
    window.record("states", STATUS_TEXT)
    (killed,) = home.daemons()
    signal_to(killed, signal.SIGKILL)
    window.until(lambda: killed not in home.daemons(), lambda: "the daemon has ended")
    window.type("total = sum")
    window.until_ghost(CALL)
    window.until_status("ready", "cached")
    assert any("disconnected" in state for state in window.recorded("states"))


def test_a_language_is_switched_off_and_on(window: Window, home: Home) -> None:
    window.open("notes.md")
    window.choose("Disable for this language")
    window.until_status("off")
    window.type("It was a dark")
    until_refused(window, home, "language_off")
    window.until_explained("switch this language off")
    assert window.ghost() == ""
    window.choose("Enable for this language")
    window.until_status("ready")
    window.press("Backspace", "k")
    window.until_ghost(" and stormy night.")


def test_a_folder_is_switched_off_and_on(window: Window) -> None:
    window.open("folder.py")
    window.choose("Disable for this folder")
    window.until_status("off")
    window.choose("Enable for this folder")
    window.until_status("ready")
    window.type("total = sum")
    window.until_ghost(CALL)


def test_a_suggestion_of_several_lines(window: Window) -> None:
    first, *rest = project.AROUND
    suggested(window, "shape.py", "\n    def around(self):\n", "\n".join([first.strip(), *rest]))
    window.picture("suggestion")
    window.press("Tab")
    added = "\n".join(["", "    def around(self):", *project.AROUND])
    window.until_saved("shape.py", project.FILES["shape.py"] + added)


def test_letters_of_several_units_before_the_caret(window: Window) -> None:
    window.open("letters.py")
    window.insert("print('🎉é', grüß")
    window.type("e")
    window.until_ghost(".upper() + '日🎉')")
    window.press("Tab")
    window.until_saved("letters.py", project.FILES["letters.py"] + "print('🎉é', grüße.upper() + '日🎉')")


def test_lines_that_end_in_two_characters(window: Window) -> None:
    suggested(window, "crlf.py", "second = first", " + 1")
    window.press("Tab")
    window.until_saved("crlf.py", "first = 1\r\nsecond = first + 1")


def test_a_suggestion_grows_once(window: Window) -> None:
    window.open("grows.py")
    window.record("ghosts", GHOST_TEXT)
    window.type("def slowly():\n")
    window.until_ghost("\n".join(project.SLOWLY).lstrip())
    # A frame may have the lines below before the first line.
    shown = [ghost for ghost in window.recorded("ghosts") if ghost.startswith("first")]
    assert shown == ["first = 1", "\n".join(project.SLOWLY).lstrip()]


def test_the_last_suggestion_is_explained(window: Window) -> None:
    suggested(window, "why.py")
    window.until_explained(f"A suggestion of {len(CALL)} characters was given in why.py.")


def test_manual_suggestions_come_when_asked_for(window: Window, home: Home) -> None:
    window.open("manual.py")
    window.choose("Suggest only when asked")
    window.until_status("manual")
    window.type("total = sum")
    until_refused(window, home, "manual")
    window.until_explained("only when asked for")
    assert window.ghost() == ""
    window.command("Midfill: Trigger Suggestion")
    window.until_ghost(CALL)
    window.choose("Suggest while typing")
    window.until_status("ready", "cached")


def test_the_menu_offers_what_can_be_done(window: Window) -> None:
    window.open("shape.py")
    rows = window.menu()
    window.picture("menu")
    window.press("Escape")
    assert len(rows) == 8
    assert all(any(word in row for row in rows) for word in ("python", "project", "Explain", "Restart", "log"))


def test_a_server_that_cannot_be_started_is_no_secret(window: Window, server: CodeServer) -> None:
    server.set_for_machine({"midfill.serverPath": "/nowhere/midfill-lsp"})
    window.until_status("error")
    window.page.wait_for_selector('.notification-toast:has-text("/nowhere/midfill-lsp"):has-text("Show Log")')
    window.picture("not-found")
    server.set_for_machine({})
    window.until_status("ready")


@pytest.mark.parametrize("kind", ["accepted", "partly", "dismissed"])
def test_what_the_user_did_is_stored(window: Window, home: Home, kind: str) -> None:
    window.until(lambda: stored(home, kind), lambda: f"the daemon has stored what was {kind}")


def until_refused(window: Window, home: Home, reason: str) -> None:
    """VS Code asks a moment after a key, and not at all when the palette was opened meanwhile."""
    window.until(lambda: stored(home, "trace", reason), lambda: f"a request is refused for the reason {reason!r}")


def stored(home: Home, kind: str, reason: str = "%") -> int:
    """How many events of this kind the daemon has in its database."""
    counting = "SELECT COUNT(*) FROM feedback WHERE kind = ? AND coalesce(json_extract(data, '$.reason'), '') LIKE ?"
    with closing(sqlite3.connect(home.paths.database)) as database:
        return int(database.execute(counting, (kind, reason)).fetchone()[0])
