"""Which declarations of other files are likely to be written next, best first.

What depends on the file only is computed when it changes (`Scene`); at a request only what is near the caret is
looked up, so that the cost does not grow with what can be seen.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import islice, takewhile
from math import log, sqrt

from midfill_workspace import caret
from midfill_workspace.caret import Wish
from midfill_workspace.resolve.installed import is_installed
from midfill_workspace.snapshot import Snapshot
from midfill_workspace.symbol import Outline
from midfill_workspace.visible import Visible
from midfill_workspace.words import IDENTIFIER, telling

NEAR_LINES, ALIKE_LINES = 40, 12

CALLED, OF_RECEIVER, UNUSED, USED_NEAR, ALIKE, IMPORTED = 12.0, 10.0, 3.0, 2.5, 1.0, 1.5
"""What speaks for a declaration: its arguments are being written; it can follow the dot; it was imported and is not
used yet; it is used nearby; its name shares telling words with the text; it was imported by name."""

INSTALLED = -1.0
"""What speaks against one of a package: models have read those that many use."""

HIDDEN = -1.5
"""What speaks against one: its name begins with an underscore, or it belongs to tests."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A declaration and how much speaks for it."""

    visible: Visible
    score: float


@dataclass(frozen=True, slots=True)
class Scene:
    """What a file can see, prepared for look-ups by name, qualifier and word."""

    seen: Sequence[Visible] = ()
    base: Sequence[float] = ()
    """What speaks for each wherever the caret is."""
    best: Sequence[int] = ()
    """All of them, by `base`."""
    by_name: Mapping[str, Sequence[int]] = field(default_factory=dict)
    by_qualifier: Mapping[str, Sequence[int]] = field(default_factory=dict)
    by_word: Mapping[str, Sequence[int]] = field(default_factory=dict)
    words: Set[str] = frozenset()
    """All that stand in the file."""


def scene(outline: Outline, seen: Sequence[Visible], lines: Sequence[str]) -> Scene:
    """Prepare what a file can see. `lines` are those of the file itself."""
    uses = _uses(outline, lines)
    base = [_base(each, uses) for each in seen]
    return Scene(
        seen,
        base,
        sorted(range(len(seen)), key=lambda index: -base[index]),
        _index(seen, lambda each: (each.name,)),
        _index(seen, lambda each: (each.qualifier,) if each.qualifier else ()),
        _index(seen, lambda each: telling(each.name)),
        uses.keys(),
    )


def rank(scene: Scene, wish: Wish, snapshot: Snapshot, limit: int = 120) -> list[Ranked]:
    """The likeliest declarations at this caret, best first."""
    if not scene.seen:
        return []
    gains: dict[int, float] = defaultdict(float)
    for index, gain in _gains(scene, wish, caret.words_near(snapshot, NEAR_LINES)):
        gains[index] += gain
    candidates = {*gains, *scene.best[:limit]}
    scored = nlargest(limit, ((scene.base[index] + gains.get(index, 0.0), -index) for index in candidates))
    return [Ranked(scene.seen[-index], score) for score, index in scored]


def rank_members(found: Iterable[Visible], snapshot: Snapshot) -> list[Ranked]:
    """What may follow the dot, best first: of equal names the nearest, public ones before private ones."""
    near = caret.words_near(snapshot, NEAR_LINES)
    told = {part for word, distance in near.items() if distance <= ALIKE_LINES for part in telling(word)}
    named: dict[str, Visible] = {}
    for each in found:
        named.setdefault(each.name, each)
    ranked = [Ranked(each, OF_RECEIVER + _of_member(each, near, told)) for each in named.values()]
    return sorted(ranked, key=lambda each: -each.score)


def _of_member(each: Visible, near: Mapping[str, int], told: set[str]) -> float:
    words = telling(each.name)
    score = ALIKE * len(words & told) / sqrt(max(1, len(words)))
    if each.name in near:
        score += USED_NEAR / (1 + near[each.name] / 6)
    if each.name.startswith("__"):
        score += 2 * HIDDEN
    return score + (HIDDEN if each.name.startswith("_") else 0.0)


def _gains(scene: Scene, wish: Wish, near: Mapping[str, int]) -> Iterable[tuple[int, float]]:
    for place, call in enumerate(wish.calls):
        for index in scene.by_name.get(call.name, ()):
            if scene.seen[index].qualifier == call.qualifier or not call.qualifier:
                yield index, CALLED / (1 + place)
    for index in scene.by_qualifier.get(wish.receiver, ()) if wish.receiver else ():
        yield index, OF_RECEIVER
    for word, distance in near.items():
        closeness = 1 / (1 + distance / 6)
        for index in scene.by_name.get(word, ()):
            yield index, USED_NEAR * closeness
    yield from _alike(scene, near)


def _alike(scene: Scene, near: Mapping[str, int]) -> Iterable[tuple[int, float]]:
    """Rare words count most, and each word once, from where it is nearest."""
    closest: dict[str, int] = {}
    for word, distance in near.items():
        if distance <= ALIKE_LINES:
            for part in telling(word):
                closest[part] = min(distance, closest.get(part, distance))
    for part, distance in closest.items():
        found = scene.by_word.get(part, ())
        weight = ALIKE * log(1 + len(scene.seen) / (1 + len(found))) / (1 + distance / 4)
        for index in found:
            yield index, weight / sqrt(max(1, len(telling(scene.seen[index].name))))


def _base(each: Visible, uses: Mapping[str, int]) -> float:
    score = 0.0
    if not each.package and not each.starred and not each.qualifier:
        score += IMPORTED + (UNUSED if uses.get(each.name, 0) == 0 else 0.0)
    if each.qualifier and uses.get(each.qualifier, 0) == 0:
        score += UNUSED / 2
    installed = is_installed(each.path)
    if each.definition.name.startswith("_") or ("test" in each.path and not installed):
        score += HIDDEN
    return score + (INSTALLED if installed else 0.0)


def _uses(outline: Outline, lines: Sequence[str]) -> Mapping[str, int]:
    """How often each word stands in the file, imports left out."""
    imports = {each.line for each in outline.imports}
    uses = Counter(IDENTIFIER.findall("".join(line for number, line in enumerate(lines) if number not in imports)))
    for each in outline.imports:
        if each.alias in uses and each.line + 1 < len(lines) and each.alias in _rest_of_import(lines, each.line):
            uses[each.alias] -= 1
    return uses


def _rest_of_import(lines: Sequence[str], first: int) -> set[str]:
    """The names of an import that runs over several lines, which the line it begins on does not show."""
    head = lines[first]
    if head.count("(") <= head.count(")") and head.count("{") <= head.count("}"):
        return set()
    rest = takewhile(lambda line: ")" not in line and "}" not in line, islice(lines, first + 1, first + 60))
    return {word for line in rest for word in IDENTIFIER.findall(line)}


def _index(seen: Sequence[Visible], keys: Callable[[Visible], Iterable[str]]) -> Mapping[str, Sequence[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for index, each in enumerate(seen):
        for key in keys(each):
            found[key].append(index)
    return found
