"""C and C++: includes relative to the file and to the usual roots; a source and its header are twins."""

from collections.abc import Iterator, Sequence

from midfill_workspace.project import Project
from midfill_workspace.resolve.paths import ancestors, folder_of, join
from midfill_workspace.resolve.resolver import Resolver
from midfill_workspace.symbol import Import

ROOTS = ("include", "src", "")
HEADERS, SOURCES = (".h", ".hpp", ".hh", ".hxx"), (".c", ".cc", ".cpp", ".cxx")


def files(wanted: Import, importer: str, project: Project) -> Iterator[str]:
    """The one file that is meant: a header of the same name elsewhere is another one."""
    found = next((path for path in _places(wanted.module, importer) if project.has(path)), None)
    if found is not None:
        yield found


def neighbours(path: str, project: Project) -> Sequence[str]:
    """The header of a source, also where it is included by a path that is not known; the source of a header."""
    stem, dot, suffix = path.rpartition(".")
    wanted = HEADERS if dot + suffix in SOURCES else SOURCES
    here, there = ("src", "include") if wanted is HEADERS else ("include", "src")
    candidates = [place + each for place in (stem, *_moved(stem, here, there)) for each in wanted]
    return [each for each in candidates if project.has(each)][:1]


def _places(written: str, importer: str) -> Iterator[str]:
    """`<x.h>` is the system's, unless a folder of headers has it; one with a folder may lie below any root."""
    path = written.strip("<>")
    system = path != written
    if not system:
        yield join(folder_of(importer), path)
    roots = ROOTS[:1] if system and "/" not in path else ROOTS
    for above in ancestors(folder_of(importer)):
        yield from (join(above, root, path) for root in roots)


def _moved(stem: str, here: str, there: str) -> Iterator[str]:
    """`a/src/b/c` in `a/include/b/c`."""
    parts = stem.split("/")
    for at in range(len(parts) - 1, -1, -1):
        if parts[at] == here:
            yield "/".join([*parts[:at], there, *parts[at + 1 :]])


RESOLVER = Resolver(files, neighbours=neighbours)
