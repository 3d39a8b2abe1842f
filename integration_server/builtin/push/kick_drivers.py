"""The shipped ways of waking a user agent: a UDP datagram, an HTTP POST, and plugins."""

from __future__ import annotations

import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from integration_server import (
    AddressRefused,
    ConfigError,
    ConsumerUnavailable,
    Deadline,
    DeliveryFailed,
    Gateway,
    HttpClient,
    Rates,
    __version__,
    parse_url,
)
from integration_server.builtin.push.settings import PushSettings
from integration_server.builtin.push.waking import KickData, KickDriver, KickFailed, Sleeper, Unwakeable

#: Where user agents tell their address: in the kick data themselves, or in one of these (hello of WebSocket v1).
_PLACES = ("wakeup_hostport", "wakeup_host", "interface")
_DATAGRAM = b"push"
#: A receiver that was down is left alone for so many seconds.
_REST_SECONDS = 30.0
_MOST_RESTING = 10_000
#: Wake-ups a minute to one destination that user agents name: whoever registers many must flood nobody.
_PER_MINUTE = 600.0


@dataclass(frozen=True, slots=True)
class HostPort:
    """A literal IP address and a port."""

    ip: str
    port: int


def host_port(kick: KickData) -> HostPort:
    """Where ``ip`` and ``port`` of the kick data point to. Raises Unwakeable, without repeating a value."""
    places = [found for name in _PLACES if isinstance(found := kick.get(name), Mapping)]
    place = kick if "ip" in kick or not places else places[0]
    ip, port = place.get("ip"), place.get("port")
    if not isinstance(ip, str) or not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
        raise Unwakeable("ip and port: an IP address and a number from 1 to 65535 must be there")
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        raise Unwakeable("ip: must be an IP address; names are not looked up") from None
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise Unwakeable("ip: must be an address without the name of a network interface")
    return HostPort(str(address), port)


class UdpKick(KickDriver):
    """Sends a datagram with the text ``push`` to the address that a user agent told. Nobody answers it, and it may be
    lost."""

    def __init__(
        self, http: HttpClient, allow_networks: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        # Of the client, only its rules about addresses.
        self._http = http
        self._allow_networks = tuple(allow_networks)
        self._rates = Rates(_PER_MINUTE, clock)

    def check(self, kick: KickData) -> None:
        self._allowed(kick)

    def wake(self, sleeper: Sleeper, deadline: Deadline) -> None:
        try:
            place = self._allowed(sleeper.kick)
        except Unwakeable as exc:
            raise KickFailed(str(exc)) from None
        if not self._rates.allows(place.ip):
            raise KickFailed(f"too many are to be woken at {place.ip}")
        family = socket.AF_INET6 if ":" in place.ip else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(_DATAGRAM, (place.ip, place.port))
        except OSError as exc:
            raise KickFailed(f"no datagram can be sent to {place.ip}: {exc.strerror or exc}") from exc

    def _allowed(self, kick: KickData) -> HostPort:
        place = host_port(kick)
        try:
            self._http.check_address(place.ip, allow_networks=self._allow_networks)
        except AddressRefused as exc:
            raise Unwakeable(f"ip: {exc}") from None
        return place


class HttpKick(KickDriver):
    """Sends the kick data by HTTP POST: to ``url``, where an operator wakes devices; or, where that is None, to the
    ``url`` in the kick data themselves."""

    def __init__(
        self,
        http: HttpClient,
        url: str | None,
        format: Literal["form", "json"],
        allow_networks: Sequence[str],
        ca_file: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._url = url
        self._format = format
        self._allow_networks = tuple(allow_networks)
        self._ca_file = ca_file
        self._clock = clock
        self._lock = threading.Lock()
        self._resting: dict[str, float] = {}
        self._rates = Rates(_PER_MINUTE, clock)

    def check(self, kick: KickData) -> None:
        if self._url is not None:
            if not kick:
                raise Unwakeable("there is nothing in it")
            return
        url = kick.get("url")
        if not isinstance(url, str):
            raise Unwakeable("url: the URL must be there to which a POST wakes")
        try:
            self._http.check_literal(url, allow_networks=self._allow_networks)
        except (AddressRefused, ValueError) as exc:
            raise Unwakeable(f"url: {exc}") from None

    def wake(self, sleeper: Sleeper, deadline: Deadline) -> None:
        try:
            self.check(sleeper.kick)
        except Unwakeable as exc:
            raise KickFailed(str(exc)) from None
        url = self._url or str(sleeper.kick["url"])
        origin = parse_url(url).origin
        if self._url is None and not self._rates.allows(origin):
            raise KickFailed(f"too many are to be woken at {origin}")
        if self._is_resting(origin):
            raise KickFailed(f"{origin} failed a moment ago and is left alone")
        headers = {"User-Agent": f"integration-server/{__version__}", "Content-Type": _MEDIA_TYPES[self._format]}
        try:
            answer = self._http.post(
                url,
                _body({name: value for name, value in sleeper.kick.items() if name != "url"}, self._format),
                headers,
                deadline,
                allow_networks=self._allow_networks,
                ca_file=self._ca_file,
            )
        except ConsumerUnavailable as exc:
            self._rest(origin)
            raise KickFailed(str(exc)) from exc
        except DeliveryFailed as exc:
            raise KickFailed(str(exc)) from exc
        if not answer.is_success:
            raise KickFailed(f"{origin} answers with status {answer.status}")

    def _is_resting(self, origin: str) -> bool:
        with self._lock:
            return self._clock() < self._resting.get(origin, 0.0)

    def _rest(self, origin: str) -> None:
        """One that does not answer must not hold up who would wake others."""
        with self._lock:
            self._resting.pop(origin, None)
            self._resting[origin] = self._clock() + _REST_SECONDS
            if len(self._resting) > _MOST_RESTING:
                del self._resting[next(iter(self._resting))]


_MEDIA_TYPES = {"form": "application/x-www-form-urlencoded", "json": "application/json"}


def _body(kick: KickData, format: Literal["form", "json"]) -> bytes:
    """JSON as it was told; a form has the plain values, those of objects under their own names, as operators' wake-up
    nodes take them (ip, port, protocol, mcc, mnc, netid)."""
    if format == "json":
        return json.dumps(kick, separators=(",", ":")).encode("ascii")
    fields: dict[str, str] = {}
    for name, value in kick.items():
        for inner, found in value.items() if isinstance(value, Mapping) else ((name, value),):
            if isinstance(found, str | int | float):
                fields[inner] = str(found).lower() if isinstance(found, bool) else str(found)
    return urlencode(fields, errors="replace").encode("ascii")


class PluginKick(KickDriver):
    """Leaves it to plugins (the hook ``wake_consumer``), who alone know what the data mean."""

    def __init__(self, tell: Callable[[str, Mapping[str, object]], None]) -> None:
        self._tell = tell

    def check(self, kick: KickData) -> None:
        if not kick:
            raise Unwakeable("there is nothing in it")

    def wake(self, sleeper: Sleeper, deadline: Deadline) -> None:
        try:
            self._tell(sleeper.uaid, sleeper.kick)
        except Exception as exc:
            # Whatever a stranger's code raises; its text could hold the data.
            raise KickFailed(f"a plugin's wake_consumer failed with {type(exc).__name__}") from exc


def kick_driver(settings: PushSettings, gateway: Gateway) -> KickDriver | None:
    """The one that a mount's settings name. Raises ConfigError where there is no plugin that wakes."""
    match settings.kick:
        case "udp":
            return UdpKick(gateway.http, settings.kick_allow_networks)
        case "http":
            url = None if settings.kick_url is None else settings.kick_url.get_secret_value()
            return HttpKick(gateway.http, url, settings.kick_format, settings.kick_allow_networks)
        case "plugin":
            if not gateway.has_wakers:
                raise ConfigError('kick = "plugin": no plugin has the hook wake_consumer')
            return PluginKick(gateway.wake_consumer)
    return None
