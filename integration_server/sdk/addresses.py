"""Which addresses may be connected to. Whoever may name a URL must not reach what only we can reach (SSRF).

Refused is what the IANA registries of special-purpose addresses (RFC 6890) hold, unless the administrator allows it.
An address that carries another one in it (IPv4-mapped, NAT64, 6to4, Teredo) is as good as that one.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import AddressRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: What a socket connects to, after its family.
SocketAddress = tuple[str, int] | tuple[str, int, int, int]

#: Where clouds hand out credentials to whoever asks from within: never, whatever the administrator allows.
_METADATA = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.169.0/24",  # AWS, Azure, Google, OpenStack and most others: .254; AWS also .253 and .123
        "169.254.170.0/24",  # AWS ECS (.2) and EKS (.23)
        "169.254.42.42/32",  # Scaleway
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure's host
        "192.0.0.192/32",  # Oracle
        "fd00:ec2::/32",  # AWS: ::254, ::23
        "fd20:ce::254/128",  # Google
        "fd00:42::42/128",  # Scaleway
    )
)

_REFUSED_V4 = {
    "0.0.0.0/8": "an address of this host",
    "10.0.0.0/8": "a private address",
    "100.64.0.0/10": "a carrier's private address",
    "127.0.0.0/8": "a loopback address",
    "169.254.0.0/16": "a link-local address",
    "172.16.0.0/12": "a private address",
    "192.0.0.0/24": "a reserved address",
    "192.0.2.0/24": "a documentation address",
    "192.88.99.0/24": "a reserved address",
    "192.168.0.0/16": "a private address",
    "198.18.0.0/15": "a benchmark address",
    "198.51.100.0/24": "a documentation address",
    "203.0.113.0/24": "a documentation address",
    "224.0.0.0/4": "a multicast address",
    "240.0.0.0/4": "a reserved address",
}
_REFUSED_V6 = {
    "::/128": "an address of this host",
    "::1/128": "a loopback address",
    "64:ff9b::/96": "a NAT64 address",
    "64:ff9b:1::/48": "a NAT64 address",
    "100::/64": "a discard address",
    "2001::/32": "a Teredo address",
    "2001::/23": "a reserved address",
    "2001:db8::/32": "a documentation address",
    "2002::/16": "a 6to4 address",
    "3fff::/20": "a documentation address",
    "fc00::/7": "a private address",
    "fe80::/10": "a link-local address",
    "ff00::/8": "a multicast address",
}
_REFUSED = tuple((ipaddress.ip_network(network), reason) for network, reason in (_REFUSED_V4 | _REFUSED_V6).items())
#: All that has been given out for the public IPv6 network; whatever lies outside is refused by default.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks or single addresses. Raises ValueError."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def check(host: str, address: str, allowed: Sequence[Network]) -> None:
    """Raise AddressRefused unless ``address``, to which ``host`` leads, may be connected to."""
    refusal = _refusal(address, allowed)
    if refusal is not None:
        shown = host if host == address else f"{host} ({address})"
        raise AddressRefused(f"{shown} {refusal}")


def check_literal(host: str, allowed: Sequence[Network]) -> None:
    """Raise AddressRefused where ``host`` is itself an address, and may not be connected to. Names are not resolved."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    check(host, host, allowed)


def _refusal(text: str, allowed: Sequence[Network]) -> str | None:
    address = ipaddress.ip_address(text)
    for each in (address, *_carried(address)):
        if _is_in(each, _METADATA):
            return "is where a cloud hands out credentials; nothing is ever sent there"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        # The system connects to the IPv4 address; there is no other behind it.
        address = address.ipv4_mapped
    for each in (address, *_carried(address)):
        if (reason := _reason(each)) is not None and not _is_in(each, allowed):
            return f"is {reason}; add {each} or its network to [forwarding] allow_networks if that is meant"
    return None


def _carried(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses in an IPv6 address to which some router or the system itself would lead."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64 or (address.packed[:12] == bytes(12) and int(address) > 1):
        yield ipaddress.IPv4Address(address.packed[12:])


def _reason(address: Address) -> str | None:
    for network, reason in _REFUSED:
        if address.version == network.version and address in network:
            return reason
    if isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC_V6:
        return "a reserved address"
    return None


def _is_in(address: Address, several: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in several)


class Resolver:
    """Asks the system for addresses, and waits no longer than the deadline: nothing can cut ``getaddrinfo`` short.

    One question for a name is under way at a time, and shared; so a name whose servers are silent holds one thread, not
    one for each delivery. Thread-safe. The threads are daemons and end by themselves.
    """

    def __init__(self, threads: int = 64) -> None:
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, int], Future[list[tuple[int, SocketAddress]]]] = {}
        self._places = threading.Semaphore(threads)

    def addresses(self, host: str, port: int, deadline: Deadline) -> list[tuple[int, SocketAddress]]:
        """Family and address of each answer. Raises OSError, or BackendTimeout when the deadline passes."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            answer = self.ask(host, port)
        else:
            is_v4 = isinstance(address, ipaddress.IPv4Address)
            return [(socket.AF_INET, (host, port)) if is_v4 else (socket.AF_INET6, (host, port, 0, 0))]
        try:
            return answer.result(deadline.remaining())
        except FutureTimeout:
            if answer.done():
                raise
            raise TimeoutError("the name is not resolved in time") from None

    def ask(self, host: str, port: int) -> Future[list[tuple[int, SocketAddress]]]:
        """The answer for a name, without waiting for it: the same, or an OSError or UnicodeError where there is none.
        Raises OSError where too many names wait already."""
        key = (host, port)
        with self._lock:
            answer = self._asked.get(key)
            if answer is None:
                if not self._places.acquire(blocking=False):
                    raise OSError("too many names wait for the resolver")
                answer = self._asked[key] = Future()
                threading.Thread(target=self._resolve, args=(key, answer), name="resolver", daemon=True).start()
        return answer

    def _resolve(self, key: tuple[str, int], answer: Future[list[tuple[int, SocketAddress]]]) -> None:
        found: list[tuple[int, SocketAddress]] = []
        error: Exception | None = None
        try:
            for family, _, _, _, address in socket.getaddrinfo(*key, type=socket.SOCK_STREAM):
                if family in (socket.AF_INET, socket.AF_INET6):
                    found.append((family, address))  # type: ignore[arg-type]
        except (OSError, UnicodeError) as exc:
            error = exc
        finally:
            # Before the answer is given: whoever asks after that must get a newer one.
            with self._lock:
                del self._asked[key]
            self._places.release()
        if error is None and found:
            answer.set_result(found)
        else:
            answer.set_exception(error or OSError("the name has no address"))
