"""What is sent for one caret: how window and context share the prompt, and when the context changes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from midfill_daemon.contract import InlineModel, Snippet
from midfill_lsp.link import Link
from midfill_lsp.prompt import Prompts
from midfill_workspace.snapshot import Snapshot
from midfill_workspace.window import Window, cut
from support.buffers import snapshot_of
from support.scripted_client import ScriptedClient

MODEL = InlineModel(ready=True, prompt_tokens=1000, chars_per_token=2.0, context_share=0.5)
LONG = "some line of text\n" * 500
HERE = snapshot_of(f"{LONG}‸{LONG}")


@dataclass(slots=True)
class Told:
    """Tells snippets of so many characters in all, and remembers what it was asked."""

    chars: int = 0
    asked: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, snapshot: Snapshot, view: Window, limit_chars: int) -> Sequence[Snippet]:
        self.asked.append((len(view.prefix) + len(view.suffix), limit_chars))
        return [Snippet("a.py", "x" * (self.chars - 9))] if self.chars else []


def prompts(told: Told, model: InlineModel = MODEL) -> Prompts:
    link = Link(ScriptedClient(), lambda _: None)
    link.model = model
    return Prompts(link, told)


@pytest.mark.parametrize(
    ("told", "window"),
    [(0, 2000), (10, 1750), (250, 1750), (251, 1500), (900, 1000), (1000, 1000)],
)
def test_the_window_takes_what_the_context_leaves_in_steps(told: int, window: int) -> None:
    assert prompts(Told(told)).of(HERE).window == cut(HERE, window)


def test_what_is_told_keeps_to_its_share() -> None:
    told = Told(10)
    prompts(told, replace(MODEL, context_share=0.25)).of(HERE)
    [(window, limit)] = told.asked
    assert limit == 500
    assert 1200 < window <= 1500


def test_a_model_that_reads_fast_is_told_afresh_each_time() -> None:
    told = Told(10)
    made = prompts(told, replace(MODEL, prefill_tokens_s=5000.0))
    assert [made.of(HERE).snippets, made.of(HERE).snippets] == [(Snippet("a.py", "x"),)] * 2
    assert len(told.asked) == 2


def test_a_model_that_reads_slowly_is_told_what_the_last_rest_found() -> None:
    told = Told(10)
    made = prompts(told, replace(MODEL, prefill_tokens_s=100.0))
    assert made.of(HERE).snippets == ()
    made.settle(HERE)
    assert made.of(HERE).snippets == (Snippet("a.py", "x"),)
    assert made.of(replace(HERE, uri="file:///other")).snippets == ()
    told.chars = 20
    assert made.of(HERE).snippets == (Snippet("a.py", "x"),)
    made.forget(HERE.uri)
    assert made.of(HERE).snippets == ()


def test_a_request_holds_all_of_it() -> None:
    found = prompts(Told(10)).of(snapshot_of("before‸after", "python", "main.py"))
    request = found.request(HERE, "window", max_tokens=7, given=" given")
    assert (request.prefix, request.suffix, request.max_tokens) == ("before given", "after", 7)
    assert (request.snippets, request.editor) == ((Snippet("a.py", "x"),), "window")


SECRET = "ghp_" + "x7Kq2LmZ9pRtV4wYbN8s" + "D3fGhJ6cA1eU5oTi"


def test_no_secret_leaves_in_any_part() -> None:
    told = Told()
    made = Prompts(prompts(told)._link, lambda *_: [Snippet("a.py", f'TOKEN = "{SECRET}"')])
    snapshot = snapshot_of(f'one = "{SECRET}"\n‸\ntwo = "{SECRET}"')
    sending = made.of(snapshot).sending(snapshot, "window", max_tokens=7, given=f'three = "{SECRET}"')
    request = sending.request
    texts = [request.prefix, request.suffix, *(each.text for each in request.snippets)]
    assert not any(SECRET[:12] in text for text in texts)
    assert [text.count("x" * 36) for text in texts] == [2, 1, 1]
    assert sending.secrets == 4
