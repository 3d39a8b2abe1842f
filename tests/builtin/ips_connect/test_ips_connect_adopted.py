"""Accounts of another server, under the ids that they have there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from integration_server.builtin.ips_connect.account import NewPerson, Outcome, State
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.store import Store

ANN = NewPerson("Ann", "ann@example.org", "hash of ann", "salt of ann", full_name="Ann Example")
BOB = NewPerson("Bob", "bob@example.org", "hash of bob", "salt of bob", revalidate_url="https://a.example/confirm")


@pytest.fixture
def told(store: Store) -> Callable[[], list[tuple[object, ...]]]:
    """What the members of the network were told since the last call: method, connect id, details."""
    seen = [store.journal.last_serial()]

    def since() -> list[tuple[object, ...]]:
        events = store.journal.events(seen[0], 1000)
        seen[0] = store.journal.last_serial()
        return [(event.type.partition(".")[2], event.person_id, event.after) for event in events]

    return since


def test_account_is_adopted_under_its_id_and_later_ones_get_higher_ids(accounts: Accounts) -> None:
    assert accounts.adopt(57, ANN) is Outcome.DONE
    ann = accounts.find(57)
    assert ann is not None
    assert (ann.name, ann.email, ann.full_name) == ("Ann", "ann@example.org", "Ann Example")
    assert (ann.pass_hash, ann.pass_salt, ann.state) == ("hash of ann", "salt of ann", State.ACTIVE)
    assert accounts.adopt(9, BOB) is Outcome.DONE
    assert accounts.register(NewPerson("Cid", "cid@example.org", "hash", "salt")).account.id == 58


def test_account_that_is_adopted_again_becomes_what_it_is_there(accounts: Accounts) -> None:
    accounts.adopt(57, ANN)
    last = accounts.last_change()
    assert accounts.adopt(57, ANN) is Outcome.UNCHANGED
    assert accounts.last_change() == last
    accounts.set_ban(57, True)
    other = replace(BOB, name="ANN", full_name=None)
    assert accounts.adopt(57, other) is Outcome.DONE
    ann = accounts.find(57)
    assert ann is not None
    assert (ann.name, ann.email, ann.full_name, ann.pass_hash) == ("ANN", BOB.email, "Ann Example", BOB.pass_hash)
    assert (ann.revalidate_url, ann.is_banned) == (BOB.revalidate_url, True)
    assert accounts.find_by_email(ANN.email) is None
    assert accounts.adopt(57, other, is_banned=False) is Outcome.DONE
    assert accounts.adopt(57, replace(other, revalidate_url="")) is Outcome.DONE
    assert [change.id for change in accounts.changes(last, 9)] == [57]
    assert accounts.find(57).state is State.ACTIVE  # type: ignore[union-attr]


@pytest.mark.parametrize("id", [12, 58])
def test_name_or_address_of_another_is_not_taken(accounts: Accounts, id: int) -> None:
    accounts.adopt(57, ANN)
    accounts.adopt(58, BOB)
    number = accounts.last_change()
    assert accounts.adopt(id, replace(BOB, email="ANN@example.org")) is Outcome.EMAIL_IN_USE
    assert accounts.adopt(id, replace(BOB, name="aNN", email="b@x")) is Outcome.USERNAME_IN_USE
    assert accounts.last_change() == number
    assert accounts.find(12) is None


@pytest.mark.parametrize("id", [-1, 0, 2**62 + 1, 2**63, 10**30])
def test_id_that_leaves_no_room_is_refused(accounts: Accounts, id: int) -> None:
    with pytest.raises(ValueError, match="id"):
        accounts.adopt(id, ANN)
    with pytest.raises(ValueError, match="email"):
        accounts.adopt(1, replace(ANN, email=" "))
    accounts.adopt(2**62, ANN)
    assert accounts.register(BOB).account.id == 2**62 + 1


def test_members_of_a_network_are_told_of_what_is_adopted(
    accounts: Accounts, told: Callable[[], list[tuple[object, ...]]]
) -> None:
    accounts.adopt(57, BOB, is_banned=True)
    details = {"name": "Bob", "email": "bob@example.org", "revalidateUrl": "https://a.example/confirm"}
    assert told() == [("register", "57", details), ("ban", "57", {"status": "1"})]
    accounts.adopt(57, BOB, is_banned=True)
    assert told() == []
    accounts.adopt(57, ANN, is_banned=False)
    assert told() == [
        ("changeName", "57", {"name": "Ann"}),
        ("changeEmail", "57", {"email": "ann@example.org"}),
        ("changePassword", "57", {}),
        ("validate", "57", {}),
        ("ban", "57", {"status": "0"}),
    ]
    accounts.adopt(57, replace(ANN, revalidate_url="https://a.example/"))
    assert told() == []
