"""TypeScript and JavaScript: relative modules, index files, tsconfig paths, packages of the same workspace."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from midfill_workspace.project import Project
from midfill_workspace.resolve.paths import ancestors, folder_of, join
from midfill_workspace.symbol import Import

SUFFIXES = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".vue", ".svelte")
WRITTEN_SUFFIX = re.compile(r"\.[mc]?jsx?$")
"""`./x.js` names `x.ts` before it is compiled."""

CONFIGS = ("tsconfig.json", "jsconfig.json", "tsconfig.base.json")


def files(wanted: Import, importer: str, project: Project) -> Iterator[str]:
    """The files that a module may be, the likeliest first."""
    for place in _places(wanted.module, importer, project):
        yield from _sources(place, project)


def submodule(wanted: Import) -> Import:
    """A name that a module does not export is nothing else."""
    return Import("", "", "")


def neighbours(path: str, project: Project) -> Sequence[str]:
    return ()


def _sources(place: str, project: Project) -> Iterator[str]:
    bare = WRITTEN_SUFFIX.sub("", place)
    candidates = [place, *(bare + suffix for suffix in SUFFIXES), *(join(place, "index") + each for each in SUFFIXES)]
    yield from (path for path in candidates if project.has(path))


def _places(module: str, importer: str, project: Project) -> Iterator[str]:
    folder = folder_of(importer)
    if module.startswith("."):
        yield join(folder, module)
        return
    for above in ancestors(folder):
        for name in CONFIGS:
            yield from _mapped(module, above, _json(project.config(join(above, name))))
        yield from _of_package(module, above, _json(project.config(join(above, "package.json"))))
        yield from _in_workspace(module, above, project)


def _mapped(module: str, folder: str, config: Mapping[str, Any]) -> Iterator[str]:
    """By `compilerOptions.paths` and `baseUrl`."""
    options = _object(config.get("compilerOptions"))
    base = options.get("baseUrl")
    root = join(folder, base) if isinstance(base, str) else folder
    for pattern, targets in _object(options.get("paths")).items():
        head, star, tail = pattern.partition("*")
        fits = module.startswith(head) and module.endswith(tail) if star else module == pattern
        if fits and isinstance(targets, list):
            inner = module[len(head) : len(module) - len(tail)] if star else ""
            yield from (join(root, each.replace("*", inner)) for each in targets if isinstance(each, str))
    if isinstance(base, str):
        yield join(root, module)


def _of_package(module: str, folder: str, manifest: Mapping[str, Any]) -> Iterator[str]:
    """A package that names itself, as its own tests and its neighbours do."""
    name = manifest.get("name")
    if not isinstance(name, str) or not (module == name or module.startswith(f"{name}/")):
        return
    inner = module[len(name) + 1 :]
    for target in _exports(manifest, f"./{inner}" if inner else "."):
        yield join(folder, target)
        yield join(folder, re.sub(r"^(?:\./)?(?:dist|lib|build|out)(?:/(?:esm|cjs))?/", "src/", target))
    yield join(folder, "src", inner or "index")
    yield join(folder, inner or "index")


def _exports(manifest: Mapping[str, Any], entry: str) -> Iterator[str]:
    exports = manifest.get("exports")
    if isinstance(exports, Mapping):
        yield from _targets(exports.get(entry) if any(key.startswith(".") for key in exports) else exports)
    elif isinstance(exports, str) and entry == ".":
        yield exports
    if entry == ".":
        yield from (main for key in ("types", "module", "main") if isinstance(main := manifest.get(key), str))


def _targets(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _targets(inner)


def _in_workspace(module: str, folder: str, project: Project) -> Iterator[str]:
    """A sibling package in the usual folders of a monorepo."""
    parts = module.split("/")
    bare = parts[1:] if module.startswith("@") else parts
    if bare:
        for holder in ("packages", "libs", "apps"):
            home = join(folder, holder, bare[0])
            manifest = _json(project.config(join(home, "package.json")))
            yield from _of_package(module, home, manifest)


@lru_cache(maxsize=64)
def _json(text: str) -> Mapping[str, Any]:
    """A manifest, with the comments and trailing commas that tsconfig allows; {} for what is none."""
    if not text:
        return {}
    try:
        return _object(json.loads(text))
    except ValueError:
        bare = re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', lambda found: found[1] or "", text, flags=re.DOTALL)
    try:
        return _object(json.loads(re.sub(r",(\s*[}\]])", r"\1", bare)))
    except ValueError:
        return {}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
