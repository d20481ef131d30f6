"""The folder that the scenarios work in, and the model that knows how its files go on."""

from collections.abc import Mapping
from pathlib import Path

from support.processes import Json, after

AROUND = (
    "        total = 0",
    "        for side in self.sides():",
    "            total += side",
    "        return total",
)
SLOWLY = ("    first = 1", "    second = 2", "    return first + second")

FILES: Mapping[str, str] = {
    "accept.py": "",
    "along.py": "",
    "escape.py": "",
    "backspace.py": "",
    "undo.py": "",
    "word.py": "",
    "line.py": "",
    "killed.py": "",
    "notes.md": "",
    "shape.py": "class Box:\n    def __init__(self, width, height):\n        self.width, self.height = width, height\n",
    "crlf.py": "first = 1\r\n",
    "letters.py": "grüße = '🎉 naïve 日本'\n",
    "why.py": "",
    "manual.py": "",
    "folder.py": "",
    "grows.py": "",
}
"""One for each scenario, so that none depends on another."""

RULES: tuple[Json, ...] = (
    after("total = sum", "(prices) + shipping\n"),
    after("def around(self):", "\n".join(AROUND).lstrip() + "\n\n\ndef other():\n"),
    after("second = first", " + 1\n"),
    after("def slowly():", "\n".join(SLOWLY).lstrip() + "\n\n\n", token_ms=60),
    after("print('🎉é', grüße", ".upper() + '日🎉')\n"),
    after("It was a dark", " and stormy night.\n"),
    # Nothing else: what the model would invent might be what is typed next.
    {"match": "", "text": ""},
)


def make(folder: Path) -> Path:
    """Write the files. Their line ends are as they are here."""
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_bytes(text.encode())
    return folder
