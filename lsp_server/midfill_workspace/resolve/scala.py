"""Scala: packages are folders, more or less; any file of one may declare a name."""

from collections.abc import Iterator, Sequence

from midfill_workspace.project import Project
from midfill_workspace.resolve import packages
from midfill_workspace.resolve.resolver import Resolver
from midfill_workspace.symbol import Import

SUFFIXES = (".scala", ".java")


def files(wanted: Import, importer: str, project: Project) -> Iterator[str]:
    for folder in packages.folders(wanted.module, importer, project):
        yield from packages.named_in(folder, wanted.name, SUFFIXES, project)
    for place in packages.folders(wanted.module, importer, project):
        yield from (place + suffix for suffix in SUFFIXES if project.has(place + suffix))


def neighbours(path: str, project: Project) -> Sequence[str]:
    return packages.siblings(path, SUFFIXES, project)


def inside(wanted: Import, importer: str, path: str, project: Project) -> str:
    return packages.class_inside(wanted.module, path)


RESOLVER = Resolver(files, together=True, neighbours=neighbours, inside=inside)
