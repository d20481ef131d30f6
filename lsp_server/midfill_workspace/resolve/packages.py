"""Packages that are spread over folders: where a dotted name lies, seen from a file whose own package is known."""

from collections.abc import Iterator, Sequence

from midfill_workspace.project import Project
from midfill_workspace.resolve.paths import folder_of, join

TEST_ROOTS = ("src/test/", "src/main/")
"""Tests see what they test, not the other way round."""


def root_of(path: str, project: Project) -> tuple[str, tuple[str, ...]]:
    """The folder that packages are counted from, and the first parts of their names, which have no folder."""
    outline = project.outline(path)
    package = tuple(outline.package.replace("\\", ".").split(".")) if outline is not None and outline.package else ()
    folders = folder_of(path).split("/") if "/" in path else []
    common = 0
    while common < min(len(package), len(folders)) and package[-1 - common] == folders[-1 - common]:
        common += 1
    return "/".join(folders[: len(folders) - common]), package[: len(package) - common]


def folders(module: str, importer: str, project: Project, others: Sequence[str] = ()) -> Iterator[str]:
    """The folders that a package may be; `others` are roots of other parts of the workspace."""
    root, missing = root_of(importer, project)
    parts = tuple(module.split("."))
    for each in dict.fromkeys((root, root.replace(*TEST_ROOTS), *others)):
        if missing and parts[: len(missing)] == missing:
            yield join(each, *parts[len(missing) :])
        yield join(each, *parts)


def siblings(path: str, suffixes: tuple[str, ...], project: Project) -> list[str]:
    """The other files of a folder, and for a test those of the folder that it tests."""
    tested = folder_of(path).replace(*TEST_ROOTS)
    found = [each for folder in dict.fromkeys((folder_of(path), tested)) for each in project.files_in(folder)]
    return [each for each in found if each.endswith(suffixes) and each != path]


def named_in(folder: str, name: str, suffixes: tuple[str, ...], project: Project) -> Iterator[str]:
    """The files of a folder, first the one that is called like what is wanted."""
    likely = [join(folder, name + suffix) for suffix in suffixes]
    yield from (path for path in likely if project.has(path))
    yield from (path for path in project.files_in(folder) if path.endswith(suffixes) and path not in likely)


def class_inside(module: str, path: str) -> str:
    """Of `a.b.Outer.Inner` and `a/b/Outer.java` "Inner"; "" where the module is a package, which has no such file."""
    parts = module.split(".")
    stem = path.rpartition("/")[2].partition(".")[0]
    if stem not in parts:
        return ""
    before = "/".join(parts[: parts.index(stem)])
    return parts[-1] if f"/{folder_of(path)}".endswith(f"/{before}" if before else "") else ""
