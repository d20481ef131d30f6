"""Bringing the index up to date: what has changed in a workspace, and the outlines that are missing because of it."""

import logging
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath

from midfill_workspace import compact
from midfill_workspace.indexed_files import LIMIT_BYTES, Files
from midfill_workspace.languages import language_of
from midfill_workspace.outline.table import SPECS
from midfill_workspace.packages import Found
from midfill_workspace.store import NO_OUTLINE, Entry, File, Stamp, Store
from midfill_workspace.symbol import Outline

log = logging.getLogger(__name__)

BATCH_FILES, BATCH_BYTES = 200, 4_000_000
"""What is read before something is written."""

BATCH_PACKAGES = 20
"""Their texts are in memory at the same time."""

WALKED, INDEXED = 2_000_000, 100_000
"""Whoever opens their home folder gets an index of a part of it."""

TRIES = 2
"""A file that was begun so often, the last time by itself, and never finished, kills whoever reads it."""

MANIFESTS = frozenset(
    {
        "Cargo.toml",
        "go.mod",
        "jsconfig.json",
        "package.json",
        "pyproject.toml",
        "tsconfig.base.json",
        "tsconfig.json",
    }
)
MANIFEST_CHARS = 65_536
MANIFESTS_CHARS = 1_000_000
"""Those of packages that are told at a time."""

Outliner = Callable[[str, str, str], Outline]
"""Path, language and text of a file -> what it declares. It may raise anything, and may not come back."""


@dataclass(frozen=True, slots=True)
class Step:
    """What was done since the step before, and how far that is."""

    done: int
    total: int
    changes: Sequence[tuple[str, int | None]] = ()
    """Paths, and the ids of their outlines; None for a file that is gone."""
    outlined: int = 0
    """How many outlines had to be made."""


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace, and how its files are read and kept."""

    root: Path
    workspace: int
    files: Files
    store: Store
    outliner: Outliner
    limit_files: int = INDEXED


def sweep(place: Place) -> Iterator[Step]:
    """Compare all files with the index; only those are read that look different than they did."""
    known = place.store.stamps(place.workspace)
    found = _stamps(place, islice(place.files.walk(), WALKED))
    gone = [path for path in known if path not in found]
    stale = {path: stamp for path, stamp in found.items() if known.get(path) != stamp}
    yield from _forgotten(place, gone, len(stale))
    yield from _taken(place, stale)


def refresh(place: Place, paths: Iterable[str]) -> Iterator[Step]:
    """These files are new, have changed, or are gone, whatever they look like; a folder that is gone takes its own."""
    wanted = list(dict.fromkeys(paths))
    found = _stamps(place, filter(place.files.allowed, wanted))
    missing = [path for path in wanted if path not in found]
    gone = dict.fromkeys(each for path in missing for each in place.store.below(place.workspace, path))
    still = _stamps(place, filter(place.files.allowed, gone))
    yield from _forgotten(place, [path for path in gone if path not in still], len(found))
    yield from _taken(place, found)


def fetch(place: Place, read: Callable[[str], str | None], paths: Iterable[str]) -> Iterator[Found]:
    """What there is of these files of installed packages, which are in the index only by what they hold."""
    waiting, room = iter(paths), MANIFESTS_CHARS
    while batch := list(islice(waiting, BATCH_PACKAGES)):
        texts = {path: read(path) for path in batch}
        ids, _ = _ids(place, _sources(texts))
        for path, text in texts.items():
            manifest = _manifest(path, text or "")
            room -= len(manifest)
            there = text is not None and room >= 0
            yield path, ids.get(path, NO_OUTLINE) if there else None, manifest if there else ""


def is_indexed(path: str) -> bool:
    """Whether there is anything to know of such a file."""
    name = PurePath(path)
    return name.name in MANIFESTS or language_of(name) in SPECS


def _stamps(place: Place, paths: Iterable[str]) -> dict[str, Stamp]:
    found = ((path, _stamp(place.root / path)) for path in islice(filter(is_indexed, paths), place.limit_files))
    return {path: stamp for path, stamp in found if stamp is not None}


def _stamp(file: Path) -> Stamp | None:
    with suppress(OSError):
        found = file.lstat()
        if stat.S_ISREG(found.st_mode) and found.st_size <= LIMIT_BYTES:
            return Stamp(found.st_mtime_ns, found.st_size)
    return None


def _forgotten(place: Place, gone: Sequence[str], total: int) -> Iterator[Step]:
    for first in range(0, len(gone), BATCH_FILES):
        batch = gone[first : first + BATCH_FILES]
        place.store.forget(place.workspace, batch)
        yield Step(0, total, [(path, None) for path in batch])


def _taken(place: Place, stale: Mapping[str, Stamp]) -> Iterator[Step]:
    done = 0
    for batch in _batches(stale):
        changes, outlined = _take(place, batch)
        done += len(batch)
        yield Step(done, len(stale), changes, outlined)


def _batches(stale: Mapping[str, Stamp]) -> Iterator[Mapping[str, Stamp]]:
    batch: dict[str, Stamp] = {}
    size = 0
    for path, stamp in stale.items():
        batch[path] = stamp
        size += stamp.size
        if len(batch) == BATCH_FILES or size > BATCH_BYTES:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


@dataclass(frozen=True, slots=True)
class _Source:
    path: str
    language: str
    text: str


def _take(place: Place, batch: Mapping[str, Stamp]) -> tuple[Sequence[tuple[str, int | None]], int]:
    """Read some files and keep what they say; what has turned out to be excluded is gone."""
    sources = _sources({path: place.files.read(path) for path in batch})
    ids, outlined = _ids(place, sources)
    files = [
        File(path, batch[path], ids.get(path, NO_OUTLINE), _manifest(path, each.text)) for path, each in sources.items()
    ]
    place.store.put(place.workspace, files)
    hidden = [path for path in batch if path not in sources]
    place.store.forget(place.workspace, hidden)
    return [*((each.path, each.outline) for each in files), *((path, None) for path in hidden)], outlined


def _sources(texts: Mapping[str, str | None]) -> Mapping[str, _Source]:
    return {path: _Source(path, language_of(PurePath(path)), text) for path, text in texts.items() if text is not None}


def _ids(place: Place, sources: Mapping[str, _Source]) -> tuple[Mapping[str, int], int]:
    """The outlines of those that can have one, by their paths, and how many of them had to be made."""
    keys = {path: compact.key(each.language, each.text) for path, each in sources.items() if each.language in SPECS}
    wanted = {key: sources[path] for path, key in keys.items()}
    missing = wanted.keys() - place.store.ids(list(wanted)).keys()
    _outline(place, {key: source for key, source in wanted.items() if key in missing})
    ids = place.store.ids(list(wanted))
    return {path: ids[key] for path, key in keys.items() if key in ids}, len(missing)


def _manifest(path: str, text: str) -> str:
    return text if PurePath(path).name in MANIFESTS and len(text) <= MANIFEST_CHARS else ""


# --- outlines, although a parser may crash ------------------------------------------------------------


def _outline(place: Place, missing: Mapping[bytes, _Source]) -> None:
    """Those that were being worked on when a process ended are tried one by one, so that the culprit is found."""
    tries = place.store.tries() if missing else {}
    suspects = {key: source for key, source in missing.items() if key in tries}
    for key, source in suspects.items():
        place.store.add({key: _alone(place, key, source, tries[key])})
    others = {key: source for key, source in missing.items() if key not in tries}
    if others:
        place.store.begin(list(others))
        place.store.add({key: _entry(place, source) for key, source in others.items()})


def _alone(place: Place, key: bytes, source: _Source, tries: int) -> Entry:
    if tries >= TRIES:
        log.warning("index.file_skipped", extra={"reason": "crash", "language": source.language})
        return _stored(_nothing(source))
    place.store.begin_alone(key)
    return _entry(place, source)


def _entry(place: Place, source: _Source) -> Entry:
    try:
        found = place.outliner(source.path, source.language, source.text)
    except Exception as exc:  # noqa: BLE001 - one file may fail in any way, the others are to be read
        log.warning("index.file_skipped", extra={"reason": type(exc).__name__, "language": source.language})
        found = _nothing(source)
    return _stored(found)


def _nothing(source: _Source) -> Outline:
    return Outline(source.path, source.language)


def _stored(outline: Outline) -> Entry:
    return Entry(compact.encode(outline), frozenset(each.name for each in outline.definitions))
