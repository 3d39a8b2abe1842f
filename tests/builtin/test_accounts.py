"""Accounts in the server's own store keep the promises of every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from integration_server import (
    AmbiguousEntry,
    Backend,
    BackendError,
    BackendTimeout,
    Deadline,
    Group,
    Lookup,
    NewAccount,
    Storage,
    Tables,
    UnwritableValue,
)
from integration_server.builtin.accounts import AccountsBackend
from integration_server.builtin.accounts.settings import AccountsSettings
from integration_server.sdk.testing import (
    AccountWriterConformance,
    BackendConformance,
    Outage,
)
from integration_server.sdk.testing.harness import open_backend
from integration_server.store import Store

ADDRESSES = ("ann@example.org", "Bob.O'Hara@Example.org", "jörg.müller@example.org", '100%_\\"x"@example.org')


def account(email: str, name: str = "Somebody", **more: str) -> NewAccount:
    return NewAccount(email, name, **more)


def deadline() -> Deadline:
    return Deadline(5)


class TestAccountsBackend(AccountWriterConformance, BackendConformance):
    backend_class = AccountsBackend
    knows_unverified = False

    @pytest.fixture
    def table(self) -> dict[str, Any]:
        return {"type": "accounts"}

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = Store("", tmp_path)
        yield store
        store.close()

    @pytest.fixture
    def storage(self, store: Store) -> Callable[[Tables], Storage]:
        return store.storage

    @pytest.fixture
    def population(self, store: Store, tmp_path: Path) -> Mapping[str, str | None]:
        for name in ("test", "another"):
            backend = open_backend(AccountsBackend, {"type": "accounts"}, tmp_path, name=name, storage=store.storage)
            assert isinstance(backend, AccountsBackend)
            for address in ADDRESSES if name == "test" else ["elsewhere@example.org"]:
                backend.create_account(account(address), deadline())
        return dict.fromkeys(ADDRESSES)

    @pytest.fixture
    def outages(self, store: Store, tmp_path: Path) -> Sequence[Outage]:
        @contextmanager
        def renamed() -> Iterator[None]:
            with store.storage(Tables("other", ())).writing() as connection:
                connection.exec_driver_sql("ALTER TABLE accounts RENAME TO aside")
            try:
                yield
            finally:
                with store.storage(Tables("other", ())).writing() as connection:
                    connection.exec_driver_sql("ALTER TABLE aside RENAME TO accounts")

        return [Outage("table gone", renamed)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store("", tmp_path)
    yield store
    store.close()


@pytest.fixture
def accounts(store: Store, tmp_path: Path) -> AccountsBackend:
    backend = open_backend(AccountsBackend, {"type": "accounts"}, tmp_path, storage=store.storage)
    assert isinstance(backend, AccountsBackend)
    return backend


def entries(backend: Backend) -> list[tuple[object, ...]]:
    return [tuple(row) for batch in backend.users(deadline()) for row in batch.rows]


def test_groups_are_those_of_the_configuration(store: Store, tmp_path: Path) -> None:
    table = {"type": "accounts", "groups": {"board": {"title": "The board"}, "Gäste": {}}}
    backend = open_backend(AccountsBackend, table, tmp_path, storage=store.storage)
    assert isinstance(backend, AccountsBackend)
    assert backend.groups(deadline()) == (Group("board", "The board"), Group("Gäste"))
    with pytest.raises(BackendTimeout):
        backend.groups(Deadline(0))


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"map": {"id": "email"}}, "id is 'id' here"),
        ({"map": {"emails": "tz"}}, "emails is 'email' here"),
        ({"groups": {"": {}}}, "needs an id"),
        ({"groups": {"a\0b": {}}}, "needs an id"),
    ],
)
def test_settings_with_which_nobody_would_be_found_are_refused(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        AccountsSettings.model_validate({"type": "accounts", **keys})


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", ""), ("email", "a\0@x"), ("email", "a" * 1020 + "@x.y"), ("full_name", "\ud800"), ("tz", "a\0")],
)
def test_what_cannot_be_kept_is_refused_and_named(accounts: AccountsBackend, field: str, value: str) -> None:
    with pytest.raises(UnwritableValue, match=field):
        accounts.create_account(replace(account("ann@x"), **{field: value}), deadline())
    assert entries(accounts) == []


def test_person_is_found_by_address_in_any_case(accounts: AccountsBackend) -> None:
    made = accounts.create_account(account("Straße@Example.org", "Ann", biography="two\nlines", tz="UTC"), deadline())
    found = accounts.find(Lookup("email", "STRASSE@example.ORG", ignore_case=True), deadline())
    assert found is not None
    assert dict(found.attributes) == {
        "id": made,
        "email": "Straße@Example.org",
        "full_name": "Ann",
        "biography": "two\nlines",
        "tz": "UTC",
    }
    assert accounts.find(Lookup("email", "STRASSE@example.ORG"), deadline()) is None
    assert accounts.find(Lookup("full_name", "ANN", ignore_case=True), deadline()) is not None


def test_address_is_there_once(accounts: AccountsBackend) -> None:
    made = accounts.create_account(account("ann@x"), deadline())
    assert accounts.create_account(account("ANN@X", "Else"), deadline()) == made
    assert [row[2] for row in entries(accounts)] == ["Somebody"]


def test_name_that_several_have_is_ambiguous(accounts: AccountsBackend) -> None:
    for address in ("a@x", "b@x"):
        accounts.create_account(account(address, "Ann"), deadline())
    with pytest.raises(AmbiguousEntry):
        accounts.find(Lookup("full_name", "Ann"), deadline())


def test_listing_goes_through_all_pages(accounts: AccountsBackend) -> None:
    addresses = [f"p{number}@x" for number in range(2050)]
    for address in addresses:
        accounts.create_account(account(address), deadline())
    assert sorted(str(row[1]) for row in entries(accounts)) == sorted(addresses)


def test_removed_person_is_gone(accounts: AccountsBackend) -> None:
    accounts.create_account(account("ann@x"), deadline())
    entry = accounts.find(Lookup("email", "ann@x"), deadline())
    assert entry is not None
    assert accounts.remove_account(entry, deadline())
    assert not accounts.remove_account(entry, deadline())
    assert entries(accounts) == []


def test_store_that_is_closed_to_it_is_an_outage(tmp_path: Path) -> None:
    backend = open_backend(AccountsBackend, {"type": "accounts"}, tmp_path)
    assert isinstance(backend, AccountsBackend)
    with pytest.raises(BackendError):
        entries(backend)
    with pytest.raises(BackendError):
        backend.create_account(account("ann@x"), deadline())
