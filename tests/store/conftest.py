"""Stores on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_server.store.engine import open_store, writing
from integration_server.store.schema import journal_state, metadata

DATABASES = ["sqlite", "postgresql"]


def _new_url(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{folder / 'store.db'}"
    made: str = request.getfixturevalue("postgresql").create_database()
    return made


@pytest.fixture(params=DATABASES)
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store may be made; nothing is there yet."""
    return _new_url(request, tmp_path)


@pytest.fixture
def new_engine(new_url: str, tmp_path: Path) -> Iterator[sa.Engine]:
    """A store of the test's own."""
    engine = open_store(new_url, tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session", params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store that tests share one after another."""
    folder = tmp_path_factory.mktemp("store")
    url = _new_url(request, folder)
    open_store(url, folder).dispose()
    return url


@pytest.fixture
def engine(url: str, tmp_path: Path) -> Iterator[sa.Engine]:
    """The shared store, empty."""
    engine = open_store(url, tmp_path)
    with writing(engine) as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(journal_state.insert().values(id=1, last_serial=0, pruned_serial=0))
    yield engine
    engine.dispose()
