"""A language server that does what a test says, and writes down what it is told: `fake_server.py LOG`."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ITEMS: Mapping[str, tuple[str, ...]] = {
    "grow = ": ("one",),
    "pick = ": ("first()", "second()", "third()"),
    "odd = ": ("good",),
    "x = grown": ("(one,\n    two)",),
}
"""What is answered to a line that ends so; only the first of them unless asked by hand."""

GROWN = ("one(two", "one(two,\n    three)")
"""What the last suggestion has become, one each time that `fake.grow` is called."""

ODD: tuple[Any, ...] = (None, 3, {}, {"insertText": 4}, {"insertText": {"kind": "snippet", "value": "$1"}})
"""Items that no client should stumble over."""

Raw = Mapping[str, Any]


class Fake:
    """The state of one run."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.lines: list[str] = []
        self.asked: Raw = {}
        self.number = 0
        self.grown: Iterator[str] = iter(())
        self.known = ("", "")
        """The line up to the caret of the last new suggestion, and its text."""

    def initialize(self, params: Raw) -> Raw:
        self.note("options", params.get("initializationOptions"))
        return {
            "capabilities": {
                "positionEncoding": "utf-8",
                "textDocumentSync": 1,
                "inlineCompletionProvider": {},
                "executeCommandProvider": {"commands": []},
            }
        }

    def initialized(self, _: Raw) -> None:
        send({"method": "midfill/status", "params": {"state": "ready", "reason": "", "model": "fake"}})

    def opened(self, params: Raw) -> None:
        self.lines = params["textDocument"]["text"].split("\n")

    def changed(self, params: Raw) -> None:
        self.lines = params["contentChanges"][-1]["text"].split("\n")

    def configured(self, params: Raw) -> None:
        self.note("settings", params["settings"]["midfill"])

    def complete(self, params: Raw) -> Raw:
        at = params["position"]
        before = self.lines[at["line"]].encode()[: at["character"]].decode()
        by_hand = params["context"]["triggerKind"] == 1
        items = [self.item(text, at) for text in self.texts(before)[: None if by_hand else 1]]
        self.asked = params
        return {"items": [*(ODD if before.startswith("odd") else ()), *items]}

    def texts(self, before: str) -> tuple[str, ...]:
        """What follows here: the rest of what is being typed out, or something new."""
        start, text = self.known
        if start and before.startswith(start) and before != start and (start + text).startswith(before):
            return ((start + text)[len(before) :],)
        if before in ITEMS:
            self.known, self.grown = (before, ITEMS[before][0]), iter(GROWN)
        return ITEMS.get(before, ())

    def item(self, text: str, at: Raw) -> Raw:
        self.number += 1
        command = {"title": "", "command": "midfill.accepted", "arguments": [f"id{self.number}"]}
        return {"insertText": text, "range": {"start": at, "end": at}, "command": command}

    def execute(self, params: Raw) -> object:
        if params["command"] == "fake.grow":
            self.grow()
        else:
            self.note(params["command"], [text for text in params.get("arguments", []) if "id" not in str(text)])
        return None

    def grow(self) -> None:
        text = next(self.grown)
        self.known = (self.known[0], text)
        more = {
            "id": f"id{self.number}",
            "uri": self.asked["textDocument"]["uri"],
            **self.asked["position"],
            "version": 0,
            "text": text,
            "done": False,
        }
        # One for a suggestion that is not shown any more, and one that is no such message, come first.
        for params in ({**more, "id": "id0", "text": "stale"}, {"id": more["id"], "text": 3}, more):
            send({"method": "midfill/more", "params": params})

    def note(self, what: str, value: object) -> None:
        with self.log.open("a") as log:
            log.write(json.dumps([what, value]) + "\n")


def serve(fake: Fake) -> None:
    """Until the client says that it is over."""
    handlers: Mapping[str, Callable[[Raw], object]] = {
        "initialize": fake.initialize,
        "initialized": fake.initialized,
        "textDocument/didOpen": fake.opened,
        "textDocument/didChange": fake.changed,
        "textDocument/inlineCompletion": fake.complete,
        "workspace/didChangeConfiguration": fake.configured,
        "workspace/executeCommand": fake.execute,
    }
    for message in iter(receive, None):
        handler = handlers.get(message["method"], ignore)
        result = handler(message.get("params") or {})
        if "id" in message:
            send({"id": message["id"], "result": result})


def ignore(_: Raw) -> None:
    """Whatever else a client says."""


def receive() -> Any:
    """The next message; None when there will be no other."""
    length = 0
    for line in iter(sys.stdin.buffer.readline, b"\r\n"):
        if not line:
            return None
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    message = json.loads(sys.stdin.buffer.read(length))
    return None if message.get("method") == "exit" else message


def send(message: Raw) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve(Fake(Path(sys.argv[1])))
