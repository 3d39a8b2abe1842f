"""The next batch is read while the last one is worked on: the same batches, the same errors, and no thread left."""

from __future__ import annotations

import sqlite3
import threading
import traceback
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_server import BackendError, BackendTimeout, Batch, Deadline
from integration_server.builtin.sql import SqlBackend
from integration_server.builtin.sql.reading_ahead import read_ahead
from integration_server.builtin.sql.sqlite import SqliteSession
from tests.builtin.sql.people_database import SIMPLE, PeopleDatabase, opened, settings, soon
from tests.waiting import wait_for


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert not _threads()


class _Shelf:
    """Batches, and what becomes of them. ``error`` comes after the last one; of number ``stuck`` reading lasts until it
    is cancelled."""

    def __init__(self, count: int, error: Exception | None = None, stuck: int | None = None) -> None:
        self.books = [Batch(("login",), [(f"u{i}",)]) for i in range(count)]
        self.read = 0
        self.is_closed = False
        self._error = error
        self._stuck = stuck
        self._is_cancelled = threading.Event()

    def batches(self) -> Generator[Batch, None, None]:
        try:
            for book in self.books:
                if self.read == self._stuck:
                    self._is_cancelled.wait()
                    raise OSError("cancelled")
                self.read += 1
                yield book
            if self._error is not None:
                raise self._error
        finally:
            self.is_closed = True

    def ahead(self) -> Generator[Batch, None, None]:
        return read_ahead(self.batches(), self._is_cancelled.set)

    @property
    def is_cancelled(self) -> bool:
        return self._is_cancelled.is_set()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10])
def test_all_batches_come_in_their_order(count: int) -> None:
    shelf = _Shelf(count)
    assert list(shelf.ahead()) == shelf.books
    assert shelf.is_closed
    assert not shelf.is_cancelled


def test_one_batch_is_read_ahead_and_no_more() -> None:
    shelf = _Shelf(6)
    for taken, _ in enumerate(shelf.ahead(), start=1):
        expected = 1 if taken == 1 else min(taken + 1, 6)
        wait_for(lambda expected=expected: shelf.read == expected)
    assert shelf.read == 6


def test_a_short_list_needs_no_thread() -> None:
    before = threading.active_count()
    for count in (1, 2):
        batches = _Shelf(count).ahead()
        next(batches)
        assert threading.active_count() == before
        assert len(list(batches)) == count - 1
    batches = _Shelf(3).ahead()
    next(batches)
    assert threading.active_count() == before
    next(batches)
    assert len(_threads()) == 1
    batches.close()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_an_error_comes_as_it_is_after_what_was_read_before(count: int) -> None:
    shelf = _Shelf(count, error=ValueError("no more"))
    found: list[Batch] = []
    with pytest.raises(ValueError, match=r"^no more$") as caught:
        found.extend(shelf.ahead())
    assert found == shelf.books
    assert "batches" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert shelf.is_closed
    assert not shelf.is_cancelled


@pytest.mark.parametrize("taken", [1, 2, 3])
def test_whoever_leaves_early_waits_for_no_batch(taken: int) -> None:
    shelf = _Shelf(9, stuck=taken)
    batches = shelf.ahead()
    for _ in range(taken):
        next(batches)
    batches.close()
    assert shelf.is_closed
    assert shelf.is_cancelled is (taken > 1)


def test_an_error_of_whoever_works_on_a_batch_ends_the_reading() -> None:
    shelf = _Shelf(9, stuck=4)

    def work() -> None:
        with closing(shelf.ahead()) as batches:
            for taken, _ in enumerate(batches, start=1):
                if taken == 4:
                    raise KeyError

    with pytest.raises(KeyError):
        work()
    assert shelf.is_closed
    assert shelf.is_cancelled


# -- with SQLite -----------------------------------------------------------------------------------------------------


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
