"""Decoded JSON params -> lsprotocol values: strict about types, with the repairs that real clients need."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cattrs import BaseValidationError, Converter, StructureHandlerNotFoundError, transform_error
from lsprotocol import types
from pygls.protocol import default_converter

UNPARSABLE = (
    BaseValidationError,
    StructureHandlerNotFoundError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a converter raises, or the hooks of lsprotocol within it, when a value has the wrong shape."""

_MAX_INTEGER = 2**31 - 1
_MAX_MESSAGE = 200


class BadParams(Exception):
    """The message names the fields that are wrong and never quotes their values."""


def strict_converter() -> Converter:
    """The pygls converter without its silent coercions (it reads a list as the string "['…']")."""
    converter: Converter = default_converter()
    # A hook serves subclasses, too: the enumerations of LSP, and bool where it has no hook of its own.
    converter.register_structure_hook(str, _strict_str)
    converter.register_structure_hook(bool, _strict_bool)
    converter.register_structure_hook(int, _strict_int)
    return converter


def structure(converter: Converter, method: str, raw: object) -> Any:
    """The typed params of `method`; a method that LSP does not know keeps its raw params. Raises BadParams."""
    kind = params_type(method)
    if kind is None:
        return None if method in types.METHOD_TO_TYPES else raw
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise BadParams("params: must be an object")
    try:
        return converter.structure(raw, kind)
    except UNPARSABLE as first:
        repair = _REPAIRS.get(method)
        if repair is None:
            raise BadParams(_explain(first)) from None
    # Repairs run only after a failure, so that well-formed params never pay for them.
    try:
        return converter.structure(repair(converter, raw), kind)
    except UNPARSABLE as second:
        raise BadParams(_explain(second)) from None


def optional(arguments: Sequence[object], *kinds: type) -> list[Any]:
    """The arguments of a command, of which any may be missing or null. Raises BadParams."""
    if len(arguments) > len(kinds):
        raise BadParams(f"arguments: must be {len(kinds)} at most")
    for place, (value, kind) in enumerate(zip(arguments, kinds, strict=False)):
        if value is not None and type(value) is not kind:
            raise BadParams(f"arguments[{place}]: must be {kind.__name__}")
    return [*arguments, *[None] * (len(kinds) - len(arguments))]


def params_type(method: str) -> Any:
    return types.METHOD_TO_TYPES.get(method, (None, None, None))[2]


def is_request(method: str) -> bool:
    """Whether LSP knows `method` as a request, which makes no sense without an id."""
    return types.METHOD_TO_TYPES.get(method, (None, None))[1] is not None


def _strict_str(value: object, kind: type[str]) -> str:
    if type(value) is not str:
        raise TypeError("string")
    return kind(value)


def _strict_bool(value: object, _: type[bool]) -> bool:
    """0 and 1 pass: Vim script has no other booleans by default."""
    if value not in (False, True):
        raise TypeError("boolean")
    return bool(value)


def _strict_int(value: object, kind: type[int]) -> int:
    """Whole floats pass (Lua and JavaScript know one kind of number); "to the end" sentinels are clamped."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise TypeError("integer")
    return kind(min(value, _MAX_INTEGER))


# --- repairs ------------------------------------------------------------------------------------

Repair = Callable[[Converter, dict[str, Any]], dict[str, Any]]


def _repair_inline_completion(_: Converter, params: dict[str, Any]) -> dict[str, Any]:
    """Clients before 3.18 count triggerKind from 0, send ranges as arrays, or no context at all."""
    raw = params.get("context")
    context = dict(raw) if isinstance(raw, dict) else {}
    if context.get("triggerKind") not in (1, 2):
        context["triggerKind"] = types.InlineCompletionTriggerKind.Invoked.value
    selected = context.get("selectedCompletionInfo")
    if isinstance(selected, dict):
        context["selectedCompletionInfo"] = {**selected, "range": _range_object(selected.get("range"))}
    # A progress token of a wrong type costs only the progress report.
    return {**_without(params, "workDoneToken"), "context": context}


def _range_object(raw: object) -> object:
    if isinstance(raw, list) and len(raw) == 2:
        return {"start": raw[0], "end": raw[1]}
    return raw


def _repair_did_change(_: Converter, params: dict[str, Any]) -> dict[str, Any]:
    """A null range means the whole document; the deprecated rangeLength is never used."""
    changes = params.get("contentChanges")
    if not isinstance(changes, list):
        return params
    return {**params, "contentChanges": [_repair_change(change) for change in changes]}


def _repair_change(change: object) -> object:
    if not isinstance(change, dict):
        return change
    change = _without(change, "rangeLength")
    if change.get("range") is None:
        return _without(change, "range")
    return {**change, "range": _range_object(change["range"])}


def _repair_initialize(converter: Converter, params: dict[str, Any]) -> dict[str, Any]:
    """Drops every member that does not parse: a newer client's capabilities must not lock it out."""
    capabilities = params.get("capabilities")
    if not isinstance(capabilities, dict):
        capabilities = {}
    known = _parsable(converter, capabilities, {}, types.ClientCapabilities)
    return {**_parsable(converter, params, {"capabilities": {}}, types.InitializeParams), "capabilities": known}


def _parsable(converter: Converter, raw: dict[str, Any], required: dict[str, Any], kind: Any) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if _parses(converter, {**required, name: value}, kind)}


def _parses(converter: Converter, raw: dict[str, Any], kind: Any) -> bool:
    try:
        converter.structure(raw, kind)
    except UNPARSABLE:
        return False
    return True


def _without(raw: Mapping[str, Any], dropped: str) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name != dropped}


_REPAIRS: Mapping[str, Repair] = {
    types.INITIALIZE: _repair_initialize,
    types.TEXT_DOCUMENT_DID_CHANGE: _repair_did_change,
    types.TEXT_DOCUMENT_INLINE_COMPLETION: _repair_inline_completion,
}


# --- errors as words ------------------------------------------------------------------------------


def _explain(error: Exception) -> str:
    """`params.position.line: must be int`; the exceptions' own texts quote values, so they are not used."""
    if not isinstance(error, BaseValidationError):
        return "params: are invalid"
    try:
        lines = transform_error(error, path="params", format_exception=_describe)
    except RecursionError:
        return "params: are nested too deeply"
    places = [f"{_camel_case(path)}: {problem}" for problem, _, path in (line.rpartition(" @ ") for line in lines)]
    return "; ".join(dict.fromkeys(places))[:_MAX_MESSAGE]


def _describe(error: BaseException, kind: type | None) -> str:
    if isinstance(error, KeyError):
        return "is missing"
    name = getattr(kind, "__name__", "")
    return f"must be {name}" if name else "is invalid"


def _camel_case(path: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), path)
