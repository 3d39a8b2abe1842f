"""So many WebSocket clients of a push server, each with one channel: PORT COUNT. Says "ready SECONDS" when all have
registered, and how long that took; then stays until its input ends, and says how many had a notification."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import struct
import sys
import time
import uuid

_REQUEST = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: push-notification\r\n\r\n"
)
_AT_ONCE = 200
_NO_MASK = b"\0\0\0\0"


def _frame(message: object) -> bytes:
    """A masked text frame, with a mask that changes nothing."""
    content = json.dumps(message).encode()
    length = bytes((0x80 | len(content),)) if len(content) < 126 else struct.pack("!BH", 0x80 | 126, len(content))
    return b"\x81" + length + _NO_MASK + content


class Client(asyncio.Protocol):
    """Says hello, registers one channel, and counts what comes then."""

    def __init__(self, registered: asyncio.Semaphore, counts: list[int]) -> None:
        self._registered = registered
        self._counts = counts
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(_REQUEST)
        transport.write(_frame({"messageType": "hello", "uaid": "", "channelIDs": []}))
        transport.write(_frame({"messageType": "register", "channelID": str(uuid.uuid4())}))

    def data_received(self, data: bytes) -> None:
        if b'"notification"' in data:
            self._counts[1] += 1
        elif b'"pushEndpoint"' in self._buffer + data:
            self._counts[0] += 1
            self._buffer = b""
            self._registered.release()
        else:
            self._buffer += data


async def _run(port: int, count: int) -> None:
    loop = asyncio.get_running_loop()
    registered, counts = asyncio.Semaphore(_AT_ONCE), [0, 0]
    began = time.perf_counter()
    for _ in range(count):
        await registered.acquire()
        await loop.create_connection(lambda: Client(registered, counts), "127.0.0.1", port)
    while counts[0] < count:
        await asyncio.sleep(0.05)
    print("ready", time.perf_counter() - began, flush=True)
    await loop.run_in_executor(None, os.read, 0, 1)
    print(counts[1], flush=True)


def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_run(int(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
