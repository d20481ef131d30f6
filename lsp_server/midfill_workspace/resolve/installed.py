"""Files of installed packages, by their paths: they are no files of the workspace, and are read only when imported."""

from collections.abc import Iterator, Mapping

from midfill_workspace.resolve.paths import ancestors

SITE = "../site-packages"
"""Where Python's packages are seen, wherever they lie on the disk: no path of a workspace begins with `..`."""

NODE = "node_modules"
"""Such folders, anywhere in a workspace, hold packages for JavaScript."""


ACTIVATED = ("VIRTUAL_ENV", "CONDA_PREFIX")


def activated(variables: Mapping[str, str]) -> list[str]:
    """The folders of the environments that the user has activated, by the variables of a process of theirs."""
    return [variables[name] for name in ACTIVATED if variables.get(name)]


def is_installed(path: str) -> bool:
    return path.startswith((f"{SITE}/", f"{NODE}/")) or f"/{NODE}/" in path


def node_folders(folder: str) -> Iterator[str]:
    """Where packages are looked for that a file of this folder imports, the nearest first."""
    for above in ancestors(folder):
        if above.rpartition("/")[2] != NODE:
            yield f"{above}/{NODE}" if above else NODE
