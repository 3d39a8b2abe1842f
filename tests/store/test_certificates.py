"""Certificates that were met, on SQLite and PostgreSQL."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from integration_server.sdk.certificates import Certificate, Sighting
from integration_server.store.certificates import Certificates


@pytest.fixture
def certificates(engine: sa.Engine) -> Certificates:
    return Certificates(engine)


def seen(holder: str, expires_at: float, seen_at: float = 1.0) -> Sighting:
    return Sighting(Certificate(holder, expires_at), seen_at)


def test_those_come_first_that_end_first(certificates: Certificates) -> None:
    certificates.put([seen("a", 30.0), seen("b", 10.0), seen("c", 20.0), seen("d", 99.0)])
    assert [one.certificate.holder for one in certificates.ending(50.0, 10)] == ["b", "c", "a"]
    assert [one.certificate.holder for one in certificates.ending(50.0, 2)] == ["b", "c"]


def test_a_renewed_one_replaces_the_one_before(certificates: Certificates) -> None:
    certificates.put([seen("a", 10.0, 1.0)])
    certificates.put([seen("a", 90.0, 2.0)])
    certificates.put([seen("a", 10.0, 1.5)])
    assert certificates.ending(100.0, 10) == [seen("a", 90.0, 2.0)], "what somebody saw earlier counts no more"


def test_those_that_nobody_sees_any_more_are_forgotten(certificates: Certificates) -> None:
    certificates.put([seen("a", 10.0, 1.0), seen("b", 10.0, 5.0)])
    assert certificates.prune(5.0) == 1
    assert [one.certificate.holder for one in certificates.ending(100.0, 10)] == ["b"]


def test_a_long_name_is_cut(certificates: Certificates) -> None:
    certificates.put([seen("x" * 1000, 10.0)])
    assert certificates.ending(100.0, 10)[0].certificate.holder == "x" * 500
