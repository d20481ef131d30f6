"""Rust: modules are files below a crate's root; other crates of the workspace are found by their manifests."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from midfill_workspace.project import Project
from midfill_workspace.resolve.paths import ancestors, folder_of, join
from midfill_workspace.resolve.resolver import Resolver
from midfill_workspace.symbol import Import

ROOTS = ("src/lib.rs", "src/main.rs")
OWNERS = ("mod", "lib", "main")
"""Files whose submodules lie beside them; those of the others lie in a folder of their name."""

TARGETS = frozenset({"tests", "examples", "benches", "bin"})
"""Folders whose files are crates of their own."""

STEPS = 8
"""How many names of modules that were imported elsewhere are followed."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file, and what of a path is left there: an inline module, or a type."""

    path: str
    rest: tuple[str, ...] = ()


def files(wanted: Import, importer: str, project: Project) -> Iterator[str]:
    place = _place(wanted.module.split("::"), importer, project, STEPS)
    if place is not None and (not place.rest or _declares(place, project)):
        yield place.path


def inside(wanted: Import, importer: str, path: str, project: Project) -> str:
    place = _place(wanted.module.split("::"), importer, project, STEPS)
    return place.rest[-1] if place is not None and place.rest else ""


def submodule(wanted: Import) -> Import:
    """`use a::b`, where b is a module."""
    return Import(f"{wanted.module}::{wanted.name}", "", wanted.alias, wanted.line, wanted.exported)


def _declares(place: Place, project: Project) -> bool:
    outline = project.outline(place.path)
    return outline is not None and any(each.name == place.rest[-1] for each in outline.definitions)


def _place(parts: Sequence[str], importer: str, project: Project, steps: int) -> Place | None:
    first, rest = parts[0], parts[1:]
    match first:
        case "crate":
            start = _crate_root(importer, project)
        case "self":
            start = importer
        case "super":
            start = _parent(importer, project)
        case _:
            return _of_crate(parts, importer, project, steps) or _uniform(parts, importer, project, steps)
    while rest and rest[0] == "super" and start:
        start, rest = _parent(start, project), rest[1:]
    return _below(start, tuple(rest), project, steps) if start else None


def _below(path: str, rest: tuple[str, ...], project: Project, steps: int) -> Place | None:
    """Down through the modules that have files, then through those that a file has under another name."""
    while rest:
        child = _child(path, rest[0], project)
        if not child:
            return _passed_on(path, rest, project, steps) or Place(path, rest)
        path, rest = child, rest[1:]
    return Place(path)


def _passed_on(path: str, rest: tuple[str, ...], project: Project, steps: int) -> Place | None:
    """`pub use a::b` makes `b::c` a path of this module."""
    outline = project.outline(path) if steps else None
    for each in outline.imports if outline is not None else ():
        if each.alias == rest[0] and each.name != "*" and each.module != f"self::{rest[0]}":
            target = [*each.module.split("::"), *([each.name] if each.name else []), *rest[1:]]
            return _place(target, path, project, steps - 1)
    return None


def _uniform(parts: Sequence[str], importer: str, project: Project, steps: int) -> Place | None:
    """A path that begins with a name of the file itself: a module, an import, or something that it declares."""
    found = _below(importer, tuple(parts), project, steps)
    if found is None or found.path != importer or not found.rest:
        return found
    return found if _declares(Place(importer, found.rest[:1]), project) else None


def _child(path: str, name: str, project: Project) -> str:
    folder = _folder_of_children(path, project)
    candidates = (join(folder, f"{name}.rs"), join(folder, name, "mod.rs"))
    return next((each for each in candidates if project.has(each) and each != path), "")


def _folder_of_children(path: str, project: Project) -> str:
    folder, stem = folder_of(path), path.rpartition("/")[2].removesuffix(".rs")
    return folder if stem in OWNERS or _is_target(folder) else join(folder, stem)


def _is_target(folder: str) -> bool:
    return folder.rpartition("/")[2] in TARGETS


def _parent(path: str, project: Project) -> str:
    folder, name = folder_of(path), path.rpartition("/")[2]
    if name == "mod.rs":
        folder = folder_of(folder)
    candidates = [join(folder, f"{owner}.rs") for owner in OWNERS] + ([f"{folder}.rs"] if folder else [])
    return next((each for each in candidates if project.has(each) and each != path), "")


def _crate_root(importer: str, project: Project) -> str:
    """A test, an example or a binary of its own is its own root."""
    if _is_target(folder_of(importer)):
        return importer
    for above in ancestors(folder_of(importer)):
        found = next((path for root in ROOTS if project.has(path := join(above, root))), "")
        if found or project.config(join(above, "Cargo.toml")):
            return found
    return ""


def _of_crate(parts: Sequence[str], importer: str, project: Project, steps: int) -> Place | None:
    for folder in _crate_folders(parts[0], importer, project):
        root = join(folder, ROOTS[0])
        if project.has(root):
            return _below(root, tuple(parts[1:]), project, steps)
    return None


def _crate_folders(name: str, importer: str, project: Project) -> Iterator[str]:
    """The crate itself, its dependencies with a path, then the members of the workspace."""
    for above in ancestors(folder_of(importer)):
        manifest = _toml(project.config(join(above, "Cargo.toml")))
        if manifest:
            yield from _named_here(name, above, manifest)
            yield from _members(name, above, manifest, project)


def _named_here(name: str, folder: str, manifest: Mapping[str, object]) -> Iterator[str]:
    if _crate_name(manifest) == name:
        yield folder
    workspace = _table(manifest, "workspace")
    for holder in (manifest, workspace):
        for key in ("dependencies", "dev-dependencies", "build-dependencies"):
            for written, wanted in _table(holder, key).items():
                path = wanted.get("path") if isinstance(wanted, Mapping) else None
                if isinstance(path, str) and _plain(written) == name:
                    yield join(folder, path)


def _members(name: str, folder: str, manifest: Mapping[str, object], project: Project) -> Iterator[str]:
    """Folders cannot be listed: a pattern is tried with the name of the crate."""
    members = _table(manifest, "workspace").get("members")
    for member in members if isinstance(members, list) else ():
        for spelled in dict.fromkeys((name, name.replace("_", "-"))):
            place = join(folder, str(member).replace("**", "*").replace("*", spelled))
            if _crate_name(_toml(project.config(join(place, "Cargo.toml")))) == name:
                yield place


def _crate_name(manifest: Mapping[str, object]) -> str:
    named = _table(manifest, "lib").get("name") or _table(manifest, "package").get("name")
    return _plain(named) if isinstance(named, str) else ""


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _table(holder: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = holder.get(key)
    return value if isinstance(value, Mapping) else {}


@lru_cache(maxsize=64)
def _toml(text: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


RESOLVER = Resolver(files, submodule=submodule, inside=inside)
