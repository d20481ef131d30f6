"""`python -m evals.context`: how often the definition that a line needs is in the context that a model would be sent.

Real lines of published packages, cut at the caret; the product's own assembly is given the file without the rest of
that line, and every other file of the package. It never sees the fields of a case that hold the answer.

`def_recall` is the share of cases whose definition's first line is in the snippets, `need_recall` that of cases with
its whole signature there, and with the constructor of a class; only text from the file that declares it counts. A
snippet costs its path and five characters besides its text. `ms` is ranking and packing, not the resolving of imports.
"""

import json
import statistics
import sys
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal

from evals import options, subject
from midfill_cli import results
from midfill_cli.results import Figure
from midfill_workspace import context, window
from midfill_workspace.context import Question, Shelf, Surroundings
from midfill_workspace.folder import Folder
from midfill_workspace.fuse import Source
from midfill_workspace.languages import language_of
from midfill_workspace.outline.table import outline
from midfill_workspace.pack import PATH_COST, Snippet
from midfill_workspace.project import Project
from midfill_workspace.snapshot import Snapshot

WINDOW_CHARS = 6_000
"""What the prompt shows of the file itself."""

OPEN_FILES = 5
"""How many files of the caret's folder are taken to have been open lately; the case says nothing of that."""


@dataclass(frozen=True, slots=True)
class Case:
    """What an editor would know, and in `answer` what only the scoring may look at."""

    id: str
    language: str
    repository: str
    path: str
    snapshot: Snapshot
    cursor: str
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case."""

    case: Case
    snippets: Sequence[Snippet]
    took_ms: float
    defined: bool
    needed: bool


def main() -> int:
    parser = options.parser(__doc__)
    parser.add_argument("--budget", type=int, default=6_000, help="characters of context")
    parser.add_argument("--ablate", action="store_true", help="also without each source, and with it alone")
    parser.add_argument("--dump", type=Path, help="write the snippets of each case, for another scorer")
    arguments = parser.parse_args()
    folder = options.folder(arguments, "xfile")
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(folder, Path(scratch))
        outcomes = bench.run(arguments.budget, context.SOURCES)
        found: dict[str, Any] = figures(outcomes)
        if arguments.ablate:
            found["ablation"] = bench.ablation(arguments.budget)
    measured = subject.results(
        "context", {"budget": arguments.budget}, folder, subject.of_context(), segments(outcomes)
    )
    results.append(options.out(arguments), measured)
    if arguments.dump:
        arguments.dump.write_text("".join(_dumped(each) for each in outcomes), encoding="utf-8")
    print(json.dumps(found, indent=2) if arguments.json else _table(found))
    return 0


class Bench:
    """The cases, and one project for each repository."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        for archive in sorted((folder / "trees").glob("*.tar.xz")):
            with tarfile.open(archive) as packed:
                packed.extractall(scratch, filter="data")
        self._projects = {tree.name: project_of(tree) for tree in scratch.iterdir()}
        self.cases = list(_cases(folder / "cases.jsonl", scratch))
        self._around: dict[str, Surroundings] = {}
        self._shelves: dict[str, Shelf] = {}

    def run(self, budget_chars: int, sources: Sequence[Source]) -> list[Outcome]:
        return [self._outcome(case, budget_chars, sources) for case in self.cases]

    def ablation(self, budget_chars: int) -> Mapping[str, float]:
        """`def_recall` without each source, and with it alone."""
        recall: dict[str, float] = {}
        for source in context.SOURCES:
            others = [each for each in context.SOURCES if each != source]
            recall[f"without {source}"] = _share(self.run(budget_chars, others), "defined")
            recall[f"only {source}"] = _share(self.run(budget_chars, [source]), "defined")
        return recall

    def around(self, case: Case) -> Surroundings:
        """What a window would have ready, before anybody asks."""
        if case.id not in self._around:
            self._around[case.id] = self._surroundings(case)
        return self._around[case.id]

    def _surroundings(self, case: Case) -> Surroundings:
        text = "".join(case.snapshot.lines)
        return context.surroundings(outline(case.path, case.language, text), case.snapshot.lines, self.project(case))

    def project(self, case: Case) -> Project:
        return self._projects[case.repository]

    def _outcome(self, case: Case, budget_chars: int, sources: Sequence[Source]) -> Outcome:
        shelf = self._shelf(case)
        self.around(case)
        started_s = time.perf_counter()
        snippets = context.assemble(self._question(case, shelf), budget_chars, sources)
        took_ms = (time.perf_counter() - started_s) * 1000
        told = _lines(snippets, case.answer["def_file"], budget_chars)
        return Outcome(
            case,
            snippets,
            took_ms,
            defined=case.answer["def_header"] in told,
            needed=all(line in told for line in case.answer["need"]),
        )

    def _question(self, case: Case, shelf: Shelf) -> Question:
        view = window.cut(case.snapshot, WINDOW_CHARS)
        return context.question(case.snapshot, view, self.around(case), self.project(case), shelf)

    def _shelf(self, case: Case) -> Shelf:
        """The first files of the same folder, as if they had been open: what an editor would have is not known."""
        folder = f"{case.repository}/{PurePath(case.path).parent}"
        if folder not in self._shelves:
            project = self._projects[case.repository]
            shelf = self._shelves[folder] = Shelf()
            for path in project.near(case.path, OPEN_FILES):
                shelf.library.put(path, project.config(path).splitlines(keepends=True))
        return self._shelves[folder]


def project_of(tree: Path) -> Folder:
    paths = [str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()]
    return Folder(paths, lambda path: (tree / path).read_text(encoding="utf-8", errors="replace"))


def _cases(path: Path, trees: Path) -> Iterator[Case]:
    for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        lines = (trees / row["repo"] / row["file"]).read_text(encoding="utf-8").split("\n")
        line, column = row["line"] - 1, row["col"]
        lines[line] = lines[line][:column]
        language = language_of(PurePath(row["file"]))
        kept = (*(f"{each}\n" for each in lines[:-1]), lines[-1])
        snapshot = Snapshot(f"file:///{row['file']}", row["file"], 1, language, kept, line, column)
        answer = {key: row[key] for key in ("def_file", "def_header", "need", "kind", "target")}
        yield Case(row["id"], language, row["repo"], row["file"], snapshot, row["cursor"], answer)


def _lines(snippets: Sequence[Snippet], path: str, budget_chars: int) -> set[str]:
    """The lines that are told of one file; a budget that is exceeded would be a defect."""
    assert sum(len(each.path) + PATH_COST + len(each.text) for each in snippets) <= budget_chars
    return {line.strip() for each in snippets if each.path == path for line in each.text.split("\n")}


KEYS: Mapping[str, Callable[[Case], str]] = {
    "lang": lambda case: case.language,
    "cursor": lambda case: case.cursor,
    "kind": lambda case: str(case.answer["kind"]),
}
"""By what the cases are told apart: the language, what is written at the caret, what is looked for."""


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    took_ms = sorted(each.took_ms for each in outcomes)
    return {
        "cases": len(outcomes),
        "def_recall": _share(outcomes, "defined"),
        "need_recall": _share(outcomes, "needed"),
        **{f"by_{name}": _shares(_by(outcomes, key)) for name, key in KEYS.items()},
        "ms_p50": round(statistics.median(took_ms), 3),
        "ms_p95": round(took_ms[int(len(took_ms) * 0.95)], 3),
    }


def _shares(groups: Mapping[str, Sequence[Outcome]]) -> Mapping[str, float]:
    return {name: _share(found, "defined") for name, found in groups.items()}


def segments(outcomes: Sequence[Outcome]) -> Iterator[Figure]:
    """Both recalls over all cases, and over those of each language, kind of caret and kind of definition."""
    groups: dict[str, Sequence[Outcome]] = {"all": outcomes}
    for name, key in KEYS.items():
        groups |= {f"{name}={value}": found for value, found in _by(outcomes, key).items()}
    for segment, found in groups.items():
        yield Figure(segment, "def_recall", _share(found, "defined"), len(found))
        yield Figure(segment, "need_recall", _share(found, "needed"), len(found))


def _by(outcomes: Sequence[Outcome], key: Callable[[Case], str]) -> Mapping[str, Sequence[Outcome]]:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for each in outcomes:
        groups[key(each.case)].append(each)
    return dict(sorted(groups.items()))


def _share(outcomes: Sequence[Outcome], figure: Literal["defined", "needed"]) -> float:
    found = sum(each.defined if figure == "defined" else each.needed for each in outcomes)
    return round(found / max(1, len(outcomes)), 4)


def _table(found: Mapping[str, Any]) -> str:
    rows = []
    for name, value in found.items():
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        rows += [f"{name:12} {key:20} {each}" for key, each in inner]
    return "\n".join(rows)


def _dumped(outcome: Outcome) -> str:
    snippets = [[each.path, each.text] for each in outcome.snippets]
    return json.dumps({"id": outcome.case.id, "snippets": snippets}) + "\n"


if __name__ == "__main__":
    sys.exit(main())
