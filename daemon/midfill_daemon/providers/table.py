"""The table of providers: the `provider` of a tier -> how to build it."""

from collections.abc import Callable, Mapping

from midfill_daemon.models import Tier
from midfill_daemon.paths import Paths
from midfill_daemon.providers import Provider, embedded, llama_server, ollama, openai_compatible, scripted


def factories(paths: Paths, environment: Mapping[str, str]) -> Mapping[str, Callable[[Tier], Provider]]:
    """Nothing is started or asked when a provider is built."""
    return {
        "embedded": lambda tier: embedded.make(tier, paths.models),
        "llama_server": lambda tier: llama_server.make(tier, environment),
        "ollama": lambda tier: ollama.make(tier, environment),
        "openai_compatible": lambda tier: openai_compatible.make(tier, environment),
        "scripted": scripted.make,
    }
