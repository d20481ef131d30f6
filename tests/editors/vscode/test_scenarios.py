"""What a user does in VS Code, each in a file of its own, in one window that stays open."""

import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import BrowserContext

from support.processes import Home, signal_to
from tests.editors.vscode import project
from tests.editors.vscode.server import CodeServer
from tests.editors.vscode.waiting import until
from tests.editors.vscode.window import GHOST_TEXT, STATUS_TEXT, Window, open_window

CALL = "(prices) + shipping"


def stored(home: Home, kind: str) -> int:
    """How many events of this kind the daemon has in its database."""
    with closing(sqlite3.connect(home.paths.database)) as database:
        return int(database.execute("SELECT COUNT(*) FROM feedback WHERE kind = ?", (kind,)).fetchone()[0])


def test_a_suggestion_appears_and_tab_accepts_it(window: Window) -> None:
    window.open("accept.py")
    window.type("def fib")
    window.until_ghost("(n):")
    window.press("Tab")
    window.until_ghost_is_gone()
    assert window.saved("accept.py") == b"def fib(n):"


def test_what_is_typed_along_stays(window: Window) -> None:
    window.open("along.py")
    window.type("total = sum")
    window.until_ghost(CALL)
    window.record("ghosts", GHOST_TEXT)
    window.type("(pri")
    window.until_ghost(CALL[4:])
    assert set(window.recorded("ghosts")) <= {CALL[typed:] for typed in range(5)}


def test_escape_dismisses(window: Window) -> None:
    window.open("escape.py")
    window.type("total = sum")
    window.until_ghost(CALL)
    window.press("Escape")
    window.until_ghost_is_gone()
    assert window.saved("escape.py") == b"total = sum"


def test_backspace_does_not_flicker(window: Window) -> None:
    window.open("backspace.py")
    window.type("total = sum")
    window.until_ghost(CALL)
    window.type("(pr")
    window.until_ghost(CALL[3:])
    window.record("ghosts", GHOST_TEXT)
    window.press("Backspace", "Backspace")
    window.until_ghost(CALL[1:])
    assert "" not in window.recorded("ghosts")


def test_undo_and_retype_shows_at_once(window: Window) -> None:
    window.open("undo.py")
    window.type("total = sum")
    window.until_ghost(CALL)
    window.type("mary")
    window.until_ghost_is_gone()
    window.press(*["Backspace"] * 4)
    window.until_ghost(CALL)
    window.until_explained("It came from the cache")


@pytest.mark.parametrize(
    ("file", "typed", "ghost", "keys", "text", "rest"),
    [
        ("word.py", "total = sum", CALL, ("Control+ArrowRight",), "total = sum(", "prices) + shipping"),
        ("line.py", "total = sum", CALL, ("Control+Alt+ArrowRight",), "total = sum(prices) + shipping", ""),
    ],
)
def test_a_part_is_accepted(
    window: Window, file: str, typed: str, ghost: str, keys: tuple[str, ...], text: str, rest: str
) -> None:
    window.open(file)
    window.type(typed)
    window.until_ghost(ghost)
    window.press(*keys)
    window.until_ghost(rest)
    assert window.saved(file) == text.encode()


def test_two_windows_share_one_daemon(window: Window, browser: BrowserContext, server: CodeServer, home: Home) -> None:
    other_folder = project.make(server.folder / "other")
    other = open_window(browser, server, other_folder)
    other.until_status("ready")
    other.open("shared.py")
    other.type("def fib")
    other.until_ghost("(n):")
    assert len(home.daemons()) == 1
    other.page.close()


def test_a_killed_daemon_is_shown_and_comes_back(window: Window, home: Home) -> None:
    window.open("killed.py")
    window.record("states", STATUS_TEXT)
    (before,) = home.daemons()
    signal_to(before, 9)
    window.until(lambda: before.pid not in {each.pid for each in home.daemons()}, lambda: "the daemon has ended")
    window.type("total = sum")
    window.until_ghost(CALL)
    window.until_status("ready", "cached")
    assert any("disconnected" in state for state in window.recorded("states"))


def test_a_language_is_switched_off_and_on(window: Window) -> None:
    window.open("notes.md")
    window.choose("Disable for this language")
    window.until_status("off")
    window.type("It was a dark")
    window.command("Midfill: Trigger Suggestion")
    window.until_explained("switch this language off")
    assert window.ghost() == ""
    window.choose("Enable for this language")
    window.until_status("ready")
    window.press("Backspace", "k")
    window.until_ghost(" and stormy night.")


def test_a_suggestion_of_several_lines(window: Window) -> None:
    window.open("shape.py")
    window.type("\n    def around(self):\n")
    first, *rest = project.AROUND
    window.until_ghost("\n".join([first.strip(), *rest]))
    window.press("Tab")
    window.until_ghost_is_gone()
    added = "\n".join(["", "    def around(self):", *project.AROUND])
    assert window.saved("shape.py").decode() == project.FILES["shape.py"] + added


def test_letters_of_several_units_before_the_caret(window: Window) -> None:
    window.open("letters.py")
    window.insert("print(grüße")
    window.until_ghost(".upper(), '🎉é')")
    window.press("Tab")
    window.until_ghost_is_gone()
    assert window.saved("letters.py").decode() == project.FILES["letters.py"] + "print(grüße.upper(), '🎉é')"


def test_lines_that_end_in_two_characters(window: Window) -> None:
    window.open("crlf.py")
    window.type("second = first")
    window.until_ghost(" + 1")
    window.press("Tab")
    window.until_ghost_is_gone()
    assert window.saved("crlf.py") == b"first = 1\r\nsecond = first + 1"


def test_the_last_suggestion_is_explained(window: Window) -> None:
    window.open("why.py")
    window.type("def fib")
    window.until_ghost("(n):")
    explanation = window.explanation()
    assert "A suggestion of 4 characters was given in why.py." in explanation


def test_manual_suggestions_come_when_asked_for(window: Window) -> None:
    window.open("manual.py")
    window.choose("Suggest only when asked")
    window.until_status("manual")
    window.type("total = sum")
    window.until_explained("only when asked for")
    window.press("Escape")
    window.command("Midfill: Trigger Suggestion")
    window.until_ghost(CALL)
    window.choose("Suggest while typing")
    window.until_status("ready", "cached")


def test_what_the_user_did_is_kept(window: Window, home: Home) -> None:
    until(lambda: stored(home, "accepted") >= 4, "the daemon has stored what was accepted")
