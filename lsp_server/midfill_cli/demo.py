"""`midfill demo`: the real daemon, model and language server at work on real files of this repository."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from midfill_cli.editor import Buffer, Suggestion, language_server
from midfill_cli.stdio_client import StdioClient
from midfill_cli.verb import Context, Verb
from midfill_daemon.errors import BadInput
from midfill_daemon.paths import locate
from midfill_daemon.records import requests

GREY, BOLD, RESET, CLEAR = "\x1b[90m", "\x1b[1m", "\x1b[0m", "\x1b[H\x1b[J"
LINES_ABOVE, LINES_BELOW = 6, 3
KEY_GAP_S = 0.06
"""About 160 words a minute: faster than most people type."""
READY_LIMIT_S = 60.0
ANSWER_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Passage:
    """A line of a real file that is deleted and typed again, as far as `typed`; what follows is for the model."""

    path: str
    line: str
    typed: str
    accept: bool = True


PASSAGES: tuple[Passage, ...] = (
    Passage(
        "lsp_server/midfill_lsp/newest.py",
        line="        if previous is not None and not previous.done():",
        typed="        if previous is not",
    ),
    Passage(
        "daemon/midfill_daemon/errors.py",
        line="class ProviderTimeout(ProviderError):",
        typed="class ProviderTimeout(",
    ),
    Passage("lsp_server/midfill_lsp/cache.py", line="        return len(self._entries)", typed="        return len("),
    Passage(
        "vscode-client/src/settings.ts",
        line="  return typeof value === 'string' ? value : otherwise;",
        typed="  return typeof value === 'string' ?",
        accept=False,
    ),
    Passage(
        "nvim-client/lua/midfill/command.lua",
        line="    return vim.startswith(name, start)",
        typed="    return vim.startswith(",
    ),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One suggestion as a user met it; `after_ms` counts from the last key."""

    file: str
    text: str
    after_ms: float
    accepted: bool


@dataclass(slots=True)
class Report:
    """What `--json` prints."""

    model: str = ""
    first_request_s: float = 0.0
    suggestions: list[Shown] = field(default_factory=list)
    nothing: int = 0
    tokens_per_s: float | None = None
    explain: str = ""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object and no pictures")
    parser.add_argument("--repository", type=Path, default=Path.cwd(), help="a checkout of Midfill (default: here)")


def _run(context: Context) -> int:
    root = context.arguments.repository.resolve()
    passages = [passage for passage in PASSAGES if (root / passage.path).is_file()]
    if not passages:
        raise BadInput(f"{root}: not a checkout of Midfill; run the demo there or name one with --repository")
    report = asyncio.run(_play(root, passages, context))
    report.tokens_per_s = _tokens_per_s(context.environment)
    if context.arguments.json:
        print(json.dumps(asdict(report)))
    else:
        _print_summary(report, stage=Stage(animated=sys.stdout.isatty(), silent=False))
    return 0 if report.suggestions else 1


async def _play(root: Path, passages: Sequence[Passage], context: Context) -> Report:
    report, started_s = Report(), time.monotonic()
    stage = Stage(animated=sys.stdout.isatty(), silent=context.arguments.json)
    async with language_server(root, context.environment) as client:
        await _until_ready(client, report, stage)
        report.first_request_s = round(time.monotonic() - started_s, 3)
        for passage in passages:
            report.explain = await _perform(client, root, passage, report, stage)
    return report


async def _until_ready(client: StdioClient, report: Report, stage: "Stage") -> None:
    """Wait for the status that says that there is a model. Raises BadInput with the status's reason otherwise."""
    reason = "the daemon did not say that it is ready"
    try:
        async with asyncio.timeout(READY_LIMIT_S):
            while True:
                method, params = await client.notifications.get()
                if method != "midfill/status":
                    continue
                reason = params["reason"] or reason
                stage.say(f"{params['state']}: {params['reason'] or params['model']}")
                if params["state"] == "ready":
                    report.model = params["model"]
                    return
                if params["state"] == "error":
                    raise BadInput(reason)
    except TimeoutError as exc:
        raise BadInput(reason) from exc


async def _perform(client: StdioClient, root: Path, passage: Passage, report: Report, stage: "Stage") -> str:
    """Type one passage, show what comes, accept it or not; returns the server's explanation."""
    path = root / passage.path
    text = path.read_text()
    start = text.index(passage.line)
    end = text.index("\n", start)
    buffer = Buffer(client, path, text[:start] + text[end:], start)
    for key in passage.typed[:-1]:
        buffer.insert(key)
        stage.draw(passage.path, buffer, "")
        asking = asyncio.create_task(buffer.suggest())
        await asyncio.gather(asyncio.wait({asking}, timeout=KEY_GAP_S), asyncio.sleep(KEY_GAP_S))
    buffer.insert(passage.typed[-1])
    typed_s = time.monotonic()
    suggestion = await asyncio.wait_for(buffer.suggest(), ANSWER_LIMIT_S)
    after_ms = round((time.monotonic() - typed_s) * 1000, 1)
    stage.draw(passage.path, buffer, suggestion.text)
    explanation = await buffer.explain()
    if suggestion.text:
        report.suggestions.append(Shown(passage.path, suggestion.text, after_ms, passage.accept))
    else:
        report.nothing += 1
    stage.say(_caption(suggestion, after_ms, accepted=passage.accept))
    await stage.pause()
    if suggestion.text and passage.accept:
        buffer.accept(suggestion)
        stage.draw(passage.path, buffer, "")
        await stage.pause()
    buffer.close()
    return explanation


def _caption(suggestion: Suggestion, after_ms: float, *, accepted: bool) -> str:
    if not suggestion.text:
        return "nothing was suggested here"
    return f"suggested {after_ms:.0f} ms after the last key{', accepted' if accepted else ', not accepted'}"


@dataclass(frozen=True, slots=True)
class Stage:
    """Draws the buffer around the caret: every key in a terminal, elsewhere only the suggestion, in ‹brackets›."""

    animated: bool
    silent: bool

    def draw(self, name: str, buffer: Buffer, ghost: str) -> None:
        if self.silent or not (self.animated or ghost):
            return
        lines = f"{buffer.text[: buffer.caret]}\0{buffer.text[buffer.caret :]}".split("\n")
        row = next(index for index, line in enumerate(lines) if "\0" in line)
        picture = "\n".join(lines[max(0, row - LINES_ABOVE) : row + 1 + LINES_BELOW])
        picture = picture.replace("\0", self._mark(ghost))
        print(f"{CLEAR if self.animated else ''}{self.bold(name)}\n{picture}\n", flush=True)

    def say(self, message: str) -> None:
        if not self.silent:
            print(self.bold(f"-- {message}"), flush=True)

    def bold(self, text: str) -> str:
        return f"{BOLD}{text}{RESET}" if self.animated else text

    def _mark(self, ghost: str) -> str:
        if self.animated:
            return f"{GREY}{ghost}{RESET}"
        return f"‹{ghost}›" if ghost else ""

    async def pause(self) -> None:
        """Give a person time to look."""
        if self.animated and not self.silent:
            await asyncio.sleep(1.2)


def _tokens_per_s(environment: Mapping[str, str]) -> float | None:
    """The model's speed after its first token, over the last calls; None when nothing was measured."""
    rows = [row for row in requests.last(locate(environment).database, 20) if row.output_tokens > 1]
    spent_ms = sum((row.total_ms or 0) - (row.first_token_ms or 0) for row in rows)
    tokens = sum(row.output_tokens - 1 for row in rows)
    return round(tokens / spent_ms * 1000, 1) if spent_ms > 0 else None


def _print_summary(report: Report, stage: Stage) -> None:
    times = sorted(each.after_ms for each in report.suggestions)
    print(f"\n{stage.bold('Model')}: {report.model}; ready {report.first_request_s:.1f} s after the start.")
    if times:
        print(
            f"{stage.bold('Time to suggestion')}: {times[0]:.0f} to {times[-1]:.0f} ms after the last key, "
            f"median {times[len(times) // 2]:.0f} ms; {len(times)} suggestions, {report.nothing} places without."
        )
    if report.tokens_per_s:
        print(f"{stage.bold('Speed')}: {report.tokens_per_s:.0f} tokens/s after the first token.")
    print(f"{stage.bold('Explain')}: {report.explain}")


VERB = Verb("demo", "watch suggestions come, in real files, from the model you have", _arguments, _run)
