"""The type of what stands before the dot."""

import pytest

from midfill_workspace import caret, receiver
from midfill_workspace.outline.table import outline
from support.buffers import snapshot_of
from support.projects import Files

PYTHON = Files(
    {
        "pack/__init__.py": "from .base import Base\n",
        "pack/base.py": "class Base:\n    def inherited(self) -> int: ...\n",
        "pack/app.py": (
            "from . import Base\nfrom .log import Logger\n\n\nclass App(Base):\n    log: Logger\n"
            "    def run(self) -> None: ...\n    @property\n    def logger(self) -> Logger: ...\n\n\n"
            "def make() -> App: ...\n"
        ),
        "pack/log.py": "class Logger:\n    def info(self, text): ...\n    def child(self) -> 'Logger': ...\n",
    }
)
HEAD = "from .app import App, make\nfrom . import log\n\n"


def members(buffer: str, language: str, path: str, project: Files) -> set[str]:
    snapshot = snapshot_of(buffer, language, path)
    read = outline(path, language, "".join(snapshot.lines))
    before = caret.wish(snapshot).receiver
    return {each.name for each in receiver.members_of(before, snapshot, read, project)}


APP = {"App", "log", "run", "logger", "inherited"}
LOGGER = {"Logger", "info", "child"}


@pytest.mark.parametrize(
    ("buffer", "found"),
    [
        ("def f(app: App):\n    app.‸", APP),
        ("def f(app: 'App | None' = None):\n    app.‸", APP),
        ("def f(\n    app: Optional[App],\n):\n    return app.‸", APP),
        ("app = App()\napp.‸", APP),
        ("app = make()\napp.‸", APP),
        ("app = await make()\napp.‸", APP),
        ("with App() as app:\n    app.‸", APP),
        ("if isinstance(thing, App):\n    thing.‸", APP),
        ("App.‸", APP),
        ("def f(app):\n    app.‸", APP),
        ("def f(app: App):\n    app.log.‸", LOGGER),
        ("def f(app: App):\n    app.logger.child.‸", LOGGER),
        ("x = log.Logger()\nx.‸", LOGGER),
        ("def f(x: log.Logger):\n    x.child.‸", LOGGER),
        ("log.Logger.‸", LOGGER),
        ("log.missing.‸", set()),
        ("class Mine(App):\n    def own(self):\n        self.‸", {"Mine", "own"} | (APP - {"App"})),
        ("class Mine:\n    def __init__(self):\n        self.app = App()\n    def f(self):\n        self.app.‸", APP),
        ("app = 3\napp: App\napp.‸", APP),
        ("def f(unknown):\n    unknown.‸", set()),
        ("x = y\nx.‸", set()),
        (".‸", set()),
        ("f(x).‸", set()),
    ],
)
def test_python(buffer: str, found: set[str]) -> None:
    assert members(HEAD + buffer, "python", "pack/main.py", PYTHON) == found


TYPESCRIPT = Files(
    {
        "src/shop.ts": (
            "import { Cart } from './cart';\nexport class Shop {\n  constructor(private cart: Cart) {}\n"
            "  open(): void {}\n}\nexport function makeShop(): Shop { return null! }\n"
        ),
        "src/api.ts": "export namespace window {\n  export function show(text: string): void;\n}\n",
        "src/cart.ts": "export interface Cart {\n  total(): number;\n  items: string[];\n}\n",
    }
)


@pytest.mark.parametrize(
    ("buffer", "found"),
    [
        ("const shop = new Shop(c);\nshop.‸", {"Shop", "constructor", "cart", "open"}),
        ("function f(shop: Shop) {\n  shop.‸", {"Shop", "constructor", "cart", "open"}),
        ("const s = makeShop();\ns.‸", {"Shop", "constructor", "cart", "open"}),
        ("function f(shop: Shop) {\n  shop.cart.‸", {"Cart", "total", "items"}),
        ("const s = other();\ns.‸", set()),
        ("import * as api from './api';\napi.window.‸", {"window", "show"}),
        ("import * as api from './api';\napi.window.show.‸", set()),
    ],
)
def test_typescript(buffer: str, found: set[str]) -> None:
    head = "import { Shop, makeShop } from './shop';\n"
    assert members(head + buffer, "typescript", "src/main.ts", TYPESCRIPT) == found


GO = Files(
    {
        "go.mod": "module example.org/shop\n",
        "cart/cart.go": (
            "package cart\n\ntype Cart struct {\n\tItems []string\n}\n\nfunc (c *Cart) Total() int { return 0 }\n"
            "func New() *Cart { return nil }\n"
        ),
        "store.go": "package main\n\ntype Store struct {\n\tName string\n}\n",
    }
)


@pytest.mark.parametrize(
    ("buffer", "found"),
    [
        ("func f(c *cart.Cart) {\n\tc.‸", {"Cart", "Items", "Total"}),
        ("func f() {\n\tc := cart.Cart{}\n\tc.‸", {"Cart", "Items", "Total"}),
        ("func f() {\n\tc := cart.New()\n\tc.‸", {"Cart", "Items", "Total"}),
        ("func f(s Store) {\n\ts.‸", {"Store", "Name"}),
    ],
)
def test_go(buffer: str, found: set[str]) -> None:
    head = 'package main\n\nimport "example.org/shop/cart"\n\n'
    assert members(head + buffer, "go", "main.go", GO) == found


def test_classes_that_inherit_in_a_circle_end() -> None:
    project = Files(
        {"a.py": "from b import B\nclass A(B):\n    x: A\n", "b.py": "from a import A\nclass B(A):\n    y: B\n"}
    )
    found = members("from a import A\nthing = A()\nthing.‸", "python", "main.py", project)
    assert found == {"A", "x", "y"}


def test_a_long_chain_is_followed_to_its_end() -> None:
    project = Files({"a.py": "class A:\n    next: 'A'\n"})
    found = members(f"from a import A\ndef f(a: A):\n    a{'.next' * 30}.‸", "python", "main.py", project)
    assert found == {"A", "next"}
