"""Accounts of IPS Connect on SQLite and on PostgreSQL: one store for all tests, with a name of its own for each."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.server.installation import opened
from integration_server.store import Store
from tests.builtin.ips_connect.master_site import A_KEY, A, MasterSite, Names, write_master

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


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


@pytest.fixture(scope="session")
def empty_master_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as a first start leaves it; making one takes longer than most tests."""
    folder = tmp_path_factory.mktemp("empty master store")
    Store("", folder).close()
    return folder / "store.db"


@pytest.fixture
def make_master(tmp_path: Path, names: Names, empty_master_store: Path) -> Iterator[Callable[..., MasterSite]]:
    """``make_master(tables, **gateway)``: see ``write_master``. Slave A is registered, and calls."""
    (tmp_path / "data").mkdir()
    shutil.copy(empty_master_store, tmp_path / "data" / "store.db")
    with ExitStack() as opened_ones:

        def make(tables: Mapping[str, Mapping[str, object]] | None = None, **gateway: object) -> MasterSite:
            installation = opened_ones.enter_context(opened(write_master(tmp_path, tables, **gateway)))
            site = MasterSite(installation, path=str(gateway.get("path", "/gw")))
            assert site.status("verifySettings", url=A, ourKey=A_KEY) == "SUCCESS"
            return site

        yield make


@pytest.fixture
def master(make_master: Callable[..., MasterSite]) -> MasterSite:
    return make_master()


@pytest.fixture(params=["sqlite", "postgresql"])
def stored_master(request: pytest.FixtureRequest, make_master: Callable[..., MasterSite]) -> MasterSite:
    """The same on either kind of store."""
    if request.param == "sqlite":
        return make_master()
    return make_master({"store": {"url": request.getfixturevalue("postgresql").create_database()}})
