"""Copies the pictures of the documentation out of what the scenarios have left in `tests/editors/out`."""

import shutil
import sys
from pathlib import Path

from tests.editors.vscode.window import OUT

DOCS = Path(__file__).parents[3] / "docs/screenshots"
PICTURES = ("vscode-suggestion.png", "vscode-menu.png")
LIMIT_BYTES = 150_000


def main() -> int:
    """1 when a picture is not there or has become too large to be kept with the sources."""
    DOCS.mkdir(parents=True, exist_ok=True)
    for name in PICTURES:
        picture = OUT / name
        if not picture.exists() or picture.stat().st_size > LIMIT_BYTES:
            sys.stderr.write(f"{picture}: is not there or larger than {LIMIT_BYTES} bytes: run make editors-vscode\n")
            return 1
        shutil.copyfile(picture, DOCS / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
