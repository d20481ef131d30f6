"""TypeScript and JavaScript: relative modules, index files, tsconfig paths, packages of the same workspace, types of others."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from midfill_workspace.project import Project
from midfill_workspace.resolve.installed import is_installed, node_folders
from midfill_workspace.resolve.paths import ancestors, folder_of, join
from midfill_workspace.resolve.resolver import Resolver
from midfill_workspace.symbol import Import

SUFFIXES = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".d.mts", ".d.cts", ".js", ".jsx", ".mjs", ".cjs")
TYPES = (".d.ts", ".d.mts", ".d.cts")
"""What is read of an installed package."""

WRITTEN_SUFFIX = re.compile(r"(?:\.d\.[mc]?ts|\.[mc]?jsx?)$")
"""`./x.js` names `x.ts` before it is compiled."""

BUILT = re.compile(r"^(?:\./)?(?:dist|lib|build|out)(?:/(?:esm|cjs|types))?/")
EXTENDS_LIMIT = 4
HOLDERS = ("packages/*", "libs/*", "apps/*")
"""Where the packages of a monorepo lie if its manifest does not say."""

LISTED = re.compile(r"^[ \t]*-[ \t]*[\"']?([\w./@*-]+)", re.MULTILINE)
"""A folder in `pnpm-workspace.yaml`."""

PACKAGE = re.compile(r"(?:@[\w.-]+/)?[\w-][\w.-]*")

CONFIGS = ("tsconfig.json", "jsconfig.json", "tsconfig.base.json")


def files(wanted: Import, importer: str, project: Project) -> Iterator[str]:
    """The files that a module may be, the likeliest first."""
    for place in _places(wanted.module, importer, project):
        yield from _sources(place, project)


def _sources(place: str, project: Project) -> Iterator[str]:
    """No path arithmetic here: there are two dozen candidates for each of hundreds of imports."""
    bare = WRITTEN_SUFFIX.sub("", place)
    installed = is_installed(place)
    suffixes = TYPES if installed else SUFFIXES
    candidates = [*([] if installed else [place]), *(bare + suffix for suffix in suffixes)]
    if installed or project.files_in(place):
        index = f"{place}/index" if place else "index"
        candidates += [index + suffix for suffix in suffixes]
    yield from (path for path in candidates if project.has(path))


def _places(module: str, importer: str, project: Project) -> Iterator[str]:
    folder = folder_of(importer)
    if module.startswith("."):
        yield join(folder, module)
        return
    for above in ancestors(folder) if not is_installed(importer) else ():
        for name in CONFIGS:
            for home, config in _configs(join(above, name), project):
                yield from _mapped(module, home, config)
        manifest = _json(project.config(join(above, "package.json")))
        yield from _of_package(module, above, manifest)
        yield from _in_workspace(module, above, manifest, project)
    yield from _installed(module, folder, project)


def _configs(path: str, project: Project) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A configuration and those of the workspace that it extends, each with its folder."""
    waiting = [path]
    for _ in range(EXTENDS_LIMIT):
        if not waiting:
            return
        config = _json(project.config(waiting[0])) or _json(project.config(f"{waiting[0]}.json"))
        folder = folder_of(waiting.pop(0))
        yield folder, config
        extended = config.get("extends")
        written = extended if isinstance(extended, list) else [extended]
        waiting += [join(folder, each) for each in written if isinstance(each, str) and each.startswith(".")]


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
    if module.startswith("#"):
        yield from (join(folder, target) for target in _matching(_object(manifest.get("imports")), module))
        return
    name = manifest.get("name")
    if not isinstance(name, str) or not (module == name or module.startswith(f"{name}/")):
        return
    inner = module[len(name) + 1 :]
    for target in _exports(manifest, f"./{inner}" if inner else "."):
        yield join(folder, target)
        yield join(folder, BUILT.sub("src/", target))
    yield join(folder, "src", inner or "index")
    yield join(folder, inner or "index")


def _exports(manifest: Mapping[str, Any], entry: str) -> Iterator[str]:
    exports = manifest.get("exports")
    if isinstance(exports, Mapping):
        yield from _matching(exports if any(key.startswith(".") for key in exports) else {".": exports}, entry)
    elif isinstance(exports, str) and entry == ".":
        yield exports
    if entry == ".":
        yield from (
            main for key in ("types", "typings", "module", "main") if isinstance(main := manifest.get(key), str)
        )


def _matching(table: Mapping[str, Any], entry: str) -> Iterator[str]:
    """The targets of the keys that an entry fits, where `*` in a key stands for `*` in its targets."""
    for key, value in table.items():
        head, star, tail = key.partition("*")
        if key == entry:
            yield from _targets(value)
        elif star and entry.startswith(head) and entry.endswith(tail) and len(entry) >= len(head) + len(tail):
            yield from (each.replace("*", entry[len(head) : len(entry) - len(tail)]) for each in _targets(value))


def _targets(value: Any) -> Iterator[str]:
    """What a module may be under some condition; those for types come first, as they say the most."""
    waiting = [value]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, str):
            yield each
        elif isinstance(each, Mapping):
            waiting[:0] = [each[key] for key in sorted(each, key=lambda key: key != "types")]
        elif isinstance(each, list):
            waiting[:0] = each


def _in_workspace(module: str, folder: str, manifest: Mapping[str, Any], project: Project) -> Iterator[str]:
    """A sibling package. Folders cannot be listed: patterns are tried with the name of the package."""
    parts = module.split("/")
    bare = parts[1:] if module.startswith("@") else parts
    if not bare or module.startswith("#"):
        return
    for pattern in dict.fromkeys((*_workspaces(manifest), *_listed(folder, project), *HOLDERS)):
        home = join(folder, pattern.replace("**", "*").replace("*", bare[0]))
        yield from _of_package(module, home, _json(project.config(join(home, "package.json"))))


def _installed(module: str, folder: str, project: Project) -> Iterator[str]:
    """A package that brings its types along, or one for which others have written some."""
    parts = module.split("/")
    count = 2 if module.startswith("@") else 1
    name, inner = "/".join(parts[:count]), "/".join(parts[count:])
    others = f"@types/{name.removeprefix('@').replace('/', '__')}"
    homes = [f"{place}/{each}" for each in (name, others) for place in node_folders(folder)]
    for home in homes if PACKAGE.fullmatch(name) else ():
        if text := project.config(f"{home}/package.json"):
            yield from (join(home, target) for target in _exports(_json(text), f"./{inner}" if inner else "."))
            yield join(home, inner)


def _workspaces(manifest: Mapping[str, Any]) -> list[str]:
    declared = manifest.get("workspaces")
    patterns = declared.get("packages") if isinstance(declared, Mapping) else declared
    return [each for each in patterns if isinstance(each, str)] if isinstance(patterns, list) else []


def _listed(folder: str, project: Project) -> list[str]:
    return LISTED.findall(project.config(join(folder, "pnpm-workspace.yaml")))


@lru_cache(maxsize=64)
def _json(text: str) -> Mapping[str, Any]:
    """A manifest, with the comments and trailing commas that tsconfig allows; {} for what is none."""
    if not text:
        return {}
    try:
        return _object(json.loads(text))
    except RecursionError:
        return {}
    except ValueError:
        bare = re.sub(
            r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?(?:\*/|\Z)', lambda found: found[1] or "", text, flags=re.DOTALL
        )
    try:
        return _object(json.loads(re.sub(r",(\s*[}\]])", r"\1", bare)))
    except (ValueError, RecursionError):
        return {}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


RESOLVER = Resolver(files)
