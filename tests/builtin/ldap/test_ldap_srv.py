"""Servers from DNS: in the order of RFC 2782, asked for anew in time, and an answer that once came is never lost."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator

import dns.nameserver
import dns.rcode
import dns.resolver
import pytest

from integration_server import BackendMisconfigured, BackendUnavailable, ConfigError, Deadline, Verdict
from integration_server.builtin.ldap import pool, srv
from integration_server.builtin.ldap.settings import NameServer, SrvName, parse_name_server, parse_server
from integration_server.builtin.ldap.srv import Record, SrvServers, ordered
from tests.builtin.ldap.opened import Opened
from tests.dns_server import DnsServer
from tests.servers import PEOPLE, Samba, Slapd
from tests.tcp_proxy import Refuse, TcpProxy

Open = Callable[..., Opened]
NewSlapd = Callable[..., Slapd]
Proxy = Callable[[int], TcpProxy]

ALICE = PEOPLE[0]
PASSWORD = "Passw0rd!y"
NAME = "_ldap._tcp.example.test"
URI = "ldap+srv://example.test"


@pytest.fixture
def names() -> Iterator[DnsServer]:
    server = DnsServer()
    yield server
    server.close()


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_servers_are_found_by_the_domain(slapd: Slapd, names: DnsServer, open_ldap: Open) -> None:
    names.records[NAME] = [f"0 100 {slapd.port} localhost."]
    opened = open_ldap(URI, nameservers=[names.address])
    assert len(opened.usernames()) == len(PEOPLE)
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    assert opened.login("alice", "wrong") is Verdict.REJECTED
    said = [finding.message for finding in opened.findings()]
    assert f"{URI}: DNS names ldap://localhost:{slapd.port}, which are asked in this order" in said
    assert names.asked == 1, "an answer is kept for its TTL"


def test_domain_controllers_are_found_by_their_domain(samba: Samba, names: DnsServer, open_ldap: Open) -> None:
    """Active Directory registers the plain port alone, and takes simple binds over TLS alone."""
    # A record holds a name; here it looks like the address at which this domain controller listens.
    names.records["_ldap._tcp.dc._msdcs.example.test"] = [f"0 100 389 {samba.address}."]
    reader = samba.add_user("srv-reader", PASSWORD)
    for uri, start_tls in (("ldaps+srv://dc._msdcs.example.test", False), ("ldap+srv://dc._msdcs.example.test", True)):
        opened = open_ldap(
            uri,
            nameservers=[names.address],
            start_tls=start_tls,
            profile="active_directory",
            ca_file=str(samba.ca_file),
            bind_dn=reader,
            bind_password=PASSWORD,
            bases=[samba.base],
            ldap_filter="(sAMAccountName=srv-reader)",
        )
        assert opened.usernames() == ["srv-reader"]
        assert opened.login("srv-reader", PASSWORD) is Verdict.ACCEPTED
    samba.delete(reader)


def test_the_systems_name_servers_are_asked_where_none_are_set(
    slapd: Slapd, names: DnsServer, open_ldap: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(resolver: dns.resolver.Resolver, file: object) -> None:
        resolver.nameservers = [dns.nameserver.Do53Nameserver("127.0.0.1", names.port)]

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", read)
    names.records[NAME] = [f"0 100 {slapd.port} localhost."]
    assert len(open_ldap(URI).usernames()) == len(PEOPLE)


@pytest.mark.parametrize("way", ["start_tls", "ldaps", "the port of the records"])
def test_a_certificate_is_compared_with_the_name_in_the_record(
    slapd: Slapd, new_slapd: NewSlapd, names: DnsServer, open_ldap: Open, way: str
) -> None:
    def opened(server: Slapd) -> Opened:
        more: dict[str, object] = {"nameservers": [names.address], "ca_file": str(server.ca_file)}
        names.records = {
            NAME: [f"0 100 {server.port} localhost."],
            NAME.replace("_ldap.", "_ldaps."): [f"0 100 {server.ldaps_port} localhost."],
        }
        if way == "start_tls":
            return open_ldap(URI, start_tls=True, **more)
        if way == "ldaps":
            return open_ldap(f"ldaps+srv://example.test:{server.ldaps_port}", **more)
        return open_ldap("ldaps+srv://_ldaps._tcp.example.test", **more)

    assert len(opened(slapd).usernames()) == len(PEOPLE)
    with pytest.raises(BackendUnavailable, match="Hostname mismatch"):
        opened(new_slapd(certificate="other_name")).users()


def test_the_lowest_priority_is_asked_first_and_the_next_one_when_it_fails(
    slapd: Slapd, names: DnsServer, tcp_proxy: Proxy, open_ldap: Open
) -> None:
    first, second = tcp_proxy(slapd.port), tcp_proxy(slapd.port)
    names.records[NAME] = [f"20 100 {second.port} localhost.", f"10 0 {first.port} localhost."]
    opened = open_ldap(URI, nameservers=[names.address])
    assert len(opened.usernames()) == len(PEOPLE)
    assert (first.accepted > 0, second.accepted) == (True, 0)
    first.fault = Refuse()
    first.drop()
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    assert second.accepted > 0


def test_machines_spread_by_the_weights_and_each_keeps_its_order() -> None:
    heavy, light, idle = Record("a", 389, 0, 75), Record("b", 389, 0, 25), Record("c", 389, 0, 0)
    later = Record("d", 389, 1, 1000)
    orders = [ordered([later, idle, light, heavy], f"machine {number}") for number in range(2000)]
    firsts = Counter(order[0].target for order in orders)
    assert firsts["a"] + firsts["b"] == 2000
    assert 0.70 < firsts["a"] / 2000 < 0.80
    assert {tuple(record.target for record in order[2:]) for order in orders} == {("c", "d")}
    assert ordered([heavy, light, idle], "one machine") == ordered([idle, light, heavy], "one machine")


def test_dns_is_asked_again_when_all_servers_fail(
    slapd: Slapd, names: DnsServer, tcp_proxy: Proxy, open_ldap: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(srv, "_AFTER_OUTAGE", 0.0)
    monkeypatch.setattr(pool, "_RESTART_SECONDS", 0.0)
    old, new = tcp_proxy(slapd.port), tcp_proxy(slapd.port)
    names.records[NAME] = [f"0 0 {old.port} localhost."]
    opened = open_ldap(URI, nameservers=[names.address])
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    names.records[NAME] = [f"0 0 {new.port} localhost."]
    old.fault = Refuse()
    old.drop()
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    assert new.accepted > 0
    new.fault = Refuse()
    new.drop()
    with pytest.raises(BackendUnavailable, match=f"localhost:{new.port}.*refused"):
        opened.find("alice")


def test_a_server_that_dns_no_longer_names_is_left(
    slapd: Slapd, names: DnsServer, tcp_proxy: Proxy, open_ldap: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(srv, "_SHORTEST", 0.0)
    names.ttl = 0
    old, new = tcp_proxy(slapd.port), tcp_proxy(slapd.port)
    names.records[NAME] = [f"0 0 {old.port} localhost."]
    opened = open_ldap(URI, nameservers=[names.address])
    assert opened.find("alice") is not None
    names.records[NAME] = [f"0 0 {new.port} localhost."]
    assert opened.find("alice") is not None
    assert new.accepted == 1


def targets(servers: SrvServers) -> list[str]:
    return [address.host for address in servers.current(Deadline(2))]


def test_an_answer_holds_for_its_ttl_and_beyond_it_while_dns_is_down(names: DnsServer) -> None:
    clock = Clock()
    name = parse_server(URI)
    assert isinstance(name, SrvName)
    servers = SrvServers(name, [parse_name_server(names.address)], clock)
    names.records[NAME] = ["0 0 389 One.example.test."]
    assert targets(servers) == ["one.example.test"]
    names.records[NAME] = ["0 0 389 two.example.test."]
    clock.now += 290
    assert targets(servers) == ["one.example.test"]
    names.rcode = dns.rcode.SERVFAIL
    clock.now += 20
    assert targets(servers) == ["one.example.test"]
    asked = names.asked
    assert targets(servers) == ["one.example.test"]
    assert names.asked == asked, "DNS that failed is left alone for a while"
    names.rcode = None
    del names.records[NAME]
    clock.now += 40
    assert targets(servers) == ["one.example.test"]
    names.records[NAME] = ["0 0 389 two.example.test."]
    clock.now += 40
    assert targets(servers) == ["two.example.test"]


def test_a_domain_without_servers_is_a_mistake_and_dns_that_is_down_an_outage(
    names: DnsServer, open_ldap: Open
) -> None:
    def opened() -> Opened:
        return open_ldap(URI, nameservers=[names.address])

    with pytest.raises(BackendMisconfigured, match=rf"{NAME}: DNS has no SRV records"):
        opened().users()
    names.records[NAME] = []
    with pytest.raises(BackendMisconfigured, match=rf"{NAME}: DNS has no SRV records"):
        opened().users()
    names.records[NAME] = ["0 0 0 ."]
    with pytest.raises(BackendMisconfigured, match=rf"{NAME}: DNS says that there is no such service"):
        opened().users()
    names.rcode = dns.rcode.SERVFAIL
    with pytest.raises(BackendUnavailable, match=rf"{NAME}: DNS cannot be asked"):
        opened().users()
    names.is_silent = True
    with pytest.raises(BackendUnavailable, match=rf"{NAME}: no answer of DNS within the time limit"):
        opened().users(0.5)


def test_servers_beside_a_domain_answer_while_dns_does_not(slapd: Slapd, names: DnsServer, open_ldap: Open) -> None:
    opened = open_ldap(URI, slapd.uri, nameservers=[names.address])
    assert len(opened.usernames()) == len(PEOPLE)
    said = [(finding.level, finding.message) for finding in opened.findings()]
    assert ("warning", f"{NAME}: DNS has no SRV records of this name") in said
    assert names.asked == 1


@pytest.mark.parametrize(
    ("uri", "record", "port", "is_tls"),
    [
        ("ldap+srv://example.org", "_ldap._tcp.example.org", None, False),
        ("ldap+srv://example.org./", "_ldap._tcp.example.org", None, False),
        ("ldap+srv://dc._msdcs.example.org", "_ldap._tcp.dc._msdcs.example.org", None, False),
        ("ldap+srv://_ldap._tcp.Berlin._sites.example.org", "_ldap._tcp.berlin._sites.example.org", None, False),
        ("ldaps+srv://example.org", "_ldap._tcp.example.org", 636, True),
        ("ldaps+srv://_ldaps._tcp.example.org", "_ldaps._tcp.example.org", None, True),
        ("ldaps+srv://example.org:3269", "_ldap._tcp.example.org", 3269, True),
    ],
)
def test_a_domain_stands_for_its_ldap_records(uri: str, record: str, port: int | None, is_tls: bool) -> None:
    name = parse_server(uri)
    assert isinstance(name, SrvName)
    assert (name.record, name.port, name.is_tls) == (record, port, is_tls)


@pytest.mark.parametrize(
    "uri", ["ldap+srv://", "ldap+srv://192.0.2.1", "ldap+srv://a..b", "ldap+srv://host/dc=x", "srv://example.org"]
)
def test_what_is_no_domain_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"srv://"):
        parse_server(uri)


def test_name_servers_are_addresses(open_ldap: Open) -> None:
    assert parse_name_server("192.0.2.1") == NameServer("192.0.2.1", 53)
    assert parse_name_server("2001:db8::1") == NameServer("2001:db8::1", 53)
    assert parse_name_server("[2001:db8::1]:5353") == NameServer("2001:db8::1", 5353)
    for text in ("dns.example.org", "192.0.2.1:x", "", "192.0.2.1/24"):
        with pytest.raises(ValueError, match=r"name server|port"):
            parse_name_server(text)
    with pytest.raises(ConfigError, match="nameservers is for"):
        open_ldap("ldap://localhost", nameservers=["192.0.2.1"])


def test_the_dns_library_is_loaded_only_where_it_is_needed() -> None:
    code = "import sys, integration_server.builtin.ldap; sys.exit('dns' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
