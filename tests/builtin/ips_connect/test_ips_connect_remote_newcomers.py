"""People who are made at another master: once each, whoever else makes people there, and whatever gets lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_server import (
    BackendError,
    BackendMisconfigured,
    BackendUnavailable,
    Deadline,
    HttpClient,
    NewAccount,
    UnwritableValue,
    Watchdog,
)
from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.remote_client import MasterClient
from integration_server.builtin.ips_connect.remote_copy import Copy
from integration_server.builtin.ips_connect.remote_newcomers import Newcomers
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.sdk.testing.harness import in_threads
from integration_server.store import Store
from tests.builtin.ips_connect.masters import FakeMaster, Reply

OUR_URL = "https://our.example/slave"
ANN = NewAccount("ann@example.org", "Ann Example")


@pytest.fixture
def master() -> Iterator[FakeMaster]:
    with FakeMaster() as master:
        yield master


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    store = Store("", tmp_path)
    yield Copy("test", store.storage(TABLES))
    store.close()


@pytest.fixture
def newcomers(master: FakeMaster, copy: Copy) -> Iterator[Newcomers]:
    http = HttpClient(("127.0.0.0/8",), Watchdog())
    yield Newcomers(MasterClient(master.url, master.key, http), copy, lambda: "the secret key", OUR_URL)
    http.close()


def soon() -> Deadline:
    return Deadline(10)


def success(**values: Any) -> Reply:
    return Reply(json.dumps({"status": "SUCCESS", **values}).encode())


def test_newcomer_is_there_and_here_without_a_password(master: FakeMaster, newcomers: Newcomers, copy: Copy) -> None:
    id = newcomers.register(ANN, soon())
    person, kept = master.people[id], copy.find(id)
    assert kept is not None
    assert (person.name, person.email) == (kept.name, kept.email) == ("Ann Example", "ann@example.org")
    assert (person.pass_hash, person.pass_salt) == (kept.pass_hash, kept.pass_salt)
    assert kept.full_name == "Ann Example"
    assert len(kept.pass_hash) == 60
    assert len(kept.pass_salt) == 22
    assert passwords.is_bcrypt(kept.pass_salt)
    # The master must not push it here, where it is being kept.
    assert [asked["url"] for asked in master.calls("register")] == [OUR_URL]
    assert [asked["do"] for asked in master.asked][:2] == ["checkEmail", "checkName"]


def test_namesakes_get_numbers(master: FakeMaster, newcomers: Newcomers) -> None:
    master.add("Ann Example", "first@example.org")
    ids = [newcomers.register(NewAccount(f"{n}@example.org", " Ann Example "), soon()) for n in range(3)]
    assert [master.people[id].name for id in ids] == ["Ann Example 2", "Ann Example 3", "Ann Example 4"]
    nameless = newcomers.register(NewAccount("dora@example.org", " "), soon())
    assert master.people[nameless].name == "dora"
    long = [newcomers.register(NewAccount(f"l{n}@example.org", "x" * 300), soon()) for n in range(2)]
    assert [master.people[id].name for id in long] == ["x" * 255, "x" * 253 + " 2"]


def test_whoever_has_the_address_is_not_made_again(master: FakeMaster, newcomers: Newcomers, copy: Copy) -> None:
    id = master.add("Somebody", "ann@example.org")
    assert newcomers.register(NewAccount("ANN@example.org", "Ann Example"), soon()) == id
    assert len(master.people) == 1
    assert copy.count() == 0
    assert master.calls("register") == []


def test_name_that_is_taken_at_the_last_moment_is_not_taken_for_the_newcomer(
    master: FakeMaster, newcomers: Newcomers, copy: Copy
) -> None:
    """Then a master answers with the id of whoever has it."""

    def take(values: dict[str, str]) -> None:
        if values["do"] == "register" and values["name"] == "Ann Example":
            master.add("ann example", "quicker@example.org")

    master.before = take
    id = newcomers.register(ANN, soon())
    assert (master.people[id].name, master.people[id].email) == ("Ann Example 2", "ann@example.org")
    assert copy.find(id).name == "Ann Example 2"  # type: ignore[union-attr]
    assert copy.count() == 1


def test_address_that_is_taken_at_the_last_moment_is_somebody_elses_account(
    master: FakeMaster, newcomers: Newcomers, copy: Copy
) -> None:
    def take(values: dict[str, str]) -> None:
        if values["do"] == "register":
            master.add("Quicker", "ann@example.org", "secret")

    master.before = take
    id = newcomers.register(ANN, soon())
    assert master.people[id].name == "Quicker"
    assert copy.count() == 0


@pytest.mark.parametrize("method", ["register", "fetchSalt"])
def test_account_whose_answer_got_lost_is_known_again(
    master: FakeMaster, newcomers: Newcomers, copy: Copy, method: str
) -> None:
    master.add("Ann Example", "first@example.org")
    done = threading.Event()

    def lose(values: dict[str, str]) -> Reply | None:
        if values["do"] != method or done.is_set():
            return None
        done.set()
        if method == "register":
            master._answer(values)
        return Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")

    master.lie = lose
    with pytest.raises(BackendUnavailable):
        newcomers.register(ANN, soon())
    assert copy.count() == 0
    id = newcomers.register(ANN, soon())
    kept = copy.find(id)
    assert kept is not None
    assert (kept.name, kept.full_name) == ("Ann Example 2", "Ann Example")
    assert kept.pass_hash == master.people[id].pass_hash
    assert len(master.people) == 2


def test_account_that_got_a_password_meanwhile_is_somebodys(
    master: FakeMaster, newcomers: Newcomers, copy: Copy
) -> None:
    id = newcomers.register(ANN, soon())
    copy.delete(id)
    master.change("changePassword", id, pass_hash="a hash", pass_salt="a salt")
    assert newcomers.register(ANN, soon()) == id
    assert copy.count() == 0


def test_hashes_are_each_persons_own(master: FakeMaster, newcomers: Newcomers, copy: Copy) -> None:
    ids = [newcomers.register(NewAccount(f"{n}@example.org", "Ann"), soon()) for n in range(20)]
    people = [master.people[id] for id in ids]
    assert len({person.pass_hash for person in people}) == len({person.pass_salt for person in people}) == 20
    http = HttpClient(("127.0.0.0/8",), Watchdog())
    another = Newcomers(MasterClient(master.url, master.key, http), copy, lambda: "another key", None)
    master.change("delete", ids[0])
    again = another.register(NewAccount("0@example.org", "Ann"), soon())
    assert master.people[again].pass_salt != people[0].pass_salt
    assert "url" not in master.calls("register")[-1]
    http.close()


def test_one_person_who_is_made_many_times_at_once_is_one(master: FakeMaster, newcomers: Newcomers, copy: Copy) -> None:
    ids: list[int] = []
    in_threads(lambda number: ids.append(newcomers.register(ANN, soon())))
    assert len(set(ids)) == 1
    assert len(master.people) == 1
    assert copy.count() == 1


def test_names_without_end_come_to_one(master: FakeMaster, newcomers: Newcomers) -> None:
    master.lie = lambda values: success(used=1) if values["do"] == "checkName" else None
    with pytest.raises(UnwritableValue, match="taken"):
        newcomers.register(ANN, soon())
    assert master.people == {}


@pytest.mark.parametrize("email", ["", "a\0@x", "x" * 321, "\ud800@x"])
def test_what_cannot_be_kept_is_refused_before_anybody_is_asked(
    master: FakeMaster, newcomers: Newcomers, email: str
) -> None:
    with pytest.raises(UnwritableValue):
        newcomers.register(NewAccount(email, "Ann"), soon())
    for name in ("a\0", "\ud800", "x" * 1001):
        with pytest.raises(UnwritableValue):
            newcomers.register(NewAccount("ann@example.org", name), soon())
    assert master.asked == []


def test_without_fetch_id_newcomers_are_made_and_others_are_not_known(
    master: FakeMaster, newcomers: Newcomers, copy: Copy
) -> None:
    master.unknown = {"fetchId"}
    master.add("Somebody", "somebody@example.org")
    id = newcomers.register(ANN, soon())
    assert newcomers.register(ANN, soon()) == id
    with pytest.raises(BackendMisconfigured, match="fetchId"):
        newcomers.register(NewAccount("somebody@example.org", "Ann"), soon())


@pytest.mark.parametrize("method", ["checkEmail", "checkName", "register", "fetchSalt"])
@pytest.mark.parametrize("status", ["BAD_KEY", "INVALID_ACTION", "DISABLED", "FAILURE", "WRONG_AUTH"])
def test_refusal_makes_nobody_whom_somebody_is_told_of(
    master: FakeMaster, newcomers: Newcomers, copy: Copy, method: str, status: str
) -> None:
    lie = Reply(json.dumps({"status": status}).encode())
    master.lie = lambda values: lie if values["do"] == method else None
    with pytest.raises(BackendError):
        newcomers.register(ANN, soon())
    assert copy.count() == 0


def test_master_that_contradicts_itself_gives_no_answer(master: FakeMaster, newcomers: Newcomers) -> None:
    master.lie = lambda values: success(used=1) if values["do"] == "checkEmail" else None
    with pytest.raises(BackendUnavailable, match="contradicts"):
        newcomers.register(ANN, soon())
