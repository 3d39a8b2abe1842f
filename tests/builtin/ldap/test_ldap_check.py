"""``check`` says what is wrong before MailStore does."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from integration_server import BackendUnavailable
from tests.builtin.ldap.fake_server import HANG_UP, SEARCH, FakeServer, done, entry
from tests.builtin.ldap.opened import Opened
from tests.servers import PEOPLE, Slapd
from tests.tcp_proxy import Delay, TcpProxy

NewSlapd = Callable[..., Slapd]
Open = Callable[..., Opened]


def lines(opened: Opened) -> list[str]:
    return [f"{finding.level}: {finding.message}" for finding in opened.findings()]


def says(opened: Opened, *parts: str) -> bool:
    """Whether one of the findings holds all the parts."""
    found = lines(opened)
    assert any(all(part in line for part in parts) for line in found), "\n".join(found)
    return True


def test_a_good_setup_has_no_complaints(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.ldaps_uri, ca_file=str(slapd.ca_file))
    assert says(opened, "ok:", slapd.ldaps_uri, f"connected bound as {slapd.reader_dn}, TLSv1.3")
    assert says(opened, "ok:", f"{len(PEOPLE)} entries match ldap_filter")
    assert says(opened, "ok:", f"base {slapd.people!r} is there")
    assert says(opened, "ok:", "holds", slapd.base)
    assert says(opened, "the certificate expires in")
    assert not [line for line in lines(opened) if line.startswith("error")]


def test_certificates_are_told_with_their_ends(slapd: Slapd, open_ldap: Open) -> None:
    files = slapd.client_certificate("reader")
    settings = {"client_certificate": str(files.certificate), "client_key": str(files.key)}
    opened = open_ldap(slapd.ldaps_uri, ca_file=str(slapd.ca_file), **settings)
    found = {one.holder: one.expires_at for finding in opened.findings() for one in finding.certificates}
    days = {holder: round((expires_at - time.time()) / 86400) for holder, expires_at in found.items()}
    assert days.pop(slapd.ldaps_uri) == 365
    assert days.pop(f"client_certificate {files.certificate}") == 365
    assert list(days.values()) == [700]
    assert next(iter(days)).startswith(f"ca_file {slapd.ca_file} (")


def test_a_certificate_that_nobody_verifies_is_told_as_well(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.ldaps_uri, verify_certificates=False)
    assert says(opened, "warning:", "verify_certificates is off")
    assert says(opened, "the certificate expires in")


def test_a_client_certificate_that_has_expired_is_told(slapd: Slapd, open_ldap: Open) -> None:
    files = slapd.client_certificate("reader", is_expired=True)
    settings = {"client_certificate": str(files.certificate), "client_key": str(files.key)}
    opened = open_ldap(slapd.ldaps_uri, ca_file=str(slapd.ca_file), **settings)
    assert says(opened, "warning:", "client_certificate", "has expired")


def test_a_directory_is_not_down_because_it_is_large(
    slapd: Slapd, open_ldap: Open, tcp_proxy: Callable[[int], TcpProxy]
) -> None:
    """There are more people than can be counted until the deadline."""
    proxy = tcp_proxy(urlsplit(slapd.uri).port or 0)
    proxy.fault = Delay(0.1)
    opened = open_ldap(f"ldap://127.0.0.1:{proxy.port}", page_size=1)
    found = [finding.message for finding in opened.findings(3.0)]
    assert any(message.startswith("at least") for message in found), found


def test_the_wrong_password_of_the_service_account(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri, bind_password="wrong one")
    assert says(opened, "error:", slapd.reader_dn, "invalidCredentials(49)")
    assert "wrong one" not in "".join(lines(opened))


def test_a_base_that_is_gone(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri, bases=[f"ou=peple,{slapd.base}"])
    assert says(opened, "error:", "ou=peple", f"exists up to '{slapd.base}'", "noSuchObject(32)")


def test_a_size_limit(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd(limits="size.prtotal=25")
    assert says(open_ldap(slapd.uri, page_size=10), "error:", "sizeLimitExceeded(4)", "limits for the service account")


def test_attributes_that_nobody_has(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri, map={"id": "employeeNumber", "groups": "memberOff"})
    assert says(opened, "warning:", f"none of the first {len(PEOPLE)} entries has the mapped attribute 'memberOff'")
    assert says(opened, "warning:", "none of the first", "'employeeNumber'")


def test_an_id_that_some_lack(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    slapd.add(f"dn: cn=nobody,{slapd.people}\nobjectClass: person\ncn: nobody\nsn: x\n")
    assert says(open_ldap(slapd.uri), "warning:", f"1 of the first {len(PEOPLE) + 1} entries lack 'uid'")


def test_a_filter_that_matches_nobody(slapd: Slapd, open_ldap: Open) -> None:
    assert says(open_ldap(slapd.uri, ldap_filter="(uid=nobody)"), "warning:", "no entry matches ldap_filter")


def test_anonymous_callers_are_told_from_bound_ones(slapd: Slapd, open_ldap: Open) -> None:
    assert says(open_ldap(slapd.uri, bind_dn=None, bind_password=None), "ok:", "connected anonymously, not encrypted")


@pytest.mark.parametrize(("host", "is_warned"), [("127.0.0.1", False), ("machine.example", True)])
def test_plain_text_to_another_machine(
    slapd: Slapd, open_ldap: Open, monkeypatch: pytest.MonkeyPatch, host: str, is_warned: bool
) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *rest, **more: real("127.0.0.1", *rest, **more))
    opened = open_ldap(f"ldap://{host}:{slapd.port}")
    assert any("passwords cross the network in plain text" in line for line in lines(opened)) == is_warned


def test_one_server_of_two_that_is_down_is_a_warning(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap("ldap://127.0.0.1:1", slapd.uri)
    assert says(opened, "warning:", "ldap://127.0.0.1:1", "refused")
    assert says(opened, "ok:", slapd.uri)


def test_no_server_at_all_is_an_outage_and_no_fault_of_the_configuration(open_ldap: Open) -> None:
    opened = open_ldap("ldap://127.0.0.1:1", "ldap://127.0.0.1:2")
    with pytest.raises(BackendUnavailable, match=r"127\.0\.0\.1:1.*refused; .*127\.0\.0\.1:2.*refused"):
        opened.findings()


def test_a_server_that_is_lost_on_the_way_is_an_outage(fake_server: Callable[..., FakeServer], open_ldap: Open) -> None:
    opened = open_ldap(fake_server(lambda n, kind, body: HANG_UP if kind == SEARCH else b"").uri)
    with pytest.raises(BackendUnavailable):
        opened.findings()


def test_active_directory_gets_a_hint(fake_server: Callable[..., FakeServer], open_ldap: Open) -> None:
    def answer(n: int, kind: int, body: bytes) -> bytes:
        if kind != SEARCH:
            return b""
        more = {"supportedCapabilities": ["1.2.840.113556.1.4.800"], "namingContexts": ["dc=example,dc=org"]}
        return entry(n, "a", **more) + done(n)

    opened = open_ldap(fake_server(answer).uri)
    assert says(opened, "warning:", "Active Directory has no entryUUID", "objectGUID")
    assert says(opened, "warning:", "does not offer paging")
    assert says(opened, "ok:", "Active Directory, holds dc=example,dc=org")
