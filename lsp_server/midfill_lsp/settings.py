"""Client options -> one frozen Settings, defaults beside the fields."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

Trigger = Literal["automatic", "manual"]
Speculation = Literal["auto", "off", "always"]
Streaming = Literal["none", "once", "live"]

USER_LEVEL_ONLY = frozenset(
    {"daemon", "daemonPath", "socket", "url", "model", "python", "pythonPath", "token", "apiKey"}
)
"""An editor merges a workspace's settings into what it sends, so a cloned repository could choose these."""

KNOWN_WAITS_S: Mapping[str, float] = {"Visual Studio Code": 0.05, "code-server": 0.05, "Neovim": 0.2}
"""How long an editor's built-in client waits after a change before it asks (measured)."""

ABSOLUTE = re.compile(r"/|\\\\|[A-Za-z]:[/\\]|[A-Za-z][A-Za-z0-9+.-]+:/")
"""A path of Unix or Windows, or a uri; what is relative to a folder is a matter of `exclude`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an editor may choose for one window."""

    enabled: bool = True
    trigger: Trigger = "automatic"
    debounce_s: float = 0.075
    client_wait_s: float = 0.0
    """How long the client itself waits between a change and its request; counts towards the debounce."""
    disabled_languages: tuple[str, ...] = ()
    disabled_folders: tuple[str, ...] = ()
    """Absolute paths or uris: in them, and in all that is below, nothing is suggested, and nothing of it is sent."""
    exclude: tuple[str, ...] = ()
    """Globs of files that are never read or sent, besides the built-in ones."""
    send_ignored_files: bool = False
    """Whether what git ignores is sent when it is open; what a `.midfillignore` file names never is."""
    context: bool = True
    """Whether a model is told of other files: what can be used here, what was edited lately, what is similar."""
    max_tokens: int = 64
    max_file_chars: int = 5_000_000
    index: bool = True
    """Whether a process of its own reads the workspace, so that completions know its other files."""
    speculation: Speculation = "auto"
    """Whether to ask ahead of the user: "always" also on battery and on a busy machine."""
    speculation_tokens_per_minute: int | None = None
    """The most that may be generated ahead of the user; None: what suits the model (see `governor`)."""
    streaming: Streaming = "none"
    """How a suggestion that grows after it was answered is told to a client that can show that (`midfill/more`)."""
    candidates: int = 3
    """How many suggestions there are at most for who asks by hand."""


@dataclass(frozen=True, slots=True)
class Field:
    """How one camelCase option of the client becomes one field."""

    name: str
    parse: Callable[[Any], Any]


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _choice(*names: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if value not in names:
            raise ValueError(f"must be {', '.join(names[:-1])} or {names[-1]}")
        return str(value)

    return parse


def _milliseconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10_000:
        raise ValueError("must be a number of milliseconds from 0 to 10000")
    return value / 1000


def _count(low: int, high: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return parse


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(item, str) for item in value):
        raise ValueError("must be a list of texts")
    return tuple(value)


def _folders(value: Any) -> tuple[str, ...]:
    folders = _texts(value)
    if not all(ABSOLUTE.match(folder) for folder in folders):
        raise ValueError("must be a list of absolute paths or uris")
    return folders


FIELDS: Mapping[str, Field] = {
    "enabled": Field("enabled", _flag),
    "trigger": Field("trigger", _choice(*get_args(Trigger))),
    "debounceMs": Field("debounce_s", _milliseconds),
    "clientWaitMs": Field("client_wait_s", _milliseconds),
    "disabledLanguages": Field("disabled_languages", _texts),
    "disabledFolders": Field("disabled_folders", _folders),
    "exclude": Field("exclude", _texts),
    "sendIgnoredFiles": Field("send_ignored_files", _flag),
    "context": Field("context", _flag),
    "maxTokens": Field("max_tokens", _count(1, 1024)),
    "maxFileChars": Field("max_file_chars", _count(1, 50_000_000)),
    "index": Field("index", _flag),
    "speculation": Field("speculation", _choice(*get_args(Speculation))),
    "speculationTokensPerMinute": Field("speculation_tokens_per_minute", _count(0, 1_000_000)),
    "streaming": Field("streaming", _choice(*get_args(Streaming))),
    "candidates": Field("candidates", _count(1, 5)),
}


def defaults_for(client_name: str) -> Settings:
    """The settings of a client that has said nothing but its name."""
    return Settings(client_wait_s=KNOWN_WAITS_S.get(client_name, 0.0))


def parse(raw: Any, base: Settings) -> tuple[Settings, tuple[str, ...]]:
    """`base` with the client's options on top, and a sentence for each option that was not taken.

    Accepts the options themselves or `{"midfill": options}`, as editors send either.
    """
    raw = _options(raw)
    if raw is None:
        return base, ()
    if not isinstance(raw, Mapping):
        return base, ("midfill: the settings must be an object",)
    changes: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in raw.items():
        try:
            changes[_field(key).name] = _field(key).parse(value)
        except ValueError as exc:
            problems.append(f"midfill.{str(key)[:64]}: {exc}")
    return replace(base, **changes), tuple(problems)


def handed_over(raw: Mapping[Any, Any], initial: Settings, defaults: Settings) -> Settings:
    """`initial`, the settings of the start, without the options that the client's configuration names: from now on
    that alone decides about them, so that one which is not named any more has its default."""
    names = (FIELDS[key].name for key in _options(raw) if key in FIELDS)
    return replace(initial, **{name: getattr(defaults, name) for name in names})


def _options(raw: Any) -> Any:
    section = raw.get("midfill") if isinstance(raw, Mapping) else None
    return section if isinstance(section, Mapping) else raw


def _field(key: str) -> Field:
    if key in USER_LEVEL_ONLY:
        raise ValueError("is taken from your own configuration file only (see `midfill config`), never from an editor")
    if key not in FIELDS:
        near = difflib.get_close_matches(str(key), FIELDS, n=1)
        raise ValueError(f"unknown setting{f'; did you mean {near[0]}?' if near else ''}")
    return FIELDS[key]
