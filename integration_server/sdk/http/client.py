"""Sending to receivers; every failure comes out as one of DeliveryFailed's family."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from urllib3.exceptions import HTTPError

from integration_server.sdk import addresses
from integration_server.sdk.answers import ANSWER_LIMIT, HttpAnswer
from integration_server.sdk.certificates import Sightings
from integration_server.sdk.deadline import Deadline, Watchdog
from integration_server.sdk.errors import (
    AddressRefused,
    BackendTimeout,
    ConsumerUnavailable,
    DeliveryFailed,
    ReceiverUnreachable,
)
from integration_server.sdk.headers import header_lines
from integration_server.sdk.http.connection import Line, Stale
from integration_server.sdk.http.route import Route
from integration_server.sdk.urls import parse_url

#: Seconds. So long a connection may serve after its address was checked.
_CONNECTION_AGE = 60.0
_ROUTES_LIMIT = 4096
_QUERY = re.compile("[!-~]*")
#: URL, allow_networks, ca_file, is_verified.
RouteKey = tuple[str, tuple[str, ...], str | None, bool]


class HttpClient:
    """Sends to any number of destinations. Thread-safe. Close it."""

    def __init__(
        self,
        allow_networks: Sequence[str],
        watchdog: Watchdog,
        clock: Callable[[], float] = time.monotonic,
        sightings: Sightings | None = None,
    ) -> None:
        """``allow_networks`` of ``[forwarding]`` holds for every destination; ``sightings`` are told of the
        certificates that destinations show. Raises ValueError for a wrong network."""
        self._sightings = sightings or Sightings()
        self._allowed = addresses.networks(allow_networks)
        self._watchdog = watchdog
        self._clock = clock
        self._resolver = addresses.Resolver()
        self._lock = threading.Lock()
        self._routes: dict[RouteKey, Route] = {}
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
        answer_limit: int = ANSWER_LIMIT,
    ) -> HttpAnswer:
        """The answer, whatever its status; of its body, so many bytes, after which the connection is dropped.

        ``allow_networks`` adds to those of the client. ``ca_file`` holds the only authorities that are trusted (PEM);
        with ``is_verified`` false any certificate will do. All in all it takes no longer than ``deadline``.

        Raises AddressRefused where the URL leads to an address that is not allowed, ReceiverUnreachable when nothing
        was sent, ConsumerUnavailable when there is no whole answer to what was, and DeliveryFailed for a URL or a
        header that cannot be sent. Messages name the host, never the path or the query.

        A connection that was kept alive may have been closed by the receiver in the very moment in which the request
        goes out. When not a byte of an answer comes on such a one, the request is sent once more on a new connection.
        """
        content = b"Content-Length: %d\r\n" % len(body)
        route = self._route((url, tuple(allow_networks), ca_file, is_verified))
        return self._send(route, route.head("POST", ""), headers, content, body, deadline, answer_limit)

    def get(
        self,
        url: str,
        query: str,
        headers: Mapping[str, str],
        deadline: Deadline,
        *,
        allow_networks: Sequence[str] = (),
        ca_file: str | None = None,
        is_verified: bool = True,
        answer_limit: int = ANSWER_LIMIT,
    ) -> HttpAnswer:
        """The same by GET, with ``query`` (percent-encoded) added to that of the URL. Redirects are not followed."""
        if not _QUERY.fullmatch(query):
            raise DeliveryFailed("a query is of printable ASCII and has no white space in it")
        route = self._route((url, tuple(allow_networks), ca_file, is_verified))
        return self._send(route, route.head("GET", query), headers, b"", b"", deadline, answer_limit)

    def _send(
        self,
        route: Route,
        head: bytes,
        headers: Mapping[str, str],
        content: bytes,
        body: bytes,
        deadline: Deadline,
        limit: int,
    ) -> HttpAnswer:
        try:
            lines = header_lines(headers)
        except ValueError as exc:
            raise DeliveryFailed(str(exc)) from exc
        request = b"".join((head, content, lines, b"\r\n", body))
        kept = route.take(self._clock() - _CONNECTION_AGE)
        line = kept or Line(route, self._clock())
        with _told_unsent(line), _translated(route.target.origin):
            if kept is None:
                return self._exchange(route, line, request, deadline, limit)
            with suppress(Stale):
                return self._exchange(route, line, request, deadline, limit)
            # What closed that one has most likely closed the others, too.
            route.drop_idle()
            answer = self._exchange(route, Line(route, self._clock()), request, deadline, limit)
            return replace(answer, is_second=True)

    def check(self, url: str, deadline: Deadline, *, allow_networks: Sequence[str] = ()) -> None:
        """Find out, without connecting, whether something may be sent there. Raises as ``post``.

        Good for telling early; it is no protection, since a name may lead elsewhere a moment later.
        """
        route = self._route((url, tuple(allow_networks), None, True))
        with _translated(route.target.origin):
            route.checked_addresses(deadline)

    def check_literal(self, url: str, *, allow_networks: Sequence[str] = ()) -> None:
        """Raise AddressRefused where the host of ``url`` is an address to which nothing may be sent. Asks nobody: what
        a name leads to shows when something is sent. Raises ValueError for what is no URL."""
        addresses.check_literal(parse_url(url).host, (*self._allowed, *addresses.networks(allow_networks)))

    def check_address(self, address: str, *, allow_networks: Sequence[str] = ()) -> None:
        """Raise AddressRefused where nothing may be sent to an IP address, by whatever protocol. Raises ValueError for
        what is none."""
        addresses.check(address, address, (*self._allowed, *addresses.networks(allow_networks)))

    def close(self) -> None:
        """Close every connection, those in use when they are done. May be called twice."""
        with self._lock:
            self._is_closed = True
            routes = list(self._routes.values())
            self._routes.clear()
        for route in routes:
            route.close()

    def _exchange(self, route: Route, line: Line, request: bytes, deadline: Deadline, limit: int) -> HttpAnswer:
        is_reusable = False
        try:
            with self._watchdog.guard(deadline, line.abort):
                line.open(deadline)
                answer, is_reusable = line.exchange(request, limit, deadline.wait_begins)
            return answer
        finally:
            if is_reusable:
                line.settle()
                route.give_back(line)
            else:
                line.close()

    def _route(self, key: RouteKey) -> Route:
        now = self._clock()
        if now >= self._sweep_at:
            self._sweep(now)
        route = self._routes.get(key)
        if route is None:
            route = self._new_route(key)
        route.used_at = now
        return route

    def _new_route(self, key: RouteKey) -> Route:
        url, allow_networks, ca_file, is_verified = key
        try:
            target = parse_url(url)
            allowed = (*self._allowed, *addresses.networks(allow_networks))
        except ValueError as exc:
            raise DeliveryFailed(str(exc)) from exc
        with self._lock:
            if self._is_closed:
                raise ReceiverUnreachable("deliveries have been stopped")
            if len(self._routes) >= _ROUTES_LIMIT:
                oldest = min(self._routes, key=lambda each: self._routes[each].used_at)
                self._routes.pop(oldest).close()
            made = Route(target, allowed, self._resolver, ca_file, is_verified, self._sightings)
            return self._routes.setdefault(key, made)

    def _sweep(self, now: float) -> None:
        """Close what is too old to be used again, and forget destinations that nobody wants any more."""
        with self._lock:
            self._sweep_at = now + _CONNECTION_AGE / 4
            for key, route in list(self._routes.items()):
                route.drop_older(now - _CONNECTION_AGE)
                if route.used_at < now - 10 * _CONNECTION_AGE:
                    self._routes.pop(key).close()


@contextmanager
def _told_unsent(line: Line) -> Iterator[None]:
    """Tell an outage before which nothing went out on ``line`` from one after which nobody knows what was read."""
    try:
        yield
    except AddressRefused:
        raise
    except ConsumerUnavailable as exc:
        if line.has_sent:
            raise
        raise ReceiverUnreachable(str(exc)) from exc.__cause__


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
