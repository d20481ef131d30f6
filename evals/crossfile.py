"""`python -m evals.crossfile`: does what the inline model is told of other files make its lines better?

The cases of `evals.context`, each asked twice through the daemon: with the prompt that the language server would send
after a rest, and with the whole prompt for the text around the caret. Figures: share of lines that are exactly right,
and mean edit similarity (difflib's ratio) to the rest of the line.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

from evals.context import DEFAULT_DATA, Bench, Case
from midfill_daemon import contract
from midfill_daemon.client import Client
from midfill_daemon.contract import Delta, Result
from midfill_daemon.errors import ProviderError
from midfill_daemon.paths import locate
from midfill_lsp.link import Link
from midfill_lsp.prompt import Prompts, Teller, nothing
from midfill_workspace import context
from midfill_workspace.context import Shelf
from midfill_workspace.snapshot import Snapshot
from midfill_workspace.window import Window

MAX_TOKENS = 48
READY_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Score:
    cases: int
    exact: float
    similarity: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MIDFILL_EVAL_DATA", DEFAULT_DATA)))
    parser.add_argument("--cases", type=int, default=60, help="chosen by --seed; 0 is all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.data.resolve() / "xfile"
    if not folder.is_dir():
        print(f"evals.crossfile: no data at {folder}; see --data and MIDFILL_EVAL_DATA", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(folder, Path(scratch))
        chance = random.Random(arguments.seed)
        cases = chance.sample(bench.cases, arguments.cases) if arguments.cases else bench.cases
        scores = asyncio.run(_evaluate(bench, cases))
    print(json.dumps({name: asdict(each) for name, each in scores.items()}, indent=None if arguments.json else 2))
    return 0


async def _evaluate(bench: Bench, cases: Sequence[Case]) -> Mapping[str, Score]:
    client = Client(locate(os.environ), os.environ)
    link = Link(client, lambda _: None)
    try:
        link.model = await _ready(client)
        shown = {
            name: [await _line(client, link, case, bench if told else None) for case in cases]
            for name, told in (("told", True), ("alone", False))
        }
    finally:
        await client.close()
    return {name: score(cases, texts) for name, texts in shown.items()}


async def _ready(client: Client) -> contract.InlineModel:
    async with asyncio.timeout(READY_LIMIT_S):
        while not (health := await client.connect()).inline.ready:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(1)
    return health.inline


async def _line(client: Client, link: Link, case: Case, bench: Bench | None) -> str:
    """What the model writes at the caret, up to the end of the line."""
    tell = nothing if bench is None else _teller(bench, case)
    prompts = Prompts(link, tell)
    prompts.settle(case.snapshot)
    request = replace(prompts.of(case.snapshot).request(case.snapshot, "eval", max_tokens=MAX_TOKENS), shape="line")
    text = ""
    try:
        async with aclosing(client.run("completion", request.raw())) as events:
            async for event in events:
                text += event.text if isinstance(event, Delta) else ""
                if isinstance(event, Result):
                    break
    except ProviderError as exc:
        print(f"{case.id}: {exc.code}", file=sys.stderr)
    return text.split("\n")[0]


def _teller(bench: Bench, case: Case) -> Teller:
    def tell(snapshot: Snapshot, view: Window, limit_chars: int) -> Sequence[contract.Snippet]:
        asked = context.question(snapshot, view, bench.around(case), bench.project(case), Shelf())
        found = context.assemble(asked, limit_chars)
        return [contract.Snippet(each.path, each.text, each.score) for each in found]

    return tell


def score(cases: Sequence[Case], shown: Sequence[str]) -> Score:
    pairs = [(case.answer["target"].strip(), text.strip()) for case, text in zip(cases, shown, strict=True)]
    similar = [SequenceMatcher(None, *pair, autojunk=False).ratio() for pair in pairs]
    exact = sum(target == text for target, text in pairs)
    return Score(len(pairs), round(exact / len(pairs), 4), round(sum(similar) / len(pairs), 4))


if __name__ == "__main__":
    sys.exit(main())
