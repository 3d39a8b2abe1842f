"""SQLite is read one batch ahead: the same rows and errors, nobody kept from writing, and no thread left."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_server import BackendError, BackendTimeout, Batch, Deadline
from integration_server.builtin.sql import SqlBackend
from integration_server.builtin.sql.sqlite import SqliteSession
from tests.builtin.sql.people_database import SIMPLE, PeopleDatabase, opened, settings, soon


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert not _threads()


def _crowd(database: PeopleDatabase, folder: Path) -> SqlBackend:
    database.load(9_000)
    return opened(settings(database.url, **SIMPLE), folder)


def test_a_list_of_sqlite_is_read_ahead(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    backend = _crowd(sqlite_database, tmp_path)
    batches = backend.users(soon())
    found = [row for _, batch in zip(range(2), batches, strict=False) for row in batch.rows]
    assert len(_threads()) == 1
    found += [row for batch in batches for row in batch.rows]
    assert len({row[1] for row in found}) == len(found) == sqlite_database.scalar("SELECT COUNT(*) FROM persons")
    backend.close()


def test_a_list_of_sqlite_left_in_the_middle_keeps_nobody_from_writing(
    sqlite_database: PeopleDatabase, tmp_path: Path
) -> None:
    backend = _crowd(sqlite_database, tmp_path)
    batches = backend.users(soon())
    for _ in range(3):
        next(batches)
    batches.close()
    assert not _threads()
    with closing(sqlite3.connect(tmp_path / "people.db", timeout=0)) as other:
        other.execute("DELETE FROM persons")
    backend.close()


def test_a_read_ahead_that_takes_too_long_ends_at_the_deadline(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    forever = "WITH RECURSIVE m(j) AS (SELECT i UNION ALL SELECT j + 1 FROM m WHERE j > 0) SELECT max(j) FROM m"
    statement = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)"
        f" SELECT CASE WHEN i < 7000 THEN i ELSE ({forever}) END AS login FROM n"
    )
    table = {"type": "sql", "url": sqlite_database.url, "list_statement": statement, "map": {"username": "login"}}
    backend = opened({**table, "find_statement": "SELECT :value AS login"}, tmp_path)
    found: list[Batch] = []
    with pytest.raises(BackendTimeout):
        found.extend(backend.users(Deadline(0.5)))
    assert sum(len(batch.rows) for batch in found) == 6_000
    backend.close()


def test_a_file_that_is_damaged_in_the_middle_is_the_same_error(
    sqlite_database: PeopleDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = _crowd(sqlite_database, tmp_path)
    path = Path(sa.make_url(sqlite_database.url).database or "")
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2 : len(whole) // 2 + 40_000] = bytes(40_000)
    path.write_bytes(damaged)
    told = []
    for lets_go in (True, False):
        monkeypatch.setattr(SqliteSession, "lets_go", lets_go)
        with pytest.raises(BackendError) as caught:
            list(backend.users(soon()))
        told.append((type(caught.value), str(caught.value)))
    assert told[0] == told[1]
    assert "malformed" in told[0][1]
    backend.close()
