"""TLS in front of a server that speaks plainly: ``with TlsFront(port, certificate) as front: ... front.port ...``.

The certificate may be changed at any time and holds for new connections, as with a server that reads its files again.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from types import TracebackType
from typing import Self

from tests.servers.certificates import Certificate


class TlsFront:
    """Ends TLS on a free loopback port and hands on what is in it, both ways, to another loopback port."""

    def __init__(self, target: int, certificate: Certificate) -> None:
        self.port = 0
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.show(certificate)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tls front", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def show(self, certificate: Certificate) -> None:
        """From the next connection on."""
        self._context.load_cert_chain(certificate.certificate, certificate.key)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context, ssl_shutdown_timeout=1), self._loop
        ).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.ExitStack() as ends:
                # What was written goes out first.
                ends.callback(writer.close)
                behind = await asyncio.open_connection("127.0.0.1", self._target)
                ends.callback(behind[1].close)
                ways = [asyncio.create_task(_carry(reader, behind[1])), asyncio.create_task(_carry(behind[0], writer))]
                # Whichever side ends first has said what it had to say.
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
        except OSError:
            pass
        finally:
            self._tasks.discard(task)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
