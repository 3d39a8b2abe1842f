"""Accounts that are taken over with their ids: all of them or none, whatever is here already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_server import normalize_name
from integration_server.builtin.ips_connect.account import Account, NewPerson
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.adoption import Adopted, AdoptionRefused
from integration_server.builtin.ips_connect.passwords import is_bcrypt
from integration_server.store import Store


def account(id: int, name: str, email: str | None = None, **more: object) -> Account:
    values = {"full_name": None, "pass_hash": f"hash {id}", "pass_salt": "salt", "is_banned": False}
    times = {"created_at": 0.0, "changed_at": 0.0}
    values |= {"revalidate_url": "", **times, **more}
    return Account(id=id, name=name, email=email or f"{name}@example.org", **values)  # type: ignore[arg-type]


def plain(accounts: Accounts) -> list[Account]:
    """Everybody, without times."""
    everybody = [one for batch in accounts.everybody(100) for one in batch]
    return [replace(one, created_at=0.0, changed_at=0.0) for one in everybody]


def refused(accounts: Accounts, *people: Account, **options: bool) -> list[str]:
    before = plain(accounts)
    with pytest.raises(AdoptionRefused) as raised:
        accounts.adopt_all(people, **options)
    assert plain(accounts) == before
    return [f"{clash.id}: {clash.reason}" for clash in raised.value.clashes]


def test_accounts_keep_their_ids_and_later_ones_are_higher(accounts: Accounts) -> None:
    ann = account(7, "Ann", is_banned=True, full_name="Ann Smith", revalidate_url="https://a.example/")
    bob = account(1_000_000, "Bob")
    assert accounts.adopt_all([bob, ann]) == Adopted(added=2)
    assert plain(accounts) == [ann, bob]
    assert accounts.register(NewPerson("Cid", "cid@x", "h", "s")).account.id == 1_000_001
    found = accounts.find(7)
    assert found is not None
    assert found.created_at == found.changed_at > 0


def test_what_is_here_already_with_the_same_data_is_passed_over(accounts: Accounts) -> None:
    people = [account(number, f"p{number}") for number in range(1, 2501)]
    assert accounts.adopt_all(people) == Adopted(added=2500)
    number = accounts.last_change()
    assert accounts.adopt_all([*people, account(2501, "new")]) == Adopted(added=1, unchanged=2500)
    assert accounts.last_change() == number + 1


def test_changes_of_all_are_noticed_in_order(accounts: Accounts) -> None:
    accounts.register(NewPerson("Cid", "cid@x", "h", "s"))
    accounts.adopt_all([account(5, "Ann"), account(3, "Bob")])
    accounts.register(NewPerson("Dan", "dan@x", "h", "s"))
    assert [(change.number, change.id) for change in accounts.changes(0, 9)] == [(1, 1), (2, 5), (3, 3), (4, 6)]


def test_an_id_with_other_data_is_refused_or_updated(accounts: Accounts) -> None:
    accounts.adopt_all([account(1, "Ann"), account(2, "Bob")])
    other = account(2, "Robert", pass_hash="another", is_banned=True)
    told = refused(accounts, account(1, "Ann"), account(3, "Cid"), other)
    assert told == ["2: id: is here already, with another name, email, pass_hash, is_banned"]
    assert accounts.adopt_all([other, account(1, "Ann")], may_update=True) == Adopted(updated=1, unchanged=1)
    assert plain(accounts) == [account(1, "Ann"), other]


def test_only_what_is_known_of_them_is_compared_and_changed(accounts: Accounts) -> None:
    accounts.adopt_all([account(1, "Ann", is_banned=True, full_name="Ann Smith")])
    again = account(1, "Anna", "Ann@example.org", pass_hash="new")
    details = ("name", "email", "pass_hash")
    assert accounts.adopt_all([again], details=details, may_update=True) == Adopted(updated=1)
    assert plain(accounts) == [replace(again, is_banned=True, full_name="Ann Smith")]


def test_a_password_that_is_not_known_is_made_or_stays(accounts: Accounts) -> None:
    accounts.adopt_all([account(1, "Ann")])
    unknown = [account(1, "Ann", pass_hash=""), account(2, "Bob", pass_hash="half of it", pass_salt="")]
    assert accounts.adopt_all(unknown) == Adopted(added=1, unchanged=1)
    ann, bob = plain(accounts)
    assert ann.pass_hash == "hash 1"
    assert is_bcrypt(bob.pass_salt)
    assert len(bob.pass_hash) == 60
    assert accounts.adopt_all(unknown, may_update=True) == Adopted(unchanged=2)


def test_a_name_or_an_address_of_somebody_else_is_refused_in_any_case(accounts: Accounts) -> None:
    accounts.adopt_all([account(1, "Ann Straße", "ann@example.org")])
    told = refused(accounts, account(2, "ANN STRASSE", "b@x"), account(3, "Bob", "Ann@Example.org"), account(4, "Dan"))
    assert told == [
        "2: name: 'ANN STRASSE' is account 1's",
        "3: email: 'Ann@Example.org' is account 1's",
    ]
    assert refused(accounts, account(5, "Eve"), account(6, "eve", "f@x"))
    assert refused(accounts, account(5, "Eve"), account(5, "Fay"))


def test_names_that_were_given_up_can_be_taken_in_any_order(accounts: Accounts) -> None:
    accounts.adopt_all([account(1, "ann", "1@x"), account(2, "bob", "2@x"), account(3, "cid", "3@x")])
    # Each takes the name of the next, and the last one a new one.
    moved = [account(1, "bob", "1@x"), account(2, "cid", "2@x"), account(3, "dan", "3@x"), account(4, "ann", "4@x")]
    moved = [replace(one, pass_hash="h") for one in moved]
    assert accounts.adopt_all(moved, may_update=True) == Adopted(added=1, updated=3)
    assert plain(accounts) == moved
    swapped = [replace(moved[0], name="cid"), replace(moved[1], name="bob")]
    assert refused(accounts, *swapped, may_update=True) == [
        "1: name: 'cid' is account 2's",
        "2: name: 'bob' is account 1's",
    ]


def test_a_trial_keeps_nothing_and_finds_the_same(accounts: Accounts) -> None:
    accounts.adopt_all([account(1, "Ann")])
    change = accounts.last_change()
    assert accounts.adopt_all([account(1, "Ann"), account(2, "Bob")], is_trial=True) == Adopted(added=1, unchanged=1)
    assert refused(accounts, account(1, "Bob"), is_trial=True)
    assert plain(accounts) == [account(1, "Ann")]
    assert accounts.last_change() == change
    assert accounts.register(NewPerson("Cid", "cid@x", "h", "s")).account.id == 2


@pytest.mark.parametrize(
    ("person", "what"),
    [
        (account(0, "Ann"), "id"),
        (account(2**62 + 1, "Ann"), "id"),
        (account(-1, "Ann"), "id"),
        (account(2, " "), "name"),
        (account(2, "x" * 256), "name"),
        (account(2, "Ann", " "), "email"),
        (account(2, "Ann", "a\0b"), "email"),
        (account(2, "Ann", full_name="x" * 1001), "full_name"),
        (account(2, "Ann", pass_hash="x" * 256), "pass_hash"),
        (account(2, "Ann", pass_salt="x" * 256), "pass_salt"),
        (account(2, "Ann", revalidate_url="x" * 2049), "revalidate_url"),
    ],
)
def test_values_that_cannot_be_kept_are_refused_by_their_name(accounts: Accounts, person: Account, what: str) -> None:
    with pytest.raises(ValueError, match=f"^{what}: "):
        accounts.adopt_all([account(1, "Bob"), person])
    assert plain(accounts) == []


def test_the_network_is_told_only_where_that_is_asked_for(store: Store, open_accounts: Callable[[], Accounts]) -> None:
    accounts = open_accounts()
    begin = store.journal.last_serial()
    accounts.adopt_all([account(1, "Ann"), account(2, "Bob", revalidate_url="https://b")])
    assert store.journal.last_serial() == begin
    changed = [
        account(1, "Anna", "anna@x", pass_hash="new", is_banned=True, full_name="Ann"),
        account(2, "Bob"),
        account(3, "Cid", is_banned=True),
    ]
    accounts.adopt_all(changed, may_update=True, is_told=True, origin="sub_a", is_trial=True)
    accounts.adopt_all(changed, may_update=True, is_told=True, origin="sub_a")
    events = store.journal.events(begin, 100)
    assert [(event.type, event.person_id, event.after, event.origin) for event in events] == [
        ("ips_connect.changeName", "1", {"name": "Anna"}, "sub_a"),
        ("ips_connect.changeEmail", "1", {"email": "anna@x"}, "sub_a"),
        ("ips_connect.changePassword", "1", {}, "sub_a"),
        ("ips_connect.ban", "1", {"status": "1"}, "sub_a"),
        ("ips_connect.validate", "2", {}, "sub_a"),
        ("ips_connect.register", "3", {"name": "Cid", "email": "Cid@example.org", "revalidateUrl": ""}, "sub_a"),
        ("ips_connect.ban", "3", {"status": "1"}, "sub_a"),
    ]


NAMES = st.sampled_from(["ann", "Ann", "bob", "cid", "dan", "eve"])
PEOPLE = st.lists(st.builds(account, st.integers(1, 6), NAMES, st.sampled_from(["a@x", "B@x", "b@x", "c@x", "d@x"])))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=PEOPLE, second=PEOPLE, may_update=st.booleans())
def test_whatever_comes_all_of_it_is_there_afterwards_or_nothing(
    open_accounts: Callable[[], Accounts], first: list[Account], second: list[Account], may_update: bool
) -> None:
    accounts = open_accounts()
    for one in plain(accounts):
        accounts.delete(one.id)
    for people in (first, second):
        before = {one.id: one for one in plain(accounts)}
        try:
            accounts.adopt_all(people, may_update=may_update)
        except AdoptionRefused:
            assert {one.id: one for one in plain(accounts)} == before
            continue
        after = {one.id: one for one in plain(accounts)}
        assert after == {**before, **{one.id: one for one in people}}
        assert len({normalize_name(one.name) for one in after.values()}) == len(after)
        assert len({normalize_name(one.email) for one in after.values()}) == len(after)
