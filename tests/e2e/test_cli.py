"""The `midfill` command as a user runs it: exit status, what it prints, and never a traceback."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from midfill_daemon.records import feedback
from support.processes import MIDFILL, Home, after, editing, ended, living_in, script, soon, stop_daemon

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOURCE = "values = [1, 2]\ntotal = \nprint(total)\n"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    """A running daemon and a few files."""
    folder = tmp_path_factory.mktemp("home")
    tier = script(folder, after("total =", "sum(values)"), after("return", "a + b"))
    async with living_in(folder, tier) as home:
        (folder / "a.py").write_text(SOURCE)
        (folder / "latin.py").write_bytes("größe = 1\ntotal = \n".encode("latin-1"))
        (folder / "empty.py").touch()
        (folder / ".env").write_text("TOKEN=1\n")
        client = home.client()
        await client.connect()
        await client.close()
        yield home


async def midfill(home: Home, *arguments: str, **variables: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *MIDFILL,
        *arguments,
        env={**home.environment, **variables},
        cwd=home.folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await soon(process.communicate())
    assert b"Traceback" not in output + errors
    return process.returncode, output.decode(), errors.decode()


RUNS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "config": (("config",), 0, "tiers.inline.provider = 'scripted'"),
    "config --json": (("config", "--json"), 0, '"source": "MIDFILL_TIER_INLINE"'),
    "daemon status": (("daemon", "status"), 0, "running: process"),
    "daemon start": (("daemon", "start"), 0, "running: process"),
    "complete": (("complete", "a.py:2:9"), 0, "sum(values)"),
    "complete --json": (("complete", "--json", "a.py:2:9"), 0, '"text": "sum(values)"'),
    "complete, not UTF-8": (("complete", "latin.py:2:9"), 0, "sum(values)"),
    "context": (("context", "a.py:2:9"), 0, "=== a.py, before the caret, about "),
    "context --json": (("context", "--json", "a.py:2:9"), 0, '"prefix": "values = [1, 2]'),
    "context of a file that is kept back": (("context", ".env:1:1"), 1, "Nothing is sent of this file. Files of this"),
    "models list": (("models", "list"), 0, "missing"),
    "models check": (("models", "check"), 0, "no model is here yet"),
    "setup": (("setup",), 0, "Nothing was changed."),
    "setup of an editor without a client": (("setup", "helix"), 0, "midfill-lsp"),
    "version": (("--version",), 0, "."),
    "help": (("--help",), 0, "doctor"),
}

REFUSALS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no such file": (("complete", "none.py:1:1"), 1, "none.py: No such file"),
    "no verb": ((), 2, "usage"),
    "nothing to remove": (("setup", "vscode", "--remove"), 1, "has installed nothing in code, "),
}
"""Of each kind one; the others are in `cli/test_refusals.py`."""


@pytest.mark.parametrize("name", RUNS)
async def test_a_verb(home: Home, name: str) -> None:
    arguments, status, printed = RUNS[name]
    found, output, errors = await midfill(home, *arguments)
    assert (found, errors) == (status, "")
    assert printed in output


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_is_a_sentence(home: Home, name: str) -> None:
    arguments, status, printed = REFUSALS[name]
    found, output, errors = await midfill(home, *arguments)
    assert found == status
    assert printed in errors
    assert output == ""


async def test_nothing_to_complete(home: Home) -> None:
    status, output, errors = await midfill(home, "complete", "empty.py:1:1", MIDFILL_TIER_INLINE="scripted:")
    assert (status, errors) in ((0, ""), (1, ""))
    assert output


async def test_doctor(home: Home) -> None:
    status, output, _ = await midfill(home, "doctor", "--json")
    findings = {finding["what"]: finding["verdict"] for finding in json.loads(output)}
    assert status == 0
    assert set(findings) >= {
        "midfill",
        "folders",
        "configuration",
        "daemon",
        "model",
        "language server",
        "grammars",
        "clients",
    }
    assert "failed" not in findings.values()


async def test_doctor_says_what_is_wrong(tmp_path: Path) -> None:
    async with living_in(tmp_path, "llama_server:http://127.0.0.1:9") as home:
        status, output, _ = await midfill(home, "doctor", "--json")
        findings = {finding["what"]: finding for finding in json.loads(output)}
        assert status == 1
        assert findings["model"]["verdict"] == "failed"
        assert "127.0.0.1:9" in findings["model"]["message"]
        assert findings["model"]["fix"]


async def test_log_and_stats(home: Home) -> None:
    await midfill(home, "complete", "a.py:2:9")
    await midfill(home, "daemon", "restart")
    for verb, known in (("log", "scripted"), ("stats", "completion by scripted")):
        status, output, _ = await midfill(home, verb)
        assert (status, known in output) == (0, True)
        assert (await midfill(home, verb, "--json"))[0] == 0


async def accepted(home: Home, telemetry: bool) -> None:
    """An editor in which a suggestion is accepted; at its end everything is written."""
    async with editing(home, {"telemetry": telemetry}) as editor:
        await editor.until("ready")
        page = editor.open("accepted.py", "total = ")
        (item,) = (await soon(page.request()))["items"]
        page.type(item["insertText"])
        await editor.command(item["command"]["command"], *item["command"]["arguments"])
    await stop_daemon(home)
    assert not await ended(home.daemons())


async def test_what_became_of_suggestions(tmp_path: Path) -> None:
    async with living_in(tmp_path, script(tmp_path, after("total =", "sum(values)"))) as home:
        await accepted(home, telemetry=False)
        assert feedback.last(home.paths.database, 9) == []
        await accepted(home, telemetry=True)
        _, output, _ = await midfill(home, "stats", "--days", "1", "--json")
        found = json.loads(output)
        counts = {name: found["suggestions"][name] for name in ("shown", "accepted", "acceptance", "accepted_share")}
        assert counts == {"shown": 1, "accepted": 1, "acceptance": 1.0, "accepted_share": 1.0}
        assert [(group["name"], group["accepted"]) for group in found["by_language"]] == [("python", 1)]
        assert [(latency["source"], latency["answers"]) for latency in found["latency"]] == [("model", 1)]
        _, output, _ = await midfill(home, "stats")
        assert "language python" in output
        assert "completion by scripted" in output
        _, output, _ = await midfill(home, "log", "purge")
        assert "rows removed" in output
        _, output, _ = await midfill(home, "stats")
        assert "Nothing is recorded of the last 30 days" in output


async def test_the_last_request_in_words(home: Home) -> None:
    """What the editor was told is told again later, from the records."""
    _, output, _ = await midfill(home, "complete", "--json", "a.py:2:9")
    told = json.loads(output)["explain"].replace("a.py", "this document")
    await midfill(home, "daemon", "restart")
    assert await midfill(home, "log", "--last") == (0, f"{told}\n", "")
    assert "(cache " in told
    _, output, _ = await midfill(home, "log", "--last", "--json")
    assert json.loads(output)["data"]["outcome"] == "answered"
    status, output, _ = await midfill(home, "log", "--last", "1")
    assert (status, output.count("\n"), "completion" in output) == (0, 1, True)


async def test_metrics_count_what_was_asked_of_the_models(home: Home) -> None:
    await midfill(home, "complete", "a.py:2:9")
    client = home.client()
    try:
        counted = str(await client.get("/metrics"))
    finally:
        await client.close()
    assert 'midfill_calls_total{task="completion",tier="inline"' in counted


async def test_an_empty_home(tmp_path: Path) -> None:
    """Looking around starts nothing."""
    async with living_in(tmp_path, script(tmp_path)) as home:
        for arguments, status in (
            (("daemon", "status"), 1),
            (("daemon", "stop"), 0),
            (("log",), 0),
            (("log", "--last"), 0),
            (("stats",), 0),
            (("log", "purge"), 0),
        ):
            assert (await midfill(home, *arguments))[0] == status
        assert home.processes() == []


@pytest.mark.parametrize("verb", ["config", "daemon start", "doctor", "log", "models list"])
async def test_a_bad_home_is_named(home: Home, verb: str) -> None:
    status, output, errors = await midfill(home, *verb.split(), MIDFILL_HOME="relative")
    assert status == 1
    assert "MIDFILL_HOME: must be an absolute path" in output + errors


async def test_a_bad_tier_is_named(home: Home) -> None:
    status, _, errors = await midfill(home, "config", MIDFILL_TIER_INLINE="nonsense")
    assert (status, "MIDFILL_TIER_INLINE" in errors) == (1, True)
