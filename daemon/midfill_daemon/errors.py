"""The one exception tree of Midfill; each class has its wire code.

MidfillError
├── BadInput              bad_input             the request is wrong; the message names the field
├── ConfigError           config                a settings file or variable is wrong; names file and line
├── NotAllowed            not_allowed           the caller may not do this
├── NotFound              not_found             no such task, run or call
├── OutOfCredits          out_of_credits        the workspace has used up its credits; the message says until when
├── BadOutput             bad_output            the model's answer is of no use, even after it was asked to mend it
├── Draining              draining              the daemon is about to exit; ask its successor
├── Busy                  busy                  the queue for this model is full
├── Preempted             preempted             a speculative call gave way to one that somebody waits for
├── ModelMissing          model_missing         no model is configured or pulled for this tier
├── ProviderError         provider              the model service failed
│   ├── ProviderDown      provider_down         it cannot be reached
│   ├── ProviderTimeout   provider_timeout      it did not answer in time
│   ├── ProviderRejected  provider_rejected     it refused the request (4xx)
│   ├── RateLimited       rate_limited          429; `retry_after_s` says when to come back
│   └── Truncated         truncated             the stream broke off after text had arrived
├── DaemonDown            daemon_down           the daemon cannot be reached or started
├── DaemonIncompatible    daemon_incompatible   it speaks another protocol and may not be replaced
└── Internal              internal              a defect of ours; details are in the daemon's log
"""

from collections.abc import Iterator, Mapping


class MidfillError(Exception):
    """The root; `message` is for users and never holds document text, prompts or secrets."""

    code = "internal"
    retry_after_s: float | None = None

    @property
    def message(self) -> str:
        return str(self)


class BadInput(MidfillError):
    code = "bad_input"


class ConfigError(MidfillError):
    code = "config"


class NotAllowed(MidfillError):
    code = "not_allowed"


class NotFound(MidfillError):
    code = "not_found"


class OutOfCredits(MidfillError):
    code = "out_of_credits"


class BadOutput(MidfillError):
    code = "bad_output"


class Draining(MidfillError):
    code = "draining"


class Busy(MidfillError):
    code = "busy"


class Preempted(MidfillError):
    code = "preempted"


class ModelMissing(MidfillError):
    code = "model_missing"


class ProviderError(MidfillError):
    code = "provider"


class ProviderDown(ProviderError):
    code = "provider_down"


class ProviderTimeout(ProviderError):
    code = "provider_timeout"


class ProviderRejected(ProviderError):
    code = "provider_rejected"


class RateLimited(ProviderError):
    code = "rate_limited"

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Truncated(ProviderError):
    code = "truncated"


class DaemonDown(MidfillError):
    code = "daemon_down"


class DaemonIncompatible(MidfillError):
    code = "daemon_incompatible"


class Internal(MidfillError):
    code = "internal"


def _tree(root: type[MidfillError]) -> Iterator[type[MidfillError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _tree(kind)


CODES: Mapping[str, type[MidfillError]] = {kind.code: kind for kind in _tree(MidfillError)}


def from_wire(code: str, message: str, retry_after_s: float | None = None) -> MidfillError:
    """The exception that a failure event stands for; an unknown code of a newer daemon becomes Internal."""
    error = CODES.get(code, Internal)(message)
    error.retry_after_s = retry_after_s
    return error
