"""What the text at the caret asks for."""

import pytest

from midfill_workspace import caret
from midfill_workspace.caret import Call, Wish
from support.buffers import snapshot_of


@pytest.mark.parametrize(
    ("buffer", "receiver"),
    [
        ("x = app.‸", "app"),
        ("x = app.lo‸", "app"),
        ("self.app.‸", "self.app"),
        ("a?.b?.‸", "a?.b"),
        ("std::‸", "std"),
        ("p->‸", "p"),
        ("f(x).‸", ")"),
        ("x = ‸", ""),
        ("x = 1.‸", ""),
        ("...‸", ""),
        ("größe.‸", "größe"),
    ],
)
def test_receiver(buffer: str, receiver: str) -> None:
    assert caret.wish(snapshot_of(buffer)).receiver == receiver


@pytest.mark.parametrize(
    ("buffer", "calls"),
    [
        ("f(‸", [Call("f")]),
        ("f(a, ‸", [Call("f")]),
        ("f(a, g(b), ‸", [Call("f")]),
        ("f(a, g(‸", [Call("g"), Call("f")]),
        ("x.y.f(‸", [Call("f", "x.y")]),
        ("new Thing<string>(‸", [Call("Thing")]),
        ("Map[int](‸", [Call("Map")]),
        ("f(\n    a,\n    ‸", [Call("f")]),
        ("f(a)‸", []),
        ("if (‸", []),
        ("(‸", []),
        ("f([1, ‸", [Call("f")]),
        ("a(b(c(d(‸", [Call("d"), Call("c"), Call("b")]),
        (")" * 50 + "‸", []),
        ("x" * 200 + "(‸", [Call("x" * 120)]),
    ],
)
def test_open_calls(buffer: str, calls: list[Call]) -> None:
    assert list(caret.wish(snapshot_of(buffer)).calls) == calls


@pytest.mark.parametrize(
    ("buffer", "module", "importing"),
    [
        ("from .models import ‸", ".models", True),
        ("from pack.mod import a, ‸", "pack.mod", True),
        ("from .mo‸", "", True),
        ("import ‸", "", True),
        ('import {‸} from "./util"', "./util", True),
        ("import { a, ‸ } from '../x';", "../x", True),
        ('export {‸} from "./y"', "./y", True),
        ("use crate::‸", "", True),
        ("#include ‸", "", True),
        ("important = ‸", "", False),
        ("x = ‸", "", False),
    ],
)
def test_import_lines(buffer: str, module: str, importing: bool) -> None:
    wish = caret.wish(snapshot_of(buffer))
    assert (wish.module, wish.importing) == (module, importing)


def test_an_empty_document_wishes_nothing() -> None:
    assert caret.wish(snapshot_of("‸")) == Wish()


def test_words_near_know_how_far_away_they_are() -> None:
    near = caret.words_near(snapshot_of("far\n\nalso near\nhere = ‸ after\nbelow"), 2)
    assert near == {"here": 0, "also": 1, "near": 1, "below": 1}


def test_what_is_far_away_is_not_looked_at() -> None:
    text = "".join(f"word{number}\n" for number in range(1000))
    assert len(caret.words_near(snapshot_of(f"{text}‸{text}"), 5)) == 10
