"""Candidates of several sources -> one order, by reciprocal rank fusion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Source = Literal["member", "definition", "file", "edit", "similar", "twin", "tree"]

K = 60
"""Of reciprocal rank fusion (Cormack et al. 2009): how slowly later ranks count less."""

WEIGHTS: Mapping[Source, float] = {
    "member": 2.0,
    "definition": 1.0,
    "file": 0.8,
    "edit": 0.7,
    "similar": 0.7,
    "twin": 0.6,
    "tree": 0.3,
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A piece of text that may go into the prompt. Pieces of one file with `line` set are put together."""

    path: str
    line: int
    text: str
    source: Source
    more: tuple[tuple[int, str], ...] = ()
    """Other lines of the same file that go with it, and their numbers."""


@dataclass(frozen=True, slots=True)
class Fused:
    candidate: Candidate
    score: float


def fuse(sources: Mapping[Source, Sequence[Candidate]]) -> list[Fused]:
    """All candidates, best first; each source gives its own best first. One that several name counts for each."""
    scores: dict[tuple[str, int, str], float] = {}
    first: dict[tuple[str, int, str], Candidate] = {}
    for source, candidates in sources.items():
        for rank, each in enumerate(candidates, start=1):
            key = (each.path, each.line, each.text)
            scores[key] = scores.get(key, 0.0) + WEIGHTS[source] / (K + rank)
            first.setdefault(key, each)
    return sorted((Fused(first[key], score) for key, score in scores.items()), key=lambda each: -each.score)
