"""One connection: dialled to a checked address, and an answer that is read with bounds."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.wait import wait_for_read

from integration_server.sdk.addresses import SocketAddress
from integration_server.sdk.answers import HttpAnswer
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.urls import Target

#: Bytes of all lines before, between and behind what is read of a body: status, headers, sizes of chunks, trailers.
_LINES_LIMIT = 65_536
_FIELDS_LIMIT = 200
#: Of a length; Python itself reads no number of thousands of digits.
_LENGTH_DIGITS = 18
#: Seconds for one address to take the connection.
_CONNECT_LIMIT = 10.0


class Destination(Protocol):
    """Where a connection leads."""

    target: Target

    def checked_addresses(self, deadline: Deadline) -> Sequence[tuple[int, SocketAddress]]: ...

    def tls(self) -> ssl.SSLContext: ...

    def met(self, certificate: bytes | None) -> None: ...


class _Plain(HTTPConnection):
    """urllib3's connection, over a socket to a checked address. ``Host`` and certificate stay those of the URL."""

    dial: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.dial()


class _Encrypted(HTTPSConnection):
    """The same with TLS."""

    dial: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.dial()


class Stale(Exception):
    """A connection that was kept alive turned out to be closed. Seen by nobody outside."""


class Line:
    """One connection to one destination, used by one request at a time."""

    __slots__ = ("_connection", "_is_fresh", "_route", "_wire", "born", "has_sent")

    def __init__(self, route: Destination, born: float) -> None:
        self._route = route
        self._connection: _Plain | _Encrypted | None = None
        self._wire: socket.socket | None = None
        self._is_fresh = True
        self.born = born
        #: Whether anything of the request that is made last may have gone out.
        self.has_sent = False

    def open(self, deadline: Deadline) -> None:
        """Connect, where that has not been done; nothing waits longer than the deadline."""
        self.has_sent = False
        if self._connection is None:
            target = self._route.target
            if target.scheme == "https":
                self._connection = _Encrypted(target.host, target.port, ssl_context=self._route.tls())
            else:
                self._connection = _Plain(target.host, target.port)
            self._connection.dial = lambda: self._dial(deadline)
            self._connection.connect()
            if isinstance(self._connection.sock, ssl.SSLSocket):
                self._route.met(self._connection.sock.getpeercert(binary_form=True))
        assert self._connection.sock is not None
        self._connection.sock.settimeout(deadline.remaining())

    def _dial(self, deadline: Deadline) -> socket.socket:
        found = self._route.checked_addresses(deadline)
        failure = OSError("the name has no address")
        for number, (family, address) in enumerate(found):
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(min(_CONNECT_LIMIT, deadline.remaining() / (len(found) - number)))
                sock.connect(address)
                sock.settimeout(deadline.remaining())
                if self._route.target.scheme == "https":
                    # While TLS is negotiated, nobody but ssl has its socket; this one is for the watchdog.
                    self._wire = sock.dup()
                return sock
            except OSError as exc:
                sock.close()
                failure = exc
            except BaseException:
                sock.close()
                raise
        raise failure

    def exchange(
        self, request: bytes, limit: int, wait_begins: Callable[[], object] = lambda: None
    ) -> tuple[HttpAnswer, bool]:
        """The answer, and whether the connection may serve again. Raises what sockets and ``http.client`` raise.

        ``wait_begins`` is told when the request is out, and must not take long."""
        assert self._connection is not None
        sock = self._connection.sock
        assert sock is not None
        was_fresh, self._is_fresh = self._is_fresh, False
        self.has_sent = True
        with _Answer(sock) as answer:
            try:
                # A receiver that has read enough may answer and close before it has taken everything.
                with suppress(BrokenPipeError):
                    sock.sendall(request)
                wait_begins()
                answer.begin()
            except (ConnectionError, http.client.RemoteDisconnected, ssl.SSLEOFError, ssl.SSLZeroReturnError) as exc:
                if was_fresh or answer.has_begun:
                    raise
                raise Stale from exc
            if answer.is_cut:
                raise http.client.IncompleteRead(b"")
            body = answer.read(limit)
            if answer.length and len(body) < limit:
                raise http.client.IncompleteRead(body, answer.length)
            is_reusable = answer.isclosed() and not answer.will_close and answer.status >= 200
            return HttpAnswer(answer.status, answer.fields, body), is_reusable

    def is_quiet(self) -> bool:
        """Whether nothing has come unasked for: the end of the connection, or an answer to nothing."""
        assert self._connection is not None
        sock = self._connection.sock
        if sock is None or wait_for_read(sock, timeout=0.0):
            return False
        # What TLS has decrypted already, the system's socket does not show.
        return not (isinstance(sock, ssl.SSLSocket) and sock.pending())

    def abort(self) -> None:
        """Make whoever waits for this connection fail. For the watchdog's thread."""
        connection = self._connection
        for sock in (self._wire, connection.sock if connection is not None else None):
            if sock is not None:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def settle(self) -> None:
        """After a request, when the watchdog looks at it no more."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def close(self) -> None:
        self.settle()
        if self._connection is not None:
            self._connection.close()


class _Lines(io.BufferedReader):
    """Bounds the lines of an answer; what is read of its body is bounded by whoever reads it."""

    left = _LINES_LIMIT
    has_ended = False

    def readline(self, size: int | None = -1, /) -> bytes:
        found = super().readline(size)
        self.left -= len(found)
        self.has_ended |= not found.endswith(b"\n")
        if self.left < 0:
            raise http.client.HTTPException(f"more than {_LINES_LIMIT} bytes of headers")
        return found


class _Answer(http.client.HTTPResponse):
    """http.client's reading of one answer, with bounds.

    Its head is read here: http.client has the email package do that, which took a fifth of the time for which
    deliveries held the interpreter's lock.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, method="POST")
        self._lines = _Lines(self.fp.detach())
        self.fp = self._lines
        #: Header fields by name in small letters; several of one name are joined (RFC 9110 §5.3).
        self.fields: dict[str, str] = {}

    @property
    def has_begun(self) -> bool:
        """Whether any byte of it came."""
        return self._lines.left < _LINES_LIMIT

    @property
    def is_cut(self) -> bool:
        """Whether the connection ended within the headers."""
        return self._lines.has_ended

    def begin(self) -> None:
        """Read the head. What follows it is decided as http.client does (RFC 9112 §6.3)."""
        status = http.client.CONTINUE
        while status == http.client.CONTINUE:
            protocol, status, reason = self._read_status()  # type: ignore[attr-defined]
            self.fields = self._read_fields()
        if not protocol.startswith("HTTP/1."):
            raise http.client.UnknownProtocol(protocol)
        self.code, self.status, self.reason = status, status, reason.strip()
        self.version = 10 if protocol == "HTTP/1.0" else 11
        self.headers = self.msg = self.fields  # type: ignore[assignment]
        self.chunked = self.fields.get("transfer-encoding", "").lower() == "chunked"
        self.chunk_left = None
        length = self.fields.get("content-length", "")
        is_length = length.isdecimal() and length.isascii() and len(length) <= _LENGTH_DIGITS
        self.length = int(length) if is_length and not self.chunked else None
        if status in (http.client.NO_CONTENT, http.client.NOT_MODIFIED) or status < http.client.OK:
            self.length = 0
        # A body without any length ends with the connection.
        is_endless = self.length is None and not self.chunked
        self.will_close = is_endless or self._check_close()  # type: ignore[attr-defined]

    def _read_fields(self) -> dict[str, str]:
        found: dict[str, str] = {}
        name = ""
        for _ in range(_FIELDS_LIMIT):
            line = self._lines.readline(_LINES_LIMIT + 1)
            if line in (b"\r\n", b"\n", b""):
                return found
            text = line.decode("latin-1")
            if text[0] in " \t":
                # The rest of a folded line (RFC 9112 §5.2).
                if name:
                    found[name] += " " + text.strip()
                continue
            name, colon, value = text.partition(":")
            name = name.lower() if colon else ""
            if name:
                value = value.strip()
                found[name] = f"{found[name]}, {value}" if name in found else value
        raise http.client.HTTPException(f"more than {_FIELDS_LIMIT} header fields")
