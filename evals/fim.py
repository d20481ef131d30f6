"""`python -m evals.fim`: how often the inline model's suggestion is the missing text, through the whole product.

Every case is opened in a real `midfill-lsp`, asked for by hand at the caret, and compared with what was cut out.
Figures: share of exactly right suggestions (blanks at the ends aside), share whose first line is right, mean edit
similarity (difflib's ratio), share with which the case's own tests pass, and how many got none.

A hole of whole lines keeps its last line break, as an editor does in which a line is opened to write on: nothing is
suggested in front of other code. No suggestion passes no test, even where the tests would not miss it.
"""

import asyncio
import json
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from statistics import fmean
from typing import Any

from evals import options, sandbox, subject
from midfill_cli import results
from midfill_cli.editor import BY_HAND, NOTHING, Buffer, Suggestion, language_server
from midfill_cli.results import Figure
from midfill_cli.stdio_client import StdioClient
from midfill_daemon.client import Client
from midfill_daemon.contract import InlineModel
from midfill_daemon.paths import locate
from midfill_lsp.explain import REASONS
from midfill_lsp.fit import RULES

SETS: Mapping[str, str] = {
    "humaneval_infilling_singleline": ".py",
    "humaneval_infilling_multiline": ".py",
    "humaneval_infilling_randomspan": ".py",
    "humanevalx_js_singleline": ".js",
    "humanevalx_go_singleline": ".go",
}
READY_LIMIT_S = 120.0
ANSWER_LIMIT_S = 300.0
NOTHING_TO_SHOW = (*REASONS.values(), *RULES.values())
"""What the server says when a model has answered and nothing of it is worth showing; not so when none answered."""


@dataclass(frozen=True, slots=True)
class Case:
    """One hole; `target` is what was there, `tests` is a program in whose namespace the whole text has run, or ""."""

    prefix: str
    suffix: str
    target: str
    tests: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one case; `passed` is None where tests cannot be run."""

    case: Case
    suggestion: Suggestion = NOTHING
    passed: bool | None = None

    @property
    def pair(self) -> tuple[str, str]:
        """What was missing and what was suggested, without blanks at the ends."""
        return self.case.target.strip(), self.suggestion.text.strip()


@dataclass(frozen=True, slots=True)
class Score:
    """Shares from 0 to 1 over `cases`; `passes` over those with tests that could be run, None for none."""

    cases: int
    exact: float
    first_line: float
    similarity: float
    passes: float | None
    nothing: float


def main() -> int:
    parser = options.parser(__doc__)
    options.add_sample(parser, 20, "per set")
    arguments = parser.parse_args()
    folder = options.folder(arguments, "fim")
    judge = _judge()
    try:
        model, attempts = asyncio.run(_evaluate(folder, arguments.cases, random.Random(arguments.seed), judge))
    except TimeoutError:
        sys.exit("evals.fim: the model does not answer; `midfill log` and `midfill doctor` say more")
    scores = {name: score(found) for name, found in attempts.items()}
    settings = {"cases": arguments.cases, "seed": arguments.seed}
    found = subject.results("fim", settings, folder, subject.of_model(model), figures(attempts))
    results.append(options.out(arguments), found)
    if arguments.json:
        print(json.dumps({name: asdict(score) for name, score in scores.items()}))
    else:
        _print(scores)
    return 0


Judge = Callable[[Case, Suggestion], bool | None]


def _judge() -> Judge:
    """What runs tests here. Where programs cannot be held, none is run."""
    layers = sandbox.isolation()
    lacking = sandbox.missing(layers)
    told = f"not run, because this machine cannot hold a program: {lacking}" if lacking else ", ".join(layers)
    print(f"tests: {told}", file=sys.stderr)
    return _not_judged if lacking else passes


def _not_judged(_: Case, __: Suggestion) -> None:
    return None


def passes(case: Case, suggestion: Suggestion) -> bool | None:
    """Whether the text with the suggestion in it passes its tests; None where it has none."""
    if not case.tests:
        return None
    text = case.prefix + suggestion.text + case.suffix[suggestion.replace :]
    return bool(suggestion.text) and sandbox.run([text, case.tests]).ending == "passed"


async def _evaluate(
    folder: Path, count: int, chance: random.Random, judge: Judge
) -> tuple[InlineModel, Mapping[str, Sequence[Attempt]]]:
    attempts: dict[str, Sequence[Attempt]] = {}
    async with language_server(folder, os.environ, {"debounceMs": 0, "candidates": 1}) as client:
        await _until_ready(client)
        model = await _model()
        for name, ending in SETS.items():
            path = folder / f"{name}.jsonl"
            if path.exists():
                chosen = options.sample(list(load(path)), count, chance)
                attempts[name] = [await _attempt(client, folder / f"case{ending}", case, judge) for case in chosen]
    return model, attempts


async def _until_ready(client: StdioClient) -> None:
    async with asyncio.timeout(READY_LIMIT_S):
        while True:
            method, params = await client.notifications.get()
            if method == "midfill/status" and params["state"] == "ready":
                return


async def _model() -> InlineModel:
    """The model behind the language server: the daemon that both speak to has one."""
    client = Client(locate(os.environ), os.environ)
    try:
        return await subject.ready(client)
    finally:
        await client.close()


def load(path: Path) -> Iterator[Case]:
    """The cases of one set; a hole with nothing but blanks in it is none."""
    with path.open(encoding="utf-8") as file:
        cases = [_case(json.loads(line)) for line in file]
    return (case for case in cases if case.target.strip())


def _case(row: Mapping[str, Any]) -> Case:
    target = row["target"].removesuffix("\n")
    line_break = row["target"][len(target) :]
    tests = f"{row['test']}\ncheck({row['entry_point']})\n" if "entry_point" in row else ""
    return Case(row["prefix"], line_break + row["suffix"], target, tests)


async def _attempt(client: StdioClient, path: Path, case: Case, judge: Judge) -> Attempt:
    """Ask for the text that accepting the suggestion would put in the hole, and try it."""
    buffer = Buffer(client, path, case.prefix + case.suffix, len(case.prefix))
    suggestion = await _suggestion(buffer)
    buffer.close()
    return Attempt(case, suggestion, judge(case, suggestion))


async def _suggestion(buffer: Buffer) -> Suggestion:
    """What an answer of the model comes to. A failure is asked again: a busy machine is no worse a model."""
    async with asyncio.timeout(ANSWER_LIMIT_S):
        while True:
            suggestion = await buffer.suggest(BY_HAND)
            explanation = await buffer.explain()
            if suggestion.text or any(reason in explanation for reason in NOTHING_TO_SHOW):
                return suggestion
            await asyncio.sleep(subject.PATIENCE_S)


def score(attempts: Sequence[Attempt]) -> Score:
    """The figures of one set."""
    pairs = [each.pair for each in attempts]
    judged = [each.passed for each in attempts if each.passed is not None]
    return Score(
        cases=len(pairs),
        exact=fmean(target == text for target, text in pairs),
        first_line=fmean(target.split("\n")[0] == text.split("\n")[0] for target, text in pairs),
        similarity=fmean(SequenceMatcher(None, *pair, autojunk=False).ratio() for pair in pairs),
        passes=fmean(judged) if judged else None,
        nothing=fmean(not text for _, text in pairs),
    )


def figures(attempts: Mapping[str, Sequence[Attempt]]) -> Iterator[Figure]:
    """By set, and over all sets."""
    together = [each for found in attempts.values() for each in found]
    segments = {"all": together, **{f"set={name}": found for name, found in attempts.items()}}
    for segment, found in segments.items():
        shares = asdict(score(found))
        shares.pop("cases")
        judged = sum(each.passed is not None for each in found)
        for metric, share in shares.items():
            if share is not None:
                yield Figure(segment, metric, round(share, 4), judged if metric == "passes" else len(found))


def _print(scores: Mapping[str, Score]) -> None:
    print(f"{'set':<32} {'cases':>5} {'exact':>6} {'line':>6} {'similar':>8} {'passes':>7} {'nothing':>8}")
    for name, row in scores.items():
        passed = "-" if row.passes is None else f"{row.passes:.2f}"
        shares = f"{row.exact:6.2f} {row.first_line:6.2f} {row.similarity:8.2f} {passed:>7} {row.nothing:8.2f}"
        print(f"{name:<32} {row.cases:5d} {shares}")


if __name__ == "__main__":
    sys.exit(main())
