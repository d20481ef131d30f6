"""What the server asks of an editor: only what that can do, and an answer that makes no sense changes nothing."""

import json
from typing import Any

import pytest
from lsprotocol import types

from midfill_lsp.asking import Asking

DYNAMIC = {"dynamicRegistration": True}
FILES, SETTINGS = "workspace/didChangeWatchedFiles", "workspace/didChangeConfiguration"


class Asked:
    """A server that has been through the handshake with a client of these capabilities, and what it has sent since."""

    def __init__(self, capabilities: Any, *, pulls: bool = True) -> None:
        self.server = Asking("midfill", "1")
        self.server.pulls = pulls
        self.sent: list[Any] = []
        self.server.protocol.write = self._write
        params = {"capabilities": capabilities}
        self.server.protocol.handle_message({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
        self.sent.clear()

    def _write(self, frame: bytes) -> None:
        self.sent.append(json.loads(frame.partition(b"\r\n\r\n")[2]))

    def answer(self, **answer: Any) -> None:
        self.server.protocol.handle_message({"jsonrpc": "2.0", "id": self.sent[-1]["id"], **answer})


@pytest.mark.parametrize(
    ("capabilities", "pulls", "registered"),
    [
        ({}, True, []),
        ({"workspace": {}}, True, []),
        ({"workspace": {"didChangeWatchedFiles": DYNAMIC}}, True, [FILES]),
        ({"workspace": {"didChangeWatchedFiles": {}, "didChangeConfiguration": {}}}, True, []),
        ({"workspace": {"didChangeConfiguration": DYNAMIC}}, True, [SETTINGS]),
        ({"workspace": {"didChangeConfiguration": DYNAMIC}}, False, []),
        ({"workspace": {"didChangeWatchedFiles": DYNAMIC, "didChangeConfiguration": DYNAMIC}}, True, [FILES, SETTINGS]),
    ],
    ids=str,
)
def test_what_is_registered(capabilities: Any, pulls: bool, registered: list[str]) -> None:
    it = Asked(capabilities, pulls=pulls)
    it.server.register(index=True)
    wanted = [each["method"] for message in it.sent for each in message["params"]["registrations"]]
    assert wanted == registered
    if registered:
        it.answer(error={"code": -32601, "message": "no"})


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        ({"result": [{"enabled": False}]}, [{"enabled": False}]),
        ({"result": [None]}, [None]),
        ({"result": []}, [None]),
        ({"result": 5}, []),
        ({"result": None}, []),
        ({"error": {"code": -32601, "message": "no"}}, []),
        ({"error": "no"}, []),
    ],
    ids=str,
)
def test_what_is_taken_of_the_settings(answer: Any, taken: list[Any]) -> None:
    it = Asked({"workspace": {"configuration": True}})
    told: list[Any] = []
    it.server.pull_settings(told.append)
    assert it.sent[-1]["params"] == {"items": [{"section": "midfill"}]}
    it.answer(**answer)
    assert told == taken


@pytest.mark.parametrize("capabilities", [{}, {"workspace": {}}, {"workspace": {"configuration": False}}], ids=str)
def test_who_cannot_tell_its_settings_is_not_asked(capabilities: Any) -> None:
    it = Asked(capabilities)
    it.server.pull_settings(lambda _: None)
    assert it.sent == []


@pytest.mark.parametrize(
    ("capabilities", "answer", "sent"),
    [
        ({"window": {"workDoneProgress": True}}, {"result": None}, ["window/workDoneProgress/create", "$/progress"]),
        ({"window": {"workDoneProgress": True}}, {"error": {}}, ["window/workDoneProgress/create"]),
        ({"window": {"workDoneProgress": False}}, {}, []),
        ({}, {}, []),
    ],
    ids=str,
)
def test_progress_is_told_once_the_editor_has_made_one(capabilities: Any, answer: Any, sent: list[str]) -> None:
    it = Asked(capabilities)
    end = types.WorkDoneProgressEnd()
    it.server.create_progress("token", lambda: it.server.tell_progress("token", end))
    if answer:
        it.answer(**answer)
    assert [message["method"] for message in it.sent] == sent
    if "$/progress" in sent:
        assert it.sent[-1]["params"] == {"token": "token", "value": {"kind": "end"}}
