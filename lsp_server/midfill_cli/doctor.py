"""`midfill doctor`: what works, what does not, and what to do about it."""

import argparse
import asyncio
import json
import platform
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from midfill_cli import setup_nvim, setup_record, setup_vscode, shipped
from midfill_cli.editor import language_server
from midfill_cli.setup_record import Installed
from midfill_cli.verb import Context, Verb
from midfill_daemon import config, weights
from midfill_daemon.client import Client
from midfill_daemon.config import Config
from midfill_daemon.contract import CompletionRequest, Delta, Health
from midfill_daemon.errors import MidfillError
from midfill_daemon.paths import Paths, locate
from midfill_workspace import grammars

Verdict = Literal["ok", "warning", "failed"]

SAMPLE = CompletionRequest("sample.py", "python", "def add(a, b):\n    return ", "\n", "line", max_tokens=16)

CONNECT_HINT = (
    'connect a model with fill-in-the-middle so: [tiers.inline] provider = "llama_server", '
    'url = "http://127.0.0.1:8080" in config.toml, or MIDFILL_TIER_INLINE=llama_server:http://127.0.0.1:8080; '
    "with Ollama MIDFILL_TIER_INLINE=ollama:#qwen2.5-coder:1.5b-base"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `fix` says what to do unless all is well."""

    what: str
    verdict: Verdict
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What the checks look at."""

    context: Context
    paths: Paths
    client: Client


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run(context: Context) -> int:
    findings = asyncio.run(_examine(context))
    if context.arguments.json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            print(f"{MARKS[finding.verdict]} {finding.what}: {finding.message}")
            if finding.fix:
                print(f"    -> {finding.fix}")
    return 1 if any(finding.verdict == "failed" for finding in findings) else 0


MARKS: Mapping[Verdict, str] = {"ok": "[ok]     ", "warning": "[warning]", "failed": "[FAILED] "}


async def _examine(context: Context) -> list[Finding]:
    paths = locate(context.environment)
    client = Client(paths, context.environment)
    patient = Patient(context, paths, client)
    try:
        return [finding for what, check in CHECKS.items() for finding in await _survive(what, check, patient)]
    finally:
        await client.close()


async def _survive(what: str, check: "Check", patient: Patient) -> list[Finding]:
    """A check that cannot be carried out is a finding too."""
    try:
        return await check(patient)
    except MidfillError as exc:
        return [Finding(what, "failed", exc.message, HINTS.get(exc.code, ""))]


HINTS = {
    "model_missing": f"run `midfill models pull` for the offline model, or {CONNECT_HINT}",
    "daemon_down": "look into the daemon's log, named by `midfill config`",
    "provider_down": "start the model service, or correct the address (`midfill config`)",
    "config": "correct the file or variable that is named",
}


# --- the checks, in the order of the report --------------------------------------------------------


async def _installation(_: Patient) -> list[Finding]:
    place = Path(__file__).parent.parent
    message = f"{version('midfill')} in {place}, Python {platform.python_version()} on {platform.system()}"
    return [Finding("midfill", "ok", message)]


async def _folders(patient: Patient) -> list[Finding]:
    patient.paths.ensure()
    return [Finding("folders", "ok", f"data in {patient.paths.data}, log in {patient.paths.log_file}")]


async def _configuration(patient: Patient) -> list[Finding]:
    loaded = config.load(patient.paths, patient.context.environment)
    tier = loaded.tiers["inline"]
    findings = [Finding("configuration", "ok", f"inline tier: {tier.provider} {tier.url or '(default)'}".rstrip())]
    return findings + [Finding("configuration", "warning", warning) for warning in loaded.warnings]


async def _engine(patient: Patient) -> list[Finding]:
    loaded = config.load(patient.paths, patient.context.environment)
    if loaded.tiers["inline"].provider != "embedded":
        return []
    if find_spec("xllamacpp") is None:
        fix = f"pip install 'midfill[embedded]', or {CONNECT_HINT}"
        return [Finding("engine", "failed", "the embedded engine is not installed", fix)]
    return [Finding("engine", "ok", f"xllamacpp {version('xllamacpp')}"), *_weights(loaded, patient.paths)]


def _weights(loaded: Config, paths: Paths) -> list[Finding]:
    if loaded.tiers["inline"].url:
        return []
    default = weights.find(weights.DEFAULT)
    weights.check(default, paths.models)
    path = weights.locate(default, paths.models)[0]
    return [Finding("model file", "ok", f"{path.name}, checksum right")]


async def _daemon(patient: Patient) -> list[Finding]:
    started_s = time.perf_counter()
    health = await patient.client.connect()
    took_ms = (time.perf_counter() - started_s) * 1000
    message = f"process {health.pid}, version {health.version}, answered after {took_ms:.0f} ms"
    return [Finding("daemon", "ok", message), *_mismatch(health, patient)]


def _mismatch(health: Health, patient: Patient) -> list[Finding]:
    if health.environment == config.environment_digest(patient.context.environment):
        return []
    message = "it was started with other MIDFILL_* variables than are set here; those here have no effect"
    return [Finding("daemon", "warning", message, "run `midfill daemon restart`")]


async def _model(patient: Patient) -> list[Finding]:
    """Ask for a real completion, and wait for the model if it is still loading."""
    started_s = time.perf_counter()
    first_ms, pieces = 0.0, 0
    async for event in patient.client.run("completion", asdict(SAMPLE)):
        if isinstance(event, Delta):
            first_ms = first_ms or (time.perf_counter() - started_s) * 1000
            pieces += 1
    model = (await patient.client.connect()).inline
    message = f"{model.name} by {model.provider}, format {model.format}, first text after {first_ms:.0f} ms"
    if not pieces:
        return [Finding("model", "warning", f"{model.name} answered with no text", "try another model")]
    return [Finding("model", "ok", message), *_honesty(model.format, model.provider)]


def _honesty(fim_format: str, provider: str) -> list[Finding]:
    if fim_format != "prefix-only":
        return []
    quality = ", about one line in four right" if provider == "embedded" else ""
    message = f"{'small local model, ' if provider == 'embedded' else ''}prefix only (text after the caret is ignored){quality}"
    return [Finding("quality", "warning", message, CONNECT_HINT)]


async def _language_server(patient: Patient) -> list[Finding]:
    async with language_server(Path.cwd(), patient.context.environment) as client:
        explained = await client.request("workspace/executeCommand", {"command": "midfill.status"})
    return [Finding("language server", "ok", f"answers over stdio, status {explained['state']}")]


async def _grammars(_: Patient) -> list[Finding]:
    missing = [language for language in grammars.GRAMMARS if grammars.parser(language) is None]
    loaded = len(grammars.GRAMMARS) - len(missing)
    if any(isinstance(grammars.GRAMMARS[language], grammars.Wheel) for language in missing):
        return [Finding("grammars", "warning", f"missing: {', '.join(missing)}", "reinstall midfill")]
    rest = f"; {len(missing)} rarer ones need Python 3.12 or older" if missing else ""
    return [Finding("grammars", "ok", f"{loaded} languages are read by syntax{rest}")]


async def _clients(patient: Patient) -> list[Finding]:
    """What `midfill setup` has installed; nothing else is looked for, and no editor is started."""
    server = shipped.server_program()
    clients = [client for client in setup_record.load(patient.paths).values() if client.editor in CLIENTS]
    findings = [_client(client, CLIENTS[client.editor](client, patient.paths, server)) for client in clients]
    return findings or [Finding("clients", "ok", "none was installed by `midfill setup`, which lists what it can do")]


def _client(client: Installed, complaint: str) -> Finding:
    message = f"{client.editor}: {client.version} in {client.place}"
    if not complaint:
        return Finding("clients", "ok", message)
    return Finding("clients", "warning", f"{message}: {complaint}", f"run `midfill setup {client.editor}`")


CLIENTS: Mapping[str, Callable[[Installed, Paths, Path], str]] = {
    setup_nvim.EDITOR: lambda client, _, server: setup_nvim.complaint(client, server),
    **dict.fromkeys(setup_vscode.COMMANDS, setup_vscode.complaint),
}

Check = Callable[[Patient], Awaitable[list[Finding]]]
CHECKS: Mapping[str, Check] = {
    "midfill": _installation,
    "folders": _folders,
    "configuration": _configuration,
    "engine": _engine,
    "daemon": _daemon,
    "model": _model,
    "language server": _language_server,
    "grammars": _grammars,
    "clients": _clients,
}

VERB = Verb("doctor", "say what works, what does not and what to do", _arguments, _run)
