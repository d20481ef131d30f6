"""PHP: classes by the PSR-4 table of `composer.json`, included files by their path."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from midfill_workspace.project import Project
from midfill_workspace.resolve import packages
from midfill_workspace.resolve.paths import ancestors, folder_of, join
from midfill_workspace.resolve.resolver import Resolver
from midfill_workspace.symbol import Import


def files(wanted: Import, importer: str, project: Project) -> Iterator[str]:
    if wanted.module.startswith("."):
        path = join(folder_of(importer), wanted.module)
        yield from [path] if project.has(path) else ()
        return
    for above in ancestors(folder_of(importer)):
        for prefix, folder in _psr4(project.config(join(above, "composer.json"))):
            if f"{wanted.module}\\".startswith(prefix):
                path = join(above, folder, *wanted.module[len(prefix) :].split("\\"), f"{wanted.name}.php")
                yield from [path] if project.has(path) else ()


@lru_cache(maxsize=16)
def _psr4(text: str) -> tuple[tuple[str, str], ...]:
    """Prefixes of namespaces and their folders, the longest prefix first."""
    try:
        manifest = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return ()
    found = [pair for key in ("autoload", "autoload-dev") for pair in _pairs(_at(_at(manifest, key), "psr-4"))]
    return tuple(sorted(found, key=lambda pair: -len(pair[0])))


def _pairs(table: object) -> Iterator[tuple[str, str]]:
    for prefix, folders in table.items() if isinstance(table, Mapping) else ():
        for folder in folders if isinstance(folders, list) else [folders]:
            if isinstance(folder, str):
                yield prefix, folder


def _at(table: object, key: str) -> object:
    return table.get(key) if isinstance(table, Mapping) else None


def neighbours(path: str, project: Project) -> Sequence[str]:
    return packages.siblings(path, (".php",), project)


RESOLVER = Resolver(files, neighbours=neighbours)
