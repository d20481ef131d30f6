"""Log lines as JSON: event names, ids, sizes, milliseconds. Exception texts are left out, they may quote a prompt."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

OURS = ("midfill_daemon", "midfill_lsp", "midfill_workspace", "midfill_cli")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, event, then the record's extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _event(record),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["frames"] = [
                f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}"
                for frame in traceback.extract_tb(record.exc_info[2])
            ]
        return json.dumps(line, default=lambda value: type(value).__name__)


def _event(record: logging.LogRecord) -> str:
    if record.name.partition(".")[0] not in OURS:
        return f"foreign.{record.levelname.lower()}"  # asyncio puts the exception's text into the message itself.
    return record.msg if isinstance(record.msg, str) else type(record.msg).__name__


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send our own loggers to `stream` (standard error). Other libraries' records are dropped below ERROR:
    their messages are prose that may hold document text."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.ERROR)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
