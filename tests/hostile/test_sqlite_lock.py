"""What a failed question leaves behind in somebody else's SQLite file: nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from integration_server import BackendError, Deadline, Lookup
from integration_server.builtin.sql import SqlBackend
from integration_server.sdk.testing import open_backend

TABLE = {"type": "sql", "table": "persons", "map": {"username": "login", "full_name": "full_name"}}


@pytest.fixture
def owner(tmp_path: Path) -> sqlite3.Connection:
    """The application whose database it is; it does not wait for locks."""
    connection = sqlite3.connect(tmp_path / "people.db", timeout=0, isolation_level=None)
    connection.execute("CREATE TABLE persons (login TEXT PRIMARY KEY, full_name TEXT)")
    connection.execute("INSERT INTO persons VALUES ('ada', 'Ada'), ('bad', CAST(x'ff41' AS TEXT)), ('eve', 'Eve')")
    return connection


@pytest.fixture
def backend(owner: sqlite3.Connection, tmp_path: Path) -> SqlBackend:
    opened = open_backend(SqlBackend, {**TABLE, "url": f"sqlite:///{tmp_path / 'people.db'}"}, tmp_path)
    assert isinstance(opened, SqlBackend)
    return opened


def test_a_failed_list_leaves_the_file_writable(owner: sqlite3.Connection, backend: SqlBackend) -> None:
    with pytest.raises(BackendError) as held:  # with its traceback, as a log handler or a late collector would
        list(backend.users(Deadline(30)))

    owner.execute("UPDATE persons SET full_name = 'Bert' WHERE login = 'bad'")

    assert "not UTF-8" in str(held.value)
    assert sum(len(batch.rows) for batch in backend.users(Deadline(30))) == 3
    backend.close()


def test_a_failed_lookup_leaves_the_file_writable(owner: sqlite3.Connection, backend: SqlBackend) -> None:
    with pytest.raises(BackendError) as held:
        backend.find(Lookup("login", "bad"), Deadline(30))

    owner.execute("UPDATE persons SET full_name = 'Bert' WHERE login = 'bad'")

    assert "not UTF-8" in str(held.value)
    backend.close()
