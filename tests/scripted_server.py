"""A server whose every byte a test decides: ``with ScriptedServer(script) as server``; the script gets each connection.

It runs the script in a thread of its own for each connection, closes the connection after it, and counts connections.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from tests.servers.certificates import Certificate

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntaken"

Script = Callable[[socket.socket], object]


def read_request(connection: socket.socket) -> bytes | None:
    """The next whole request, or None at the end of the connection."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65_536)
        if not piece:
            return None
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def answering(*answers: bytes) -> Script:
    """Gives each request of a connection the next of these answers, the last one from then on."""

    def script(connection: socket.socket) -> None:
        number = 0
        while read_request(connection) is not None:
            connection.sendall(answers[min(number, len(answers) - 1)])
            number += 1

    return script


class ScriptedServer:
    """Listens on a free loopback port from ``start`` to ``close``."""

    def __init__(
        self, script: Script, certificate: Certificate | None = None, family: socket.AddressFamily = socket.AF_INET
    ) -> None:
        self.script = script
        self.connections = 0
        self.server_names: list[str | None] = []
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate.certificate, certificate.key)
            self._tls.sni_callback = lambda _socket, name, _context: self.server_names.append(name)
        self._listener = socket.socket(family)
        self._listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"{'http' if self._tls is None else 'https'}://{host}:{self.port}{path}"

    def start(self) -> None:
        self._listener.listen(128)
        threading.Thread(target=self._accept, name="scripted server", daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def drop(self) -> None:
        """End every open connection."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            self.script(connection)
        except OSError:
            pass
        finally:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
