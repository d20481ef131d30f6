"""What a model is sent for one caret: the text around it, and what is worth telling of other files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from midfill_daemon.contract import CompletionRequest, Snippet
from midfill_lsp.documents import told_path
from midfill_lsp.link import Link
from midfill_workspace import window
from midfill_workspace.pack import PATH_COST
from midfill_workspace.snapshot import Snapshot
from midfill_workspace.window import Window

STEPS = 4
"""What the context leaves free goes to the window in so many steps: else each key would move the window's start."""

Teller = Callable[[Snapshot, Window, int], Sequence[Snippet]]
"""Snapshot, the window that is shown anyway, and a limit in characters -> the snippets for it, best first."""


def nothing(snapshot: Snapshot, view: Window, limit_chars: int) -> Sequence[Snippet]:
    return ()


@dataclass(frozen=True, slots=True)
class Sending:
    """What leaves, and how many secrets were taken out of it."""

    request: CompletionRequest
    secrets: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything that leaves for one completion."""

    window: Window
    snippets: tuple[Snippet, ...] = ()

    @property
    def beginning(self) -> str:
        """What a model reads before the caret."""
        return "\0".join([*(each.text for each in self.snippets), self.window.prefix])

    def request(self, snapshot: Snapshot, editor: str, *, max_tokens: int, given: str = "") -> CompletionRequest:
        """`given` is text after the caret's prefix that the model is to continue."""
        return self.sending(snapshot, editor, max_tokens=max_tokens, given=given).request

    def sending(self, snapshot: Snapshot, editor: str, *, max_tokens: int, given: str = "") -> Sending:
        from midfill_workspace import secrets  # Its expressions take 10 ms to compile, which is no part of the start.

        # Only what leaves is without secrets: what is known, and what agrees with the text, is told by the real one.
        prefix, suffix, count = secrets.redact_around(self.window.prefix + given, self.window.suffix)
        redacted = [_without_secrets(each.text) for each in self.snippets]
        request = CompletionRequest(
            path=told_path(snapshot.uri, snapshot.path),
            language=snapshot.language,
            prefix=prefix,
            suffix=suffix,
            max_tokens=max_tokens,
            snippets=tuple(replace(each, text=text) for each, (text, _) in zip(self.snippets, redacted, strict=True)),
            editor=editor,
        )
        return Sending(request, count + sum(found for _, found in redacted))


@lru_cache(maxsize=2_000)
def _without_secrets(text: str) -> tuple[str, int]:
    """Of a snippet, and how many it had: the same ones are told again and again."""
    from midfill_workspace import secrets

    redacted = secrets.redact(text)
    return redacted.text, redacted.count


class Prompts:
    """Of one window. For a model that reads slowly the context of a document is changed only when the user rests."""

    def __init__(self, link: Link, tell: Teller = nothing) -> None:
        self._link, self._tell = link, tell
        self._settled: dict[str, tuple[Snippet, ...]] = {}

    def of(self, snapshot: Snapshot) -> Prompt:
        if self._link.reads_slowly:
            snippets = self._settled.get(snapshot.uri, ())
            return Prompt(window.cut(snapshot, self._window_chars(snippets)), snippets)
        view = self._least(snapshot)
        snippets = self._told(snapshot, view)
        room_chars = self._window_chars(snippets)
        return Prompt(view if room_chars == self._least_chars else window.cut(snapshot, room_chars), snippets)

    def settle(self, snapshot: Snapshot) -> None:
        """The user rests here: what is told from now on of other files, until the next rest."""
        self._settled[snapshot.uri] = self._told(snapshot, self._least(snapshot))

    def forget(self, uri: str) -> None:
        self._settled.pop(uri, None)

    def unsettle(self) -> None:
        """What may be told has changed."""
        self._settled.clear()

    def _told(self, snapshot: Snapshot, view: Window) -> tuple[Snippet, ...]:
        return tuple(self._tell(snapshot, view, self._link.context_chars))

    @property
    def _least_chars(self) -> int:
        return self._link.prompt_chars - self._link.context_chars

    def _least(self, snapshot: Snapshot) -> Window:
        """What is shown of the file itself however much there is to tell of others."""
        return window.cut(snapshot, self._least_chars)

    def _window_chars(self, snippets: Sequence[Snippet]) -> int:
        used = sum(len(each.path) + PATH_COST + len(each.text) for each in snippets)
        step = max(1, self._link.context_chars // STEPS)
        return self._link.prompt_chars - min(self._link.context_chars, -(-used // step) * step)
