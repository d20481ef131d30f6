"""The trace of one request as a sentence a user understands."""

from collections.abc import Mapping

from midfill_lsp import fit
from midfill_lsp.trace import Trace
from midfill_workspace import exclusion

SOURCES: Mapping[str, str] = {
    "cache": "It came from the cache, without asking the model",
    "typed-through": "It is the rest of a suggestion that you are typing out",
    "model": "The model {model} wrote it",
    "flight": "It came from a generation that was already running when you typed on",
    "speculation": "It was asked for ahead of time, before you got here",
}

CAUSES: Mapping[str, str] = {
    "busy": "Too many requests were waiting for the model",
    "preempted": "The generation gave way to a request that somebody waited for",
    "model_missing": "There is no model yet",
    "provider": "The model service failed",
    "provider_down": "The model service could not be reached",
    "provider_timeout": "The model service did not answer in time",
    "provider_rejected": "The model service refused the request",
    "rate_limited": "The model service asked for fewer requests",
    "truncated": "The answer of the model broke off",
    "daemon_down": "The daemon could not be reached",
    "daemon_incompatible": "The daemon is of another version",
    "draining": "The daemon was about to exit",
    "config": "The configuration is wrong",
    "internal": "Something went wrong inside Midfill",
}
"""What an error code means where the daemon's own words are not at hand: they are not recorded."""

HINTS: Mapping[str, str] = {
    "model_missing": "Run `midfill models pull`, with Ollama `ollama pull NAME`, or connect a model (see `midfill doctor`).",
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
    "dismissed": "You dismissed it here; it comes back when you type on, or ask by hand.",
    "stale": "The text changed before the answer came.",
}


def explain(trace: Trace | None) -> str:
    """One paragraph: what was shown or why nothing was, then the stages."""
    if trace is None:
        return "Nothing has been asked for yet."
    return " ".join(
        part
        for part in (_what(trace), _changes(trace), _told(trace), _redacted(trace), _reuse(trace), _stages(trace))
        if part
    )


def _what(trace: Trace) -> str:
    place = trace.path or "this document"
    if trace.outcome == "answered":
        # A recorded trace may come from a later version, whose sources and rules have no words here.
        source = SOURCES.get(trace.source, "").format(model=trace.model or "you configured")
        given = f"A suggestion of {trace.chars} characters was given in {place}{_and_others(trace.others)}."
        return given + (f" {source}." if source else "")
    if trace.outcome == "superseded":
        return f"Nothing was shown in {place}: a newer request took this one's place."
    if trace.outcome == "cancelled":
        return f"Nothing was shown in {place}: the editor withdrew its request."
    return f"Nothing was shown in {place}. {_why(trace)}"


def _and_others(count: int) -> str:
    return "" if count < 1 else ", and another one" if count == 1 else f", and {count} others"


def _why(trace: Trace) -> str:
    known = {**REASONS, **exclusion.REASONS, **fit.RULES}
    if trace.outcome == "failed":
        cause = trace.message.strip() or CAUSES.get(trace.reason, "Something went wrong")
        return " ".join(part for part in (_sentence(cause), HINTS.get(trace.reason, "")) if part)
    return known.get(trace.reason, "The model had nothing to add here.")


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _changes(trace: Trace) -> str:
    changes = [fit.RULES[rule] for rule in trace.rules if rule in fit.RULES]
    return " ".join(("It was fitted:", *changes)) if trace.outcome == "answered" and changes else ""


def _told(trace: Trace) -> str:
    if not trace.told_files:
        return ""
    files = "one other file" if trace.told_files == 1 else f"{trace.told_files} other files"
    return f"The model was told of {files}."


def _redacted(trace: Trace) -> str:
    if not trace.redacted:
        return ""
    return "{} taken out of what was sent.".format(
        "A secret was" if trace.redacted == 1 else f"{trace.redacted} secrets were"
    )


def _reuse(trace: Trace) -> str:
    return "" if trace.reused is None else f"The engine had {trace.reused * 100:.0f} % of the prompt in its cache."


def _stages(trace: Trace) -> str:
    if not trace.stages_ms:
        return ""
    stages = ", ".join(f"{name} {took_ms:.1f} ms" for name, took_ms in trace.stages_ms.items())
    return f"It took {trace.total_ms:.0f} ms ({stages})."
