"""URLs that browsers are sent to: this mount's own, slaves, and the pages that people come from. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

import flask

from integration_server import ConfigError, parse_url
from integration_server.builtin.ips_connect.settings import GatewaySettings

#: Where forums look for a gateway below the URL of a site.
USUAL_PATH = "/applications/core/interface/ipsconnect/ipsconnect.php"

#: Characters. A way back travels within the URL of a slave, which must stay below 8 kB.
_LONGEST_PAGE = 2048
_USUAL_PORTS = frozenset({80, 443})
#: What may stand in a fragment as it is (RFC 3986 §3.5), and the sign of what is encoded already.
_FRAGMENT = "%!$&'()*+,;=:@/?-._~"

#: Host and port.
Site = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Here:
    """This mount as the browser of the current request sees it."""

    url: str
    cookie_path: str
    is_encrypted: bool


class Places:
    """What the settings of a mount say of places. Raises ConfigError for an URL or a host that is none."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._public = _configured("public_url", settings.public_url)
        #: Where browsers are led that have no way back.
        self.home = _configured("home_url", settings.home_url)
        self._mount = settings.path.rstrip("/")
        own = (url for url in (self._public, self.home) if url is not None)
        self._known = frozenset([*map(_site, own), *map(_configured_site, settings.known_hosts)])

    def here(self, request: flask.Request) -> Here:
        """Raises ValueError where the mount's URL is not configured, and the request's Host header is no host."""
        url = self._public or plain_url(request.base_url)
        if self._public is None:
            path = request.root_path.rstrip("/") + self._mount
        else:
            path = urlsplit(self._public).path.rstrip("/").removesuffix(USUAL_PATH)
        return Here(url, path or "/", request.is_secure or url.startswith("https:"))

    def page(self, url: str, slaves: Iterable[str]) -> str | None:
        """A page to which a browser may be sent back, in ASCII and as it was understood here; None for any other.

        Its host must be that of this mount, of one of the ``slaves`` or one of ``known_hosts``; its port theirs, or a
        usual one of the web.
        """
        try:
            page = plain_url(url)
            fragment = urlsplit(url).fragment
            host, port = _site(page)
        except ValueError:
            return None
        known = self._known.union(_site(slave) for slave in slaves)
        ports = {known_port for known_host, known_port in known if known_host == host}
        if not ports or port not in ports | _USUAL_PORTS:
            return None
        if fragment:
            page += "#" + quote(fragment, safe=_FRAGMENT)
        return page if len(page) <= _LONGEST_PAGE else None


def plain_url(url: str) -> str:
    """An URL in ASCII, without a fragment. Raises ValueError for what is no absolute http or https URL, and where two
    programs could read it differently (user names, backslashes, white space, addresses in other than the usual form).
    """
    target = parse_url(url)
    return target.origin + target.path


def bare_page(url: str) -> str:
    """A page without its query, in which forums carry keys."""
    return parse_url(url).origin + urlsplit(plain_url(url)).path


def shown_host(url: str) -> str:
    """What may be logged of an URL that anybody sent: its host and port, in ASCII."""
    try:
        return parse_url(url).authority
    except ValueError:
        return "an URL that cannot be read"


def with_query(url: str, parameters: Sequence[tuple[str, str]]) -> str:
    """A plain URL with parameters behind those that it has. Raises ValueError for text that is no Unicode."""
    joint = "" if url.endswith(("?", "&")) else "&" if "?" in url else "?"
    return url + joint + urlencode(parameters, quote_via=quote, safe="")


def _site(url: str) -> Site:
    target = parse_url(url)
    return target.host.rstrip("."), target.port


def _configured(key: str, url: str | None) -> str | None:
    try:
        return None if url is None else plain_url(url)
    except ValueError as exc:
        raise ConfigError(f"{key}: {exc}") from exc


def _configured_site(text: str) -> Site:
    """``host`` or ``host:port``, an IPv6 address in brackets."""
    try:
        target = parse_url(f"https://{text}")
    except ValueError as exc:
        raise ConfigError(f"known_hosts: {text!r} is not a host or host:port") from exc
    if target.path != "/" or any(mark in text for mark in "/?#"):
        raise ConfigError(f"known_hosts: {text!r} is not a host or host:port; leave scheme and path out")
    return _site(f"https://{text}")
