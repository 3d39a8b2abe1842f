"""Groups within groups on slapd: whoever is in an inner group is in the outer ones, listed or asked for alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_server import BackendMisconfigured, ConfigError, Deadline, Lookup, WriteRefused
from integration_server.builtin.ldap import memberships
from integration_server.builtin.ldap.ber import octets
from integration_server.builtin.ldap.memberships import Memberships, Person, known_by
from tests.builtin.ldap.fake_server import SEARCH, FakeServer, done, entry
from tests.builtin.ldap.opened import Opened
from tests.builtin.ldap.test_ldap_groups import found, group_ldif, line, listed, open_groups
from tests.builtin.ldap.test_ldap_members import add, groups_of, open_writable, person, remove
from tests.servers import PEOPLE, Slapd

NewSlapd = Callable[..., Slapd]
Open = Callable[..., Opened]

UIDS = [person.uid for person in PEOPLE]
_GRAPHS = 5


def flattened(inside: Mapping[str, Iterable[str]], people: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Everybody's groups by what is directly inside each: it grows until nothing changes any more."""
    whole = {group: set(members) for group, members in inside.items()}
    while True:
        before = sum(map(len, whole.values()))
        for members in whole.values():
            members.update(*(whole[name] for name in list(members) if name in whole))
        if sum(map(len, whole.values())) == before:
            return {name: tuple(sorted(g for g, members in whole.items() if name in members)) for name in people}


def random_graph(seed: int) -> dict[str, set[str]]:
    """What is directly inside each group: people, groups, itself now and then, and circles."""
    chance = random.Random(seed)
    groups = [f"graph{seed}-{i}" for i in range(12)]
    return {group: {*chance.sample(groups, chance.randint(0, 3)), *chance.sample(UIDS, 1)} for group in groups}


@pytest.fixture(scope="module")
def graphs() -> dict[int, dict[str, set[str]]]:
    return {seed: random_graph(seed) for seed in range(_GRAPHS)}


def load(slapd: Slapd, unit: str, inside: Mapping[str, Iterable[str]], attribute: str = "member") -> None:
    kind = {"member": "groupOfNames", "uniqueMember": "groupOfUniqueNames"}[attribute]

    def dn(name: str) -> str:
        return f"cn={name},{unit}" if name in inside else slapd.dn_of(name)

    slapd.add(f"dn: {unit}\nobjectClass: organizationalUnit\n" + line("ou", unit.split(",")[0][3:]))
    # Empty first, as the overlay writes memberOf only into entries that are there already.
    slapd.add("".join(group_ldif(name, kind, **{attribute: slapd.base}).replace(Slapd.groups, unit) for name in inside))
    slapd.modify(
        "\n".join(
            line("dn", dn(name))
            + f"changetype: modify\nadd: {attribute}\n"
            + "".join(line(attribute, dn(one)) for one in sorted(members))
            for name, members in inside.items()
        )
    )


def test_any_graph_is_flattened_alike_for_all_and_for_one(
    new_slapd: NewSlapd, open_ldap: Open, graphs: dict[int, dict[str, set[str]]]
) -> None:
    slapd = new_slapd()
    for seed, inside in graphs.items():
        unit = f"ou=graph{seed},{slapd.base}"
        load(slapd, unit, inside)
        expected = flattened(inside, UIDS)
        for member_attribute in ("member", "memberOf"):
            table = {"bases": [unit], "member_attribute": member_attribute, "nested": True}
            opened = open_groups(open_ldap, slapd.uri, groups=table)
            assert listed(opened) == found(opened) == expected
            # Links that the table does not find are none, for either.
            some = {name: members for name, members in inside.items() if not name.endswith("1")}
            opened = open_groups(open_ldap, slapd.uri, groups={**table, "ldap_filter": "(&(cn=graph*)(!(cn=*1)))"})
            assert listed(opened) == found(opened) == flattened(some, UIDS)


def test_too_much_to_ask_for_one_by_one_is_read_as_a_whole(
    new_slapd: NewSlapd, open_ldap: Open, monkeypatch: pytest.MonkeyPatch, graphs: dict[int, dict[str, set[str]]]
) -> None:
    slapd = new_slapd()
    unit = f"ou=graph,{slapd.base}"
    load(slapd, unit, graphs[0])
    for limit in ("_FEW_LEVELS", "_FEW_GROUPS", "_FEW_PEOPLE"):
        with monkeypatch.context() as patch:
            patch.setattr(memberships, limit, 1 if limit != "_FEW_PEOPLE" else 0)
            for member_attribute in ("member", "memberOf"):
                table = {"bases": [unit], "member_attribute": member_attribute, "nested": True}
                assert found(open_groups(open_ldap, slapd.uri, groups=table)) == flattened(graphs[0], UIDS)


def test_unique_names_are_nested_too(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    inside = {"a": {"alice"}, "b": {"a", "bob"}, "c": {"b", "c"}}
    unit = f"ou=unique,{slapd.base}"
    load(slapd, unit, inside, "uniqueMember")
    head = line("dn", f"cn=a,{unit}") + "changetype: modify\nadd: uniqueMember\n"
    slapd.modify(head + line("uniqueMember", f"cn=c,{unit}#'0101'B"))
    inside["a"].add("c")
    table = {"bases": [unit], "member_attribute": "uniqueMember", "nested": True}
    assert found(open_groups(open_ldap, slapd.uri, groups=table)) == flattened(inside, UIDS)
    assert listed(open_groups(open_ldap, slapd.uri, groups=table)) == flattened(inside, UIDS)


def test_each_level_costs_one_question_and_a_listing_none(
    open_ldap: Open, fake_server: Callable[..., FakeServer]
) -> None:
    """A chain of five groups above one person: five levels, and one more that is empty."""

    def answer(n: int, kind: int, body: bytes) -> bytes:
        if kind != SEARCH:
            return b""
        if body.startswith(octets(Slapd.people)):
            return entry(n, "alice") + done(n, b"")
        asked = next((i for i in range(6) if octets(f"uid=g{i},ou=people,dc=example,dc=org") in body), 0)
        is_whole = b"alice" not in body and not asked
        inside = ["alice", *(f"g{i}" for i in range(1, 6))]
        groups = range(1, 6) if is_whole else [asked + 1] if asked < 5 else []
        return b"".join(
            entry(n, f"g{i}", cn=[f"g{i}"], member=[f"uid={inside[i - 1]},ou=people,dc=example,dc=org"]) for i in groups
        ) + done(n, b"")

    server = fake_server(answer)
    opened = open_groups(open_ldap, server.uri, groups={"nested": True})
    for ask, count in ((lambda: listed(opened), 2), (lambda: {"alice": groups_of(opened, "alice")}, 7)):
        server.requests.clear()
        assert ask() == {"alice": ("g1", "g2", "g3", "g4", "g5")}
        assert sum(kind == SEARCH for kind, _ in server.requests) == count


@pytest.mark.parametrize("kind", ["member", "memberOf"])
def test_nobody_leaves_a_group_that_another_one_keeps_them_in(new_slapd: NewSlapd, open_ldap: Open, kind: str) -> None:
    slapd = new_slapd()
    inside = {"in": {"alice"}, "out": {"in", "alice", "bob"}, "round": {"out"}}
    load(slapd, f"ou=more,{slapd.base}", inside)
    head = line("dn", f"cn=in,ou=more,{slapd.base}") + "changetype: modify\nadd: member\n"
    slapd.modify(head + line("member", f"cn=round,ou=more,{slapd.base}"))
    table: dict[str, Any] = {"bases": [f"ou=more,{slapd.base}"], "nested": True, "member_attribute": kind}
    opened = open_writable(open_ldap, slapd.uri, **table, **({"write_attribute": "member"} if kind != "member" else {}))
    everything = ("in", "out", "round")
    assert groups_of(opened, "alice") == groups_of(opened, "bob") == everything
    for uid, group in (("alice", "out"), ("alice", "round"), ("bob", "in"), ("bob", "round")):
        with pytest.raises(WriteRefused, match=rf"is in the group '{group}' through another group"):
            remove(opened, uid, group)
        assert groups_of(opened, uid) == everything
    # A circle keeps nobody in who is in it by this group alone.
    assert remove(opened, "bob", "out")
    assert not remove(opened, "bob", "out")
    assert groups_of(opened, "bob") == ()
    with pytest.raises(WriteRefused):
        remove(opened, "alice", "in")
    assert not add(opened, "alice", "in")
    assert add(opened, "bob", "round")
    assert groups_of(opened, "bob") == everything
    assert listed(opened)["bob"] == everything
    assert person(opened, "bob")


names = st.sampled_from("abcdefgh")


@given(st.dictionaries(names, st.sets(names, max_size=3)), st.sets(names, max_size=3), st.integers(0, 12))
def test_groups_above_are_those_that_can_be_reached(parents: dict[str, set[str]], direct: set[str], room: int) -> None:
    def reached(group: str) -> set[str]:
        seen: set[str] = set()
        waiting = [group]
        while waiting:
            for parent in parents.get(waiting.pop(), ()):
                if parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
        return seen

    known = Memberships({"x": sorted(direct)}, str, {group: sorted(above) for group, above in parents.items()})
    known._room = room
    for group in "abcdefgh":
        assert set(known._with_outer(group)) == {group} | reached(group)
    assert set(known.of("x") or ()) == direct.union(*map(reached, direct))


def test_a_primary_group_is_told_by_the_domain_of_the_person() -> None:
    assert known_by(["dn", "S-1-5-21-1-2-3-1104", "513"]) == Person("dn", "S-1-5-21-1-2-3-513")
    assert known_by(["dn"]) == known_by(["dn", None, None]) == known_by(["dn", "S-1-5-21-1", None]) == Person("dn")
    for sid, number in ((None, "513"), (b"\1", "513"), ("S-1-5-21-1", "x"), ("S-1-5-21-1", ["1", "2"]), ("x-1", "513")):
        with pytest.raises(BackendMisconfigured, match="primary group cannot be told"):
            known_by(["dn", sid, number])
    known = Memberships({}, str, {"users": ["everybody"]}, {"S-1-5-21-1-513": "users"})
    assert known.of_person(Person(None, "S-1-5-21-1-513")) == ("everybody", "users")
    assert known.of_person(Person(None, "S-1-5-21-2-513")) is None


@pytest.mark.parametrize("setting", ["nested", "primary_group"])
def test_user_names_in_groups_cannot_be_nested(open_ldap: Open, setting: str) -> None:
    with pytest.raises(ConfigError, match="memberUid holds user names"):
        open_ldap("ldap://127.0.0.1:1", groups={"member_attribute": "memberUid", setting: True})


def test_the_change_feed_gives_primary_and_nested_groups_to_few_and_to_many(
    new_slapd: NewSlapd, open_ldap: Open
) -> None:
    """slapd has no primary groups; what is asked for them is taken off again all the same."""
    slapd = new_slapd()
    inside = {"in": {"alice"}, "out": {"in", *UIDS[1:]}}
    load(slapd, f"ou=more,{slapd.base}", inside)
    table = {"bases": [f"ou=more,{slapd.base}"], "nested": True, "primary_group": True}
    opened = open_groups(open_ldap, slapd.uri, groups=table, change_feed="modifyTimestamp")
    expected = flattened(inside, UIDS)
    assert listed(opened) == found(opened) == expected
    for people in (UIDS[:3], UIDS):
        position = opened.backend.feed_position(Deadline(10))
        for uid in people:
            slapd.modify(line("dn", slapd.dn_of(uid)) + "changetype: modify\nreplace: title\ntitle: x\n")
        told: dict[str, tuple[str, ...]] = {}
        for change in opened.backend.changes(position, Deadline(10)):
            assert change.entries is not None
            told |= {user.username: user.groups for user in opened.mapper.page(change.entries).users()}
        assert told.items() <= expected.items()
        assert set(people) <= told.keys()


@pytest.mark.parametrize("kind", ["member", "memberOf"])
def test_the_way_to_each_group_is_told(new_slapd: NewSlapd, open_ldap: Open, kind: str) -> None:
    slapd = new_slapd()
    inside = {"a": {"alice"}, "b": {"a", "bob"}, "c": {"b", "alice"}, "d": {"c", "d"}, "e": {"bob"}}
    unit = f"ou=ways,{slapd.base}"
    load(slapd, unit, inside)
    table = {"bases": [unit], "member_attribute": kind, "nested": True}
    backend = open_groups(open_ldap, slapd.uri, groups=table).backend

    def ways(uid: str) -> dict[str, tuple[str, ...]]:
        entry = backend.find(Lookup("uid", uid), Deadline(20))
        assert entry is not None
        return {group: tuple(way) for group, way in backend.group_paths(entry, Deadline(20)).items()}

    assert ways("alice") == {"a": (), "c": (), "b": ("a",), "d": ("c",)}
    assert ways("bob") == {"b": (), "e": (), "c": ("b",), "d": ("b", "c")}
    assert ways("carol") == {}


def test_without_groups_there_is_no_way(slapd: Slapd, open_ldap: Open) -> None:
    backend = open_ldap(slapd.uri).backend
    entry = backend.find(Lookup("uid", "alice"), Deadline(20))
    assert entry is not None
    assert backend.group_paths(entry, Deadline(20)) == {}
