"""What a language's module answers about its imports, with the answers of languages that have no such thing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from midfill_workspace.project import Project
from midfill_workspace.symbol import Import, Outline


def nothing(wanted: Import) -> Import:
    return Import("", "", "")


def nobody(path: str, project: Project) -> Sequence[str]:
    return ()


def whole_file(wanted: Import, importer: str, path: str, project: Project) -> str:
    return ""


def exported_names(outline: Outline) -> Sequence[Import]:
    return [each for each in outline.imports if each.exported and each.name and each.alias != "default"]


@dataclass(frozen=True, slots=True)
class Resolver:
    files: Callable[[Import, str, Project], Iterator[str]]
    """The files that an import of a file may name, the likeliest first."""
    together: bool = False
    """Whether these files are one module, as those of a Go package; else the first that was read is what is meant."""
    submodule: Callable[[Import], Import] = nothing
    """What a name may be that its module does not declare: a module of a package. An empty module: nothing."""
    neighbours: Callable[[str, Project], Sequence[str]] = nobody
    """Files whose declarations are seen without an import."""
    package_private: bool = False
    """Whether neighbours see also what is not exported."""
    inside: Callable[[Import, str, str, Project], str] = whole_file
    """The class or inline module, in one of its files, that an import of a file takes from; "" is the file itself."""
    reexports: Callable[[Outline], Sequence[Import]] = exported_names
    """The imports that a module offers to those who import all of it."""
