"""Go: packages are folders, and the files of one folder see each other."""

import re
from collections.abc import Iterator, Sequence

from midfill_workspace.project import Project
from midfill_workspace.resolve.paths import ancestors, folder_of, join
from midfill_workspace.resolve.resolver import Resolver
from midfill_workspace.symbol import Import

MODULE = re.compile(r"^[ \t]*module[ \t]+\"?([^\s\"]+)", re.MULTILINE)
REPLACED = re.compile(r"^[ \t]*(?:replace[ \t]+)?([^\s/(]\S*)(?:[ \t]+v\S+)?[ \t]+=>[ \t]+(\.{1,2}\S*)", re.MULTILINE)
"""A module that is read from a folder of the workspace."""

USED = re.compile(r"^[ \t]*(?:use[ \t]+)?(\.{1,2}(?:/[^\s)]*)?)[ \t]*(?://.*)?$", re.MULTILINE)
"""A folder in `go.work`."""


def files(wanted: Import, importer: str, project: Project) -> Iterator[str]:
    """The files of the first folder that the import path may be."""
    for folder in _folders(wanted.module, importer, project):
        found = _sources(folder, project)
        if found:
            yield from found
            return


def neighbours(path: str, project: Project) -> Sequence[str]:
    """The other files of the package; test files are seen from test files only."""
    testing = path.endswith("_test.go")
    found = [each for each in project.files_in(folder_of(path)) if each.endswith(".go") and each != path]
    return [each for each in found if testing or not each.endswith("_test.go")]


def _sources(folder: str, project: Project) -> list[str]:
    return [path for path in project.files_in(folder) if path.endswith(".go") and not path.endswith("_test.go")]


def _folders(module: str, importer: str, project: Project) -> Iterator[str]:
    above = list(ancestors(folder_of(importer)))
    home = next((folder for folder in above if MODULE.search(project.config(join(folder, "go.mod")))), None)
    if home is None:
        yield from _by_ending(module)
        return
    yield from _in_module(module, home, project)
    yield from _replaced(module, home, "go.mod", project)
    for folder in above:
        yield from _in_workspace(module, folder, project)
    yield join(home, "vendor", module)


def _in_module(module: str, folder: str, project: Project) -> Iterator[str]:
    declared = MODULE.search(project.config(join(folder, "go.mod")))
    if declared is not None:
        yield from _below(module, declared[1], folder)


def _replaced(module: str, folder: str, name: str, project: Project) -> Iterator[str]:
    for written, target in REPLACED.findall(project.config(join(folder, name))):
        yield from _below(module, written, join(folder, target))


def _in_workspace(module: str, folder: str, project: Project) -> Iterator[str]:
    for used in USED.findall(project.config(join(folder, "go.work"))):
        yield from _in_module(module, join(folder, used), project)
    yield from _replaced(module, folder, "go.work", project)


def _below(module: str, prefix: str, folder: str) -> Iterator[str]:
    inner = module.removeprefix(prefix)
    if module.startswith(prefix) and inner[:1] in ("", "/"):
        yield join(folder, inner.lstrip("/"))


def _by_ending(module: str) -> Iterator[str]:
    """Without a go.mod, as in GOPATH and vendored trees: the end of the import path that is a folder here."""
    parts = module.split("/")
    if "." in parts[0]:
        yield from ("/".join(parts[start:]) for start in range(len(parts)))


RESOLVER = Resolver(files, together=True, neighbours=neighbours, package_private=True)
