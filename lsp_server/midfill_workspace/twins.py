"""Files that belong together by name: a module and its test, a header and its source, a view and its style."""

import re
from collections.abc import Iterator
from posixpath import splitext

from midfill_workspace.project import Project
from midfill_workspace.resolve.paths import ancestors, folder_of, join

TEST = re.compile(r"^(?:test_(?P<after>.+)|(?P<before>.+?)(?:[._-](?:test|tests|spec)|_unittest|Tests?))$")
TEST_NAMES = ("test_{}", "{}_test", "{}.test", "{}.spec", "{}_spec", "{}Test", "{}Tests")
TEST_FOLDERS = ("tests", "test", "__tests__", "spec", "src/test/java")
SOURCE_FOLDERS = ("", "src", "lib", "source", "src/main/java")
HEADERS, SOURCES = (".h", ".hpp", ".hh", ".hxx"), (".c", ".cc", ".cpp", ".cxx", ".m", ".mm")
LIMIT = 3


def twins(path: str, project: Project) -> list[str]:
    """At most three files that exist and belong to this one, the likeliest first."""
    found: dict[str, None] = {}
    for candidate in _candidates(path):
        if candidate != path and project.has(candidate):
            found[candidate] = None
        if len(found) == LIMIT:
            break
    return list(found)


def _candidates(path: str) -> Iterator[str]:
    folder = folder_of(path)
    stem, suffix = splitext(path.rpartition("/")[2])
    yield from (join(folder, stem + other) for other in _counterparts(suffix))
    tested = TEST.match(stem)
    if tested is not None:
        yield from _beside(tested["after"] or tested["before"], suffix, folder, SOURCE_FOLDERS)
    else:
        for name in TEST_NAMES:
            yield from _beside(name.format(stem), suffix, folder, TEST_FOLDERS)


def _beside(stem: str, suffix: str, folder: str, holders: tuple[str, ...]) -> Iterator[str]:
    """In the same folder, in one for such files below it or above it, and there at the same place as here."""
    name = stem + suffix
    yield join(folder, name)
    inner = ""
    for above in ancestors(folder):
        yield join(above, name)
        for holder in holders:
            yield join(above, holder, inner, name)
            yield join(above, holder, name)
        inner = join(above.rpartition("/")[2], inner)


def _counterparts(suffix: str) -> tuple[str, ...]:
    if suffix in HEADERS:
        return SOURCES
    return HEADERS if suffix in SOURCES else ()
