"""Secrets and ignored files, planted in workspaces of many layouts; what is generated depends on the seed alone."""

import base64
import random
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

LAYOUTS, PER_LAYOUT = 20, 25
LETTERS = string.ascii_letters + string.digits
Make = Callable[[random.Random], str]


@dataclass(frozen=True, slots=True)
class Planted:
    """A document to open, what of it must never leave, and what must."""

    path: str
    text: str
    hidden: tuple[str, ...]
    """No ten characters in a row of these may leave."""
    seen: str
    """What leaves when the rest of the document does; "" for one that may not be sent at all."""


def word(chance: random.Random, length: int, letters: str = LETTERS) -> str:
    """Random characters, digits and both cases among them as in any long token."""
    return "".join(
        (*chance.choices(letters, k=length - 3), chance.choice("23456789"), "kQ"[length % 2], chance.choice("bcdf"))
    )


# --- secrets --------------------------------------------------------------------------------------------

TOKENS: Mapping[str, Make] = {
    "aws": lambda chance: "AKIA" + "".join(chance.choices(string.ascii_uppercase + "234567", k=16)),
    "google": lambda chance: "AIza" + word(chance, 35),
    "azure": lambda chance: "AccountKey=" + word(chance, 86) + "==",
    "github": lambda chance: "ghp_" + word(chance, 36),
    "github_fine": lambda chance: "github_pat_" + word(chance, 22) + "_" + word(chance, 59),
    "gitlab": lambda chance: "glpat-" + word(chance, 20),
    "slack": lambda chance: "xoxb-" + "".join(chance.choices(string.digits, k=12)) + "-" + word(chance, 24),
    "stripe": lambda chance: "sk_live_" + word(chance, 24),
    "openai": lambda chance: "sk-proj-" + word(chance, 48),
    "openai_old": lambda chance: "sk-" + word(chance, 48),
    "anthropic": lambda chance: "sk-ant-api03-" + word(chance, 90),
    "npm": lambda chance: "npm_" + word(chance, 36),
    "pypi": lambda chance: "pypi-AgEIcHlwaS5vcmc" + word(chance, 60),
    "jwt": lambda chance: ".".join(("eyJ" + word(chance, 33), "eyJ" + word(chance, 60), word(chance, 43))),
    "url": lambda chance: f"postgres://app:{word(chance, 14)}@db.internal:5432/main",
    "basic_url": lambda chance: f"https://bot:{word(chance, 18)}@git.internal/repo.git",
    "bearer": lambda chance: "Bearer " + word(chance, 40),
}
"""What is known by its own shape, wherever it stands."""

PUBLIC = ("AccountKey=", "github_pat_", "sk-ant-api03-", "pypi-AgEIcHlwaS5vcmc", "postgres://app:", "https://bot:")
"""Beginnings and ends that are the same in everybody's."""

FORMS: Mapping[str, tuple[str, ...]] = {
    "py": (
        '{name} = "{value}"',
        "{name}: str = '{value}'",
        'connect(host, {name}="{value}")',
        '    "{name}": "{value}",',
    ),
    "js": ("const {name} = '{value}';", "  {name}: `{value}`,", 'process({{ {name}: "{value}" }});'),
    "yaml": ('{name}: "{value}"', "    {name}: {value}", "  - {name}: '{value}'"),
    "ini": ("{name} = {value}", "{name}={value}"),
    "json": ('  "{name}": "{value}",',),
    "sh": ("export {name}={value}", '{name}="{value}"', "run --{name}={value} --now"),
    "go": ('\t{name} := "{value}"', '\tvar {name} string = "{value}"', '\t{name}: "{value}",'),
}
NAMES: Mapping[str, tuple[str, ...]] = {
    "py": ("password", "db_password", "API_KEY", "auth_token", "client_secret"),
    "js": ("password", "apiKey", "accessToken", "clientSecret"),
    "yaml": ("password", "api_key", "secret", "access_token"),
    "ini": ("password", "api_key", "aws_secret_access_key"),
    "json": ("password", "apiKey", "client_secret"),
    "sh": ("PASSWORD", "DB_PASS", "API_KEY", "GITHUB_TOKEN"),
    "go": ("password", "apiKey", "ClientSecret"),
}


def _named(chance: random.Random) -> tuple[str, str, str]:
    """Language, line and secret of one that is known by its name."""
    language = chance.choice(tuple(FORMS))
    value = word(chance, chance.choice((12, 16, 24, 32, 40)))
    return language, chance.choice(FORMS[language]).format(name=chance.choice(NAMES[language]), value=value), value


def _shaped(chance: random.Random) -> tuple[str, str, str]:
    """The same of one that is known by its shape."""
    language, value = chance.choice(("py", "js", "yaml", "json", "go")), TOKENS[chance.choice(tuple(TOKENS))](chance)
    return language, chance.choice(FORMS[language]).format(name="setting", value=value), _private_part(value)


def _private_part(value: str) -> str:
    for public in PUBLIC:
        value = value.removeprefix(public)
    return value.partition("@")[0]


def _key(chance: random.Random) -> tuple[str, ...]:
    raw = base64.b64encode(chance.randbytes(chance.choice((48, 610, 1190)))).decode()
    return tuple(raw[at : at + 64] for at in range(0, len(raw), 64))


def _in_code(chance: random.Random, path: str, find: Callable[[random.Random], tuple[str, str, str]]) -> Planted:
    language, line, secret = find(chance)
    seen = f"seen_{chance.randrange(10**9)}"
    text = f"{seen} = 1\nfirst = 2\n{line}\nlast = 3\n"
    return Planted(f"{path}.{language}", text, (secret,), seen)


def _private_key(chance: random.Random, path: str) -> Planted:
    lines, seen = _key(chance), f"seen_{chance.randrange(10**9)}"
    kind = chance.choice(("", "RSA ", "EC ", "OPENSSH "))
    begin, end = f"-----BEGIN {kind}PRIVATE KEY-----", f"-----END {kind}PRIVATE KEY-----"
    wrapped = chance.choice(
        (
            "\n".join(('KEY = """', begin, *lines, end, '"""')),
            "\n".join((f'KEY = ("{begin}\\n"', *(f'    "{line}\\n"' for line in lines), f'    "{end}")')),
            'KEY = "' + "\\n".join((begin, *lines, end)) + '"',
            "\n".join(("key = |", f"  {begin}", *(f"  {line}" for line in lines), f"  {end}")),
        )
    )
    return Planted(f"{path}.py", f"{seen} = 1\n{wrapped}\nlast = 3\n", lines, seen)


SECRETS: tuple[Callable[[random.Random, str], Planted], ...] = (
    lambda chance, path: _in_code(chance, path, _named),
    lambda chance, path: _in_code(chance, path, _shaped),
    _private_key,
)


# --- ignored files --------------------------------------------------------------------------------------


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def append(path: Path, line: str) -> None:
    """Before the lines that are there: a negation further down stays further down."""
    write(path, f"{line}\n{path.read_text() if path.exists() else ''}")


def _by_name(root: Path, folder: str, name: str) -> str:
    append(root / folder / ".gitignore", f"/{name}.py")
    return f"{folder}/{name}.py"


def _by_folder(root: Path, folder: str, name: str) -> str:
    append(root / ".gitignore", f"{name}/")
    write(root / folder / name / ".gitignore", "!*\n!*.py\n")
    return f"{folder}/{name}/deep/a.py"


def _by_negation(root: Path, folder: str, name: str) -> str:
    append(root / folder / ".gitignore", f"{name}_*.py\n!{name}_kept.py")
    return f"{folder}/{name}_lost.py"


def _by_our_file(root: Path, folder: str, name: str) -> str:
    append(root / ".midfillignore", f"**/{name}.py")
    append(root / folder / ".gitignore", f"!{name}.py")
    return f"{folder}/{name}.py"


def _by_exclude(root: Path, folder: str, name: str) -> str:
    append(root / ".git" / "info" / "exclude", f"{name}.*")
    return f"{folder}/{name}.py"


def _by_case(root: Path, folder: str, name: str) -> str:
    write(root / ".git" / "config", "[core]\n\tignorecase = true\n")
    append(root / ".gitignore", f"{name.upper()}.PY")
    return f"{folder}/{name}.py"


def _by_submodule(root: Path, folder: str, name: str) -> str:
    module = f"{folder}/module_{name}"
    write(root / module / ".git", f"gitdir: {root / '.git' / 'modules' / name}\n")
    write(root / ".git" / "modules" / name / "info" / "exclude", f"{name}_own.py\n")
    append(root / ".gitignore", f"{name}_outer.py")
    write(root / module / ".gitignore", f"!{name}_outer.py\n")
    return f"{module}/{name}_{'own' if len(name) % 2 else 'outer'}.py"


def _by_link_outside(root: Path, folder: str, name: str) -> str:
    write(root.parent / "outside" / f"{name}.py", "other = 1\n")
    _link(root / folder / f"{name}.py", root.parent / "outside" / f"{name}.py")
    return f"{folder}/{name}.py"


def _by_linked_folder(root: Path, folder: str, name: str) -> str:
    write(root.parent / "outside" / name / "a.py", "other = 1\n")
    _link(root / folder / name, root.parent / "outside" / name)
    return f"{folder}/{name}/a.py"


def _by_link_to_secrets(root: Path, folder: str, name: str) -> str:
    write(root / folder / f".env.{name}", "A=1\n")
    _link(root / folder / f"{name}.py", Path(f".env.{name}"))
    return f"{folder}/{name}.py"


def _by_link_to_ignored(root: Path, folder: str, name: str) -> str:
    ignored = _by_name(root, folder, f"{name}_real")
    write(root / ignored, "other = 1\n")
    _link(root / folder / f"{name}.py", Path(f"{name}_real.py"))
    return f"{folder}/{name}.py"


def _by_kind(root: Path, folder: str, name: str) -> str:
    return f"{folder}/{name}.env"


def _link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


IGNORED: tuple[Callable[[Path, str, str], str], ...] = (
    _by_name,
    _by_folder,
    _by_negation,
    _by_our_file,
    _by_exclude,
    _by_case,
    _by_submodule,
    _by_link_outside,
    _by_linked_folder,
    _by_link_to_secrets,
    _by_link_to_ignored,
    _by_kind,
)


def plant(root: Path, layout: int) -> list[Planted]:
    """A workspace of its own for each layout; every other document is an ignored one."""
    chance = random.Random(layout)
    write(root / ".git" / "HEAD", "ref: refs/heads/main\n")
    write(root / "plain.py", "")
    folders = ["/".join(f"d{chance.randrange(4)}" for _ in range(chance.randint(1, 4))) for _ in range(5)]
    # The kinds take turns from layout to layout, so that all come equally often.
    return [_plant(root, chance, folders, layout * PER_LAYOUT + number) for number in range(PER_LAYOUT)]


def _plant(root: Path, chance: random.Random, folders: list[str], number: int) -> Planted:
    folder, name = chance.choice(folders), f"{chance.choice('abcde')}{'x' * (number % 3)}{number}"
    if number % 2:
        planted = SECRETS[(number // 2) % len(SECRETS)](chance, f"{folder}/{name}")
    else:
        path = IGNORED[(number // 2) % len(IGNORED)](root, folder, name)
        marker = word(chance, 24)
        planted = Planted(path, f"{marker} = 1\nfirst = 2\n\nlast = {marker}\n", (marker,), "")
    if not (root / planted.path).exists():
        write(root / planted.path, planted.text)
    return planted
