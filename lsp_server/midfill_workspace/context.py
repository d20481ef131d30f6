"""What is worth telling a model besides the text around the caret: the sources, their order, and what fits.

`surroundings` is cold work, done when a file is opened or changed; `assemble` is done for each request.
"""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from textwrap import indent

from midfill_workspace import caret, receiver, related, similar
from midfill_workspace.caret import Wish
from midfill_workspace.edits import Edits
from midfill_workspace.fuse import Candidate, Source, fuse
from midfill_workspace.pack import Snippet, pack
from midfill_workspace.project import Project
from midfill_workspace.related import Ranked, Scene
from midfill_workspace.resolve.installed import is_installed
from midfill_workspace.similar import Library
from midfill_workspace.snapshot import Snapshot
from midfill_workspace.symbol import MEMBERS, Definition, Outline
from midfill_workspace.twins import twins
from midfill_workspace.visible import Visible, exports, visible
from midfill_workspace.window import Window

INDENT = "    "
STEP = 4
"""Declarations that are gathered at a time; each may take the reading of a file's outline."""

FOLLOWED = 60
"""Declarations of packages whose members are looked at before anybody writes a dot."""

TWIN_LIMIT, FILE_LIMIT, TREE_LIMIT = 40, 40, 60

SOURCES: tuple[Source, ...] = ("member", "definition", "file", "edit", "similar", "twin", "tree")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known around one document until it, or a file that it imports, changes."""

    outline: Outline
    scene: Scene
    twins: tuple[Outline, ...] = ()


@dataclass(frozen=True, slots=True)
class Shelf:
    """What the user has been at lately, in all documents."""

    library: Library = field(default_factory=Library)
    edits: Edits = field(default_factory=Edits)


def surroundings(outline: Outline, lines: Sequence[str], project: Project) -> Surroundings:
    """Cold: resolves imports, and reads the outlines of what they name."""
    return _surroundings(outline, lines, project, tuple(visible(outline, project)))


async def surroundings_in_steps(
    outline: Outline, lines: Sequence[str], project: Project, rest: Callable[[], Awaitable[None]]
) -> Surroundings:
    """The same with rests, so that nobody waits for it for long."""
    seen: list[Visible] = []
    for each in visible(outline, project):
        seen.append(each)
        if len(seen) % STEP == 0:
            await rest()
    await rest()
    return _surroundings(outline, lines, project, seen)


async def follow_installed(around: Surroundings, project: Project, rest: Callable[[], Awaitable[None]]) -> None:
    """Look at the members of what a document uses of packages: their files are read only once somebody has asked."""
    used = [each for each in around.scene.seen if is_installed(each.path) and each.name in around.scene.words]
    for each in used[:FOLLOWED]:
        receiver.follow(each, project)
        await rest()


def _surroundings(outline: Outline, lines: Sequence[str], project: Project, seen: Sequence[Visible]) -> Surroundings:
    found = (project.outline(path) for path in twins(outline.path, project))
    return Surroundings(outline, related.scene(outline, seen, lines), tuple(each for each in found if each is not None))


@dataclass(frozen=True, slots=True)
class Question:
    """One caret, with the text that the prompt holds anyway."""

    snapshot: Snapshot
    window: Window
    around: Surroundings
    project: Project
    shelf: Shelf
    wish: Wish

    @property
    def rows(self) -> range:
        """The lines of the file that the window shows."""
        line = self.snapshot.line
        return range(line - self.window.prefix.count("\n"), line + self.window.suffix.count("\n") + 1)


def question(snapshot: Snapshot, window: Window, around: Surroundings, project: Project, shelf: Shelf) -> Question:
    return Question(snapshot, window, around, project, shelf, caret.wish(snapshot))


def assemble(asked: Question, limit_chars: int, sources: Iterable[Source] = SOURCES) -> list[Snippet]:
    """The snippets for one request, best first; together with their paths they take at most `limit_chars`."""
    candidates = {source: list(CANDIDATES[source](asked)) for source in sources}
    return pack(fuse(candidates), asked.window.prefix + asked.window.suffix, limit_chars)


# --- sources, each with its best first ------------------------------------------------------------


def _members(asked: Question) -> Iterable[Candidate]:
    """What may follow the dot; on an import line, what the module offers."""
    wish, scene = asked.wish, asked.around.scene
    if wish.module:
        found: Iterable[Visible] = exports(wish.module, asked.around.outline, asked.project)
    elif wish.receiver and wish.receiver not in scene.by_qualifier:
        found = receiver.members_of(wish.receiver, asked.snapshot, asked.around.outline, asked.project)
    else:
        return ()
    return _declared(related.rank_members(found, asked.snapshot), "member", asked)


def _definitions(asked: Question) -> Iterable[Candidate]:
    return _declared(related.rank(asked.around.scene, asked.wish, asked.snapshot), "definition", asked)


def _of_this_file(asked: Question) -> Iterable[Candidate]:
    """Headers of the same file that the window does not show, the nearest first. They stand in the order of the file."""
    declared, rows = asked.around.outline.definitions, asked.rows
    first, last = (bisect_left(declared, row, key=_line) for row in (rows.start, rows.stop))
    outside = [*declared[max(0, first - FILE_LIMIT) : first], *declared[last : last + FILE_LIMIT]]
    nearest = sorted(outside, key=lambda each: abs(each.line - asked.snapshot.line))[:FILE_LIMIT]
    return (_candidate(asked.snapshot.path, each, "file") for each in nearest)


def _line(definition: Definition) -> int:
    return definition.line


def _edits(asked: Question) -> Iterable[Candidate]:
    edits = asked.shelf.edits.besides(asked.snapshot.path)
    return (Candidate(each.path, each.line, each.text, "edit") for each in edits)


def _similar(asked: Question) -> Iterable[Candidate]:
    snapshot = asked.snapshot
    above = snapshot.lines[max(0, snapshot.line - similar.QUERY_LINES) : snapshot.line]
    words = similar.words_of([*above, snapshot.before])
    likes = asked.shelf.library.like(words, snapshot.path)
    return (Candidate(each.piece.path, each.piece.line, each.piece.text, "similar") for each in likes)


def _twins(asked: Question) -> Iterable[Candidate]:
    declared = ((twin.path, each) for twin in asked.around.twins for each in twin.definitions if not each.owner)
    return [_candidate(path, each, "twin") for path, each in declared][:TWIN_LIMIT]


def _tree(asked: Question) -> Iterable[Candidate]:
    """The files nearby, where a name to import is being written."""
    if not asked.wish.importing:
        return ()
    paths = asked.project.near(asked.snapshot.path, TREE_LIMIT)
    return [Candidate(".", 0, "\n".join(paths), "tree")] if paths else []


CANDIDATES = {
    "member": _members,
    "definition": _definitions,
    "file": _of_this_file,
    "edit": _edits,
    "similar": _similar,
    "twin": _twins,
    "tree": _tree,
}


def _declared(ranked: Iterable[Ranked], source: Source, asked: Question) -> Iterable[Candidate]:
    """As candidates; what stands in the window itself is known."""
    path, rows = asked.snapshot.path, asked.rows
    for each in ranked:
        seen = each.visible
        if seen.path != path or seen.definition.line not in rows:
            yield _candidate(seen.path, seen.definition, source, seen.made_by)


def _candidate(path: str, definition: Definition, source: Source, more: Sequence[Definition] = ()) -> Candidate:
    return Candidate(path, definition.line, _text(definition), source, tuple((one.line, _text(one)) for one in more))


def _text(definition: Definition) -> str:
    """Members stand below their class as in its file."""
    inside = definition.owner and definition.kind in MEMBERS
    return indent(definition.header, INDENT) if inside else definition.header
