"""Connecting in time: every address of a server's name gets its share of what is left."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from integration_server import Deadline

T = TypeVar("T")

#: A server that takes longer to answer a connection is as good as down.
_CONNECT_SECONDS = 5.0


def addresses(host: str, port: int | str) -> list[str]:
    """The numeric addresses of a host, each once. Raises OSError. (Only the resolver's own time-out limits this.)"""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def in_turn(choices: Sequence[T], deadline: Deadline) -> Iterator[tuple[T, Deadline]]:
    """Each choice with the time that it may take, so that a dead one leaves time for the others."""
    for number, choice in enumerate(choices):
        share = deadline.remaining() / (len(choices) - number)
        yield choice, deadline.sooner(min(_CONNECT_SECONDS, share))


def connected(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A TCP connection. Raises OSError, BackendTimeout."""
    failure: OSError | None = None
    for address, until in in_turn(addresses(host, port), deadline):
        try:
            found = socket.create_connection((address, port), until.remaining())
        except OSError as exc:
            failure = exc
            continue
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return found
    raise failure or OSError(f"{host} has no address")


def connected_locally(path: str, deadline: Deadline) -> socket.socket:
    """A connection to a server of this machine by its file. Raises OSError."""
    family = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise OSError("this system has no local sockets")
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.settimeout(deadline.remaining())
        found.connect(path)
    except BaseException:
        found.close()
        raise
    return found


class Twin:
    """A second descriptor of a driver's connection, by which another thread can end it under the driver's feet.

    The driver may close its own descriptor at any moment, and the number may be another connection's by the time that
    it is shut down; this one is closed by us alone.
    """

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM)

    def shut(self) -> None:
        """Whoever waits on the connection fails. Never fails itself."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()
