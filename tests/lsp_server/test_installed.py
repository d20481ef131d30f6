"""Installed packages, from the files on the disk to the request, with a real worker."""

from collections.abc import Mapping
from pathlib import Path

from support.index import write
from support.told import Window, window

LIB = "lib/python3.11/site-packages"
TOKEN = "ghp_" + "x7Kq2LmZ9pRtV4wYbN8s" + "D3fGhJ6cA1eU5oTi"

FILES: Mapping[str, str] = {
    ".gitignore": ".venv/\nnode_modules/\n",
    ".midfillignore": "closed/\n",
    ".venv/pyvenv.cfg": "home = /usr/bin\n",
    f".venv/{LIB}/req/__init__.py": "from .api import *\n",
    f".venv/{LIB}/req/api.py": f'from .reply import Reply\n\nTOKEN = "{TOKEN}"\n\n\ndef fetch_page(url: str) -> Reply: ...\n',
    f".venv/{LIB}/req/reply.py": "from req.base import Base\n\n\nclass Reply(Base):\n    def as_json(self) -> dict: ...\n",
    f".venv/{LIB}/req/base.py": "class Base:\n    def close_all(self) -> None: ...\n",
    f".venv/{LIB}/req/unasked.py": "def never_read() -> None: ...\n",
    f".venv/{LIB}/closed/__init__.py": "def hidden_function() -> None: ...\n",
    "node_modules/kit/package.json": '{"types": "lib/kit.d.ts"}',
    "node_modules/kit/lib/kit.d.ts": "export declare function renderPage(name: string): string;\n",
    "app/other.py": "",
}
PYTHON = "from req import TOKEN, fetch_page\nfrom closed import hidden_function\n\nx = \nreply = fetch_page('a')\nreply.\n\ny = \nz = \n"


async def told(it: Window, path: str, text: str, line: int) -> str:
    uri = it.open(path, text)
    await it.known(uri)
    return await it.told(uri, line)


async def test_what_is_imported_of_packages_is_told_and_nothing_else(tmp_path: Path) -> None:
    async with window(tmp_path, FILES) as it:
        python = await told(it, "app/main.py", PYTHON, 3)
        found = it.session.indexer.project((it.root / "app/main.py").as_uri())
        assert found is not None
        names = ("__init__.py", "api.py", "base.py", "reply.py")
        assert sorted(found[0].packages.known()) == [f"../site-packages/req/{name}" for name in names]
        typescript = await told(it, "web/main.ts", "import { renderPage } from 'kit';\nconst x = \n", 1)
    assert "../site-packages/req/api.py" in python
    assert "def fetch_page(url: str) -> Reply: ..." in python
    assert "TOKEN" in python
    assert TOKEN not in python
    assert "hidden_function" not in python
    assert "renderPage(name: string): string;" in typescript


async def test_types_lead_on_into_packages(tmp_path: Path) -> None:
    async with window(tmp_path, FILES) as it:
        members = await told(it, "app/main.py", PYTHON, 5)
    assert "def as_json(self) -> dict: ..." in members
    assert "def close_all(self) -> None: ..." in members


async def test_an_environment_that_the_user_has_activated_is_read(tmp_path: Path) -> None:
    write(tmp_path / "other", {f"{LIB}/far/__init__.py": "def from_afar(a: int) -> int: ...\n"})
    own = {path: text for path, text in FILES.items() if not path.startswith(".venv")}
    async with window(tmp_path, own, {"VIRTUAL_ENV": str(tmp_path / "other")}) as it:
        assert "def from_afar(a: int) -> int: ..." in await told(
            it, "app/main.py", "from far import from_afar\nx = \n", 1
        )


async def test_what_is_excluded_later_is_told_no_more(tmp_path: Path) -> None:
    async with window(tmp_path, FILES) as it:
        assert "fetch_page" in await told(it, "app/main.py", PYTHON, 3)
        it.session.configure({"exclude": [".venv/"]})
        uri = (it.root / "app/main.py").as_uri()
        assert "fetch_page" not in await it.told(uri, 7)
        it.session.briefs.others_changed()
        await it.known(uri)
        assert "fetch_page" not in await it.told(uri, 8)
