"""Slaves of IPS Connect that take everything: PORT DELAY. Each path is a slave; /count tells what came at each."""

from __future__ import annotations

import asyncio
import json
import sys
import time

_TAKEN = b'{"status":"SUCCESS"}'


class Sink:
    """``seen`` has the number of requests of each path, and when the first and the last of them were answered."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self.seen: dict[str, tuple[int, float, float]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode().partition("?")[0]
                body = json.dumps(self.seen).encode() if path == "/count" else await self._take(path)
                headers = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                writer.write(headers % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _take(self, path: str) -> bytes:
        if self._delay:
            await asyncio.sleep(self._delay)
        now = time.time()
        count, first, _ = self.seen.get(path, (0, now, now))
        self.seen[path] = (count + 1, first, now)
        return _TAKEN


async def _main(port: int, delay: float) -> None:
    server = await asyncio.start_server(Sink(delay).serve, "127.0.0.1", port, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), float(sys.argv[2])))
