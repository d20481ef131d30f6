"""Java: a class is a file in the folder of its package; the classes of one package see each other."""

import re
from collections.abc import Iterator, Sequence

from midfill_workspace.project import Project
from midfill_workspace.resolve import packages
from midfill_workspace.resolve.paths import ancestors, folder_of, join
from midfill_workspace.resolve.resolver import Resolver
from midfill_workspace.symbol import Import

SUFFIXES = (".java", ".kt")
SOURCE_ROOTS = ("src/main/java", "src/main/kotlin", "src")
MODULE = re.compile(r"<module>\s*([^<\s]+)\s*</module>|['\"]:?([\w.:/-]+)['\"]")
BUILDS = ("pom.xml", "settings.gradle", "settings.gradle.kts")


def files(wanted: Import, importer: str, project: Project) -> Iterator[str]:
    """Of a package the class's file, or all for a star; else the file of the class that the module is."""
    if wanted.module.startswith(("java.", "javax.", "kotlin.")):
        return
    others = list(_other_roots(importer, project))
    for folder in packages.folders(wanted.module, importer, project, others):
        if wanted.name == "*":
            yield from (path for path in project.files_in(folder) if path.endswith(SUFFIXES))
        yield from _existing(join(folder, wanted.name), project)
    yield from _outer(wanted.module, importer, project, others)


def _outer(module: str, importer: str, project: Project, others: Sequence[str]) -> Iterator[str]:
    """The file of the class that a static import, or that of a nested class, takes from."""
    parts = module.split(".")
    for end in range(len(parts), max(len(parts) - 3, 0), -1):
        for place in packages.folders(".".join(parts[:end]), importer, project, others):
            yield from _existing(place, project)


def _existing(place: str, project: Project) -> Iterator[str]:
    yield from (place + suffix for suffix in SUFFIXES if project.has(place + suffix))


def _other_roots(importer: str, project: Project) -> Iterator[str]:
    """Source folders of the other modules of a build."""
    for above in ancestors(folder_of(importer)):
        for build in BUILDS:
            for found in MODULE.finditer(project.config(join(above, build))):
                module = (found[1] or found[2]).replace(":", "/")
                yield from (join(above, module, root) for root in SOURCE_ROOTS)
    yield from SOURCE_ROOTS


def neighbours(path: str, project: Project) -> Sequence[str]:
    return packages.siblings(path, SUFFIXES, project)


def inside(wanted: Import, importer: str, path: str, project: Project) -> str:
    return packages.class_inside(wanted.module, path)


RESOLVER = Resolver(files, together=True, neighbours=neighbours, package_private=True, inside=inside)
