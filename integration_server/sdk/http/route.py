"""A destination: what may be connected to, whom to trust, and the connections that wait for a request."""

from __future__ import annotations

import ssl
import time
from collections import deque
from dataclasses import dataclass, field

from integration_server.sdk import addresses
from integration_server.sdk.certificates import Sightings, authorities_of
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import ConsumerUnavailable
from integration_server.sdk.http.connection import Line
from integration_server.sdk.urls import Target

_IDLE_LIMIT = 64


@dataclass(slots=True)
class Route:
    """One destination. Used from many threads."""

    target: Target
    allowed: tuple[addresses.Network, ...]
    resolver: addresses.Resolver
    ca_file: str | None
    is_verified: bool
    sightings: Sightings
    used_at: float = 0.0
    _idle: deque[Line] = field(default_factory=deque)
    _tls: ssl.SSLContext | None = None
    _is_closed: bool = False

    def head(self, method: str, query: str) -> bytes:
        """The beginning of a request; ``query`` is in ASCII, and added to what the URL has of one."""
        path = self.target.path
        if query:
            path += ("&" if "?" in path else "?") + query
        authority = self.target.authority
        return f"{method} {path} HTTP/1.1\r\nHost: {authority}\r\nAccept-Encoding: identity\r\n".encode("ascii")

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
            if self.ca_file is not None:
                for authority in authorities_of(context, f"ca_file {self.ca_file}", time.time()):
                    self.sightings.note(authority)
            self._tls = context
        return self._tls

    def met(self, certificate: bytes | None) -> None:
        """The destination has shown its certificate (DER)."""
        self.sightings.note_der(self.target.origin, certificate)

    def take(self, born_after: float) -> Line | None:
        """A connection that is young enough and that the receiver has not closed."""
        while True:
            try:
                line = self._idle.pop()
            except IndexError:
                return None
            if line.born > born_after and line.is_quiet():
                return line
            line.close()

    def give_back(self, line: Line) -> None:
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
