"""Which files are never read or sent."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill_workspace.exclusion import REASONS, Rules, excluded

USER = Rules(
    globs=("docs/", "*.sql", "src/**/fixtures", "/build/out.py", "a?.txt"), languages=("lua",), limit_chars=1_000
)


def check(
    path: str, reason: str | None, rules: Rules = USER, size: int = 500, longest: int = 80, language: str = "python"
) -> None:
    assert excluded(path, size, longest, language, rules) == reason
    assert reason is None or REASONS[reason].endswith(".")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (".env", "secret_file"),
        (".ENV.local", "secret_file"),
        ("deploy/.env.production", "secret_file"),
        ("deploy\\.env", "secret_file"),
        ("prod.env", "secret_file"),
        ("keys/server.pem", "secret_file"),
        ("server.KEY", "secret_file"),
        ("a/b.p12", "secret_file"),
        ("a/b.pfx", "secret_file"),
        ("android/release.keystore", "secret_file"),
        ("x.jks", "secret_file"),
        ("tls.crt", "secret_file"),
        ("tls.cert", "secret_file"),
        ("vault.kdbx", "secret_file"),
        ("home/id_rsa", "secret_file"),
        ("home/id_ed25519_work", "secret_file"),
        (".netrc", "secret_file"),
        ("web/.npmrc", "secret_file"),
        (".pypirc", "secret_file"),
        (".dev.vars", "secret_file"),
        ("credentials", "secret_file"),
        ("aws/credentials.json", "secret_file"),
        ("my-credentials-2.json", "secret_file"),
        ("secrets.yml", "secret_file"),
        ("conf/secrets.py", "secret_file"),
        ("infra/terraform.tfstate", "secret_file"),
        ("infra/terraform.tfstate.backup", "secret_file"),
        ("infra/prod.tfvars", "secret_file"),
        ("dot/.aws/credentials", "secret_file"),
        ("dot/.ssh/config", "secret_file"),
        ("dot/.docker/config.json", "secret_file"),
        (".git/config", "repository_internal"),
        ("sub/.git/COMMIT_EDITMSG", "repository_internal"),
        ("poetry.lock", "generated"),
        ("web/package-lock.json", "generated"),
        ("web/node_modules/left-pad/index.js", "generated"),
        ("static/app.min.js", "generated"),
        ("api/user_pb2.py", "generated"),
        ("docs/index.md", "folder_off"),
        ("a/docs/index.md", "folder_off"),
        ("schema.SQL", "folder_off"),
        ("src/fixtures/a.py", "folder_off"),
        ("src/a/b/fixtures/c.py", "folder_off"),
        ("build/out.py", "folder_off"),
        ("a1.txt", "folder_off"),
    ],
)
def test_off(path: str, reason: str) -> None:
    check(path, reason)


@pytest.mark.parametrize(
    "path",
    [
        "config.json",
        ".vscode/settings.json",
        "docker-compose.yml",
        "environment.py",
        "src/env.ts",
        "keyboard.py",
        "monkey.py",
        "src/secret_santa.py",
        "credentials_provider.go",
        "test_credentials.py",
        ".github/workflows/ci.yml",
        ".gitignore",
        "gitlab/.gitlab-ci.yml",
        "certificate.go",
        "docs",
        "mydocs/a.py",
        "lib/build/out.py",
        "fixtures/a.py",
        "a12.txt",
        "lockfile.py",
        "map.py",
    ],
)
def test_on(path: str) -> None:
    check(path, None)


@pytest.mark.parametrize(
    ("size", "longest", "language", "reason"),
    [
        (1_000, 80, "python", None),
        (1_001, 80, "python", "too_large"),
        (500, 80, "lua", "language_off"),
        (0, 0, "python", None),
    ],
)
def test_size_and_language(size: int, longest: int, language: str, reason: str | None) -> None:
    check("a.py", reason, size=size, longest=longest, language=language)


@pytest.mark.parametrize(
    ("size", "longest", "language", "reason"),
    [
        (100_000, 1_999, "javascript", None),
        (100_000, 3_000, "javascript", None),
        (5_000, 3_000, "javascript", "minified"),
        (90_000, 20_001, "javascript", "minified"),
        (5_000, 3_000, "markdown", None),
        (90_000, 90_000, "plaintext", None),
    ],
)
def test_minified(size: int, longest: int, language: str, reason: str | None) -> None:
    check("app.js", reason, Rules(), size, longest, language)


@pytest.mark.parametrize("globs", [(), ("",), ("/",), (" ", "./")])
def test_empty_globs_exclude_nothing(globs: tuple[str, ...]) -> None:
    check("a.py", None, Rules(globs=globs))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.lists(st.text(alphabet="*?/[](){}\\.+|ab^$", max_size=8), max_size=4))
def test_any_path_and_any_glob(path: str, globs: list[str]) -> None:
    reason = excluded(path, 10, 10, "python", Rules(globs=tuple(globs)))
    assert reason is None or reason in REASONS
