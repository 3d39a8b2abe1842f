"""The master's own session, what ends it, and the seal of everything that browsers carry."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_server.builtin.ips_connect.account import Account, NewPerson
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.chain_state import ChainState, Trail
from integration_server.builtin.ips_connect.seals import Seal
from integration_server.builtin.ips_connect.sessions import Sessions
from integration_server.builtin.ips_connect.steps import Steps
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.store import Store
from tests.directory.house import Clock

KEY = b"k" * 32
ANN = NewPerson("Ann", "ann@example.org", "hash of ann", "salt of ann")
STATE = ChainState("crossLogin", "42", "chain", 1, "aaaaaaaa", ("bbbbbbbb",), "", "https://a.example/", 1_800_000_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(accounts: Accounts, clock: Clock) -> Sessions:
    return Sessions("gw", accounts, KEY, 2.0, clock)


@pytest.fixture
def ann(accounts: Accounts) -> Account:
    return accounts.register(ANN).account


def test_who_is_logged_in_is_known_until_the_session_is_too_old(sessions: Sessions, ann: Account, clock: Clock) -> None:
    cookie = sessions.begin(ann)
    assert (sessions.cookie, sessions.max_age) == ("ips_connect_gw", 172_800)
    for seconds, is_there in ((0, True), (172_800, True), (172_801, False), (-60, True), (-61, False)):
        clock.now = 1_800_000_000 + seconds
        assert (sessions.account(cookie) == ann) is is_there


@pytest.mark.parametrize(
    "change",
    [
        lambda accounts, id: accounts.change_password(id, "another hash", "salt of ann"),
        lambda accounts, id: accounts.change_password(id, "hash of ann", "another salt"),
        lambda accounts, id: accounts.change_email(id, "a.lee@example.org"),
        lambda accounts, id: accounts.set_ban(id, True),
        lambda accounts, id: accounts.delete(id),
        lambda accounts, id: accounts.merge(
            accounts.register(NewPerson("Bob", "bob@example.org", "hash", "salt")).account.id, id
        ),
    ],
    ids=["password", "salt", "address", "ban", "deletion", "merge"],
)
def test_another_password_or_address_a_ban_and_a_deletion_end_it(
    sessions: Sessions, accounts: Accounts, ann: Account, change: Callable[[Accounts, int], object]
) -> None:
    cookie = sessions.begin(ann)
    accounts.change_name(ann.id, "Ann Lee")
    assert sessions.account(cookie) is not None, "a name is no reason"
    change(accounts, ann.id)
    assert sessions.account(cookie) is None


def test_who_is_banned_or_must_be_confirmed_gets_none(sessions: Sessions, accounts: Accounts, ann: Account) -> None:
    accounts.set_ban(ann.id, True)
    banned = accounts.find(ann.id)
    assert banned is not None
    assert sessions.begin(banned) is None
    person = NewPerson("Bob", "bob@example.org", "hash", "salt", revalidate_url="https://a.example/")
    assert sessions.begin(accounts.register(person).account) is None


def test_a_session_holds_neither_hash_nor_address_and_is_of_one_mount(
    sessions: Sessions, accounts: Accounts, ann: Account
) -> None:
    cookie = sessions.begin(ann)
    assert cookie is not None
    content = Seal(KEY).read(cookie)
    assert content[:2] == [ann.id, 1_800_000_000]
    assert len(content) == 3
    assert Sessions("gw", accounts, b"x" * 32, 2.0, Clock()).account(cookie) is None
    for forged in (None, "", "x", cookie[:-1], cookie[1:], cookie + "=", cookie.upper(), "é" + cookie):
        assert sessions.account(forged) is None


# -- seals -----------------------------------------------------------------------------------------------------------


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_what_was_sealed_is_read_back(value: object) -> None:
    text = Seal(KEY).write(value)
    assert Seal(KEY).read(text) == value
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert Seal(b"another key").read(text) is None


@given(st.text())
def test_nothing_else_is_read(text: str) -> None:
    assert Seal(KEY).read(text) is None


@given(st.data())
def test_one_changed_letter_breaks_the_seal(data: st.DataObject) -> None:
    text = Seal(KEY).write([1, "x" * 40])
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(max_codepoint=0x17F).filter(lambda one: one != text[place]))
    assert Seal(KEY).read(text[:place] + letter + text[place + 1 :]) is None


def test_a_digest_is_no_signature() -> None:
    seal = Seal(KEY)
    assert seal.digest("x") == seal.digest("x") != seal.digest("y") != Seal(b"another").digest("y")
    assert len(seal.digest("\ud800")) == 22


# -- what a browser carries ------------------------------------------------------------------------------------------


def test_a_state_comes_back_as_it_was_and_holds_fifty_slaves_in_little() -> None:
    seal = Seal(KEY)
    assert ChainState.opened(seal, STATE.sealed(seal)) == STATE
    assert "a.example" not in repr(STATE)
    bare = len(STATE.sealed(seal))
    tags = tuple(f"{number:08d}" for number in range(51))
    assert len(STATE.moved("x" * 8, tags, 1_800_000_000).sealed(seal)) - bare <= 600


def test_a_trail_forgets_after_ten_minutes_and_keeps_the_newest_sixteen() -> None:
    seal, trail = Seal(KEY), Trail()
    for number in range(20):
        trail = trail.sent_off(STATE.moved(f"{number:08d}", (), 1_800_000_000 + number))
    assert sorted(trail.lost) == [f"{number:08d}" for number in range(4, 20)]
    assert Trail.opened(seal, trail.sealed(seal), 1_800_000_019) == trail
    assert sorted(Trail.opened(seal, trail.sealed(seal), 1_800_000_618).lost) == ["00000018", "00000019"]
    assert Trail.opened(seal, "nonsense", 0) == Trail.opened(seal, None, 0) == Trail()


def test_of_many_who_take_a_step_at_once_one_gets_it(store: Store, clock: Clock) -> None:
    states = [ChainState("logout", "42", f"chain {number}", 1, "a", (), "", "", 0) for number in range(5)]
    with ThreadPoolExecutor(8) as pool:
        tries = [(state, pool.submit(Steps(store.storage(TABLES)).take, state, clock.now)) for state in states * 8]
    assert sorted(state.chain for state, taken in tries if taken.result()) == [state.chain for state in states]


def test_a_step_is_taken_once_and_none_before_it(store: Store, clock: Clock) -> None:
    steps, others = Steps(store.storage(TABLES)), Steps(store.storage(TABLES))
    first, second, third = STATE, STATE.moved("b", (), clock.now), STATE.moved("b", (), clock.now).moved("c", (), 0)
    assert steps.take(first, clock.now)
    assert not others.take(first, clock.now)
    assert steps.take(third, clock.now)
    assert not steps.take(second, clock.now)
    assert not others.take(third, clock.now)
    other = ChainState("logout", "42", "another", 1, "a", (), "", "", 0)
    assert steps.take(other, clock.now + 600)
    assert not steps.take(third, clock.now + 600), "as long as a state of it may still be fresh"
    assert steps.take(ChainState("logout", "42", "a third", 1, "a", (), "", "", 0), clock.now + 2000)
    with store.storage(TABLES).reading() as connection:
        left = connection.exec_driver_sql("SELECT chain FROM ips_connect_chains").scalars().all()
    assert list(left) == ["a third"]
