"""An LDAP server that says whatever a test wants, for lies and accidents that a real one cannot be brought to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence

from integration_server.builtin.ldap.ber import SEQUENCE, SET, boolean, element, integer, length_at, octets
from integration_server.builtin.ldap.messages import PAGING, Message, parse_message

BIND, UNBIND, SEARCH = 0x60, 0x42, 0x63
#: What ends the connection after what was said so far.
HANG_UP = b"HANG UP"

Answer = Callable[[int, int, bytes], bytes]


def result(message_id: int, kind: int, code: int = 0, text: str = "", *controls: bytes) -> bytes:
    """An answer with a result, such as a bind's (0x61) or the end of a search (0x65)."""
    body = element(kind, integer(code, 0x0A), octets(""), octets(text))
    return element(SEQUENCE, integer(message_id), body, *([element(0xA0, *controls)] if controls else []))


def done(message_id: int, cookie: bytes | None = None, code: int = 0, text: str = "") -> bytes:
    """The end of a page; no paging control where there is no cookie."""
    if cookie is None:
        return result(message_id, 0x65, code, text)
    value = element(SEQUENCE, integer(0), octets(cookie))
    return result(message_id, 0x65, code, text, control(PAGING, value))


def control(oid: str, value: bytes) -> bytes:
    return element(SEQUENCE, octets(oid), boolean(False), octets(value))


def entry(message_id: int, uid: str, **more: Sequence[str | bytes]) -> bytes:
    """A person; ``more`` are further attributes, two underscores standing for a semicolon."""
    attributes = {"entryUUID": [f"id of {uid}"], "uid": [uid], **more}
    body = element(
        0x64,
        octets(f"uid={uid},ou=people,dc=example,dc=org"),
        element(SEQUENCE, *(attribute(name.replace("__", ";"), values) for name, values in attributes.items())),
    )
    return element(SEQUENCE, integer(message_id), body)


def attribute(name: str, values: Sequence[str | bytes]) -> bytes:
    return element(SEQUENCE, octets(name), element(SET, *map(octets, values)))


def notice_of_disconnection(code: int = 52, text: str = "going down") -> bytes:
    body = element(0x78, integer(code, 0x0A), octets(""), octets(text), octets("1.3.6.1.4.1.1466.20036", 0x8A))
    return element(SEQUENCE, integer(0), body)


class FakeServer:
    """Binds succeed unless ``answer(message_id, kind, request)`` has something to say; it answers all the rest."""

    def __init__(self, answer: Answer, door: socket.socket | None = None) -> None:
        self.requests: list[tuple[int, bytes]] = []
        #: The same with their controls.
        self.messages: list[Message] = []
        self._answer = answer
        self._door = door or socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def uri(self) -> str:
        return f"ldap://127.0.0.1:{self._door.getsockname()[1]}"

    def close(self) -> None:
        for opened in (self._door, *self._open):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._door.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        data = b""
        with contextlib.suppress(OSError):
            while chunk := connection.recv(65536):
                data += chunk
                while (end := _end_of_message(data)) is not None:
                    message = parse_message(data, 0, end)
                    data = data[end:]
                    self.requests.append((message.kind, message.body))
                    self.messages.append(message)
                    said = self._say(message.id, message.kind, message.body)
                    connection.sendall(said.removesuffix(HANG_UP))
                    if said.endswith(HANG_UP):
                        connection.shutdown(socket.SHUT_RDWR)
                        return

    def _say(self, message_id: int, kind: int, body: bytes) -> bytes:
        said = self._answer(message_id, kind, body)
        if said or kind != BIND:
            return said
        return result(message_id, 0x61)


def _end_of_message(data: bytes) -> int | None:
    try:
        size, begin = length_at(data, 1)
    except IndexError:
        return None
    return begin + size if begin + size <= len(data) else None
