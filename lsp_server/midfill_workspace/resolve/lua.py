"""Lua: `a.b` is `a/b.lua` or `a/b/init.lua` below one of the usual roots."""

from collections.abc import Iterator

from midfill_workspace.project import Project
from midfill_workspace.resolve.paths import ancestors, folder_of, join
from midfill_workspace.resolve.resolver import Resolver
from midfill_workspace.symbol import Import

ROOTS = ("", "lua", "src", "lib")


def files(wanted: Import, importer: str, project: Project) -> Iterator[str]:
    place = wanted.module.replace(".", "/")
    for above in ancestors(folder_of(importer)):
        for root in ROOTS:
            candidates = (join(above, root, place) + end for end in (".lua", "/init.lua"))
            yield from (path for path in candidates if project.has(path))


RESOLVER = Resolver(files)
