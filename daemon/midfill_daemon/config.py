"""One frozen Config from defaults, config.toml and MIDFILL_* variables; a mistake is named with file and line."""

import difflib
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args, get_type_hints
from urllib.parse import urlsplit

from midfill_daemon import api_keys, fim, toml_file
from midfill_daemon.errors import ConfigError
from midfill_daemon.models import TIER_NAMES, Tier, TierName, Tiers
from midfill_daemon.paths import Paths
from midfill_daemon.toml_file import Key

PROVIDER_NAMES = ("embedded", "llama_server", "ollama", "openai_compatible", "scripted")

Listen = Literal["unix", "tcp"]
DEFAULT_LISTEN: Listen = "tcp" if sys.platform == "win32" else "unix"


@dataclass(frozen=True, slots=True)
class Daemon:
    idle_exit_s: float = 1800.0
    listen: Listen = DEFAULT_LISTEN
    port: int = 0
    """For `listen = "tcp"`; 0 takes any free port."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    stay: bool = False
    """Never exit for being idle."""


@dataclass(frozen=True, slots=True)
class Records:
    keep_days: int = 30
    """How long the text of prompts and answers is kept, where there is any; the rows without it stay for a year."""
    keep_mb: int = 500
    """How much of their text is kept."""


@dataclass(frozen=True, slots=True)
class Limits:
    queue: int = 64
    """Requests that may wait for one model; the next one is refused as busy."""
    completions_per_s: float = 20.0
    """Per editor, on average."""
    completions_burst: int = 60
    """Per editor, at once."""


@dataclass(frozen=True, slots=True)
class Config:
    daemon: Daemon = Daemon()
    records: Records = Records()
    limits: Limits = Limits()
    tiers: Tiers = field(default_factory=lambda: MappingProxyType({"inline": Tier("embedded")}))
    """Only the configured ones; `inline` always is."""
    sources: Mapping[Key, str] = field(default_factory=dict)
    """Where each value that is not a default came from: file:line, or the variable."""
    warnings: tuple[str, ...] = ()
    environment_digest: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """One value in use and where it came from: `default`, file:line, or the variable."""

    name: str
    value: object
    source: str


def load(paths: Paths, environment: Mapping[str, str]) -> Config:
    """Reads every source once. Raises ConfigError naming the file and line, or the variable, of a mistake."""
    variables = _from_variables(environment)
    # A variable that names a tier's service replaces the file's whole table: the table's API key is
    # meant for the table's own service.
    replaced = {key[:2] for key, found in variables.items() if found.source in SHORT_FORMS}
    file = {key: found for key, found in _from_file(paths.config_file).items() if key[:2] not in replaced}
    found = {**file, **variables}
    tiers = _tiers(found)
    return Config(
        daemon=Daemon(**_values(("daemon",), found)),
        records=Records(**_values(("records",), found)),
        limits=Limits(**_values(("limits",), found)),
        tiers=MappingProxyType(tiers),
        sources=MappingProxyType({key: each.source for key, each in found.items()}),
        warnings=tuple(_unknown_variables(environment, api_keys.variables(tiers))),
        environment_digest=environment_digest(environment),
    )


def describe(config: Config) -> list[Origin]:
    """Every value in use, section by section, with where it came from."""
    sections: dict[Key, Any] = {(name,): getattr(config, name) for name in SECTIONS}
    tables = sections | {("tiers", name): tier for name, tier in config.tiers.items()}
    return [
        Origin(".".join(key), getattr(table, key[-1]), config.sources.get(key, "default"))
        for above, table in tables.items()
        for key in ((*above, each.name) for each in fields(table))
    ]


def environment_digest(environment: Mapping[str, str]) -> str:
    """Equal for two environments that configure the daemon alike, so that a mismatch can be noticed."""
    known = sorted(
        (name, value) for name, value in environment.items() if value and (name in VARIABLES or name in SHORT_FORMS)
    )
    return hashlib.sha256(repr(known).encode("utf-8", "surrogateescape")).hexdigest()[:12]


# --- the table of keys ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """What one key accepts."""

    type: type
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 0

    @property
    def words(self) -> str:
        if self.choices:
            return "one of " + ", ".join(choice for choice in self.choices if choice)
        return WORDS[self.type].format(low=self.low, high=self.high)


WORDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number from {low} to {high}",
    float: "a number from {low} to {high}",
    str: "text without control characters",
}

BOOLEANS: Mapping[str, bool] = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}

READERS: Mapping[type, Callable[[str], object]] = {
    bool: lambda text: BOOLEANS.get(text.strip().lower()),
    int: int,
    float: float,
    str: str,
}
"""The value that a variable's text stands for; ValueError or None when it stands for none."""

RANGES: Mapping[tuple[str, str], tuple[float, float]] = {
    ("daemon", "idle_exit_s"): (0.1, 31_536_000),
    ("daemon", "port"): (0, 65_535),
    ("records", "keep_days"): (0, 365),
    ("records", "keep_mb"): (0, 1_000_000),
    ("limits", "queue"): (1, 100_000),
    ("limits", "completions_per_s"): (0.1, 100_000),
    ("limits", "completions_burst"): (1, 100_000),
    ("tiers", "context_tokens"): (0, 100_000_000),
    ("tiers", "prompt_tokens"): (0, 100_000_000),
    ("tiers", "context_share"): (-1, 1),
    ("tiers", "max_tokens"): (1, 1_000_000),
    ("tiers", "temperature"): (0, 2),
    ("tiers", "timeout_s"): (0.1, 3600),
    ("tiers", "slots"): (0, 1024),
}

CHOICES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("tiers", "provider"): PROVIDER_NAMES,
    ("tiers", "fim"): ("auto", *fim.FORMATS),
    ("tiers", "fall_back"): ("", *TIER_NAMES),
}
"""Beside those that a Literal type already lists."""

SECTIONS: Mapping[str, type] = {"daemon": Daemon, "records": Records, "limits": Limits}


def _kinds(above: Key, table: type) -> Iterator[tuple[Key, Kind]]:
    for name, hint in get_type_hints(table).items():
        place = (above[0], name)
        choices = get_args(hint) or CHOICES.get(place, ())
        yield (*above, name), Kind(str if choices else hint, choices, *RANGES.get(place, (0, 0)))


TABLES: Mapping[Key, type] = {
    **{(name,): table for name, table in SECTIONS.items()},
    **{("tiers", name): Tier for name in TIER_NAMES},
}
KINDS: Mapping[Key, Kind] = dict(pair for above, table in TABLES.items() for pair in _kinds(above, table))

VARIABLES: Mapping[str, Key] = {f"MIDFILL_{'_'.join(key).upper()}": key for key in KINDS}
SHORT_FORMS: Mapping[str, TierName] = {f"MIDFILL_TIER_{name.upper()}": name for name in TIER_NAMES}
"""`provider:url[#model]` in one variable."""

OTHER_VARIABLES = re.compile(r"MIDFILL_(HOME|EVAL_DATA|SOAK|TEST_.*)")
"""Ours, but read elsewhere."""


# --- sources --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    value: Any
    source: str


def _from_file(path: Path) -> dict[Key, Found]:
    leaves = toml_file.read(path, {("tiers",), *TABLES})
    return {leaf.key: _checked(leaf.key, leaf.value, f"{path}:{leaf.line}") for leaf in leaves}


def _from_variables(environment: Mapping[str, str]) -> dict[Key, Found]:
    """An empty variable counts as unset. The key's own variable wins over the short form."""
    found: dict[Key, Found] = {}
    for variable, name in SHORT_FORMS.items():
        if environment.get(variable):
            found |= _short_form(variable, name, environment[variable])
    for variable, key in VARIABLES.items():
        if environment.get(variable):
            found[key] = _checked(key, _read(KINDS[key], environment[variable]), variable)
    return found


def _short_form(variable: str, name: TierName, text: str) -> dict[Key, Found]:
    provider, colon, rest = text.partition(":")
    if not colon:
        raise ConfigError(f"{variable}: must be provider:url[#model], as in llama_server:http://127.0.0.1:8080")
    url, _, model = rest.partition("#")
    values = {"provider": provider, "url": url, "model": model}
    keys: dict[Key, str] = {("tiers", name, each): value for each, value in values.items()}
    return {key: _checked(key, value, variable) for key, value in keys.items()}


def _read(kind: Kind, text: str) -> object:
    """The text itself where it stands for no value of this kind, for the message that refuses it."""
    try:
        value = READERS[kind.type](text)
    except ValueError:
        return text
    return text if value is None else value


def _checked(key: Key, value: object, source: str) -> Found:
    kind = KINDS.get(key)
    if kind is None:
        raise _mistake(source, key, _unknown(key))
    if kind.type is float and type(value) is int:
        value = float(value)
    if not _accepts(kind, value):
        raise _mistake(source, key, f"must be {kind.words}{_quoted(kind, value)}")
    return Found(value, source)


def _accepts(kind: Kind, value: object) -> bool:
    if type(value) is not kind.type:
        return False
    if isinstance(value, str):
        return value in kind.choices if kind.choices else value.isprintable()
    return isinstance(value, bool) or (isinstance(value, int | float) and kind.low <= value <= kind.high)


def _quoted(kind: Kind, value: object) -> str:
    """Plain text is not quoted back, as it may be a secret in the wrong place; nor is anything unwieldy."""
    plain_text = kind.type is str and not kind.choices
    unwieldy = not isinstance(value, str | int | float) or (isinstance(value, int) and abs(value) > 2**64)
    return "" if plain_text or unwieldy else f", not {value!r:.40}"


def _unknown(key: Key) -> str:
    if key in TABLES or key == ("tiers",):
        return "must be a table"
    siblings = {known[len(key) - 1] for known in KINDS if len(known) >= len(key) and known[: len(key) - 1] == key[:-1]}
    return f"unknown key{_hint(key[-1], siblings)}"


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name[:100], sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _mistake(source: str, key: Key, problem: str) -> ConfigError:
    """A variable already names its key; a line of the file does not."""
    place = source if source in VARIABLES or source in SHORT_FORMS else f"{source}: {'.'.join(key)}"
    return ConfigError(f"{place}: {problem}")


def _unknown_variables(environment: Mapping[str, str], keys: frozenset[str]) -> Iterator[str]:
    known = {*VARIABLES, *SHORT_FORMS, *keys}
    for name in sorted(environment):
        if name.startswith("MIDFILL_") and name not in known and not OTHER_VARIABLES.fullmatch(name):
            yield f"{name}: unknown variable, ignored{_hint(name, known)}"


# --- tiers ----------------------------------------------------------------------------------------


def _values(above: Key, found: Mapping[Key, Found]) -> dict[str, Any]:
    return {key[-1]: each.value for key, each in found.items() if key[:-1] == above}


def _tiers(found: Mapping[Key, Found]) -> dict[TierName, Tier]:
    configured = {key[1] for key in found if key[0] == "tiers"} | {"inline"}
    tiers = {name: _tier(name, found) for name in TIER_NAMES if name in configured}
    for name, tier in tiers.items():
        key = ("tiers", name, "fall_back")
        if tier.fall_back and (tier.fall_back not in tiers or tier.fall_back == name):
            raise _mistake(found[key].source, key, "must name another tier that is configured")
    return tiers


def _tier(name: TierName, found: Mapping[Key, Found]) -> Tier:
    above = ("tiers", name)
    values = _values(above, found)
    if name == "inline":
        values.setdefault("provider", "embedded")
    if "provider" not in values:
        source = next(each.source for key, each in found.items() if key[:2] == above)
        raise _mistake(source, above, f"tiers.{name}.provider is not set")
    values |= {key: _home_expanded(values[key]) for key in PATH_KEYS if key in values}
    tier = Tier(**values)
    for key, problem in _tier_problems(tier):
        blamed = found.get((*above, key)) or found.get((*above, "provider"))
        raise _mistake(blamed.source if blamed else "default", (*above, key), problem)
    return tier


PATH_KEYS = ("url", "api_key_file")


def _home_expanded(text: str) -> str:
    # Unlike Path.expanduser this leaves the text alone where there is no home, and so it is refused as relative.
    return os.path.expanduser(text) if text.startswith("~/") else text  # noqa: PTH111


def _tier_problems(tier: Tier) -> Iterator[tuple[str, str]]:
    if problem := URL_PROBLEMS[tier.provider](tier.url):
        yield "url", problem
    if tier.api_key_env and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", tier.api_key_env):
        yield "api_key_env", "must be the name of a variable, never the key itself"
    if tier.api_key_file and tier.api_key_env:
        yield "api_key_file", "api_key_env is set too: keep one"
    if tier.api_key_file and (problem := _key_file_problem(tier.api_key_file)):
        yield "api_key_file", problem


def _key_file_problem(text: str) -> str:
    if not Path(text).is_absolute():
        return "must be an absolute path"
    try:
        api_keys.read_file(Path(text))
    except ConfigError as exc:
        return exc.message
    return ""


def _service_problem(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return "is not a URL"
    if not usable or " " in url:
        return "must be a URL like http://127.0.0.1:8080"
    if parts.username is not None or parts.query or parts.fragment:
        return "must hold no user, password, query or fragment: a key belongs into api_key_file or api_key_env"
    return ""


def _service_or_default_problem(url: str) -> str:
    return _service_problem(url) if url else ""


def _file_problem(url: str) -> str:
    return "" if not url or Path(url).is_absolute() else "must be empty or an absolute path"


def _script_problem(url: str) -> str:
    return _file_problem(url.partition("?")[0])


URL_PROBLEMS: Mapping[str, Callable[[str], str]] = {
    "embedded": _file_problem,
    "llama_server": _service_problem,
    "ollama": _service_or_default_problem,
    "openai_compatible": _service_problem,
    "scripted": _script_problem,
}
