"""No input may lead out of this process: what is fuzzed registers URLs, and some of them are looked up or called."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def _unknown(host: Any, *args: Any, **options: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def _refused(sock: socket.socket, address: Any) -> None:
    raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


@contextmanager
def offline() -> Iterator[None]:
    """Within the block no name is known, and nobody takes a connection."""
    lookup, connect = socket.getaddrinfo, socket.socket.connect
    socket.getaddrinfo = _unknown
    socket.socket.connect = _refused  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        socket.getaddrinfo = lookup
        socket.socket.connect = connect  # type: ignore[method-assign]
