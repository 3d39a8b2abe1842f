"""The accounts of an IPS Connect network behind a MailStore mount, as an administrator sets it up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.account import NewPerson
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.server.installation import opened
from tests.web.sites import Site

CONFIG = """
[server]
data_dir = "data"
[backends.forum]
type = "ips_connect"
[backends.by_address]
type = "ips_connect"
map = { username = { from = "email", ignore_case = true } }
[frontends.archive]
type = "mailstore"
path = "/mailstore"
backends = ["forum"]
[frontends.addresses]
type = "mailstore"
path = "/addresses"
backends = ["by_address"]
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Each backend has one of every kind, whose password is the name."""
    monkeypatch.setattr(passwords, "COST", 4)
    (tmp_path / "a.toml").write_text(CONFIG, encoding="utf-8")
    with opened(tmp_path) as installation:
        for backend in ("forum", "by_address"):
            accounts = Accounts(backend, installation.store.storage(TABLES))
            for name in ("Ann", "Banned", "Validating", "Old"):
                salt = "abcde" if name == "Old" else passwords.new_salt()
                url = "https://a.example/" if name == "Validating" else ""
                stored = passwords.hashed(name.lower(), salt)
                made = accounts.register(NewPerson(name, f"{name}@example.org", stored, salt, url))
                accounts.set_ban(made.account.id, name == "Banned")
        yield Site(installation, authorization=None)


def test_who_may_log_in_is_listed_and_logs_in(site: Site) -> None:
    listed = site.list().get_json()
    assert [user["userName"] for user in listed] == ["Ann", "Old"]
    for name, may in (("Ann", True), ("ann", True), ("Old", True), ("Banned", False), ("Validating", False)):
        assert site.accepts(name, name.lower()) is may
        assert not site.accepts(name, "wrong")
    assert not site.accepts("nobody", "nobody")


def test_nobody_logs_in_by_a_name_that_is_not_listed(site: Site) -> None:
    assert not site.accepts("Ann@example.org", "ann")
    site.path = "/addresses"
    assert site.accepts("ann@EXAMPLE.org", "ann")
    assert not site.accepts("Ann", "ann")


def test_neither_hash_nor_salt_is_in_a_list(site: Site) -> None:
    accounts = Accounts("forum", site.installation.store.storage(TABLES))
    ann = accounts.find_by_name("Ann")
    assert ann is not None
    text = site.list().text
    assert ann.email in text
    assert not any(secret in text for secret in (ann.pass_hash, ann.pass_salt))
