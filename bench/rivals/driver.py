"""The one driver of logins: right passwords of random people, over some connections, on each one at a time.

It is one thread that waits for all sockets, and takes some tens of microseconds for a login, so that the servers have
the machine. ``Asking`` is a connection of any protocol.
"""

from __future__ import annotations

import random
import selectors
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from bench import people

PATIENCE = 600.0


class Asking(ABC):
    """A connection on which passwords are asked about. Whoever opens it closes ``socket``."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.settimeout(PATIENCE)
        self._rest = b""

    @abstractmethod
    def question(self, username: str, password: str) -> bytes:
        """What is sent."""

    @abstractmethod
    def verdict(self, received: bytes) -> bool | None:
        """Whether the password was right; None while the answer is not whole."""

    def ask(self, username: str, password: str) -> None:
        self.socket.sendall(self.question(username, password))

    def answer(self) -> bool | None:
        """Read what is there. Ends the bench where the server hung up."""
        received = self.socket.recv(65536)
        if not received:
            raise SystemExit(f"the server hung up after {self._rest[:500]!r}")
        self._rest += received
        verdict = self.verdict(self._rest)
        if verdict is not None:
            self._rest = b""
        return verdict


class Http(Asking):
    """POSTs of a form, on a connection that is kept. ``accepted`` is in the body of a yes, and in no other."""

    def __init__(self, port: int, path: str, body: Callable[[str, str], str], accepted: bytes) -> None:
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(sock)
        self._head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        self._body = body
        self._accepted = accepted

    def question(self, username: str, password: str) -> bytes:
        body = self._body(username, password)
        return f"{self._head}Content-Length: {len(body)}\r\n\r\n{body}".encode()

    def verdict(self, received: bytes) -> bool | None:
        head, end, body = received.partition(b"\r\n\r\n")
        if not end:
            return None
        _, announced, rest = head.lower().partition(b"\r\ncontent-length:")
        is_whole = len(body) >= int(rest.partition(b"\r\n")[0]) if announced else body.endswith(b"0\r\n\r\n")
        if not is_whole:
            return None
        status = int(head.split(b" ", 2)[1])
        if status >= 500:
            raise SystemExit(f"the server answered {received[:500]!r}")
        # privacyIDEA answers 400 for people whom it does not know.
        return status == 200 and self._accepted in body


def check(connect: Callable[[], Asking], username: str, password: str) -> bool:
    """Whether one password is right."""
    asking = connect()
    with asking.socket:
        asking.ask(username, password)
        while (verdict := asking.answer()) is None:
            pass
    return verdict


def rate(connect: Callable[[], Asking], numbers: Sequence[int], clients: int, logins: int) -> float:
    """Logins a second, of people chosen among these numbers."""
    chosen = iter(random.Random(logins).choices(numbers, k=logins))
    all_of_them = [connect() for _ in range(clients)]
    with selectors.DefaultSelector() as selector:
        for asking in all_of_them:
            selector.register(asking.socket, selectors.EVENT_READ, asking)
        began = time.perf_counter()
        for asking in all_of_them:
            _ask(asking, next(chosen))
        answered = 0
        while answered < logins:
            for key, _ in selector.select(PATIENCE) or _silent():
                verdict = key.data.answer()
                if verdict is None:
                    continue
                if not verdict:
                    raise SystemExit("a right password was refused")
                answered += 1
                if (number := next(chosen, None)) is not None:
                    _ask(key.data, number)
        seconds = time.perf_counter() - began
    for asking in all_of_them:
        asking.socket.close()
    return logins / seconds


def _silent() -> list[tuple[selectors.SelectorKey, int]]:
    raise SystemExit(f"no answer for {PATIENCE:.0f} seconds")


def _ask(asking: Asking, number: int) -> None:
    asking.ask(f"user{number}", people.password_of(number))
