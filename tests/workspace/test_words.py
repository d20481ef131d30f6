"""Identifiers and their parts."""

import pytest

from midfill_workspace.words import IDENTIFIER, parts, telling


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("getHTTPError_2", ("get", "http", "error", "2")),
        ("snake_case_name", ("snake", "case", "name")),
        ("HTML", ("html",)),
        ("HTMLParser", ("html", "parser")),
        ("_private__", ("private",)),
        ("größe", ("gr", "öß", "e")),
        ("名前", ("名前",)),
        ("x", ("x",)),
        ("", ()),
    ],
)
def test_parts(identifier: str, expected: tuple[str, ...]) -> None:
    assert parts(identifier) == expected


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("get_headers", {"header"}),
        ("parse_classes", {"parse", "classe"}),
        ("self_of", set()),
        ("i", set()),
        ("access", {"access"}),
    ],
)
def test_telling_words(identifier: str, expected: set[str]) -> None:
    assert telling(identifier) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x = foo.bar(1, 2)", ["x", "foo", "bar"]),
        ("$el 3px größe", ["$el", "px", "größe"]),
        ("", []),
    ],
)
def test_identifiers(line: str, expected: list[str]) -> None:
    assert IDENTIFIER.findall(line) == expected


def test_a_word_without_end_is_cut() -> None:
    assert max(map(len, IDENTIFIER.findall("a" * 100_000))) == 80
