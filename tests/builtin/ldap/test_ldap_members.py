"""Putting people into groups of a real slapd and taking them out: what was done is there, all else is an error."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from integration_server import (
    BackendError,
    BackendMisconfigured,
    BackendUnavailable,
    ConfigError,
    Deadline,
    Entry,
    ReadOnlyBackend,
    UnknownGroup,
)
from integration_server.builtin.ldap import names
from tests.builtin.ldap.fake_server import HANG_UP, SEARCH, FakeServer, done, entry, result
from tests.builtin.ldap.opened import Opened
from tests.builtin.ldap.test_ldap_groups import EXPECTED, group_ldif, line, listed, open_groups
from tests.servers import PEOPLE, Slapd

NewSlapd = Callable[..., Slapd]
Open = Callable[..., Opened]

ADMIN: dict[str, Any] = {"bind_dn": Slapd.admin_dn, "bind_password": Slapd.admin_password}
MODIFY = 0x66
PLACEHOLDER = f"cn=nobody,{Slapd.base}"

#: How each kind of group is set up, and a group of that kind with one member.
KINDS: dict[str, tuple[dict[str, object], str, dict[str, object]]] = {
    "member": ({"member_attribute": "member"}, "groupOfNames", {"member": Slapd.base}),
    "uniqueMember": ({"member_attribute": "uniqueMember"}, "groupOfUniqueNames", {"uniqueMember": Slapd.base}),
    "memberUid": ({"member_attribute": "memberUid"}, "posixGroup", {"gidNumber": 7}),
    "memberOf": ({"member_attribute": "memberOf", "write_attribute": "member"}, "groupOfNames", {"member": Slapd.base}),
}


def open_writable(open_ldap: Open, uri: str, **groups: object) -> Opened:
    return open_groups(open_ldap, uri, groups={"is_writable": True, **groups}, **ADMIN)


def person(opened: Opened, uid: str) -> Entry:
    found = opened.find(uid)
    assert found is not None
    return found


def add(opened: Opened, uid: str, group: str, seconds: float = 20) -> bool:
    return opened.backend.add_member(person(opened, uid), group, Deadline(seconds))


def remove(opened: Opened, uid: str, group: str, seconds: float = 20) -> bool:
    return opened.backend.remove_member(person(opened, uid), group, Deadline(seconds))


def groups_of(opened: Opened, uid: str) -> tuple[str, ...]:
    return opened.mapper.entry_page(person(opened, uid)).user(0).groups


@pytest.mark.parametrize("kind", KINDS)
def test_people_join_and_leave_once(new_slapd: NewSlapd, open_ldap: Open, kind: str) -> None:
    settings, object_class, attributes = KINDS[kind]
    slapd = new_slapd()
    slapd.add(group_ldif("new", object_class, **attributes))
    opened = open_writable(open_ldap, slapd.uri, **settings)
    # What memberUid holds is ASCII.
    uids = [one.uid for one in PEOPLE if kind != "memberUid" or one.uid.isascii()]
    before = listed(opened)
    for uid in uids:
        assert (add(opened, uid, "new"), add(opened, uid, "new")) == (True, False)
        assert "new" in groups_of(opened, uid)
    assert {uid for uid, groups in listed(opened).items() if "new" in groups} == set(uids)
    for uid in uids:
        assert (remove(opened, uid, "new"), remove(opened, uid, "new")) == (True, False)
        assert "new" not in groups_of(opened, uid)
    assert listed(opened) == before


def test_a_group_is_found_by_any_id_it_may_have(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    opened = open_writable(open_ldap, slapd.uri)
    for cn in ("Odd, *(the)* group\\ +1", "gruppe ä", "#2"):
        dn = f"cn={names.escape(cn)},{slapd.groups}"
        slapd.add(line("dn", dn) + "objectClass: groupOfNames\n" + line("cn", cn) + line("member", slapd.base))
        assert add(opened, "star*", cn)
        assert cn in groups_of(opened, "star*")
        assert remove(opened, "star*", cn)
    by_uuid = open_writable(open_ldap, slapd.uri, id_attribute="entryUUID")
    (group_id,) = groups_of(by_uuid, "alice")
    assert remove(by_uuid, "alice", group_id)
    assert groups_of(opened, "alice") == ()


@pytest.mark.parametrize("group_id", ["nobody", "", "*", "STAFF", "staff ", "\ud800", "x" * 20_000, "a\0b"])
def test_a_group_that_is_not_there_is_unknown(slapd: Slapd, open_ldap: Open, group_id: str) -> None:
    opened = open_writable(open_ldap, slapd.uri)
    for change in (add, remove):
        with pytest.raises(UnknownGroup, match="there is no group"):
            change(opened, "alice", group_id)


def test_a_group_that_vanishes_in_between_is_unknown(open_ldap: Open, fake_server: Callable[..., FakeServer]) -> None:
    gone: list[bool] = []

    def answer(n: int, kind: int, body: bytes) -> bytes:
        if kind == MODIFY:
            gone.append(True)
            return result(n, 0x67, 32)
        if kind != SEARCH:
            return b""
        return (b"" if gone else entry(n, "alice", cn=["staff"])) + done(n, b"")

    opened = open_writable(open_ldap, fake_server(answer).uri)
    with pytest.raises(UnknownGroup):
        opened.backend.add_member(Entry({}, "uid=alice"), "staff", Deadline(5))


def test_eight_who_add_one_person_make_one_membership(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    opened = open_writable(open_ldap, slapd.uri)
    for uid in ("lonely", "two words"):
        found = person(opened, uid)
        for change in (opened.backend.add_member, opened.backend.remove_member):
            with ThreadPoolExecutor(8) as threads:
                asked = [threads.submit(change, found, "admins", Deadline(20)) for _ in range(8)]
                assert sorted(one.result() for one in asked) == [False] * 7 + [True]


def test_the_last_member_leaves_only_where_a_placeholder_is_named(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    opened = open_writable(open_ldap, slapd.uri)
    todo = r"objectClassViolation\(65\).*set placeholder_member of \[backends\.test\.groups\]"
    with pytest.raises(BackendMisconfigured, match=todo):
        remove(opened, "bob", "admins")
    assert listed(opened) == EXPECTED
    held = open_writable(open_ldap, slapd.uri, placeholder_member=PLACEHOLDER)
    assert remove(held, "bob", "admins")
    assert not remove(held, "bob", "admins")
    assert "admins" in [group.id for group in held.backend.groups(Deadline(10)) or ()]
    assert add(held, "bob", "admins")
    assert remove(held, "bob", "admins")
    assert "admins" not in {group for groups in listed(held).values() for group in groups}


def test_a_placeholder_is_in_no_group_even_where_it_is_a_person(slapd: Slapd, open_ldap: Open) -> None:
    for placeholder in (slapd.dn_of("bob"), slapd.dn_of("bob").upper()):
        opened = open_writable(open_ldap, slapd.uri, placeholder_member=placeholder)
        assert listed(opened) == {**EXPECTED, "bob": ()}
        assert groups_of(opened, "bob") == ()


def test_the_last_members_may_all_leave_at_once(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    uids = [one.uid for one in PEOPLE[:8]]
    opened = open_writable(open_ldap, slapd.uri, placeholder_member=PLACEHOLDER)
    found = [person(opened, uid) for uid in uids]
    for number in range(4):
        slapd.add(group_ldif(f"g{number}", member=[slapd.dn_of(uid) for uid in uids]))

        def leave(one: Entry, group: str = f"g{number}") -> bool:
            return opened.backend.remove_member(one, group, Deadline(20))

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(leave, found))
    assert listed(opened) == EXPECTED


def test_a_member_with_an_identifier_is_the_member(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    slapd.add(group_ldif("unique", "groupOfUniqueNames", uniqueMember=[f"{slapd.dn_of('alice')}#'0101'B", slapd.base]))
    opened = open_writable(open_ldap, slapd.uri, member_attribute="uniqueMember")
    found = Entry({}, slapd.dn_of("alice"))
    assert not opened.backend.add_member(found, "unique", Deadline(10))
    assert opened.backend.remove_member(found, "unique", Deadline(10))
    assert groups_of(opened, "alice") == ()


def test_an_account_without_the_right_is_named(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_groups(open_ldap, slapd.uri, groups={"is_writable": True})
    who = rf"the service account '{slapd.reader_dn}' may not do this.*insufficientAccessRights\(50\)"
    for change, uid in ((add, "lonely"), (remove, "bob")):
        with pytest.raises(BackendMisconfigured, match=who):
            change(opened, uid, "admins")
    anonymous = open_groups(open_ldap, slapd.uri, groups={"is_writable": True}, bind_dn=None, bind_password=None)
    with pytest.raises(BackendMisconfigured, match=r"strongerAuthRequired\(8\)"):
        add(anonymous, "lonely", "admins")


def test_writes_are_never_made_as_somebody_who_logged_in(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_groups(open_ldap, slapd.uri, groups={"is_writable": True}, pool_size=1)
    assert opened.login("alice", PEOPLE[0].password).value == "accepted"
    with pytest.raises(BackendMisconfigured, match=slapd.reader_dn):
        add(opened, "lonely", "admins")


def test_groups_that_are_read_only_name_the_key_to_set(slapd: Slapd, open_ldap: Open) -> None:
    for opened in (open_groups(open_ldap, slapd.uri, **ADMIN), open_ldap(slapd.uri, **ADMIN)):
        for change in (add, remove):
            with pytest.raises(ReadOnlyBackend, match=r"set is_writable = true in \[backends\.test\.groups\]"):
                change(opened, "alice", "admins")


def test_a_class_that_knows_no_such_member_is_a_mistake(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    slapd.add(group_ldif("posix", "posixGroup", gidNumber=7))
    opened = open_writable(open_ldap, slapd.uri, placeholder_member=PLACEHOLDER)
    with pytest.raises(BackendMisconfigured, match=r"objectClassViolation\(65\)"):
        add(opened, "alice", "posix")


def test_a_person_who_has_gone_is_put_into_nothing(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    slapd.add(group_ldif("posix", "posixGroup", gidNumber=7))
    opened = open_writable(open_ldap, slapd.uri, member_attribute="memberUid")
    gone = Entry({}, f"uid=gone,{slapd.people}")
    with pytest.raises(BackendError, match="is not there any more"):
        opened.backend.add_member(gone, "posix", Deadline(10))


def test_an_outage_is_no_answer_to_a_write(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_writable(open_ldap, slapd.uri)
    found = person(opened, "alice")
    for broken, seconds in ((slapd.frozen, 0.4), (slapd.stopped, 3)):
        with broken():
            for change in (opened.backend.add_member, opened.backend.remove_member):
                with pytest.raises(BackendUnavailable):
                    change(found, "staff", Deadline(seconds))
    assert listed(opened) == EXPECTED


def test_a_write_whose_answer_is_lost_is_repeated_on_a_fresh_connection(
    open_ldap: Open, fake_server: Callable[..., FakeServer]
) -> None:
    writes: list[int] = []

    def answer(n: int, kind: int, body: bytes) -> bytes:
        if kind == MODIFY:
            writes.append(n)
            return HANG_UP if len(writes) == 1 else result(n, 0x67, 20)
        return entry(n, "alice", cn=["staff"]) + done(n, b"") if kind == SEARCH else b""

    opened = open_writable(open_ldap, fake_server(answer).uri)
    found = Entry({}, "uid=alice")
    # The connection is an old one at the second question.
    assert opened.find("alice") is not None
    assert not opened.backend.add_member(found, "staff", Deadline(5))
    assert len(writes) == 2


@pytest.mark.parametrize(
    ("code", "text", "answer"),
    [
        (68, "00000562: UpdErr: DSID-031A11E2, problem 6005 (ENTRY_EXISTS), data 0", False),
        (53, "00000561: SvcErr: DSID-031A120C, problem 5003 (WILL_NOT_PERFORM), data 0", False),
        (53, "shadow context; no update referral", BackendMisconfigured),
        (10, "", BackendMisconfigured),
        (51, "", BackendUnavailable),
        (80, "", BackendUnavailable),
    ],
)
def test_what_servers_say_is_understood(
    open_ldap: Open, fake_server: Callable[..., FakeServer], code: int, text: str, answer: object
) -> None:
    def say(n: int, kind: int, body: bytes) -> bytes:
        if kind == MODIFY:
            return result(n, 0x67, code, text)
        return entry(n, "alice", cn=["staff"]) + done(n, b"") if kind == SEARCH else b""

    opened = open_writable(open_ldap, fake_server(say).uri)
    change = opened.backend.remove_member if code == 53 else opened.backend.add_member
    if answer is False:
        assert change(Entry({}, "uid=alice"), "staff", Deadline(5)) is False
    else:
        with pytest.raises(answer):  # type: ignore[call-overload]
            change(Entry({}, "uid=alice"), "staff", Deadline(5))


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ({"member_attribute": "memberOf", "is_writable": True}, "with is_writable name the groups' write_attribute"),
        ({"write_attribute": "member"}, "write_attribute goes with member_attribute = 'memberOf'"),
        ({"placeholder_member": "nobody"}, "placeholder_member: 'nobody' is no distinguished name"),
        ({"placeholder_member": "cn=x", "member_attribute": "memberUid"}, "memberUid holds user names"),
    ],
)
def test_settings_of_writing_that_cannot_work_are_named(open_ldap: Open, groups: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        open_ldap("ldap://127.0.0.1:1", groups=groups)
