"""The change feeds of Active Directory, DirSync and uSNChanged, against Samba."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from integration_server import BackendMisconfigured, ComparisonNeeded
from integration_server.builtin.ldap import LdapBackend
from integration_server.builtin.ldap.feeds import touched
from integration_server.builtin.ldap.values import sid_text
from integration_server.sdk.testing import ChangeFeedConformance, Outage
from tests.builtin.ldap.opened import Opened
from tests.builtin.ldap.samba_edits import SambaEdits
from tests.servers import Samba

Open = Callable[..., Opened]

PEOPLE = ("alice", "bob", "carol", "dörte")
MAP = {"id": "objectGUID", "username": "cn", "full_name": "displayName", "distinguished_name": "dn"}


@pytest.fixture
def edits(samba: Samba) -> SambaEdits:
    return SambaEdits(samba, PEOPLE)


def settings(samba: Samba, edits: SambaEdits, **more: object) -> dict[str, Any]:
    return {
        "servers": [samba.ldaps_uri],
        "ca_file": str(samba.ca_file),
        "bind_dn": Samba.admin_login,
        "bind_password": Samba.admin_password,
        "bases": [edits.unit],
        "ldap_filter": "(&(objectCategory=person)(objectClass=user))",
        "map": MAP,
        **more,
    }


class ActiveDirectory(ChangeFeedConformance):
    backend_class = LdapBackend
    outage_seconds = 0.4
    feed_name: ClassVar[str]

    @pytest.fixture
    def population(self) -> Mapping[str, str | None]:
        return dict.fromkeys(PEOPLE)

    @pytest.fixture
    def edits(self, samba: Samba) -> SambaEdits:
        return SambaEdits(samba, PEOPLE)

    @pytest.fixture
    def table(self, samba: Samba, edits: SambaEdits) -> dict[str, Any]:
        return {"type": "ldap", **settings(samba, edits, change_feed=self.feed_name, page_size=3)}

    @pytest.fixture
    def outages(self, samba: Samba) -> Sequence[Outage]:
        return [Outage("stopped", samba.stopped), Outage("frozen", samba.frozen)]


class TestDirSync(ActiveDirectory):
    feed_name = "dirsync"


class TestUsn(ActiveDirectory):
    feed_name = "usn"


both_feeds = pytest.mark.parametrize("feed", ["dirsync", "usn"])


@pytest.fixture
def open_feed(samba: Samba, edits: SambaEdits, open_ldap: Open) -> Callable[..., Opened]:
    def open_one(feed: str, **more: object) -> Opened:
        table = settings(samba, edits, change_feed=feed, **more)
        return open_ldap(*table.pop("servers"), **table)

    return open_one


def sees_once(opened: Opened, position: str) -> str:
    """Nothing is told of anybody from there on; the next position."""
    found = opened.told(position)
    assert not found.users
    assert found.gone.isdisjoint(opened.ids().values())
    return found.position


@both_feeds
def test_who_is_deleted_is_told_by_id(open_feed: Callable[..., Opened], edits: SambaEdits, feed: str) -> None:
    opened = open_feed(feed)
    ids, position = opened.ids(), opened.position()
    edits.remove("bob")
    found = opened.told(position)
    assert (found.usernames, found.gone) == ([], {ids["bob"]})
    sees_once(opened, found.position)


@both_feeds
def test_new_account_of_an_old_name_is_somebody_else(
    open_feed: Callable[..., Opened], edits: SambaEdits, feed: str
) -> None:
    opened = open_feed(feed)
    ids, position = opened.ids(), opened.position()
    edits.remove("bob")
    edits.add("bob")
    found = opened.told(position)
    assert (found.usernames, found.gone) == (["bob"], {ids["bob"]})
    assert ids["bob"] not in found.users


@both_feeds
def test_who_is_renamed_has_the_same_id(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, feed: str
) -> None:
    opened = open_feed(feed)
    ids, position = opened.ids(), opened.position()
    samba.rename(edits.dn("bob"), "robert")
    found = opened.told(position)
    assert {user.id: user.username for user in found.users.values()} == {ids["bob"]: "robert"}
    assert not found.gone


@both_feeds
def test_who_moves_out_of_the_base_is_gone_and_back_when_moved_back(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, feed: str
) -> None:
    opened = open_feed(feed)
    ids, position = opened.ids(), opened.position()
    elsewhere = samba.rename(edits.dn("bob"), "bob", Samba.users)
    found = opened.told(position)
    assert (found.usernames, found.gone) == ([], {ids["bob"]})
    samba.rename(elsewhere, "bob", edits.unit)
    found = opened.told(found.position)
    assert (found.usernames, found.gone) == (["bob"], frozenset())


@both_feeds
def test_who_is_disabled_leaves_a_filter_of_the_enabled(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, feed: str
) -> None:
    enabled = "(!(userAccountControl:1.2.840.113556.1.4.803:=2))"
    samba.set_password(edits.dn("bob"), "Passw0rd!y")
    samba.modify(edits.dn("bob"), userAccountControl=512)
    opened = open_feed(feed, ldap_filter=f"(&(objectClass=user){enabled})")
    ids, position = opened.ids(), opened.position()
    assert list(ids) == ["bob"]
    samba.modify(edits.dn("bob"), userAccountControl=514)
    found = opened.told(position)
    assert (found.usernames, found.gone) == ([], {ids["bob"]})
    samba.modify(edits.dn("bob"), userAccountControl=512)
    assert opened.told(found.position).usernames == ["bob"]


@both_feeds
def test_attribute_that_is_not_mapped_is_nobodys_change_or_at_least_harmless(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, feed: str
) -> None:
    opened = open_feed(feed)
    position = opened.position()
    samba.modify(edits.dn("bob"), description="nobody reads this")
    assert opened.told(position).usernames == ([] if feed == "dirsync" else ["bob"])
    samba.modify(edits.dn("bob"), displayName=[])
    found = opened.told(position)
    assert [user.full_name for user in found.users.values()] == [None]


@both_feeds
def test_server_that_was_restarted_goes_on(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, feed: str
) -> None:
    opened = open_feed(feed)
    ids, position = opened.ids(), opened.position()
    edits.remove("bob")
    with samba.stopped():
        pass
    edits.change("carol")
    found = opened.told(position)
    assert (found.usernames, found.gone) == (["carol"], {ids["bob"]})


@both_feeds
def test_people_below_a_unit_that_is_renamed_take_a_comparison(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, feed: str
) -> None:
    inner = f"OU=inner,{edits.unit}"
    samba.add(inner, ["organizationalUnit"], {})
    opened = open_feed(feed)
    position = opened.position()
    samba.admin().modify_dn(inner, "OU=empty")
    position = sees_once(opened, position)
    samba.rename(edits.dn("bob"), "bob", f"OU=empty,{edits.unit}")
    position = opened.told(position).position
    samba.admin().modify_dn(f"OU=empty,{edits.unit}", "OU=full")
    with pytest.raises(ComparisonNeeded, match="people are below it"):
        opened.told(position)


@both_feeds
def test_new_unit_that_people_are_moved_into_takes_no_comparison(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, feed: str
) -> None:
    opened = open_feed(feed)
    position = opened.position()
    samba.add(f"OU=new,{edits.unit}", ["organizationalUnit"], {})
    samba.rename(edits.dn("bob"), "bob", f"OU=new,{edits.unit}")
    samba.rename(edits.dn("carol"), "carol", f"OU=new,{edits.unit}")
    assert opened.told(position).usernames == ["bob", "carol"]


@both_feeds
def test_id_that_outlives_deletion_is_told(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, feed: str
) -> None:
    opened = open_feed(feed, map={**MAP, "id": {"from": "sAMAccountName", "lower": True}})
    ids, position = opened.ids(), opened.position()
    edits.remove("bob")
    moved = samba.rename(edits.dn("carol"), "carol", Samba.users)
    assert opened.told(position).gone == {ids["bob"], ids["carol"]}
    samba.delete(moved)


@both_feeds
def test_id_that_does_not_takes_a_comparison(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, feed: str
) -> None:
    samba.modify(edits.dn("bob"), mail="bob@example.test")
    opened = open_feed(feed, map={**MAP, "id": "mail"}, ldap_filter="(mail=*)")
    position = opened.position()
    edits.remove("bob")
    with pytest.raises(ComparisonNeeded, match="something was deleted"):
        opened.told(position)


@both_feeds
def test_many_changes_mean_a_comparison(
    open_feed: Callable[..., Opened], edits: SambaEdits, feed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(touched, "MOST", 2)
    opened = open_feed(feed)
    position = opened.position()
    for username in ("alice", "bob", "carol"):
        edits.change(username)
    with pytest.raises(ComparisonNeeded, match="more than 2 entries"):
        opened.told(position)


# -- groups ------------------------------------------------------------------------------------------------------------

OWN_GROUPS = {"map": {**MAP, "groups": "groups"}, "groups": {"member_attribute": "memberOf", "id_attribute": "cn"}}
OF_THE_PERSON = {"map": {**MAP, "groups": "memberOf"}}

any_groups = pytest.mark.parametrize("groups", [OWN_GROUPS, OF_THE_PERSON], ids=["table", "memberOf"])


def told_groups(opened: Opened, position: str) -> tuple[dict[str, list[str]], str]:
    """The first parts of the names of the groups of those who are told."""
    found = opened.told(position)
    names = {
        user.username: sorted(group.removeprefix("CN=").partition(",")[0] for group in user.groups)
        for user in found.users.values()
    }
    return names, found.position


@any_groups
def test_who_joins_or_leaves_a_group_is_told_by_dirsync(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, groups: dict[str, Any]
) -> None:
    edits.add_group("board", "alice", "bob")
    opened = open_feed("dirsync", **groups)
    position = opened.position()
    samba.add_members(edits.dn("board"), edits.dn("carol"))
    samba.remove_members(edits.dn("board"), edits.dn("bob"))
    names, position = told_groups(opened, position)
    assert names == {"bob": [], "carol": ["board"]}
    edits.add_group("crew", "alice")
    names, position = told_groups(opened, position)
    assert names == {"alice": ["board", "crew"]}
    edits.remove("carol")
    assert told_groups(opened, position)[0] == {}


@both_feeds
def test_nested_and_primary_groups_are_told_as_a_listing_gives_them(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, feed: str
) -> None:
    edits.add_group("crew", "alice")
    samba.add_members(edits.add_group("board"), edits.dn("crew"))
    own = {"bases": [edits.unit, Samba.users], "id_attribute": "cn", "nested": True, "primary_group": True}
    opened = open_feed(feed, map={**MAP, "groups": "groups"}, groups=own)
    position = opened.position()
    edits.change("alice")
    assert told_groups(opened, position)[0] == {"alice": ["Domain Users", "board", "crew"]}


@any_groups
@pytest.mark.parametrize("change", ["deleted", "renamed", "nested"])
def test_what_befalls_a_whole_group_takes_a_comparison(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, groups: dict[str, Any], change: str
) -> None:
    edits.add_group("board", "alice", "bob")
    edits.add_group("crew")
    opened = open_feed("dirsync", **groups)
    position = opened.position()
    match change:
        case "deleted":
            edits.remove("board")
        case "renamed":
            samba.rename(edits.dn("board"), "council")
        case _:
            samba.add_members(edits.dn("crew"), edits.dn("board"))
    with pytest.raises(ComparisonNeeded, match="group"):
        opened.told(position)


def test_group_that_was_deleted_before_a_restart_takes_a_comparison(
    open_feed: Callable[..., Opened], edits: SambaEdits
) -> None:
    edits.add_group("board", "alice", "bob")
    position = open_feed("dirsync", **OWN_GROUPS).position()
    edits.remove("board")
    with pytest.raises(ComparisonNeeded, match="a group was deleted, or may have been"):
        open_feed("dirsync", **OWN_GROUPS).told(position)


@any_groups
def test_change_of_a_group_takes_a_comparison_by_numbers(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, groups: dict[str, Any]
) -> None:
    edits.add_group("board", "alice")
    opened = open_feed("usn", **groups)
    position = opened.position()
    edits.change("alice")
    names, position = told_groups(opened, position)
    assert names == {"alice": ["board"]}
    samba.add_members(edits.dn("board"), edits.dn("carol"))
    with pytest.raises(ComparisonNeeded, match=r"group .* was changed"):
        opened.told(position)


def test_group_in_the_filter_decides_on_who_is_there(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits
) -> None:
    board = edits.add_group("board", "alice", "bob")
    opened = open_feed("dirsync", ldap_filter=f"(&(objectClass=user)(memberOf={board}))")
    ids, position = opened.ids(), opened.position()
    assert sorted(ids) == ["alice", "bob"]
    samba.add_members(board, edits.dn("carol"))
    samba.remove_members(board, edits.dn("bob"))
    found = opened.told(position)
    assert found.usernames == ["carol"]
    assert found.gone & set(ids.values()) == {ids["bob"]}


def test_groups_that_nobody_reads_are_nobodys_change(open_feed: Callable[..., Opened], edits: SambaEdits) -> None:
    edits.add_group("board", "alice")
    opened = open_feed("dirsync")
    position = opened.position()
    edits.add_group("crew", "alice", "bob")
    edits.remove("board")
    assert opened.told(position).usernames == []


# -- rights ------------------------------------------------------------------------------------------------------------

PASSWORD = "Passw0rd!y"
#: "Replicating Directory Changes" (MS-ADTS §5.1.3.2.1), and to list and read.
REPLICATE = "(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;{sid})"
LIST_AND_READ = "(A;;LCRP;;;{sid})"


@pytest.fixture
def reader(samba: Samba) -> Iterator[tuple[str, str]]:
    """An account that may do what any may: its login and SID."""
    name = f"reader{secrets.token_hex(4)}"
    dn = samba.add_user(name, PASSWORD)
    sid = sid_text(samba.read(dn, "objectSid")["objectSid"][0])
    assert isinstance(sid, str)
    yield f"{name}@{Samba.domain}", sid
    samba.delete(dn)


@both_feeds
def test_deletions_are_seen_by_who_may_read_them(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, reader: tuple[str, str], feed: str
) -> None:
    login, sid = reader
    opened = open_feed(feed, bind_dn=login, bind_password=PASSWORD)
    messages = [finding.message for finding in opened.findings() if finding.level == "warning"]
    assert any("who is deleted is noticed by the next comparison only" in message for message in messages)
    ids, position = opened.ids(), opened.position()
    edits.remove("bob")
    edits.change("carol")
    found = opened.told(position)
    assert (found.usernames, found.gone) == (["carol"], frozenset())
    samba.grant(f"CN=Deleted Objects,{Samba.base}", LIST_AND_READ.format(sid=sid))
    assert not [finding for finding in opened.findings() if "who is deleted" in finding.message]
    position = found.position
    edits.remove("carol")
    assert opened.told(position).gone & set(ids.values()) == {ids["carol"]}


def test_dirsync_does_with_and_without_the_right_to_replicate(
    open_feed: Callable[..., Opened], samba: Samba, edits: SambaEdits, reader: tuple[str, str]
) -> None:
    login, sid = reader
    opened = open_feed("dirsync", bind_dn=login, bind_password=PASSWORD)
    position = opened.position()
    edits.change("alice")
    found = opened.told(position)
    assert found.usernames == ["alice"]
    assert any("it lacks the right 'Replicating Directory Changes'" in one.message for one in opened.findings())
    samba.grant(Samba.base, REPLICATE.format(sid=sid))
    edits.change("bob")
    assert opened.told(found.position).usernames == ["bob"]
    assert any("with the right 'Replicating Directory Changes'" in one.message for one in opened.findings())


# -- positions ---------------------------------------------------------------------------------------------------------


def altered(position: str, **changes: object) -> str:
    kind, content = json.loads(position)
    return json.dumps([kind, {**content, **changes}])


@pytest.mark.parametrize("cookie", [b"", b"garbage", bytes(50)])
def test_cookie_that_the_server_does_not_know_takes_a_comparison(
    open_feed: Callable[..., Opened], edits: SambaEdits, cookie: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An empty one asks for everything, which is too much.
    monkeypatch.setattr(touched, "MOST", 100)
    opened = open_feed("dirsync")
    position = altered(opened.position(), cookies={Samba.base: base64.b64encode(cookie).decode()})
    edits.change("alice")
    with pytest.raises(ComparisonNeeded):
        opened.told(position)
    assert opened.find("alice", "cn") is not None


@both_feeds
def test_database_that_was_put_back_takes_a_comparison(
    open_feed: Callable[..., Opened], edits: SambaEdits, feed: str
) -> None:
    opened = open_feed(feed)
    position = opened.position()
    kind, content = json.loads(position)
    if feed == "usn":
        content[3] += 1000
    else:
        content["usn"] += 1000
    with pytest.raises(ComparisonNeeded, match="gone back to an older state"):
        opened.told(json.dumps([kind, content]))


def test_cookie_of_another_domain_controller_is_taken(open_feed: Callable[..., Opened], edits: SambaEdits) -> None:
    opened = open_feed("dirsync")
    position = altered(opened.position(), invocation="00" * 16, usn=10**9)
    edits.change("alice")
    found = opened.told(position)
    assert found.usernames == ["alice"]
    assert json.loads(found.position)[1]["invocation"] != "00" * 16


@pytest.mark.parametrize("place", [0, 1, 2])
def test_numbers_are_those_of_one_database_of_one_domain_controller(
    open_feed: Callable[..., Opened], edits: SambaEdits, place: int
) -> None:
    opened = open_feed("usn")
    kind, content = json.loads(opened.position())
    content[place] = "another"
    edits.change("alice")
    with pytest.raises(ComparisonNeeded, match="the numbers are those of"):
        opened.told(json.dumps([kind, content]))


@both_feeds
def test_base_in_no_naming_context_is_an_error_that_says_so(open_feed: Callable[..., Opened], feed: str) -> None:
    opened = open_feed(feed, bases=["OU=people,DC=elsewhere,DC=test"])
    with pytest.raises(BackendMisconfigured, match="no naming context that holds the base"):
        opened.position()
