"""One window of VS Code in a browser page: what a user does and sees."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.editors.vscode.server import CodeServer
from tests.editors.vscode.waiting import WAIT_S, until

OUT = Path(__file__).parents[1] / "out"
SIZE = {"width": 1100, "height": 640}
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")

EDITOR = ".editor-group-container.active .editor-instance .monaco-editor"
GHOST = f"{EDITOR} .ghost-text-decoration, {EDITOR} .ghost-text, {EDITOR} .ghost-text-decoration-preview"
STATUS = '[id="midfill.midfill.midfill.status"]'
MESSAGE = ".notification-toast .notification-list-item-message"
KEY_MS = 40

GHOST_TEXT = f"""() => {{
    const editor = document.querySelector('{EDITOR}');
    if (!editor) return '';
    const inline = [...editor.querySelectorAll('.view-lines .ghost-text, .view-lines .ghost-text-decoration')]
        .filter(node => !node.parentElement.closest('.ghost-text, .ghost-text-decoration'))
        .map(node => node.textContent).join('');
    const below = [...editor.querySelectorAll('.suggest-preview-text .view-line, .view-zones .view-line')]
        .map(node => node.textContent);
    return [inline, ...below].join('\\n').replaceAll('\\u00a0', ' ').replaceAll('\\u200b', '').trimEnd();
}}"""

RECORD = """([name, source]) => {
    const read = eval(source);
    const seen = window[name] = [];
    const look = () => {
        const now = read();
        if (seen.at(-1) !== now) seen.push(now);
        if (window[name] === seen) requestAnimationFrame(look);
    };
    look();
}"""

RECORDED = """async name => {
    for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
    const seen = window[name];
    window[name] = null;
    return seen;
}"""

STATUS_TEXT = f"""() => document.querySelector('{STATUS} a')?.getAttribute('aria-label') ?? ''"""


@contextmanager
def browsing(executable: str, profile: Path) -> Iterator[BrowserContext]:
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=executable, headless=True, viewport=SIZE, args=FLAGS
        )
        context.set_default_timeout(WAIT_S * 1000)
        try:
            yield context
        finally:
            context.close()


@dataclass(frozen=True, slots=True)
class Window:
    """A page that shows a folder of the server."""

    page: Page
    server: CodeServer
    folder: Path

    # --- files

    def open(self, name: str) -> None:
        """Open a file of the folder that is there since the window was opened, with the caret at its end."""
        self.page.dblclick(f'.explorer-folders-view [aria-label^="{name}"]')
        self.page.wait_for_selector(f'.tab.active[data-resource-name="{name}"]')
        self.page.click(f"{EDITOR} .view-lines")
        self.press("Control+End")

    def until_saved(self, name: str, text: str) -> None:
        """Save until the file is `text`, byte for byte: keys that were pressed may still be at work."""

        def is_saved() -> bool:
            self.press("Control+s")
            return self._bytes(name) == text.encode()

        self.until(is_saved, lambda: f"{name} is {text!r}; it is {self._bytes(name)!r}")

    def _bytes(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    # --- keys

    def type(self, text: str) -> None:
        self.page.keyboard.type(text, delay=KEY_MS)

    def insert(self, text: str) -> None:
        """Text that no keyboard has, as from an input method: at once."""
        self.page.keyboard.insert_text(text)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key, delay=KEY_MS)

    def command(self, title: str) -> None:
        """Run a command by the palette."""
        self.press("F1")
        self.page.wait_for_selector(".quick-input-widget:visible")
        self.page.keyboard.insert_text(title)
        self.page.wait_for_selector(f'.quick-input-list .monaco-list-row.focused[aria-label^="{title}"]')
        self.press("Enter")
        self.page.wait_for_selector(".quick-input-widget", state="hidden")

    def menu(self) -> Sequence[str]:
        """Open the menu behind the status bar item; its rows."""
        self.page.click(STATUS)
        self.page.wait_for_selector(".quick-input-list .monaco-list-row:visible")
        return [row.inner_text() for row in self.page.query_selector_all(".quick-input-list .monaco-list-row")]

    def choose(self, label: str) -> None:
        """Choose a row of the menu."""
        self.menu()
        self.page.click(f'.quick-input-list .monaco-list-row[aria-label*="{label}"]')
        self.page.wait_for_selector(".quick-input-widget", state="hidden")
        self.page.click(f"{EDITOR} .view-lines")
        self.press("Control+End")

    # --- what is shown

    def ghost(self) -> str:
        return str(self.page.evaluate(GHOST_TEXT))

    def until_ghost(self, text: str) -> None:
        self.until(lambda: self.ghost() == text, lambda: f"the ghost text is {text!r}; it is {self.ghost()!r}")

    def until_ghost_is_gone(self) -> None:
        self.until_ghost("")

    def status(self) -> str:
        return str(self.page.evaluate(STATUS_TEXT))

    def until_status(self, *words: str) -> None:
        self.until(
            lambda: any(word in self.status() for word in words),
            lambda: f"the status is one of {words}; it is {self.status()!r}",
        )

    def explanation(self) -> str:
        """What the command says about the last suggestion; its message is closed again."""
        self.tidy()
        self.command("Midfill: Explain Last Suggestion")
        found = self.page.wait_for_selector(f"{MESSAGE}:visible")
        assert found
        text = found.inner_text()
        self.picture("explained")
        self.tidy()
        return text

    def until_explained(self, words: str) -> None:
        """Ask until the explanation has these words: the request that it is about may be under way."""
        said: list[str] = []

        def says() -> bool:
            said.append(self.explanation())
            return words in said[-1]

        self.until(says, lambda: f"the explanation says {words!r}; it says {said[-1]!r}")

    def tidy(self) -> None:
        """Close what covers the editor."""
        self.command("Notifications: Clear All Notifications")
        self.page.wait_for_selector(MESSAGE, state="hidden")

    def until(self, happened: Callable[[], object], what: Callable[[], str]) -> None:
        try:
            until(happened, "", lambda seconds: self.page.wait_for_timeout(seconds * 1000))
        except AssertionError:
            raise AssertionError(f"waited in vain until {what()}") from None

    def picture(self, name: str) -> None:
        """Keep what is on the screen as an artefact."""
        OUT.mkdir(exist_ok=True)
        self.page.screenshot(path=OUT / f"vscode-{name}.png")

    # --- what was shown, frame by frame

    def record(self, name: str, source: str) -> None:
        """Begin to note each value that `source` has in a frame, without repetitions."""
        self.page.evaluate(RECORD, [name, source])

    def recorded(self, name: str) -> Sequence[str]:
        """The values up to the frame after the next, in which what is there now has been noted; ends the recording."""
        seen: list[str] = self.page.evaluate(RECORDED, name)
        return seen


def open_window(context: BrowserContext, server: CodeServer, folder: Path, *, page: Page | None = None) -> Window:
    """A window on `folder`, once its extension has a server that is ready."""
    page = page or context.new_page()
    window = Window(page, server, folder)
    page.goto(f"{server.address}/?folder={folder}", wait_until="domcontentloaded")
    page.wait_for_selector(".explorer-folders-view")
    return window
