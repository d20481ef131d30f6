"""What the editor's status item should say."""

from dataclasses import dataclass
from typing import Literal

from midfill_daemon.contract import InlineModel

State = Literal["starting", "ready", "working", "cached", "manual", "off", "error", "disconnected"]


@dataclass(frozen=True, slots=True)
class Status:
    """One state with its reason in words; sent as `midfill/status` whenever it changes."""

    state: State
    reason: str = ""
    model: str = ""


def of_model(model: InlineModel) -> Status:
    """The state of a connected daemon."""
    if model.ready:
        return Status("ready", "", model.name)
    return Status("starting" if model.code == "loading" else "error", model.reason)
