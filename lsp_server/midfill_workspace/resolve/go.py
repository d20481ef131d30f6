"""Go: packages are folders, and the files of one folder see each other."""

import re
from collections.abc import Iterator, Sequence

from midfill_workspace.project import Project
from midfill_workspace.resolve.paths import ancestors, folder_of, join
from midfill_workspace.symbol import Import

MODULE = re.compile(r"^\s*module\s+\"?([^\s\"]+)", re.MULTILINE)


def files(wanted: Import, importer: str, project: Project) -> Iterator[str]:
    """The files of the first folder that the import path may be."""
    for folder in _folders(wanted.module, importer, project):
        found = _sources(folder, project)
        if found:
            yield from found
            return


def submodule(wanted: Import) -> Import:
    return Import("", "", "")


def neighbours(path: str, project: Project) -> Sequence[str]:
    """The other files of the package; test files are seen from test files only."""
    testing = path.endswith("_test.go")
    found = [each for each in project.files_in(folder_of(path)) if each.endswith(".go") and each != path]
    return [each for each in found if testing or not each.endswith("_test.go")]


def _sources(folder: str, project: Project) -> list[str]:
    return [path for path in project.files_in(folder) if path.endswith(".go") and not path.endswith("_test.go")]


def _folders(module: str, importer: str, project: Project) -> Iterator[str]:
    for above in ancestors(folder_of(importer)):
        declared = MODULE.search(project.config(join(above, "go.mod")))
        if declared is not None:
            inner = module.removeprefix(declared[1])
            if inner != module and inner[:1] in ("", "/"):
                yield join(above, inner.lstrip("/"))
            return
    # Without a go.mod, as in GOPATH and vendored trees: the end of the import path that is a folder here.
    parts = module.split("/")
    if "." in parts[0]:
        yield from ("/".join(parts[start:]) for start in range(len(parts)))
