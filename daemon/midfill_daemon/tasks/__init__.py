"""TASKS: one row per feature. Routes, commands, CLI verbs, metrics labels and tests follow from it."""

from collections.abc import Mapping

from midfill_daemon.pipeline import AnyTask
from midfill_daemon.tasks import completion

TASKS: Mapping[str, AnyTask] = {task.name: task for task in (completion.TASK,)}
