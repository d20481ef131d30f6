"""A daemon of another protocol version: shakes hands, and ends when it is drained. Arguments: socket, protocol."""

import asyncio
import json
import os
import sys


async def main(socket: str, protocol: int) -> None:
    drained = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        health = {"version": f"{protocol}.0", "protocol": protocol, "pid": os.getpid(), "inline": {"ready": False}}
        body = json.dumps(health).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n" % len(body))
        writer.write(b"Content-Type: application/json\r\n\r\n" + body)
        await writer.drain()
        writer.close()
        if b"/v1/drain" in head:
            drained.set()

    server = await asyncio.start_unix_server(answer, socket)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await drained.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
