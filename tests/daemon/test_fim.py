"""FIM formats: golden prompts of every row, detection, and user text that never becomes a control token."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill_daemon import fim
from midfill_daemon.contract import Snippet
from midfill_daemon.errors import ConfigError

GOLDEN = Path(__file__).parents[1] / "data" / "fim"
SECTION = re.compile(r"^=== (.+) ===\n", re.MULTILINE)

SNIPPETS = (
    Snippet("src/area.py", "def area(width, height): ...\n", 0.9),
    Snippet("src/näher.py", "π = 3.14", 0.5),
)
CASES: Mapping[str, fim.Parts] = {
    "file": fim.Parts("def half(n):\n    return ", "\n\nprint(half(4))\n", "src/half.py", "maths"),
    "empty suffix": fim.Parts("def half(n):\n    return ", "", "src/half.py", "maths"),
    "unicode": fim.Parts("grüße = '👋", "'\n", "src/grüße.py", "grüße"),
    "repository": fim.Parts("def half(n):\n    return ", "\n", "src/half.py", "maths", SNIPPETS, "python"),
    "nameless": fim.Parts("x = ", "\n", snippets=SNIPPETS[:1]),
    "control tokens": fim.Parts(
        "<|fim_middle|> <fim_middle> <｜fim▁end｜> <MID> [PREFIX] <file_sep> </s>\n+++++ x", "<|any|><｜any｜>"
    ),
}


def golden(format_name: str) -> Mapping[str, str]:
    _, *parts = SECTION.split((GOLDEN / f"{format_name}.txt").read_text("utf-8"))
    return {name: text.removesuffix("\n") for name, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize("format_name", fim.FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_golden_prompts(format_name: str, case: str) -> None:
    assert fim.render(format_name, CASES[case]).text == golden(format_name)[case]


@pytest.mark.parametrize("format_name", fim.FORMATS)
def test_golden_stops(format_name: str) -> None:
    stops = fim.render(format_name, CASES["file"]).stops
    assert "\n".join(map(repr, stops)) == golden(format_name)["stops"]
    assert not [stop for stop in stops if stop.strip() in ("", "//", "#")]


def test_every_golden_file_is_a_row() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(fim.FORMATS)


# --- text of the user is never a control token ----------------------------------------------------

HARMLESS = ("x", " ", "\n", "é", "<", "|", "+")
WORD = "w"


def pieces(token: str) -> list[str]:
    """The token, and both halves of every cut through it: what a template's joint could complete."""
    return [token, *(half for at in range(1, len(token)) for half in (token[:at], token[at:]))]


def user_text(format_name: str) -> st.SearchStrategy[str]:
    tokens = [*sorted(fim.FORMATS[format_name].control), "<|unlisted|>", "<｜unlisted｜>"]
    fragments = sorted({piece for token in tokens for piece in pieces(token)})
    return st.lists(st.sampled_from(fragments) | st.sampled_from(HARMLESS), max_size=8).map("".join)


def parts_of(text: st.SearchStrategy[str]) -> st.SearchStrategy[fim.Parts]:
    snippets = st.lists(st.builds(Snippet, text, text), max_size=2).map(tuple)
    return st.builds(fim.Parts, text, text, text, text, snippets, text)


def harmless(parts: fim.Parts) -> fim.Parts:
    snippets = tuple(Snippet(WORD, WORD) for _ in parts.snippets)
    return fim.Parts(WORD, WORD, WORD, WORD, snippets, WORD)


def control_counts(prompt: str, format_name: str) -> Mapping[str, int]:
    found = {token: prompt.count(token) for token in fim.FORMATS[format_name].control}
    shapes = {shape: len(re.findall(shape, prompt)) for shape in fim.CONTROL_SHAPES}
    return {**found, **shapes}


@pytest.mark.parametrize("format_name", fim.FORMATS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_user_text_holds_no_control_token(format_name: str, data: st.DataObject) -> None:
    parts = data.draw(parts_of(user_text(format_name)))
    expected = control_counts(fim.render(format_name, harmless(parts)).text, format_name)
    assert control_counts(fim.render(format_name, parts).text, format_name) == expected


@pytest.mark.parametrize("format_name", fim.FORMATS)
@pytest.mark.parametrize("text", ["", "if a < b and b > c:", "f <|> g", "x <- y |> z", "a++++", "[x]", "<div>"])
def test_ordinary_text_is_left_alone(format_name: str, text: str) -> None:
    assert fim.defuse(text, format_name) == text


@pytest.mark.parametrize(("format_name", "left_alone"), [("qwen", True), ("codellama", False), ("codestral", False)])
def test_html_is_split_only_where_it_is_a_token(format_name: str, *, left_alone: bool) -> None:
    assert (fim.defuse("<s>old</s>", format_name) == "<s>old</s>") is left_alone


# --- detection ------------------------------------------------------------------------------------

QWEN = frozenset(fim.FORMATS["qwen"].proof)
BIGCODE = frozenset(fim.FORMATS["starcoder2"].proof)


@pytest.mark.parametrize(
    ("configured", "control_tokens", "model_name", "expected"),
    [
        ("auto", frozenset(), "", "prefix-only"),
        ("auto", frozenset(), "SmolLM2-135M-Instruct", "prefix-only"),
        ("auto", frozenset({"<filename>"}), "smollm2", "prefix-only"),
        ("auto", frozenset(), "Qwen/Qwen2.5-Coder-7B", "qwen"),
        ("auto", frozenset(), "qwen3-coder:30b", "qwen"),
        ("auto", frozenset(), "Qwen3-8B", "prefix-only"),
        ("auto", frozenset(), "starcoder2-3b.Q4_K_M", "starcoder2"),
        ("auto", frozenset(), "DeepSeek-Coder-V2-Lite", "deepseek"),
        ("auto", frozenset(), "CodeLlama-7b-hf", "codellama"),
        ("auto", frozenset(), "codestral-latest", "codestral"),
        ("auto", frozenset(), "JetBrains/Mellum-4b-base", "mellum"),
        ("auto", frozenset(), "starcoderbase-1b", "starcoder"),
        ("auto", frozenset(), "starcoder:3b", "starcoder"),
        ("auto", frozenset(), "stabilityai/stable-code-3b", "stablecode"),
        ("auto", frozenset(), "stablecode-completion-alpha-3b", "stablecode"),
        ("auto", frozenset(), "stablelm2:1.6b", "prefix-only"),
        ("auto", frozenset(), "bigcode/santacoder", "santacoder"),
        ("auto", frozenset(), "codegemma:2b-code", "codegemma"),
        ("auto", frozenset(), "google/codegemma-1.1-2b", "codegemma"),
        ("auto", frozenset(), "gemma3:1b", "prefix-only"),
        ("auto", frozenset(), "granite-code:3b", "granite-code"),
        ("auto", frozenset(), "ibm-granite/granite-34b-code-base-8k", "granite-code"),
        ("auto", frozenset(), "granite-8b-code-instruct-4k", "granite-code"),
        ("auto", frozenset(), "granite4:350m-h", "granite4"),
        ("auto", frozenset(), "ibm-granite/granite-4.0-h-tiny", "granite4"),
        ("auto", frozenset(), "granite-4.1-3b-base", "granite4"),
        ("auto", frozenset(), "granite3.3:8b", "prefix-only"),
        ("auto", frozenset(), "granite-3.1-4b-instruct", "prefix-only"),
        ("auto", frozenset(), "granite-embedding-30m", "prefix-only"),
        ("auto", frozenset(), "ByteDance-Seed/Seed-Coder-8B-Base", "seed-coder"),
        ("auto", frozenset(), "seed-oss:36b", "prefix-only"),
        ("auto", frozenset(), "glm4:9b", "glm4"),
        ("auto", frozenset(), "zai-org/GLM-4.5-Air", "glm4"),
        ("auto", frozenset(), "chatglm3-6b", "prefix-only"),
        ("auto", frozenset(), "codegeex4:9b", "codegeex4"),
        ("auto", frozenset(), "THUDM/codegeex4-all-9b", "codegeex4"),
        ("auto", frozenset(), "codegeex2-6b", "prefix-only"),
        ("auto", frozenset(), "mercury-coder-small", "mercury"),
        ("auto", frozenset(), "gpt-4o-mini", "chat"),
        ("auto", frozenset(), "openai/gpt-5", "chat"),
        ("auto", frozenset(), "anthropic/claude-sonnet-4", "chat"),
        ("auto", frozenset(), "gemini-2.5-flash", "chat"),
        ("auto", frozenset(), "gpt-3.5-turbo-instruct", "prefix-only"),
        ("auto", frozenset(), "gpt-oss:20b", "prefix-only"),
        ("auto", frozenset(), "nomic-ai/gpt4all-j", "prefix-only"),
        ("chat", frozenset(), "llama3.1:8b", "chat"),
        ("auto", QWEN | {"<|file_separator|>"}, "my-finetune", "codegemma"),
        ("auto", QWEN | {"<|end_of_text|>"}, "my-finetune", "granite4"),
        ("auto", QWEN | {"<|end_of_text|>"}, "qwen2.5-coder", "qwen"),
        ("auto", QWEN, "codegemma-2b", "qwen"),
        ("auto", BIGCODE, "granite-3b-code-base", "granite-code"),
        ("auto", BIGCODE, "stable-code-3b", "stablecode"),
        ("auto", frozenset(fim.FORMATS["glm4"].proof), "my-finetune", "glm4"),
        ("auto", frozenset(fim.FORMATS["glm4"].proof), "codegeex4-all-9b", "codegeex4"),
        ("auto", QWEN, "my-finetune", "qwen"),
        ("auto", QWEN - {"<|fim_middle|>"}, "my-finetune", "prefix-only"),
        ("auto", BIGCODE, "my-finetune", "starcoder2"),
        ("auto", BIGCODE | {"<filename>"}, "Mellum-4b-sft-python", "mellum"),
        ("auto", BIGCODE | {"<filename>"}, "my-finetune", "starcoder2"),
        ("auto", BIGCODE, "qwen2.5-coder", "starcoder2"),
        ("auto", QWEN | BIGCODE, "starcoder2", "starcoder2"),
        ("prefix-only", QWEN, "qwen2.5-coder", "prefix-only"),
        ("codestral", QWEN, "qwen2.5-coder", "codestral"),
    ],
)
def test_detection(configured: str, control_tokens: frozenset[str], model_name: str, expected: str) -> None:
    assert fim.detect(configured, control_tokens, model_name) == expected


@pytest.mark.parametrize("format_name", [name for name, row in fim.FORMATS.items() if row.proof])
def test_each_vocabulary_with_its_name_is_detected(format_name: str) -> None:
    row = fim.FORMATS[format_name]
    assert set(row.proof) <= set(fim.CONTROL_TOKENS)
    assert fim.detect("auto", frozenset(row.proof), format_name) == format_name


def test_an_unknown_configured_format_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'quen' is not one of auto, .*qwen"):
        fim.detect("quen", frozenset(), "")


# --- the answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format_name", "prefix", "text", "expected"),
    [
        ("codestral", "x = ", " 1", "1"),
        ("codestral", "x = ", "  1", "  1"),
        ("codestral", "x =", " 1", " 1"),
        ("codestral", "x\n\n", "\ny", "y"),
        ("codestral", "x\n\n", "\n\ny", "\n\ny"),
        ("qwen", "x = ", " 1", " 1"),
    ],
)
def test_clean_start(format_name: str, prefix: str, text: str, expected: str) -> None:
    assert fim.clean_start(format_name, prefix, text) == expected


def test_at_most_four_different_stops_go_upstream() -> None:
    assert fim.upstream_stops(("\n", "a", "\n", "b", "c", "d")) == ("\n", "a", "b", "c")
