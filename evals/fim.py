"""`python -m evals.fim`: how often the inline model's suggestion is the missing text, through the whole product.

Every case is opened in a real `midfill-lsp`, asked for by hand at the caret, and compared with what was cut out.
Figures: share of exactly right suggestions (blanks at the ends aside), share whose first line is right, mean edit
similarity (difflib's ratio), and how many got none.
"""

import argparse
import asyncio
import json
import os
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path

from midfill_cli.editor import BY_HAND, Buffer, language_server
from midfill_cli.stdio_client import StdioClient

DEFAULT_DATA = Path("../shared/data")
SETS: Mapping[str, str] = {
    "humaneval_infilling_singleline": ".py",
    "humaneval_infilling_multiline": ".py",
    "humaneval_infilling_randomspan": ".py",
    "humanevalx_js_singleline": ".js",
    "humanevalx_go_singleline": ".go",
}
READY_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Case:
    """One hole; `target` is what was there."""

    prefix: str
    suffix: str
    target: str


@dataclass(frozen=True, slots=True)
class Score:
    """Shares from 0 to 1 over `cases`."""

    cases: int
    exact: float
    first_line: float
    similarity: float
    nothing: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MIDFILL_EVAL_DATA", DEFAULT_DATA)))
    parser.add_argument("--cases", type=int, default=20, help="cases per set, chosen by --seed; 0 is all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.data.resolve() / "fim"
    if not folder.is_dir():
        sys.exit(f"evals.fim: no data in {folder}; name its folder with --data or MIDFILL_EVAL_DATA")
    scores = asyncio.run(_evaluate(folder, arguments.cases, random.Random(arguments.seed)))
    if arguments.json:
        print(json.dumps({name: asdict(score) for name, score in scores.items()}))
    else:
        _print(scores)
    return 0


async def _evaluate(folder: Path, count: int, chance: random.Random) -> dict[str, Score]:
    scores: dict[str, Score] = {}
    async with language_server(folder, os.environ, {"debounceMs": 0}) as client:
        await _until_ready(client)
        for name, ending in SETS.items():
            cases = list(_load(folder / f"{name}.jsonl"))
            chosen = chance.sample(cases, count) if 0 < count < len(cases) else cases
            shown = [await _suggest(client, folder / f"case{ending}", case) for case in chosen]
            scores[name] = score(chosen, shown)
    return scores


async def _until_ready(client: StdioClient) -> None:
    async with asyncio.timeout(READY_LIMIT_S):
        while True:
            method, params = await client.notifications.get()
            if method == "midfill/status" and params["state"] == "ready":
                return


def _load(path: Path) -> Iterator[Case]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield Case(row["prefix"], row["suffix"], row["target"])


async def _suggest(client: StdioClient, path: Path, case: Case) -> str:
    """The text that accepting the suggestion would put in the hole."""
    buffer = Buffer(client, path, case.prefix + case.suffix, len(case.prefix))
    suggestion = await buffer.suggest(BY_HAND)
    buffer.close()
    return suggestion.text


def score(cases: Sequence[Case], shown: Sequence[str]) -> Score:
    """The figures of one set."""
    pairs = [(case.target.strip(), text.strip()) for case, text in zip(cases, shown, strict=True)]
    count = len(pairs)
    return Score(
        cases=count,
        exact=sum(target == text for target, text in pairs) / count,
        first_line=sum(target.split("\n")[0] == text.split("\n")[0] for target, text in pairs) / count,
        similarity=sum(SequenceMatcher(None, *pair, autojunk=False).ratio() for pair in pairs) / count,
        nothing=sum(not text for _, text in pairs) / count,
    )


def _print(scores: Mapping[str, Score]) -> None:
    print(f"{'set':<32} {'cases':>5} {'exact':>6} {'line':>6} {'similar':>8} {'nothing':>8}")
    for name, row in scores.items():
        figures = f"{row.exact:6.2f} {row.first_line:6.2f} {row.similarity:8.2f} {row.nothing:8.2f}"
        print(f"{name:<32} {row.cases:5d} {figures}")


if __name__ == "__main__":
    sys.exit(main())
