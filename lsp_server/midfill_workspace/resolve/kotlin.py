"""Kotlin: as Java, but any file of a folder may declare a name, and a folder may leave out the common package."""

from collections.abc import Iterator, Sequence

from midfill_workspace.project import Project
from midfill_workspace.resolve import java, packages
from midfill_workspace.resolve.resolver import Resolver
from midfill_workspace.symbol import Import

SUFFIXES = (".kt", ".java")


def files(wanted: Import, importer: str, project: Project) -> Iterator[str]:
    yield from java.files(wanted, importer, project)
    for folder in packages.folders(wanted.module, importer, project):
        yield from packages.named_in(folder, wanted.name, SUFFIXES, project)


def neighbours(path: str, project: Project) -> Sequence[str]:
    return packages.siblings(path, SUFFIXES, project)


RESOLVER = Resolver(files, together=True, neighbours=neighbours, inside=java.inside)
