"""Several servers: the next one answers, the first one is asked again, and nobody's login fails on the way."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from integration_server import BackendMisconfigured, BackendTimeout, BackendUnavailable, Deadline, Verdict
from integration_server.sdk.testing import in_threads
from integration_server.sdk.testing.harness import in_background, settle
from tests.builtin.ldap.fake_server import SEARCH, FakeServer, done, entry, result
from tests.builtin.ldap.opened import Opened
from tests.servers import PEOPLE, Slapd
from tests.tcp_proxy import BlackHole, Pass, Refuse, TcpProxy

Open = Callable[..., Opened]
Proxies = tuple[TcpProxy, TcpProxy]

ALICE = PEOPLE[0]


@pytest.fixture
def proxies(slapd: Slapd, tcp_proxy: Callable[[int], TcpProxy]) -> Proxies:
    """Two doors to one directory, so that one server may fail without the other."""
    return tcp_proxy(slapd.port), tcp_proxy(slapd.port)


def uri(proxy: TcpProxy) -> str:
    return f"ldap://127.0.0.1:{proxy.port}"


def test_the_first_server_is_the_one_that_is_asked(proxies: Proxies, open_ldap: Open) -> None:
    first, second = proxies
    opened = open_ldap(uri(first), uri(second))
    opened.users()
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    assert (first.accepted > 0, second.accepted) == (True, 0)


def test_the_second_server_answers_while_the_first_refuses(proxies: Proxies, open_ldap: Open) -> None:
    first, second = proxies
    first.fault = Refuse()
    opened = open_ldap(uri(first), uri(second))
    assert len(opened.users()) == len(PEOPLE)
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    levels = {finding.level for finding in opened.findings()}
    assert levels == {"ok", "warning"}


def test_a_server_that_hangs_costs_one_login_half_its_time_and_the_next_nothing(
    proxies: Proxies, open_ldap: Open
) -> None:
    first, second = proxies
    opened = open_ldap(uri(first), uri(second))
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    first.fault = BlackHole()
    assert opened.login("alice", ALICE.password, seconds=2) is Verdict.ACCEPTED
    started = time.monotonic()
    assert opened.login("alice", ALICE.password, seconds=20) is Verdict.ACCEPTED
    assert time.monotonic() - started < 5
    assert len(opened.users()) == len(PEOPLE)


def test_connecting_to_a_server_that_hangs_ends_with_connect_seconds(proxies: Proxies, open_ldap: Open) -> None:
    first, second = proxies
    first.fault = BlackHole()
    opened = open_ldap(uri(first), uri(second), connect_seconds=0.3)
    started = time.monotonic()
    assert len(opened.users()) == len(PEOPLE)
    assert time.monotonic() - started < 3


def test_the_first_server_is_asked_again_when_it_is_well(proxies: Proxies, open_ldap: Open) -> None:
    first, second = proxies
    opened = open_ldap(uri(first), uri(second), switch_back_seconds=0.3)
    first.fault = Refuse()
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    first.fault = Pass()
    taken = first.accepted
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    assert first.accepted == taken, "it is left alone for a while"
    time.sleep(0.4)
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    assert first.accepted > taken
    asked_second = second.accepted
    second.fault = Refuse()
    second.drop()
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    assert second.accepted == asked_second


def test_a_server_that_says_it_is_unavailable_is_passed_over(
    proxies: Proxies, open_ldap: Open, fake_server: Callable[..., FakeServer]
) -> None:
    tired = fake_server(lambda n, kind, body: result(n, 0x61, 52, "starting up"))
    opened = open_ldap(tired.uri, uri(proxies[0]))
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    with pytest.raises(BackendUnavailable, match=r"unavailable\(52\): starting up"):
        open_ldap(tired.uri).users()


def test_when_all_fail_each_one_is_named(proxies: Proxies, open_ldap: Open) -> None:
    for proxy in proxies:
        proxy.fault = Refuse()
    opened = open_ldap(*map(uri, proxies))
    with pytest.raises(BackendUnavailable, match="refused") as failure:
        opened.users()
    assert all(uri(proxy) in str(failure.value) for proxy in proxies)
    proxies[1].fault = Pass()
    assert len(opened.users()) == len(PEOPLE)


def test_a_host_is_reached_at_any_of_its_addresses(
    slapd: Slapd, open_ldap: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ldap3 tries but the first one, or all of them with the whole time limit for each."""
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *rest: int, **more: int) -> list[object]:
        # slapd listens at the second one only.
        hosts = ["127.0.0.2", "127.0.0.1"] if host == "directory.example" else [host]
        return [found for one in hosts for found in real(one, port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert len(open_ldap(f"ldap://directory.example:{slapd.port}").users()) == len(PEOPLE)


def test_ipv6_and_unix_sockets_are_reached(
    open_ldap: Open, fake_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    def answer(n: int, kind: int, body: bytes) -> bytes:
        return entry(n, "a") + done(n, b"") if kind == SEARCH else b""

    door = socket.create_server(("::1", 0), family=socket.AF_INET6)
    fake_server(answer, door)
    assert open_ldap(f"ldap://[::1]:{door.getsockname()[1]}").find("a") is not None
    path = tmp_path / "an ldapi socket"
    fake_server(answer, socket.create_server(str(path), family=socket.AF_UNIX))
    assert open_ldap(f"ldapi://{quote(str(path), safe='')}").find("a") is not None
    with pytest.raises(BackendUnavailable, match="No such file"):
        open_ldap(f"ldapi://{quote(str(path), safe='')}x").find("a")


def test_a_host_that_does_not_resolve_is_an_outage(open_ldap: Open) -> None:
    with pytest.raises(BackendUnavailable, match="cannot be resolved"):
        open_ldap("ldap://no-such-host.invalid").users()


def test_a_refused_service_account_is_no_reason_to_ask_another_server(proxies: Proxies, open_ldap: Open) -> None:
    """Each try may count towards locking the account."""
    opened = open_ldap(*map(uri, proxies), bind_password="not the password")
    with pytest.raises(BackendMisconfigured, match=r"service account 'cn=reader.*invalidCredentials\(49\)") as failure:
        opened.find("alice")
    assert "not the password" not in str(failure.value)
    assert proxies[1].accepted == 0


def test_dead_connections_of_the_pool_fail_no_login(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri, pool_size=4)
    in_threads(lambda number: opened.login("alice", ALICE.password), 4)
    for stop in (slapd.restart, slapd.kill):
        stop()
        slapd.start()
        assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
        assert opened.login("alice", "wrong") is Verdict.REJECTED


def test_connections_that_die_unseen_fail_no_login(proxies: Proxies, open_ldap: Open) -> None:
    """A reset that has not come yet when the connection is looked at is met when it is used."""
    proxy = proxies[0]
    opened = open_ldap(uri(proxy))
    for _ in range(20):
        proxy.drop()
        assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED


def test_connections_are_reused_and_never_more_than_the_pool(proxies: Proxies, open_ldap: Open) -> None:
    proxy = proxies[0]
    opened = open_ldap(uri(proxy), pool_size=2)
    in_threads(lambda number: [opened.login("alice", ALICE.password) for _ in range(20)], 8)
    assert proxy.accepted <= 4
    opened.backend.close()
    give_up = time.monotonic() + 5
    while proxy.connections and time.monotonic() < give_up:
        time.sleep(0.01)
    assert proxy.connections == 0


def test_waiting_for_the_pool_is_bounded(proxies: Proxies, open_ldap: Open) -> None:
    proxy = proxies[0]
    opened = open_ldap(uri(proxy), pool_size=1)
    assert opened.find("alice") is not None
    proxy.fault = BlackHole()

    def wait() -> None:
        with pytest.raises(BackendTimeout, match="no answer within"):
            opened.find("alice", seconds=1.5)

    holder = in_background(wait)
    time.sleep(0.1)
    with pytest.raises(BackendTimeout, match="pool_size"):
        opened.find("bob", seconds=0.3)
    settle(holder, 10, "find()")


def test_outages_leave_no_socket_and_no_thread(proxies: Proxies, open_ldap: Open) -> None:
    opened = open_ldap(*map(uri, proxies), connect_seconds=0.1)
    before = threading.active_count()
    for fault in (Refuse(), BlackHole()):
        for proxy in proxies:
            proxy.fault = fault
        for _ in range(5):
            with pytest.raises(BackendUnavailable):
                opened.users(0.5)
            with pytest.raises(BackendUnavailable):
                opened.find("alice", seconds=0.5)
    gc.collect()
    for proxy in proxies:
        proxy.drop()
    ours = {proxy.port for proxy in proxies}
    open_sockets = [s for s in gc.get_objects() if isinstance(s, socket.socket) and s.fileno() >= 0]
    assert not [s for s in open_sockets if s.family == socket.AF_INET and _peer_port(s) in ours]
    assert threading.active_count() <= before + 2


def _peer_port(sock: socket.socket) -> int | None:
    try:
        return int(sock.getpeername()[1])
    except OSError:
        return None


def test_a_closed_backend_keeps_nothing_open(proxies: Proxies, open_ldap: Open) -> None:
    proxy = proxies[0]
    opened = open_ldap(uri(proxy))
    opened.backend.close()
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    give_up = time.monotonic() + 5
    while proxy.connections and time.monotonic() < give_up:
        time.sleep(0.01)
    assert proxy.connections == 0


def test_a_deadline_that_is_over_asks_nobody(proxies: Proxies, open_ldap: Open) -> None:
    opened = open_ldap(uri(proxies[0]))
    entry = opened.find("alice")
    assert entry is not None
    asked = proxies[0].accepted
    with pytest.raises(BackendTimeout):
        opened.backend.verify(entry, ALICE.password, Deadline(0))
    assert proxies[0].accepted == asked
