"""Encryption: certificates are checked unless somebody says otherwise, names and addresses alike, on every Python."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from integration_server import BackendMisconfigured, BackendTimeout, BackendUnavailable, Verdict
from tests.builtin.ldap.fake_server import HANG_UP, FakeServer, result
from tests.builtin.ldap.opened import Opened
from tests.servers import PEOPLE, Slapd
from tests.tcp_proxy import BlackHole, Delay, Drip, TcpProxy

NewSlapd = Callable[..., Slapd]
Open = Callable[..., Opened]
Way = Callable[..., Opened]

ALICE = PEOPLE[0]


@pytest.fixture(params=["ldaps", "start_tls"])
def open_tls(request: pytest.FixtureRequest, open_ldap: Open) -> Way:
    """``open_tls(slapd, host="localhost")``, by LDAPS and by StartTLS."""

    def start(slapd: Slapd, host: str = "127.0.0.1", **settings: object) -> Opened:
        settings = {"ca_file": str(slapd.ca_file), **settings}
        if request.param == "ldaps":
            return open_ldap(f"ldaps://{host}:{slapd.ldaps_port}", **settings)
        return open_ldap(f"ldap://{host}:{slapd.port}", start_tls=True, **settings)

    return start


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_certificate_is_good_for_its_names_and_addresses(slapd: Slapd, open_tls: Way, host: str) -> None:
    """ldap3 refuses good certificates for addresses on Python 3.12 and later."""
    opened = open_tls(slapd, host)
    assert len(opened.usernames()) == len(PEOPLE)
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    assert opened.login("alice", "wrong") is Verdict.REJECTED
    assert any("TLSv1." in finding.message for finding in opened.findings())


@pytest.mark.parametrize(
    ("certificate", "host", "why"),
    [
        ("expired", "127.0.0.1", "certificate has expired"),
        ("other_name", "127.0.0.1", "IP address mismatch"),
        ("other_name", "localhost", "Hostname mismatch"),
        ("name_only", "127.0.0.1", "IP address mismatch"),
    ],
)
def test_a_bad_certificate_is_an_outage(
    new_slapd: NewSlapd, open_tls: Way, certificate: str, host: str, why: str
) -> None:
    slapd = new_slapd(certificate=certificate)
    opened = open_tls(slapd, host)
    with pytest.raises(BackendUnavailable, match=why):
        opened.users()
    with pytest.raises(BackendUnavailable, match=why):
        opened.find("alice")
    with pytest.raises(BackendUnavailable, match=why):
        opened.findings()


def test_an_authority_that_is_not_trusted_is_an_outage(slapd: Slapd, open_tls: Way, new_slapd: NewSlapd) -> None:
    """ldap3's Tls() checks nothing unless it is told to."""
    for ca_file in (None, str(new_slapd().ca_file)):
        with pytest.raises(BackendUnavailable, match=r"unable to get local issuer|self.signed|signature failure"):
            open_tls(slapd, ca_file=ca_file).users()


def test_checking_can_be_switched_off_and_check_warns(new_slapd: NewSlapd, open_tls: Way) -> None:
    slapd = new_slapd(certificate="expired")
    opened = open_tls(slapd, verify_certificates=False, ca_file=None)
    assert len(opened.usernames()) == len(PEOPLE)
    assert any(f.level == "warning" and "verify_certificates is off" in f.message for f in opened.findings())


def test_a_renewed_certificate_heals_without_a_restart(new_slapd: NewSlapd, open_tls: Way) -> None:
    slapd = new_slapd(certificate="expired")
    opened = open_tls(slapd)
    with pytest.raises(BackendUnavailable):
        opened.users()
    slapd.reconfigure(certificate="good")
    assert len(opened.usernames()) == len(PEOPLE)


def test_a_changed_ca_file_is_read_again(slapd: Slapd, new_slapd: NewSlapd, open_tls: Way, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    opened = open_tls(slapd, ca_file=str(ca_file))
    with pytest.raises(BackendMisconfigured, match=r"ca_file .*ca\.pem cannot be used: No such file"):
        opened.users()
    ca_file.write_text("no certificate")
    with pytest.raises(BackendMisconfigured, match=r"ca_file .*ca\.pem cannot be used"):
        opened.users()
    shutil.copy(slapd.ca_file, ca_file)
    assert len(opened.usernames()) == len(PEOPLE)


def test_tls_1_3_can_be_demanded(new_slapd: NewSlapd, open_tls: Way) -> None:
    slapd = new_slapd(global_lines="TLSProtocolMin 3.3")
    opened = open_tls(slapd, tls_minimum="1.3")
    assert any("TLSv1.3" in finding.message for finding in opened.findings())


def test_a_server_that_wants_encryption_says_so(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd(global_lines="security tls=1")
    with pytest.raises(BackendMisconfigured, match=r"confidentialityRequired\(13\)"):
        open_ldap(slapd.uri).users()


def test_a_server_without_start_tls_gets_no_password(fake_server: Callable[..., FakeServer], open_ldap: Open) -> None:
    server = fake_server(lambda n, kind, body: result(n, 0x78, 2, "unsupported extended operation"))
    opened = open_ldap(server.uri, start_tls=True)
    with pytest.raises(BackendMisconfigured, match=r"refuses StartTLS: protocolError\(2\)"):
        opened.users()
    assert not any(Slapd.reader_password.encode() in body for _, body in server.requests)


def test_words_slipped_in_before_the_encryption_are_noticed(
    fake_server: Callable[..., FakeServer], open_ldap: Open
) -> None:
    server = fake_server(lambda n, kind, body: result(n, 0x78) + result(n + 1, 0x61))
    with pytest.raises(BackendUnavailable, match="plain text after StartTLS"):
        open_ldap(server.uri, start_tls=True).users()


def test_a_handshake_that_breaks_is_an_outage(fake_server: Callable[..., FakeServer], open_ldap: Open) -> None:
    server = fake_server(lambda n, kind, body: result(n, 0x78) + HANG_UP)
    with pytest.raises(BackendUnavailable, match="TLS failed"):
        open_ldap(server.uri, start_tls=True).users()


def test_plain_words_instead_of_tls_are_an_outage(slapd: Slapd, open_ldap: Open) -> None:
    with pytest.raises(BackendUnavailable):
        open_ldap(f"ldaps://127.0.0.1:{slapd.port}", ca_file=str(slapd.ca_file), connect_seconds=1).users()


def test_a_handshake_in_a_bad_network_ends_with_the_deadline(
    slapd: Slapd, open_ldap: Open, tcp_proxy: Callable[[int], TcpProxy]
) -> None:
    proxy = tcp_proxy(slapd.ldaps_port)
    opened = open_ldap(f"ldaps://127.0.0.1:{proxy.port}", ca_file=str(slapd.ca_file))
    for fault in (BlackHole(), Drip(0.02)):
        proxy.fault = fault
        started = time.monotonic()
        with pytest.raises(BackendTimeout):
            opened.users(0.5)
        assert time.monotonic() - started < 3


def test_an_answer_that_outlasts_the_limit_of_the_socket_is_waited_for(
    slapd: Slapd, tcp_proxy: Callable[[int], TcpProxy], open_ldap: Open
) -> None:
    """The limit is half of what is left; what takes longer is not lost, nor is the connection given up for it."""
    proxy = tcp_proxy(slapd.ldaps_port)
    opened = open_ldap(f"ldaps://127.0.0.1:{proxy.port}", ca_file=str(slapd.ca_file))
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    accepted = proxy.accepted
    proxy.fault = Delay(1.6)
    # Half of it for the search, of which the socket's limit is half, and half of the rest for the bind.
    assert opened.login("alice", ALICE.password, 6) is Verdict.ACCEPTED
    assert proxy.accepted == accepted
