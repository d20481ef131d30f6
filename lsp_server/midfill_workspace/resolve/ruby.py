"""Ruby: required files, relative to the file or below `lib`."""

from collections.abc import Iterator

from midfill_workspace.project import Project
from midfill_workspace.resolve.paths import ancestors, folder_of, join
from midfill_workspace.resolve.resolver import Resolver
from midfill_workspace.symbol import Import

ROOTS = ("lib", "")


def files(wanted: Import, importer: str, project: Project) -> Iterator[str]:
    name = wanted.module.removesuffix(".rb") + ".rb"
    found = next((path for path in _places(name, importer) if project.has(path)), None)
    if found is not None:
        yield found


def _places(name: str, importer: str) -> Iterator[str]:
    if name.startswith("."):
        yield join(folder_of(importer), name)
        return
    for above in ancestors(folder_of(importer)):
        yield from (join(above, root, name) for root in ROOTS)


RESOLVER = Resolver(files)
