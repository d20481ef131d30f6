"""What the editor's status item should say."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from midfill_daemon.contract import InlineModel
from midfill_workspace import exclusion

State = Literal["starting", "ready", "working", "cached", "manual", "slow", "off", "error", "disconnected"]


@dataclass(frozen=True, slots=True)
class Status:
    """One state with its reason in words; sent as `midfill/status` whenever it changes."""

    state: State
    reason: str = ""
    model: str = ""


SLOW: Mapping[str, str] = {
    "short": "the model is slow: suggestions are kept short",
    "line": "the model is slow: suggestions are shortened to one line",
    "by_hand": (
        "the model is too slow or fails too often: suggestions come only when asked for by hand; "
        "it is tried again every ten seconds"
    ),
}
"""What each level of `pace.Level` means for the user; one that is missing here is as fast as it should be."""


def of_model(model: InlineModel) -> Status:
    """The state of a connected daemon."""
    if model.ready:
        return Status("ready", "", model.name)
    return Status("starting" if model.code == "loading" else "error", model.reason)


def of_document(reason: str, linked: Status) -> Status:
    """What to say while the user is in a document that is kept back for this reason, "" for none."""
    if reason not in exclusion.REASONS or linked.state in ("error", "disconnected", "starting"):
        return linked
    return Status("off", exclusion.REASONS[reason], linked.model)


def of_health(level: str, model: InlineModel) -> Status:
    """The state of a connected daemon whose model has turned out to be of this `pace.Level`."""
    if model.ready and level in SLOW:
        return Status("slow", SLOW[level], model.name)
    return of_model(model)


def with_progress(told: Status, progress: str) -> Status:
    """What is being done in the background, where there is nothing more important to say."""
    return replace(told, reason=progress) if told.state == "ready" and not told.reason else told
