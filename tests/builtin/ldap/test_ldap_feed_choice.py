"""Which change feed is used: the one that is set, or the best that the server offers."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from integration_server import BackendMisconfigured, ComparisonNeeded
from integration_server.builtin.ldap.feeds import dirsync, timestamps, usn
from tests.builtin.ldap.opened import Opened
from tests.builtin.ldap.slapd_edits import LdapEdits
from tests.servers import Samba, Slapd

NewSlapd = Callable[..., Slapd]
Open = Callable[..., Opened]


@pytest.fixture
def open_samba(samba: Samba, open_ldap: Open) -> Callable[..., Opened]:
    def open_one(**more: object) -> Opened:
        settings = {
            "ca_file": str(samba.ca_file),
            "bind_dn": Samba.admin_login,
            "bind_password": Samba.admin_password,
            "bases": [Samba.users],
            "ldap_filter": "(objectClass=user)",
            "map": {"id": "objectGUID", "username": "sAMAccountName"},
            "sync": {},
        }
        return open_ldap(samba.ldaps_uri, **settings, **more)

    return open_one


def kind(position: str) -> str:
    found = json.loads(position)[0]
    assert isinstance(found, str)
    return found


def messages(opened: Opened) -> list[str]:
    return [finding.message for finding in opened.findings() if finding.message.startswith("change feed")]


def test_nothing_is_asked_before_somebody_wants_to_know(open_ldap: Open) -> None:
    opened = open_ldap("ldap://127.0.0.1:9")
    assert opened.backend.feed() == "auto"
    assert open_ldap("ldap://127.0.0.1:9", change_feed="usn").backend.feed() == "usn"


def test_openldap_is_followed_by_syncrepl(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri, sync={})
    assert kind(opened.position()) == "syncrepl"
    assert opened.backend.feed() == "auto (syncrepl)"
    found = messages(opened)
    assert any("auto (syncrepl): syncrepl of 'dc=example,dc=org'" in message for message in found)
    assert any("not dirsync or usn, because the server is no Active Directory" in message for message in found)


def test_openldap_without_the_overlay_is_followed_by_times(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd(overlays=())
    opened = open_ldap(slapd.uri, sync={})
    position = opened.position()
    assert kind(position) == "modifyTimestamp"
    found = messages(opened)
    assert any("auto (modifyTimestamp): modifyTimestamp can be read" in message for message in found)
    assert any("not syncrepl, because" in message and "overlay syncprov" in message for message in found)
    LdapEdits(slapd).change("alice")
    assert "alice" in opened.told(position).usernames


def test_active_directory_is_followed_by_dirsync(open_samba: Callable[..., Opened]) -> None:
    opened = open_samba()
    assert kind(opened.position()) == "dirsync"
    assert opened.backend.feed() == "auto (dirsync)"
    assert any("DirSync is used with the right" in message for message in messages(opened))


def test_active_directory_without_dirsync_is_followed_by_numbers(
    open_samba: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dirsync, "DIRSYNC", "1.2.3")
    opened = open_samba()
    assert kind(opened.position()) == "usn"
    found = messages(opened)
    assert any("auto (usn): uSNChanged of dc1.example.test is used" in message for message in found)
    assert any("not dirsync, because" in message for message in found)


def test_server_that_offers_nothing_is_compared_as_ever(
    open_samba: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dirsync, "DIRSYNC", "1.2.3")
    monkeypatch.setattr(usn, "read_invocation", hidden)
    opened = open_samba()
    position = opened.position()
    assert kind(position) == "none"
    assert opened.told(position).users == {}
    assert any(
        "auto (none): changes are noticed by the next comparison only" in message for message in messages(opened)
    )


def hidden(*_: object) -> str:
    raise BackendMisconfigured("the invocationId may not be read")


def test_new_position_is_of_what_the_server_offers_then(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd(overlays=())
    opened, edits = open_ldap(slapd.uri), LdapEdits(slapd)
    times = opened.position()
    slapd.reconfigure(overlays=("syncprov",))
    edits.change("alice")
    assert "alice" in opened.told(times).usernames
    cookie = opened.position()
    assert [kind(times), kind(cookie)] == ["modifyTimestamp", "syncrepl"]
    edits.change("bob")
    with pytest.raises(ComparisonNeeded, match="no log"):
        opened.told(cookie)
    slapd.reconfigure(overlays=())
    with pytest.raises(ComparisonNeeded, match="syncrepl cannot be used any more"):
        opened.told(cookie)
    assert kind(opened.position()) == "modifyTimestamp"


def test_check_is_silent_of_a_feed_that_nobody_wants(slapd: Slapd, open_ldap: Open) -> None:
    assert messages(open_ldap(slapd.uri)) == []
    assert messages(open_ldap(slapd.uri, sync={"feed": "off"})) == []
    assert messages(open_ldap(slapd.uri, sync={}, change_feed="off")) == []
    assert messages(open_ldap(slapd.uri, change_feed="syncrepl"))


@pytest.mark.parametrize("feed", ["dirsync", "usn"])
def test_feed_that_the_server_does_not_offer_is_an_error(slapd: Slapd, open_ldap: Open, feed: str) -> None:
    opened = open_ldap(slapd.uri, change_feed=feed)
    with pytest.raises(BackendMisconfigured, match=r"does not offer DirSync|is no Active Directory"):
        opened.position()
    errors = [finding.message for finding in opened.findings() if finding.level == "error"]
    assert any(f"change_feed = '{feed}' cannot be used" in message for message in errors)


def test_position_of_another_feed_takes_a_comparison(slapd: Slapd, open_ldap: Open) -> None:
    position = open_ldap(slapd.uri, change_feed="modifyTimestamp").position()
    with pytest.raises(ComparisonNeeded, match="the position is one of modifyTimestamp"):
        open_ldap(slapd.uri, change_feed="syncrepl").told(position)


def test_position_of_other_bases_takes_a_comparison(slapd: Slapd, open_ldap: Open) -> None:
    position = json.dumps(["syncrepl", {"dc=elsewhere,dc=org": "Y29va2ll"}])
    with pytest.raises(ComparisonNeeded):
        open_ldap(slapd.uri, change_feed="syncrepl").told(position)


def test_look_that_takes_long_is_followed_by_a_rest(
    new_slapd: NewSlapd, open_ldap: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    slapd = new_slapd()
    opened, edits = open_ldap(slapd.uri, change_feed="modifyTimestamp"), LdapEdits(slapd)
    position = opened.position()
    monkeypatch.setattr(timestamps, "_SLOW_SECONDS", 0.0)
    monkeypatch.setattr(timestamps, "_RESTS", 1e9)
    opened.told(position)
    edits.change("alice")
    assert opened.told(position).users == {}
    assert "alice" in open_ldap(slapd.uri, change_feed="modifyTimestamp").told(position).usernames
