"""A TOML file as flat keys with the line each one stands on, which tomllib does not tell."""

import re
import stat
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path

from midfill_daemon.errors import ConfigError

Key = tuple[str, ...]

FILE_BYTES = 1_000_000
STATEMENT_LINES = 40
"""A value over more lines than this loses its line number, so that odd files cost no quadratic time."""


@dataclass(frozen=True, slots=True)
class Leaf:
    key: Key
    value: object
    line: int


def read(path: Path, tables: Collection[Key]) -> list[Leaf]:
    """Every value outside of `tables`, in file order; nothing when there is no file.

    What stands where a table should be, or in a table that is not listed, is one leaf.
    Raises ConfigError naming the file, and the line where there is one.
    """
    text = _text(path)
    try:
        parsed = tomllib.loads(text)
    except ValueError as exc:
        line = re.search(r"at line (\d+)", str(exc))
        number = int(line[1]) if line else text.count("\n") + 1
        raise ConfigError(f"{path}:{number}: not valid TOML: {exc}") from exc
    except RecursionError as exc:
        raise ConfigError(f"{path}: values are nested too deeply") from exc
    lines = _lines(text, tables)
    return [Leaf(key, value, _line_of(key, lines)) for key, value in _leaves(parsed, tables)]


def _text(path: Path) -> str:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # before opening: a pipe would block, a device never end
            raise ConfigError(f"{path}: is not a regular file")
        if found.st_size > FILE_BYTES:
            raise ConfigError(f"{path}: is larger than {FILE_BYTES} bytes")
        raw = path.read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise ConfigError(f"{path}:{line}: not valid UTF-8") from exc


def _leaves(table: Mapping[str, object], tables: Collection[Key], above: Key = ()) -> Iterator[tuple[Key, object]]:
    for name, value in table.items():
        key = (*above, name)
        if isinstance(value, dict) and key in tables:
            yield from _leaves(value, tables, key)
        else:
            yield key, value


def _line_of(key: Key, lines: Mapping[Key, int]) -> int:
    """The line of the key, or of the nearest table that holds it."""
    return next((lines[key[:length]] for length in range(len(key), 0, -1) if key[:length] in lines), 1)


def _lines(text: str, tables: Collection[Key]) -> Mapping[Key, int]:
    """Parses the valid text again, statement by statement: tomllib itself reads the keys of each."""
    lines = text.split("\n")
    found: dict[Key, int] = {}
    header: Key = ()
    number = 0
    while number < len(lines):
        count, statement = _statement(lines, number)
        if lines[number].lstrip().startswith("["):
            header = _path(statement)
            found.setdefault(header, number + 1)
        else:
            for key, _ in _leaves(_nested(header, statement), tables):
                found.setdefault(key, number + 1)
        number += count
    return found


def _statement(lines: list[str], start: int) -> tuple[int, dict[str, object]]:
    """How many lines the statement that starts here takes, and what it says."""
    following = islice(lines, start, start + STATEMENT_LINES)
    for count, text in enumerate(accumulate(following, "{}\n{}".format), start=1):
        try:
            return count, tomllib.loads(text)
        except ValueError:
            continue
    return 1, {}


def _path(header: dict[str, object]) -> Key:
    """The one path of a table header, parsed: {"tiers": {"inline": {}}}; an array of tables is its last step."""
    path: list[str] = []
    inner: object = header
    while isinstance(inner, dict) and inner:
        name, inner = next(iter(inner.items()))
        path.append(name)
    return tuple(path)


def _nested(header: Key, statement: dict[str, object]) -> dict[str, object]:
    for name in reversed(header):
        statement = {name: statement}
    return statement
