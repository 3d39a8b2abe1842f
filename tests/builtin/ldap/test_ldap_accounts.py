"""Making people in a real slapd, and confirming their addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from integration_server import (
    BackendError,
    BackendMisconfigured,
    BackendUnavailable,
    ConfigError,
    Deadline,
    Email,
    Entry,
    NewAccount,
    ReadOnlyBackend,
    User,
)
from tests.builtin.ldap.fake_server import HANG_UP, SEARCH, FakeServer, done, entry, result
from tests.builtin.ldap.opened import Opened
from tests.builtin.ldap.test_ldap_groups import line
from tests.builtin.ldap.test_ldap_members import ADMIN
from tests.servers import PEOPLE, Slapd

NewSlapd = Callable[..., Slapd]
Open = Callable[..., Opened]

ADD = 0x68
NEW = NewAccount("New.One@example.org", "Zoë van der Østergård", "Two\nlines ä", "Europe/Oslo")
UNVERIFIED = {"emails": ["mail", "title"], "unverified_emails": "title"}


@pytest.fixture
def slapd_of_mine(new_slapd: NewSlapd) -> Slapd:
    return new_slapd()


def open_writing(open_ldap: Open, uri: str, writing: Mapping[str, object] | None = None, **settings: object) -> Opened:
    return open_ldap(uri, **{**ADMIN, "writing": {"base": Slapd.people, **(writing or {})}, **settings})


def create(opened: Opened, account: NewAccount = NEW, seconds: float = 20) -> str:
    return opened.backend.create_account(account, Deadline(seconds))


def user(opened: Opened, value: str, attribute: str = "uid") -> User:
    found = opened.find(value, attribute)
    assert found is not None
    return opened.mapper.entry_page(found).user(0)


def test_a_person_who_is_made_is_known_by_the_id_that_is_returned(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    opened = open_writing(
        open_ldap,
        slapd.uri,
        {"biography_attribute": "description", "tz_attribute": "l"},
        map={"biography": "description", "tz": "l"},
    )
    person_id = create(opened)
    (made,) = [one for one in opened.users() if one.id == person_id]
    assert made == user(opened, NEW.email, "mail")
    assert (made.full_name, made.biography, made.tz) == (NEW.full_name, NEW.biography, NEW.tz)
    assert made.emails == (Email(NEW.email, is_verified=True, is_preferred=True),)
    surname = open_writing(open_ldap, slapd.uri, map={"full_name": "sn"})
    assert user(surname, made.username).full_name == "Østergård"
    assert len(opened.users()) == len(PEOPLE) + 1


@pytest.mark.parametrize(
    ("full_name", "shown", "surname"),
    [
        ("", "x@example.org", "x@example.org"),
        ("  Cher ", "Cher", "Cher"),
        ("李雷", "李雷", "李雷"),
        ("A, B\\ #", "A, B\\ #", "#"),
    ],
)
def test_any_full_name_will_do(slapd_of_mine: Slapd, open_ldap: Open, full_name: str, shown: str, surname: str) -> None:
    opened = open_writing(open_ldap, slapd_of_mine.uri, {"surname_attribute": "sn"}, map={"nickname": "sn"})
    person_id = create(opened, NewAccount("x@example.org", full_name))
    made = user(opened, person_id, "entryUUID")
    assert (made.full_name, made.nickname) == (shown, surname)


@pytest.mark.parametrize("id_rule", ["uid", "dn", "mail", {"from": "mail", "lower": True}])
def test_ids_are_those_of_the_mapping(slapd_of_mine: Slapd, open_ldap: Open, id_rule: Any) -> None:
    opened = open_writing(open_ldap, slapd_of_mine.uri, map={"id": id_rule})
    person_id = create(opened)
    assert person_id == user(opened, NEW.email, "mail").id


def test_people_may_be_named_by_what_they_have(slapd_of_mine: Slapd, open_ldap: Open) -> None:
    by_name = open_writing(open_ldap, slapd_of_mine.uri, {"rdn_attribute": "CN"}, map={"username": "cn"})
    odd = NewAccount("odd@example.org", 'Odd, "the" <one>; #1 + \\ end')
    person_id = create(by_name, odd)
    # Whoever tries again with the same person gets the same one, and never somebody else.
    assert create(by_name, odd) == person_id
    with pytest.raises(BackendError, match="there is another entry of this name"):
        create(by_name, NewAccount("other@example.org", odd.full_name))
    assert user(by_name, odd.email, "mail").username == odd.full_name


def test_many_are_made_at_once_and_each_is_another(slapd_of_mine: Slapd, open_ldap: Open) -> None:
    opened = open_writing(open_ldap, slapd_of_mine.uri)
    accounts = [NewAccount(f"n{number}@example.org", "One Name") for number in range(24)]
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda account: create(opened, account), accounts))
    assert len(set(ids)) == 24
    assert len({one.username for one in opened.users()}) == len(PEOPLE) + 24


def test_a_new_person_whom_nobody_would_find_is_taken_back(slapd_of_mine: Slapd, open_ldap: Open) -> None:
    opened = open_writing(open_ldap, slapd_of_mine.uri, ldap_filter="(&(objectClass=person)(title=staff))")
    with pytest.raises(BackendMisconfigured, match="taken back, because ldap_filter does not find it"):
        create(opened)
    assert len(open_ldap(slapd_of_mine.uri).users()) == len(PEOPLE)


def test_what_the_schema_refuses_is_said(slapd: Slapd, open_ldap: Open) -> None:
    refused: tuple[tuple[dict[str, object], str], ...] = (
        ({"object_classes": ["account"]}, r"objectClassViolation\(65\)"),
        ({"object_classes": ["nothing"]}, r"invalidAttributeSyntax\(21\)"),
        ({"surname_attribute": ""}, r"objectClassViolation\(65\).*sn"),
        ({"base": f"ou=gone,{slapd.people}"}, r"noSuchObject\(32\)"),
    )
    for writing, why in refused:
        with pytest.raises(BackendMisconfigured, match=why):
            create(open_writing(open_ldap, slapd.uri, writing))
    with pytest.raises(BackendError, match="UTF-8"):
        create(open_writing(open_ldap, slapd.uri), NewAccount("a@example.org", "\ud800"))


def test_who_could_not_be_listed_or_found_is_not_made(slapd_of_mine: Slapd, open_ldap: Open) -> None:
    more = {"biography_attribute": "description", "tz_attribute": "l"}
    opened = open_writing(open_ldap, slapd_of_mine.uri, more, map={"biography": "description", "tz": "l"})
    for account in (
        NewAccount("a\0@example.org", "A"),
        NewAccount("a@example.org", "A\0"),
        NewAccount("a@example.org", "A", "\0"),
        NewAccount("a@example.org", "A", None, "x\0y"),
    ):
        with pytest.raises(BackendError, match="NUL"):
            create(opened, account)
    for address in ("", " "):
        with pytest.raises(BackendError, match="needs an address"):
            create(opened, NewAccount(address, "A"))
    assert len(opened.users()) == len(PEOPLE)


def test_an_account_that_may_not_make_people_is_named(slapd: Slapd, open_ldap: Open) -> None:
    reader: dict[str, Any] = {"bind_dn": slapd.reader_dn, "bind_password": slapd.reader_password}
    opened = open_writing(open_ldap, slapd.uri, **reader, map=UNVERIFIED)
    with pytest.raises(BackendMisconfigured, match=rf"the service account '{slapd.reader_dn}' may not do this"):
        create(opened)


def test_without_a_table_nobody_is_made(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_ldap(slapd.uri, **ADMIN, map=UNVERIFIED)
    with pytest.raises(ReadOnlyBackend, match=r"set base in \[backends\.test\.writing\]"):
        create(opened)
    with pytest.raises(ReadOnlyBackend, match=r"set base in \[backends\.test\.writing\]"):
        opened.backend.confirm_email(Entry({}, slapd.dn_of("alice")), "alice@example.org", Deadline(5))


def test_an_outage_is_no_new_person(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_writing(open_ldap, slapd.uri)
    for broken, seconds in ((slapd.frozen, 0.4), (slapd.stopped, 3)):
        with broken(), pytest.raises(BackendUnavailable):
            create(opened, seconds=seconds)


def test_a_person_whose_making_was_not_answered_is_made_once(
    open_ldap: Open, fake_server: Callable[..., FakeServer]
) -> None:
    added: list[bytes] = []

    def answer(n: int, kind: int, body: bytes) -> bytes:
        if kind == ADD:
            added.append(body)
            return HANG_UP if len(added) == 1 else result(n, 0x69, 68)
        return entry(n, "alice", mail=[NEW.email]) + done(n, b"") if kind == SEARCH else b""

    opened = open_writing(open_ldap, fake_server(answer).uri)
    assert opened.find("alice") is not None
    assert create(opened) == "id of alice"
    assert added[0] == added[1]


def with_addresses(slapd: Slapd, uid: str, **addresses: list[str]) -> None:
    change = line("dn", slapd.dn_of(uid)) + "changetype: modify\n"
    for name, values in addresses.items():
        change += f"replace: {name}\n" + "".join(line(name, value) for value in values) + "-\n"
    slapd.modify(change)


def test_a_confirmed_address_is_a_verified_one(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    with_addresses(slapd, "alice", title=["New@example.org", "other@example.org"])
    opened = open_writing(open_ldap, slapd.uri, map=UNVERIFIED)

    def confirm(address: str) -> dict[str, bool]:
        found = opened.find("alice")
        assert found is not None
        opened.backend.confirm_email(found, address, Deadline(10))
        return {email.address: email.is_verified for email in user(opened, "alice").emails}

    held = dict.fromkeys(PEOPLE[0].emails, True)
    assert confirm("nobody@example.org") == {**held, "New@example.org": False, "other@example.org": False}
    for _ in range(2):
        assert confirm("new@EXAMPLE.org") == {**held, "New@example.org": True, "other@example.org": False}
    assert confirm("other@example.org") == {**held, "New@example.org": True, "other@example.org": True}
    # One that is there already is only taken from the others.
    with_addresses(slapd, "alice", title=["ALICE@example.org"])
    assert confirm("alice@example.org")["alice@example.org"]


def test_a_confirmed_address_is_preferred_where_none_is(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    rules = {**UNVERIFIED, "emails": ["mail", "userPrincipalName", "title"], "preferred_emails": "employeeType"}
    opened = open_writing(open_ldap, slapd.uri, map=rules)
    with_addresses(slapd, "carol", title=["first@example.org", "second@example.org"])
    for address in ("first@example.org", "second@example.org"):
        found = opened.find("carol")
        assert found is not None
        opened.backend.confirm_email(found, address, Deadline(10))
    emails = user(opened, "carol").emails
    assert [email.address for email in emails if email.is_preferred] == ["first@example.org"]
    assert all(email.is_verified for email in emails)


def test_eight_who_confirm_one_address_confirm_it_once(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd()
    opened = open_writing(open_ldap, slapd.uri, map=UNVERIFIED)
    for number in range(5):
        address = f"n{number}@example.org"
        with_addresses(slapd, "bob", title=[address])
        found = opened.find("bob")
        assert found is not None
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(opened.backend.confirm_email, found, address, Deadline(20)) for _ in range(8)]
            assert [one.result() for one in asked] == [None] * 8
        assert {email.address for email in user(opened, "bob").emails if email.is_verified} >= {address}


def test_without_unverified_addresses_nothing_is_confirmed(open_ldap: Open) -> None:
    opened = open_ldap("ldap://127.0.0.1:1")
    opened.backend.confirm_email(Entry({}, "uid=alice"), "alice@example.org", Deadline(1))


def test_addresses_of_somebody_who_has_gone_are_an_error(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_writing(open_ldap, slapd.uri, map=UNVERIFIED)
    with pytest.raises(BackendError, match="is not there any more"):
        opened.backend.confirm_email(Entry({}, f"uid=gone,{slapd.people}"), "a@example.org", Deadline(5))


def test_check_looks_for_the_base_of_new_people(slapd: Slapd, open_ldap: Open) -> None:
    opened = open_writing(open_ldap, slapd.uri, {"base": f"ou=gone,{slapd.people}"})
    assert any(finding.level == "error" and "ou=gone" in finding.message for finding in opened.findings())


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"writing": {"base": "people"}}, r"\[backends\.test\.writing\] base: .*no distinguished name"),
        ({"writing": {"base": "dc=elsewhere"}}, "below none of the bases"),
        ({"writing": {"base": f"ou=a,{Slapd.people}"}, "scope": "one"}, "below none of the bases"),
        ({"writing": {"base": Slapd.people, "email_attribute": "other"}}, "'other' is none of those that"),
        ({"writing": {"base": Slapd.people}, "map": {"id": "{uid}x"}}, "id must be one attribute"),
        (
            {"writing": {"base": Slapd.people}, "map": {"emails": "mail", "unverified_emails": "mail"}},
            "verified addresses need another attribute",
        ),
        (
            {"writing": {"base": Slapd.people}, "map": {"unverified_emails": ["a", "b"]}},
            "unverified_emails must be one attribute",
        ),
    ],
)
def test_settings_of_new_people_that_cannot_work_are_named(
    open_ldap: Open, settings: dict[str, object], why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        open_ldap("ldap://127.0.0.1:1", **settings)
