"""An editor that can be killed: starts `midfill-lsp`, says its process id, and holds its pipes for ever."""

import asyncio
import os
import sys

from midfill_cli.stdio_client import StdioClient


async def main() -> None:
    async with StdioClient((sys.executable, "-P", "-m", "midfill_lsp"), env=dict(os.environ)) as client:
        await client.initialize()
        sys.stdout.write(f"{client.pid}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
