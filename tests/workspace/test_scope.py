"""Where the scope around the caret ends, by syntax and by indentation, and line or block."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill_workspace import grammars, scope
from support.buffers import snapshot_of

LONG = "".join(f"    value_{number} = {number}\n" for number in range(400))


@pytest.mark.parametrize(
    ("buffer", "automatic", "by_hand"),
    [
        ("‸", "block", "block"),
        ("x = 1\n‸\n", "block", "block"),
        ("x = 1\n   ‸  \n", "block", "block"),
        ("x = ‸\n", "line", "block"),
        ("x = ‸  \n", "line", "block"),
        ("def f():‸\n", "block", "block"),
        ("def f():\n    re‸\n", "block", "block"),
        ("def f():\n\n    re‸\n", "block", "block"),
        ("# note:\nx = ‸\n", "line", "block"),
        ("// note {\nx = ‸\n", "line", "block"),
        ("f(‸)", "block", "block"),
        ("f(‸);", "block", "block"),
        ("f(a‸);", "line", "block"),
        ("f(‸, b)", "line", "line"),
        ("‸x = 1", "line", "line"),
        ("if x then‸", "block", "block"),
        ("for x in y do\n  p‸", "block", "block"),
        ("function f(a, b)‸", "block", "block"),
        ("const f = () =>‸", "block", "block"),
        ("const f = () => {‸}", "block", "block"),
        ("else‸", "block", "block"),
        ("x = undo‸", "line", "block"),
        ("f() {\r\n‸\r\n}", "block", "block"),
    ],
)
def test_shape(buffer: str, automatic: str, by_hand: str) -> None:
    snapshot = snapshot_of(buffer)
    assert scope.shape(snapshot, invoked=False) == automatic
    assert scope.shape(snapshot, invoked=True) == by_hand


@pytest.mark.parametrize(
    ("language", "before", "completion", "after", "kept"),
    [
        ("python", "def f():\n    ", "return 1\n\ndef g():\n    pass", "\n", "return 1"),
        ("python", "class A:\n    def f(self):\n        ", "a()\n\n    def g(self):\n        b()", "\n", "a()"),
        ("python", "if x:\n    a()\n    ", "b()\nelse:\n    c()\nd()", "\n", "b()\nelse:\n    c()"),
        (
            "python",
            "def f(x):\n    if x:\n        if y:\n            a()\n            ",
            "b()\n    else:\n        c()",
            "",
            "b()",
        ),
        ("python", "f(\n    ", "a,\n    b,\n)\nc()", "\n", "a,\n    b,\n)"),
        ("python", "x = [y for y in ", "z]\nw = 1", "\n", "z]\nw = 1"),
        ("python", "", "import a\nimport b\n\nc()", "\n", "import a\nimport b"),
        ("python", "def f():\n    ", "   ", "\n", "   "),
        ("python", "def f():\n    ", "", "\n", ""),
        ("python", "x = '", "\ud800'\ny = 1", "\n", "\ud800'\ny = 1"),
        ("python", "def f():\n    ", "'🎉é'\n\ndef g(): pass", "\n", "'🎉é'"),
        ("javascript", "function f() {\n  ", "a();\n}\nb();", "\n}\n", "a();\n}"),
        ("javascript", "f(() => {\n  ", "a();\n}, 1);\nb();", "", "a();\n}, 1);"),
        ("javascript", "f({\n  a: [\n    ", "1,\n  ],\n});\nb();", "", "1,\n  ],\n});"),
        ("javascript", "f({\n  a: [\n    ", "1,\n  ],\n});\nb();", "\n  ],\n});\n", "1,\n  ],"),
        ("javascript", "if (a &&\n    ", "b) {\n  c();\n}\nd();", "\n", "b) {\n  c();\n}"),
        ("go", "func f() {\n\t", "a()\n}\n\nfunc g() {", "\n}\n", "a()\n}"),
        (
            "rust",
            "fn f() {\n    if a {\n        ",
            "b();\n    } else {\n        c();\n    }\n    d();",
            "\n}\n",
            "b();\n    } else {\n        c();\n    }",
        ),
        ("lua", "if a then\n  ", "b()\nend\nc()", "\n", "b()\nend"),
        (
            "c",
            "int f() {\n  switch (a) {\n    ",
            "case 1:\n      b();\n  }\n}\nint g;",
            "\n",
            "case 1:\n      b();\n  }\n}",
        ),
        ("java", "class A {\n  int f() {\n    ", "return 1;\n  }\n\n  int g() {", "\n  }\n}\n", "return 1;\n  }"),
    ],
)
def test_scope_end(language: str, before: str, completion: str, after: str, kept: str) -> None:
    parser = grammars.parser(language)
    assert parser is not None
    assert completion[: scope.scope_end(parser, before, completion, after)] == kept


@pytest.mark.parametrize(
    ("before", "completion", "kept"),
    [
        ("f:\n  ", "a\n  b\nc", "a\n  b"),
        ("f {\n  ", "a\n}\nc", "a\n}"),
        ("f {\n  ", "a\n} else {\n  b\n}\nc", "a\n} else {\n  b\n}"),
        ("f {\n  ", "a\n}", "a\n}"),
        ("f {", "\n  a\n}\nb", "\n  a\n}"),
        ("if a then", "\n  b\nend\nc", "\n  b\nend"),
        ("", "a\nb\n\nc", "a\nb"),
        ("", "a:\n  b\n\n  c", "a:\n  b\n\n  c"),
        ("", "\n\na\nb", "\n\na\nb"),
        ("  ", "  a\n  b", "  a\n  b"),
        ("\t", "a\n\tb\nc", "a\n\tb"),
        ("  ", "'''\nleft\n'''\n  b\nc", "'''\nleft\n'''\n  b"),
        ("  ", "a\n#if X\n  b\nc", "a\n#if X\n  b"),
        ("switch (a) {", "\ncase 1:\n  b\n}\nc", "\ncase 1:\n  b\n}"),
        ("  ", "", ""),
    ],
)
def test_indent_end(before: str, completion: str, kept: str) -> None:
    assert completion[: scope.indent_end(before, completion)] == kept


@pytest.mark.parametrize(
    ("text", "closing"),
    [("", ""), ("f(", ")"), ("f({[", "]})"), ("f(1)", ""), ("f(')'", ")"), ("}}", ""), ("{)", "}"), ("it's (", ")")],
)
def test_closers(text: str, closing: str) -> None:
    assert scope.closers(text) == closing


@pytest.mark.parametrize(
    ("buffer", "before", "after"),
    [
        ("a\r\nb‸c\rd", "a\nb", "c\nd"),
        ("‸", "", ""),
        (f"class A:\n{LONG}def f():\n{LONG[:200]}x‸\n", f"def f():\n{LONG[:200]}x", "\n"),
    ],
)
def test_surroundings(buffer: str, before: str, after: str) -> None:
    assert scope.surroundings(snapshot_of(buffer)) == (before, after)


def test_surroundings_are_bounded() -> None:
    line = "x" * 100_000
    before, after = scope.surroundings(snapshot_of(f"{LONG}{line}\n{line}‸{line}\n{line}\n{LONG}"))
    assert len(before) <= 2 * scope.BEFORE_CHARS + 1
    assert len(after) <= scope.AFTER_CHARS


PIECES = st.sampled_from(
    ["(", ")", "{", "}", "[", '"', "'", "\n", "    ", "\t", "def f():", "if x {", "end", "else", "x", "\ud800", "🎉"]
)
TEXTS = st.lists(PIECES, max_size=20).map("".join)


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS, TEXTS, st.sampled_from(["python", "typescript", "go", "rust", "lua", "c", "java"]))
def test_any_text_has_a_scope_end(before: str, completion: str, after: str, language: str) -> None:
    parser = grammars.parser(language)
    assert parser is not None
    assert 0 <= scope.scope_end(parser, before, completion, after) <= len(completion)
    assert 0 <= scope.indent_end(before, completion) <= len(completion)
