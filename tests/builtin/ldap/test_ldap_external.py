"""The service account known by a client's certificate or by its user id (SASL EXTERNAL), while people bind simply."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import serialization

from integration_server import BackendMisconfigured, BackendUnavailable, Verdict
from tests.builtin.ldap.fake_server import BIND, FakeServer, result
from tests.builtin.ldap.opened import Opened
from tests.servers import PEOPLE, Slapd

NewSlapd = Callable[..., Slapd]
Open = Callable[..., Opened]

ALICE = PEOPLE[0]
#: Nobody but the service account may read: then a listing shows who asked.
_CLOSED = f"""\
authz-regexp ^cn=reader$ "{Slapd.reader_dn}"
authz-regexp ^gidNumber=[0-9]+.uidNumber={os.geteuid()},cn=peercred,cn=external,cn=auth$ "{Slapd.reader_dn}"
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{Slapd.reader_dn}" read by * none
"""
EXTERNAL: Mapping[str, object] = {"bind_method": "external", "bind_dn": None, "bind_password": None}


@pytest.fixture
def closed(new_slapd: NewSlapd) -> Slapd:
    """A slapd that demands a certificate of whoever comes by TLS."""
    return new_slapd(global_lines=f"TLSVerifyClient demand\n{_CLOSED}")


def shown(slapd: Slapd, name: str = "reader", *, is_expired: bool = False) -> dict[str, object]:
    files = slapd.client_certificate(name, is_expired=is_expired)
    return {
        "ca_file": str(slapd.ca_file),
        "client_certificate": str(files.certificate),
        "client_key": str(files.key),
    }


@pytest.mark.parametrize("way", ["ldaps", "start_tls"])
def test_a_certificate_makes_the_service_account_and_people_bind_with_passwords(
    closed: Slapd, open_ldap: Open, way: str
) -> None:
    uri = closed.ldaps_uri if way == "ldaps" else closed.uri
    opened = open_ldap(uri, start_tls=way == "start_tls", **shown(closed), **EXTERNAL)
    assert len(opened.usernames()) == len(PEOPLE)
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    assert opened.login("alice", "wrong") is Verdict.REJECTED
    assert any(
        f"connected bound as SASL EXTERNAL (dn:{Slapd.reader_dn}), TLSv1.3" in finding.message
        for finding in opened.findings()
    )


def test_the_user_of_the_process_makes_the_service_account_on_a_unix_socket(closed: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(closed.ldapi_uri, **EXTERNAL)
    assert len(opened.usernames()) == len(PEOPLE)
    assert opened.login("alice", ALICE.password) is Verdict.ACCEPTED
    assert opened.login("alice", "wrong") is Verdict.REJECTED
    assert any(f"(dn:{Slapd.reader_dn}), not encrypted" in finding.message for finding in opened.findings())


def test_a_certificate_serves_a_service_account_with_a_password_as_well(closed: Slapd, open_ldap: Open) -> None:
    assert len(open_ldap(closed.ldaps_uri, **shown(closed, "anybody")).usernames()) == len(PEOPLE)


def test_key_and_certificate_may_stand_in_one_file(closed: Slapd, open_ldap: Open, tmp_path: Path) -> None:
    files = closed.client_certificate("reader")
    both = tmp_path / "both.pem"
    both.write_bytes(files.key.read_bytes() + files.certificate.read_bytes())
    opened = open_ldap(closed.ldaps_uri, ca_file=str(closed.ca_file), client_certificate=str(both), **EXTERNAL)
    assert len(opened.usernames()) == len(PEOPLE)


def test_a_certificate_that_is_missing_or_expired_is_an_outage_that_says_so(closed: Slapd, open_ldap: Open) -> None:
    with pytest.raises(BackendUnavailable, match="perhaps it demands a client_certificate"):
        open_ldap(closed.ldaps_uri, ca_file=str(closed.ca_file)).users()
    with pytest.raises(BackendUnavailable, match="perhaps it refuses a client_certificate"):
        open_ldap(closed.ldaps_uri, **shown(closed, is_expired=True), **EXTERNAL).users()


def test_a_renewed_certificate_is_shown_without_a_restart(closed: Slapd, open_ldap: Open, tmp_path: Path) -> None:
    old, new = closed.client_certificate("old", is_expired=True), closed.client_certificate("reader")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    opened = open_ldap(
        closed.ldaps_uri,
        ca_file=str(closed.ca_file),
        client_certificate=str(certificate),
        client_key=str(key),
        **EXTERNAL,
    )
    shutil.copy(old.certificate, certificate)
    shutil.copy(old.key, key)
    with pytest.raises(BackendUnavailable):
        opened.users()
    shutil.copy(new.certificate, certificate)
    with pytest.raises(BackendMisconfigured, match=r"client_certificate and client_key .*client\.key cannot be used"):
        opened.users()
    shutil.copy(new.key, key)
    assert len(opened.usernames()) == len(PEOPLE)


def test_files_that_cannot_be_used_are_named(slapd: Slapd, open_ldap: Open, tmp_path: Path) -> None:
    nonsense = tmp_path / "client.pem"
    opened = open_ldap(slapd.ldaps_uri, ca_file=str(slapd.ca_file), client_certificate=str(nonsense), **EXTERNAL)
    with pytest.raises(BackendMisconfigured, match=r"client_certificate .*client\.pem cannot be used: No such file"):
        opened.users()
    nonsense.write_text("no certificate")
    with pytest.raises(BackendMisconfigured, match=r"client_certificate .*client\.pem cannot be used"):
        opened.users()


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(
    slapd: Slapd, open_ldap: Open, tmp_path: Path
) -> None:
    files = slapd.client_certificate("reader")
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"sesame"),
        )
    )
    opened = open_ldap(
        slapd.ldaps_uri,
        ca_file=str(slapd.ca_file),
        client_certificate=str(files.certificate),
        client_key=str(locked),
        **EXTERNAL,
    )
    with pytest.raises(BackendMisconfigured, match="the key is encrypted; keep it without a passphrase"):
        opened.users()


def test_a_server_without_external_says_so(
    fake_server: Callable[..., FakeServer], open_ldap: Open, tmp_path: Path
) -> None:
    path = tmp_path / "ldapi"
    server = fake_server(
        lambda n, kind, body: result(n, 0x61, 7, "no such mechanism") if kind == BIND else b"",
        socket.create_server(str(path), family=socket.AF_UNIX),
    )
    opened = open_ldap(f"ldapi://{quote(str(path), safe='')}", **EXTERNAL)
    with pytest.raises(BackendMisconfigured, match=r"SASL EXTERNAL.*authMethodNotSupported\(7\): no such mechanism"):
        opened.users()
    assert b"EXTERNAL" in server.requests[0][1]
