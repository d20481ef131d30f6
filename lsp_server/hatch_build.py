"""Puts the editor clients into the wheel, where `midfill setup` finds them (`midfill_cli/shipped.py`)."""

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLUGIN_FOLDERS = ("after", "doc", "ftplugin", "lsp", "lua", "plugin")
BUNDLED = "MIDFILL_BUNDLE_VSIX"
"""Names the .vsix that goes into the wheel.

None by default: the .vsix holds a wheel itself, which would hold the .vsix before it, and so on.
"""


class Clients(BuildHookInterface[Any]):
    """Only for wheels that are not editable: an editable installation finds its files in the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        folders = (root / "nvim-client" / name for name in PLUGIN_FOLDERS)
        included = {str(folder): f"midfill_cli/clients/nvim/{folder.name}" for folder in folders if folder.is_dir()}
        if vsix := os.environ.get(BUNDLED):
            path = (root / vsix).resolve(strict=True)
            included[str(path)] = f"midfill_cli/clients/midfill-{self.metadata.version}.vsix"
        build_data["force_include"].update(included)
