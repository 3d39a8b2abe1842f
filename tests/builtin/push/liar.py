"""An upstream push server that answers whatever a test wants: ``with Liar() as liar: liar.answers["connect"] = …``."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

from tests.scripted_server import ScriptedServer, read_request
from tests.servers.certificates import Certificate

#: Of a message to bytes on the wire.
Answer = Callable[[dict[str, Any]], bytes]


def http(body: object, status: str = "200 OK") -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def nothing(message: dict[str, Any]) -> bytes:
    return b"HTTP/1.1 204 No Content\r\n\r\n"


class Liar(ScriptedServer):
    """Each call has an answer, 204 where there is none. ``heard`` are the calls and messages that came."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        super().__init__(self._talk, certificate)
        self.answers: dict[str, Answer] = {}
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def messages(self, call: str) -> list[dict[str, Any]]:
        return [message for name, message in list(self.heard) if name == call]

    def _talk(self, connection: socket.socket) -> None:
        while (request := read_request(connection)) is not None:
            head, _, body = request.partition(b"\r\n\r\n")
            call = head.split()[1].decode().rpartition("/")[2].partition("?")[0]
            message = json.loads(body)
            self.heard.append((call, message))
            connection.sendall(self.answers.get(call, nothing)(message))
