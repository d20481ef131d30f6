"""C#: namespaces follow folders by habit, and the first parts of their names are often one folder's, with dots."""

from collections.abc import Iterator, Sequence

from midfill_workspace.project import Project
from midfill_workspace.resolve import packages
from midfill_workspace.resolve.paths import ancestors, folder_of, join
from midfill_workspace.resolve.resolver import Resolver
from midfill_workspace.symbol import Import

SUFFIXES = (".cs",)


def files(wanted: Import, importer: str, project: Project) -> Iterator[str]:
    """The files of the folders that a namespace may be, if they say that they are of it."""
    if wanted.module.partition(".")[0] in ("System", "Microsoft"):
        return
    for folder in dict.fromkeys(_folders(wanted.module, importer, project)):
        for path in packages.named_in(folder, wanted.name, SUFFIXES, project):
            outline = project.outline(path)
            if outline is not None and outline.package == wanted.module:
                yield path


def _folders(module: str, importer: str, project: Project) -> Iterator[str]:
    yield from packages.folders(module, importer, project)
    parts = module.split(".")
    for above in ancestors(folder_of(importer)):
        for at in range(1, len(parts) + 1):
            yield join(above, ".".join(parts[:at]), *parts[at:])


def neighbours(path: str, project: Project) -> Sequence[str]:
    return packages.siblings(path, SUFFIXES, project)


RESOLVER = Resolver(files, together=True, neighbours=neighbours)
