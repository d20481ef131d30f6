"""Which declarations of other files can be written in this one: imports followed through re-exports, packages, members."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from midfill_workspace.project import Project
from midfill_workspace.resolve.table import RESOLVERS, Resolver
from midfill_workspace.symbol import Definition, Import, Outline

HOPS = 6
"""How many re-exports are followed; longer chains are cycles."""

LIMIT = 2_000
"""Declarations that one file can see. What comes after would not be ranked in a millisecond."""

CONSTRUCTORS = frozenset({"__init__", "__new__", "constructor"})
FIRST_FIELDS = 8
"""Of a class without a constructor, as of data classes."""


@dataclass(frozen=True, slots=True)
class Visible:
    """A declaration of another file, and how it is written here: `name`, or `qualifier.name`."""

    path: str
    definition: Definition
    name: str
    qualifier: str = ""
    package: bool = False
    """Seen without an import."""
    starred: bool = False
    """Seen through an import of everything."""
    made_by: tuple[Definition, ...] = ()
    """Of a class: how one is made, by its constructor or its first fields."""


def visible(outline: Outline, project: Project) -> Iterator[Visible]:
    """What a file can see of the others, in the order of its imports, then its package; each once."""
    resolver = RESOLVERS.get(outline.language)
    if resolver is not None:
        scene = _Scene(resolver, project)
        for each in islice(_once(chain(scene.imported(outline), scene.of_package(outline))), LIMIT):
            yield _with_constructor(each, project)


def _once(found: Iterable[Visible]) -> Iterator[Visible]:
    seen: set[tuple[str, int, str, str]] = set()
    for each in found:
        key = (each.path, each.definition.line, each.name, each.qualifier)
        if key not in seen:
            seen.add(key)
            yield each


def _with_constructor(each: Visible, project: Project) -> Visible:
    outline = project.outline(each.path) if each.definition.kind == "class" else None
    if outline is None:
        return each
    inside = [inner for inner in outline.definitions if inner.owner == each.definition.name]
    made_by = [inner for inner in inside if inner.name in CONSTRUCTORS]
    typed = [inner for inner in inside if inner.kind == "field" and inner.type][:FIRST_FIELDS]
    return replace(each, made_by=tuple(made_by or typed))


def exports(module: str, outline: Outline, project: Project) -> Iterator[Visible]:
    """What a module offers to the file that is about to import from it."""
    resolver = RESOLVERS.get(outline.language)
    if resolver is not None:
        for each in _Scene(resolver, project).imported(replace(outline, imports=(Import(module, "*"),))):
            yield replace(each, starred=False)


def members(owner: Definition, path: str, project: Project) -> Iterator[Visible]:
    """The members of a class, and those of what it inherits, nearest first."""
    seen: set[tuple[str, str]] = set()
    waiting = [(owner, path)]
    while waiting and len(seen) < HOPS * 4:
        definition, place = waiting.pop(0)
        outline = project.outline(place)
        if outline is None or (place, definition.name) in seen:
            continue
        seen.add((place, definition.name))
        for each in outline.definitions:
            if each.owner == definition.name:
                yield Visible(place, each, each.name)
        waiting.extend(_bases(definition, outline, project))


def _bases(definition: Definition, outline: Outline, project: Project) -> Iterator[tuple[Definition, str]]:
    for base in definition.bases:
        found = named(base, outline, project)
        if found is not None:
            yield found


def named(written: str, outline: Outline, project: Project) -> tuple[Definition, str] | None:
    """The class or type that a name means in a file, and the file that declares it."""
    found = meant(written, outline, project)
    return next((each for each in found if each[0].kind in ("class", "type")), None)


def meant(written: str, outline: Outline, project: Project) -> Iterator[tuple[Definition, str]]:
    """The declarations that a name, or a qualified one, may mean in a file: its own, then those it can see."""
    head, _, last = written.rpartition(".")
    if not head:
        yield from ((each, outline.path) for each in outline.definitions if each.name == last and not each.owner)
    resolver = RESOLVERS.get(outline.language)
    if resolver is not None:
        scene = _Scene(resolver, project)
        seen = scene.qualified(outline, head, last) if head else scene.by_name(outline, last)
        yield from ((each.definition, each.path) for each in seen)


@dataclass(frozen=True, slots=True)
class _Scene:
    resolver: Resolver
    project: Project

    def imported(self, outline: Outline) -> Iterator[Visible]:
        for wanted in outline.imports:
            yield from self._of_import(wanted, outline.path)

    def by_name(self, outline: Outline, name: str) -> Iterator[Visible]:
        for wanted in outline.imports:
            if wanted.alias == name or wanted.name == "*":
                yield from (each for each in self._of_import(wanted, outline.path) if each.name == name)
        yield from (each for each in self.of_package(outline) if each.name == name)

    def qualified(self, outline: Outline, qualifier: str, name: str) -> Iterator[Visible]:
        for wanted in outline.imports:
            if wanted.alias == qualifier:
                yield from (each for each in self._of_import(wanted, outline.path) if each.name == name)

    def of_package(self, outline: Outline) -> Iterator[Visible]:
        for path in self.resolver.neighbours(outline.path, self.project):
            other = self.project.outline(path)
            if other is not None and other.package == outline.package:
                yield from (Visible(path, each, each.name, package=True) for each in other.definitions)

    def _of_import(self, wanted: Import, importer: str) -> Iterator[Visible]:
        if not wanted.module:
            return
        if wanted.name == "":
            yield from self._of_module(wanted, importer)
        elif wanted.name == "*":
            for path in self.resolver.files(wanted, importer, self.project):
                yield from (replace(each, starred=True) for each in self._exports(path, HOPS))
        else:
            found = list(self._named(wanted, importer, HOPS))
            if found:
                yield from (replace(each, name=wanted.alias) for each in found)
            else:
                yield from self._of_module(self.resolver.submodule(wanted), importer)

    def _of_module(self, wanted: Import, importer: str) -> Iterator[Visible]:
        if wanted.module:
            for path in self.resolver.files(wanted, importer, self.project):
                yield from (replace(each, qualifier=wanted.alias) for each in self._exports(path, HOPS))

    def _named(self, wanted: Import, importer: str, hops: int) -> Iterator[Visible]:
        """The declarations that an import names, in the first file that has any."""
        for path in self.resolver.files(wanted, importer, self.project):
            found = list(self._in_file(wanted.name, path, hops))
            if found:
                yield from found
                return

    def _in_file(self, name: str, path: str, hops: int) -> Iterator[Visible]:
        outline = self.project.outline(path)
        if outline is None or hops == 0:
            return
        own = [each for each in outline.definitions if each.name == name and not each.owner]
        if name == "default":
            own = [each for each in outline.definitions if "export default" in each.header]
        if own:
            yield from (Visible(path, each, name) for each in own)
            return
        for wanted in outline.imports:
            if wanted.exported and wanted.alias == name and not wanted.module:
                yield from self._in_file(wanted.name, path, hops - 1)
            elif wanted.alias == name and wanted.name not in ("", "*"):
                yield from self._named(wanted, path, hops - 1)
            elif wanted.name == "*" and wanted.exported:
                yield from self._named(replace(wanted, name=name), path, hops - 1)

    def _exports(self, path: str, hops: int) -> Iterator[Visible]:
        """What a module offers: what it declares, then what it re-exports by name or altogether."""
        outline = self.project.outline(path)
        if outline is None or hops == 0:
            return
        for each in outline.definitions:
            if each.exported and not each.owner:
                yield Visible(path, each, each.name)
        for wanted in _reexports(outline):
            if wanted.name == "*":
                for other in self.resolver.files(wanted, path, self.project):
                    yield from self._exports(other, hops - 1)
            else:
                yield from (replace(each, name=wanted.alias) for each in self._named(wanted, path, hops - 1))


def _reexports(outline: Outline) -> Sequence[Import]:
    """Of a Python module only what an `__init__` or a star says: everybody's imports are not what a module is for."""
    if outline.language == "python" and not outline.path.endswith(("__init__.py", "__init__.pyi")):
        return [each for each in outline.imports if each.name == "*"]
    return [each for each in outline.imports if each.exported and each.name and each.module]
