"""Who asks, when reverse proxies stand in between."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING

from integration_server.sdk.errors import ConfigError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

IS_FORWARDED = "integration_server.is_forwarded"
"""Key of the environ: whether the request bore forwarding headers, believed or not. Where it is true and the
caller seems to be this machine, a proxy may stand in front that nobody told us about."""

_FOR = "HTTP_X_FORWARDED_FOR"
_PROTO = "HTTP_X_FORWARDED_PROTO"

Address = IPv4Address | IPv6Address


class TrustedProxies:
    """WSGI middleware that takes the caller's address and scheme from the proxies named in ``trusted``.

    ``trusted`` are IP addresses and networks (``10.1.0.0/16``); ConfigError names one that is neither. A
    trusted peer's X-Forwarded-For is read from the right, past further trusted proxies, to the first address
    that is not one; the last X-Forwarded-Proto gives ``wsgi.url_scheme``. What cannot be read counts as if it
    were not there. The application never sees a forwarding header: those of anybody else are forged, and
    these are used up.
    """

    def __init__(self, app: WSGIApplication, trusted: Sequence[str]) -> None:
        self._app = app
        self._networks = tuple(_network(text) for text in trusted)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        headers = _taken_out(environ)
        environ[IS_FORWARDED] = bool(headers)
        peer = _address(environ.get("REMOTE_ADDR", "")) if self._networks else None
        if peer is not None and self._is_trusted(peer):
            client = self._client(peer, headers.get(_FOR, ""))
            if client != peer:
                environ["REMOTE_ADDR"] = environ["REMOTE_HOST"] = str(client)
                environ.pop("REMOTE_PORT", None)
            environ["wsgi.url_scheme"] = _scheme(headers.get(_PROTO, ""))
        return self._app(environ, start_response)

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def _client(self, peer: Address, forwarded_for: str) -> Address:
        """The nearest address that is no trusted proxy's; the farthest proxy's where all are; ``peer`` if
        unreadable."""
        client = peer
        hops = forwarded_for.split(",") if forwarded_for.strip() else []
        while hops and self._is_trusted(client):
            hop = _address(hops.pop())
            if hop is None:
                return peer
            client = hop
        return client


def _taken_out(environ: WSGIEnvironment) -> dict[str, str]:
    """The forwarding headers, which are in the environment no more. Mostly there are none, which one look tells."""
    names = "\n".join(environ)
    if "HTTP_FORWARDED" not in names and "HTTP_X_FORWARDED_" not in names:
        return {}
    return {key: environ.pop(key) for key in list(environ) if _is_forwarding(key)}


def _is_forwarding(key: str) -> bool:
    return key == "HTTP_FORWARDED" or key.startswith("HTTP_X_FORWARDED_")


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as exc:
        raise ConfigError(
            f"{text!r} is not an IP address or network (such as 192.0.2.7, 10.1.0.0/16 or fd00::/8)"
        ) from exc


def _address(text: str) -> Address | None:
    """The address in one entry of X-Forwarded-For, which may carry quotes, brackets, a port or an
    interface."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text, bracket, _ = text[1:].partition("]")
        if not bracket:
            return None
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _scheme(forwarded_proto: str) -> str:
    last = forwarded_proto.rpartition(",")[2].strip().lower()
    return last if last in ("http", "https") else "http"
