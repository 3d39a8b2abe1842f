"""``memberships`` and ``accounts``: what is kept in the store, shown, forgotten and deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from integration_server import Deadline, NewAccount
from integration_server.builtin.accounts import AccountsBackend
from integration_server.sdk.testing.harness import open_backend
from integration_server.store import Store
from integration_server.store.kept_memberships import KeptMembership
from tests.cli.conftest import Place, Run


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    place.write("22-guests.toml", '[backends.guests]\ntype = "accounts"\n[backends.guests.sync]\n')
    found = Store("", place.data)
    yield found
    found.close()


@pytest.fixture
def ann(place: Place, store: Store) -> str:
    """The id of a guest."""
    backend = open_backend(AccountsBackend, {"type": "accounts"}, place.path, name="guests", storage=store.storage)
    assert isinstance(backend, AccountsBackend)
    return backend.create_account(NewAccount("Ann@example.org", "Ann Lee"), Deadline(5))


def test_kept_memberships_are_listed_and_forgotten(place: Place, run: Run, store: Store) -> None:
    result = run("memberships", "list", "-c", place.config)
    assert result.stdout == "no membership is kept\n"
    store.kept_memberships.keep(KeptMembership("guests", "7", "hq", "mail", True), is_own=False)
    store.kept_memberships.keep(KeptMembership("hq", "1", "hq", "mail", False), is_own=True)
    table = run("memberships", "list", "-c", place.config).stdout.splitlines()
    assert [line.split()[:5] for line in table[1:]] == [
        ["guests", "7", "hq", "mail", "in"],
        ["hq", "1", "hq", "mail", "out"],
    ]
    found = json.loads(run("memberships", "list", "--backend", "hq", "--json", "-c", place.config).stdout)
    assert [(one["person_id"], one["group_id"], one["is_member"]) for one in found] == [("1", "mail", False)]
    result = run("memberships", "forget", "guests", "7", "-c", place.config)
    assert (result.exit_code, result.stdout) == (0, "forgot 1 membership of 7\n")
    assert store.watches.get("guests").is_scan_wanted
    assert run("memberships", "forget", "guests", "7", "-c", place.config).exit_code == 1
    assert run("memberships", "forget", "hq", "--all", "-c", place.config).exit_code == 0
    assert store.kept_memberships.all() == []


def test_check_tells_of_memberships_whose_backend_is_gone(place: Place, run: Run, store: Store) -> None:
    store.kept_memberships.keep(KeptMembership("guests", "7", "old", "mail", True), is_own=False)
    store.kept_memberships.keep(KeptMembership("old", "1", "old", "mail", False), is_own=True)
    told = "there is no [backends.old] any more, so what is kept of its people and groups does not count: 2 memberships"
    assert told in run("check", place.config).stdout


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["memberships", "forget", "guests"], "give a PERSON_ID"),
        (["memberships", "forget", "guests", "7", "--all"], "give a PERSON_ID"),
        (["memberships", "forget", "nobody", "7"], "there is no backend 'nobody'"),
        (["memberships", "list", "--backend", "nobody"], "there is no backend 'nobody'"),
        (["accounts", "delete", "nobody", "ann@x", "--yes"], "there is no backend 'nobody'"),
        (["accounts", "delete", "hq", "ada@example.org", "--yes"], "delete people there"),
        (["accounts", "delete", "guests", "ann@example.org"], "--yes"),
    ],
)
def test_mistakes_are_told(place: Place, run: Run, store: Store, ann: str, line: list[str], told: str) -> None:
    result = run(*line, "-c", place.config)
    assert result.exit_code == 2
    assert told in result.stderr


def test_account_is_deleted_with_what_is_kept_of_it(place: Place, run: Run, store: Store, ann: str) -> None:
    store.kept_memberships.keep(KeptMembership("guests", ann, "hq", "mail", True), is_own=False)
    result = run("accounts", "delete", "guests", "ann@EXAMPLE.org", "--yes", "-c", place.config)
    assert (result.exit_code, result.stdout) == (0, "deleted ann@EXAMPLE.org\n")
    assert store.kept_memberships.all() == []
    assert store.watches.get("guests").is_scan_wanted
    again = run("accounts", "delete", "guests", "ann@example.org", "--yes", "-c", place.config)
    assert again.exit_code == 1
    assert "nobody in guests has the address" in again.stderr
    assert "0 users" in run("users", place.config, "--backend", "guests").stderr


def test_check_speaks_of_accounts(place: Place, run: Run, store: Store, ann: str) -> None:
    result = run("check", place.config)
    assert "1 accounts in this server's store" in result.stdout


def test_tables_of_plugins_are_counted(place: Place, run: Run, store: Store, ann: str) -> None:
    rows = json.loads(run("db", "check", "--json", place.config).stdout)["rows"]
    assert rows["accounts"] == 1
    assert "alembic_version" not in rows
