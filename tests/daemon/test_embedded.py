"""The embedded engine's process: started, waited for, restarted, stopped, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from midfill_daemon import errors, weights
from midfill_daemon.models import Tier
from midfill_daemon.providers import Generation, Piece, embedded
from midfill_daemon.providers.embedded import Embedded, Plan
from midfill_daemon.providers.llama_server import LlamaServer
from support import engine_stub

STUB = (sys.executable, engine_stub.__file__)
REAL_MODEL = os.environ.get("MIDFILL_TEST_MODEL", "")


@dataclass(slots=True)
class Time:
    """A clock that only sleeping moves. It sleeps `limit` times at once and then for ever."""

    limit: int = 1000
    now_s: float = 0.0
    sleeps: list[float] = field(default_factory=list)
    exhausted: asyncio.Event = field(default_factory=asyncio.Event)

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now_s += seconds
        if len(self.sleeps) >= self.limit:
            self.exhausted.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)


@asynccontextmanager
async def engine(model: Path, time: Time | None = None, timeout_s: float = 30.0) -> AsyncIterator[Embedded]:
    time = time or Time()
    plan = Plan(
        locate=lambda: present(model),
        connect=lambda url, api_key: LlamaServer(url, api_key=api_key),
        timeout_s=timeout_s,
        probe_s=0.2,
        command=STUB,
    )
    provider = Embedded(plan, clock=time.clock, sleep=time.sleep)
    try:
        yield provider
    finally:
        await provider.close()


def present(model: Path) -> Path:
    if not model.exists():
        raise errors.ModelMissing("no model yet")
    return model


@pytest.fixture
def model(tmp_path: Path) -> Callable[[str], Path]:
    def write(behaviour: str) -> Path:
        path = tmp_path / "model.gguf"
        path.write_text(behaviour)
        return path

    return write


async def text(provider: Embedded, prompt: str = "def f") -> str:
    async with aclosing(provider.stream(Generation(prompt=prompt))) as values:
        return "".join([value.text async for value in values if isinstance(value, Piece)])


async def test_first_request_starts_the_engine(model: Callable[[str], Path]) -> None:
    async with engine(model("serve")) as provider:
        assert psutil.pid_exists(int(await text(provider)))
        assert (await provider.describe()).name == "stub"
        assert await provider.count_tokens("def f") == 3


async def test_nothing_runs_before_the_first_request(model: Callable[[str], Path]) -> None:
    async with engine(model("serve")):
        assert psutil.Process().children() == []


async def test_request_does_not_wait_for_ever_for_a_loading_model(model: Callable[[str], Path]) -> None:
    async with engine(model("silent"), timeout_s=0.01) as provider:
        with pytest.raises(errors.ProviderDown, match="loading"):
            await text(provider)


async def test_stream_cut_by_a_crash_is_an_error_and_then_it_works_again(model: Callable[[str], Path]) -> None:
    async with engine(model("serve")) as provider:
        stream = provider.stream(Generation(prompt=engine_stub.ENDLESS))
        first = await anext(stream)
        assert isinstance(first, Piece)
        os.kill(int(first.text), signal.SIGKILL)
        with pytest.raises(errors.Truncated):
            await anext(stream)
        assert await eventually(provider) != first.text


@pytest.mark.parametrize(("prompt", "is_same"), [(engine_stub.STICK, False), (engine_stub.ENDLESS, True)])
async def test_an_engine_that_answers_nobody_is_replaced(
    model: Callable[[str], Path], prompt: str, is_same: bool
) -> None:
    """One that a request only gave up waiting for, after its first token, is not."""
    time = Time()
    async with engine(model("serve"), time) as provider:
        first = await text(provider)
        for _ in range(2):
            request = asyncio.ensure_future(text(provider, prompt))
            await asyncio.wait({request}, timeout=0.05)
            time.now_s += provider.plan.doubt_s / 2
            request.cancel()
            await asyncio.wait({request})
        assert (await eventually(provider) == first) is is_same


async def eventually(provider: Embedded) -> str:
    """The answer, once there is one."""
    while True:
        try:
            return await text(provider)
        except (errors.ProviderError, errors.ModelMissing):
            await asyncio.sleep(0)


@pytest.mark.parametrize(("behaviour", "message"), [("broken", "cut short"), ("die", "died while it loaded")])
async def test_failing_start_is_reported_and_retried_ever_more_slowly(
    model: Callable[[str], Path], behaviour: str, message: str
) -> None:
    time = Time(limit=8)
    async with engine(model(behaviour), time) as provider:
        provider.start()
        await time.exhausted.wait()
        with pytest.raises(errors.ProviderError, match=message):
            await text(provider)
    assert time.sleeps[0] == 0
    for exponent, waited_s in enumerate(time.sleeps[1:]):
        longest_s = min(30, 2**exponent)
        assert longest_s / 2 <= waited_s <= longest_s


async def test_pulled_model_is_noticed(model: Callable[[str], Path], tmp_path: Path) -> None:
    async with engine(tmp_path / "model.gguf") as provider:
        with pytest.raises(errors.ModelMissing, match="no model yet"):
            await text(provider)
        model("serve")
        assert await eventually(provider)


@pytest.mark.parametrize(("behaviour", "timeout_s"), [("serve", 30.0), ("silent", 0.1)])
async def test_close_leaves_no_process(model: Callable[[str], Path], behaviour: str, timeout_s: float) -> None:
    async with engine(model(behaviour), timeout_s=timeout_s) as provider:
        with pytest.raises(errors.ProviderDown) if behaviour == "silent" else nullcontext():
            await text(provider)
        assert len(psutil.Process().children()) == 1
    assert psutil.Process().children() == []


async def test_closed_engine_answers_and_closes_again(model: Callable[[str], Path]) -> None:
    async with engine(model("serve")) as provider:
        await text(provider)
        await provider.close()
        with pytest.raises(errors.ProviderDown, match="stopped"):
            await text(provider)


async def test_interrupt_from_the_terminal_is_the_daemons_business(model: Callable[[str], Path]) -> None:
    async with engine(model("serve")) as provider:
        pid = int(await text(provider))
        os.kill(pid, signal.SIGINT)
        assert int(await text(provider)) == pid


DAEMON = """
import asyncio, sys
from pathlib import Path
from midfill_daemon.providers.embedded import Embedded, Plan
from midfill_daemon.providers.llama_server import LlamaServer

async def main() -> None:
    provider = Embedded(Plan(lambda: Path(sys.argv[1]), lambda url, key: LlamaServer(url), command=tuple(sys.argv[2:])))
    await provider.describe()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_engine_dies_with_a_killed_daemon(model: Callable[[str], Path]) -> None:
    command = [sys.executable, "-c", DAEMON, str(model("serve")), *STUB]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        assert daemon.stderr is not None
        assert daemon.stdout.readline() == b"ready\n"
        daemon.kill()
        daemon.stderr.read()  # Ends when the engine, which inherited the other end, is gone.


@pytest.mark.parametrize(
    ("url", "message"),
    [("", "midfill models pull"), ("/nowhere/model.gguf", "no model file /nowhere"), ("FOLDER", "no model file")],
)
async def test_missing_model_says_what_to_do(tmp_path: Path, url: str, message: str) -> None:
    provider = embedded.make(Tier("embedded", url.replace("FOLDER", str(tmp_path))), tmp_path)
    with pytest.raises(errors.ModelMissing, match=message):
        await provider.describe()
    await provider.close()


async def test_file_that_is_no_model_never_reaches_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"PK")
    with pytest.raises(errors.ModelMissing, match="no GGUF"):
        weights.gguf(path)


@pytest.mark.skipif(not REAL_MODEL, reason="MIDFILL_TEST_MODEL names no GGUF file")
async def test_real_engine(capfd: pytest.CaptureFixture[str]) -> None:
    provider = embedded.make(Tier("embedded", REAL_MODEL), Path())
    prompt = "secret_of_the_user = 1\ndef add(a, b):\n    return"
    try:
        info = await provider.describe()
        assert info.local
        assert info.slots == 1
        assert 0 < info.prefill_tokens_s != 1000, "the warm-up measured it"
        assert await text(provider, prompt)
        assert await provider.count_tokens(prompt) > 5
    finally:
        await provider.close()
    assert "secret" not in "".join(capfd.readouterr())


@pytest.mark.skipif(not REAL_MODEL, reason="MIDFILL_TEST_MODEL names no GGUF file")
async def test_real_engine_refuses_a_model_cut_short(tmp_path: Path) -> None:
    short = tmp_path / "short.gguf"
    short.write_bytes(Path(REAL_MODEL).read_bytes()[:50_000_000])
    provider = embedded.make(Tier("embedded", str(short)), Path())
    with pytest.raises(errors.ProviderError, match=r"short\.gguf is cut short"):
        await provider.describe()
    await provider.close()
