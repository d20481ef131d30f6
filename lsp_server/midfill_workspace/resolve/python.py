"""Python: relative and absolute modules, packages, src layouts, stubs, installed packages."""

from collections.abc import Iterator, Sequence

from midfill_workspace.project import Project
from midfill_workspace.resolve.installed import SITE, is_installed
from midfill_workspace.resolve.paths import ancestors, folder_of, join
from midfill_workspace.resolve.resolver import Resolver, exported_names
from midfill_workspace.symbol import Import, Outline

SOURCE_FOLDERS = ("", "src", "lib", "python")
"""Where the top-level packages of a project lie."""


OWN = (".py", "/__init__.py", ".pyi", "/__init__.pyi")
"""A stub is read after its source, which has the documentation."""

INSTALLED = ("/__init__.pyi", ".pyi", "/__init__.py", ".py")
"""Of a package the stub says more: sources often have no types."""


def files(wanted: Import, importer: str, project: Project) -> Iterator[str]:
    """The files that a module may be, the likeliest first."""
    for place in _places(wanted.module, importer, project):
        for ending in INSTALLED if is_installed(place) else OWN:
            if project.has(path := f"{place}{ending}"):
                yield path


def submodule(wanted: Import) -> Import:
    """`from package import name`, read as if `name` were a module of the package."""
    separator = "" if wanted.module.endswith(".") else "."
    return Import(f"{wanted.module}{separator}{wanted.name}", "", wanted.alias, wanted.line, wanted.exported)


def reexports(outline: Outline) -> Sequence[Import]:
    """What an `__init__` imports, and what `__all__` or a star says: other imports are not what a module is for."""
    listed = any(each.name == "__all__" for each in outline.definitions)
    if listed or outline.path.endswith(("__init__.py", "__init__.pyi")):
        return exported_names(outline)
    return [each for each in outline.imports if each.name == "*"]


def _places(module: str, importer: str, project: Project) -> Iterator[str]:
    parts = module.lstrip(".").replace(".", "/")
    dots = len(module) - len(module.lstrip("."))
    if dots:
        folder = folder_of(importer)
        for _ in range(dots - 1):
            folder = folder_of(folder)
        yield join(folder, parts)
        return
    if not is_installed(importer):
        yield from (join(root, parts) for root in _roots(importer, project))
    yield from _packages(parts)


def _roots(importer: str, project: Project) -> Iterator[str]:
    """Where absolute imports of the workspace's own modules are counted from."""
    for folder in ancestors(folder_of(importer)):
        if not project.has(join(folder, "__init__.py")):
            yield from (join(folder, source) for source in SOURCE_FOLDERS)


def _packages(parts: str) -> Iterator[str]:
    package, slash, inner = parts.partition("/")
    if package:
        yield f"{SITE}/{package}-stubs{slash}{inner}"
        yield f"{SITE}/{parts}"


RESOLVER = Resolver(files, submodule=submodule, reexports=reexports)
