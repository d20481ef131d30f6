"""Events survive the wire; anything else is refused by name."""

import json

import pytest

from midfill_daemon import contract, errors
from midfill_daemon.contract import Call, Delta, Event, Failure, Item, Result, Status

EVENTS: list[Event] = [
    Delta("text"),
    Delta("lone \ud800 surrogate and \u2028"),
    Item({"task": "call Bob"}),
    Status("revision", "abc"),
    Call("run", "1", "search_codebase", {"query": "x"}),
    Result({"output_tokens": 3}),
    Failure("rate_limited", "later", 2.0),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_events_survive_the_wire(event: Event) -> None:
    line = contract.encode(event)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert contract.decode(line) == event


def test_every_kind_of_event_is_tested() -> None:
    assert {event.type for event in EVENTS} == set(contract.EVENTS)


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"type": "other"}', '{"type": "delta"}', "null", "{"])
def test_other_lines_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        contract.decode(line)


def test_unknown_fields_of_a_newer_daemon_are_ignored() -> None:
    assert contract.decode('{"type": "delta", "text": "x", "colour": 1}') == Delta("x")


@pytest.mark.parametrize("raw", [None, [], {}, {"protocol": "1"}, {"protocol": 1}])
def test_a_handshake_that_is_none_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        contract.parse_health(raw)


def test_a_handshake_of_a_newer_daemon_is_read() -> None:
    raw = {"version": "9", "protocol": 9, "pid": 1, "inline": {"ready": True, "name": "m", "new": 1}, "more": 2}
    health = contract.parse_health(json.loads(json.dumps(raw)))
    assert (health.protocol, health.inline.name, health.inline.ready) == (9, "m", True)


def test_every_error_has_its_own_code_and_stands_in_the_drawing() -> None:
    codes = [kind.code for kind in errors.CODES.values()]
    assert len(codes) == len(set(codes))
    drawing = errors.__doc__ or ""
    for code, kind in errors.CODES.items():
        assert f"{kind.__name__} " in drawing
        assert f" {code} " in drawing


@pytest.mark.parametrize("code", sorted(errors.CODES))
def test_errors_survive_the_wire(code: str) -> None:
    error = errors.from_wire(code, "why", 1.5)
    assert (error.code, error.message, error.retry_after_s) == (code, "why", 1.5)


def test_an_unknown_code_is_an_internal_error() -> None:
    assert isinstance(errors.from_wire("of the future", "why"), errors.Internal)
