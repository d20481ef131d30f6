"""What a model is told of other files, from the files on the disk to the request, with a real worker."""

from pathlib import Path

import pytest

from support.told import window

SECRET = "ghp_" + "x7Kq2LmZ9pRtV4wYbN8s" + "D3fGhJ6cA1eU5oTi"

FILES = {
    "shop/__init__.py": "",
    "shop/cart.py": "class Cart:\n    def __init__(self, owner: str) -> None:\n        self.total = 3\n",
    "shop/mail.py": f'TOKEN = "{SECRET}"\n\n\ndef send_invoice(to: str) -> None: ...\n',
    ".gitignore": "hidden.py\n",
    "shop/hidden.py": "def hidden_function() -> None: ...\n",
}
MAIN = "from .cart import Cart\nfrom .mail import TOKEN, send_invoice\nfrom .hidden import hidden_function\n\nx = \n"


async def test_what_is_imported_is_told_without_secrets_and_nothing_that_is_ignored(tmp_path: Path) -> None:
    async with window(tmp_path, FILES) as it:
        uri = it.open("shop/main.py", f'{MAIN}key = "{SECRET}"\n')
        await it.known(uri)
        told = await it.told(uri, 4)
        assert "told of 2 other files. A secret was taken out of what was sent." in it.session.explain()
    assert "class Cart:\n    def __init__(self, owner: str) -> None:" in told
    assert "def send_invoice(to: str) -> None: ..." in told
    assert "TOKEN" in told
    assert "ghp_x7Kq" not in told
    assert "hidden_function" not in told


async def test_an_unsaved_document_counts_as_it_is(tmp_path: Path) -> None:
    async with window(tmp_path, FILES) as it:
        cart = it.open("shop/cart.py", "class Cart:\n    def unsaved(self) -> int: ...\n")
        await it.known(cart)
        uri = it.open("shop/main.py", "from .cart import Cart\n\ncart = Cart()\ncart.\n\ncart.\n")
        await it.known(uri)
        told = await it.told(uri, 3)
        assert "def unsaved(self) -> int: ..." in told
        assert "owner" not in told
        it.session.closed(cart)
        assert "def __init__(self, owner: str)" in await it.told(uri, 5)


async def test_what_becomes_ignored_is_told_no_more(tmp_path: Path) -> None:
    async with window(tmp_path, FILES) as it:
        mail = it.open("shop/mail.py", "rare_word = other_word(third_word)\ndef send_invoice(to: str) -> None: ...\n")
        uri = it.open("shop/main.py", f"{MAIN}rare_word = other_word(third_word, \n")
        await it.known(uri)
        assert "shop/mail.py" in await it.told(uri, 5)
        (it.root / ".gitignore").write_text("hidden.py\nmail.py\n")
        it.session.saved((it.root / ".gitignore").as_uri())
        assert "shop/mail.py" not in await it.told(uri, 4)
        it.session.closed(mail)
        assert "shop/mail.py" not in await it.told(uri, 3)


@pytest.mark.parametrize("options", [{"context": False}, {"index": False}])
async def test_it_can_be_switched_off(tmp_path: Path, options: dict[str, bool]) -> None:
    async with window(tmp_path, FILES, **options) as it:
        uri = it.open("shop/main.py", MAIN)
        assert await it.told(uri, 4) == ""


async def test_a_worker_that_is_killed_leaves_requests_without_context_but_answered(tmp_path: Path) -> None:
    async with window(tmp_path, FILES) as it:
        uri = it.open("shop/main.py", MAIN)
        await it.known(uri)
        process = it.session.indexer._process
        assert process is not None
        process.kill()
        await process.wait()
        assert "class Cart:" in await it.told(uri, 4)
