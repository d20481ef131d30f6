"""A completion by a real model: the llama-server that MIDFILL_TEST_LLAMA names."""

import os
from pathlib import Path

import pytest

from support.processes import working

LLAMA = os.environ.get("MIDFILL_TEST_LLAMA", "")

TEXT = "def add(first, second):\n    return first + second\n\n\ndef multiply(first, second):\n    return "


@pytest.mark.skipif(not LLAMA, reason="MIDFILL_TEST_LLAMA names no llama-server")
async def test_a_python_line(tmp_path: Path) -> None:
    async with working(tmp_path, f"llama_server:{LLAMA}") as editor:
        page = editor.open("arithmetic.py", TEXT)
        suggestion = await page.suggest(1)
        assert "first" in suggestion, await editor.explain()
        page.type(suggestion[:1])
        assert await page.suggest(1) == suggestion[1:]
