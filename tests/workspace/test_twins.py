"""Files that belong together by name."""

import pytest

from midfill_workspace.twins import twins
from support.projects import Files


@pytest.mark.parametrize(
    ("path", "files", "found"),
    [
        ("pack/mod.py", ["tests/test_mod.py"], ["tests/test_mod.py"]),
        (
            "pack/mod.py",
            ["tests/pack/test_mod.py", "tests/test_mod.py"],
            ["tests/pack/test_mod.py", "tests/test_mod.py"],
        ),
        ("tests/test_mod.py", ["src/mod.py"], ["src/mod.py"]),
        ("tests/pack/test_mod.py", ["pack/mod.py"], ["pack/mod.py"]),
        ("a/b.ts", ["a/b.test.ts", "a/b.spec.ts"], ["a/b.test.ts", "a/b.spec.ts"]),
        ("a/__tests__/b.test.ts", ["a/b.ts"], ["a/b.ts"]),
        ("a/b_test.go", ["a/b.go"], ["a/b.go"]),
        ("src/x.cpp", ["src/x.h", "src/x.hpp"], ["src/x.h", "src/x.hpp"]),
        ("src/x.h", ["src/x.c"], ["src/x.c"]),
        ("src/main/java/a/Shop.java", ["src/test/java/a/ShopTest.java"], ["src/test/java/a/ShopTest.java"]),
        ("mod.py", ["other.py"], []),
        ("mod.py", ["mod.py"], []),
        ("test.py", ["mod.py"], []),
    ],
)
def test_twins(path: str, files: list[str], found: list[str]) -> None:
    assert twins(path, Files(dict.fromkeys([path, *files], ""))) == found
