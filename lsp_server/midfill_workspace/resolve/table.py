"""RESOLVERS: which module knows the imports of a language."""

from collections.abc import Mapping

from midfill_workspace.resolve import c, csharp, go, java, kotlin, lua, php, python, ruby, rust, scala, typescript
from midfill_workspace.resolve.resolver import Resolver

RESOLVERS: Mapping[str, Resolver] = {
    "c": c.RESOLVER,
    "cpp": c.RESOLVER,
    "csharp": csharp.RESOLVER,
    "go": go.RESOLVER,
    "java": java.RESOLVER,
    "javascript": typescript.RESOLVER,
    "javascriptreact": typescript.RESOLVER,
    "kotlin": kotlin.RESOLVER,
    "lua": lua.RESOLVER,
    "php": php.RESOLVER,
    "python": python.RESOLVER,
    "ruby": ruby.RESOLVER,
    "rust": rust.RESOLVER,
    "scala": scala.RESOLVER,
    "typescript": typescript.RESOLVER,
    "typescriptreact": typescript.RESOLVER,
}
