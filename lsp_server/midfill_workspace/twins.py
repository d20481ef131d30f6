"""Files that belong together by name: a module and its test, a header and its source, a view and its style."""

import re
from collections.abc import Iterator, Sequence
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
        yield from _places(folder, TEST_FOLDERS, SOURCE_FOLDERS, (tested["after"] or tested["before"]) + suffix)
    else:
        for name in TEST_NAMES:
            yield from _places(folder, SOURCE_FOLDERS, TEST_FOLDERS, name.format(stem) + suffix)


def _places(folder: str, here: Sequence[str], there: Sequence[str], name: str) -> Iterator[str]:
    """In the same folder, at the same place of the other tree, above, or directly in a folder for such files."""
    yield join(folder, name)
    for before, after in _splits(folder, here):
        yield from (join(before, holder, after, name) for holder in there)
    for above in ancestors(folder):
        yield join(above, name)
        yield from (join(above, holder, name) for holder in there)


def _splits(folder: str, holders: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What lies before and after a holder in a path; "" is a holder that lies anywhere."""
    for above in ancestors(folder):
        for holder in holders:
            if not holder or above == holder or above.endswith(f"/{holder}"):
                yield above.removesuffix(holder), folder[len(above) :]


def _counterparts(suffix: str) -> tuple[str, ...]:
    if suffix in HEADERS:
        return SOURCES
    return HEADERS if suffix in SOURCES else ()
