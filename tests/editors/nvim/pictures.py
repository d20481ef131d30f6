"""What a terminal showed, as text and as a picture."""

import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from editors.nvim.terminal import COLUMNS

OUT = Path(__file__).parents[1] / "out" / "nvim"
"""Ignored by git; the last run's screens."""

FONT = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

# The background of Neovim's own colours; all other colours are in what it draws.
THEME = TerminalTheme((20, 22, 27), (224, 226, 234), [(0, 0, 0)] * 8)


def write_text(screens: Sequence[Sequence[str]], name: str) -> None:
    """One screen below the other, as they came."""
    OUT.mkdir(parents=True, exist_ok=True)
    line = "─" * COLUMNS
    (OUT / f"{name}.txt").write_text("\n".join("\n".join((*rows, line)) for rows in screens) + "\n")


def svg(rows: Sequence[str], title: str) -> str:
    """A picture of rows with their escape sequences; the same one for the same rows."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    # All at once: the escape sequences of one row hold for the next as well.
    console.print(Text.from_ansi("\n".join(rows)), no_wrap=True, crop=True)
    picture = console.export_svg(title=title, theme=THEME)
    return _with_own_font(picture)


def _with_own_font(picture: str) -> str:
    """Rich names a font to be loaded from elsewhere, which no reader of a picture should have to do."""
    before, _, rest = picture.partition("@font-face")
    _, _, after = rest.rpartition("@font-face")
    return (before + after.partition("}")[2]).replace("Fira Code, monospace", FONT)
