"""Groups of a domain controller: members in portions, groups within groups, and everybody's primary group."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest

from integration_server import Deadline, WriteRefused
from integration_server.builtin.ldap import ranges
from integration_server.builtin.ldap.entries import Portion
from tests.builtin.ldap.opened import Opened
from tests.builtin.ldap.test_ldap_nested import flattened
from tests.servers import Samba

Open = Callable[..., Opened]

AD_MAP = {
    "id": "objectGUID",
    "username": "sAMAccountName",
    "full_name": "cn",
    "emails": "mail",
    "distinguished_name": "dn",
    "groups": "groups",
}


def open_on(open_ldap: Open, samba: Samba, base: str, groups: Mapping[str, object], **settings: object) -> Opened:
    """People and groups below ``base``; ``groups`` is the table of groups."""
    defaults: dict[str, Any] = {
        "bind_dn": samba.admin_dn,
        "bind_password": samba.admin_password,
        "ca_file": str(samba.ca_file),
        "bases": [base],
        "ldap_filter": "(&(objectClass=user)(!(objectClass=computer)))",
        "map": AD_MAP,
        "groups": {"id_attribute": "sAMAccountName", **groups},
    }
    return open_ldap(samba.ldaps_uri, **{**defaults, **settings})


@pytest.fixture
def unit(samba: Samba) -> Iterator[Callable[[str], str]]:
    """``unit(name)``: the DN of a new organizational unit."""

    def make(name: str) -> str:
        dn = f"OU={name},{samba.base}"
        samba.add(dn, ["organizationalUnit"], {})
        return dn

    return make


def add_group(samba: Samba, unit: str, name: str, *members: str) -> str:
    dn = f"CN={name},{unit}"
    samba.add(dn, ["group"], {"sAMAccountName": name, "member": members} if members else {"sAMAccountName": name})
    return dn


def add_person(samba: Samba, unit: str, name: str) -> str:
    dn = f"CN={name},{unit}"
    samba.add(dn, ["user"], {"sAMAccountName": name})
    return dn


def test_a_domain_controller_gives_the_rest_from_any_place_on(
    samba: Samba, open_ldap: Open, unit: Callable[[str], str]
) -> None:
    here = unit("ranges")
    members = [add_group(samba, here, f"range{i}") for i in range(8)]
    group = add_group(samba, here, "ranged", *members)
    opened = open_on(open_ldap, samba, here, {})
    wire = opened.backend._servers.open(Deadline(10), as_service=True)
    stored = [value.decode() for value in samba.read(group, "member")["member"]]
    assert sorted(stored) == sorted(members)
    row: list[object] = [None]
    for size in (1, 3, 8):
        portion = Portion(row, (0,), group.encode(), "member", 0, False, list[object](stored[:size]))
        ranges.complete(wire, [portion], Deadline(10))
        assert row == [stored]
        row[0] = None
    wire.close()


def listed(opened: Opened) -> dict[str, tuple[str, ...]]:
    return {user.username: tuple(sorted(user.groups)) for user in opened.users()}


def found(opened: Opened, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    answers = {}
    for name in names:
        entry = opened.find(name, "sAMAccountName")
        assert entry is not None
        answers[name] = tuple(sorted(opened.mapper.entry_page(entry).user(0).groups))
    return answers


def test_nested_groups_are_flattened_alike_for_all_and_for_one(
    samba: Samba, open_ldap: Open, unit: Callable[[str], str]
) -> None:
    here = unit("nested")
    people = [f"nested-{i}" for i in range(6)]
    names = [f"circle-{i}" for i in range(9)]
    nodes = {name: add_person(samba, here, name) for name in people}
    nodes |= {name: add_group(samba, here, name) for name in names}
    shuffled = random.Random(7)
    inside: dict[str, set[str]] = {}
    for group in names:
        # Samba lets a group be in a circle, but not in itself.
        inside[group] = {*shuffled.sample(names, 2), shuffled.choice(people[:5])} - {group}
        samba.add_members(nodes[group], *(nodes[name] for name in sorted(inside[group])))
    for member_attribute in ("member", "memberOf"):
        settings = {"member_attribute": member_attribute, "nested": True}
        opened = open_on(open_ldap, samba, here, settings)
        expected = flattened(inside, people)
        assert listed(opened) == expected
        assert found(opened, people) == expected
        assert sum(map(len, expected.values())) > sum(len(one & set(people)) for one in inside.values())


@pytest.mark.parametrize("member_attribute", ["member", "memberOf"])
def test_people_are_in_their_primary_group_and_what_it_is_in(
    samba: Samba, open_ldap: Open, unit: Callable[[str], str], member_attribute: str
) -> None:
    here = unit(f"primary {member_attribute}")
    tag = member_attribute
    dns = {name: add_person(samba, here, f"{name}-{tag}") for name in ("first", "second", "third")}
    own = add_group(samba, here, f"own-{tag}", dns["second"], dns["third"])
    add_group(samba, here, f"outer-{tag}", own)
    number = samba.read(own, "primaryGroupToken")["primaryGroupToken"][0].decode()
    samba.modify(dns["second"], primaryGroupID=number)
    # Active Directory takes who makes a group their primary one out of its members.
    assert dns["second"].encode() not in samba.read(own, "member")["member"]
    names = [f"{name}-{tag}" for name in dns]
    table = {"bases": [here, samba.users], "member_attribute": member_attribute, "primary_group": True}
    users = "Domain Users"
    expected = {names[0]: (users,), names[1]: (users, f"own-{tag}"), names[2]: (users, f"own-{tag}")}
    opened = open_on(open_ldap, samba, here, table)
    assert listed(opened) == found(opened, names) == expected
    above = {
        names[0]: (users,),
        **{name: tuple(sorted((users, f"own-{tag}", f"outer-{tag}"))) for name in names[1:]},
    }
    opened = open_on(open_ldap, samba, here, {**table, "nested": True})
    assert listed(opened) == found(opened, names) == above
    # Without the setting, or where the table does not find the group, it does not count.
    without = {name: tuple(group for group in groups if group != users) for name, groups in expected.items()}
    assert listed(open_on(open_ldap, samba, here, {**table, "bases": [here]})) == without
    del table["primary_group"]
    by_value = open_on(open_ldap, samba, here, table)
    assert listed(by_value) == found(by_value, names)
    assert listed(by_value)[names[0]] == ()


@pytest.mark.parametrize("member_attribute", ["member", "memberOf"])
def test_nobody_leaves_a_group_that_keeps_them(
    samba: Samba, open_ldap: Open, unit: Callable[[str], str], member_attribute: str
) -> None:
    here = unit(f"kept {member_attribute}")
    name, inner, outer = f"kept-{member_attribute}", f"in-{member_attribute}", f"out-{member_attribute}"
    dn = add_person(samba, here, name)
    add_group(samba, here, outer, dn, add_group(samba, here, inner, dn))
    table = {
        "bases": [here, samba.users],
        "member_attribute": member_attribute,
        "primary_group": True,
        "nested": True,
        "is_writable": True,
        **({"write_attribute": "member"} if member_attribute == "memberOf" else {}),
    }
    opened = open_on(open_ldap, samba, here, table)
    entry = opened.find(name, "sAMAccountName")
    assert entry is not None
    for group in (outer, "Domain Users"):
        with pytest.raises(WriteRefused, match="through another group, or as their primary group"):
            opened.backend.remove_member(entry, group, Deadline(10))
    assert found(opened, [name]) == {name: tuple(sorted(("Domain Users", inner, outer)))}
    assert not opened.backend.add_member(entry, "Domain Users", Deadline(10))
    assert opened.backend.remove_member(entry, inner, Deadline(10))
    assert opened.backend.remove_member(entry, outer, Deadline(10))
    assert not opened.backend.remove_member(entry, outer, Deadline(10))
    never = add_group(samba, here, f"never-{member_attribute}")
    assert not opened.backend.remove_member(entry, never.partition(",")[0][3:], Deadline(10))
    assert found(opened, [name]) == {name: ("Domain Users",)}
    assert opened.backend.add_member(entry, inner, Deadline(10))
    assert found(opened, [name]) == {name: tuple(sorted(("Domain Users", inner, outer)))}


def profiled(open_ldap: Open, samba: Samba, base: str, groups: Mapping[str, object], **settings: object) -> Opened:
    """People below ``base`` as the profile has them, and a table of groups with no more than is given."""
    return open_ldap(
        samba.ldaps_uri,
        profile="active_directory",
        bind_dn=samba.admin_dn,
        bind_password=samba.admin_password,
        ca_file=str(samba.ca_file),
        bases=[base],
        groups=groups,
        **settings,
    )


@pytest.mark.parametrize("groups", [{}, {"member_attribute": "memberOf"}], ids=["nothing set", "memberOf"])
def test_the_profile_needs_no_more_than_the_table_of_groups(
    samba: Samba, open_ldap: Open, unit: Callable[[str], str], groups: dict[str, object]
) -> None:
    tag = str(len(groups))
    staff, elsewhere = unit(f"Staff {tag}"), unit(f"Groups {tag}")
    person = f"OU=People,{staff}"
    samba.add(person, ["organizationalUnit"], {})
    names = [f"member-{tag}", f"guest-{tag}"]
    dns = [add_person(samba, person, name) for name in names]
    for dn in dns:
        samba.set_password(dn, "Passw0rd!y")
        samba.modify(dn, userAccountControl=512)
    inner = f"CN=Inner {tag},{elsewhere}"
    samba.add(inner, ["group"], {"sAMAccountName": f"inner-{tag}", "member": dns[0], "mail": f"inner{tag}@x.test"})
    add_group(samba, elsewhere, f"outer-{tag}", inner)
    opened = profiled(open_ldap, samba, staff, groups)
    # Domain Users is everybody's primary group, and itself in CN=Builtin's Users.
    everybodys = ("Domain Users", "Users")
    expected = {names[0]: tuple(sorted((*everybodys, f"inner-{tag}", f"outer-{tag}"))), names[1]: everybodys}
    assert listed(opened) == expected
    assert found(opened, names) == expected
    told = {group.id: group for group in opened.backend.groups(Deadline(20)) or ()}
    assert (told[f"inner-{tag}"].title, told[f"inner-{tag}"].email) == (f"Inner {tag}", f"inner{tag}@x.test")
    assert not any(finding.level == "error" or "groups does not" in finding.message for finding in opened.findings())
    samba.delete_tree(staff)
    samba.delete_tree(elsewhere)


def test_what_the_table_of_groups_says_wins_over_the_profile(
    samba: Samba, open_ldap: Open, unit: Callable[[str], str]
) -> None:
    here = unit("set groups")
    person = add_person(samba, here, "set-person")
    samba.set_password(person, "Passw0rd!y")
    samba.modify(person, userAccountControl=512)
    inner = f"CN=Set Inner,{here}"
    samba.add(inner, ["group"], {"sAMAccountName": "set-inner", "member": person})
    add_group(samba, here, "set-outer", inner)
    table = {"bases": [here], "id_attribute": "cn", "nested": False, "primary_group": False, "attribute": "teams"}
    assert listed(profiled(open_ldap, samba, here, table)) == {"set-person": ("Set Inner",)}
    by_dn = profiled(open_ldap, samba, here, {**table, "ldap_filter": "(cn=set-outer)"}, map={"groups": "memberOf"})
    assert listed(by_dn) == {"set-person": (inner,)}
    assert [group.id for group in by_dn.backend.groups(Deadline(20)) or ()] == ["set-outer"]
    samba.delete_tree(here)


def test_filters_by_group_hold_alike_for_all_and_for_one(
    samba: Samba, open_ldap: Open, unit: Callable[[str], str]
) -> None:
    """A login reads the groups of one person, in as many levels as there are, and the same people are in scope."""
    here = unit("deep")
    names = ["deep-in", "deep-out"]
    dns = [add_person(samba, here, name) for name in names]
    for dn in dns:
        samba.set_password(dn, "Passw0rd!y")
        samba.modify(dn, userAccountControl=512)
    below = dns[0]
    # More levels than a login asks for one by one.
    for level in range(24):
        below = add_group(samba, here, f"level-{level}", below)
    opened = profiled(open_ldap, samba, here, {"bases": [here]})
    top = {name: "level-23" in ids for name, ids in listed(opened).items()}
    assert top == {name: "level-23" in ids for name, ids in found(opened, names).items()}
    assert top == {"deep-in": True, "deep-out": False}
    samba.delete_tree(here)
