"""The embedded engine's process: `python -m midfill_daemon.engine` runs llama.cpp's HTTP server until stdin closes.

The first line of stdin is one JSON object with the fields of `Settings`. The answer is one JSON line on stdout:
`{"ready": true, "url": …}` or `{"error": code, "message": …}`. It is a process of its own because a crash of native
code (a broken model, a processor without AVX2) must not take the daemon along.
"""

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

from midfill_daemon import errors

PROMPT_CACHE_MIB = 256
"""RAM for the KV states of replaced prompts (llama.cpp's default is 8 GiB).

With it one slot serves several editors: going back to an earlier prompt takes 30 ms instead of a second.
"""
REUSE_TOKENS = 32
"""The shortest run of tokens moved within the KV cache; with 0, an edit in mid-prompt evaluates all that follows it."""
WARNINGS = 2
"""The log level: errors and warnings. Prompts are printed at the debug level only."""
NO_ORIGIN = "https://no-origin.invalid"
"""The default lets every web page read the answers, held off by the API key alone."""
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run the model; the daemon writes these and nobody else."""

    model: str
    api_key: str
    threads: int
    """For generating, which memory bandwidth bounds: a second thread on two cores halves the speed."""
    prompt_threads: int
    """For reading prompts, which arithmetic bounds: every core helps, also on a busy machine."""
    context_tokens: int
    """Per slot."""
    slots: int
    batch: int
    """Tokens evaluated at a time: a cancelled request leaves its slot within one or two batches."""


class Server(Protocol):
    """A running HTTP server; it stops when it is collected."""

    listening_address: str


def main(serve: Callable[[Settings], Server]) -> None:
    """Never returns while stdin is open; EOF means that the daemon stopped us or died."""
    answer = _take_stdout()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    settings = Settings(**json.loads(sys.stdin.readline()))
    watcher = threading.Thread(target=_exit_at_eof, daemon=True)
    watcher.start()
    try:
        server = serve(settings)
    except errors.MidfillError as exc:
        _say(answer, {"error": exc.code, "message": exc.message})
        os._exit(1)  # An orderly exit would fight the watcher for stdin.
    _say(answer, {"ready": True, "url": server.listening_address})
    watcher.join()


def serve_llama(settings: Settings) -> Server:
    """Load the model. Raises ModelMissing without the engine, ProviderError when it cannot run the model."""
    if max(settings.threads, settings.prompt_threads) > 1:
        # Spinning OpenMP threads starve each other on a busy machine. libgomp reads this once, while it is loaded.
        os.environ["OMP_WAIT_POLICY"] = "passive"
    try:
        import xllamacpp
    except ModuleNotFoundError as exc:
        raise errors.ModelMissing("the embedded engine is not installed: pip install 'midfill[embedded]'") from exc
    except ImportError as exc:
        raise errors.ProviderError(f"the embedded engine does not run on this system: {exc}") from exc
    try:
        server: Server = xllamacpp.Server(_parameters(xllamacpp.CommonParams(), settings))
    except RuntimeError as exc:
        # It says no more than that; the cause is in the lines that it printed to the log.
        name = Path(settings.model).name
        raise errors.ProviderError(f"{name} is cut short, damaged or of an unknown kind: the log says which") from exc
    return server


def _parameters(parameters: Any, settings: Settings) -> Any:
    parameters.model.path = settings.model
    parameters.api_keys = [settings.api_key]
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.ui = False
    parameters.fit_params = False  # It would load the model twice, to fit a GPU's memory.
    parameters.cors_origins = NO_ORIGIN
    parameters.cors_credentials = False
    parameters.verbosity = WARNINGS
    parameters.n_parallel = settings.slots
    parameters.n_ctx = settings.context_tokens * settings.slots
    parameters.n_batch = parameters.n_ubatch = settings.batch
    parameters.n_cache_reuse = REUSE_TOKENS
    parameters.cache_ram_mib = PROMPT_CACHE_MIB
    parameters.cpuparams.n_threads = settings.threads
    parameters.cpuparams_batch.n_threads = settings.prompt_threads
    return parameters


def _take_stdout() -> TextIO:
    """stdout as a stream of ours; what native code prints to file descriptor 1 goes to stderr, the log."""
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "w", encoding="utf-8")


def _say(answer: TextIO, message: dict[str, Any]) -> None:
    answer.write(json.dumps(message) + "\n")
    answer.flush()


def _exit_at_eof() -> None:
    while sys.stdin.readline():
        pass
    # Destructors would first finish the running requests.
    os._exit(0)


def _die_with_parent() -> None:
    """On Linux the kernel also ends us with the thread that started us, should stdin be held open by a stranger."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main(serve_llama)
