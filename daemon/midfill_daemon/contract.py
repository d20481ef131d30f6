"""What travels between a client and the daemon: requests, events, tools, versions. Imports nothing of ours."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import groupby
from typing import Any, ClassVar, Literal, TypeVar

PROTOCOL_VERSION = 1
"""Shared by both sides; a client starts or keeps only a daemon that speaks exactly this version."""

Raw = Mapping[str, Any]
"""A decoded JSON object that nobody has checked yet."""


# --- the completion task ------------------------------------------------------------------------

Shape = Literal["line", "block"]
"""`line` ends at the first line break; `block` may run on to the end of the enclosing scope."""

Priority = Literal["interactive", "speculative", "batch"]


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of another file that helps to complete this one; `score` orders them, best first."""

    path: str
    text: str
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """Text around the caret with `\\n` line ends; `path` is relative to the workspace, with `/`."""

    path: str
    language: str
    prefix: str
    suffix: str
    shape: Shape = "block"
    max_tokens: int = 64
    """0 is a warm-up: the model reads the prompt into its KV cache and writes nothing."""
    repository: str = ""
    snippets: tuple[Snippet, ...] = ()
    priority: Priority = "interactive"
    editor: str = ""
    """An opaque id of the editor window, so that its KV cache stays in one slot of the engine."""
    variant: int = 0
    """0 is what the model says first; each other number is another sample, for who wants to choose.

    A daemon that does not know of variants gives the first answer again."""

    def raw(self) -> Raw:
        """As it travels. Not asdict: it copies deeply, and that takes as long as the ranking of the snippets."""
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        snippets = [{"path": each.path, "text": each.text, "score": each.score} for each in self.snippets]
        return {**values, "snippets": snippets}


# --- the writing tasks --------------------------------------------------------------------------

Input = Literal["selection", "document", "diff"]
Output = Literal["replace", "below", "text", "items"]
"""What becomes of an answer: it takes the place of the input, goes below it, is only shown, or is a list of values."""

Verdict = Literal["ok", "unchanged", "ask"]
"""Of a guard on a whole answer: use it; there was nothing to do; something was lost, so ask before it is used."""


@dataclass(frozen=True, slots=True)
class WritingRequest:
    """A text and what to do with it. All texts have `\\n` line ends; which task it is says the route."""

    text: str
    """The selection, the document or the diff."""
    before: str = ""
    after: str = ""
    """What stands around a selection; read only by tasks that say so (`TaskInfo.context`)."""
    language: str = ""
    """The editor's id of the document's language, as `markdown`."""
    path: str = ""
    """Relative to the workspace, with `/`."""
    options: Mapping[str, str] = field(default_factory=dict)
    """By `TaskOption.name`."""
    request_id: str = ""
    """Chosen by the client; a request that is sent again with the same id is paid once. "": it gets one."""

    def raw(self) -> Raw:
        """As it travels."""
        return {part.name: getattr(self, part.name) for part in fields(self)}


@dataclass(frozen=True, slots=True)
class TaskOption:
    """Something to choose before a task runs: the target language, the tone, an instruction."""

    name: str
    title: str
    choices: tuple[str, ...] = ()
    """Proposals; any short text is taken."""
    default: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """One task as menus and command lines show it: GET /v1/tasks."""

    name: str
    title: str
    input: Input
    output: Output
    options: tuple[TaskOption, ...] = ()
    context: bool = False
    """Whether it reads what stands around a selection."""
    ready: bool = True
    via: str = "model"
    """`model`, or the name of the way without one that answers now."""
    reason: str = ""
    """Why it is not ready, with the tier to configure."""
    credits: int = 1
    own: bool = False
    """Whether the user has added it."""


# --- events, one JSON object a line --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delta:
    """Generated text, to be appended."""

    type: ClassVar[str] = "delta"
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """One complete value of a list answer (an action item, a finding, a document)."""

    type: ClassVar[str] = "item"
    data: Raw


@dataclass(frozen=True, slots=True)
class Status:
    """Progress in words; `code` is stable, `message` is for people, `data` for programs."""

    type: ClassVar[str] = "status"
    code: str
    message: str = ""
    data: Raw = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """The daemon asks the client to run a workspace tool; the answer goes to /v1/runs/{run}/calls/{id}."""

    type: ClassVar[str] = "call"
    run: str
    id: str
    tool: str
    arguments: Raw


@dataclass(frozen=True, slots=True)
class Result:
    """The last event of a run that succeeded."""

    type: ClassVar[str] = "result"
    data: Raw = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """The last event of a run that failed; `code` is one of `errors.CODES`."""

    type: ClassVar[str] = "error"
    code: str
    message: str
    retry_after_s: float | None = None


Event = Delta | Item | Status | Call | Result | Failure
EVENTS: Mapping[str, type[Event]] = {kind.type: kind for kind in (Delta, Item, Status, Call, Result, Failure)}
FIELDS: Mapping[str, tuple[str, ...]] = {
    name: tuple(part.name for part in fields(kind)) for name, kind in EVENTS.items()
}
TYPES: Mapping[Any, type] = {str: str, Raw: dict}
CHECKED: Mapping[str, tuple[tuple[str, type], ...]] = {
    name: tuple((part.name, TYPES[part.type]) for part in fields(kind) if part.type in TYPES)
    for name, kind in EVENTS.items()
}
"""The fields of each event that must be text or an object."""


def encode(event: Event) -> bytes:
    """One event as a line of ASCII JSON (ASCII, so that a lone surrogate survives the wire)."""
    # Not asdict: it copies deeply, and for every token that costs more than the JSON.
    values = {name: getattr(event, name) for name in FIELDS[event.type]}
    return json.dumps({"type": event.type, **values}).encode() + b"\n"


def encode_all(events: Iterable[Event]) -> bytes:
    """Events as lines; text that is ready at once is one line, however many tokens it was."""
    return b"".join(map(encode, joined(events)))


def joined(events: Iterable[Event]) -> Iterator[Event]:
    """The same events with texts that follow each other as one."""
    for is_text, group in groupby(events, lambda event: isinstance(event, Delta)):
        if is_text:
            yield Delta("".join(event.text for event in group if isinstance(event, Delta)))
        else:
            yield from group


def decode(line: bytes | str) -> Event:
    """The event of one line. Raises ValueError for anything that is not one; unknown fields are ignored."""
    try:
        raw = json.loads(line)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str) or raw["type"] not in EVENTS:
        raise ValueError("not an event")
    kind = EVENTS[raw["type"]]
    known = {name: raw[name] for name in FIELDS[kind.type] if name in raw}
    for name, expected in CHECKED[kind.type]:
        if name in known and not isinstance(known[name], expected):
            raise ValueError(f"event {kind.type}: {name} is of another type")
    try:
        return kind(**known)
    except TypeError as exc:
        raise ValueError(f"event {kind.type}: {exc}") from exc


# --- the handshake -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InlineModel:
    """What the language server must know of the inline model to build a request that fits it."""

    ready: bool
    reason: str = ""
    """Why it is not ready, in words for the user; empty when ready."""
    code: str = ""
    name: str = ""
    provider: str = ""
    format: str = ""
    """The FIM format, or `prefix-only`: then nothing after the caret is used."""
    revision: str = ""
    """Changes with the model, the template, the sampling and the prompt version; part of every cache key."""
    context_tokens: int = 2048
    prompt_tokens: int = 1024
    """The largest prompt that the daemon will send; the server packs to it."""
    context_share: float = 0.5
    """How much of it snippets may take; the daemon drops those of the lowest score until they keep to it."""
    max_tokens: int = 64
    chars_per_token: float = 3.0
    prefill_tokens_s: float = 1000.0
    local: bool = True
    reads_ahead: bool = False
    """Whether a warm-up is of use; where it is not, the daemon answers it without asking the model."""


@dataclass(frozen=True, slots=True)
class Health:
    """The answer of GET /v1/health."""

    version: str
    protocol: int
    pid: int
    inline: InlineModel
    uptime_s: float = 0.0
    draining: bool = False
    environment: str = ""
    """A digest of the MIDFILL_* variables the daemon was started with, to notice a mismatch."""


def parse_health(raw: Any) -> Health:
    """Raises ValueError when the answer is not a handshake of any version."""
    if not isinstance(raw, dict) or not isinstance(raw.get("protocol"), int):
        raise ValueError("not a Midfill daemon")
    inline = raw.get("inline")
    model = _only_known(InlineModel, inline if isinstance(inline, dict) else {"ready": False})
    return _only_known(Health, {**raw, "inline": model})


HandshakeT = TypeVar("HandshakeT", InlineModel, Health)


NUMBER: Any = (int, float)


def _only_known(kind: type[HandshakeT], raw: Raw) -> HandshakeT:
    known = {part.name: raw[part.name] for part in fields(kind) if part.name in raw}
    for part in fields(kind):
        expected: Any = NUMBER if part.type is float else part.type
        if part.name in known and not isinstance(known[part.name], expected):
            raise ValueError(f"{kind.__name__}: {part.name} is of another type")
    try:
        return kind(**known)
    except TypeError as exc:
        raise ValueError(f"{kind.__name__}: {exc}") from exc
