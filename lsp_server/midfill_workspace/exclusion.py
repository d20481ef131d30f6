"""Which files are never read or sent, by path and size alone, and why."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

SECRET_GLOBS = (
    ".env*",
    "*.env",
    ".dev.vars",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.cert",
    "*.crt",
    "*.ppk",
    "*.kdbx",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".htpasswd",
    ".git-credentials",
    "credentials",
    "credentials.*",
    "*credentials*.json",
    "secrets.*",
    "*.tfstate",
    "*.tfstate.*",
    "*.tfvars",
    ".aws/",
    ".ssh/",
    ".gnupg/",
    "**/.docker/config.json",
    "**/.kube/config",
)
"""Files that hold secrets by convention. Names that mostly hold none (`config.json`, `*.yml`) are left out."""

INTERNAL_GLOBS = (".git/", ".hg/", ".svn/", ".jj/")

GENERATED_GLOBS = (
    "*.lock",
    "package-lock.json",
    "pnpm-lock.yaml",
    "npm-shrinkwrap.json",
    "go.sum",
    "*.min.js",
    "*.min.css",
    "*.map",
    "*_pb2.py",
    "*_pb2_grpc.py",
    "*.pb.go",
    "*.g.dart",
    "*.generated.*",
    "__generated__/",
)

PACKAGE_GLOBS = ("node_modules/",)

PROSE = frozenset({"markdown", "mdx", "plaintext", "text", "latex", "tex", "restructuredtext", "asciidoc", "quarto"})
"""Here a paragraph is one line, so long lines say nothing."""

REASONS: Mapping[str, str] = {
    "secret_file": "Files of this kind often hold secrets, so it is never read or sent.",
    "repository_internal": "It belongs to the version control system.",
    "generated": "It is generated, so nobody writes it by hand.",
    "folder_off": "Your settings exclude this path.",
    "disabled_folder": "Your settings switch this folder off.",
    "language_off": "Your settings switch this language off.",
    "not_written": "It is a view of something else, as an earlier version or the output of a program.",
    "too_large": "It is larger than the limit in your settings.",
    "binary": "It holds zero bytes, so it is no text.",
    "minified": "Nearly all of it is on one line, or a line is far too long: it looks minified.",
    "ignored": "Git ignores it, so it is not sent; the setting `sendIgnoredFiles` changes that.",
    "midfill_ignored": "A `.midfillignore` file keeps it back.",
    "outside": "It lies outside of the workspace.",
    "symlink_outside": "It is a link to a file outside of the workspace; open that file's folder as well to send it.",
    "not_a_file": "It is no regular file.",
    "unreadable": "It cannot be read.",
    "too_many": "The workspace has more files than are looked at.",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the user adds to the built-in rules.

    A glob without a `/` names a file or folder at any depth, `folder/` all that is inside such a folder, and a glob
    with a `/` further left a path from the workspace's root; `**` stands for any number of folders.
    """

    globs: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    limit_chars: int = 5_000_000
    limit_line_chars: int = 20_000
    minified_line_chars: int = 2_000
    """A line this long that is more than half of its file makes it minified."""
    reads_packages: bool = False
    """Whether this is about installed packages, which count as generated else."""


def excluded(path: str, size_chars: int, longest_line: int, language: str, rules: Rules) -> str | None:
    """The reason of `REASONS` why this file is off, or None. `path` is relative to the workspace, with `/`."""
    path = path.replace("\\", "/")
    builtin = (_of_packages() if rules.reads_packages else BUILTIN).fullmatch(path)
    if builtin is not None:
        return builtin.lastgroup
    if _pattern(rules.globs).fullmatch(path):
        return "folder_off"
    if language in rules.languages:
        return "language_off"
    if size_chars > rules.limit_chars:
        return "too_large"
    return "minified" if _is_minified(size_chars, longest_line, language, rules) else None


def _is_minified(size_chars: int, longest_line: int, language: str, rules: Rules) -> bool:
    one_line = longest_line > rules.minified_line_chars and 2 * longest_line > size_chars
    return language not in PROSE and (one_line or longest_line > rules.limit_line_chars)


@lru_cache(maxsize=16)
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(_any_of(globs), re.IGNORECASE | re.DOTALL)


def _any_of(globs: Iterable[str]) -> str:
    """Globs that match at any depth share one search for the folder; without globs it matches nothing."""
    bodies = [body for glob in globs if (body := glob.strip().removeprefix("./").lstrip("/")).strip("/")]
    anywhere = "|".join(_expression(body) for body in bodies if "/" not in body.rstrip("/"))
    rooted = "|".join(_expression(body) for body in bodies if "/" in body.rstrip("/"))
    return "|".join(part for part in (anywhere and f"(?:.*/)?(?:{anywhere})", rooted) if part) or "(?!)"


def _expression(body: str) -> str:
    parts = (WILDCARDS.get(part) or re.escape(part) for part in WILDCARD.split(body.rstrip("/")))
    return "".join(parts) + ("/.*" if body.endswith("/") else "(?:/.*)?")


WILDCARD = re.compile(r"(\*{2,}/|\*{2,}|\*|\?)")
WILDCARDS: Mapping[str, str] = {"**/": r"(?:.*/)?", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}


def _builtin(generated: Iterable[str]) -> re.Pattern[str]:
    return re.compile(
        f"(?P<secret_file>{_any_of(SECRET_GLOBS)})|(?P<repository_internal>{_any_of(INTERNAL_GLOBS)})"
        f"|(?P<generated>{_any_of(generated)})",
        re.IGNORECASE | re.DOTALL,
    )


BUILTIN = _builtin((*GENERATED_GLOBS, *PACKAGE_GLOBS))


@lru_cache(maxsize=1)
def _of_packages() -> re.Pattern[str]:
    return _builtin(GENERATED_GLOBS)
