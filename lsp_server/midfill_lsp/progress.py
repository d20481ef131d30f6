"""One work-done progress of the editor: made when there is something to tell, ended when there is not."""

import secrets
from collections.abc import Callable
from functools import partial

from lsprotocol import types

TITLE = "Midfill"

Step = types.WorkDoneProgressBegin | types.WorkDoneProgressReport | types.WorkDoneProgressEnd
Create = Callable[[str, Callable[[], None]], None]
"""Asks the editor for a progress of this token, and calls back when it has made one."""


class Progress:
    """Nobody waits for the editor: what it has not been asked for in time is not shown."""

    def __init__(self, create: Create, tell: Callable[[str, Step], None]) -> None:
        self._create, self._tell = create, tell
        self._token = ""
        self._begun = False
        self._message, self._percentage = "", 0

    def report(self, message: str, percentage: int) -> None:
        """How far the work is; with an empty message it is over. The percentage never falls, as the protocol asks."""
        if not message:
            self._end()
            return
        self._message, self._percentage = message, max(self._percentage, percentage)
        if not self._token:
            self._token = secrets.token_hex(6)
            self._create(self._token, partial(self._begin, self._token))
        elif self._begun:
            report = types.WorkDoneProgressReport(message=self._message, percentage=self._percentage)
            self._tell(self._token, report)

    def _begin(self, token: str) -> None:
        """The editor is ready, perhaps after the work was over."""
        if token == self._token:
            self._begun = True
            begin = types.WorkDoneProgressBegin(
                title=TITLE, cancellable=False, message=self._message, percentage=self._percentage
            )
            self._tell(token, begin)

    def _end(self) -> None:
        if self._begun:
            self._tell(self._token, types.WorkDoneProgressEnd())
        self._token, self._begun, self._percentage = "", False, 0
