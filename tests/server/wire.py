"""A client that says exactly what it is told to, byte by byte."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from wsgiref.types import StartResponse, WSGIEnvironment

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def connect(port: int, timeout: float = 10.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout)


def read_answer(sock: socket.socket) -> Answer:
    """One answer with Content-Length. Raises EOFError where the connection ends before one, or within one."""
    seen = b""
    while b"\r\n\r\n" not in seen:
        more = sock.recv(65536)
        if not more:
            raise EOFError(f"closed after {len(seen)} bytes")
        seen += more
    head, _, start = seen.partition(b"\r\n\r\n")
    body = bytearray(start)
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        more = sock.recv(1 << 20)
        if not more:
            raise EOFError(f"closed after {len(body)} of {length} bytes")
        body += more
    assert len(body) == length, "bytes after the answer"
    return Answer(int(status_line.split(" ")[1]), headers, bytes(body))


def ask(port: int, request: bytes = GET, timeout: float = 10.0) -> Answer:
    with connect(port, timeout) as sock:
        sock.sendall(request)
        return read_answer(sock)


def say(port: int, request: bytes, timeout: float = 10.0) -> bytes:
    """Everything that comes back until the server closes. TimeoutError where it does not."""
    with connect(port, timeout) as sock:
        with suppress(ConnectionError):  # refused before all was sent; the answer may be there all the same
            sock.sendall(request)
        return read_all(sock)


def read_all(sock: socket.socket) -> bytes:
    seen = bytearray()
    with suppress(ConnectionResetError):
        while more := sock.recv(1 << 20):
            seen += more
    return bytes(seen)


def is_closed(sock: socket.socket) -> bool:
    """Whether the server has closed the connection, reading whatever it said before."""
    sock.setblocking(False)
    try:
        while sock.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The smallest application."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]
