"""Fusion of sources, and what of it goes into a budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midfill_workspace.fuse import Candidate, Source, fuse
from midfill_workspace.pack import PATH_COST, pack

ONE, TWO, THREE = (Candidate("a.py", line, f"def name_{line}():", "definition") for line in (5, 1, 3))
OTHER = Candidate("b.py", 1, "class Something_else:", "definition")
PIECE = Candidate("a.py", 1, "a window of text", "similar")


@pytest.mark.parametrize(
    ("sources", "order"),
    [
        ({"definition": [ONE, TWO]}, [ONE, TWO]),
        ({"definition": [ONE, TWO], "member": [THREE]}, [THREE, ONE, TWO]),
        ({"definition": [ONE, TWO], "file": [TWO]}, [TWO, ONE]),
        ({"definition": [], "tree": [OTHER]}, [OTHER]),
        ({}, []),
    ],
)
def test_fuse(sources: dict[Source, list[Candidate]], order: list[Candidate]) -> None:
    assert [each.candidate for each in fuse(sources)] == order


@pytest.mark.parametrize(
    ("candidates", "shown", "limit", "snippets"),
    [
        ([ONE, TWO, THREE], "", 500, [("a.py", "def name_1():\ndef name_3():\ndef name_5():")]),
        ([ONE, OTHER, TWO], "", 500, [("a.py", "def name_1():\ndef name_5():"), ("b.py", "class Something_else:")]),
        ([ONE, OTHER, TWO], "", 40, [("a.py", "def name_1():\ndef name_5():")]),
        ([OTHER, ONE], "", 26, [("a.py", "def name_5():")]),
        ([ONE, ONE], "", 500, [("a.py", "def name_5():")]),
        ([ONE], "x\n  def name_5():\ny", 500, []),
        ([ONE, PIECE], "", 500, [("a.py", "def name_5():"), ("a.py", "a window of text")]),
        ([ONE], "", 0, []),
        ([], "", 500, []),
    ],
)
def test_pack(candidates: list[Candidate], shown: str, limit: int, snippets: list[tuple[str, str]]) -> None:
    found = pack(fuse({"definition": candidates}), shown, limit)
    assert [(each.path, each.text) for each in found] == snippets


def test_what_belongs_to_a_declaration_comes_with_it() -> None:
    made = Candidate("a.py", 1, "class Thing:", "definition", ((4, "    def __init__(self):"),))
    [snippet] = pack(fuse({"definition": [made, ONE]}), "", 500)
    assert snippet.text == "class Thing:\n    def __init__(self):\ndef name_5():"


CANDIDATES = st.builds(
    Candidate,
    st.sampled_from(["a", "b/c.py", "long/path/to/file.ts"]),
    st.integers(0, 50),
    st.text(max_size=80),
    st.sampled_from(["definition", "similar", "edit"]),
)


@given(st.lists(CANDIDATES, max_size=40), st.text(max_size=200), st.integers(0, 600))
def test_a_budget_is_never_exceeded(candidates: list[Candidate], shown: str, limit: int) -> None:
    found = pack(fuse({"definition": candidates}), shown, limit)
    assert sum(len(each.path) + PATH_COST + len(each.text) for each in found) <= limit
    assert all(each.text for each in found)
