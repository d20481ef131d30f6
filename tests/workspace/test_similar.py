"""Windows of other files that are like the text at the caret."""

from itertools import pairwise

import pytest

from midfill_workspace.similar import WINDOW_LIMIT, Library, pieces, words_of

ALPHA = [f"alpha_{number} = beta_{number}(gamma_{number})\n" for number in range(60)]
OTHER = [f"delta_{number}.epsilon()\n" for number in range(60)]


def library(**files: list[str]) -> Library:
    made = Library()
    for path, lines in files.items():
        made.put(path, lines)
    return made


@pytest.mark.parametrize(
    ("asked", "besides", "found"),
    [
        (ALPHA[30:40], "elsewhere", [("alpha", 20)]),
        (ALPHA[30:40], "alpha", []),
        (OTHER[0:10], "", [("other", 0)]),
        (["nothing_of_this = in_here"], "", []),
        ([], "", []),
    ],
)
def test_like(asked: list[str], besides: str, found: list[tuple[str, int]]) -> None:
    likes = library(alpha=ALPHA, other=OTHER).like(words_of(asked), besides, limit=1)
    assert [(each.piece.path, each.piece.line) for each in likes] == found


def test_pieces_that_overlap_are_told_once() -> None:
    found = library(alpha=ALPHA).like(words_of(ALPHA[10:40]), "")
    lines = sorted(each.piece.line for each in found)
    assert len(lines) > 1
    assert all(later - line >= 20 for line, later in pairwise(lines))


def test_what_is_put_again_replaces_and_what_is_dropped_is_gone() -> None:
    made = library(alpha=ALPHA)
    made.put("alpha", OTHER)
    assert made.like(words_of(ALPHA[:10]), "") == []
    assert made.like(words_of(OTHER[:10]), "") != []
    made.drop("alpha")
    made.drop("alpha")
    assert made.like(words_of(OTHER[:10]), "") == []


def test_words_that_are_everywhere_find_nothing() -> None:
    made = library(**{f"file{number}": ["common_word = 1\n", f"rare_{number} = 2\n"] for number in range(40)})
    assert made.like(frozenset({"common_word"}), "") == []
    assert [each.piece.path for each in made.like(frozenset({"rare_7", "common_word"}), "")] == ["file7"]


@pytest.mark.parametrize(("lines", "count"), [([], 0), (["\n"] * 50, 0), (["x_1\n"], 1), (["y_1\n"] * 25, 2)])
def test_pieces(lines: list[str], count: int) -> None:
    assert len(list(pieces("path", lines))) == count


def test_a_huge_file_is_read_to_a_limit() -> None:
    assert len(list(pieces("path", ["some_word\n"] * 100_000))) == WINDOW_LIMIT
