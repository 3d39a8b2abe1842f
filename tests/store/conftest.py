"""Stores on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_server.store.engine import open_store


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store may be made; nothing is there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    made: str = request.getfixturevalue("postgresql").create_database()
    return made


@pytest.fixture
def engine(url: str, tmp_path: Path) -> Iterator[sa.Engine]:
    """An open, empty store."""
    engine = open_store(url, tmp_path)
    yield engine
    engine.dispose()
