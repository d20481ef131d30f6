"""Arithmetic on workspace paths, which have `/` and never begin with one."""

from collections.abc import Iterator
from posixpath import normpath


def folder_of(path: str) -> str:
    """ "" for what lies directly in the workspace."""
    return path.rpartition("/")[0]


def join(*parts: str) -> str:
    """A normalised path; one that leaves the workspace begins with `..`, and no file of it does."""
    joined = normpath("/".join(part for part in parts if part).strip("/") or ".")
    return "" if joined == "." else joined


def ancestors(folder: str) -> Iterator[str]:
    """The folder, the one it lies in, and so on up to the workspace itself."""
    while folder:
        yield folder
        folder = folder_of(folder)
    yield ""
