"""What a `midfill` verb is: a name, a line of help, its arguments and what it does."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MOST_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Context:
    """What every verb gets: the parsed arguments and the environment of the process."""

    arguments: argparse.Namespace
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Verb:
    """One row of `__main__.VERBS`; `run` returns the exit status and raises MidfillError for the user to read."""

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Context], int]


def days(text: str) -> int:
    """An argument that is a number of days."""
    if not text.isdecimal() or not 1 <= int(text[:6]) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"must be a number of days from 1 to {MOST_DAYS}")
    return int(text)
