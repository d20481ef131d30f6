"""`python -m evals.crossfile`: does what the inline model is told of other files make its lines better?

The cases of `evals.context`, each asked twice through the daemon: with the prompt that the language server would send
after a rest, and with the whole prompt for the text around the caret. Figures: share of lines that are exactly right,
and mean edit similarity (difflib's ratio) to the rest of the line.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

from evals import options, subject
from evals.context import Bench, Case
from midfill_cli import results
from midfill_cli.results import Figure
from midfill_daemon import contract
from midfill_daemon.client import Client
from midfill_daemon.contract import Delta, InlineModel, Result
from midfill_daemon.errors import ProviderError
from midfill_daemon.paths import locate
from midfill_lsp.link import Link
from midfill_lsp.prompt import Prompts, Teller, nothing
from midfill_workspace import context
from midfill_workspace.context import Shelf
from midfill_workspace.snapshot import Snapshot
from midfill_workspace.window import Window

MAX_TOKENS = 48
ANSWER_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Score:
    cases: int
    exact: float
    similarity: float


def main() -> int:
    parser = options.parser(__doc__)
    options.add_sample(parser, 60, "of all languages together")
    arguments = parser.parse_args()
    folder = options.folder(arguments, "xfile")
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(folder, Path(scratch))
        cases = options.sample(bench.cases, arguments.cases, random.Random(arguments.seed))
        try:
            model, shown = asyncio.run(_evaluate(bench, cases))
        except TimeoutError:
            sys.exit("evals.crossfile: the model does not answer; `midfill log` and `midfill doctor` say more")
    settings = {"cases": arguments.cases, "seed": arguments.seed}
    versions = {**subject.of_model(model), **subject.of_context()}
    measured = subject.results("crossfile", settings, folder, versions, segments(cases, shown))
    results.append(options.out(arguments), measured)
    scores = {name: score(cases, texts) for name, texts in shown.items()}
    print(json.dumps({name: asdict(each) for name, each in scores.items()}, indent=None if arguments.json else 2))
    return 0


async def _evaluate(bench: Bench, cases: Sequence[Case]) -> tuple[InlineModel, Mapping[str, Sequence[str]]]:
    """The model, and what it writes when it is told of other files and when it is not."""
    client = Client(locate(os.environ), os.environ)
    link = Link(client, lambda _: None)
    try:
        link.model = model = await subject.ready(client)
        shown = {
            name: [await _line(client, link, case, bench if told else None) for case in cases]
            for name, told in (("told", True), ("alone", False))
        }
    finally:
        await client.close()
    return model, shown


async def _line(client: Client, link: Link, case: Case, bench: Bench | None) -> str:
    """What the model writes at the caret, up to the end of the line."""
    tell = nothing if bench is None else _teller(bench, case)
    prompts = Prompts(link, tell)
    prompts.settle(case.snapshot)
    request = replace(prompts.of(case.snapshot).request(case.snapshot, "eval", max_tokens=MAX_TOKENS), shape="line")
    async with asyncio.timeout(ANSWER_LIMIT_S):
        while (text := await _answer(client, request)) is None:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(subject.PATIENCE_S)
    return text.split("\n")[0]


async def _answer(client: Client, request: contract.CompletionRequest) -> str | None:
    """What the model writes; None when it fails, which says nothing of its lines."""
    text = ""
    try:
        async with aclosing(client.run("completion", request.raw())) as events:
            async for event in events:
                text += event.text if isinstance(event, Delta) else ""
                if isinstance(event, Result):
                    break
    except ProviderError as exc:
        print(f"the model failed ({exc.code}) and is asked again", file=sys.stderr)
        return None
    return text


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


def segments(cases: Sequence[Case], shown: Mapping[str, Sequence[str]]) -> Iterator[Figure]:
    """For each of the two prompts: over all cases, and those of each language."""
    for prompt, texts in shown.items():
        for language in ("", *sorted({case.language for case in cases})):
            pairs = [(case, text) for case, text in zip(cases, texts, strict=True) if language in ("", case.language)]
            found = score([case for case, _ in pairs], [text for _, text in pairs])
            segment = f"prompt={prompt} lang={language}" if language else f"prompt={prompt}"
            yield Figure(segment, "exact", found.exact, found.cases)
            yield Figure(segment, "similarity", found.similarity, found.cases)


if __name__ == "__main__":
    sys.exit(main())
