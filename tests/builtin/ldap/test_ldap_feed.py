"""The change feed of LDAP directories: modifyTimestamp."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from integration_server import BackendMisconfigured, ComparisonNeeded, Deadline, IncompleteListing
from integration_server.builtin.ldap import LdapBackend
from integration_server.builtin.ldap.feeds import timestamps as feed_module
from integration_server.sdk.testing import ChangeFeedConformance, Outage
from tests.builtin.ldap.opened import Opened
from tests.builtin.ldap.slapd_edits import LdapEdits
from tests.servers import PEOPLE, Slapd

NewSlapd = Callable[..., Slapd]
Open = Callable[..., Opened]


class TestModifyTimestamp(ChangeFeedConformance):
    backend_class = LdapBackend
    tells_gone = False
    outage_seconds = 0.4

    @pytest.fixture
    def population(self) -> Mapping[str, str | None]:
        return {person.uid: None for person in PEOPLE}

    @pytest.fixture
    def server(self, new_slapd: NewSlapd) -> Slapd:
        return new_slapd()

    @pytest.fixture
    def edits(self, server: Slapd) -> LdapEdits:
        return LdapEdits(server)

    @pytest.fixture
    def table(self, server: Slapd) -> dict[str, Any]:
        return {
            "type": "ldap",
            "servers": [server.uri],
            "bind_dn": Slapd.reader_dn,
            "bind_password": Slapd.reader_password,
            "bases": [Slapd.people],
            "page_size": 7,
            "change_feed": "modifyTimestamp",
            "overlap_seconds": 5,
        }

    @pytest.fixture
    def outages(self, server: Slapd) -> Sequence[Outage]:
        return [Outage("stopped", server.stopped), Outage("frozen", server.frozen)]


def told(opened: Opened, position: str) -> tuple[set[str], str]:
    """Whose entries are told from a position on, and where that ends."""
    found = opened.told(position)
    return set(found.usernames), found.position


@pytest.fixture
def opened(new_slapd: NewSlapd, open_ldap: Open) -> tuple[Opened, LdapEdits]:
    slapd = new_slapd()
    return open_ldap(slapd.uri, change_feed="modifyTimestamp", overlap_seconds=2), LdapEdits(slapd)


def test_position_comes_to_rest_when_nothing_can_come_late(opened: tuple[Opened, LdapEdits]) -> None:
    backend, edits = opened
    position = backend.backend.feed_position(Deadline(20))
    edits.change("alice")
    names, position = told(backend, position)
    assert "alice" in names
    give_up = time.monotonic() + 20
    while names:
        assert time.monotonic() < give_up, "entries are told again for ever"
        time.sleep(0.3)
        names, position = told(backend, position)
    edits.change("bob")
    names, later = told(backend, position)
    assert names == {"bob"}
    assert later >= position


def test_times_are_the_servers_whatever_our_clock_says(
    opened: tuple[Opened, LdapEdits], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, edits = opened
    expected = backend.backend.feed_position(Deadline(20))

    class Late(feed_module.dt.datetime):  # type: ignore[name-defined,misc]
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return super().now(tz).replace(year=2060)

    monkeypatch.setattr(feed_module.dt, "datetime", Late)
    assert backend.backend.feed_position(Deadline(20)) == expected
    edits.change("alice")
    assert "alice" in told(backend, expected)[0]


def test_many_changes_mean_a_comparison(new_slapd: NewSlapd, open_ldap: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    slapd = new_slapd()
    backend = open_ldap(slapd.uri, change_feed="modifyTimestamp", page_size=7)
    everybody = {person.uid for person in PEOPLE}
    assert told(backend, '["modifyTimestamp", "20200101000000Z"]')[0] == everybody
    assert told(backend, '["modifyTimestamp", null]')[0] == everybody
    monkeypatch.setattr(feed_module, "_MOST", 20)
    with pytest.raises(ComparisonNeeded, match="more than 20 entries"):
        told(backend, '["modifyTimestamp", null]')
    assert backend.find("alice") is not None


def test_entries_hold_the_mapped_attributes_and_no_others(opened: tuple[Opened, LdapEdits]) -> None:
    backend, edits = opened
    position = backend.backend.feed_position(Deadline(20))
    edits.change("alice")
    batches = [s.entries for s in backend.backend.changes(position, Deadline(20)) if s.entries is not None]
    assert batches
    assert {batch.names for batch in batches} == {backend.mapper.attributes}


def test_no_feed_is_a_setting(slapd: Slapd, open_ldap: Open) -> None:
    backend = open_ldap(slapd.uri, change_feed="off")
    assert backend.backend.feed() is None
    with pytest.raises(BackendMisconfigured, match="change_feed is off"):
        backend.backend.feed_position(Deadline(20))


def test_check_tells_when_the_attribute_is_not_shown(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd(global_lines="access to attrs=modifyTimestamp by * none")
    backend = open_ldap(slapd.uri, change_feed="modifyTimestamp")
    assert any("no change will be noticed" in finding.message for finding in backend.findings())


def test_limit_of_the_server_is_no_end_of_the_changes(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd(limits="size.prtotal=5")
    backend = open_ldap(slapd.uri, change_feed="modifyTimestamp", page_size=3)
    with pytest.raises(IncompleteListing, match="sizeLimitExceeded"):
        told(backend, '["modifyTimestamp", "20200101000000Z"]')


@pytest.mark.parametrize("wrong", ['["modifyTimestamp", "20209901000000Z"]', '["modifyTimestamp"]', '["x", null]'])
def test_position_of_no_time_means_a_comparison(slapd: Slapd, open_ldap: Open, wrong: str) -> None:
    backend = open_ldap(slapd.uri, change_feed="modifyTimestamp")
    with pytest.raises(ComparisonNeeded):
        told(backend, wrong)
