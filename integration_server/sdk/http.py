"""The one way out: HTTP to receivers, with every address checked before it is connected to.

Connections are urllib3's, kept alive for each destination. The bytes of a request are written, and those of an answer
read, here: one send for each request, and a bound on everything that a receiver can make us keep. Redirects, proxies of
the environment and cookies do not exist.
"""

from __future__ import annotations

import http.client
import io
import logging
import re
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util.wait import wait_for_read

from integration_server.sdk import addresses
from integration_server.sdk.answers import ANSWER_LIMIT, HttpAnswer
from integration_server.sdk.deadline import Deadline, Watchdog
from integration_server.sdk.errors import BackendTimeout, ConsumerUnavailable, DeliveryFailed
from integration_server.sdk.urls import Target, parse_url

logger = logging.getLogger(__name__)

#: Bytes of all lines before, between and behind what is read of a body: status, headers, sizes of chunks, trailers.
_LINES_LIMIT = 65_536
#: Seconds. So long a connection may serve after its address was checked.
_CONNECTION_AGE = 60.0
#: Seconds for one address to take the connection.
_CONNECT_LIMIT = 10.0
_IDLE_LIMIT = 64
_ROUTES_LIMIT = 4096
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
#: Made here. Host would lead behind a proxy to somewhere else than what was checked.
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te"})


class HttpClient:
    """Sends to any number of destinations. Thread-safe. Close it."""

    def __init__(
        self,
        allow_networks: Sequence[str],
        watchdog: Watchdog,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``allow_networks`` of ``[forwarding]`` holds for every destination. Raises ValueError for a wrong one."""
        self._allowed = addresses.networks(allow_networks)
        self._watchdog = watchdog
        self._clock = clock
        self._resolver = addresses.Resolver()
        self._lock = threading.Lock()
        self._routes: dict[_RouteKey, _Route] = {}
        self._sweep_at = 0.0
        self._is_closed = False

    def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        deadline: Deadline,
        *,
        allow_networks: Sequence[str] = (),
        ca_file: str | None = None,
        is_verified: bool = True,
    ) -> HttpAnswer:
        """The answer, whatever its status.

        ``allow_networks`` adds to those of the client. ``ca_file`` holds the only authorities that are trusted (PEM);
        with ``is_verified`` false any certificate will do. All in all it takes no longer than ``deadline``.

        Raises AddressRefused where the URL leads to an address that is not allowed, ConsumerUnavailable when there is
        no whole answer, and DeliveryFailed for a URL or a header that cannot be sent. Messages name the host, never the
        path or the query.

        A connection that was kept alive may have been closed by the receiver in the very moment in which the request
        goes out. When not a byte of an answer comes on such a one, the request is sent once more on a new connection.
        """
        route = self._route((url, tuple(allow_networks), ca_file, is_verified))
        request = b"".join((route.head, b"Content-Length: %d\r\n" % len(body), _header_lines(headers), b"\r\n", body))
        with _translated(route.target.origin):
            line = route.take(self._clock() - _CONNECTION_AGE)
            if line is not None:
                with suppress(_Stale):
                    return self._exchange(route, line, request, deadline)
                # What closed that one has most likely closed the others, too.
                route.drop_idle()
            return self._exchange(route, _Line(route, self._clock()), request, deadline)

    def check(self, url: str, deadline: Deadline, *, allow_networks: Sequence[str] = ()) -> None:
        """Find out, without connecting, whether something may be sent there. Raises as ``post``.

        Good for telling early; it is no protection, since a name may lead elsewhere a moment later.
        """
        route = self._route((url, tuple(allow_networks), None, True))
        with _translated(route.target.origin):
            route.checked_addresses(deadline)

    def close(self) -> None:
        """Close every connection, those in use when they are done. May be called twice."""
        with self._lock:
            self._is_closed = True
            routes = list(self._routes.values())
            self._routes.clear()
        for route in routes:
            route.close()

    def _exchange(self, route: _Route, line: _Line, request: bytes, deadline: Deadline) -> HttpAnswer:
        is_reusable = False
        try:
            with self._watchdog.guard(deadline, line.abort):
                line.open(deadline)
                answer, is_reusable = line.exchange(request)
            return answer
        finally:
            if is_reusable:
                line.settle()
                route.give_back(line)
            else:
                line.close()

    def _route(self, key: _RouteKey) -> _Route:
        now = self._clock()
        if now >= self._sweep_at:
            self._sweep(now)
        route = self._routes.get(key)
        if route is None:
            route = self._new_route(key)
        route.used_at = now
        return route

    def _new_route(self, key: _RouteKey) -> _Route:
        url, allow_networks, ca_file, is_verified = key
        try:
            target = parse_url(url)
            allowed = (*self._allowed, *addresses.networks(allow_networks))
        except ValueError as exc:
            raise DeliveryFailed(str(exc)) from exc
        with self._lock:
            if self._is_closed:
                raise ConsumerUnavailable("deliveries have been stopped")
            if len(self._routes) >= _ROUTES_LIMIT:
                oldest = min(self._routes, key=lambda each: self._routes[each].used_at)
                self._routes.pop(oldest).close()
            return self._routes.setdefault(key, _Route(target, allowed, self._resolver, ca_file, is_verified))

    def _sweep(self, now: float) -> None:
        """Close what is too old to be used again, and forget destinations that nobody wants any more."""
        with self._lock:
            self._sweep_at = now + _CONNECTION_AGE / 4
            for key, route in list(self._routes.items()):
                route.drop_older(now - _CONNECTION_AGE)
                if route.used_at < now - 10 * _CONNECTION_AGE:
                    self._routes.pop(key).close()


_RouteKey = tuple[str, tuple[str, ...], str | None, bool]


@dataclass(slots=True)
class _Route:
    """One destination: what may be connected to, whom to trust, and the connections that wait for a request."""

    target: Target
    allowed: tuple[addresses.Network, ...]
    resolver: addresses.Resolver
    ca_file: str | None
    is_verified: bool
    used_at: float = 0.0
    head: bytes = b""
    _idle: deque[_Line] = field(default_factory=deque)
    _tls: ssl.SSLContext | None = None
    _is_closed: bool = False

    def __post_init__(self) -> None:
        host = f"POST {self.target.path} HTTP/1.1\r\nHost: {self.target.authority}\r\n"
        self.head = host.encode("ascii") + b"Accept-Encoding: identity\r\n"

    def checked_addresses(self, deadline: Deadline) -> list[tuple[int, addresses.SocketAddress]]:
        """Where to connect to; every address that the name has was checked."""
        found = self.resolver.addresses(self.target.host, self.target.port, deadline)
        for _, address in found:
            addresses.check(self.target.host, address[0], self.allowed)
        return found

    def tls(self) -> ssl.SSLContext:
        """Made once: reading the authorities of the system takes longer than a delivery."""
        if self._tls is None:
            try:
                context = ssl.create_default_context(cafile=self.ca_file)
            except OSError as exc:
                raise ConsumerUnavailable(f"ca_file {self.ca_file} cannot be used: {exc.strerror or exc}") from exc
            if not self.is_verified:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._tls = context
        return self._tls

    def take(self, born_after: float) -> _Line | None:
        """A connection that is young enough and that the receiver has not closed."""
        while True:
            try:
                line = self._idle.pop()
            except IndexError:
                return None
            if line.born > born_after and line.is_quiet():
                return line
            line.close()

    def give_back(self, line: _Line) -> None:
        if self._is_closed or len(self._idle) >= _IDLE_LIMIT:
            line.close()
        else:
            self._idle.append(line)

    def drop_idle(self) -> None:
        self.drop_older(float("inf"))

    def drop_older(self, moment: float) -> None:
        for _ in range(len(self._idle)):
            try:
                line = self._idle.popleft()
            except IndexError:
                return
            if line.born < moment:
                line.close()
            else:
                self._idle.append(line)

    def close(self) -> None:
        self._is_closed = True
        self.drop_idle()


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


class _Stale(Exception):
    """A connection that was kept alive turned out to be closed. Seen by nobody outside."""


class _Line:
    """One connection to one destination, used by one request at a time."""

    __slots__ = ("_connection", "_is_fresh", "_route", "_wire", "born")

    def __init__(self, route: _Route, born: float) -> None:
        self._route = route
        self._connection: _Plain | _Encrypted | None = None
        self._wire: socket.socket | None = None
        self._is_fresh = True
        self.born = born

    def open(self, deadline: Deadline) -> None:
        """Connect, where that has not been done; nothing waits longer than the deadline."""
        if self._connection is None:
            target = self._route.target
            if target.scheme == "https":
                self._connection = _Encrypted(target.host, target.port, ssl_context=self._route.tls())
            else:
                self._connection = _Plain(target.host, target.port)
            self._connection.dial = lambda: self._dial(deadline)
            self._connection.connect()
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

    def exchange(self, request: bytes) -> tuple[HttpAnswer, bool]:
        """The answer, and whether the connection may serve again. Raises what sockets and ``http.client`` raise."""
        assert self._connection is not None
        sock = self._connection.sock
        assert sock is not None
        was_fresh, self._is_fresh = self._is_fresh, False
        with _Answer(sock) as answer:
            try:
                # A receiver that has read enough may answer and close before it has taken everything.
                with suppress(BrokenPipeError):
                    sock.sendall(request)
                answer.begin()
            except (ConnectionError, http.client.RemoteDisconnected, ssl.SSLEOFError, ssl.SSLZeroReturnError) as exc:
                if was_fresh or answer.has_begun:
                    raise
                raise _Stale from exc
            body = answer.read(ANSWER_LIMIT)
            if answer.length and len(body) < ANSWER_LIMIT:
                raise http.client.IncompleteRead(body, answer.length)
            is_reusable = answer.isclosed() and not answer.will_close and answer.status >= 200
            return HttpAnswer(answer.status, _joined(answer.msg), body), is_reusable

    def is_quiet(self) -> bool:
        """Whether nothing has come unasked for: the end of the connection, or an answer to nothing."""
        assert self._connection is not None
        sock = self._connection.sock
        return sock is not None and not wait_for_read(sock, timeout=0.0)

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

    def readline(self, size: int | None = -1, /) -> bytes:
        found = super().readline(size)
        self.left -= len(found)
        if self.left < 0:
            raise http.client.HTTPException(f"more than {_LINES_LIMIT} bytes of headers")
        return found


class _Answer(http.client.HTTPResponse):
    """http.client's reading of one answer, with bounds."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, method="POST")
        self._lines = _Lines(self.fp.detach())
        self.fp = self._lines

    @property
    def has_begun(self) -> bool:
        """Whether any byte of it came."""
        return self._lines.left < _LINES_LIMIT


def _header_lines(headers: Mapping[str, str]) -> bytes:
    lines = []
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
            raise DeliveryFailed(f"a header {name[:60]!r} cannot be sent")
        if not _HEADER_VALUE.fullmatch(value):
            raise DeliveryFailed(f"the value of the header {name} cannot be sent: it holds control characters")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("latin-1")


def _joined(message: http.client.HTTPMessage) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in message.items():
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


@contextmanager
def _translated(origin: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as exc:
        raise ConsumerUnavailable(f"the certificate of {origin} is refused: {exc.verify_message}") from exc
    except (BackendTimeout, TimeoutError) as exc:
        raise ConsumerUnavailable(f"{origin} does not answer in time") from exc
    except ssl.SSLError as exc:
        raise ConsumerUnavailable(f"{origin} cannot be reached over TLS: {exc.reason or exc}") from exc
    except socket.gaierror as exc:
        raise ConsumerUnavailable(f"the name of {origin} cannot be resolved: {exc.strerror or exc}") from exc
    except http.client.IncompleteRead as exc:
        raise ConsumerUnavailable(f"{origin} ends its answer in the middle") from exc
    except http.client.RemoteDisconnected as exc:
        raise ConsumerUnavailable(f"{origin} closes the connection without an answer") from exc
    except http.client.HTTPException as exc:
        raise ConsumerUnavailable(f"{origin} does not answer in proper HTTP ({type(exc).__name__})") from exc
    except (OSError, HTTPError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else None
        raise ConsumerUnavailable(f"{origin} cannot be reached: {reason or exc}") from exc
