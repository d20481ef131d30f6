"""What of the open documents may be sent, by their place on the disk; told in explanations and in the status."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from midfill_lsp.permits import Permits
from midfill_lsp.session import Session
from midfill_lsp.settings import Settings
from midfill_lsp.status import Status
from midfill_workspace import exclusion
from support.daemons import soon
from support.scripted_client import MODEL, ScriptedClient

NEEDS_UNIX = pytest.mark.skipif(os.name == "nt", reason="links of Unix")


def plant(root: Path, tree: Mapping[str, str]) -> None:
    """Files by path; a text that begins with `->` is a link."""
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("->"):
            path.symlink_to(text.removeprefix("->"))
        else:
            path.write_text(text)


@dataclass(slots=True)
class Window:
    session: Session
    client: ScriptedClient
    statuses: list[Status] = field(default_factory=list)

    def open(self, path: Path | str, text: str = "x = ") -> str:
        uri = path if isinstance(path, str) else path.as_uri()
        self.session.opened(types.TextDocumentItem(uri=uri, language_id="python", version=1, text=text))
        return uri

    async def ask(self, uri: str) -> str:
        """Why nothing came, or "" when a suggestion did."""
        params = types.InlineCompletionParams(
            text_document=types.TextDocumentIdentifier(uri=uri),
            position=types.Position(0, 4),
            context=types.InlineCompletionContext(trigger_kind=types.InlineCompletionTriggerKind.Invoked),
        )
        answer = await self.session.inline_completion(params)
        assert answer is not None
        last = self.session.feedback.last
        assert last is not None
        assert bool(answer.items) == (last.outcome == "shown")
        return last.reason


@asynccontextmanager
async def window(*folders: Path, answer: str = "value", **options: Any) -> AsyncIterator[Window]:
    client, statuses = ScriptedClient([answer]), list[Status]()
    session = Session(client, statuses.append, lambda _: None)
    params = types.InitializeParams(
        types.ClientCapabilities(),
        workspace_folders=[types.WorkspaceFolder(uri=folder.as_uri(), name="w") for folder in folders],
        initialization_options={"debounceMs": 0, "candidates": 1, **options},
    )
    session.initialize(params, "utf-16")
    await soon(lambda: session.desk.link.model == MODEL)
    try:
        yield Window(session, client, statuses)
    finally:
        await session.close()


TREE: Mapping[str, str] = {
    "w/.git/HEAD": "",
    "w/.gitignore": "local.py\n",
    "w/.midfillignore": "own.py\n",
    "w/a.py": "",
    "w/.env": "",
    "w/out.py": "->../o/out.py",
    "w/other.py": "->../v/a.py",
    "w/hidden.py": "->.env",
    "v/a.py": "",
    "o/out.py": "",
    "o/.gitignore": "gone.py\n",
    "o/.ssh/config.py": "",
    "o/harmless.py": "->.ssh/config.py",
}


@NEEDS_UNIX
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("w/a.py", ""),
        ("w/new.py", ""),
        ("w/local.py", "ignored"),
        ("w/own.py", "midfill_ignored"),
        ("w/out.py", "symlink_outside"),
        ("w/other.py", ""),
        ("w/hidden.py", "secret_file"),
        ("o/out.py", ""),
        ("o/gone.py", "ignored"),
        ("o/harmless.py", "secret_file"),
    ],
)
async def test_a_document_may_be_sent_or_has_a_reason(tmp_path: Path, path: str, reason: str) -> None:
    plant(tmp_path, TREE)
    async with window(tmp_path / "w", tmp_path / "v") as it:
        uri = it.open(tmp_path / path)
        assert await it.ask(uri) == reason
        assert len(it.client.asked) == (0 if reason else 1)
        if reason:
            assert exclusion.REASONS[reason] in it.session.explain()
            assert it.statuses[-1] == Status("off", exclusion.REASONS[reason], "m")


@pytest.mark.parametrize("scheme", ["git", "vscode-notebook-cell", "vscode-vfs"])
async def test_a_twin_of_an_ignored_file_is_one_too(tmp_path: Path, scheme: str) -> None:
    plant(tmp_path, TREE)
    async with window(tmp_path / "w") as it:
        uri = it.open(f"{scheme}:{tmp_path.as_posix()}/w/local.py?ref=HEAD")
        assert await it.ask(uri) == "ignored"


@pytest.mark.parametrize(
    ("uri", "reason", "told"),
    [
        ("untitled:Untitled-1", "", ""),
        ("file://", "", ""),
        ("untitled:{root}/w/new.py", "", "new.py"),
        ("untitled:{root}/w/local.py", "ignored", None),
        ("vscode-notebook-cell:{root}/w/n.ipynb#W0sZ", "", ""),
        ("vscode-notebook-cell:{root}/w/local.py#W0sZ", "ignored", None),
        ("vscode-vfs://github/owner/repository/a.py", "", "a.py"),
        ("vscode-remote://ssh-remote%2Bhost/home/me/a.py", "", "a.py"),
        ("vscode-remote://ssh-remote%2Bhost/home/me/.ssh/config", "secret_file", None),
        ("vscode-vfs://github/owner/repository/.env", "secret_file", None),
        ("git:{root}/w/a.py?ref=HEAD", "not_written", None),
        ("output:extension-output-1", "not_written", None),
    ],
)
async def test_what_is_no_file_is_completed_by_its_text(
    tmp_path: Path, uri: str, reason: str, told: str | None
) -> None:
    plant(tmp_path, TREE)
    async with window(tmp_path / "w") as it:
        assert await it.ask(it.open(uri.format(root=tmp_path.as_posix()))) == reason
        assert [request["path"] for request in it.client.asked] == ([] if told is None else [told])


@NEEDS_UNIX
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("w/a.py", ""),
        ("v/a.py", "disabled_folder"),
        ("v/deep/b.py", "disabled_folder"),
        ("w/other.py", "disabled_folder"),
        ("w2/a.py", ""),
        ("w/in/a.py", "disabled_folder"),
        ("git:{root}/v/a.py", "disabled_folder"),
    ],
)
async def test_a_folder_is_switched_off_with_all_that_is_below(tmp_path: Path, path: str, reason: str) -> None:
    plant(tmp_path, TREE)
    off = [f"{tmp_path}/v/", (tmp_path / "w" / "in").as_uri()]
    async with window(tmp_path / "w", tmp_path / "v", disabledFolders=off) as it:
        uri = it.open(path.format(root=tmp_path) if ":" in path else tmp_path / path)
        assert await it.ask(uri) == reason
        if reason:
            assert exclusion.REASONS[reason] in it.session.explain()
            assert it.statuses[-1] == Status("off", exclusion.REASONS[reason], "m")
            it.session.configure({"midfill": {"disabledFolders": []}})
            assert await it.ask(uri) != reason


async def test_nothing_of_a_folder_that_is_switched_off_is_told_elsewhere(tmp_path: Path) -> None:
    permits = Permits()
    permits.set_folders([tmp_path.as_uri()])
    plant(tmp_path, {"a.py": "", "in/b.py": ""})
    told = [permits.may_tell((tmp_path / "a.py").as_uri(), path) for path in ("a.py", "in/b.py")]
    permits.configure(Settings(disabled_folders=(f"{tmp_path}/in",)))
    told += [permits.may_tell((tmp_path / "a.py").as_uri(), path) for path in ("a.py", "in/b.py")]
    assert told == [True, True, True, False]


async def test_the_status_follows_the_document_that_is_worked_in(tmp_path: Path) -> None:
    plant(tmp_path, TREE)
    async with window(tmp_path / "w") as it:
        local, other = it.open(tmp_path / "w" / "local.py"), it.open(tmp_path / "w" / "a.py")
        for uri in (other, local, other):
            await it.ask(uri)
        assert [status.state for status in it.statuses] == ["ready", "off", "ready"]


async def test_what_git_ignores_is_sent_by_choice(tmp_path: Path) -> None:
    plant(tmp_path, TREE)
    async with window(tmp_path / "w", sendIgnoredFiles=True) as it:
        assert await it.ask(it.open(tmp_path / "w" / "local.py")) == ""
        assert await it.ask(it.open(tmp_path / "w" / "own.py")) == "midfill_ignored"
        assert await it.ask(it.open(tmp_path / "w" / ".env")) == "secret_file"


def saved(it: Window, path: Path) -> None:
    it.session.saved(path.as_uri())


def watched(it: Window, path: Path) -> None:
    it.session.files_changed([path.as_uri()])


@pytest.mark.parametrize("tell", [saved, watched])
async def test_a_changed_ignore_file_counts_at_once(tmp_path: Path, tell: Any) -> None:
    plant(tmp_path, TREE)
    async with window(tmp_path / "w") as it:
        uri = it.open(tmp_path / "w" / "a.py")
        assert await it.ask(uri) == ""
        (tmp_path / "w" / ".gitignore").write_text("a.py\n")
        assert await it.ask(uri) == ""
        tell(it, tmp_path / "w" / ".gitignore")
        assert await it.ask(uri) == "ignored"


async def test_a_repository_can_switch_itself_off(tmp_path: Path) -> None:
    plant(tmp_path, {"w/.midfillignore": "*\n", "v/a.py": ""})
    async with window(tmp_path / "w", tmp_path / "v") as it:
        assert await it.ask(it.open(tmp_path / "w" / "a" / "b.py")) == "midfill_ignored"
        assert await it.ask(it.open(tmp_path / "v" / "a.py")) == ""


# --- what leaves of a document that may be sent -----------------------------------------------------------


async def test_secrets_are_taken_out_of_what_is_sent_and_nothing_else_notices(tmp_path: Path) -> None:
    async with window(tmp_path) as it:
        uri = it.open(tmp_path / "a.py", 'x = \npassword = "Tr0ub4dor&3x"\n')
        assert [await it.ask(uri), await it.ask(uri)] == ["", ""]
        assert [request["suffix"] for request in it.client.asked] == ['\npassword = "xxxxxxxxxxxx"\n']
        assert it.session.feedback.last is not None
        assert it.session.feedback.last.source == "cache"


async def test_a_suggestion_that_holds_a_secret_is_not_shown(tmp_path: Path) -> None:
    async with window(tmp_path, answer="connect('AKIA2E0A8F3B244C9986')") as it:
        assert await it.ask(it.open(tmp_path / "a.py")) == "secret"
        assert "looks like a password, key or token" in it.session.explain()
