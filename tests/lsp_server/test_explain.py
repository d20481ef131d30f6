"""Explanations: plain sentences for every outcome, reason and error; no ids, nothing of the document's text."""

import json
import re
from dataclasses import asdict, fields, replace
from typing import get_args

import pytest

from midfill_daemon import errors
from midfill_daemon.contract import Raw
from midfill_lsp import fit
from midfill_lsp.explain import CAUSES, HINTS, REASONS, SOURCES, explain
from midfill_lsp.trace import FITTING, UNRECORDED, Outcome, Source, Trace, recorded, reused
from midfill_workspace import exclusion

TRACE = Trace("0123456789ab", "src/a.py", "python", by_hand=False, model="m")
UNKNOWN = "The model had nothing to add here."


def check(trace: Trace, *parts: str) -> str:
    """What is said holds these parts, and is made of whole sentences without a name that only we know."""
    said = explain(trace)
    assert all(part in said for part in parts), said
    assert re.fullmatch(r"(?:[A-Z][^\n]*[.)] ?)+", said), said
    assert "  " not in said
    assert ".." not in said
    own_names = [*fit.RULES, *exclusion.REASONS, *REASONS, *errors.CODES]
    assert not [name for name in own_names if "_" in name and name in said]
    assert trace.id not in said
    return said


def test_before_any_request() -> None:
    assert explain(None) == "Nothing has been asked for yet."


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_where_a_suggestion_came_from(source: Source) -> None:
    expected = SOURCES[source].format(model="m")
    check(replace(TRACE, outcome="answered", source=source, chars=12), "12 characters", "src/a.py", expected)


def test_a_suggestion_of_a_model_without_a_name() -> None:
    check(replace(TRACE, outcome="answered", source="model", chars=1, model=""), "The model you configured wrote it.")


@pytest.mark.parametrize("rule", sorted(fit.RULES))
def test_what_a_filter_did(rule: str) -> None:
    check(replace(TRACE, outcome="answered", source="model", chars=3, rules=(rule,)), fit.RULES[rule])
    check(replace(TRACE, outcome="nothing", reason=rule, rules=(rule,)), "Nothing was shown", fit.RULES[rule])


KNOWN = {**REASONS, **exclusion.REASONS}


@pytest.mark.parametrize("reason", sorted(KNOWN))
def test_why_nothing_was_shown(reason: str) -> None:
    outcome: Outcome = "nothing" if reason in ("empty", "stale") else "off"
    said = check(replace(TRACE, outcome=outcome, reason=reason), "Nothing was shown in src/a.py.", KNOWN[reason])
    assert (UNKNOWN in said) is (reason == "empty")


def test_each_reason_has_its_own_words() -> None:
    words = [*KNOWN.values(), *fit.RULES.values()]
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("outcome", "words"), [("superseded", "a newer request took"), ("cancelled", "the editor withdrew")]
)
def test_requests_that_were_overtaken(outcome: Outcome, words: str) -> None:
    check(replace(TRACE, outcome=outcome), words)


@pytest.mark.parametrize("code", sorted(errors.CODES))
@pytest.mark.parametrize("message", ["the service refused", "It ended with a full stop.", "", "  "])
def test_a_failure_is_what_the_daemon_said_and_a_hint(code: str, message: str) -> None:
    said = check(replace(TRACE, outcome="failed", reason=code, message=message), HINTS.get(code, ""))
    assert (message.strip() or CAUSES.get(code, "Something went wrong")).lower().rstrip(".") in said.lower()


def test_every_hint_and_cause_is_for_an_error_that_exists() -> None:
    assert HINTS.keys() <= CAUSES.keys() <= errors.CODES.keys()


@pytest.mark.parametrize(("files", "words"), [(0, ""), (1, "told of one other file."), (3, "told of 3 other files.")])
def test_of_how_many_files_the_model_was_told(files: int, words: str) -> None:
    said = check(replace(TRACE, outcome="answered", source="model", chars=3, told_files=files), words)
    assert ("The model was told" in said) is (files > 0)


@pytest.mark.parametrize(
    ("secrets", "words"),
    [(0, ""), (1, "A secret was taken out of what was sent."), (2, "2 secrets were taken out of what was sent.")],
)
def test_how_many_secrets_were_taken_out(secrets: int, words: str) -> None:
    said = check(replace(TRACE, outcome="shown", source="model", chars=3, redacted=secrets), words)
    assert ("taken out" in said) is (secrets > 0)


@pytest.mark.parametrize(("reused", "words"), [(None, ""), (0.0, "had 0 %"), (0.926, "had 93 %"), (1.0, "had 100 %")])
def test_how_much_of_the_prompt_was_cached(reused: float | None, words: str) -> None:
    said = check(replace(TRACE, outcome="answered", source="model", chars=3, reused=reused), words)
    assert ("of the prompt in its cache." in said) is (reused is not None)


def test_the_stages_add_up() -> None:
    stages = {"cache": 0.25, "debounce": 75.0, "model": 120.5}
    check(
        replace(TRACE, outcome="answered", source="model", chars=3, stages_ms=stages),
        "It took 196 ms (cache 0.2 ms, debounce 75.0 ms, model 120.5 ms).",
    )


def test_a_document_without_a_path() -> None:
    check(replace(TRACE, path="", outcome="off", reason="not_open"), "Nothing was shown in this document.")


def test_a_reason_of_the_future_is_still_a_sentence() -> None:
    check(replace(TRACE, outcome="nothing", reason="of the future"), UNKNOWN)


# --- what was recorded ------------------------------------------------------------------------------

FULL = replace(
    TRACE,
    by_hand=True,
    outcome="answered",
    source="flight",
    reason="empty",
    rules=("scope_end",),
    shape="block",
    chars=12,
    reused=0.5,
    told_files=2,
    redacted=3,
    stages_ms={"cache": 0.25, "model": 120.5},
)


@pytest.mark.parametrize("trace", [TRACE, FULL, replace(TRACE, outcome="failed", reason="provider_timeout")])
def test_a_recorded_trace_is_explained_as_the_live_one_was(trace: Trace) -> None:
    posted = {name: value for name, value in asdict(trace).items() if name not in UNRECORDED}
    found = recorded(trace.id, json.loads(json.dumps(posted)))
    assert found == replace(trace, path="")
    check(found, "this document")


def test_what_an_earlier_version_recorded_as_shown_was_answered() -> None:
    check(recorded("1", {"outcome": "shown", "source": "cache", "chars": 3}), "A suggestion of 3 characters was given")


def test_every_recorded_field_can_be_read_back() -> None:
    assert FITTING.keys() == {field.name for field in fields(Trace)} - UNRECORDED


@pytest.mark.parametrize("odd", [None, 5, -1, True, "of the future", [1], ["of the future"], {"a": "b"}, {}, 1e400])
def test_what_another_version_recorded_is_still_a_sentence(odd: object) -> None:
    for outcome in get_args(Outcome):
        for name in FITTING:
            check(recorded(TRACE.id, {"outcome": outcome, name: odd}), "this document")
    assert recorded("1", {"colour": odd}) == Trace("1", "", "", by_hand=False)


@pytest.mark.parametrize(
    ("usage", "share"),
    [
        ({"prompt_tokens": 200, "cached_tokens": 150}, 0.75),
        ({"prompt_tokens": 200, "cached_tokens": 0}, 0.0),
        ({"prompt_tokens": 200, "cached_tokens": 201}, 1.0),
        ({"prompt_tokens": 200, "cached_tokens": -1}, None),
        ({"prompt_tokens": -1, "cached_tokens": -1}, None),
        ({"prompt_tokens": 0, "cached_tokens": 0}, None),
        ({"prompt_tokens": "200", "cached_tokens": 1}, None),
        ({}, None),
    ],
)
def test_the_share_that_was_reused(usage: Raw, share: float | None) -> None:
    assert reused(usage) == share
