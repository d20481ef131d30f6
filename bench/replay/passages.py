"""Which real file a seed types in, and which passage of it."""

import re
import sysconfig
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.replay.chance import chance

REPOSITORY = Path(__file__).resolve().parents[2]
TREES = REPOSITORY.parent / "shared/data/xfile/trees"
"""Packed source trees of published packages; without them this repository's own files serve."""

LANGUAGES: Mapping[str, str] = {".py": "python", ".ts": "typescript", ".go": "go"}
SIZE_CHARS = range(4_000, 60_000)
LINE_LIMIT_CHARS = 130
COMMENT = re.compile(r"\s*(?:#|//|/\*|\*|\"\"\"|''')")
COMMENT_LIMIT = 0.2
CONTROL = re.compile(r"<\|\w+\|>|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Passage:
    """`text[start:end]` is typed into the rest of `text`; it starts and ends where lines do."""

    name: str
    language: str
    text: str
    start: int
    end: int

    @property
    def around(self) -> str:
        return self.text[: self.start] + self.text[self.end :]


def choose(seed: int, length: int, files: Sequence[Path] = ()) -> Passage:
    """The languages take turns with the seeds; `files` replace the usual sources.

    Raises ValueError when no file has a passage that long.
    """
    if files:
        path = files[seed % len(files)]
        sources: Mapping[str, str] = {path.name: path.read_text()}
    else:
        sources = _sources(tuple(LANGUAGES)[seed % len(LANGUAGES)])
    random = chance(seed, "passage")
    names = sorted(sources)
    random.shuffle(names)
    for name in names:
        for passage in _passages(name, sources[name], length, random.random()):
            return passage
    raise ValueError(f"no passage of {length} characters of code in {', '.join(names[:3])}…")


def _passages(name: str, text: str, length: int, where: float) -> Iterator[Passage]:
    """Passages of mostly code, from a place in the file on."""
    starts = [match.end() for match in re.finditer(r"\n\n", text[: -length - 1])]
    first = int(len(starts) * where)
    for start in starts[first:] + starts[:first]:
        end = text.find("\n", start + length)
        lines = [line for line in text[start:end].split("\n") if line.strip()]
        comments = sum(1 for line in lines if COMMENT.match(line))
        longest = max(map(len, lines), default=LINE_LIMIT_CHARS)
        if end > 0 and longest < LINE_LIMIT_CHARS and comments <= COMMENT_LIMIT * len(lines):
            yield Passage(name, LANGUAGES.get(Path(name).suffix, "plaintext"), text, start, end)


@cache
def _sources(suffix: str) -> Mapping[str, str]:
    for place in PLACES[suffix]:
        sources = {name: text for name, text in place(suffix) if _is_usable(name, text)}
        if sources:
            return sources
    raise FileNotFoundError(f"no {suffix} files to type")


def _is_usable(name: str, text: str) -> bool:
    """ASCII only, so that positions mean the same in every encoding; no tests or generated code."""
    odd = re.search(r"test|generated|locale|version", name, re.IGNORECASE) or CONTROL.search(text)
    return len(text) in SIZE_CHARS and text.isascii() and not odd


def _standard_library(suffix: str) -> Iterator[tuple[str, str]]:
    return _read(Path(sysconfig.get_path("stdlib")).glob(f"*{suffix}"))


def _repository(suffix: str) -> Iterator[tuple[str, str]]:
    folders = ("vscode-client/src", "daemon", "lsp_server")
    return _read(path for folder in folders for path in (REPOSITORY / folder).rglob(f"*{suffix}"))


def _read(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    for path in paths:
        yield path.name, path.read_text(errors="replace")


def _trees(suffix: str) -> Iterator[tuple[str, str]]:
    for archive in sorted(TREES.glob("*.tar.*")):
        with tarfile.open(archive) as tree:
            for member in tree:
                if member.isfile() and member.name.endswith(suffix) and member.size in SIZE_CHARS:
                    opened = tree.extractfile(member)
                    assert opened is not None
                    yield member.name, opened.read().decode(errors="replace")


PLACES: Mapping[str, tuple[Callable[[str], Iterator[tuple[str, str]]], ...]] = {
    ".py": (_standard_library, _repository),
    ".ts": (_trees, _repository),
    ".go": (_trees, lambda _: _standard_library(".py")),
}
"""Where files of a suffix are looked for, the first place that has some."""
