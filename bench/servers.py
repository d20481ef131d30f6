"""What the benches run: `midfill-lsp`, the floor server, and one daemon with a scripted model, in a folder of its own."""

import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from midfill_cli.editor import SERVER
from midfill_cli.stdio_client import StdioClient
from midfill_daemon import launch
from midfill_daemon.client import Client

FLOOR = (sys.executable, "-P", str(Path(__file__).with_name("floor_pygls.py")))
ANSWER = "sum(first_value, second_value, third_value, fourth)"
"""What the scripted model says to everything, at once: what then remains is our own time."""

MODEL = f"scripted:?first_token_ms=0&slots=64&text={ANSWER}"
NO_WAIT: dict[str, object] = {"debounceMs": 0}
STOP_LIMIT_S = 15.0
PASSED_ON = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "SYSTEMROOT")


@asynccontextmanager
async def daemon() -> AsyncGenerator[tuple[Client, Mapping[str, str]], None]:
    """A daemon of our own, connected to, and the environment in which servers find it. Gone at the end."""
    with tempfile.TemporaryDirectory(prefix="midfill-bench-") as home:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment |= {
            "MIDFILL_HOME": home,
            "MIDFILL_TIER_INLINE": MODEL,
            # The benches ask as fast as they get answers, which no typist does.
            "MIDFILL_LIMITS_COMPLETIONS_PER_S": "100000",
            "MIDFILL_LIMITS_COMPLETIONS_BURST": "100000",
        }
        client = Client.of(environment)
        pid = (await client.connect()).pid
        try:
            yield client, environment
        finally:
            await client.post("/v1/stop")
            await client.close()
            if not await launch.ended(pid, STOP_LIMIT_S):
                raise RuntimeError(f"the bench's daemon, process {pid}, does not end")


@asynccontextmanager
async def server(
    command: Sequence[str],
    environment: Mapping[str, str],
    options: Mapping[str, object] = NO_WAIT,
    root: Path | None = None,
) -> AsyncGenerator[StdioClient, None]:
    """A server that has been through the handshake, without debounce."""
    async with StdioClient(command, env=environment, stderr=Path(os.devnull)) as client:
        await client.initialize(options, root=root)
        yield client


@asynccontextmanager
async def ours_and_floor(environment: Mapping[str, str]) -> AsyncGenerator[tuple[StdioClient, StdioClient], None]:
    async with server(SERVER, environment) as ours, server(FLOOR, environment) as floor:
        yield ours, floor
