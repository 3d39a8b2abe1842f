"""When certificates run out, as it stands in them."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from integration_server.sdk.certificates import (
    Certificate,
    Sightings,
    authorities_of,
    certificate_expiry,
    certificates_in,
)
from tests.servers.certificates import Authority

NOW = dt.datetime(2026, 11, 29, 12, 30, 15, tzinfo=dt.UTC)


def made(end: dt.datetime, name: str = "x", *, is_large: bool = False, is_authority: bool = False) -> x509.Certificate:
    key = rsa.generate_private_key(65537, 2048) if is_large else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(NOW - dt.timedelta(days=40 * 365))
    if is_authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.not_valid_after(end).sign(key, hashes.SHA256())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("end", [NOW, NOW.replace(year=1999), NOW.replace(year=2049), NOW.replace(year=2050)])
def test_the_end_is_read_as_it_stands(end: dt.datetime, is_large: bool) -> None:
    assert certificate_expiry(der(made(end, "n" * 60, is_large=is_large))) == end.timestamp()


def test_a_certificate_may_have_no_end() -> None:
    """RFC 5280 §4.1.2.5: 99991231235959Z."""
    end = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    assert certificate_expiry(der(made(end))) == end.timestamp()


def test_what_is_no_certificate_is_refused() -> None:
    whole = der(made(NOW))
    for cut in range(len(whole) - 1):
        with pytest.raises(ValueError, match=r"X\.509"):
            certificate_expiry(whole[:cut])
    for wrong in (b"", b"\x30", b"x" * 400, b"\x30\x84\xff\xff\xff\xff" + b"0" * 100, b"\x30\x80" * 50):
        with pytest.raises(ValueError, match=r"X\.509"):
            certificate_expiry(wrong)


def test_damaged_certificates_give_a_time_or_are_refused() -> None:
    whole = der(made(NOW))
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        try:
            assert isinstance(certificate_expiry(bytes(damaged)), float)
        except ValueError:
            continue


def test_every_certificate_of_a_file_counts(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.create()
    files = authority.issue("server")
    chain = tmp_path / "chain.pem"
    chain.write_bytes(files.key.read_bytes() + files.certificate.read_bytes() + authority.ca_file.read_bytes())
    one, other = certificates_in(chain)
    assert other - one == pytest.approx((700 - 365) * 86400, abs=10)
    (tmp_path / "none.pem").write_text("no certificate")
    assert certificates_in(tmp_path / "none.pem") == []


def trusting(*certificates: x509.Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    text = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)
    context.load_verify_locations(cadata=text.decode())
    return context


def test_authorities_are_told_by_name() -> None:
    context = trusting(made(NOW, "Ours", is_authority=True))
    assert list(authorities_of(context, "ca.pem", 0.0)) == [Certificate("ca.pem (Ours)", NOW.timestamp())]


def test_authorities_that_are_over_are_told_only_where_there_is_no_other() -> None:
    old, new = made(NOW, "Old", is_authority=True), made(NOW.replace(year=2040), "New", is_authority=True)
    later = NOW.timestamp() + 1
    assert [one.holder for one in authorities_of(trusting(old, new), "f", later)] == ["f (New)"]
    assert [one.holder for one in authorities_of(trusting(old), "f", later)] == ["f (Old)"]


def test_a_certificate_is_told_once_an_hour_and_when_it_is_another() -> None:
    now = [1000.0]
    sightings = Sightings(lambda: now[0])
    sightings.note(Certificate("a", 5.0))
    sightings.note(Certificate("a", 5.0))
    assert [one.certificate for one in sightings.take()] == [Certificate("a", 5.0)]
    sightings.note(Certificate("a", 5.0))
    assert sightings.take() == []
    sightings.note(Certificate("a", 6.0))
    assert [one.certificate.expires_at for one in sightings.take()] == [6.0]
    now[0] += 3600
    sightings.note(Certificate("a", 6.0))
    assert [one.seen_at for one in sightings.take()] == [4600.0]


def test_what_could_not_be_kept_comes_again_unless_something_newer_is_known() -> None:
    sightings = Sightings()
    sightings.note(Certificate("a", 5.0))
    sightings.note(Certificate("b", 5.0))
    taken = sightings.take()
    sightings.note(Certificate("a", 6.0))
    sightings.give_back(taken)
    assert {one.certificate for one in sightings.take()} == {Certificate("a", 6.0), Certificate("b", 5.0)}


def test_too_many_holders_do_not_fill_the_memory() -> None:
    sightings = Sightings()
    for number in range(5000):
        sightings.note(Certificate(str(number), 1.0))
    taken = sightings.take()
    assert len(taken) == 4096
    assert taken[-1].certificate.holder == "4999"
