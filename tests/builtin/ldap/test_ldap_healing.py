"""A pool that lost its server heals, and nobody's login fails by it: restarts, silent connections, forgotten ones."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from integration_server import BackendUnavailable, Verdict
from integration_server.builtin.ldap import pool
from integration_server.builtin.ldap.messages import PAGING
from integration_server.sdk.testing import in_threads
from integration_server.sdk.testing.harness import in_background, settle
from tests.builtin.ldap.fake_server import BIND, SEARCH, FakeServer, done, entry
from tests.builtin.ldap.opened import Opened
from tests.servers import PEOPLE, Slapd
from tests.tcp_proxy import BlackHole, Delay, Pass, Refuse, TcpProxy

Open = Callable[..., Opened]
Proxy = Callable[[int], TcpProxy]

ALICE = PEOPLE[0]


def uri(proxy: TcpProxy) -> str:
    return f"ldap://127.0.0.1:{proxy.port}"


def logs_in(opened: Opened, seconds: float = 20) -> Callable[[], None]:
    def login() -> None:
        assert opened.login("alice", ALICE.password, seconds) is Verdict.ACCEPTED

    return login


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_during_a_login_fails_no_login(slapd: Slapd, open_ldap: Open, end: str) -> None:
    opened = open_ldap(slapd.uri)
    logs_in(opened)()
    slapd.freeze()
    waiting = in_background(logs_in(opened))
    time.sleep(0.2)
    getattr(slapd, end)()
    slapd.start()
    settle(waiting, 20, "login()")


def test_a_server_that_is_still_starting_fails_no_login_that_had_a_connection(
    slapd: Slapd, tcp_proxy: Proxy, open_ldap: Open
) -> None:
    proxy = tcp_proxy(slapd.port)
    opened = open_ldap(uri(proxy))
    logs_in(opened)()
    proxy.fault = Refuse()
    proxy.drop()
    waiting = in_background(logs_in(opened))
    time.sleep(0.5)
    proxy.fault = Pass()
    settle(waiting, 20, "login()")


def test_waiting_for_a_restart_ends_and_the_next_one_does_not_wait(
    slapd: Slapd, tcp_proxy: Proxy, open_ldap: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_RESTART_SECONDS", 0.5)
    proxy = tcp_proxy(slapd.port)
    opened = open_ldap(uri(proxy))
    assert opened.find("alice") is not None
    proxy.fault = Refuse()
    proxy.drop()
    started = time.monotonic()
    with pytest.raises(BackendUnavailable, match="refused"):
        opened.find("alice")
    assert time.monotonic() - started >= 0.5
    monkeypatch.setattr(pool, "_RESTART_SECONDS", 60.0)
    with pytest.raises(BackendUnavailable, match="refused"):
        opened.find("alice", seconds=60)
    assert time.monotonic() - started < 20


def test_a_connection_that_a_firewall_forgot_fails_no_login_although_there_is_but_one_server(
    slapd: Slapd, tcp_proxy: Proxy, open_ldap: Open
) -> None:
    """Nothing comes back on it, and nothing says that it is dead."""
    proxy = tcp_proxy(slapd.port)
    opened = open_ldap(uri(proxy))
    logs_in(opened)()
    proxy.fault = BlackHole()
    waiting = in_background(logs_in(opened, seconds=4))
    time.sleep(0.3)
    # What was swallowed meanwhile stays so.
    proxy.fault = Pass()
    settle(waiting, 10, "login()")


def test_a_connection_that_breaks_in_the_middle_of_a_login_fails_no_login(
    slapd: Slapd, tcp_proxy: Proxy, open_ldap: Open
) -> None:
    proxy = tcp_proxy(slapd.port)
    opened = open_ldap(uri(proxy))
    for _ in range(5):
        logs_in(opened)()
        proxy.fault = Delay(0.2)
        waiting = in_background(logs_in(opened))
        time.sleep(0.1)
        proxy.drop()
        proxy.fault = Pass()
        settle(waiting, 10, "login()")


def test_idle_connections_are_probed_and_dead_ones_cost_nobody_their_time(
    slapd: Slapd, tcp_proxy: Proxy, open_ldap: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_PROBE_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(pool, "_PROBE_SECONDS", 0.2)
    proxy = tcp_proxy(slapd.port)
    opened = open_ldap(uri(proxy), pool_size=4)
    in_threads(lambda number: opened.login("alice", ALICE.password), 4)
    proxy.fault = BlackHole()
    waiting = in_background(logs_in(opened, seconds=300))
    time.sleep(0.1)
    proxy.fault = Pass()
    # Half of the login's time would be far more.
    settle(waiting, 20, "login()")


def test_a_probe_asks_for_the_root_entry_and_only_where_a_connection_was_idle(
    fake_server: Callable[..., FakeServer], open_ldap: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(n: int, kind: int, body: bytes) -> bytes:
        return entry(n, "a") + done(n) if kind == SEARCH else b""

    server = fake_server(answer)
    opened = open_ldap(server.uri)
    assert opened.find("a") is not None
    assert opened.find("a") is not None
    assert [kind for kind, _ in server.requests] == [BIND, SEARCH, SEARCH]
    monkeypatch.setattr(pool, "_PROBE_AFTER_SECONDS", 0.0)
    assert opened.find("a") is not None
    assert [kind for kind, _ in server.requests[3:]] == [SEARCH, SEARCH]
    probe = server.requests[3][1]
    assert b"1.1" in probe
    assert PAGING.encode() not in probe
    assert b"dc=example" not in probe
