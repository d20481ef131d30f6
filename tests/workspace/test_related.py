"""Which declarations of other files come first at a caret."""

import pytest

from midfill_workspace import caret, related
from midfill_workspace.outline.table import outline
from midfill_workspace.visible import visible
from support.buffers import snapshot_of
from support.projects import Files

PROJECT = Files(
    {
        "shop/cart.py": "class Cart:\n    pass\n\ndef total_price(cart): ...\n\ndef add_item(cart, item): ...\n",
        "shop/mail.py": "def send_invoice(to): ...\n\ndef _connect(): ...\n\nclass Mailer: ...\n",
        "shop/tax.py": "RATE = 3\n\ndef tax_of(price): ...\n",
    }
)
HEAD = "from .cart import Cart, total_price, add_item\nfrom . import mail\nfrom .tax import *\n\n"


def ranking(buffer: str) -> list[str]:
    snapshot = snapshot_of(HEAD + buffer, "python", "shop/main.py")
    read = outline(snapshot.path, "python", "".join(snapshot.lines))
    scene = related.scene(read, tuple(visible(read, PROJECT)), snapshot.lines)
    return [each.visible.name for each in related.rank(scene, caret.wish(snapshot), snapshot)]


@pytest.mark.parametrize(
    ("buffer", "first"),
    [
        ("total_price(‸", "total_price"),
        ("send_invoice(total_price(‸", "total_price"),
        ("mail.send_invoice(‸", "send_invoice"),
        ("mail.‸", "send_invoice"),
        ("price = ‸\nadd_item(1, 2)\nCart()", "total_price"),
        ("def new_mailer():\n    return mail.‸", "Mailer"),
        ("item = Cart()\ntotal_price(item)\n‸", "add_item"),
    ],
)
def test_the_likeliest_comes_first(buffer: str, first: str) -> None:
    assert ranking(buffer)[0] == first


def test_private_names_are_offered_to_who_imports_them_only() -> None:
    assert "_connect" not in ranking("mail.‸")
    assert ranking("from .mail import _connect\n_connect(‸")[0] == "_connect"


def test_all_that_can_be_seen_is_ranked() -> None:
    assert set(ranking("‸")) == {
        "Cart", "total_price", "add_item", "send_invoice", "Mailer", "RATE", "tax_of",
    }  # fmt: skip


def test_a_scene_without_anything_ranks_nothing() -> None:
    snapshot = snapshot_of("x = ‸")
    assert related.rank(related.Scene(), caret.wish(snapshot), snapshot) == []


def test_a_limit_keeps_the_best() -> None:
    snapshot = snapshot_of(HEAD + "total_price(‸", "python", "shop/main.py")
    read = outline(snapshot.path, "python", "".join(snapshot.lines))
    scene = related.scene(read, tuple(visible(read, PROJECT)), snapshot.lines)
    assert [each.visible.name for each in related.rank(scene, caret.wish(snapshot), snapshot, 1)] == ["total_price"]
