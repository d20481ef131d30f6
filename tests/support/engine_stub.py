"""A stand-in for the embedded engine: its real process protocol around a tiny HTTP server instead of llama.cpp.

The first word of the "model" file says how it behaves: `serve`, `silent`, `broken` or `die`.
"""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from midfill_daemon import engine, errors

ENDLESS = "go on for ever"
"""A prompt that gets one token and then nothing more."""

STICK = "stick"
"""A prompt from which on nobody gets anything."""

NEVER = threading.Event()
stuck = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """Every generation answers with the process id, so that a test knows whom it spoke to."""

    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self._answer(json.dumps({"total_slots": 1, "model_path": "/models/stub.gguf"}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/completion":
            self._answer(json.dumps({"tokens": [1, 2, 3]}))
            return
        self.send_response(200)
        self.end_headers()
        if body["prompt"] == STICK:
            stuck.set()
        if stuck.is_set():
            NEVER.wait()
        self._event({"content": str(os.getpid()), "stop": False})
        if body["prompt"] == ENDLESS:
            NEVER.wait()
        self._event({"content": "", "stop": True})

    def _answer(self, text: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def _event(self, event: dict[str, object]) -> None:
        self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class StubServer:
    """What xllamacpp.Server is to the engine."""

    def __init__(self) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.listening_address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()


def serve(settings: engine.Settings) -> engine.Server:
    os.write(1, b"native code prints to stdout\n")
    match Path(settings.model).read_text().split()[0]:
        case "silent":
            NEVER.wait()
        case "broken":
            raise errors.ProviderError("the model is cut short")
        case "die":
            os._exit(3)
    return StubServer()


if __name__ == "__main__":
    engine.main(serve)
