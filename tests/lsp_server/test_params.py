"""Params of initialize: a client is never locked out because of a member that we do not know."""

import json
import re
from typing import Any

import pytest

from midfill_lsp.params import BadParams, optional
from midfill_lsp.transport import Server

FOLDER = {"uri": "file:///work", "name": "work"}
UTF8 = {"general": {"positionEncodings": ["utf-8", "utf-16"]}}


def initialize(params: object) -> dict[str, Any]:
    """The answer of a server without a process; initialize is answered before `receive` returns."""
    sent: list[bytes] = []
    server = Server("test", "1")
    server.protocol.write = sent.append
    server.protocol.receive(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).encode())
    answer: dict[str, Any] = json.loads(sent[0].partition(b"\r\n\r\n")[2])
    return answer


@pytest.mark.parametrize(
    ("params", "encoding"),
    [
        ({"capabilities": UTF8}, "utf-8"),
        ({"capabilities": {}}, "utf-16"),
        ({}, "utf-16"),
        (None, "utf-16"),
        ({"capabilities": []}, "utf-16"),
        ({"capabilities": None}, "utf-16"),
        ({"capabilities": {"general": {"positionEncodings": ["utf-24", "utf-8"]}}}, "utf-8"),
        ({"capabilities": {**UTF8, "workspace": {"configuration": 1}}}, "utf-8"),
        ({"capabilities": {**UTF8, "workspace": {"symbol": {"symbolKind": {"valueSet": [99]}}}}}, "utf-8"),
        ({"capabilities": {**UTF8, "textDocument": 5}}, "utf-8"),
        ({"capabilities": {**UTF8, "someday": {"new": True}}}, "utf-8"),
        ({"capabilities": UTF8, "trace": "loud"}, "utf-8"),
        ({"capabilities": UTF8, "processId": "5"}, "utf-8"),
        ({"capabilities": UTF8, "rootUri": 5, "rootPath": {}}, "utf-8"),
        ({"capabilities": UTF8, "rootUri": "untitled:x"}, "utf-8"),
        ({"capabilities": UTF8, "rootUri": "file:///dev/zero"}, "utf-8"),
        ({"capabilities": UTF8, "rootUri": ""}, "utf-8"),
        ({"capabilities": UTF8, "rootUri": "\ud800"}, "utf-8"),
        ({"capabilities": UTF8, "rootPath": "C:\\work"}, "utf-8"),
        ({"capabilities": UTF8, "workspaceFolders": [FOLDER, 5]}, "utf-8"),
        ({"capabilities": UTF8, "workspaceFolders": [FOLDER, FOLDER]}, "utf-8"),
        ({"capabilities": UTF8, "clientInfo": "vim"}, "utf-8"),
        ({"capabilities": UTF8, "initializationOptions": [1, {"jsonrpc": "2.0"}]}, "utf-8"),
    ],
)
def test_initialize_is_answered(params: object, encoding: str) -> None:
    assert initialize(params)["result"]["capabilities"]["positionEncoding"] == encoding


def test_initialize_with_params_of_no_shape() -> None:
    assert initialize([])["error"] == {"code": -32602, "message": "params: must be an object"}


@pytest.mark.parametrize(
    ("arguments", "taken"),
    [
        ((), [None, None]),
        (("id",), ["id", None]),
        (("id", 3), ["id", 3]),
        ((None, 3), [None, 3]),
        ((3,), r"arguments[0]: must be str"),
        (("id", True), "arguments[1]: must be int"),
        (("id", 3, 4), "arguments: must be 2 at most"),
    ],
)
def test_arguments_of_a_command_may_be_left_out(arguments: tuple[object, ...], taken: list[object] | str) -> None:
    if isinstance(taken, str):
        with pytest.raises(BadParams, match=re.escape(taken)):
            optional(arguments, str, int)
    else:
        assert optional(arguments, str, int) == taken
