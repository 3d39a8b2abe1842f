"""Accounts of IPS Connect on SQLite and on PostgreSQL: one store for all tests, with a name of its own for each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.store import Store

_NUMBERS = itertools.count()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgresql").create_database()
    store = Store(url, tmp_path_factory.mktemp("store"))
    yield store
    store.close()


@pytest.fixture
def open_accounts(store: Store) -> Callable[[], Accounts]:
    """Opens the accounts of the test; each call as another process would."""
    name = f"forum{next(_NUMBERS)}"
    return lambda: Accounts(name, store.storage(TABLES))


@pytest.fixture
def accounts(open_accounts: Callable[[], Accounts]) -> Accounts:
    return open_accounts()
