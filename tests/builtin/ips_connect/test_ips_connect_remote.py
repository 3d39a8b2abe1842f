"""The backend for accounts of another master: what it finds, whom it lets in, and what it learns."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from integration_server import (
    AccountState,
    BackendError,
    BackendMisconfigured,
    BackendUnavailable,
    ConfigError,
    Deadline,
    Entry,
    IncompleteListing,
    Lookup,
    User,
    Verdict,
)
from integration_server.builtin.ips_connect import RemoteBackend, passwords
from integration_server.builtin.ips_connect.account import NewPerson, State
from integration_server.builtin.ips_connect.remote_copy import Copy
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.testing.harness import list_users, open_backend, open_mapper
from integration_server.store import Store
from tests.builtin.ips_connect.masters import FakeMaster, Reply

Open = Callable[..., RemoteBackend]


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """bcrypt that takes a millisecond instead of half a second."""
    monkeypatch.setattr(passwords, "COST", 4)


@pytest.fixture
def master() -> Iterator[FakeMaster]:
    with FakeMaster() as master:
        yield master


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Store]:
    store = Store("", tmp_path)
    yield store
    store.close()


@pytest.fixture
def copy(own_store: Store) -> Copy:
    return Copy("test", own_store.storage(TABLES))


@pytest.fixture
def table(master: FakeMaster) -> dict[str, Any]:
    return {"type": "ips_connect_remote", "url": master.url, "master_key": master.key}


@pytest.fixture
def make(table: dict[str, Any], own_store: Store, tmp_path: Path) -> Iterator[Open]:
    """``make(is_complete=True)``: a backend with these keys beside the usual ones."""
    opened: list[RemoteBackend] = []

    def make(**more: Any) -> RemoteBackend:
        backend = open_backend(RemoteBackend, {**table, **more}, tmp_path, storage=own_store.storage)
        assert isinstance(backend, RemoteBackend)
        opened.append(backend)
        return backend

    yield make
    for backend in opened:
        backend.close()


@pytest.fixture
def backend(make: Open) -> RemoteBackend:
    return make()


@pytest.fixture
def mapper(table: dict[str, Any], tmp_path: Path) -> Mapper:
    return open_mapper(RemoteBackend, table, tmp_path)


def soon() -> Deadline:
    return Deadline(10)


def find(backend: RemoteBackend, value: str, attribute: str = "name", ignore_case: bool = True) -> Entry | None:
    return backend.find(Lookup(attribute, value, ignore_case), soon())


def found(backend: RemoteBackend, value: str, attribute: str = "name") -> Entry:
    entry = find(backend, value, attribute)
    assert entry is not None
    return entry


def log_in(backend: RemoteBackend, login: str, password: str, attribute: str = "name") -> Verdict:
    return backend.verify(found(backend, login, attribute), password, soon())


def reply(**values: object) -> Reply:
    return Reply(json.dumps(values).encode())


# -- finding ---------------------------------------------------------------------------------------------------------


def test_before_the_first_login_id_and_name_are_all_that_is_known(
    master: FakeMaster, backend: RemoteBackend, copy: Copy
) -> None:
    id = master.add("Ann", "ann@example.org", "secret")
    entry = found(backend, "ANN")
    known = {"id": id, "name": "ANN", "state": "active", "is_disabled": False}
    assert dict(entry.attributes) == {**known, "email": None, "full_name": None}
    assert copy.count() == 0
    assert log_in(backend, "ANN", "wrong") is Verdict.REJECTED
    assert copy.count() == 0


def test_login_fills_the_copy_and_the_next_entry_is_whole(
    master: FakeMaster, backend: RemoteBackend, copy: Copy, mapper: Mapper
) -> None:
    id = master.add("Ann", "Ann@Example.org", "secret")
    assert log_in(backend, "ann", "secret") is Verdict.ACCEPTED
    kept = copy.find(id)
    assert kept is not None
    person = master.people[id]
    assert (kept.name, kept.email) == ("Ann", "Ann@Example.org")
    assert (kept.pass_hash, kept.pass_salt) == (person.pass_hash, person.pass_salt)
    user = mapper.entry_page(found(backend, "ann")).user(0)
    assert (user.id, user.username, user.state) == (str(id), "Ann", AccountState.ACTIVE)
    assert [email.address for email in user.emails] == ["Ann@Example.org"]
    number = copy.last_change()
    assert log_in(backend, "Ann", "secret") is Verdict.ACCEPTED
    assert copy.last_change() == number


def test_people_are_found_by_address_where_the_mapping_says_so(master: FakeMaster, make: Open) -> None:
    backend = make(map={"username": {"from": "email", "ignore_case": True}})
    id = master.add("Ann", "ann@example.org", "secret")
    entry = found(backend, "ANN@example.org", "email")
    assert (entry.attributes["id"], entry.attributes["email"], entry.attributes["name"]) == (
        id,
        "ANN@example.org",
        None,
    )
    assert log_in(backend, "ann@example.org", "secret", "email") is Verdict.ACCEPTED
    assert found(backend, "ANN@example.org", "email").attributes["email"] == "ann@example.org"
    assert find(backend, "Ann", "email") is None


def test_address_of_somebody_whose_name_is_not_known_is_no_nobody(master: FakeMaster, backend: RemoteBackend) -> None:
    master.add("Ann", "ann@example.org", "secret")
    with pytest.raises(BackendMisconfigured, match="name"):
        find(backend, "ann@example.org", "email")
    assert log_in(backend, "Ann", "secret") is Verdict.ACCEPTED
    assert found(backend, "ann@example.org", "email").attributes["name"] == "Ann"
    assert find(backend, "nobody@example.org", "email") is None


def test_what_changed_at_the_master_without_a_push_is_learned_at_the_next_login(
    master: FakeMaster, backend: RemoteBackend, copy: Copy
) -> None:
    id = master.add("Ann", "ann@example.org", "secret")
    log_in(backend, "Ann", "secret")
    master.change("changeName", id, name="Anna")
    master.change("changeEmail", id, email="anna@example.org")
    salt = passwords.new_salt()
    master.change("changePassword", id, pass_hash=passwords.hashed("new", salt), pass_salt=salt)
    assert find(backend, "Ann") is None
    assert found(backend, "Anna").attributes["name"] == "Anna"
    assert log_in(backend, "Anna", "secret") is Verdict.REJECTED
    assert log_in(backend, "Anna", "new") is Verdict.ACCEPTED
    kept = copy.find(id)
    assert kept is not None
    assert (kept.name, kept.email, kept.pass_salt) == ("Anna", "anna@example.org", salt)


def test_whoever_has_a_name_now_takes_it_from_its_owner_of_old(
    master: FakeMaster, backend: RemoteBackend, copy: Copy
) -> None:
    ann = master.add("Ann", "ann@example.org", "secret")
    log_in(backend, "Ann", "secret")
    master.change("changeName", ann, name="Anna")
    other = master.add("Ann", "other@example.org", "secret")
    assert log_in(backend, "Ann", "secret") is Verdict.ACCEPTED
    assert copy.find(ann) is None
    kept = copy.find(other)
    assert kept is not None
    assert kept.name == "Ann"
    assert log_in(backend, "Anna", "secret") is Verdict.ACCEPTED
    assert copy.count() == 2


@pytest.mark.parametrize("typed", ["muller", "Müller ", "MÜLLER\u200b"])
def test_nobody_gets_in_under_another_name_than_their_own(
    master: FakeMaster, backend: RemoteBackend, typed: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Databases of real masters fold accents and pass over blanks; elsewhere that name may be somebody else's."""
    id = master.add("Müller", "m@example.org", "secret")
    answers = {"do": {"fetchId": {"connect_id": id}, "fetchSalt": {"pass_salt": master.people[id].pass_salt}}}
    told = {"connect_status": "SUCCESS", "connect_id": id, "name": "Müller", "email": "m@example.org"}
    answers["do"]["login"] = told
    master.lie = lambda values: reply(status="SUCCESS", **answers["do"][values["do"]])
    for _ in range(2):
        entry = find(backend, typed)
        if entry is not None:
            assert backend.verify(entry, "secret", soon()) is Verdict.REJECTED
            assert "another name" in caplog.text
    master.lie = lambda values: None
    assert log_in(backend, "müller", "secret") is Verdict.ACCEPTED


def test_case_counts_where_the_mapping_says_so(master: FakeMaster, backend: RemoteBackend) -> None:
    master.add("Ann", "ann@example.org", "secret")
    for _ in range(2):
        right, wrong = find(backend, "Ann", ignore_case=False), find(backend, "ANN", ignore_case=False)
        assert right is not None
        assert backend.verify(right, "secret", soon()) is Verdict.ACCEPTED
        assert wrong is None or backend.verify(wrong, "secret", soon()) is Verdict.REJECTED


@pytest.mark.parametrize("name", ["", " ", "Ann ", " Ann", "Ann\n", "Ann\0", "\ud800", "x" * 256, "ä" * 1_000_000])
def test_what_can_be_nobodys_name_is_not_asked_for(master: FakeMaster, backend: RemoteBackend, name: str) -> None:
    master.add("Ann", "ann@example.org")
    assert find(backend, name) is None
    assert master.asked == []


def test_accounts_are_found_by_nothing_else(backend: RemoteBackend) -> None:
    with pytest.raises(BackendMisconfigured, match="full_name"):
        find(backend, "Ann", "full_name")


def test_id_is_looked_for_in_the_copy_alone(master: FakeMaster, backend: RemoteBackend, copy: Copy) -> None:
    id = master.add("Ann", "ann@example.org", "secret")
    with pytest.raises(BackendMisconfigured, match="import"):
        find(backend, str(id), "id")
    log_in(backend, "Ann", "secret")
    asked = len(master.asked)
    entry = found(backend, str(id), "id")
    assert entry.attributes["name"] == "Ann"
    assert len(master.asked) == asked
    for password, verdict in (("secret", Verdict.ACCEPTED), ("wrong", Verdict.REJECTED)):
        assert backend.verify(entry, password, soon()) is verdict
    for value in ("", "0", f"0{id}", f" {id}", f"{id}.0", "x", "9" * 30):
        assert find(backend, value, "id") is None


def test_account_found_by_id_is_asked_for_by_what_still_is_its_own(master: FakeMaster, backend: RemoteBackend) -> None:
    id = master.add("Ann", "ann@example.org", "secret")
    log_in(backend, "Ann", "secret")
    entry = found(backend, str(id), "id")
    master.change("changeEmail", id, email="anna@example.org")
    master.add("Another", "ann@example.org", "another")
    assert backend.verify(entry, "secret", soon()) is Verdict.ACCEPTED
    master.change("changeName", id, name="Anna")
    assert backend.verify(found(backend, str(id), "id"), "secret", soon()) is Verdict.ACCEPTED
    master.change("changeEmail", id, email="third@example.org")
    master.change("changeName", id, name="Anja")
    with pytest.raises(BackendMisconfigured, match="neither"):
        backend.verify(found(backend, str(id), "id"), "secret", soon())


# -- verdicts --------------------------------------------------------------------------------------------------------


def test_hashes_of_version_3_log_in(master: FakeMaster, backend: RemoteBackend) -> None:
    master.add("Old", "old@example.org", 'p<a>"ss&1!', salt="ab&de")
    assert log_in(backend, "Old", 'p<a>"ss&1!') is Verdict.ACCEPTED
    assert log_in(backend, "Old", "p<a>ss&1!") is Verdict.REJECTED


@pytest.mark.parametrize("salt", [None, "", "leEvXu77OIwPwNvtZIJva!", "*0" * 11])
def test_account_without_a_usable_salt_lets_nobody_in(
    master: FakeMaster, backend: RemoteBackend, salt: str | None
) -> None:
    id = master.add("Ann", "ann@example.org", "secret")
    master.people[id].pass_salt = salt
    for stored in (None, "", "*0", "*1"):
        master.people[id].pass_hash = stored
        for password in ("secret", "*0", "*1", "\ud800", "x" * 100_000):
            assert log_in(backend, "Ann", password) is Verdict.REJECTED
    assert master.calls("login") == []


def test_who_has_yet_to_confirm_the_address_is_disabled_until_they_do(
    master: FakeMaster, backend: RemoteBackend, copy: Copy
) -> None:
    id = master.add("Ann", "ann@example.org", "secret", revalidate_url="https://a.example/confirm")
    assert log_in(backend, "Ann", "wrong") is Verdict.REJECTED
    assert log_in(backend, "Ann", "secret") is Verdict.DISABLED
    kept = copy.find(id)
    assert kept is not None
    assert (kept.state, kept.revalidate_url) == (State.VALIDATING, "https://a.example/confirm")
    master.change("validate", id)
    # Nobody told us, so it is the login that counts.
    assert found(backend, "Ann").attributes["is_disabled"] is False
    assert log_in(backend, "Ann", "secret") is Verdict.ACCEPTED
    assert copy.find(id).state is State.ACTIVE  # type: ignore[union-attr]


def test_validating_without_an_address_is_validating(master: FakeMaster, backend: RemoteBackend, copy: Copy) -> None:
    id = master.add("Ann", "ann@example.org", "secret")
    told = {"connect_status": "VALIDATING", "connect_id": id, "name": "Ann", "email": "ann@example.org"}
    master.lie = lambda values: reply(status="SUCCESS", **told) if values["do"] == "login" else None
    assert log_in(backend, "Ann", "secret") is Verdict.DISABLED
    assert copy.find(id).state is State.VALIDATING  # type: ignore[union-attr]


def test_who_is_banned_here_is_disabled_whatever_the_master_says(
    master: FakeMaster, backend: RemoteBackend, copy: Copy
) -> None:
    """Masters leave bans to their slaves, and push each only once: perhaps before anybody here knows the account."""
    ann, bob = (master.add(name, f"{name}@example.org", "secret") for name in ("Ann", "Bob"))
    log_in(backend, "Ann", "secret")
    copy.set_ban(ann, True)
    copy.set_ban(bob, True)
    for name in ("Ann", "Bob"):
        assert found(backend, name).attributes["is_disabled"] is True
        assert log_in(backend, name, "wrong") is Verdict.REJECTED
        assert log_in(backend, name, "secret") is Verdict.DISABLED
        assert found(backend, name).attributes["is_disabled"] is True
    assert copy.find(bob).state is State.BANNED  # type: ignore[union-attr]
    copy.set_ban(ann, False)
    assert log_in(backend, "Ann", "secret") is Verdict.ACCEPTED


def test_account_that_is_gone_between_two_calls_is_rejected(master: FakeMaster, backend: RemoteBackend) -> None:
    id = master.add("Ann", "ann@example.org", "secret")
    entry = found(backend, "Ann")
    master.change("delete", id)
    assert backend.verify(entry, "secret", soon()) is Verdict.REJECTED
    assert find(backend, "Ann") is None


def test_name_that_is_another_account_by_now_lets_nobody_in(master: FakeMaster, backend: RemoteBackend) -> None:
    id = master.add("Ann", "ann@example.org", "secret")
    entry = found(backend, "Ann")
    master.change("delete", id)
    master.add("Ann", "another@example.org", "another")
    assert backend.verify(entry, "another", soon()) is Verdict.REJECTED


def test_push_that_came_during_a_login_is_not_undone_by_it(
    master: FakeMaster, backend: RemoteBackend, copy: Copy
) -> None:
    id = master.add("Ann", "ann@example.org", "secret")
    log_in(backend, "Ann", "secret")
    copy.change_email(id, "old@example.org")
    entry = found(backend, "Ann")
    copy.change_email(id, "new@example.org")
    assert backend.verify(entry, "secret", soon()) is Verdict.ACCEPTED
    assert copy.find(id).email == "new@example.org"  # type: ignore[union-attr]


def test_name_that_cannot_be_kept_is_no_reason_to_refuse(
    master: FakeMaster, backend: RemoteBackend, copy: Copy, caplog: pytest.LogCaptureFixture
) -> None:
    master.add("Ann", "ann@example.org", "secret")
    told = {"connect_status": "SUCCESS", "connect_id": 42, "name": "Ann"}
    for email in ("", "x" * 321, "a\0b", "\ud800"):
        lie = reply(status="SUCCESS", email=email, **told)
        master.lie = lambda values, lie=lie: lie if values["do"] == "login" else None  # type: ignore[misc]
        assert log_in(backend, "Ann", "secret") is Verdict.ACCEPTED
    assert copy.count() == 0
    assert "cannot be kept" in caplog.text


@pytest.mark.parametrize("unknown", [set[str](), {"fetchId"}])
def test_neither_calls_nor_hashing_tell_who_is_there(
    master: FakeMaster,
    backend: RemoteBackend,
    copy: Copy,
    unknown: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    people = {"new": None, "old": "abcde", "none": ""}
    for name, salt in people.items():
        id = master.add(name, f"{name}@example.org", None if salt == "" else "secret", salt=salt)
        copy.adopt(id, NewPerson(name, f"{name}@example.org", *passwords.unusable()))
    master.unknown = unknown
    hashed: list[bytes] = []
    compute = passwords.bcrypt.hashpw

    def counted(secret: bytes, setting: bytes) -> bytes:
        hashed.append(setting[:7])
        return compute(secret, setting)

    monkeypatch.setattr(passwords.bcrypt, "hashpw", counted)
    costs = set()
    for name in (*people, "nobody"):
        for password in ("secret", "wrong"):
            before = len(hashed), len(master.asked)
            entry = find(backend, name)
            if entry is None:
                backend.verify_nobody(password, soon())
            else:
                backend.verify(entry, password, soon())
            costs.add((len(hashed) - before[0], len(master.asked) - before[1]))
    assert costs == {(1, 4 if unknown else 3)}


# -- masters that do not know fetchId --------------------------------------------------------------------------------


def test_without_fetch_id_the_copy_knows_the_id(master: FakeMaster, backend: RemoteBackend, copy: Copy) -> None:
    master.unknown = {"fetchId"}
    id = master.add("Ann", "ann@example.org", "secret")
    assert find(backend, "nobody") is None
    with pytest.raises(BackendMisconfigured, match="fetchId"):
        find(backend, "Ann")
    copy.adopt(id, NewPerson("Ann", "ann@example.org", "hash", "salt"))
    assert found(backend, "ann").attributes["id"] == id
    assert log_in(backend, "ann", "secret") is Verdict.ACCEPTED
    assert backend.verify(found(backend, str(id), "id"), "secret", soon()) is Verdict.ACCEPTED
    assert copy.find(id).pass_hash == master.people[id].pass_hash  # type: ignore[union-attr]


def test_without_fetch_id_the_copy_may_be_wrong_about_an_id_once(
    master: FakeMaster, backend: RemoteBackend, copy: Copy
) -> None:
    master.unknown = {"fetchId"}
    old = master.add("Ann", "old@example.org", "secret")
    copy.adopt(old, NewPerson("Ann", "old@example.org", "hash", "salt"))
    by_id = found(backend, str(old), "id")
    master.change("changeName", old, name="Anna")
    new = master.add("Ann", "new@example.org", "another")
    master.change("changeEmail", old, email="older@example.org")
    assert log_in(backend, "Ann", "secret") is Verdict.REJECTED
    with pytest.raises(BackendUnavailable, match=f"{new}.* for {old}"):
        log_in(backend, "Ann", "another")
    assert found(backend, "Ann").attributes["id"] == new
    assert log_in(backend, "Ann", "another") is Verdict.ACCEPTED
    assert log_in(backend, "Ann", "wrong") is Verdict.REJECTED
    with pytest.raises(BackendUnavailable):
        backend.verify(by_id, "another", soon())


def test_without_fetch_id_another_attribute_may_be_the_id(master: FakeMaster, make: Open, copy: Copy) -> None:
    backend = make(map={"id": "name"})
    master.unknown = {"fetchId"}
    id = master.add("Ann", "ann@example.org", "secret")
    copy.set_ban(master.add("Bob", "bob@example.org", "secret"), True)
    assert found(backend, "Ann").attributes["id"] is None
    assert log_in(backend, "Ann", "secret") is Verdict.ACCEPTED
    assert copy.find(id).name == "Ann"  # type: ignore[union-attr]
    assert log_in(backend, "Bob", "secret") is Verdict.DISABLED


# -- outages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["BAD_KEY", "INVALID_ACTION", "DISABLED", "FAILURE", "REQUEST_MISSING_DATA"])
@pytest.mark.parametrize("method", ["fetchId", "fetchSalt", "login"])
def test_refusal_of_a_call_is_no_verdict(
    master: FakeMaster, backend: RemoteBackend, copy: Copy, status: str, method: str
) -> None:
    id = master.add("Ann", "ann@example.org", "secret")
    copy.adopt(id, NewPerson("Ann", "ann@example.org", "hash", "salt"))
    master.lie = lambda values: reply(status=status) if values["do"] == method else None
    if (method, status) == ("fetchId", "INVALID_ACTION"):
        assert log_in(backend, "Ann", "secret") is Verdict.ACCEPTED
        return
    with pytest.raises(BackendError):
        log_in(backend, "Ann", "secret")


def test_key_that_is_refused_is_told_as_what_it_is(master: FakeMaster, make: Open) -> None:
    backend = make(master_key="another key")
    for call in (lambda: find(backend, "Ann"), lambda: list(backend.check(soon()))):
        with pytest.raises(BackendMisconfigured, match="master_key") as caught:
            call()
        assert "another key" not in str(caught.value)


def test_store_that_is_down_is_an_outage(master: FakeMaster, table: dict[str, Any], tmp_path: Path) -> None:
    backend = open_backend(RemoteBackend, {**table, "is_complete": True}, tmp_path)
    assert isinstance(backend, RemoteBackend)
    master.add("Ann", "ann@example.org", "secret")
    for call in (
        lambda: find(backend, "Ann"),
        lambda: find(backend, "42", "id"),
        lambda: list(backend.users(soon())),
        lambda: list(backend.check(soon())),
        lambda: backend.feed_position(soon()),
    ):
        with pytest.raises(BackendUnavailable):
            call()
    backend.close()


# -- everybody -------------------------------------------------------------------------------------------------------


def users(backend: RemoteBackend, mapper: Mapper) -> dict[str, User]:
    return {user.username: user for user in list_users(backend, mapper, soon())}


def test_master_cannot_be_asked_for_everybody(master: FakeMaster, backend: RemoteBackend) -> None:
    master.add("Ann", "ann@example.org", "secret")
    log_in(backend, "Ann", "secret")
    with pytest.raises(IncompleteListing, match="is_complete"):
        list(backend.users(soon()))
    assert backend.feed() is None


def test_complete_copy_is_listed(master: FakeMaster, make: Open, copy: Copy, mapper: Mapper) -> None:
    backend = make(is_complete=True)
    copy.adopt(57, NewPerson("Ann", "ann@example.org", "hash", "salt"))
    copy.adopt(58, NewPerson("Bob", "bob@example.org", "hash", "salt", full_name="Bob Example"), is_banned=True)
    listed = users(backend, mapper)
    assert {name: (user.id, user.full_name, user.state) for name, user in listed.items()} == {
        "Ann": ("57", "Ann", AccountState.ACTIVE),
        "Bob": ("58", "Bob Example", AccountState.DISABLED),
    }
    assert backend.feed() is not None
    assert find(backend, "99", "id") is None


def test_copy_that_is_found_incomplete_is_not_listed_until_it_is_whole(
    master: FakeMaster, make: Open, copy: Copy, mapper: Mapper
) -> None:
    backend = make(is_complete=True)
    ann = master.add("Ann", "ann@example.org", "secret")
    assert users(backend, mapper) == {}
    assert log_in(backend, "Ann", "wrong") is Verdict.REJECTED
    with pytest.raises(IncompleteListing, match=f"1 accounts.* {ann}"):
        users(backend, mapper)
    with pytest.raises(BackendMisconfigured, match="import"):
        find(backend, str(ann), "id")
    assert any(finding.level == "error" for finding in backend.check(soon()))
    assert log_in(backend, "Ann", "secret") is Verdict.ACCEPTED
    assert list(users(backend, mapper)) == ["Ann"]
    copy.set_ban(99, True)
    with pytest.raises(IncompleteListing, match="99"):
        users(backend, mapper)
    copy.delete(99)
    assert list(users(backend, mapper)) == ["Ann"]


def test_list_needs_the_master(master: FakeMaster, make: Open, copy: Copy) -> None:
    """A server that has lost its master hears of no changes, and would list those who are gone."""
    backend = make(is_complete=True)
    copy.adopt(57, NewPerson("Ann", "ann@example.org", "hash", "salt"))
    master.lie = lambda values: reply(status="BAD_KEY")
    with pytest.raises(BackendMisconfigured):
        list(backend.users(soon()))


# -- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "about"),
    [
        ({"url": "http://master.example/gw"}, "allow_plain_http"),
        ({"url": "http://192.0.2.1/gw"}, "allow_plain_http"),
        ({"sync": {}}, "is_complete"),
    ],
)
def test_settings_that_cannot_work_are_told(make: Open, more: dict[str, Any], about: str) -> None:
    with pytest.raises(ConfigError, match=about):
        make(**more)


@pytest.mark.parametrize(
    "more",
    [
        {"url": "master.example/gw"},
        {"url": "https://user:secret@master.example/"},
        {"slave_url": "/slave"},
        {"slave_key": "x" * 15},
        {"slave_key": "x" * 33},
        {"slave_key": ""},
        {"master_key": ""},
    ],
)
def test_values_that_are_none_are_refused(make: Open, more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        make(**more)
    assert "secret@" not in str(caught.value)
    assert "x" * 15 not in str(caught.value)


@pytest.mark.parametrize(
    "more",
    [
        {"url": "http://localhost:1/gw"},
        {"url": "http://[::1]:1/gw"},
        {"url": "https://master.example/gw?app=core"},
        {"url": "http://master.example/gw", "allow_plain_http": True},
        {"sync": {}, "is_complete": True},
        {"slave_key": "x" * 16},
        {"slave_key": "x" * 32, "slave_url": "https://our.example/slave"},
    ],
)
def test_settings_that_can_work_are_taken(make: Open, more: dict[str, Any]) -> None:
    make(**more)


def test_no_key_is_shown(make: Open, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    backend = make(master_key="k" * 20, slave_key="s" * 20)
    with pytest.raises(BackendError):
        find(backend, "Ann")
    shown = f"{backend!r} {vars(backend)} {caplog.text}"
    assert "k" * 20 not in shown
    assert "s" * 20 not in shown
