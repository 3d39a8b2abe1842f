"""Groups that are entries: all of them or an error, and the same for a person whether listed or found."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_server import (
    BackendError,
    BackendMisconfigured,
    BackendUnavailable,
    ConfigError,
    Deadline,
    Group,
    IncompleteListing,
)
from integration_server.builtin.ldap import names
from integration_server.builtin.ldap.ber import octets
from integration_server.builtin.ldap.memberships import Memberships
from tests.builtin.ldap.fake_server import HANG_UP, SEARCH, FakeServer, done, entry
from tests.builtin.ldap.opened import Opened
from tests.servers import PEOPLE, Slapd

NewSlapd = Callable[..., Slapd]
Open = Callable[..., Opened]

MAP = {"groups": "groups"}
EXPECTED = {person.uid: tuple(sorted(person.groups)) for person in PEOPLE}


def line(name: str, value: str) -> str:
    return f"{name}:: {base64.b64encode(value.encode()).decode()}\n"


def group_ldif(cn: str, kind: str = "groupOfNames", **values: object) -> str:
    """A group below ou=groups; a list is an attribute of several values."""
    text = f"dn: cn={cn},{Slapd.groups}\nobjectClass: {kind}\ncn: {cn}\n"
    for name, value in values.items():
        text += "".join(line(name, str(one)) for one in (value if isinstance(value, list) else [value]))
    return text + "\n"


def open_groups(open_ldap: Open, uri: str, *, groups: Mapping[str, object] | None = None, **settings: object) -> Opened:
    return open_ldap(uri, **{"groups": {"bases": [Slapd.groups], **(groups or {})}, "map": MAP, **settings})


def listed(opened: Opened) -> dict[str, tuple[str, ...]]:
    return {user.username: tuple(sorted(user.groups)) for user in opened.users()}


def found(opened: Opened) -> dict[str, tuple[str, ...]]:
    answers = {}
    for person in PEOPLE:
        entry = opened.find(person.uid)
        assert entry is not None
        answers[person.uid] = tuple(sorted(opened.mapper.entry_page(entry).user(0).groups))
    return answers


def ids(opened: Opened) -> list[str]:
    return [group.id for group in opened.backend.groups(Deadline(20)) or ()]


@pytest.mark.parametrize("member_attribute", ["member", "memberOf"])
def test_people_bear_the_ids_of_their_groups(slapd: Slapd, open_ldap: Open, member_attribute: str) -> None:
    for page_size in (7, 1, 0):
        opened = open_groups(open_ldap, slapd.uri, groups={"member_attribute": member_attribute}, page_size=page_size)
        assert listed(opened) == EXPECTED
        assert ids(opened) == ["staff", "admins", "external"]
    assert found(opened) == EXPECTED


def test_groups_of_unique_names_may_tell_people_apart_by_numbers(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    members = [f"{slapd.dn_of('alice')}#'0101'B", slapd.dn_of("two words").upper()]
    slapd.add(group_ldif("unique", "groupOfUniqueNames", uniqueMember=members))
    opened = open_groups(open_ldap, slapd.uri, groups={"member_attribute": "uniqueMember"})
    expected = {**dict.fromkeys(EXPECTED, ()), "alice": ("unique",), "two words": ("unique",)}
    assert listed(opened) == expected
    assert found(opened) == expected
    # A login may be the first question after the start.
    assert found(open_groups(open_ldap, slapd.uri, groups={"member_attribute": "uniqueMember"})) == expected


def test_posix_groups_hold_user_names(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    slapd.add(group_ldif("posix", "posixGroup", gidNumber=7, memberUid=["alice", "star*", "o'brien", "UPPER"]))
    opened = open_groups(open_ldap, slapd.uri, groups={"member_attribute": "memberUid"})
    expected = {**dict.fromkeys(EXPECTED, ()), **dict.fromkeys(["alice", "star*", "o'brien", "UPPER"], ("posix",))}
    assert listed(opened) == expected
    assert found(opened) == expected
    by_account = open_groups(
        open_ldap,
        slapd.uri,
        groups={"member_attribute": "memberUid", "username_attribute": "sAMAccountName", "attribute": "posix groups"},
        map={"groups": "posix groups"},
    )
    assert listed(by_account) == expected


@pytest.mark.parametrize("member_attribute", ["member", "memberOf"])
def test_names_are_the_same_however_they_are_written(
    new_slapd: NewSlapd, open_ldap: Open, member_attribute: str
) -> None:
    slapd = new_slapd(database_lines="")
    changed = {
        "star*": f"UID=star* , OU = People,{slapd.base.upper()}",
        "plus+minus": f"uid=plus\\2Bminus,ou=people,{slapd.base}",
        "two words": f"uid=Two   WORDS,ou=people,{slapd.base}",
        "dörte": f"0.9.2342.19200300.100.1.1=d\\C3\\B6rte,ou=people,{slapd.base}",
        "李雷": slapd.dn_of("李雷"),
    }
    odd = 'Odd, "the" <group>; #1 + \\ end'
    dn = f"cn={names.escape(odd)},{slapd.groups}"
    slapd.add(line("dn", dn) + "objectClass: groupOfNames\n" + line("cn", odd) + line("member", slapd.dn_of("alice")))
    head = line("dn", dn.replace("cn=", "CN=  ")) + "changetype: modify\nadd: member\n"
    for value in changed.values():
        slapd.modify(head + line("member", value))
    opened = open_groups(open_ldap, slapd.uri, groups={"member_attribute": member_attribute})
    expected = {
        uid: tuple(sorted([*groups, odd] if uid in {"alice", *changed} else groups)) for uid, groups in EXPECTED.items()
    }
    assert listed(opened) == expected
    assert found(opened) == expected


def test_a_group_tells_what_the_settings_name(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    slapd.add(
        f"dn: cn=full,{slapd.groups}\nobjectClass: groupOfNames\nobjectClass: extensibleObject\ncn: other\ncn: full\n"
        f"member: {slapd.base}\ndescription: The full one\nlabeledURI: https://example.org/full\n"
        f"mail: full@example.org\nbusinessCategory: odd\no: secret\n"
    )
    facts = {
        "title_attribute": "description",
        "url_attribute": "labeledURI",
        "email_attribute": "mail",
        "type_attribute": "businessCategory",
        "privacy_attribute": "o",
    }
    opened = open_groups(open_ldap, slapd.uri, groups=facts)
    groups = opened.backend.groups(Deadline(10))
    assert groups is not None
    assert groups[0] == Group("staff")
    assert groups[-1] == Group("full", "The full one", "https://example.org/full", "full@example.org", "odd", "secret")


def test_a_filter_and_bases_say_what_is_a_group(slapd: Slapd, open_ldap: Open) -> None:
    for member_attribute in ("member", "memberOf"):
        only = {"ldap_filter": "(cn=admins)", "member_attribute": member_attribute}
        opened = open_groups(open_ldap, slapd.uri, groups=only)
        assert ids(opened) == ["admins"]
        assert {uid for uid, groups in listed(opened).items() if groups} == {"bob"}
        assert found(opened) == listed(opened)
    of_people = open_groups(open_ldap, slapd.uri, groups={"bases": []}, bases=[slapd.base])
    assert ids(of_people) == ["staff", "admins", "external"]


def test_without_a_table_there_is_no_list_of_groups(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri, map={"groups": "memberOf"})
    assert opened.backend.groups(Deadline(10)) is None
    assert listed(opened)["bob"] == (f"cn=admins,{slapd.groups}", f"cn=staff,{slapd.groups}")


def test_two_groups_of_one_id_are_a_mistake(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    slapd.add(f"dn: ou=more,{slapd.groups}\nobjectClass: organizationalUnit\nou: more\n")
    slapd.add(f"dn: cn=staff,ou=more,{slapd.groups}\nobjectClass: groupOfNames\ncn: staff\nmember: {slapd.base}\n")
    opened = open_groups(open_ldap, slapd.uri)
    for ask in (ids, listed):
        with pytest.raises(BackendMisconfigured, match=r"two groups have the cn 'staff': cn=staff,ou=groups.*ou=more"):
            ask(opened)
    assert any(finding.level == "error" and "two groups" in finding.message for finding in opened.findings())
    assert ids(open_groups(open_ldap, slapd.uri, groups={"id_attribute": "entryUUID"}))


def test_ids_that_differ_in_case_only_are_one(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    slapd.add(f"dn: ou=more,{slapd.groups}\nobjectClass: organizationalUnit\nou: more\n")
    slapd.add(f"dn: cn=Staff,ou=more,{slapd.groups}\nobjectClass: groupOfNames\ncn: Staff\nmember: {slapd.base}\n")
    with pytest.raises(BackendMisconfigured, match="two groups have the cn 'Staff'"):
        ids(open_groups(open_ldap, slapd.uri))


def test_a_group_without_an_id_is_a_mistake(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_groups(open_ldap, slapd.uri, groups={"id_attribute": "description"})
    for ask in (ids, listed, found):
        with pytest.raises(BackendMisconfigured, match="has not one description to know it by"):
            ask(opened)


@pytest.mark.parametrize("member_attribute", ["member", "uniqueMember", "memberUid", "memberOf"])
def test_groups_that_are_cut_short_are_an_error_and_nobody_is_without_groups(
    new_slapd: NewSlapd, open_ldap: Open, member_attribute: str
) -> None:
    slapd = new_slapd(limits="size=50")
    member = {"member": slapd.dn_of("alice"), "uniqueMember": slapd.dn_of("alice"), "memberUid": "alice"}
    kind = {"uniqueMember": "groupOfUniqueNames", "memberUid": "posixGroup"}.get(member_attribute, "groupOfNames")
    attribute = member_attribute if member_attribute in member else "member"
    more = {"gidNumber": 1} if kind == "posixGroup" else {}
    slapd.add("".join(group_ldif(f"g{n}", kind, **{attribute: member[attribute]}, **more) for n in range(60)))
    for page_size, message in ((0, r"sizeLimitExceeded\(4\).*or set page_size"), (10, r"sizeLimitExceeded\(4\)")):
        slapd.reconfigure(limits="size=50" if page_size == 0 else "size.prtotal=50")
        opened = open_groups(open_ldap, slapd.uri, groups={"member_attribute": member_attribute}, page_size=page_size)
        for ask in (ids, listed, lambda one: one.find("alice")):
            with pytest.raises(IncompleteListing, match=message):
                ask(opened)
    slapd.reconfigure(limits="")
    assert len(listed(opened)["alice"]) >= 60
    assert len(found(opened)["alice"]) >= 60


def test_groups_are_read_in_a_constant_number_of_questions(
    slapd: Slapd, open_ldap: Open, fake_server: Callable[..., FakeServer]
) -> None:
    """Two for a listing; one beside the person's own for a login, and none where the mapping reads no groups."""

    def answer(n: int, kind: int, body: bytes) -> bytes:
        if kind != SEARCH:
            return b""
        return (entry(n, "alice") if body.startswith(octets(Slapd.people)) else b"") + done(n, b"")

    server = fake_server(answer)

    def questions(opened: Opened, ask: Callable[[Opened], object]) -> int:
        server.requests.clear()
        ask(opened)
        return sum(kind == SEARCH for kind, _ in server.requests)

    opened = open_groups(open_ldap, server.uri)
    assert questions(opened, listed) == 2
    assert questions(opened, lambda one: one.find("alice")) == 2
    plain = open_groups(open_ldap, server.uri, map={})
    assert questions(plain, Opened.users) == 1
    assert questions(plain, lambda one: one.find("alice")) == 1
    of_nobody = open_groups(open_ldap, server.uri, groups={"member_attribute": "memberOf"})
    assert questions(of_nobody, lambda one: one.find("alice")) == 1


def test_a_base_of_groups_that_is_gone_is_a_mistake(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_groups(open_ldap, slapd.uri, groups={"bases": [f"ou=gone,{slapd.base}"]})
    for ask in (ids, listed, found):
        with pytest.raises(BackendMisconfigured, match=r"noSuchObject\(32\)"):
            ask(opened)


def test_an_outage_is_no_answer_about_groups(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_groups(open_ldap, slapd.uri)
    assert found(opened) == EXPECTED
    with slapd.frozen():
        for ask in (lambda: opened.backend.groups(Deadline(0.3)), lambda: opened.find("alice", seconds=0.3)):
            with pytest.raises(BackendUnavailable):
                ask()
    with slapd.stopped():
        for ask in (lambda: opened.backend.groups(Deadline(2)), lambda: opened.find("alice", seconds=2)):
            with pytest.raises(BackendUnavailable):
                ask()
    assert listed(opened) == EXPECTED


def test_a_server_that_breaks_off_among_the_groups_gives_nobody(
    open_ldap: Open, fake_server: Callable[..., FakeServer]
) -> None:
    def answer(n: int, kind: int, body: bytes) -> bytes:
        if kind != SEARCH:
            return b""
        return entry(n, "alice", cn=["a"]) + (done(n, b"") if body.startswith(octets(Slapd.people)) else HANG_UP)

    opened = open_groups(open_ldap, fake_server(answer).uri)
    for ask in (ids, listed, lambda one: one.find("alice")):
        with pytest.raises(BackendError):
            ask(opened)


def test_the_change_feed_gives_groups_to_few_and_to_many(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    for member_attribute in ("member", "memberOf"):
        opened = open_groups(
            open_ldap, slapd.uri, groups={"member_attribute": member_attribute}, change_feed="modifyTimestamp"
        )
        for people in (PEOPLE[:3], PEOPLE):
            position = opened.backend.feed_position(Deadline(10))
            for person in people:
                slapd.modify(line("dn", slapd.dn_of(person.uid)) + "changetype: modify\nreplace: title\ntitle: x\n")
            told: dict[str, tuple[str, ...]] = {}
            for change in opened.backend.changes(position, Deadline(10)):
                assert change.entries is not None
                told |= {user.username: user.groups for user in opened.mapper.page(change.entries).users()}
            assert told.items() <= EXPECTED.items()
            assert {person.uid for person in people} <= told.keys()


def test_check_counts_groups(slapd: Slapd, open_ldap: Open) -> None:
    def messages(opened: Opened) -> list[str]:
        return [f"{finding.level}: {finding.message}" for finding in opened.findings()]

    assert "ok: 3 groups match ldap_filter of [backends.test.groups]" in messages(open_groups(open_ldap, slapd.uri))
    unread = messages(open_groups(open_ldap, slapd.uri, map={}))
    assert "warning: [backends.test.groups]: [map] groups does not read its 'attribute', so nobody is in any" in unread
    none = messages(open_groups(open_ldap, slapd.uri, groups={"ldap_filter": "(cn=nothing)"}))
    assert any(message.startswith("warning: no group matches ldap_filter") for message in none)


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ({"bases": ["groups"]}, r"\[backends\.test\.groups\] bases: 'groups' is no distinguished name"),
        ({"ldap_filter": "(cn=a"}, r"\[backends\.test\.groups\] ldap_filter '\(cn=a'"),
    ],
)
def test_settings_of_groups_that_cannot_work_are_named(open_ldap: Open, groups: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        open_ldap("ldap://127.0.0.1:1", groups=groups)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("uid=a,ou=people,dc=org", "UID = A , OU=People,DC=ORG"),
        (r"cn=a\2Cb,dc=c", 'CN="a,b",dc=c'),
        ("cn=a+ou=b,dc=c", "OU=b + cn=a, dc=c"),
        ("userid=a  b,dc=c", "uid=A b;dc=c"),
        ("userid=ab,dc=c", "uid=AB,dc=c"),
        (r"uid=\61b,dc=c", "UID=AB, dc=c"),
        ("uid=ab , dc=c", "uid=ab,dc=c"),
        ("uid=a.b-c_d@e,dc=c", r"UID=\61.b-c\_d@E,dc=c"),
    ],
)
def test_equal_names_have_one_key(one: str, other: str) -> None:
    assert names.key(one) == names.key(other)


parts = st.tuples(st.sampled_from(["cn", "uid", "ou"]), st.text(alphabet="aAb1ä,+=\\\" '#", min_size=1, max_size=4))


@given(st.lists(parts, min_size=1, max_size=3), st.lists(parts, min_size=1, max_size=3))
def test_keys_are_equal_just_when_names_are(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> None:
    first, second = (",".join(f"{name}={names.escape(value)}" for name, value in dn) for dn in (one, other))
    assert (names.key(first) == names.key(second)) == (names.parse(first) == names.parse(second))


@pytest.mark.parametrize("text", ["people", "ou=a,", "ou=a, ", "=x,dc=c", "a,dc=c", "cn=a+,dc=b"])
def test_what_is_no_name_has_no_key(text: str) -> None:
    with pytest.raises(ValueError, match="no distinguished name"):
        names.key(text)


def test_who_is_in_no_group_has_no_value() -> None:
    known = Memberships({"a": ["y", "x"]}, str)
    assert (known.of("a"), known.of(["a", "a"]), known.of("b"), known.of(None)) == (("x", "y"), ("x", "y"), None, None)
