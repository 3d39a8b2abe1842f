"""Listings of a real slapd: whole or an error, on one connection, in its order, aliases and all."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from integration_server import (
    BackendMisconfigured,
    BackendTimeout,
    BackendUnavailable,
    Deadline,
    IncompleteListing,
)
from tests.builtin.ldap.opened import Opened
from tests.servers import PEOPLE, Slapd
from tests.tcp_proxy import BlackHole, CutAfter, Drip, FreezeAfter, Pass, TcpProxy

NewSlapd = Callable[..., Slapd]
Open = Callable[..., Opened]
Proxy = Callable[[int], TcpProxy]

EVERYBODY = [person.uid for person in PEOPLE]


def test_a_listing_that_the_server_cuts_short_is_no_listing(new_slapd: NewSlapd, open_ldap: Open) -> None:
    """ldap3's own paged search ends quietly here, in every one of its modes."""
    slapd = new_slapd(limits="size.prtotal=25")
    with pytest.raises(IncompleteListing, match=r"sizeLimitExceeded\(4\).*limits for the service account"):
        open_ldap(slapd.uri, page_size=10).users()
    slapd.reconfigure(limits="size=10")
    with pytest.raises(IncompleteListing, match=r"sizeLimitExceeded\(4\).*or set page_size"):
        open_ldap(slapd.uri, page_size=0).users()
    slapd.reconfigure(limits="size.pr=5")
    with pytest.raises(BackendUnavailable):
        open_ldap(slapd.uri, page_size=10).users()
    slapd.reconfigure(limits="size.prtotal=disabled")
    with pytest.raises(IncompleteListing, match=r"adminLimitExceeded\(11\): pagedResults control not allowed"):
        open_ldap(slapd.uri, page_size=10).users()
    slapd.reconfigure(limits="")
    assert open_ldap(slapd.uri, page_size=10).usernames() == EVERYBODY


def test_limits_that_are_not_reached_are_no_matter(new_slapd: NewSlapd, open_ldap: Open) -> None:
    """slapd refuses a search that asks for more time than it may have, however quickly it would be done."""
    slapd = new_slapd(limits="time.soft=2 time.hard=3 size.soft=50 size.hard=60")
    opened = open_ldap(slapd.uri, page_size=10)
    assert opened.usernames() == EVERYBODY
    assert opened.find("alice") is not None


def test_a_page_as_large_as_the_list_is_its_last(slapd: Slapd, open_ldap: Open) -> None:
    for size in (1, len(PEOPLE) - 1, len(PEOPLE), len(PEOPLE) + 1, 0):
        assert open_ldap(slapd.uri, page_size=size).usernames() == EVERYBODY


def test_a_listing_runs_on_one_connection(slapd: Slapd, tcp_proxy: Proxy, open_ldap: Open) -> None:
    """The cookie of a page belongs to the connection; a pool that spreads pages over several loses most of them."""
    proxy = tcp_proxy(slapd.port)
    assert open_ldap(f"ldap://127.0.0.1:{proxy.port}", page_size=3).usernames() == EVERYBODY
    assert proxy.accepted == 1


def test_the_next_page_is_asked_for_before_a_page_is_given(slapd: Slapd, tcp_proxy: Proxy, open_ldap: Open) -> None:
    proxy = tcp_proxy(slapd.port)
    opened = open_ldap(f"ldap://127.0.0.1:{proxy.port}", page_size=len(PEOPLE) - 1)
    batches = opened.backend.users(Deadline(10))
    assert len(next(batches).rows) == len(PEOPLE) - 1
    # What was asked before the freeze has been answered; nothing more will be.
    time.sleep(0.3)
    proxy.fault = BlackHole()
    assert len(next(batches).rows) == 1
    with pytest.raises(StopIteration):
        next(batches)


def test_aliases_are_not_followed(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    slapd.add(
        f"dn: ou=elsewhere,{slapd.base}\nobjectClass: organizationalUnit\nou: elsewhere\n\n"
        f"dn: uid=far,ou=elsewhere,{slapd.base}\nobjectClass: inetOrgPerson\nuid: far\ncn: Far\nsn: Away\n\n"
        f"dn: cn=pointer,{slapd.people}\nobjectClass: alias\nobjectClass: extensibleObject\ncn: pointer\n"
        f"aliasedObjectName: uid=far,ou=elsewhere,{slapd.base}\n"
    )
    opened = open_ldap(slapd.uri)
    assert opened.usernames() == EVERYBODY
    assert opened.find("far") is None


def test_referrals_are_counted_and_shown(
    new_slapd: NewSlapd, open_ldap: Open, caplog: pytest.LogCaptureFixture
) -> None:
    slapd = new_slapd()
    slapd.add(
        f"dn: ou=abroad,{slapd.people}\nobjectClass: referral\nobjectClass: extensibleObject\nou: abroad\n"
        f"ref: ldap://127.0.0.1:1/ou=abroad\n"
    )
    caplog.set_level("INFO")
    opened = open_ldap(slapd.uri)
    assert opened.usernames() == EVERYBODY
    assert "1 referrals to other servers were not followed, such as ldap://127.0.0.1:1/ou=abroad" in caplog.text
    assert opened.login("alice", PEOPLE[0].password).value == "accepted"
    assert any("1 referrals are not followed" in finding.message for finding in opened.findings())


def test_referrals_met_while_groups_are_read_are_counted_and_shown(
    new_slapd: NewSlapd, open_ldap: Open, caplog: pytest.LogCaptureFixture
) -> None:
    slapd = new_slapd()
    slapd.add(
        f"dn: ou=abroad,{slapd.groups}\nobjectClass: referral\nobjectClass: extensibleObject\nou: abroad\n"
        f"ref: ldap://127.0.0.1:1/ou=abroad\n"
    )
    caplog.set_level("INFO")
    opened = open_ldap(slapd.uri, groups={"bases": [slapd.groups]}, map={"groups": "groups"})
    told = "1 referrals to other servers were not followed, such as ldap://127.0.0.1:1/ou=abroad"
    assert opened.usernames() == EVERYBODY
    assert caplog.text.count(told) == 1
    opened.backend.groups(Deadline(20))
    assert caplog.text.count(told) == 2
    assert any(
        "1 referrals are not followed; groups may be there as well" in finding.message for finding in opened.findings()
    )


def test_overlapping_bases_give_everybody_once(slapd: Slapd, open_ldap: Open) -> None:
    bases = [slapd.people, slapd.people.upper(), f"  OU = people , {slapd.base}", slapd.base, slapd.dn_of("alice")]
    opened = open_ldap(slapd.uri, bases=bases)
    assert sorted(opened.usernames()) == sorted(EVERYBODY)
    assert opened.find("alice") is not None


def test_several_bases_are_all_listed(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri, bases=[slapd.dn_of("bob"), slapd.dn_of("alice")], page_size=1)
    assert opened.usernames() == ["bob", "alice"]
    assert opened.find("carol") is None


def test_a_base_that_is_gone_is_a_mistake_and_not_an_empty_list(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri, bases=[slapd.people, f"ou=gone,{slapd.base}"])
    with pytest.raises(BackendMisconfigured, match=rf"noSuchObject\(32\).*exists up to {slapd.base}"):
        opened.users()
    with pytest.raises(BackendMisconfigured, match=r"noSuchObject\(32\)"):
        opened.find("alice")


def test_values_come_in_the_order_of_the_attributes(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri, map={"full_name": "displayName", "groups": "description"}, ldap_filter="(uid=alice)")
    (batch,) = opened.backend.users(Deadline(10))
    assert batch.names == ("entryUUID", "uid", "displayName", "dn", "mail", "description")
    row = dict(zip(batch.names, batch.rows[0], strict=True))
    assert row["mail"] == list(PEOPLE[0].emails)
    assert (row["uid"], row["dn"], row["description"]) == ("alice", slapd.dn_of("alice"), None)


@pytest.mark.parametrize("port", ["port", "ldaps_port"])
def test_a_network_that_fails_in_the_middle_is_no_listing(
    slapd: Slapd, tcp_proxy: Proxy, open_ldap: Open, port: str
) -> None:
    proxy = tcp_proxy(getattr(slapd, port))
    scheme = "ldap" if port == "port" else "ldaps"
    ca_file = str(slapd.ca_file) if scheme == "ldaps" else None
    opened = open_ldap(f"{scheme}://127.0.0.1:{proxy.port}", page_size=5, ca_file=ca_file)
    for fault, seconds in (
        (CutAfter(700), 10),
        (CutAfter(700, is_reset=True), 10),
        (FreezeAfter(700), 0.5),
        (Drip(0.01), 0.5),
    ):
        batches = opened.backend.users(Deadline(seconds))
        next(batches)
        proxy.fault = fault
        started = time.monotonic()
        with pytest.raises(BackendTimeout if seconds < 1 else IncompleteListing):
            list(batches)
        assert time.monotonic() - started < 5
        proxy.fault = Pass()
        assert opened.usernames() == EVERYBODY


def test_an_early_end_of_a_listing_closes_its_connection(slapd: Slapd, tcp_proxy: Proxy, open_ldap: Open) -> None:
    proxy = tcp_proxy(slapd.port)
    opened = open_ldap(f"ldap://127.0.0.1:{proxy.port}", page_size=5)
    batches = opened.backend.users(Deadline(10))
    next(batches)
    assert proxy.connections == 1
    batches.close()  # type: ignore[attr-defined]
    give_up = time.monotonic() + 5
    while proxy.connections and time.monotonic() < give_up:
        time.sleep(0.01)
    assert proxy.connections == 0


def test_a_crowd_is_listed_in_batches_with_pages_and_without(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    slapd.load(5000)
    opened = open_ldap(slapd.uri, bases=[slapd.crowd])
    sizes = [len(batch.rows) for batch in opened.backend.users(Deadline(30))]
    assert (sum(sizes), max(sizes)) == (5000, 1000)
    unpaged = open_ldap(slapd.uri, bases=[slapd.crowd], page_size=0)
    sizes = [len(batch.rows) for batch in unpaged.backend.users(Deadline(30))]
    assert sum(sizes) == 5000
    assert max(sizes) < 5000
