"""The sources of the configuration, their order, and how every mistake is named."""

import os
import sys
from pathlib import Path

import pytest

from midfill_daemon import api_keys, config, fim
from midfill_daemon.config import Config
from midfill_daemon.errors import ConfigError
from midfill_daemon.models import Tier
from midfill_daemon.paths import Paths, locate

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = locate({"MIDFILL_HOME": str(tmp_path)})
    found.ensure()
    return found


def load(paths: Paths, toml: str = "", **environment: str) -> Config:
    if toml:
        paths.config_file.write_text(toml)
    return config.load(paths, environment)


def check_mistake(paths: Paths, toml: str, message: str, **environment: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(paths, toml, **environment)
    assert caught.value.message == message.replace("FILE", str(paths.config_file))


def test_nothing_configured_is_the_embedded_model(paths: Paths) -> None:
    found = load(paths)
    assert found == Config(environment_digest=found.environment_digest)
    assert found.tiers == {"inline": Tier("embedded")}


TOML = """\
# A comment, and then a table.
[daemon]
idle_exit_s = 60
log_level = "debug"

[tiers]
fast.provider = "scripted"
embed = { provider = "embedded", slots = 2 }

[tiers.inline]
provider = "llama_server"
url = "http://127.0.0.1:8080"
model = '''
a'''
temperature = 0.5
"""


def test_the_file_sets_values(paths: Paths) -> None:
    found = load(paths, TOML.replace("'''\na'''", "'a'"))
    assert found.daemon == config.Daemon(idle_exit_s=60.0, log_level="debug")
    assert found.tiers == {
        "inline": Tier("llama_server", "http://127.0.0.1:8080", "a", temperature=0.5),
        "fast": Tier("scripted"),
        "embed": Tier("embedded", slots=2),
    }
    assert list(found.tiers) == ["inline", "fast", "embed"]


@pytest.mark.parametrize(
    ("name", "value", "source"),
    [
        ("daemon.idle_exit_s", 60.0, "FILE:3"),
        ("daemon.log_level", "error", "MIDFILL_DAEMON_LOG_LEVEL"),
        ("daemon.port", 0, "default"),
        ("records.keep_days", 7, "MIDFILL_RECORDS_KEEP_DAYS"),
        ("tiers.fast.provider", "scripted", "FILE:7"),
        ("tiers.embed.slots", 2, "FILE:8"),
        ("tiers.inline.model", "a", "FILE:13"),
        ("tiers.inline.temperature", 0.5, "FILE:15"),
        ("tiers.inline.fim", "auto", "default"),
    ],
)
def test_every_value_says_where_it_came_from(name: str, value: object, source: str, paths: Paths) -> None:
    found = load(paths, TOML, MIDFILL_DAEMON_LOG_LEVEL="error", MIDFILL_RECORDS_KEEP_DAYS="7")
    origin = config.Origin(name, value, source.replace("FILE", str(paths.config_file)))
    assert [each for each in config.describe(found) if each.name == name] == [origin]


@pytest.mark.parametrize(
    ("text", "tier"),
    [
        ("llama_server:http://127.0.0.1:8080", Tier("llama_server", "http://127.0.0.1:8080")),
        ("openai_compatible:http://127.0.0.1:80/v1#name", Tier("openai_compatible", "http://127.0.0.1:80/v1", "name")),
        ("openai_compatible:https://[::1]/v1#a/b:c", Tier("openai_compatible", "https://[::1]/v1", "a/b:c")),
        ("ollama:", Tier("ollama")),
        ("ollama:#qwen2.5-coder:1.5b-base", Tier("ollama", "", "qwen2.5-coder:1.5b-base")),
        ("embedded:", Tier("embedded")),
        ("embedded:/path/x.gguf", Tier("embedded", "/path/x.gguf")),
        ("scripted:/path/script.json", Tier("scripted", "/path/script.json")),
        ("scripted:?first_token_ms=60", Tier("scripted", "?first_token_ms=60")),
    ],
)
def test_one_variable_configures_a_tier(text: str, tier: Tier, paths: Paths) -> None:
    assert load(paths, MIDFILL_TIER_INLINE=text).tiers["inline"] == tier
    assert load(paths, MIDFILL_TIER_RERANK=text).tiers == {"inline": Tier("embedded"), "rerank": tier}


def test_a_tiers_variable_replaces_the_files_table_and_its_key_with_it(paths: Paths) -> None:
    toml = '[tiers.inline]\nprovider = "openai_compatible"\nurl = "https://service/v1"\napi_key_env = "SERVICE_KEY"\n'
    found = load(paths, toml, MIDFILL_TIER_INLINE="scripted:", MIDFILL_TIERS_INLINE_FIM="qwen", SERVICE_KEY="x")
    assert found.tiers["inline"] == Tier("scripted", fim="qwen")


@pytest.mark.parametrize(("text", "value"), [("true", True), ("ON", True), ("1", True), ("no", False), ("", False)])
def test_a_variables_text_is_read_as_its_kind(text: str, value: bool, paths: Paths) -> None:
    assert load(paths, MIDFILL_DAEMON_STAY=text).daemon.stay is value


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (
            "\n[tiers.inline]\npromptt_tokens = 1\n",
            "FILE:3: tiers.inline.promptt_tokens: unknown key; did you mean prompt_tokens?",
        ),
        ("[deamon]\nport = 1\n", "FILE:1: deamon: unknown key; did you mean daemon?"),
        ("[tiers.inlin]\n", "FILE:1: tiers.inlin: unknown key; did you mean inline?"),
        ("[[daemon]]\nport = 1\n", "FILE:1: daemon: must be a table"),
        ("x = 1\ntiers = 5\n", "FILE:1: x: unknown key"),
        ("tiers = 5\n", "FILE:1: tiers: must be a table"),
        ("[daemon]\n'po.rt' = 1\n", "FILE:2: daemon.po.rt: unknown key; did you mean port?"),
        ("[daemon]\nport = 'x'\n", "FILE:2: daemon.port: must be a whole number from 0 to 65535, not 'x'"),
        ("[daemon]\nport = true\n", "FILE:2: daemon.port: must be a whole number from 0 to 65535, not True"),
        ("[daemon]\nport = 65536\n", "FILE:2: daemon.port: must be a whole number from 0 to 65535, not 65536"),
        ("[daemon]\nport = 0x" + "f" * 9000, "FILE:2: daemon.port: must be a whole number from 0 to 65535"),
        ("[daemon]\nport.a = 1\n", "FILE:2: daemon.port: must be a whole number from 0 to 65535"),
        ("[daemon]\nidle_exit_s = nan\n", "FILE:2: daemon.idle_exit_s: must be a number from 0.1 to 31536000, not nan"),
        ("[daemon]\nidle_exit_s = inf\n", "FILE:2: daemon.idle_exit_s: must be a number from 0.1 to 31536000, not inf"),
        ("[daemon]\nstay = 1\n", "FILE:2: daemon.stay: must be true or false, not 1"),
        (
            "[daemon]\nlog_level = 'maybe'\n",
            "FILE:2: daemon.log_level: must be one of debug, info, warning, error, not 'maybe'",
        ),
        (
            "[tiers.fast]\nprovider = 'olama'\n",
            "FILE:2: tiers.fast.provider: must be one of embedded, llama_server, ollama, openai_compatible, scripted, not 'olama'",
        ),
        ("[tiers.fast]\nslots = 1\n", "FILE:2: tiers.fast: tiers.fast.provider is not set"),
        (
            "[tiers.inline]\nmodel = 5\n",
            "FILE:2: tiers.inline.model: must be text without control characters",
        ),
        (
            "[tiers.inline]\nmodel = 'a\\u0000'\nurl = \"a\\u0000\"\n",
            "FILE:3: tiers.inline.url: must be text without control characters",
        ),
        (
            "[tiers.inline]\napi_key_env = 'sk-secret'\n",
            "FILE:2: tiers.inline.api_key_env: must be the name of a variable, never the key itself",
        ),
        ("[tiers.inline]\nurl = 'x.gguf'\n", "FILE:2: tiers.inline.url: must be empty or an absolute path"),
        (
            "[tiers.inline]\nfall_back = 'fast'\n",
            "FILE:2: tiers.inline.fall_back: must name another tier that is configured",
        ),
        ("a = " + "[" * 5000, "FILE: values are nested too deeply"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(toml: str, message: str, paths: Paths) -> None:
    check_mistake(paths, toml, message)


@pytest.mark.parametrize(("toml", "line"), [("a = 1\nb = = 2\n", 2), ("a = 1\nb = '''\n", 3), ("a = 1\na = 2", 2)])
def test_broken_toml_is_named_with_its_line(toml: str, line: int, paths: Paths) -> None:
    with pytest.raises(ConfigError, match=rf"config\.toml:{line}: not valid TOML: "):
        load(paths, toml)


SERVICE_EXAMPLE = "must be a URL like http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", SERVICE_EXAMPLE),
        ("127.0.0.1:8080", SERVICE_EXAMPLE),
        ("file:///etc/passwd", SERVICE_EXAMPLE),
        ("http://", SERVICE_EXAMPLE),
        ("http://a b", SERVICE_EXAMPLE),
        ("http://a:0", SERVICE_EXAMPLE),
        ("http://a:99999", "is not a URL"),
        ("http://[::1", "is not a URL"),
        (
            "http://user:secret@a",
            "must hold no user, password, query or fragment: a key belongs into api_key_file or api_key_env",
        ),
    ],
)
def test_a_bad_url_is_named_and_never_quoted(url: str, problem: str, paths: Paths) -> None:
    toml = f"[tiers.inline]\nprovider = 'llama_server'\nurl = '{url}'\n"
    check_mistake(paths, toml, f"FILE:3: tiers.inline.url: {problem}")
    check_mistake(paths, toml, f"MIDFILL_TIER_INLINE: {problem}", MIDFILL_TIER_INLINE=f"llama_server:{url}")


@pytest.mark.parametrize(
    ("variable", "text", "problem"),
    [
        ("MIDFILL_DAEMON_PORT", "abc", "must be a whole number from 0 to 65535, not 'abc'"),
        ("MIDFILL_DAEMON_PORT", "9" * 5000, f"must be a whole number from 0 to 65535, not '{'9' * 39}"),
        ("MIDFILL_DAEMON_STAY", "perhaps", "must be true or false, not 'perhaps'"),
        ("MIDFILL_RECORDS_KEEP_DAYS", "1e3", "must be a whole number from 0 to 365, not '1e3'"),
        ("MIDFILL_TIERS_INLINE_FIM", "quen", f"must be one of auto, {', '.join(fim.FORMATS)}, not 'quen'"),
        ("MIDFILL_TIERS_FAST_FIM", "qwen", "tiers.fast.provider is not set"),
        (
            "MIDFILL_TIER_INLINE",
            "http//x",
            "must be provider:url[#model], as in llama_server:http://127.0.0.1:8080",
        ),
        (
            "MIDFILL_TIER_INLINE",
            "http://127.0.0.1:8080",
            "must be one of embedded, llama_server, ollama, openai_compatible, scripted, not 'http'",
        ),
        ("MIDFILL_TIER_INLINE", "ollama:127.0.0.1", "must be a URL like http://127.0.0.1:8080"),
        ("MIDFILL_TIERS_INLINE_CONTEXT_SHARE", "1.5", "must be a number from -1 to 1, not 1.5"),
        ("MIDFILL_TIER_INLINE", "embedded:x.gguf", "must be empty or an absolute path"),
    ],
)
def test_a_mistake_in_a_variable_is_named(variable: str, text: str, problem: str, paths: Paths) -> None:
    check_mistake(paths, "", f"{variable}: {problem}", **{variable: text})


def test_a_file_that_is_no_file(paths: Paths) -> None:
    paths.config_file.mkdir()
    check_mistake(paths, "", "FILE: is not a regular file")


def test_a_file_that_is_not_utf8(paths: Paths) -> None:
    paths.config_file.write_bytes(b"[daemon]\n# caf\xe9\n")
    check_mistake(paths, "", "FILE:2: not valid UTF-8")


def test_a_file_that_is_too_large(paths: Paths) -> None:
    check_mistake(paths, "#" * 1_000_001, "FILE: is larger than 1000000 bytes")


@posix_only
def test_a_pipe_is_not_waited_for(paths: Paths) -> None:
    os.mkfifo(paths.config_file)
    check_mistake(paths, "", "FILE: is not a regular file")


def test_windows_editors_leave_a_mark_and_other_line_ends(paths: Paths) -> None:
    paths.config_file.write_bytes(b"\xef\xbb\xbf[daemon]\r\nport = 5\r\n")
    found = load(paths)
    assert (found.daemon.port, found.sources["daemon", "port"]) == (5, f"{paths.config_file}:2")


@pytest.mark.parametrize(
    ("variable", "warning"),
    [
        ("MIDFILL_DAEMON_PROT", "MIDFILL_DAEMON_PROT: unknown variable, ignored; did you mean MIDFILL_DAEMON_PORT?"),
        ("MIDFILL_QXQX", "MIDFILL_QXQX: unknown variable, ignored"),
        ("MIDFILL_HOME", ""),
        ("MIDFILL_TEST_LLAMA", ""),
        ("MIDFILL_SOAK", ""),
        ("MIDFILL_EVAL_DATA", ""),
        ("MIDFILL_SERVICE_KEY", ""),
        ("PATH", ""),
    ],
)
def test_an_unknown_variable_is_a_warning(variable: str, warning: str, paths: Paths) -> None:
    toml = "[tiers.inline]\napi_key_env = 'MIDFILL_SERVICE_KEY'\n"
    assert load(paths, toml, **{variable: "1"}).warnings == ((warning,) if warning else ())


@pytest.mark.parametrize(
    ("environment", "same"),
    [
        ({"PATH": "/bin", "MIDFILL_TEST_X": "1", "MIDFILL_HOME": "/h", "MIDFILL_DAEMON_PORT": ""}, True),
        ({"MIDFILL_DAEMON_PORT": "1"}, False),
        ({"MIDFILL_TIER_INLINE": "scripted:"}, False),
    ],
)
def test_the_digest_tells_environments_apart(environment: dict[str, str], same: bool) -> None:
    assert (config.environment_digest(environment) == config.environment_digest({})) == same


def test_every_number_has_a_range() -> None:
    without = [key for key, kind in config.KINDS.items() if kind.type in (int, float) and kind.high <= kind.low]
    assert without == []


@posix_only
@pytest.mark.parametrize(
    ("content", "mode", "problem"),
    [
        (b"sk-1\n", 0o600, ""),
        (b"sk-1", 0o400, ""),
        (b"sk-1", 0o640, "is readable by other users"),
        (b"sk-1", 0o604, "is readable by other users"),
        (b"", 0o600, "must hold one line of printable ASCII"),
        (b"one\ntwo", 0o600, "must hold one line of printable ASCII"),
        (b"\xff", 0o600, "must hold one line of printable ASCII"),
    ],
)
def test_a_key_file(content: bytes, mode: int, problem: str, paths: Paths) -> None:
    file = paths.config / "key"
    file.write_bytes(content)
    file.chmod(mode)
    toml = f"[tiers.inline]\napi_key_file = '{file}'\n"
    if problem:
        with pytest.raises(ConfigError, match=rf"config\.toml:2: tiers\.inline\.api_key_file: .*{problem}"):
            load(paths, toml)
    else:
        assert api_keys.read(load(paths, toml).tiers["inline"], {}) == "sk-1"


def test_a_missing_key_file_is_named(paths: Paths) -> None:
    toml = "[tiers.inline]\napi_key_file = '/nowhere/key'\n"
    problem = "/nowhere/key: cannot be read: No such file or directory"
    check_mistake(paths, toml, f"FILE:2: tiers.inline.api_key_file: {problem}")


def test_a_key_in_a_variable_is_read_when_needed() -> None:
    tier = Tier("openai_compatible", api_key_env="SERVICE_KEY")
    assert api_keys.read(tier, {"SERVICE_KEY": "sk-1 "}) == "sk-1"
    with pytest.raises(ConfigError, match="SERVICE_KEY: is not set"):
        api_keys.read(tier, {})
    assert api_keys.read(Tier("embedded"), {}) == ""
