"""What goes into a prompt besides the text around the caret."""

import pytest

from midfill_workspace import context, window
from midfill_workspace.context import Question, Shelf
from midfill_workspace.edits import Edit
from midfill_workspace.outline.table import outline
from midfill_workspace.pack import PATH_COST
from support.buffers import snapshot_of
from support.projects import Files

PROJECT = Files(
    {
        "shop/__init__.py": "",
        "shop/cart.py": (
            "class Cart:\n    def __init__(self, owner: str) -> None:\n        self.owner = owner\n\n"
            "    def total(self) -> int:\n        return 3\n\n\ndef open_cart(owner: str) -> Cart:\n    return Cart(owner)\n"
        ),
        "shop/mail.py": "def send_invoice(to: str, amount: int) -> None: ...\n",
        "tests/test_main.py": "def test_checkout() -> None: ...\n",
    }
)
HEAD = "from .cart import Cart, open_cart\nfrom .mail import send_invoice\n\n\n"


def ask(buffer: str, shelf: Shelf | None = None, window_chars: int = 2000) -> Question:
    snapshot = snapshot_of(HEAD + buffer, "python", "shop/main.py")
    read = outline(snapshot.path, "python", "".join(snapshot.lines))
    around = context.surroundings(read, snapshot.lines, PROJECT)
    return context.question(snapshot, window.cut(snapshot, window_chars), around, PROJECT, shelf or Shelf())


def told(asked: Question, limit_chars: int = 6000) -> dict[str, str]:
    return {f"{each.source} {each.path}": each.text for each in context.assemble(asked, limit_chars)}


CART = "class Cart:\n    def __init__(self, owner: str) -> None:"
OPEN = "def open_cart(owner: str) -> Cart:"
INVOICE = "def send_invoice(to: str, amount: int) -> None: ..."
TWIN = {"twin tests/test_main.py": "def test_checkout() -> None: ..."}


@pytest.mark.parametrize(
    ("buffer", "expected"),
    [
        ("x = ‸", {"definition shop/cart.py": f"{CART}\n{OPEN}", "definition shop/mail.py": INVOICE} | TWIN),
        (
            "def f(cart: Cart):\n    cart.‸",
            {
                "member shop/cart.py": (
                    f"{CART}\n        self.owner = owner\n    def total(self) -> int:\n{OPEN}"
                ).replace("        self.owner", "    self.owner"),
                "definition shop/mail.py": INVOICE,
            }
            | TWIN,
        ),
    ],
)
def test_what_is_told(buffer: str, expected: dict[str, str]) -> None:
    assert told(ask(buffer)) == expected


def test_on_an_import_line_the_module_s_names_come_first() -> None:
    first = context.assemble(ask("from .mail import ‸"), 6000)[0]
    assert (first.source, first.path, first.text) == ("member", "shop/mail.py", INVOICE)


def test_on_an_import_line_the_files_nearby_are_told() -> None:
    assert told(ask("from .‸"))["tree ."] == "shop/__init__.py\nshop/cart.py\nshop/mail.py"


def test_headers_of_the_same_file_that_the_window_does_not_show() -> None:
    far = "def far_away(a: int) -> int:\n    return a\n" + "# filling\n" * 200
    assert "def far_away(a: int) -> int:" in told(ask(far + "‸"))["file shop/main.py"]
    assert "file shop/main.py" not in told(ask(far + "‸", window_chars=9000))


def test_recent_edits_of_other_files_and_similar_pieces() -> None:
    shelf = Shelf()
    shelf.edits.note(Edit("shop/other.py", 3, "-old\n+new"))
    shelf.edits.note(Edit("shop/main.py", 3, "+mine"))
    shelf.library.put("shop/like.py", ["checkout_price = rebate_of(customer)\n", "book(checkout_price)\n"])
    found = told(ask("checkout_price = ‸\nrebate_of\ncustomer", shelf))
    assert found["edit shop/other.py"] == "-old\n+new"
    assert "edit shop/main.py" not in found
    assert found["similar shop/like.py"] == "checkout_price = rebate_of(customer)\nbook(checkout_price)"


def test_what_the_prompt_holds_already_is_not_told() -> None:
    shelf = Shelf()
    shelf.library.put("shop/copy.py", ["checkout_price = rebate_of(customer)\n"])
    assert not any(key.startswith("similar") for key in told(ask("checkout_price = rebate_of(customer)\n‸", shelf)))


@pytest.mark.parametrize("limit_chars", [0, 1, 20, 60, 100, 150, 300])
def test_a_budget_holds(limit_chars: int) -> None:
    snippets = context.assemble(ask("x = ‸"), limit_chars)
    assert sum(len(each.path) + PATH_COST + len(each.text) for each in snippets) <= limit_chars


def test_only_the_sources_that_are_asked_for() -> None:
    assert context.assemble(ask("x = ‸"), 6000, ()) == []
    assert {each.source for each in context.assemble(ask("x = ‸"), 6000, ("twin",))} == {"twin"}


def test_a_language_that_nobody_outlines_has_no_definitions_but_similar_pieces() -> None:
    shelf = Shelf()
    shelf.library.put("b.txt", ["rare_word another_word third_word\n"])
    snapshot = snapshot_of("rare_word third_word ‸", "plaintext", "a.txt")
    around = context.surroundings(outline("a.txt", "plaintext", ""), snapshot.lines, Files({}))
    asked = context.question(snapshot, window.cut(snapshot, 900), around, Files({}), shelf)
    assert [each.source for each in context.assemble(asked, 500)] == ["similar"]
