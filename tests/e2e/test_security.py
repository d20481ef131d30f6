"""The daemon's doors, the files that Midfill writes, and that none of them holds the user's text."""

import json
import os
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from midfill_daemon.errors import BadInput
from support.fake_services import FakeOpenAI, running
from support.processes import SERVER, Editor, Home, Json, after, editing, ended, living_in, script, soon, suggested

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEALTHY = after("total =", "sum(values)")


# --- the TCP door -----------------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def listening(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    folder = tmp_path_factory.mktemp("tcp")
    async with living_in(folder, script(folder, HEALTHY), MIDFILL_DAEMON_LISTEN="tcp") as home, editing(home) as editor:
        await editor.until("ready")
        page = editor.open("tcp.py", "total = ")
        assert await page.suggest() == "sum(values)"
        yield home


def address(home: Home) -> Json:
    return dict(json.loads(home.paths.address_file.read_text()))


JSON_BODY = {"content-type": "application/json"}
REFUSED: dict[str, Mapping[str, str | None]] = {
    "no token": {"authorization": None},
    "wrong token": {"authorization": "Bearer wrong"},
    "another scheme": {"authorization": "Basic {token}"},
    "more than the token": {"authorization": "Bearer {token}x"},
    "an Origin": {"origin": "http://127.0.0.1"},
    "the Origin null": {"origin": "null"},
    "a foreign Host": {"host": "rebind.example"},
    "a Host that only begins well": {"host": "127.0.0.1.rebind.example"},
    "an empty Host": {"host": ""},
}


async def ask(home: Home, method: str, path: str, headers: Mapping[str, str | None], content: bytes = b"{}") -> int:
    """The status of one request with a good token and type, but for these headers."""
    where = address(home)
    sent: dict[str, str | None] = {"authorization": f"Bearer {where['token']}", **JSON_BODY, **headers}
    filled = {name: value.format(token=where["token"]) for name, value in sent.items() if value is not None}
    async with httpx.AsyncClient(base_url=where["address"], trust_env=False) as client:
        return (await client.request(method, path, headers=filled, content=content)).status_code


async def test_a_good_request_is_served(listening: Home) -> None:
    assert await ask(listening, "GET", "/v1/health", {}) == httpx.codes.OK
    assert await ask(listening, "GET", "/v1/health", {"host": "localhost:1"}) == httpx.codes.OK


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/health"), ("POST", "/v1/stop"), ("OPTIONS", "/v1/health")])
async def test_a_bad_request_is_refused(listening: Home, name: str, method: str, path: str) -> None:
    assert await ask(listening, method, path, REFUSED[name]) == httpx.codes.FORBIDDEN


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
@pytest.mark.parametrize("path", ["/v1/tasks/completion", "/v1/feedback", "/v1/stop", "/v1/drain"])
async def test_only_json_is_taken(listening: Home, path: str, kind: str) -> None:
    """A web page can send the other types without asking first."""
    assert await ask(listening, "POST", path, {"content-type": kind}) == httpx.codes.BAD_REQUEST
    assert await ask(listening, "GET", "/v1/health", {}) == httpx.codes.OK


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"prefix": 5}'])
async def test_a_bad_body_is_an_error(listening: Home, content: bytes) -> None:
    assert await ask(listening, "POST", "/v1/feedback", {}, content) == httpx.codes.BAD_REQUEST


# --- files -----------------------------------------------------------------------------------------


async def test_modes(listening: Home) -> None:
    assert mode(listening.paths.address_file) == 0o600
    assert mode(listening.paths.runtime) == 0o700


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


async def test_the_socket_is_private_whatever_the_umask(tmp_path: Path) -> None:
    command = ("bash", "-c", 'umask 0; exec "$@"', "bash", *SERVER)
    async with living_in(tmp_path, script(tmp_path, HEALTHY)) as home, editing(home, command=command) as editor:
        await editor.until("ready")
        assert mode(home.paths.socket) == 0o600
        folders = (home.paths.runtime, home.paths.data, home.paths.cache, home.paths.config)
        assert {mode(folder) for folder in folders} == {0o700}
        written = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        assert written
        assert not [path for path in written if mode(path.parent) & 0o077], "others cannot reach any file"


async def test_all_files_are_below_the_home(tmp_path: Path) -> None:
    """The user's own folders stay as they were, although nothing but MIDFILL_HOME says where to write."""
    outside = tmp_path / "outside"
    for name in ("home", "work", "tmp", "run"):
        (outside / name).mkdir(parents=True, mode=0o700)
    variables = {"HOME": str(outside / "home"), "TMPDIR": str(outside / "tmp"), "XDG_RUNTIME_DIR": str(outside / "run")}
    folder = tmp_path / "midfill"
    folder.mkdir()
    async with living_in(folder, script(tmp_path, HEALTHY), **variables) as home, editing(home) as editor:
        await editor.until("ready")
        page = editor.open("isolated.py", "total = ")
        assert await page.suggest() == "sum(values)"
    assert [path for path in outside.rglob("*") if not path.is_dir()] == []
    assert {path.name for path in folder.iterdir()} == {"config", "data", "cache", "run", "user", "lsp.stderr"}


# --- logs and records --------------------------------------------------------------------------------

CANARY = "kanarienvogel_4711"
KEY = "sk-canary-of-a-key-0815"
FAULTS = ("error_500", "rate_limited:0", "hang", "truncate:1", "refused", "garbage")
LOUD = {"MIDFILL_DAEMON_LOG_LEVEL": "debug", "MIDFILL_TIERS_INLINE_TIMEOUT_S": "0.2"}
LOUD_SERVER = (*SERVER, "--log-level", "debug")


async def misuse(editor: Editor) -> None:
    """Everything that can go wrong with a document, with the canary in it."""
    page = editor.open(f"{CANARY}.py", f"{CANARY} = 1\ntotal = ")
    await page.suggest()
    page.changed([{"range": {"start": CANARY}, "text": [CANARY]}])
    editor.client.notify("textDocument/didOpen", {"textDocument": {"text": CANARY}})
    editor.client.notify("workspace/didChangeConfiguration", {"settings": {CANARY: CANARY}})
    editor.client.send_raw(f"Content-Length: {len(CANARY)}\r\n\r\n{CANARY}".encode())
    editor.client.request("textDocument/inlineCompletion", {"position": CANARY})
    editor.client.request(CANARY, {"text": CANARY})
    editor.client.request("workspace/executeCommand", {"command": CANARY})
    page.close()
    await editor.explain()


async def check_no_leak(home: Home, *secrets: str) -> None:
    """After everything has been written and has ended, no file holds any of the secrets."""
    files = [path for path in home.folder.rglob("*") if path.is_file() and path.name != "script.json"]
    assert home.paths.log_file in files
    assert home.paths.database in files
    leaks = [(path.name, secret) for path in files for secret in secrets if secret.encode() in path.read_bytes()]
    assert leaks == []


async def test_no_text_is_logged_or_recorded(tmp_path: Path) -> None:
    failing = [after(f"{fault[:4]} =", f"{CANARY}(1)\n", fault=fault) for fault in FAULTS]
    tier = script(tmp_path, HEALTHY, *failing)
    async with living_in(tmp_path, tier, **LOUD) as home:
        async with editing(home, command=LOUD_SERVER) as editor:
            await editor.until("ready")
            await misuse(editor)
            for fault in FAULTS:
                page = editor.open(f"{fault[:4]}.py", f"{CANARY} = 1\n{fault[:4]} = ")
                await page.suggest(1)
            daemon = await home.daemon()
            client = home.client()
            for body in ({"prefix": CANARY}, {"path": CANARY, "language": "", "prefix": 5}, {CANARY: CANARY}):
                events = client.run("completion", body)
                with pytest.raises(BadInput):
                    await anext(events)
            await client.close()
            request = editor.open("killed.py", f"{CANARY} = 1\nhang = ").request()
            daemon.kill()
            await soon(request)
            assert not await ended([daemon])
            assert await editor.open("after.py", f"{CANARY} = 1\ntotal = ").suggest(1) in ("", "sum(values)")
        await stopped(home)
        await check_no_leak(home, CANARY)


async def test_no_answer_of_a_service_is_logged(tmp_path: Path) -> None:
    """Services quote prompts and keys in their error messages."""
    service = FakeOpenAI()
    service.faults.status = 400
    service.faults.body = json.dumps({"error": {"message": f"bad prompt {CANARY} for key {KEY}"}}).encode()
    variables = {"MIDFILL_TIERS_INLINE_API_KEY_ENV": "CANARY_KEY", "CANARY_KEY": KEY, **LOUD}
    async with running(service), living_in(tmp_path, f"openai_compatible:{service.url}/v1#m", **variables) as home:
        async with editing(home, command=LOUD_SERVER) as editor:
            await editor.until("ready", "error")
            for number, status in enumerate((400, 401, 429, 500)):
                service.faults.status = status
                page = editor.open(f"{number}.py", f"{CANARY} = 1\ntotal = ")
                assert suggested(await soon(page.request(1))) == ""
                explained = await editor.explain()
                assert CANARY not in explained
                assert KEY not in explained
        assert service.generations()[0].headers["authorization"] == f"Bearer {KEY}"
        await stopped(home)
        await check_no_leak(home, CANARY, KEY)


async def stopped(home: Home) -> None:
    daemon = await home.daemon()
    daemon.terminate()
    assert not await ended([daemon])


async def test_a_workspace_cannot_choose_the_service(tmp_path: Path) -> None:
    """Editors mix a workspace's settings into what they send."""
    async with living_in(tmp_path, script(tmp_path, HEALTHY)) as home:
        chosen = {"url": "http://rebind.example", "model": "theirs", "token": KEY, "daemon": "/tmp/evil"}
        async with editing(home, options=chosen) as editor:
            await editor.until("ready")
            warned = [await soon(editor.client.notifications.get()) for _ in chosen]
            assert {method for method, _ in warned} == {"window/showMessage"}
            assert all("your own configuration file" in params["message"] for _, params in warned)
            assert await editor.open("chosen.py", "total = ").suggest() == "sum(values)"
            assert os.path.realpath(home.paths.runtime) in str(home.paths.socket)
