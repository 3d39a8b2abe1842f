"""Which addresses may be connected to."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from integration_server import AddressRefused, Deadline, Resolver
from integration_server.sdk.addresses import check, networks

PUBLIC = (
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.0.0.0", "128.0.0.0"),
    *("172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0"),
    *("223.255.255.255", "2600::1", "2a00:1450::1", "2003::1", "::ffff:8.8.8.8", "3ffe::1"),
)  # fmt: skip
INTERNAL = {
    "loopback": ("127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"),
    "private": ("10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fdff::1"),
    "carrier": ("100.64.0.1", "100.127.255.255"),
    "link-local": ("169.254.1.1", "fe80::1", "febf::1", "fe80::1%2"),
    "this host": ("0.0.0.0", "0.1.2.3", "::"),
    "reserved": ("192.0.0.1", "192.88.99.1", "240.0.0.1", "255.255.255.255", "4000::1", "::2", "::7f00:1", "fec0::1"),
    "documentation": ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"),
    "benchmark": ("198.18.0.1", "198.19.255.255"),
    "multicast": ("224.0.0.1", "239.255.255.255", "ff02::1"),
    "6to4": ("2002:7f00:1::", "2002:808:808::1"),
    "NAT64": ("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1"),
    "Teredo": ("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    "discard": ("100::1",),
}
METADATA = (
    *("169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::169.254.169.254", "fd20:ce::254"),
)
EVERYTHING = networks(["0.0.0.0/0", "::/0"])


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    check(address, address, ())


@pytest.mark.parametrize(("reason", "address"), [(r, a) for r, several in INTERNAL.items() for a in several])
def test_every_other_address_is_refused_until_it_is_allowed(reason: str, address: str) -> None:
    with pytest.raises(AddressRefused, match=r"\[forwarding\] allow_networks") as caught:
        check("hook.example.org", address, ())
    assert f"hook.example.org ({address})" in str(caught.value)
    check("hook.example.org", address, EVERYTHING)


@pytest.mark.parametrize(("reason", "address"), [(r, a) for r, (a, *_) in INTERNAL.items()])
def test_refusal_says_what_kind_of_address_it_is(reason: str, address: str) -> None:
    with pytest.raises(AddressRefused, match=reason):
        check("h", address, ())


@pytest.mark.parametrize("address", METADATA)
def test_metadata_is_refused_whatever_is_allowed(address: str) -> None:
    with pytest.raises(AddressRefused, match="credentials") as caught:
        check("h", address, (*EVERYTHING, *networks([address])))
    assert "allow_networks" not in str(caught.value)


def test_what_the_message_says_to_add_is_enough() -> None:
    for address in ("10.1.2.3", "::1", "::ffff:10.1.2.3", "fd12::5"):
        with pytest.raises(AddressRefused) as caught:
            check("h", address, ())
        named = str(caught.value).partition("; add ")[2].split()[0]
        check("h", address, networks([named]))


def test_a_translated_address_needs_both_its_own_and_the_inner_networks_leave() -> None:
    nat64 = networks(["64:ff9b::/96"])
    check("h", "64:ff9b::808:808", nat64)
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
        check("h", "64:ff9b::a00:1", nat64)
    with pytest.raises(AddressRefused, match="NAT64"):
        check("h", "64:ff9b::a00:1", networks(["10.0.0.0/8"]))
    check("h", "64:ff9b::a00:1", (*nat64, *networks(["10.0.0.0/8"])))


def test_allowing_one_network_opens_no_other() -> None:
    for address in ("10.0.1.0", "127.0.0.1", "::1", "::ffff:10.0.1.0"):
        with pytest.raises(AddressRefused):
            check("h", address, networks(["10.0.0.0/24"]))


def test_a_network_may_be_given_with_host_bits_set() -> None:
    check("h", "10.0.0.9", networks(["10.0.0.1/24"]))
    with pytest.raises(ValueError, match="nonsense"):
        networks(["nonsense"])


def test_resolver_is_asked_without_waiting_and_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    may_answer = threading.Event()
    asked = []

    def answer(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        may_answer.wait(20)
        return [(socket.AF_INET, 1, 6, "", ("192.0.2.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    resolver = Resolver()
    first, second = resolver.ask("a.example", 443), resolver.ask("a.example", 443)
    assert not first.done()
    may_answer.set()
    found = [(socket.AF_INET, ("192.0.2.1", 443))]
    assert first.result(20) == second.result(20) == resolver.addresses("a.example", 443, Deadline(20)) == found
    assert resolver.addresses("2001:db8::1", 443, Deadline(20)) == [(socket.AF_INET6, ("2001:db8::1", 443, 0, 0))]
    assert asked == ["a.example", "a.example"], "an answer is not kept"


def test_resolver_takes_no_more_names_than_it_has_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    may_answer = threading.Event()

    def fail(*_: Any, **__: Any) -> list[Any]:
        may_answer.wait(20)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    resolver = Resolver(threads=1)
    first = resolver.ask("a.example", 443)
    with pytest.raises(OSError, match="too many"):
        resolver.ask("b.example", 443)
    may_answer.set()
    with pytest.raises(socket.gaierror):
        first.result(20)
