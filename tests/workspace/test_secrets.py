"""Secrets in text: what is found in which language, what is not one, and that no text takes long."""

import random
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midfill_workspace import secrets
from midfill_workspace.secret_rules import SHAPES
from support import planted

RANDOM = "a8F5f167f44F4964e6c998Dee827110c5bQ2k7Zs9"
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"


def check(text: str, left: str) -> None:
    """`left` is what is to be left, with `x` for each character that goes."""
    redacted = secrets.redact(text)
    assert redacted.text == left
    assert bool(redacted.rules) == (text != left)
    assert secrets.redact(left).text == left
    assert secrets.redact_around(text, "")[:2] == (left, "")


def masked(text: str, secret: str) -> str:
    return text.replace(secret, "x" * len(secret))


# --- found ----------------------------------------------------------------------------------------------

NAMED = (
    'password = "Tr0ub4dor&3x"',
    "password: str = 'Tr0ub4dor&3x'",
    'self.password = r"Tr0ub4dor&3x"  # old',
    'connect(user="me", password="Tr0ub4dor&3x")',
    '{"password": "Tr0ub4dor&3x", "user": "me"}',
    r"'{\"password\": \"Tr0ub4dor&3x\"}'",
    "const dbPassword = `Tr0ub4dor&3x`;",
    "  clientSecret: 'Tr0ub4dor&3x',",
    'var password string = "Tr0ub4dor&3x"',
    'password := "Tr0ub4dor&3x"',
    "password => 'Tr0ub4dor&3x',",
    'os.environ["API_TOKEN"] = "Tr0ub4dor&3x"',
    'if password == "Tr0ub4dor&3x":',
    'client.setPassword("Tr0ub4dor&3x");',
    '<add key="Password" value="Tr0ub4dor&3x" />',
    "CREATE USER me IDENTIFIED BY 'Tr0ub4dor&3x'",
    'password = "Tr0ub4dor&3x',
    "<password>Tr0ub4dor3x</password>".replace("Tr0ub4dor3x", "Tr0ub4dor_3x"),
)


@pytest.mark.parametrize("text", NAMED)
def test_by_name(text: str) -> None:
    check(text, text.replace("Tr0ub4dor&3x", "x" * 12).replace("Tr0ub4dor_3x", "x" * 12))


@pytest.mark.parametrize(
    "text",
    [
        "export DB_PASSWORD=Sup3rS3cret9",
        "DB_PASS=Sup3rS3cret9",
        "password = Sup3rS3cret9",
        "api_key: Sup3rS3cret9",
        "  token: Sup3rS3cret9  # of the bot",
        "mysql --password=Sup3rS3cret9 --host x",
        "ENV NPM_TOKEN=Sup3rS3cret9",
        "postgres://admin:Sup3rS3cret9@db.host/x",
        'url = "redis://:Sup3rS3cret9@cache:6379/0"',
        "https://bot:Sup3rS3cret9@github.com/a/b.git",
        "curl -u admin:Sup3rS3cret9 https://x",
    ],
)
def test_without_quotes(text: str) -> None:
    check(text, masked(text, "Sup3rS3cret9"))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('key = "AKIA2E0A8F3B244C9986"', "2E0A8F3B244C9986"),
        (f"aws_secret_access_key = {RANDOM[:40]}", RANDOM[:40]),
        (f'"AIza{RANDOM[:35]}"', RANDOM[:35]),
        (f"GOCSPX-{RANDOM[:28]}", RANDOM[:28]),
        (f"AccountName=a;AccountKey={RANDOM * 2}==;", f"{RANDOM * 2}=="),
        (f"abc8Q~{RANDOM[:34]}", f"abc8Q~{RANDOM[:34]}"),
        (f"ghp_{RANDOM[:36]}", RANDOM[:36]),
        (f"first\\nghp_{RANDOM[:36]}", RANDOM[:36]),
        (f"glpat-{RANDOM[:20]}", RANDOM[:20]),
        (f"xoxb-123456789012-{RANDOM[:24]}", f"123456789012-{RANDOM[:24]}"),
        (f"https://hooks.slack.com/services/T00000000/B00000000/{RANDOM[:24]}", f"T00000000/B00000000/{RANDOM[:24]}"),
        (f"sk_live_{RANDOM[:24]}", RANDOM[:24]),
        (f"whsec_{RANDOM[:32]}", RANDOM[:32]),
        (f"sk-{RANDOM}", RANDOM),
        (f"sk-proj-{RANDOM}_-{RANDOM}", f"{RANDOM}_-{RANDOM}"),
        (f"sk-ant-api03-{RANDOM}", f"api03-{RANDOM}"),
        (f"npm_{RANDOM[:36]}", RANDOM[:36]),
        (f"pypi-AgEIcHlwaS5vcmc{RANDOM}", f"AgEIcHlwaS5vcmc{RANDOM}"),
        (f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{RANDOM}", f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{RANDOM}"),
        (f"hf_{RANDOM[:34]}", RANDOM[:34]),
        (f"SG.{RANDOM[:22]}.{RANDOM}", f"{RANDOM[:22]}.{RANDOM}"),
        (f"123456789:AA{RANDOM[:33]}", f"AA{RANDOM[:33]}"),
        (f"dop_v1_{RANDOM}", RANDOM),
        (f"Authorization: Bearer {RANDOM}", RANDOM),
        ('"Authorization": "Basic dXNlcjpwYXNzd29yZDE="', "dXNlcjpwYXNzd29yZDE="),
    ],
)
def test_by_shape(text: str, secret: str) -> None:
    check(text, masked(text, secret))


KEY = ("-----BEGIN RSA PRIVATE KEY-----", BODY, BODY[::-1], "MSwUjtoF", "-----END RSA PRIVATE KEY-----")
LATER = ("-----BEGIN RSA PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-256-CBC,0A1B", "", *KEY[1:])


def without_key(text: str) -> str:
    return masked(masked(masked(text, BODY), BODY[::-1]), "MSwUjtoF")


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(KEY),
        "\r\n".join(("before", *KEY, "after")),
        "\n".join(LATER),
        "\n".join(f"    {line}" for line in KEY),
        "\n".join(f'    "{line}\\n"' for line in KEY),
        "\n".join(f"# {line}" for line in KEY),
        'key = "' + "\\n".join(KEY) + '"',
        "\n".join(("name = 1", *KEY[:3])),
        "\n".join(("name = 1", *KEY[:2])),
        "\n".join((*KEY[2:], "name = 1")),
        "\n".join((*KEY[3:], "name = 1")),
        "\n".join((BODY, BODY[::-1], BODY, BODY)),
    ],
)
def test_private_keys_also_where_they_are_cut(text: str) -> None:
    check(text, without_key(text))


TOKEN = "ghp_" + "x7Kq2LmZ9pRtV4wYbN8s" + "D3fGhJ6cA1eU5oTi"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (f'a = "{TOKEN}"', 1),
        (f'a = "{TOKEN}"\nb = "{TOKEN}"', 2),
        ("\n".join(KEY), 1),
        ("\n".join((*KEY, TOKEN)), 2),
    ],
)
def test_they_are_counted_and_a_key_is_one(text: str, count: int) -> None:
    assert secrets.redact(text).count == count


@given(st.integers(0, 10_000), st.floats(0, 1))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_caret_inside_changes_nothing(seed: int, share: float) -> None:
    chance = random.Random(seed)
    document = planted.SECRETS[seed % len(planted.SECRETS)](chance, "a")
    at = int(share * len(document.text))
    prefix, suffix, _ = secrets.redact_around(document.text[:at], document.text[at:])
    assert (len(prefix), prefix + suffix) == (at, secrets.redact(document.text).text)
    assert prefix.count("\n") + suffix.count("\n") == document.text.count("\n")


# --- not found ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "token = get_token()",
        'password = os.environ["DB_PASSWORD_2"]',
        "password = os.getenv('PASSWORD1')",
        "const token = process.env.TOKEN2;",
        "password: ${{ secrets.PASSWORD_1 }}",
        'url = f"postgres://{user}:{password}@{host}/db"',
        "https://$USER:$PASSWORD@host/",
        "http://localhost:8080/a@b",
        'raise ValueError("the password has 8 characters at least")',
        'parser.add_argument("--password", help="of user 1")',
        "token_type = 'urn:oauth2:v1.2'",
        "passwords = read(path2)",
        'publicKeyToken="1fc8b3b9a1e18e3b"',
        "if the user has no pass 'clear=1'",
        '"aws:RequestTag/QuickSetupDocumentVersionName1": "*"',
        "password_hash = '$2b$12$KIXQ8v1Z2w3e4r5t6y7u8i'",
        "token = tokens[index1]",
        "tokens: list[Token2] = []",
        "secret_name = 'app/prod/db1'",
        'api_key = "<your key 1>"',
        'api_key = "your-api-key-1"',
        "password = user2password",
        "self.token = response.token1",
        "TOKENIZER = 'cl100k_base'",
        "bypass('example.com:1234')",
        "NO_TOKEN = '<|no_such_token_1|>'",
        f"sha256 = '{'9f86d081884c7d659a2feaa0c55ad015' * 2}'",
        'id = "550e8400-e29b-41d4-a716-446655440000"',
        'token_id = "550e8400-e29b-41d4-a716-446655440000"',
        f'data = "{BODY}"',
        f'data = (\n    "{BODY}"\n    "{BODY}"\n)',
        'if "-----BEGIN PRIVATE KEY-----" in text:\n    return',
        'END = "-----END PRIVATE KEY-----"',
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        ".sk-folding-cube-animation-1 { }",
        "integrity: sha512-" + RANDOM * 2,
        "commit 1f0c4a7b9d3e5f6a8b0c2d4e6f8a0b2c4d6e8f0a",
        "bearer of bad news in chapter12",
        "basic English is enough",
        "",
    ],
)
def test_no_secret(text: str) -> None:
    check(text, text)


def test_ordinary_code_stays_as_it_is() -> None:
    library = Path(sysconfig.get_paths()["stdlib"])
    changed = [path.name for path in sorted(library.glob("*.py")) if secrets.find(path.read_text("utf-8", "replace"))]
    assert changed == []


# --- any text -------------------------------------------------------------------------------------------

LONG = 50_000


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "+",
            "A",
            " ",
            "\\",
            "x=",
            "://",
            "://:",
            "a:b@",
            "token",
            "token.a",
            "password = ",
            'secret"""',
            "password:a b = ",
        ),
        *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----+\n", f"{BODY}\n"),
        *(f"{hint}a" for shape in SHAPES.values() for hint in shape.hints),
        *(f"{hint}1A-_." * 3 for shape in SHAPES.values() for hint in shape.hints),
        *("Basic aaaaaaaaaaa ", "eyJaaaaaaaaaa.", "aws aws", "İ", "Bearer ", "curl -u a"),
    ],
)
def test_a_hostile_line_takes_no_time(piece: str) -> None:
    # Where the time grew with the square of the length, this would take minutes.
    secrets.find(piece * (LONG // len(piece)))
    secrets.find(f"password = '{piece * (LONG // len(piece))}")


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_text_keeps_its_shape(text: str) -> None:
    redacted = secrets.redact(text).text
    assert len(redacted) == len(text)
    assert [at for at, letter in enumerate(text) if letter in "\r\n"] == [
        at for at, letter in enumerate(redacted) if letter in "\r\n"
    ]
