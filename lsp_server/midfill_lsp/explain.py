"""The trace of one request as a sentence a user understands."""

from collections.abc import Mapping

from midfill_lsp import fit
from midfill_lsp.trace import Trace
from midfill_workspace import exclusion

SOURCES: Mapping[str, str] = {
    "cache": "It came from the cache, without asking the model",
    "typed-through": "It is the rest of a suggestion that you are typing out",
    "model": "The model {model} wrote it",
}

HINTS: Mapping[str, str] = {
    "model_missing": "Run `midfill models pull`, or connect a model (see `midfill doctor`).",
    "provider_down": "Is the model service running? `midfill doctor` checks it.",
    "daemon_down": "It is being restarted; `midfill doctor` says more.",
    "config": "Correct the file; `midfill config` shows every value and where it came from.",
    "rate_limited": "The service asks for patience; nothing needs to be done.",
}

REASONS: Mapping[str, str] = {
    "disabled": "Suggestions are switched off in this window's settings.",
    "manual": "Suggestions come only when asked for (trigger is set to manual).",
    "empty": "The model had nothing to add here.",
    "not_open": "The editor has not opened this document with the server.",
    "out_of_sync": "The editor sent an edit that could not be understood; close and reopen the file.",
    "slow": "The model is too slow or fails too often; ask by hand, it is tried again every ten seconds.",
    "stale": "The text changed before the answer came.",
}


def explain(trace: Trace | None) -> str:
    """One paragraph: what was shown or why nothing was, then the stages."""
    if trace is None:
        return "Nothing has been asked for yet."
    return " ".join(part for part in (_what(trace), _changes(trace), _stages(trace)) if part)


def _what(trace: Trace) -> str:
    place = trace.path or "this document"
    if trace.outcome == "shown":
        source = SOURCES[trace.source].format(model=trace.model or "you configured")
        return f"A suggestion of {trace.chars} characters was given in {place}. {source}."
    if trace.outcome == "superseded":
        return f"Nothing was shown in {place}: a newer request took this one's place."
    if trace.outcome == "cancelled":
        return f"Nothing was shown in {place}: the editor withdrew its request."
    return f"Nothing was shown in {place}. {_why(trace)}"


def _why(trace: Trace) -> str:
    known = {**REASONS, **exclusion.REASONS, **fit.RULES}
    if trace.outcome == "failed":
        return " ".join(part for part in (f"{_sentence(trace.message)}", HINTS.get(trace.reason, "")) if part)
    return known.get(trace.reason, "The model had nothing to add here.")


def _sentence(text: str) -> str:
    text = text.strip() or "Something went wrong"
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _changes(trace: Trace) -> str:
    if trace.outcome != "shown" or not trace.rules:
        return ""
    return "It was fitted: " + " ".join(fit.RULES[rule] for rule in trace.rules)


def _stages(trace: Trace) -> str:
    if not trace.stages_ms:
        return ""
    stages = ", ".join(f"{name} {took_ms:.1f} ms" for name, took_ms in trace.stages_ms.items())
    return f"It took {trace.total_ms:.0f} ms ({stages})."
