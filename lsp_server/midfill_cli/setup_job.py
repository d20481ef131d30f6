"""What every editor of `midfill setup` is given, and the steps that they share; each step says what it did."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from midfill_cli import setup_files, setup_record
from midfill_cli.setup_files import Act, Change
from midfill_cli.setup_record import Installed
from midfill_daemon.paths import Paths

PROGRAM_LIMIT_S = 180.0
"""For one call of an editor: the slowest takes some seconds, and a first start on a busy machine more."""

WORDS: Mapping[Act, tuple[str, str, str]] = {
    "write": ("wrote", "would write", ""),
    "set aside": ("set aside", "would set aside", " (it is not as it was written): now {aside}"),
    "delete": ("deleted", "would delete", ""),
    "keep": ("kept", "would keep", " (it is not as it was written)"),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One call of the command; `server` is the absolute path of this installation's `midfill-lsp`."""

    environment: Mapping[str, str]
    paths: Paths
    server: Path
    vsix: Path | None = None
    dry_run: bool = False


def find_program(name: str, environment: Mapping[str, str]) -> Path | None:
    """Only absolute entries of PATH count: a relative one would let the working folder choose what is run."""
    entries = environment.get("PATH", "").split(os.pathsep)
    found = shutil.which(name, path=os.pathsep.join(entry for entry in entries if Path(entry).is_absolute()))
    return Path(found) if found and Path(found).is_absolute() else None


def run_program(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Exit status and output, both streams together; a program that cannot be run or does not end has status 1."""
    try:
        done = subprocess.run(  # noqa: S603 (a program that the user has on PATH)
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=PROGRAM_LIMIT_S,
            check=False,
        )
    except OSError as exc:
        return 1, f"{command[0]}: {exc.strerror}"
    except subprocess.TimeoutExpired:
        return 1, f"{command[0]} did not end within {PROGRAM_LIMIT_S:.0f} s"
    return done.returncode, done.stdout.strip()


def put(job: Job, client: Installed, wanted: Mapping[str, bytes], mode: int = 0o644) -> None:
    """Make the files below the client's place what is wanted, and remember what was written."""
    record = setup_record.load(job.paths)
    place = Path(client.place)
    before = record.get((client.editor, client.place))
    written = before.files if before else {}
    changes = setup_files.plan_installation(place, wanted, written, mode)
    if not job.dry_run:
        made = before.made if before else tuple(map(str, setup_files.missing_folders(place)))
        files = {name: setup_files.digest(content) for name, content in wanted.items()}
        planned = replace(client, files={**written, **files}, made=made)
        setup_record.save(job.paths, setup_record.with_client(record, planned))
        setup_files.apply(changes)
        setup_record.save(job.paths, setup_record.with_client(record, replace(planned, files=files)))
        setup_files.prune(place, [name for name in written if name not in wanted], ())
    tell(changes, job.dry_run)
    if not changes:
        print(f"  nothing to change in {place}")


def take(job: Job, client: Installed) -> None:
    """Undo `put`: what was written goes unless it was changed, and so do the folders that were made for it."""
    place = Path(client.place)
    changes = setup_files.plan_removal(place, client.files)
    if not job.dry_run:
        setup_files.apply(changes)
        setup_files.prune(place, list(client.files), [Path(folder) for folder in client.made])
        setup_record.save(job.paths, setup_record.without(setup_record.load(job.paths), client))
    tell(changes, job.dry_run)


def tell(changes: Sequence[Change], dry_run: bool) -> None:
    for change in changes:
        done, planned, note = WORDS[change.act]
        print(f"  {planned if dry_run else done} {change.path}{note.format(aside=change.aside)}")
