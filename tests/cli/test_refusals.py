"""What the `midfill` command refuses, in a sentence; that a process ends with it is tested end to end."""

from pathlib import Path

import pytest

from midfill_cli.__main__ import run

REFUSALS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no such file": (("complete", "{folder}/none.py:1:1"), 1, "none.py: No such file"),
    "a folder": (("complete", "{folder}/user:1:1"), 1, "Is a directory"),
    "a binary file": (("complete", "{folder}/binary:1:1"), 1, "a binary file"),
    "line too large": (("complete", "{folder}/a.py:99:1"), 1, "line 99: the file has 4"),
    "line 0": (("complete", "{folder}/a.py:0:1"), 1, "line 0"),
    "column too large": (("complete", "{folder}/a.py:2:99"), 1, "column 99: line 2 has 8 characters"),
    "a negative column": (("complete", "{folder}/a.py:2:-1"), 1, "column -1"),
    "no place": (("complete", "{folder}/a.py"), 1, "must be FILE:LINE:COL"),
    "a huge number": (("complete", "{folder}/a.py:" + "9" * 30 + ":1"), 1, "the file has 4"),
    "an endless number": (("complete", "{folder}/a.py:" + "9" * 5000 + ":1"), 1, "must be FILE:LINE:COL"),
    "no verb": ((), 2, "usage"),
    "an unknown verb": (("fly",), 2, "invalid choice"),
    "an unknown model": (("models", "pull", "nonesuch"), 1, "nonesuch"),
    "an unknown action": (("daemon", "jump"), 2, "invalid choice"),
    "an unknown editor": (("setup", "ed"), 2, "invalid choice"),
    "no number of days": (("stats", "--days", "0"), 2, "must be a number of days"),
    "an endless number of days": (("log", "purge", "--keep-days", "9" * 5000), 2, "must be a number of days"),
    "not a number": (("log", "--last", "x"), 2, "invalid int"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_a_sentence(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, status, said = REFUSALS[name]
    (tmp_path / "a.py").write_text("values = [1, 2]\ntotal = \nprint(total)\n")
    (tmp_path / "binary").write_bytes(b"\x7fELF\0\0")
    (tmp_path / "user").mkdir()
    found = ended([word.replace("{folder}", str(tmp_path)) for word in words], tmp_path)
    printed = capsys.readouterr()
    assert found == status if isinstance(found, int) else status == 1
    assert said in (printed.err if isinstance(found, int) else found)
    assert printed.out == ""


def ended(words: list[str], folder: Path) -> int | str:
    try:
        return run(words, {"MIDFILL_HOME": str(folder), "HOME": str(folder)})
    except SystemExit as exc:
        return exc.code or 0
