"""Which declarations of other files can be written in this one: imports followed through re-exports, packages, members."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from midfill_workspace.project import Project
from midfill_workspace.resolve.installed import is_installed
from midfill_workspace.resolve.resolver import Resolver
from midfill_workspace.resolve.table import RESOLVERS
from midfill_workspace.symbol import Definition, Import, Outline

HOPS = 6
"""How many re-exports are followed; longer chains are cycles."""

LIMIT = 2_000
"""Declarations that one file can see. What comes after would not be ranked in a millisecond."""

SEPARATOR = re.compile(r"\.|::|\\\\")
TYPES = frozenset({"class", "type"})

CONSTRUCTORS = frozenset({"__init__", "__new__", "constructor", "initialize", "__construct"})
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
    """What a file can see of the others, in the order of its imports, then its package, then what is installed."""
    resolver = RESOLVERS.get(outline.language)
    if resolver is not None:
        scene = _Scene(resolver, project)
        own, installed = scene.divided(outline)
        found = chain(scene.imported(own), scene.of_package(outline), scene.imported(installed))
        for each in islice(_others(found, outline.path), LIMIT):
            yield _with_constructor(each, project)


def exports(module: str, outline: Outline, project: Project) -> Iterator[Visible]:
    """What a module offers to the file that is about to import from it."""
    resolver = RESOLVERS.get(outline.language)
    if resolver is not None:
        for each in _Scene(resolver, project).imported(replace(outline, imports=(Import(module, "*"),))):
            yield replace(each, starred=False)


def _with_constructor(each: Visible, project: Project) -> Visible:
    outline = project.outline(each.path) if each.definition.kind == "class" else None
    if outline is None:
        return each
    inside = [inner for inner in outline.definitions if inner.owner == each.definition.name]
    made_by = [inner for inner in inside if inner.name in CONSTRUCTORS or inner.name == each.definition.name]
    typed = [inner for inner in inside if inner.kind == "field" and inner.type][:FIRST_FIELDS]
    return replace(each, made_by=tuple(made_by or typed))


def _others(found: Iterable[Visible], path: str) -> Iterator[Visible]:
    """Each once, and none of the file itself, which may import itself or be part of a cycle."""
    seen: set[tuple[str, str, str, int, str]] = set()
    for each in islice(found, LIMIT * 10):
        key = (each.path, each.qualifier, each.name, each.definition.line, each.definition.owner)
        if each.path != path and key not in seen:
            seen.add(key)
            yield each


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
        yield from _own_members(definition.name, outline, project)
        waiting.extend(_bases(definition, outline, project))


def _own_members(owner: str, outline: Outline, project: Project) -> Iterator[Visible]:
    """Those in the file of the class, then those that other files of its package add."""
    known: set[str] = set()
    for each in outline.definitions:
        if each.owner == owner:
            known.add(each.name)
            yield Visible(outline.path, each, each.name)
    for other in _package(outline, project):
        for each in other.definitions:
            if each.owner == owner and each.name not in known:
                yield Visible(other.path, each, each.name)


def _package(outline: Outline, project: Project) -> Iterator[Outline]:
    resolver = RESOLVERS.get(outline.language)
    for path in resolver.neighbours(outline.path, project) if resolver is not None else ():
        other = project.outline(path)
        if other is not None and other.package == outline.package:
            yield other


def _bases(definition: Definition, outline: Outline, project: Project) -> Iterator[tuple[Definition, str]]:
    for base in definition.bases:
        found = named(base, outline, project)
        if found is not None:
            yield found


def named(written: str, outline: Outline, project: Project) -> tuple[Definition, str] | None:
    """The class or type that a name means in a file, and the file that declares it."""
    return next((each for each in meant(written, outline, project) if each[0].kind in TYPES), None)


def meant(written: str, outline: Outline, project: Project) -> Iterator[tuple[Definition, str]]:
    """The declarations that a name, or a qualified one, may mean in a file: its own, then those it can see."""
    last = SEPARATOR.split(written)[-1]
    head = written[: len(written) - len(last)].rstrip(".:\\")
    of_import = any(each.alias == head for each in outline.imports) if head else False
    for each in outline.definitions if not of_import else ():
        if each.name == last and (each.kind in TYPES or not each.owner):
            yield each, outline.path
    resolver = RESOLVERS.get(outline.language)
    if resolver is not None:
        scene = _Scene(resolver, project)
        seen = scene.qualified(outline, head, last) if of_import else scene.by_name(outline, last)
        yield from ((each.definition, each.path) for each in seen)


@dataclass(slots=True)
class _Trail:
    """What was looked at on the way; it ends cycles, and what is reached twice is read once."""

    seen: set[tuple[str, str, str]] = field(default_factory=set)
    to_modules: bool = True

    def without_modules(self) -> "_Trail":
        """What a module passes on altogether are names: what is in modules that are among them is not looked at."""
        return _Trail(self.seen, False)

    def enters(self, path: str, inside: str, name: str) -> bool:
        key = (path, inside, name)
        new = key not in self.seen
        self.seen.add(key)
        return new


@dataclass(frozen=True, slots=True)
class _Scene:
    resolver: Resolver
    project: Project

    def divided(self, outline: Outline) -> tuple[Outline, Outline]:
        """The file with its imports from the workspace, and with those from packages, of which few are named one by one."""
        files = ((each, next(self.resolver.files(each, outline.path, self.project), "")) for each in outline.imports)
        installed = [each for each, first in files if is_installed(first)]
        own = tuple(each for each in outline.imports if each not in installed)
        installed.sort(key=lambda each: not each.name)
        return replace(outline, imports=own), replace(outline, imports=tuple(installed))

    def imported(self, outline: Outline) -> Iterator[Visible]:
        """What imported files declare themselves comes before what they pass on: there may be thousands of the latter."""
        near, far = _Trail(), _Trail()
        for wanted in outline.imports:
            if wanted.name == "*":
                yield from self._starred(wanted, outline.path, 1, near)
            else:
                yield from self._of_import(wanted, outline.path, _Trail())
        for wanted in outline.imports:
            if wanted.name == "*":
                yield from self._starred(wanted, outline.path, HOPS, far)

    def by_name(self, outline: Outline, name: str) -> Iterator[Visible]:
        for wanted in outline.imports:
            if wanted.alias == name:
                yield from (each for each in self._of_import(wanted, outline.path, _Trail()) if each.name == name)
            elif wanted.name == "*":
                yield from self._named(replace(wanted, name=name), outline.path, HOPS, _Trail())
        yield from (each for each in self.of_package(outline) if each.name == name)

    def qualified(self, outline: Outline, qualifier: str, name: str) -> Iterator[Visible]:
        """One name of a module; all that a large one offers would take tens of milliseconds."""
        for wanted in outline.imports:
            if wanted.alias == qualifier and wanted.module and not wanted.name:
                found = self._named(replace(wanted, name=name), outline.path, HOPS, _Trail())
                yield from (replace(each, qualifier=qualifier) for each in found if not each.qualifier)
            elif wanted.alias == qualifier:
                found = self._of_import(wanted, outline.path, _Trail())
                yield from (each for each in found if each.name == name and each.qualifier)

    def of_package(self, outline: Outline) -> Iterator[Visible]:
        for other in _package(outline, self.project):
            for each in other.definitions:
                if not each.owner and (each.exported or self.resolver.package_private):
                    yield Visible(other.path, each, each.name, package=True)

    def _of_import(self, wanted: Import, importer: str, trail: _Trail) -> Iterator[Visible]:
        if not wanted.module:
            return
        if wanted.name == "":
            yield from self._of_module(wanted, importer, HOPS, trail)
        elif wanted.name != "*":
            yield from self._renamed(wanted, importer, HOPS, trail)

    def _starred(self, wanted: Import, importer: str, hops: int, trail: _Trail) -> Iterator[Visible]:
        found = self._all(wanted, importer, hops, trail) if wanted.module else ()
        yield from (replace(each, starred=True) for each in found)

    def _renamed(self, wanted: Import, importer: str, hops: int, trail: _Trail) -> Iterator[Visible]:
        """What an import by name brings, under the name that it has here: declarations, or else a module of the name."""
        found = list(self._named(wanted, importer, hops, trail))
        for each in found:
            yield replace(each, qualifier=wanted.alias) if each.qualifier else replace(each, name=wanted.alias)
        if not found:
            yield from self._of_module(self.resolver.submodule(wanted), importer, hops, trail)

    def _of_module(self, wanted: Import, importer: str, hops: int, trail: _Trail) -> Iterator[Visible]:
        if wanted.module and wanted.alias and trail.to_modules:
            found = self._all(wanted, importer, hops, trail)
            yield from (replace(each, qualifier=wanted.alias) for each in found if not each.qualifier)

    def _all(self, wanted: Import, importer: str, hops: int, trail: _Trail) -> Iterator[Visible]:
        found = self.resolver.files(wanted, importer, self.project)
        known = (path for path in found if self.project.outline(path) is not None)
        for path in islice(known, None if self.resolver.together else 1):
            yield from self._exports(path, self.resolver.inside(wanted, importer, path, self.project), hops, trail)

    def _named(self, wanted: Import, importer: str, hops: int, trail: _Trail) -> Iterator[Visible]:
        """The declarations that an import names, in the first file that has any."""
        for path in self.resolver.files(wanted, importer, self.project):
            inside = self.resolver.inside(wanted, importer, path, self.project)
            found = list(self._in_file(wanted.name, path, inside, hops, trail))
            if found:
                yield from found
                return

    def _in_file(self, name: str, path: str, inside: str, hops: int, trail: _Trail) -> Iterator[Visible]:
        outline = self.project.outline(path)
        if outline is None or hops == 0 or not trail.enters(path, inside, name):
            return
        own = [each for each in outline.definitions if each.name == name and each.owner == inside]
        yield from (Visible(path, each, name) for each in own)
        passed_on = (
            () if own or inside else (self._through(each, name, path, hops - 1, trail) for each in outline.imports)
        )
        yield from next((found for each in passed_on if (found := list(each))), [])

    def _through(self, wanted: Import, name: str, path: str, hops: int, trail: _Trail) -> Iterator[Visible]:
        """What a name of a file is by one of its imports."""
        if wanted.alias == name:
            yield from self._passed_on(wanted, path, hops, trail)
        elif wanted.name == "*" and wanted.exported:
            yield from self._named(replace(wanted, name=name), path, hops, trail)

    def _passed_on(self, wanted: Import, path: str, hops: int, trail: _Trail) -> Iterator[Visible]:
        """What an import of a file is to those who import it from there."""
        if wanted.module and wanted.name:
            yield from self._renamed(wanted, path, hops, trail)
        elif wanted.module:
            yield from self._of_module(wanted, path, hops, trail)
        elif wanted.exported:
            found = self._in_file(wanted.name, path, "", hops, trail)
            yield from (each if each.qualifier else replace(each, name=wanted.alias) for each in found)

    def _exports(self, path: str, inside: str, hops: int, trail: _Trail) -> Iterator[Visible]:
        """What a module offers: what it declares, then what it re-exports by name or altogether."""
        outline = self.project.outline(path)
        if outline is None or hops == 0 or not trail.enters(path, inside, "*"):
            return
        for each in outline.definitions:
            if each.exported and each.owner == inside and each.name != "default":
                yield Visible(path, each, each.name)
        trail = trail.without_modules()
        for wanted in () if inside or hops == 1 else self.resolver.reexports(outline):
            if wanted.name == "*":
                yield from self._all(wanted, path, hops - 1, trail)
            else:
                found = self._passed_on(wanted, path, hops - 1, trail)
                yield from (each for each in found if not each.qualifier)
