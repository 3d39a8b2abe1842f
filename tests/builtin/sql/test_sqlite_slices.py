"""Whole tables of SQLite are read by columns, and give what their rows give."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_server import BackendTimeout, ColumnwiseRows, Deadline
from integration_server.builtin.sql.driver import TablePart
from integration_server.builtin.sql.sqlite import SqliteDriver, SqliteSession
from integration_server.builtin.sql.sqlite_slices import SlicedTable
from tests.builtin.sql.people_database import SIMPLE, PeopleDatabase, opened, soon
from tests.builtin.sql.people_database import settings as table_of

_MOST = 2**63 - 1


@contextmanager
def _database(folder: Path, *statements: str) -> Iterator[tuple[SqliteDriver, SqliteSession]]:
    """A new file, after these statements."""
    path = folder / "sliced.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    driver = SqliteDriver("hq", sa.make_url(f"sqlite:///{path}"), takes_bytes=True)
    session = driver.connect(soon(), 30)
    try:
        yield driver, session
    finally:
        session.close()


def _read(
    driver: SqliteDriver, session: SqliteSession, columns: Sequence[str], condition: str = "(1)", count: int = 3
) -> tuple[list[tuple[Any, ...]], set[type]]:
    """The rows of the table ``people``, and in which forms they came."""
    everybody = driver.query(f"SELECT {', '.join(map(driver.quote, columns))} FROM people WHERE {condition}")
    part = TablePart("people", None, tuple(columns), condition)
    batches = [rows for _, rows in SlicedTable(driver, everybody, part, count)(session)]
    assert all(0 < len(rows) <= 2000 for rows in batches)
    return [tuple(row) for rows in batches for row in rows], {type(rows) for rows in batches}


TEXTS = st.one_of(st.text(max_size=5), st.sampled_from(['"', "\\", "\0", "a\0b", "\x1f", "[1]", "é", "\U0001f600"]))
INTEGERS = st.one_of(st.integers(-3, 3), st.sampled_from([_MOST, -_MOST - 1, 2**53 + 1]))
#: The last ones are null, 12 and a text of 14 letters in SQLite's binary JSON.
BLOBS = st.binary(max_size=3) | st.sampled_from(
    [b"\xed\xa0\x80", b"a\xc3", b"\0", b"\x2312", b"\xc7\x0eabcdefghijklmn"]
)
ANY = st.one_of(st.none(), TEXTS, INTEGERS, st.floats(allow_nan=False), BLOBS)
KINDS = st.sampled_from([TEXTS, INTEGERS, TEXTS | st.none(), TEXTS | INTEGERS, TEXTS | BLOBS, ANY])
TYPES = st.sampled_from(["", "TEXT", "VARCHAR(20)", "INTEGER", "NUMERIC", "REAL", "BLOB", "CHARINT"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_slices_hold_just_the_values_of_the_rows(tmp_path: Path, data: st.DataObject) -> None:
    types = data.draw(st.lists(TYPES, min_size=1, max_size=3))
    numbers = data.draw(st.lists(INTEGERS | st.integers(), max_size=10, unique=True))
    numbers = [number for number in numbers if -_MOST - 1 <= number <= _MOST]
    kinds = [data.draw(KINDS) for _ in types]
    rows = [[data.draw(kind) for kind in kinds] for _ in numbers]
    names = [f"c{i}" for i in range(len(types))]
    created = ", ".join(f"{name} {kind}" for name, kind in zip(names, types, strict=True))
    with _database(tmp_path, f"CREATE TABLE people ({created})") as (driver, session):
        with closing(sqlite3.connect(tmp_path / "sliced.db")) as connection:
            marks = ", ".join("?" * (len(names) + 1))
            connection.executemany(
                f"INSERT INTO people (_rowid_, {', '.join(names)}) VALUES ({marks})",
                [(number, *row) for number, row in zip(numbers, rows, strict=True)],
            )
            if data.draw(st.booleans()):
                # Text that is not UTF-8, some of it.
                connection.execute("UPDATE people SET c0 = CAST(c0 AS TEXT) WHERE typeof(c0) = 'blob'")
            connection.commit()
        condition = data.draw(st.sampled_from(["(1)", "(c0 IS NOT NULL\n)", "(_rowid_ % 2)", "(0)"]))
        expected = session.connection.execute(f"SELECT {', '.join(names)} FROM people WHERE {condition}").fetchall()
        found, _ = _read(driver, session, names, condition)
    assert repr(found) == repr(expected)


def test_a_plain_table_is_read_by_columns(tmp_path: Path) -> None:
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i, 'u' || i FROM n"
    table = "CREATE TABLE People (id INTEGER PRIMARY KEY, login TEXT UNIQUE, full_name TEXT)"
    with _database(tmp_path, table, f"INSERT INTO people (id, login) {rows}") as (driver, session):
        found, forms = _read(driver, session, ["id", "Login", "full_name"], "(id % 5)", count=1000)
    assert found == [(i, f"u{i}", None) for i in range(1, 5001) if i % 5]
    assert forms == {ColumnwiseRows}


def test_where_few_of_a_table_are_listed_batches_are_no_smaller(tmp_path: Path) -> None:
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, 'u' || i FROM n"
    table = "CREATE TABLE people (id INTEGER PRIMARY KEY, login TEXT)"
    with _database(tmp_path, table, f"INSERT INTO people (id, login) {rows}") as (driver, session):
        condition = "(id % 100 = 0)"
        everybody = driver.query(f"SELECT id, login FROM people WHERE {condition}")
        part = TablePart("people", None, ("id", "login"), condition)
        batches = [list(rows) for _, rows in SlicedTable(driver, everybody, part, 100)(session)]
    assert [row for rows in batches for row in rows] == [(i, f"u{i}") for i in range(100, 20001, 100)]
    assert {len(rows) for rows in batches} == {50}


_PERSON = "INSERT INTO people (login) VALUES ('ann'), ('bob')"


@pytest.mark.parametrize(
    ("statements", "condition"),
    [
        (["CREATE TABLE p (login TEXT)", "CREATE VIEW people AS SELECT login FROM p"], "(1)"),
        (["CREATE TABLE people (login TEXT PRIMARY KEY) WITHOUT ROWID", _PERSON], "(1)"),
        (["CREATE TABLE people (login TEXT, _rowid_ TEXT)", _PERSON], "(1)"),
        (["CREATE TABLE people (name TEXT, login AS (json_array(name)))", "INSERT INTO people VALUES ('ann')"], "(1)"),
        (["CREATE TABLE people (login TEXT, team TEXT)", "CREATE INDEX t ON people (team)"], "(team = 'a')"),
        (["CREATE TABLE people (login TEXT, team TEXT)", "CREATE INDEX t ON people (team)"], "(team > 'a')"),
        (
            ["CREATE TABLE people (login TEXT)", "CREATE TABLE t (name TEXT)", _PERSON],
            "(login IN (SELECT name FROM t))",
        ),
        (["CREATE TABLE people (login TEXT)", _PERSON], "(login = 'ann') OR (login = 'bob')"),
    ],
)
def test_what_is_no_plain_table_read_from_end_to_end_is_read_by_rows(
    tmp_path: Path, statements: list[str], condition: str
) -> None:
    with _database(tmp_path, *statements) as (driver, session):
        found, forms = _read(driver, session, ["login"], condition)
        expected = session.connection.execute(f"SELECT login FROM people WHERE {condition}").fetchall()
    assert found == expected
    assert ColumnwiseRows not in forms


def test_from_the_first_value_on_that_json_does_not_tell_rows_are_read(tmp_path: Path) -> None:
    values = "(1, 'a'), (2, 'b'), (3, 'c'), (4, X'00'), (5, 'e')"
    table = "CREATE TABLE people (id INTEGER PRIMARY KEY, login TEXT)"
    with _database(tmp_path, table, f"INSERT INTO people VALUES {values}") as (driver, session):
        found, forms = _read(driver, session, ["id", "login"], count=2)
    assert found == [(1, "a"), (2, "b"), (3, "c"), (4, b"\0"), (5, "e")]
    assert forms == {ColumnwiseRows, list}


def test_a_list_by_columns_ends_at_its_deadline_though_nobody_reads_it(
    sqlite_database: PeopleDatabase, tmp_path: Path
) -> None:
    sqlite_database.load(5_000)
    backend = opened(table_of(sqlite_database.url, **SIMPLE), tmp_path)
    batches = backend.users(Deadline(0.3))
    assert isinstance(next(batches).rows, ColumnwiseRows)
    # Between two slices, no statement runs that could be interrupted.
    time.sleep(0.5)
    with pytest.raises(BackendTimeout):
        list(batches)
    backend.close()


def test_who_writes_between_slices_waits_or_is_not_seen(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    sqlite_database.load(5_000)
    sqlite_database.run("PRAGMA journal_mode = WAL")
    before = sqlite_database.scalar("SELECT COUNT(*) FROM persons")
    backend = opened(table_of(sqlite_database.url, **SIMPLE), tmp_path)
    batches = backend.users(soon())
    count = len(next(batches).rows)
    sqlite_database.run("DELETE FROM persons WHERE id > 1004000", "INSERT INTO persons (login) VALUES ('newcomer')")
    found = [row for batch in batches for row in batch.rows]
    assert count + len(found) == before
    assert not any("newcomer" in row for row in found)
    backend.close()
