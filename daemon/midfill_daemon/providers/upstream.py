"""What the providers that speak HTTP share: which error of ours an answer is, and where a service runs."""

import ipaddress
import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from midfill_daemon.errors import (
    ProviderDown,
    ProviderError,
    ProviderRejected,
    ProviderTimeout,
    RateLimited,
    Truncated,
)

CONNECT_S = 5.0
KEPT_ALIVE_S = 3.0
"""Below the 5 s after which llama-server closes an idle connection, perhaps just as we write to it."""

LINE_LIMIT_BYTES = 4 << 20
BYTES_PER_RARE_TOKEN = 2
"""Of characters beyond ASCII; the older vocabularies know few of them."""

REASON_CHARS = 160
ECHO_CHARS = 16
"""An error message that shares this many characters with the prompt is taken to quote it."""

LONGEST_RETRY_S = 3600.0
REFUSED_KEY = (401, 403)
TOO_MANY = 429
LOADING = "loading model"


def client(base_url: str, api_key: str, timeout_s: float) -> httpx.AsyncClient:
    """A client of one service, for JSON."""
    return httpx.AsyncClient(
        base_url=base_url,
        headers={"Content-Type": "application/json"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {}),
        timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
        limits=httpx.Limits(keepalive_expiry=KEPT_ALIVE_S),
        # A proxy of the environment cannot reach this machine's own loopback.
        trust_env=not is_local(base_url),
        # Without TLS, loading the certificates would block the loop for 60 ms and more.
        verify=not base_url.startswith("http:"),
    )


def failure(exc: Exception, url: str, timeout_s: float, *, text_arrived: bool) -> ProviderError:
    """The error for what httpx raises, a timeout, garbage or a missing end."""
    if isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol):
        return ProviderDown(f"nothing answers at {address(url)}")
    if isinstance(exc, httpx.TimeoutException | TimeoutError):
        return ProviderTimeout(f"no answer within {timeout_s:g} s")
    return broken(text_arrived)


async def lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Lines without their end. httpx's own line reader also breaks at U+2028 and others, inside of JSON strings."""
    pending: list[bytes] = []
    size = 0
    async for chunk in chunks:
        *complete, rest = chunk.split(b"\n")
        for line in complete:
            yield b"".join((*pending, line)).rstrip(b"\r")
            pending, size = [], 0
        pending.append(rest)
        size += len(rest)
        if size > LINE_LIMIT_BYTES:
            raise ValueError("a line is too long")


def refusal(status: int, headers: Mapping[str, str], body: Any, prompt: str, now: datetime) -> ProviderError:
    """The error for an HTTP status that is no success; `body` is what the service said, `prompt` what we had sent."""
    said = reason(body, prompt)
    if status in REFUSED_KEY:
        return ProviderRejected(f"the service refused the API key (HTTP {status})")
    if status == TOO_MANY:
        return RateLimited("the service asks for fewer requests (HTTP 429)", retry_after_s(headers, now))
    if status == 503 and LOADING in said.lower():
        return ProviderDown("the model is still loading")
    message = f"the service answered HTTP {status}" + (f": {said}" if said else "")
    return ProviderRejected(message) if 400 <= status < 500 else ProviderError(message)


def reason(body: Any, prompt: str) -> str:
    """The short message inside the body of an error; "" when there is none, it is HTML, or it quotes the prompt."""
    for key in ("error", "message", "detail"):
        if isinstance(body, Mapping) and key in body:
            body = body[key]
    if not isinstance(body, str) or body.lstrip().startswith("<"):
        return ""
    said = " ".join(body.split())[:REASON_CHARS]
    return "" if _echoes(said, prompt) else said


def _echoes(said: str, prompt: str) -> bool:
    sent = " ".join(prompt.split())
    windows = (said[at : at + ECHO_CHARS] for at in range(max(1, len(said) - ECHO_CHARS + 1)))
    return any(len(window) == ECHO_CHARS and window in sent for window in windows)


def encoded(body: Mapping[str, Any]) -> bytes:
    """A body as JSON. A lone surrogate, which no service can read, becomes a question mark."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def well_formed(text: str) -> str:
    """`text` with lone surrogates replaced, for a library that encodes by itself."""
    return text.encode("utf-8", "replace").decode()


def decoded(content: bytes) -> Any:
    """The JSON in a body, or its text: an error page of a proxy is no reason to fail differently."""
    try:
        return parsed(content)
    except ValueError:
        return ""


def parsed(content: bytes) -> Any:
    """The JSON in `content`. Raises ValueError for anything else, however deeply nested."""
    try:
        return json.loads(content)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc


def estimated_tokens(text: str, chars_per_token: float) -> int:
    """For a service without a tokenizer: rather too many than too few."""
    plain = sum(map(str.isascii, text)) if not text.isascii() else len(text)
    rare_bytes = len(text.encode("utf-8", "replace")) - plain
    return math.ceil(plain / chars_per_token + rare_bytes / BYTES_PER_RARE_TOKEN)


def count(raw: Mapping[str, Any], name: str, default: int = 0) -> int:
    """A whole number in what a service says; `default` for anything else."""
    value = raw.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def reported_status(code: Any) -> int:
    """The HTTP status that an error inside a stream stands for: its `code` where that is one, else 500."""
    return int(code) if str(code).isdecimal() and 400 <= int(code) < 600 else 500


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait that Retry-After asks for, as seconds or as a date; None when absent or not understood."""
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value, now)
    return min(max(0.0, seconds), LONGEST_RETRY_S) if math.isfinite(seconds) else None


def _seconds_until(date: str, now: datetime) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return math.nan
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()


def broken(text_arrived: bool) -> ProviderError:
    """The error for a stream without its last event."""
    if text_arrived:
        return Truncated("the stream of the service broke off")
    return ProviderError("the service answered nothing that could be read")


def address(url: str) -> str:
    """Scheme, host and port of a URL: what a message may show."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def stream_headers(url: str) -> Mapping[str, str]:
    """What a streaming request needs besides its content.

    llama-server closes its connection after a stream without announcing it; the next request on it then fails, about
    one in seven on an idle machine. A new connection is cheap, except with TLS, where a proxy keeps them in order.
    """
    return {"Connection": "close"} if urlsplit(url).scheme == "http" else {}


def is_local(url: str) -> bool:
    """Whether the service runs on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def now() -> datetime:
    return datetime.now(UTC)
