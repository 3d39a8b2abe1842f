"""Logins at a whole installation on a domain controller: whom a typed name means, and that nobody takes another's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from integration_server import DirectoryUnavailable, Verdict
from integration_server.directory.explain import explain
from integration_server.server.installation import Installation, opened
from tests.servers import Samba

ACCEPTED, REJECTED, UNKNOWN = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.UNKNOWN_USER
PASSWORD = "Passw0rd!y"

Start = Callable[..., Installation]


@pytest.fixture(scope="module")
def place(samba: Samba) -> Iterator[str]:
    place = f"OU=Logins,{samba.base}"
    samba.add(place, ["organizationalUnit"], {})
    yield place
    samba.delete_tree(place)


def person(samba: Samba, place: str, name: str, **attributes: str) -> str:
    dn = f"CN={name},{place}"
    samba.add(dn, ["user"], {"sAMAccountName": name, **attributes})
    samba.set_password(dn, f"{PASSWORD} {name[::-1]}")
    samba.modify(dn, userAccountControl=512)
    return dn


@pytest.fixture
def start(samba: Samba, place: str, tmp_path: Path) -> Iterator[Start]:
    """An installation with the domain, and before or behind it a file of people."""
    with ExitStack() as stack:

        def begin(backends: str = '"ad"', ad: str = "", people: str = "") -> Installation:
            folder = tmp_path / "config.d"
            folder.mkdir()
            (folder / "people.csv").write_text(f"no,login,mail,password\n{people}", encoding="utf-8")
            (folder / "a.toml").write_text(
                f"""
                [server]
                data_dir = "../data"
                [backends.ad]
                type = "ldap"
                profile = "active_directory"
                servers = ["{samba.ldaps_uri}"]
                ca_file = "{samba.ca_file}"
                bind_dn = "{samba.admin_dn}"
                bind_password = "{samba.admin_password}"
                bases = ["{place}"]
                {ad}
                [backends.file]
                type = "csv"
                path = "people.csv"
                quiet_seconds = 0
                password_column = "password"
                password_scheme = "plain"
                map = {{ id = "no", username = "login", emails = "mail" }}
                [frontends.archive]
                type = "mailstore"
                path = "/archive"
                backends = [{backends}]
                username = "mailstore"
                password = "its own"
                """,
                encoding="utf-8",
            )
            return stack.enter_context(opened(folder))

        yield begin


def login(found: Installation, name: str, owner: str) -> Verdict:
    """With the password of whoever is called ``owner``."""
    return found.directory.ask(found.mounts["archive"], name, f"{PASSWORD} {owner[::-1]}")


def test_the_same_person_logs_in_by_every_name(samba: Samba, place: str, start: Start) -> None:
    person(samba, place, "kim", userPrincipalName="k.lee@corp.example", mail="kim@example.org")
    found = start()

    for name in ("kim", "KIM", "k.lee@corp.example", "EXAMPLE\\kim", "kim@example.test", "kim@example.org"):
        assert login(found, name, "kim") is ACCEPTED, name
        assert login(found, name, "other") is REJECTED, name
    for name in ("OTHER\\kim", "kim@other.example", "k.lee", "EXAMPLE\\nobody"):
        assert login(found, name, "kim") is UNKNOWN, name


@pytest.mark.parametrize("attribute", ["userPrincipalName", "proxyAddresses"])
def test_a_name_listed_in_the_domain_is_not_taken_by_an_attribute(
    samba: Samba, place: str, start: Start, attribute: str
) -> None:
    """People are listed by their mail address here."""
    listed = "bertram@example.org"
    bertram = person(samba, place, "bertram", mail=listed)
    mallory = person(samba, place, "mallory", mail="mallory@example.org")
    samba.modify(mallory, **{attribute: [f"smtp:{listed}" if attribute == "proxyAddresses" else listed]})
    found = start(ad='map = { username = "mail" }')

    assert login(found, listed, "mallory") is REJECTED
    assert login(found, listed, "bertram") is ACCEPTED
    samba.delete(bertram)
    samba.delete(mallory)


def test_a_name_under_which_two_are_listed_lets_nobody_in(samba: Samba, place: str, start: Start) -> None:
    made = [person(samba, place, name, mail="bertram@example.org") for name in ("bertram", "mallory")]
    found = start(ad='map = { username = "mail" }')

    for name in ("bertram", "mallory"):
        with pytest.raises(DirectoryUnavailable):
            login(found, "bertram@example.org", name)
    for dn in made:
        samba.delete(dn)


@pytest.mark.parametrize("order", ['"ad", "file"', '"file", "ad"'])
def test_a_name_listed_in_another_backend_is_not_taken(samba: Samba, place: str, start: Start, order: str) -> None:
    name = f"mal{len(order)}{order[1]}"
    dn = person(samba, place, name, mail="eve@example.org", userPrincipalName="eve@example.org")
    found = start(order, people="1,eve@example.org,eve@example.org,eve's own\n")

    assert login(found, "eve@example.org", name) in (REJECTED, UNKNOWN)
    assert found.directory.ask(found.mounts["archive"], "eve@example.org", "eve's own") is ACCEPTED
    assert login(found, name, name) is ACCEPTED
    samba.delete(dn)


def test_why_somebody_gets_in_or_not_is_explained(samba: Samba, place: str, start: Start) -> None:
    dn = person(samba, place, "lou", mail="lou@example.org", userPrincipalName="lou@corp.example")
    samba.modify(dn, pwdLastSet=0)
    found = start()
    mount = found.mounts["archive"]

    (finding,) = explain(mount, "lou")
    assert finding.reason is None
    assert any(note.startswith("must change the password first") for note in finding.notes)
    (finding,) = explain(mount, "EXAMPLE\\lou")
    assert finding.reason is not None
    assert "'lou' may log in by this name, where no backend lists anybody under it" in finding.notes
