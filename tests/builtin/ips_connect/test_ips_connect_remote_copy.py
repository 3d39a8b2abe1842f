"""The copy of another master's accounts: it follows what the master says, and knows what it does not know."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from integration_server.builtin.ips_connect.account import NewPerson, Outcome, State
from integration_server.builtin.ips_connect.remote_copy import Copy, Gaps
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.sdk.testing.harness import in_threads
from integration_server.store import Store

ANN = NewPerson("Ann", "ann@example.org", "hash of ann", "salt of ann")
BOB = NewPerson("Bob", "bob@example.org", "hash of bob", "salt of bob")
_NUMBERS = itertools.count()


@pytest.fixture
def open_copy(store: Store) -> Callable[[], Copy]:
    name = f"copy{next(_NUMBERS)}"
    return lambda: Copy(name, store.storage(TABLES))


@pytest.fixture
def copy(open_copy: Callable[[], Copy]) -> Copy:
    return open_copy()


def names(copy: Copy) -> dict[int, str]:
    return {account.id: account.name for batch in copy.everybody(9) for account in batch}


def test_nobody_is_told_of_what_a_copy_learns(store: Store, copy: Copy) -> None:
    serial = store.journal.last_serial()
    copy.learn(57, ANN, None)
    copy.change_name(57, "Anna")
    copy.set_ban(57, True)
    copy.adopt(58, BOB, is_banned=True)
    copy.merge(57, 58)
    copy.delete(57)
    assert store.journal.events(serial, 100) == []


def test_change_of_an_account_that_is_not_here_leaves_a_gap(copy: Copy) -> None:
    assert copy.gaps() == Gaps(0, None)
    for id, change in enumerate(
        (
            lambda id: copy.validate(id),
            lambda id: copy.set_ban(id, True),
            lambda id: copy.change_email(id, "a@x"),
            lambda id: copy.change_name(id, "A"),
            lambda id: copy.change_password(id, "hash", "salt"),
            lambda id: copy.merge(id, 999),
            lambda id: copy.leave_gap(id),
        ),
        start=10,
    ):
        change(id)
        assert copy.is_gap(id)
        assert copy.is_banned(id) is (id == 11)
    assert copy.gaps() == Gaps(7, 10)
    assert names(copy) == {}
    # A gap is no account.
    assert copy.find(11) is None


def test_account_that_comes_fills_its_gap_and_stays_banned(copy: Copy) -> None:
    copy.set_ban(57, True)
    copy.validate(57)
    copy.leave_gap(57)
    assert copy.is_banned(57)
    assert copy.learn(57, ANN, None) is Outcome.DONE
    assert copy.find(57).state is State.BANNED  # type: ignore[union-attr]
    assert copy.gaps() == Gaps(0, None)
    copy.set_ban(58, True)
    copy.set_ban(58, False)
    copy.adopt(58, BOB)
    assert copy.find(58).state is State.ACTIVE  # type: ignore[union-attr]
    copy.set_ban(59, True)
    copy.adopt(59, replace(BOB, name="Cid", email="cid@x"), is_banned=False)
    assert not copy.is_banned(59)
    copy.leave_gap(57)
    assert copy.gaps() == Gaps(0, None)


def test_account_that_is_gone_leaves_no_gap(copy: Copy) -> None:
    copy.set_ban(57, True)
    copy.delete(57)
    assert copy.gaps() == Gaps(0, None)
    copy.learn(58, ANN, None)
    copy.delete(58)
    assert copy.gaps() == Gaps(0, None)
    assert not copy.is_banned(57)


def test_merge_removes_the_one_whether_the_other_is_here_or_not(copy: Copy) -> None:
    copy.learn(57, ANN, None)
    copy.learn(58, BOB, None)
    assert copy.merge(57, 58) is Outcome.DONE
    assert names(copy) == {57: "Ann"}
    copy.merge(99, 57)
    assert names(copy) == {}
    assert copy.gaps() == Gaps(1, 99)
    copy.merge(99, 99)
    copy.merge(100, 99)
    assert copy.gaps() == Gaps(1, 100)


def test_masters_word_outweighs_what_the_copy_has(copy: Copy) -> None:
    copy.learn(57, ANN, None)
    copy.learn(58, BOB, None)
    copy.set_ban(58, True)
    assert copy.change_email(57, "BOB@example.org") is Outcome.DONE
    assert names(copy) == {57: "Ann"}
    assert copy.is_banned(58)
    assert copy.gaps() == Gaps(1, 58)
    assert copy.change_name(57, "ann") is Outcome.DONE
    assert copy.change_name(57, "ann") is Outcome.UNCHANGED
    copy.learn(58, replace(BOB, name="ANN"), None)
    assert names(copy) == {58: "ANN"}
    assert copy.find(58).is_banned  # type: ignore[union-attr]
    assert copy.gaps() == Gaps(1, 57)


def test_one_newcomer_may_displace_two(copy: Copy) -> None:
    copy.learn(57, ANN, None)
    copy.learn(58, BOB, None)
    copy.learn(59, replace(ANN, email=BOB.email), None)
    assert names(copy) == {59: "Ann"}
    assert copy.gaps() == Gaps(2, 57)


def test_import_displaces_nobody_and_leaves_a_gap(copy: Copy) -> None:
    copy.learn(57, ANN, None)
    assert copy.adopt(58, replace(BOB, email=ANN.email), is_banned=True) is Outcome.EMAIL_IN_USE
    assert names(copy) == {57: "Ann"}
    assert copy.gaps() == Gaps(1, 58)
    assert copy.is_banned(58)


def test_what_was_learned_later_is_not_undone(copy: Copy) -> None:
    copy.learn(57, ANN, None)
    was = copy.find(57)
    copy.change_name(57, "Anna")
    assert copy.learn(57, ANN, was) is Outcome.UNCHANGED
    assert copy.learn(57, ANN, None) is Outcome.UNCHANGED
    assert names(copy) == {57: "Anna"}
    assert copy.learn(57, ANN, copy.find(57)) is Outcome.DONE
    copy.delete(57)
    assert copy.learn(57, ANN, was) is Outcome.UNCHANGED
    assert names(copy) == {}


def test_who_is_displaced_is_not_told_as_gone(copy: Copy) -> None:
    copy.learn(57, ANN, None)
    number = copy.last_change()
    copy.learn(58, replace(BOB, name="Ann"), None)
    assert [(change.id, change.is_gone) for change in copy.changes(number, 9)] == [(57, False), (58, False)]
    number = copy.last_change()
    # Gone at the master, too: now they are.
    copy.delete(57)
    assert [(change.id, change.is_gone) for change in copy.changes(number, 9)] == [(57, True)]
    number = copy.last_change()
    copy.delete(58)
    assert [(change.id, change.is_gone) for change in copy.changes(number, 9)] == [(58, True)]


@pytest.mark.parametrize("id", [-1, 0, 2**62 + 1, 2**63, 10**30])
def test_id_that_is_none_is_refused(copy: Copy, id: int) -> None:
    with pytest.raises(ValueError, match="id"):
        copy.learn(id, ANN, None)
    copy.leave_gap(-1)
    copy.leave_gap(2**63)
    assert copy.gaps() == Gaps(0, None)


def test_gaps_of_one_copy_are_not_those_of_another(copy: Copy, store: Store) -> None:
    another = Copy("another copy", store.storage(TABLES))
    another.set_ban(57, True)
    assert not copy.is_gap(57)
    copy.learn(57, ANN, None)
    assert another.is_banned(57)
    another.delete(57)


def test_logins_and_pushes_at_once_end_in_one_account(open_copy: Callable[[], Copy]) -> None:
    copies = [open_copy(), open_copy()]

    def work(number: int) -> None:
        copy = copies[number % 2]
        for turn in range(5):
            copy.learn(57, replace(ANN, email=f"{number}.{turn}@x"), copy.find(57))
            copy.set_ban(57, True)
            copy.change_name(57, f"Ann {number}")

    in_threads(work)
    assert list(names(copies[0])) == [57]
    assert copies[1].find(57).is_banned  # type: ignore[union-attr]
    assert copies[0].gaps() == Gaps(0, None)
