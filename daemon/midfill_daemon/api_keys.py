"""API keys of model services: read when they are needed, from a 0600 file or a variable, never part of the Config."""

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from midfill_daemon.errors import ConfigError
from midfill_daemon.models import Tier, Tiers

KEY_BYTES = 8192


def read(tier: Tier, environment: Mapping[str, str]) -> str:
    """The tier's key, "" when it has none. Raises ConfigError when the configured place holds no usable key."""
    if tier.api_key_file:
        return read_file(Path(tier.api_key_file))
    if tier.api_key_env and not environment.get(tier.api_key_env):
        raise ConfigError(f"{tier.api_key_env}: is not set, and an api_key_env names it")
    return environment.get(tier.api_key_env, "").strip()


def variables(tiers: Tiers) -> frozenset[str]:
    """The variables that hold keys: a daemon that is started with a clean environment needs them too."""
    return frozenset(tier.api_key_env for tier in tiers.values() if tier.api_key_env)


def read_file(path: Path) -> str:
    """The key in a file of mode 0600. Raises ConfigError, which never quotes the content."""
    try:
        raw = _private_bytes(path)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    key = raw.decode("ascii", "replace").strip()
    if not key or not key.isascii() or not key.isprintable():
        raise ConfigError(f"{path}: must hold one line of printable ASCII")
    return key


def _private_bytes(path: Path) -> bytes:
    # Without O_NONBLOCK, opening a named pipe waits for a writer that may never come.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{path}: is not a regular file")
        if sys.platform != "win32" and stat.S_IMODE(found.st_mode) & 0o077:
            raise ConfigError(f'{path}: is readable by other users: run `chmod 600 "{path}"`')
        return file.read(KEY_BYTES)
