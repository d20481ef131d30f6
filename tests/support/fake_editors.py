"""Stand-ins for the programs of editors: shell scripts that keep the part of their command line that we use."""

import json
import zipfile
from pathlib import Path

CODE = """\
#!/bin/sh
printf '%s\\n' "$*" >> "$0.calls"
case "$1" in
  --list-extensions) while read -r line; do printf '%s\\n' "$line"; done < "$0.extensions" ;;
  --install-extension) printf 'other.one@2.0.0\\n@EXTENSION@\\n' > "$0.extensions"; echo installed ;;
  --uninstall-extension) printf 'other.one@2.0.0\\n' > "$0.extensions" ;;
esac
"""
"""Has one other extension; uses nothing but what the shell has built in, since PATH holds only editors."""

BROKEN = "#!/bin/sh\necho 'cannot open display'\nexit 3\n"
NVIM = "#!/bin/sh\necho 'NVIM v@VERSION@'\n"


def add_code(folder: Path, name: str, extension: str = "midfill.midfill@0.1.0") -> Path:
    (folder / f"{name}.extensions").write_text("other.one@2.0.0\n")
    return add(folder, name, CODE.replace("@EXTENSION@", extension))


def add_nvim(folder: Path, version: str) -> Path:
    return add(folder, "nvim", NVIM.replace("@VERSION@", version))


def add(folder: Path, name: str, script: str) -> Path:
    program = folder / name
    program.write_text(script)
    program.chmod(0o755)
    return program


def calls(program: Path) -> list[str]:
    path = program.with_name(f"{program.name}.calls")
    return path.read_text().splitlines() if path.exists() else []


def vsix(path: Path, name: str = "midfill", version: str = "0.1.0", publisher: str = "midfill") -> Path:
    manifest = {"name": name, "version": version, "publisher": publisher}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("extension/package.json", json.dumps(manifest))
    return path
