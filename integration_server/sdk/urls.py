"""URLs to which something is sent: read strictly, and shown without their keys."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_NAME = re.compile(
    r"(?=.{1,253}\.?$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?"
)
#: A last label by which a host is an address (WHATWG URL, "ends in a number").
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_FOUR_NUMBERS = re.compile(rf"{_BYTE}(\.{_BYTE}){{3}}")
#: Older versions of urlsplit() pass over what stands beside the brackets.
_LITERAL = re.compile(r"\[[^\[\]]*\](:[0-9]*)?")
#: Sent as they stand: what is printable in ASCII, so that a key in the query arrives as it was written.
_VERBATIM = "".join(chr(code) for code in range(0x21, 0x7F))
MASK = "***"
#: The password within a URL, and what stands before it.
URL_PASSWORD = re.compile(r"(://[^:/?#@\s]*):[^@/\s]+@")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads. ``path`` includes the query; ``host`` has no brackets, and no letters beyond ASCII."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """As in the Host header (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host.rstrip(".")
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Safe to log: neither path nor query, which may hold keys."""
        return f"{self.scheme}://{self.authority}"


def parse_url(url: str) -> Target:
    """Read an absolute http or https URL. Raises ValueError that quotes nothing of it, since it may hold a key."""
    if any(character <= " " or character == "\x7f" for character in url):
        raise ValueError("a URL holds no white space or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("this is not a URL: its host or port cannot be read") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("a URL must begin with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("a URL must not hold a user name or password; send them in a header")
    if "\\" in parts.netloc or not parts.hostname or port == 0:
        raise ValueError("this is not a URL: its host or port cannot be read")
    path = quote(parts.path or "/", safe=_VERBATIM)
    if parts.query:
        path += "?" + quote(parts.query, safe=_VERBATIM)
    is_bracketed = "[" in parts.netloc or "]" in parts.netloc
    if is_bracketed and not _LITERAL.fullmatch(parts.netloc):
        raise ValueError("this is not a URL: its host or port cannot be read")
    host = _literal(parts.hostname) if is_bracketed else _name(parts.hostname)
    return Target(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], path)


def _literal(found: str) -> str:
    """What stands in brackets: an IPv6 address, and without the name of a network interface."""
    try:
        return str(ipaddress.IPv6Address("" if "%" in found else found))
    except ValueError:
        raise ValueError("this is not a URL: what stands in brackets is not an IPv6 address") from None


def _name(found: str) -> str:
    try:
        host = found.encode("idna").decode("ascii").lower()
    except UnicodeError:
        host = ""
    if not _HOST_NAME.fullmatch(host):
        raise ValueError("this is not a URL: its host is not a name or an address")
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) and not _FOUR_NUMBERS.fullmatch(host):
        # Resolvers read them as addresses, each in its own way.
        raise ValueError("this is not a URL: an address is written as four numbers, such as 192.0.2.1")
    return host


def masked_url(url: str) -> str:
    """The URL for people to read: of the query, only the names; what else could be a password is left out."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    if not parts.netloc or "@" in parts.netloc:
        return f"{parts.scheme}://{MASK}"
    shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
    if parts.query:
        shown += "?" + "&".join(_masked_pair(pair) for pair in parts.query.split("&"))
    return shown


def _masked_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={MASK}" if equals else MASK
