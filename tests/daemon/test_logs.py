"""Log lines: events with their extra fields; never the text of an exception, whoever logs it."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from midfill_daemon import logs

SECRET = "password = 'hunter2'"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What the process logs, with the root logger put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    written = io.StringIO()
    logs.configure("info", written)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in logs.OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)


def lines_in(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


ours = logging.getLogger("midfill_daemon.test")
foreign = logging.getLogger("somebody.elses")


@pytest.mark.parametrize("name", logs.OURS)
def test_an_event_has_its_fields(name: str, stream: io.StringIO) -> None:
    logging.getLogger(f"{name}.module").warning("provider.slow", extra={"took_ms": 12.5, "tier": "inline"})
    (line,) = lines_in(stream)
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": f"{name}.module",
        "event": "provider.slow",
        "took_ms": 12.5,
        "tier": "inline",
    }


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, b"bytes", ValueError(SECRET), float("nan"), None, "\ud800\n\u2028"]
)
def test_odd_fields_are_one_line_without_their_text(value: object, stream: io.StringIO) -> None:
    ours.info("odd", extra={"value": value})
    assert [line["event"] for line in lines_in(stream)] == ["odd"]
    assert SECRET not in stream.getvalue()


def crash(logger: logging.Logger) -> None:
    try:
        raise KeyError(SECRET) from ValueError(SECRET)
    except KeyError:
        logger.exception("task.crashed", extra={"task": "completion"})


def test_an_exception_is_its_type_and_its_places(stream: io.StringIO) -> None:
    crash(ours)
    (line,) = lines_in(stream)
    assert (line["event"], line["error"], line["task"]) == ("task.crashed", "KeyError", "completion")
    assert [frame.partition(":")[0] for frame in line["frames"]] == ["test_logs.py"]
    assert SECRET not in stream.getvalue()


def test_a_message_that_is_an_exception_is_its_type(stream: io.StringIO) -> None:
    ours.error(ValueError(SECRET))
    assert [line["event"] for line in lines_in(stream)] == ["ValueError"]


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING])
def test_prose_of_other_libraries_is_dropped(level: int, stream: io.StringIO) -> None:
    foreign.log(level, SECRET)
    assert stream.getvalue() == ""


def test_their_errors_are_kept_without_their_prose(stream: io.StringIO) -> None:
    foreign.error("cannot read %s", SECRET)
    foreign.error(SECRET)
    crash(foreign)
    told = [(line["logger"], line["event"], line.get("error")) for line in lines_in(stream)]
    assert told == [("somebody.elses", "foreign.error", error) for error in (None, None, "KeyError")]
    assert SECRET not in stream.getvalue()


async def test_what_the_event_loop_says_of_a_lost_task_quotes_nothing(stream: io.StringIO) -> None:
    async def lose() -> None:
        raise KeyError(SECRET)

    task = asyncio.create_task(lose())
    await asyncio.wait({task})
    del task
    assert [(line["logger"], line["error"]) for line in lines_in(stream)] == [("asyncio", "KeyError")]
    assert SECRET not in stream.getvalue()


@pytest.mark.parametrize(("level", "shown"), [("debug", 3), ("info", 2), ("warning", 1), ("error", 0)])
def test_the_level_is_that_of_our_own_loggers(level: str, shown: int, stream: io.StringIO) -> None:
    logs.configure(level, stream)
    for number in (logging.DEBUG, logging.INFO, logging.WARNING):
        ours.log(number, "event")
    assert len(lines_in(stream)) == shown
