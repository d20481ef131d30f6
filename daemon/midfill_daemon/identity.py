"""From a connection to a Caller: the only source of rights. Request fields never are."""

import getpass
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. On the local socket and on 127.0.0.1 with the token that is always the user who runs the daemon."""

    user: str
    workspace: str = "local"
    groups: frozenset[str] = frozenset()
    clearance: int = 0


def local_caller() -> Caller:
    return Caller(user=_login())


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A uid without a passwd entry and without USER, as in bare containers.
        return "local"
