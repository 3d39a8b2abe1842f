"""So many WebSocket clients, each with one channel that is bound to everything: PORT COUNT TOKEN.

Says "ready SECONDS" when all have registered. For each line that it is given, it waits until every client was told a
version and has acknowledged it, and says when each was (Unix seconds), as JSON.
"""

from __future__ import annotations

import asyncio
import json
import re
import resource
import sys
import time
import uuid

from bench.push_clients import _REQUEST, _frame

_AT_ONCE = 200
_PATIENCE = 60.0
_TOLD = re.compile(rb'\{"messageType":"notification".*?"version":(\d+)\}\]\}')


class Client(asyncio.Protocol):
    """Says hello, binds one channel, and acknowledges what it is told."""

    def __init__(self, token: str, registered: asyncio.Semaphore, counts: list[int], told: list[float]) -> None:
        self._token = token
        self._registered = registered
        self._counts = counts
        self._told = told
        self._channel = str(uuid.uuid4())
        self._buffer = b""
        self._is_ready = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        wanted = {"messageType": "register", "channelID": self._channel, "resource": {"kind": "all"}}
        transport.write(_REQUEST)
        transport.write(_frame({"messageType": "hello", "uaid": "", "channelIDs": []}))
        transport.write(_frame({**wanted, "token": self._token}))

    def data_received(self, data: bytes) -> None:
        now = time.time()
        self._buffer += data
        if not self._is_ready:
            if b'"pushEndpoint"' not in self._buffer:
                return
            self._is_ready = True
            self._counts[0] += 1
            self._registered.release()
        found = _TOLD.search(self._buffer)
        if found is not None:
            self._told.append(now)
            updates = [{"channelID": self._channel, "version": int(found[1])}]
            self._transport.write(_frame({"messageType": "ack", "updates": updates}))
        self._buffer = b""


async def _run(port: int, count: int, token: str) -> None:
    loop = asyncio.get_running_loop()
    registered, counts, told = asyncio.Semaphore(_AT_ONCE), [0], list[float]()
    began = time.perf_counter()
    for _ in range(count):
        await registered.acquire()
        await loop.create_connection(lambda: Client(token, registered, counts, told), "127.0.0.1", port)
    while counts[0] < count:
        await asyncio.sleep(0.05)
    print("ready", time.perf_counter() - began, flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        ends = time.monotonic() + _PATIENCE
        while len(told) < count and time.monotonic() < ends:
            await asyncio.sleep(0.05)
        print(json.dumps(told), flush=True)
        told.clear()


def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_run(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))


if __name__ == "__main__":
    main()
