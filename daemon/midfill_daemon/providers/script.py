"""The script that the scripted provider plays: its fields, and how JSON or options in a URL become one."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from midfill_daemon import fim
from midfill_daemon.errors import ConfigError

FAULTS = ("error_500", "rate_limited", "hang", "truncate", "refused", "garbage")


@dataclass(frozen=True, slots=True)
class Fault:
    """`number` is the seconds of `rate_limited` and the tokens before `truncate`."""

    kind: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """What to answer to a prompt whose tail matches."""

    match: re.Pattern[str] = re.compile("")
    text: str = ""
    fault: Fault = Fault()
    first_token_ms: float | None = None
    token_ms: float | None = None
    times: int | None = None
    seed: int | None = None
    """Only for the sample of this number; 0 is what is asked for first."""


@dataclass(frozen=True, slots=True)
class Script:
    """All of a script; every field has a default."""

    model: str = "scripted"
    fim: str = fim.PREFIX_ONLY
    context_tokens: int = 8192
    slots: int = 4
    first_token_ms: float = 0.0
    token_ms: float = 0.0
    seed: int = 0
    right_share: float = 1.0
    oracle: tuple[str, ...] = ()
    """The texts of the files that a prompt is looked up in."""
    rules: tuple[Rule, ...] = ()


def load(url: str) -> Script:
    """The script behind a tier's url. Raises ConfigError naming the field that is wrong."""
    path, _, options = url.partition("?")
    raw = _read(Path(path)) if path else {}
    script = parse(raw, Path(path).parent)
    return _with_options(script, options) if options else script


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise ConfigError(f"{path}: is not JSON: {exc}") from exc


def parse(raw: Any, folder: Path) -> Script:
    """`raw` as a script; the oracle's paths are relative to `folder`. Raises ConfigError naming the field."""
    fields = _fields(raw, SCRIPT_FIELDS, "script")
    oracle = tuple(_source(folder / path) for path in fields.pop("oracle", ()))
    rules = tuple(_rule(rule, f"rules[{index}]") for index, rule in enumerate(fields.pop("rules", ())))
    return Script(**fields, oracle=oracle, rules=rules)


def _rule(raw: Any, name: str) -> Rule:
    return Rule(**_fields(raw, RULE_FIELDS, name))


def _with_options(script: Script, options: str) -> Script:
    """The script with the values of `name=value&…`; those that only a rule has make one for every prompt."""
    raw = {name: _option(name, value) for name, value in parse_qsl(options, keep_blank_values=True)}
    for_rule = {name: raw.pop(name) for name in RULE_FIELDS.keys() - SCRIPT_FIELDS.keys() if name in raw}
    rules = (_rule(for_rule, "options"),) if for_rule else ()
    return replace(script, **_fields(raw, OPTION_FIELDS, "options"), rules=(*rules, *script.rules))


def _option(name: str, value: str) -> str | float | int:
    if (SCRIPT_FIELDS | RULE_FIELDS).get(name) not in NUMERIC:
        return value
    try:
        number = float(value)
    except ValueError as exc:
        raise ConfigError(f"options.{name}: must be a number") from exc
    return int(number) if number.is_integer() else number


Check = Callable[[Any], Any]
"""Turns a raw value into a field's, or raises ValueError saying what it must be."""


def _fields(raw: Any, checks: Mapping[str, Check], name: str) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{name}: must be an object")
    if unknown := sorted(raw.keys() - checks.keys()):
        raise ConfigError(f"{name}.{unknown[0]}: is not one of {', '.join(checks)}")
    return {key: _checked(raw[key], checks[key], f"{name}.{key}") for key in raw}


def _checked(value: Any, check: Check, name: str) -> Any:
    try:
        return check(value)
    except ValueError as exc:
        raise ConfigError(f"{name}: {exc}") from exc


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")
    return value


def _pattern(value: Any) -> re.Pattern[str]:
    try:
        return re.compile(_text(value), re.MULTILINE)
    except re.error as exc:
        raise ValueError(f"is not a regular expression: {exc}") from exc


def _milliseconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError("must be a number, 0 or more")
    return float(value)


def _share(value: Any) -> float:
    if _milliseconds(value) > 1:
        raise ValueError("must be a number from 0 to 1")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("must be a whole number, 0 or more")
    return value


def _positive(value: Any) -> int:
    if _whole(value) == 0:
        raise ValueError("must be a whole number, 1 or more")
    return int(value)


def _fault(value: Any) -> Fault:
    kind, _, number = _text(value).partition(":")
    if kind and kind not in FAULTS:
        raise ValueError(f"must be empty or one of {', '.join(FAULTS)}")
    if number and not number.isdecimal():
        raise ValueError(f"must have a whole number after {kind}:")
    return Fault(kind, int(number or 0))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("must be a list")
    return value


def _format(value: Any) -> str:
    if _text(value) not in fim.FORMATS:
        raise ValueError(f"must be one of {', '.join(fim.FORMATS)}")
    return str(value)


def _paths(value: Any) -> list[str]:
    return [_text(item) for item in _list(value)]


def _source(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError as exc:
        raise ConfigError(f"script.oracle: {path}: cannot be read: {exc.strerror}") from exc


SCRIPT_FIELDS: dict[str, Check] = {
    "model": _text,
    "fim": _format,
    "context_tokens": _positive,
    "slots": _positive,
    "first_token_ms": _milliseconds,
    "token_ms": _milliseconds,
    "seed": _whole,
    "right_share": _share,
    "oracle": _paths,
    "rules": _list,
}
RULE_FIELDS: dict[str, Check] = {
    "match": _pattern,
    "text": _text,
    "fault": _fault,
    "first_token_ms": _milliseconds,
    "token_ms": _milliseconds,
    "times": _whole,
    "seed": _whole,
}
NUMERIC: tuple[Check, ...] = (_milliseconds, _share, _whole, _positive)
OPTION_FIELDS = {name: check for name, check in SCRIPT_FIELDS.items() if check not in (_paths, _list)}
