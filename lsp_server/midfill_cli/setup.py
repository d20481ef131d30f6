"""`midfill setup [EDITOR]`: installs the client of an editor, or says how to configure it; `--remove` undoes it."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from midfill_cli import models, setup_nvim, setup_recipes, setup_record, setup_vscode, shipped
from midfill_cli.setup_job import Job, find_program
from midfill_cli.setup_recipes import RECIPES, Recipe
from midfill_cli.verb import Context, Verb
from midfill_daemon import config, weights
from midfill_daemon.errors import BadInput, MidfillError, NotFound
from midfill_daemon.paths import Paths, locate


@dataclass(frozen=True, slots=True)
class Row:
    """One name that `midfill setup` takes; each function prints what it changes and returns the exit status."""

    install: Callable[[Job], int]
    remove: Callable[[Job], int]
    shows: bool = True
    """Whether suggestions will be seen there, so that a model is worth fetching."""


def _show(recipe: Recipe, job: Job) -> int:
    print(f"{recipe.title}\n{setup_recipes.render(recipe, job.server)}")
    print("Nothing was changed.")
    return 0


def _refuse(recipe: Recipe, _: Job) -> int:
    raise NotFound(f"{recipe.title}: nothing was written there; take the lines out of your configuration")


EDITORS: Mapping[str, Row] = {
    "vscode": Row(setup_vscode.install, setup_vscode.remove),
    "nvim": Row(setup_nvim.install, setup_nvim.remove),
    **{
        flavour.command: Row(
            partial(setup_vscode.install, flavours=(flavour,)), partial(setup_vscode.remove, flavours=(flavour,))
        )
        for flavour in setup_vscode.FLAVOURS
    },
    **{name: Row(partial(_show, recipe), partial(_refuse, recipe), recipe.shows) for name, recipe in RECIPES.items()},
}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "editor", nargs="?", choices=tuple(EDITORS), metavar="EDITOR", help=f"one of {', '.join(EDITORS)}"
    )
    parser.add_argument("--remove", action="store_true", help="take away what was installed")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--vsix", type=Path, metavar="FILE", help="this extension for VS Code and its kin")
    parser.add_argument("--no-model", action="store_true", help="do not fetch the model if it is missing")


def _run(context: Context) -> int:
    arguments, paths = context.arguments, locate(context.environment)
    job = Job(context.environment, paths, shipped.server_program(), arguments.vsix, arguments.dry_run)
    if arguments.editor is None:
        if arguments.remove:
            raise BadInput("--remove: name the editor, too")
        return _list(job)
    row = EDITORS[arguments.editor]
    if arguments.remove:
        return row.remove(job)
    status = row.install(job)
    if row.shows and not arguments.no_model and not status:
        _model(job)
    return status


# --- without a name: what is here -------------------------------------------------------------------


def _list(job: Job) -> int:
    found = list(_found(job))
    for line in found or ["No editor that Midfill knows was found on PATH or in the usual places."]:
        print(line)
    print(f"Nothing was changed. `midfill setup EDITOR` takes one of {', '.join(EDITORS)}.")
    return 0


def _found(job: Job) -> Iterator[str]:
    record = setup_record.load(job.paths)
    if neovim := setup_nvim.find(job.environment):
        place = setup_nvim.place(job.environment)
        known = record.get((setup_nvim.EDITOR, str(place)))
        state = f"has the plugin {known.version}" if known else f"the plugin would go into {place}"
        yield f"{neovim} ({neovim.program}): {state}\n  -> midfill setup nvim"
    for editor in setup_vscode.find(job.environment):
        known = record.get((editor.flavour.command, str(editor.program)))
        state = f"has the extension {known.version}" if known else "the extension would be installed"
        yield f"{editor.flavour.title} ({editor.program}): {state}\n  -> midfill setup {editor.flavour.command}"
    for name, recipe in RECIPES.items():
        programs = (find_program(program, job.environment) for program in recipe.programs)
        if program := next(filter(None, programs), None):
            shows = "lines of configuration" if recipe.shows else "it shows no inline completions yet"
            yield f"{recipe.title} ({program}): {shows}\n  -> midfill setup {name}"


# --- at the end: the model --------------------------------------------------------------------------


def _model(job: Job) -> None:
    """A client without a model shows nothing; but where it cannot be fetched now, the client is installed all the same."""
    tier = config.load(job.paths, job.environment).tiers["inline"]
    if tier.provider != "embedded" or tier.url:
        print(f"Model: {' '.join(filter(None, (tier.provider, tier.url)))}, as configured")
        return
    if find_spec("xllamacpp") is None:
        print("Model: the embedded engine is not installed: pip install 'midfill[embedded]'")
    _fetch(job.paths, job.dry_run)


def _fetch(paths: Paths, dry_run: bool) -> None:
    weight = weights.find(weights.DEFAULT)
    size = f"{weight.download_bytes / 1_000_000:.0f} MB"
    if weights.state(weight, paths.models) == "ready":
        print(f"Model: {weight.name} is in {paths.models}")
    elif dry_run:
        print(f"Model: would fetch {weight.name} ({size}) into {paths.models}")
    else:
        print(f"Model: fetching {weight.name} ({size}), once")
        try:
            models.fetch(weight, paths.models)
        except MidfillError as exc:
            print(f"Model: not fetched: {exc.message}\n  -> run `midfill models pull {weight.name}` with a network")


VERB = Verb("setup", "install the client of an editor, or say how to configure it", _arguments, _run)
