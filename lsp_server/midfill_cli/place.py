"""`FILE:LINE:COL` as users write it, and the text of the file."""

from pathlib import Path

from midfill_daemon.errors import BadInput

LIMIT_BYTES = 20_000_000


def place(written: str) -> tuple[Path, int, int]:
    try:
        name, line, column = written.rsplit(":", 2)
        return Path(name).resolve(), int(line), int(column)
    except ValueError as exc:
        raise BadInput(f"{written}: must be FILE:LINE:COL") from exc


def read(path: Path) -> str:
    """The file's text; bytes that are no UTF-8 become replacement characters, as in editors."""
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT_BYTES + 1)
    except OSError as exc:
        raise BadInput(f"{path}: {exc.strerror}") from exc
    if len(raw) > LIMIT_BYTES:
        raise BadInput(f"{path}: larger than {LIMIT_BYTES // 1_000_000} MB")
    if b"\0" in raw[:8192]:
        raise BadInput(f"{path}: a binary file")
    return raw.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def offset(text: str, line: int, column: int) -> int:
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        raise BadInput(f"line {line}: the file has {len(lines)}")
    if not 1 <= column <= len(lines[line - 1]) + 1:
        raise BadInput(f"column {column}: line {line} has {len(lines[line - 1])} characters")
    return sum(len(each) + 1 for each in lines[: line - 1]) + column - 1
