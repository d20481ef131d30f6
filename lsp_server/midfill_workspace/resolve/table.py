"""RESOLVERS: which module knows the imports of a language."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from midfill_workspace.project import Project
from midfill_workspace.resolve import go, python, typescript
from midfill_workspace.symbol import Import


class Resolver(Protocol):
    def files(self, wanted: Import, importer: str, project: Project) -> Iterator[str]:
        """The files that an import may name, the likeliest first."""

    def submodule(self, wanted: Import) -> Import:
        """What a name may be that its module does not declare: a module of a package. An empty module: nothing."""

    def neighbours(self, path: str, project: Project) -> Sequence[str]:
        """Files whose declarations are seen without an import."""


RESOLVERS: Mapping[str, Resolver] = {
    "go": go,
    "javascript": typescript,
    "javascriptreact": typescript,
    "python": python,
    "typescript": typescript,
    "typescriptreact": typescript,
}
