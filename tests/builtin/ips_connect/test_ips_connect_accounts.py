"""The accounts of an IPS Connect network: every change once, whoever asks how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_server import normalize_name
from integration_server.builtin.ips_connect.account import Account, NewPerson, Outcome, State
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.methods import IdType
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.sdk.testing.harness import in_threads
from integration_server.store import Store


def person(name: str, email: str | None = None, **more: str) -> NewPerson:
    return NewPerson(name, email or f"{name}@example.org", "stored-hash", "stored-salt", **more)


def made(accounts: Accounts, name: str, email: str | None = None, **more: str) -> Account:
    registration = accounts.register(person(name, email, **more))
    assert registration.outcome is Outcome.DONE
    return registration.account


def everybody(accounts: Accounts) -> dict[int, Account]:
    return {account.id: account for batch in accounts.everybody(3) for account in batch}


# -- who is there ----------------------------------------------------------------------------------------------------


def test_account_is_found_by_id_name_and_address_in_any_case(accounts: Accounts) -> None:
    ann = made(accounts, "Ann Straße", "Ann.Müller@Example.org")
    assert accounts.find(ann.id) == ann
    for name in ("Ann Straße", "ANN STRASSE", "ann straße"):
        assert accounts.find_by_name(name) == ann
        assert accounts.check_name(f" {name} ")
    for email in ("Ann.Müller@Example.org", "ANN.MU\u0308LLER@EXAMPLE.ORG"):
        assert accounts.find_by_email(email) == ann
        assert accounts.check_email(f" {email} ")
    assert accounts.count() == 1


@pytest.mark.parametrize("text", ["", " ", "Ann ", "%", "Ann\0", "\ud800", "x" * 1_000_000, "'; DROP TABLE x; --"])
def test_nobody_is_found_by_anything_else(accounts: Accounts, text: str) -> None:
    made(accounts, "Ann", "ann@x")
    assert accounts.find_by_name(text) is None
    assert accounts.find_by_email(text) is None
    assert not any(accounts.find_login(text, id_type) for id_type in IdType)
    assert not any(map(accounts.find, (-1, 0, 2**63, 10**30)))


def test_login_by_either_means_the_owner_of_the_address(accounts: Accounts) -> None:
    ann, bob = made(accounts, "Ann", "ann@x"), made(accounts, "ann@x", "bob@x")
    assert accounts.find_login("ANN@X", IdType.EITHER) == ann
    assert accounts.find_login("ann@x", IdType.NAME) == bob
    assert accounts.find_login("ann", IdType.EITHER) == ann
    assert accounts.find_login("Ann", IdType.EMAIL) is None


def test_accounts_of_another_backend_are_not_seen(accounts: Accounts, store: Store) -> None:
    ann = made(accounts, "Ann")
    other = Accounts("elsewhere", store.storage(TABLES))
    assert other.find(ann.id) is None
    assert everybody(other) == {}
    assert other.delete(ann.id) is Outcome.NOT_FOUND
    assert other.last_change() == 0
    assert accounts.find(ann.id) == ann


def test_neither_hash_nor_salt_is_shown(accounts: Accounts) -> None:
    registration = accounts.register(person("Ann"))
    shown = repr((registration, person("Ann"), accounts.changes(0, 9)))
    assert "Ann" in shown
    assert "stored-" not in shown


def test_everybody_is_as_at_one_moment(open_accounts: Callable[[], Accounts]) -> None:
    accounts = open_accounts()
    people = [made(accounts, f"p{number}") for number in range(10)]
    batches = accounts.everybody(2)
    found = next(batches)
    assert len(found) == 2
    accounts.change_name(people[0].id, "given up")
    accounts.change_name(people[9].id, "p0")
    accounts.delete(people[8].id)
    made(accounts, "new")
    for batch in batches:
        found += batch
    assert found == people


# -- registering -----------------------------------------------------------------------------------------------------


def test_registered_account_has_all_that_was_given(open_accounts: Callable[[], Accounts]) -> None:
    accounts = open_accounts()
    ann = made(accounts, " Ann ", " ann@x ", revalidate_url="https://a.example/", full_name="Ann Example")
    assert (ann.name, ann.email, ann.pass_hash, ann.pass_salt) == ("Ann", "ann@x", "stored-hash", "stored-salt")
    assert (ann.full_name, ann.revalidate_url, ann.is_banned) == ("Ann Example", "https://a.example/", False)
    assert open_accounts().find(ann.id) == ann


def test_taken_address_is_looked_at_before_a_taken_name(accounts: Accounts) -> None:
    ann, bob = made(accounts, "Ann", "ann@x"), made(accounts, "Bob", "bob@x")
    before = everybody(accounts), accounts.last_change()
    for name, email, owner, outcome in (
        ("Ann", "ann@x", ann, Outcome.EMAIL_IN_USE),
        ("BOB", "ANN@X", ann, Outcome.EMAIL_IN_USE),
        ("bob", "new@x", bob, Outcome.USERNAME_IN_USE),
    ):
        found = accounts.register(person(name, email))
        assert (found.account, found.outcome) == (owner, outcome)
    assert (everybody(accounts), accounts.last_change()) == before


def test_ids_are_never_given_again(open_accounts: Callable[[], Accounts]) -> None:
    given = []
    for number in range(4):
        accounts = open_accounts()
        given.append(made(accounts, f"p{number}").id)
        assert accounts.delete(given[-1]) is Outcome.DONE
    assert given == sorted(set(given))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", value) for value in ("", " ", "a\0", "\ud800", "x" * 256)),
        *(("email", value) for value in ("", "\t", "a\0@x", "x" * 321)),
        *(("pass_hash", value) for value in ("", "x" * 256)),
        *(("pass_salt", value) for value in ("", "\udcff")),
        ("revalidate_url", "x" * 2049),
        ("full_name", "a\0"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_named(accounts: Accounts, field: str, value: str) -> None:
    unfit = replace(person("Ann"), **{field: value})
    for register in (accounts.register, accounts.register_namesake):
        with pytest.raises(ValueError, match=field):
            register(unfit)
    assert everybody(accounts) == {}


def test_names_and_addresses_of_full_length_are_kept(accounts: Accounts) -> None:
    # Letters that take the most room when they are folded.
    ann = made(accounts, "\u1f82" * 255, "\U0001f600" * 320)
    assert accounts.find_by_name(ann.name) == accounts.find_by_email(ann.email) == ann


def test_namesakes_get_numbers(accounts: Accounts) -> None:
    names = [accounts.register_namesake(person("Ann", f"{number}@x")).account.name for number in range(24)]
    assert names[:3] == ["Ann", "Ann 2", "Ann 3"]
    assert len(set(names)) == 24
    long = [accounts.register_namesake(person("x" * 255, f"long{number}@x")).account.name for number in range(2)]
    assert long == ["x" * 255, "x" * 253 + " 2"]
    again = accounts.register_namesake(person("Other", "0@X"))
    assert (again.account.name, again.outcome) == ("Ann", Outcome.EMAIL_IN_USE)


# -- changing --------------------------------------------------------------------------------------------------------

CHANGES: list[tuple[Callable[[Accounts, int], Outcome], dict[str, object]]] = [
    (lambda accounts, id: accounts.validate(id), {"revalidate_url": ""}),
    (lambda accounts, id: accounts.set_ban(id, True), {"is_banned": True}),
    (lambda accounts, id: accounts.change_email(id, " new@x "), {"email": "new@x"}),
    (lambda accounts, id: accounts.change_email(id, "ANN@X"), {"email": "ANN@X"}),
    (lambda accounts, id: accounts.change_name(id, " Anna "), {"name": "Anna"}),
    (lambda accounts, id: accounts.change_name(id, "ANN"), {"name": "ANN"}),
    (lambda accounts, id: accounts.change_password(id, "h", " s "), {"pass_hash": "h", "pass_salt": " s "}),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_change_is_made_once_and_noted(
    accounts: Accounts, change: Callable[[Accounts, int], Outcome], expected: dict[str, object]
) -> None:
    bob = made(accounts, "Bob", "bob@x")
    ann = made(accounts, "Ann", "ann@x", revalidate_url="https://a.example/")
    before = accounts.last_change()
    assert change(accounts, ann.id) is Outcome.DONE
    assert change(accounts, ann.id) is Outcome.UNCHANGED
    changed = accounts.find(ann.id)
    assert changed is not None
    assert changed == replace(ann, **expected, changed_at=changed.changed_at)  # type: ignore[arg-type]
    assert changed.changed_at >= ann.changed_at
    assert accounts.find(bob.id) == bob
    assert [(c.id, c.account) for c in accounts.changes(before, 9)] == [(ann.id, changed)]
    assert accounts.last_change() == before + 1
    assert accounts.find_by_email(changed.email) == accounts.find_by_name(changed.name) == changed


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_nobody_is_changed_by_an_unknown_id(
    accounts: Accounts, change: Callable[[Accounts, int], Outcome], expected: dict[str, object]
) -> None:
    for id in (1, 0, -1, 2**63, 10**30):
        assert change(accounts, id) is Outcome.NOT_FOUND
        assert accounts.delete(id) is Outcome.NOT_FOUND
    assert accounts.changes(0, 9) == []


def test_what_somebody_else_has_is_refused_whatever_the_id(accounts: Accounts) -> None:
    ann, bob = made(accounts, "Ann", "ann@x"), made(accounts, "Bob", "bob@x")
    for id in (bob.id, 99, 2**70):
        assert accounts.change_email(id, "ANN@x") is Outcome.EMAIL_IN_USE
        assert accounts.change_name(id, "ann") is Outcome.USERNAME_IN_USE
    assert everybody(accounts) == {ann.id: ann, bob.id: bob}


def test_what_was_given_up_is_free_for_the_next(accounts: Accounts) -> None:
    ann, bob = made(accounts, "Ann", "ann@x"), made(accounts, "Bob", "bob@x")
    accounts.change_email(ann.id, "else@x")
    accounts.change_name(ann.id, "Else")
    assert accounts.change_email(bob.id, "ann@x") is Outcome.DONE
    assert accounts.change_name(bob.id, "Ann") is Outcome.DONE
    accounts.delete(bob.id)
    assert accounts.register(person("Ann", "ann@x")).outcome is Outcome.DONE


def test_ban_hides_that_an_address_is_not_confirmed_and_ends(accounts: Accounts) -> None:
    states = []
    ann = made(accounts, "Ann", revalidate_url="https://a.example/")
    for change in (
        lambda: accounts.set_ban(ann.id, True),
        lambda: accounts.set_ban(ann.id, False),
        lambda: accounts.validate(ann.id),
    ):
        change()
        found = accounts.find(ann.id)
        assert found is not None
        states.append(found.state)
    assert [ann.state, *states] == [State.VALIDATING, State.BANNED, State.VALIDATING, State.ACTIVE]


def test_merged_account_is_gone_and_the_other_stays(accounts: Accounts) -> None:
    ann, bob = made(accounts, "Ann"), made(accounts, "Bob")
    before = accounts.last_change()
    for kept, removed in ((ann.id, 99), (99, bob.id), (99, 98), (0, bob.id), (ann.id, 2**70)):
        assert accounts.merge(kept, removed) is Outcome.NOT_FOUND
    assert accounts.merge(ann.id, ann.id) is Outcome.UNCHANGED
    assert accounts.last_change() == before
    assert accounts.merge(ann.id, bob.id) is Outcome.DONE
    assert accounts.merge(ann.id, bob.id) is Outcome.NOT_FOUND
    assert everybody(accounts) == {ann.id: ann}
    assert [(c.id, c.account) for c in accounts.changes(before, 9)] == [(bob.id, None)]


def test_each_account_has_its_last_change_alone(accounts: Accounts) -> None:
    ann, bob = made(accounts, "Ann"), made(accounts, "Bob")
    accounts.set_ban(ann.id, True)
    accounts.delete(bob.id)
    found = accounts.changes(0, 9)
    assert [(c.number, c.id, c.account is None) for c in found] == [(3, ann.id, False), (4, bob.id, True)]
    assert accounts.changes(0, 1) == found[:1]
    assert accounts.changes(3, 9) == found[1:]
    assert accounts.changes(4, 9) == []


# -- many at once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "email", "refusal"),
    [("Ann", "{}@x", Outcome.USERNAME_IN_USE), ("Ann {}", "ann@x", Outcome.EMAIL_IN_USE)],
)
def test_of_many_who_register_the_same_one_wins(
    open_accounts: Callable[[], Accounts], name: str, email: str, refusal: Outcome
) -> None:
    for turn in range(3):
        found = []

        def work(number: int, turn: int = turn, found: list[tuple[Outcome, int]] = found) -> None:
            one = open_accounts().register(person(f"{turn}{name.format(number)}", f"{turn}{email.format(number)}"))
            found.append((one.outcome, one.account.id))

        in_threads(work)
        assert sorted(outcome.name for outcome, _ in found) == sorted([Outcome.DONE.name, *[refusal.name] * 7])
        assert len({id for _, id in found}) == 1, "those who came late are told of the winner"


def test_of_many_who_want_a_freed_name_one_gets_it(open_accounts: Callable[[], Accounts]) -> None:
    ids = [made(open_accounts(), f"p{number}").id for number in range(8)]
    found: list[Outcome] = []
    in_threads(lambda number: found.append(open_accounts().change_name(ids[number], "Ann")))
    assert sorted(outcome.name for outcome in found) == ["DONE", *["USERNAME_IN_USE"] * 7]


def test_follower_of_changes_misses_nothing_while_many_write(open_accounts: Callable[[], Accounts]) -> None:
    seen: list[int] = []
    known: dict[int, Account] = {}

    def follow() -> None:
        for change in open_accounts().changes(seen[-1] if seen else 0, 7):
            seen.append(change.number)
            known.pop(change.id, None)
            if change.account is not None:
                known[change.id] = change.account

    def work(number: int) -> None:
        accounts = open_accounts()
        for turn in range(6):
            if number == 0:
                follow()
                continue
            account = made(accounts, f"{number} {turn}")
            accounts.set_ban(account.id, turn % 2 == 0)
            if turn % 3 == 0:
                accounts.delete(account.id)

    in_threads(work)
    while seen[-1:] != [open_accounts().last_change()]:
        follow()
    assert known == everybody(open_accounts())
    assert seen == sorted(set(seen))


# -- all together ----------------------------------------------------------------------------------------------------

_WHO = st.sampled_from(["Ann", "ANN", "Bob", "straße", "STRASSE", "cid"])
_ID = st.integers(0, 5)
_STEPS = st.one_of(
    st.tuples(st.just("register"), _WHO, _WHO),
    st.tuples(st.just("change_name"), _ID, _WHO),
    st.tuples(st.just("change_email"), _ID, _WHO),
    st.tuples(st.just("set_ban"), _ID, st.booleans()),
    st.tuples(st.just("delete"), _ID),
    st.tuples(st.just("merge"), _ID, _ID),
)


@given(steps=st.lists(_STEPS, max_size=15), looked=st.lists(st.booleans(), min_size=15, max_size=15))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_accounts_do_as_a_simple_model_does(
    accounts: Accounts, steps: list[tuple[object, ...]], looked: list[bool]
) -> None:
    start = accounts.last_change()
    for account in everybody(accounts):
        accounts.delete(account)
    base = made(accounts, "base").id
    accounts.delete(base)
    model: dict[int, list[object]] = {}
    known: dict[int, Account] = {}
    last, position = base, start

    def taken(place: int, text: object, but: int = 0) -> list[int]:
        wanted = normalize_name(str(text))
        return [id for id, row in model.items() if normalize_name(str(row[place])) == wanted and id != but]

    for step, is_looked in zip(steps, looked, strict=False):
        match step:
            case ("register", name, email):
                outcome = accounts.register(person(str(name), str(email))).outcome
                expected = (
                    Outcome.EMAIL_IN_USE if taken(1, email) else Outcome.USERNAME_IN_USE if taken(0, name) else None
                )
                if expected is None:
                    last += 1
                    model[last] = [name, email, False]
                assert outcome is (expected or Outcome.DONE)
            case ("change_name" | "change_email" | "set_ban" as what, int(offset), value):
                id, place = base + offset, ["change_name", "change_email", "set_ban"].index(str(what))
                outcome = getattr(accounts, str(what))(id, value)
                if place < 2 and taken(place, value, id):
                    assert outcome is (Outcome.USERNAME_IN_USE, Outcome.EMAIL_IN_USE)[place]
                elif id not in model:
                    assert outcome is Outcome.NOT_FOUND
                else:
                    assert outcome is (Outcome.UNCHANGED if model[id][place] == value else Outcome.DONE)
                    model[id][place] = value
            case ("delete", int(offset)):
                is_there = model.pop(base + offset, None) is not None
                assert accounts.delete(base + offset) is (Outcome.DONE if is_there else Outcome.NOT_FOUND)
            case ("merge", int(kept), int(removed)):
                outcome = accounts.merge(base + kept, base + removed)
                if {base + kept, base + removed} <= model.keys():
                    assert outcome is (Outcome.UNCHANGED if kept == removed else Outcome.DONE)
                    if kept != removed:
                        del model[base + removed]
                else:
                    assert outcome is Outcome.NOT_FOUND
        if is_looked:
            for change in accounts.changes(position, 100):
                position = change.number
                known.pop(change.id, None)
                if change.account is not None:
                    known[change.id] = change.account
    for change in accounts.changes(position, 100):
        known.pop(change.id, None)
        if change.account is not None:
            known[change.id] = change.account
    found = everybody(accounts)
    assert {id: [one.name, one.email, one.is_banned] for id, one in found.items()} == model
    assert known == found
