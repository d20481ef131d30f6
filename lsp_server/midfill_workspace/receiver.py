"""The type of what stands before the dot: from annotations, constructors, and what functions say that they return."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from midfill_workspace.project import Project, WithOpen
from midfill_workspace.snapshot import Snapshot
from midfill_workspace.symbol import Definition, Outline
from midfill_workspace.visible import Visible, meant, members, named
from midfill_workspace.words import telling

LOOK_BACK_LINES = 200
"""How far above the caret a name may have been declared."""

SELVES = frozenset({"self", "this", "cls"})

WRAPPERS = frozenset(
    re.findall(
        r"\w+",
        """Optional Union Annotated Final ClassVar Promise Awaitable Readonly Partial Required NonNullable None t typing
        null undefined const readonly type Type""",
    )
)
"""Words of a type that only wrap the one that is meant."""

Typed = tuple[Definition, str]
"""A class and the file that declares it."""


def members_of(receiver: str, snapshot: Snapshot, outline: Outline, project: Project) -> list[Visible]:
    """The members that may follow a dot here; [] where the type of what stands before it is not known."""
    project = WithOpen(project, outline)
    found = _Place(snapshot, outline, project).type_of(receiver)
    if found is None:
        return []
    owner, path = found
    return [Visible(path, owner, owner.name), *members(owner, path, project)]


@dataclass(frozen=True, slots=True)
class _Place:
    snapshot: Snapshot
    outline: Outline
    project: Project

    def type_of(self, receiver: str) -> Typed | None:
        head, *rest = re.split(r"\??\.|::|->", receiver)
        found = self._enclosing() if head in SELVES else self._of_name(head)
        if found is None and rest:  # A class, or a namespace, of a module.
            found, rest = named(f"{head}.{rest[0]}", self.outline, self.project), rest[1:]
        for name in rest:
            if found is None:
                return None
            found = self._of_member(found, name)
        return found

    def _enclosing(self) -> Typed | None:
        """The class around the caret: the last one above that stands further left."""
        line = self.snapshot.lines[self.snapshot.line]
        margin = len(line) - len(line.lstrip())
        for each in reversed(self.outline.definitions):
            if each.kind == "class" and each.line < self.snapshot.line:
                above = self.snapshot.lines[each.line]
                if len(above) - len(above.lstrip()) < margin:
                    return each, self.outline.path
        return None

    def _of_name(self, name: str) -> Typed | None:
        for written in self._declared(name):
            found = self._of_written(written, self.outline)
            if found is not None:
                return found
        return named(name, self.outline, self.project) or self._by_likeness(name)

    def _declared(self, name: str) -> Iterator[str]:
        """The types that the text above gives to a name, from the caret upwards."""
        pattern = _declaration(name)
        first = max(0, self.snapshot.line - LOOK_BACK_LINES)
        for index in range(self.snapshot.line, first - 1, -1):
            line = self.snapshot.before if index == self.snapshot.line else self.snapshot.lines[index]
            if name in line:
                for found in pattern.finditer(line[:400]):
                    yield next(group for group in found.groups() if group)

    def _of_written(self, written: str, outline: Outline) -> Typed | None:
        """The class that a type, or a called function, stands for, as read in a file."""
        for word in DOTTED.findall(written):
            if word.rpartition(".")[2] not in WRAPPERS:
                found = named(word, outline, self.project) or self._returned(word, outline)
                if found is not None:
                    return found
        return None

    def _returned(self, name: str, outline: Outline) -> Typed | None:
        """What a function says that it returns, or a variable that it is."""
        for found, path in meant(name, outline, self.project):
            there = self.project.outline(path)
            if found.type and found.type != name and there is not None:
                return named_in(found.type, there, self.project)
        return None

    def _of_member(self, owner: Typed, name: str) -> Typed | None:
        for each in members(*owner, self.project):
            outline = self.project.outline(each.path)
            if each.name == name and each.definition.type and outline is not None:
                return named_in(each.definition.type, outline, self.project)
        return None

    def _by_likeness(self, name: str) -> Typed | None:
        """A `parser` is often a Parser: the class whose name has exactly the same words."""
        words = telling(name)
        for wanted in self.outline.imports:
            if words and wanted.alias[:1].isupper() and telling(wanted.alias) == words:
                return named(wanted.alias, self.outline, self.project)
        return None


def follow(each: Visible, project: Project) -> None:
    """Have looked at what may come after a dot: the members of a class, of what a function returns, and of their bases."""
    outline = project.outline(each.path)
    if each.definition.kind == "class":
        found: Typed | None = (each.definition, each.path)
    else:
        found = named_in(each.definition.type, outline, project) if outline is not None else None
    for _ in members(*found, project) if found is not None else ():
        pass


def named_in(written: str, outline: Outline, project: Project) -> Typed | None:
    """The first class that a type as written names, seen from the file it is written in."""
    for word in DOTTED.findall(written):
        if word.rpartition(".")[2] not in WRAPPERS and (found := named(word, outline, project)):
            return found
    return None


DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


@lru_cache(maxsize=256)
def _declaration(name: str) -> re.Pattern[str]:
    """`name: Type`, `name = Type(`, `name := pkg.Type{`, `Type as name`, `isinstance(name, Type)`, `name *Type`."""
    word = rf"(?<![\w.]){re.escape(name)}"
    return re.compile(
        rf"{word}\??\s*:\s*([^=,){{]+)"
        rf"|{word}\s*:?=\s*(?:await\s+|new\s+|&)?([\w.]+)\s*[({{]"
        rf"|isinstance\(\s*{re.escape(name)}\s*,\s*([\w.]+)"
        rf"|([\w.]+)\([^()]*\)\s+as\s+{re.escape(name)}\b"
        rf"|{word}\s+\*?([A-Z]\w*|[a-z]\w*\.[A-Z]\w*)"
    )
