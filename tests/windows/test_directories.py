"""Servers that Windows reaches over the network: OpenLDAP with TLS, PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import PostgreSql, Slapd
from tests.servers.people import PEOPLE
from tests.windows.conftest import Place
from tests.windows.machine import CODE_PAGE


@pytest.fixture(scope="module")
def directory(place: Place, slapd: Slapd) -> Iterator[Place]:
    place.change("30-frontends.toml", '["people"]', '["people", "ldap"]')
    (place.ours / "50-ldap.toml").write_text(
        f"[backends.ldap]\ntype = 'ldap'\nservers = ['{slapd.ldaps_uri}']\n"
        f"ca_file = '{place.machine.theirs(slapd.ca_file)}'\n"
        f"bind_dn = '{slapd.reader_dn}'\nbind_password = \"{slapd.reader_password}\"\nbases = ['{slapd.people}']\n"
        "[backends.ldap.map]\nid = 'entryUUID'\nusername = 'uid'\nfull_name = 'cn'\nemails = 'mail'\n",
        encoding="utf-8",
    )
    yield place
    (place.ours / "50-ldap.toml").unlink()


def test_ldap_is_listed_over_tls_with_an_authority_of_its_own(directory: Place) -> None:
    done = directory.machine.server("check", directory.folder, "--list")
    assert done.code == 0, done.text
    listed = directory.machine.server("users", directory.folder, "--json")
    assert {person.full_name for person in PEOPLE} <= {one["full_name"] for one in listed.json()}


def test_passwords_are_checked_by_ldap(directory: Place) -> None:
    (bob,) = (person for person in PEOPLE if person.uid == "bob")
    asked = ("auth", "bob", directory.folder, "--password-stdin")
    assert directory.machine.server(*asked, given=bob.password.encode(CODE_PAGE)).code == 0
    assert directory.machine.server(*asked, given=b"wrong").code == 1


def test_store_may_be_on_postgresql(place: Place, postgresql: PostgreSql) -> None:
    place.change("10-server.toml", "# [store]", f"[store]\nurl = '{postgresql.create_database()}'\n#")
    made = place.machine.server("db", "upgrade", place.folder)
    checked = place.machine.server("db", "check", place.folder)
    assert (made.code, checked.code) == (0, 0), made.text + checked.text
    assert "postgresql" in checked.text
