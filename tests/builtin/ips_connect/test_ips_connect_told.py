"""What the members of a network are told of, in which order, and by whom it was caused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from integration_server.builtin.ips_connect.account import NewPerson, Outcome
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.store import Store

ANN = NewPerson("Ann", "ann@example.org", "hash of ann", "salt of ann")
BOB = NewPerson("Bob", "bob@example.org", "hash of bob", "salt of bob", revalidate_url="https://a.example/confirm")


@pytest.fixture
def told(store: Store, accounts: Accounts) -> Callable[[], list[tuple[object, ...]]]:
    """What was told since the last call: method, connect id, details, origin."""
    seen = [store.journal.last_serial()]

    def since() -> list[tuple[object, ...]]:
        events = store.journal.events(seen[0], 1000)
        seen[0] = store.journal.last_serial()
        for event in events:
            assert "hash" not in str(event.after)
            assert "salt" not in str(event.after)
        return [(event.type.partition(".")[2], event.person_id, event.after, event.origin) for event in events]

    return since


def test_every_change_is_told_once_with_its_origin(
    accounts: Accounts, told: Callable[[], list[tuple[object, ...]]]
) -> None:
    ann = accounts.register(ANN, origin="sub_a").account.id
    bob = accounts.register(BOB).account.id
    assert told() == [
        ("register", "1", {"name": "Ann", "email": "ann@example.org", "revalidateUrl": ""}, "sub_a"),
        ("register", "2", {"name": "Bob", "email": "bob@example.org", "revalidateUrl": BOB.revalidate_url}, None),
    ]
    accounts.validate(bob, origin="sub_a")
    accounts.set_ban(bob, True)
    accounts.set_ban(bob, False, origin="sub_b")
    accounts.change_email(bob, "robert@example.org")
    accounts.change_name(bob, "Robert")
    accounts.change_password(bob, "new hash", "new salt", origin="sub_a")
    accounts.merge(ann, bob, origin="sub_a")
    accounts.delete(ann)
    assert told() == [
        ("validate", "2", {}, "sub_a"),
        ("ban", "2", {"status": "1"}, None),
        ("ban", "2", {"status": "0"}, "sub_b"),
        ("changeEmail", "2", {"email": "robert@example.org"}, None),
        ("changeName", "2", {"name": "Robert"}, None),
        ("changePassword", "2", {}, "sub_a"),
        ("merge", "1", {"remove": "2"}, "sub_a"),
        ("delete", "1", {}, None),
    ]


def test_what_changes_nothing_is_told_to_nobody(
    accounts: Accounts, told: Callable[[], list[tuple[object, ...]]]
) -> None:
    ann = accounts.register(ANN).account.id
    accounts.register(BOB)
    told()
    assert accounts.change_name(ann, "Ann") is Outcome.UNCHANGED
    assert accounts.change_name(ann, "bob") is Outcome.USERNAME_IN_USE
    assert accounts.change_email(99, "bob@example.org") is Outcome.EMAIL_IN_USE
    assert accounts.merge(ann, ann) is Outcome.UNCHANGED
    assert accounts.merge(ann, 99) is Outcome.NOT_FOUND
    for outcome in (accounts.validate(99), accounts.delete(99), accounts.set_ban(99, True)):
        assert outcome is Outcome.NOT_FOUND
    assert told() == []


def test_account_that_is_registered_again_is_told_as_it_is(
    accounts: Accounts, told: Callable[[], list[tuple[object, ...]]]
) -> None:
    accounts.register(ANN)
    told()
    again = NewPerson("Anna", "ANN@example.org", "another hash", "another salt")
    assert accounts.register(again, origin="sub_b").account.name == "Ann"
    assert told() == [
        ("register", "1", {"name": "Ann", "email": "ann@example.org", "revalidateUrl": ""}, "sub_b"),
    ]


def test_accounts_of_another_master_are_told_to_nobody(
    store: Store, accounts: Accounts, told: Callable[[], list[tuple[object, ...]]]
) -> None:
    mirror = Accounts("mirror", store.storage(TABLES), is_master=False)
    mirror.register(ANN)
    assert told() == []
