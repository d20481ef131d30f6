"""`midfill-lsp`: parse arguments, serve stdio."""

import argparse
import asyncio
import os
import sys
from importlib.metadata import version

from midfill_daemon import logs
from midfill_daemon.errors import MidfillError


def main() -> None:
    parser = argparse.ArgumentParser(prog="midfill-lsp", description="The language server of Midfill, over stdio.")
    parser.add_argument("--version", action="version", version=version("midfill"))
    parser.add_argument("--stdio", action="store_true", help="accepted because some editors pass it; always on")
    parser.add_argument("--log-level", default="warning", choices=("debug", "info", "warning", "error"))
    arguments = parser.parse_args()
    logs.configure(arguments.log_level)
    try:
        status = asyncio.run(_serve())
    except MidfillError as exc:
        sys.exit(f"midfill-lsp: {exc.message}")
    sys.exit(status)


async def _serve() -> int:
    from midfill_lsp.server import build
    from midfill_lsp.transport import serve

    server = build(os.environ)
    try:
        return await serve(server)
    finally:
        await server.session.close()


if __name__ == "__main__":
    main()
