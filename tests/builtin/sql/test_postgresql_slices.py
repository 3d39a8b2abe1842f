"""Whole tables of PostgreSQL are read by columns, and give what their rows give."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_server import BackendError, BackendTimeout, ColumnwiseRows, Deadline, IncompleteListing
from integration_server.builtin.sql.driver import BATCH, TablePart
from integration_server.builtin.sql.postgresql import PostgreSqlDriver, PostgreSqlSession
from integration_server.builtin.sql.postgresql_slices import SlicedTable
from tests.builtin.sql.people_database import SIMPLE, PeopleDatabase, opened, soon
from tests.builtin.sql.people_database import settings as table_of
from tests.servers import PostgreSql

Found = tuple[list[tuple[Any, ...]], set[type]]


@pytest.fixture(scope="module")
def database(postgresql: PostgreSql) -> PeopleDatabase:
    """An empty one, in which a test makes the table ``people`` anew."""
    return PeopleDatabase(postgresql.create_database())


@pytest.fixture(autouse=True)
def _no_people(database: PeopleDatabase) -> Iterator[None]:
    yield
    _drop(database)


def _drop(database: PeopleDatabase) -> None:
    database.run("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


@contextmanager
def _session(url: str) -> Iterator[tuple[PostgreSqlDriver, PostgreSqlSession]]:
    """One in a transaction."""
    driver = PostgreSqlDriver("hq", sa.make_url(url), prepares=True)
    with closing(driver.connect(soon(), 30)) as session:
        session.begin()
        yield driver, session


def _sliced(
    driver: PostgreSqlDriver, columns: Sequence[str], condition: str, count: int, table: str = "people"
) -> SlicedTable:
    everybody = driver.query(f"SELECT {', '.join(map(driver.quote, columns))} FROM {table} WHERE {condition}")
    return SlicedTable(driver, everybody, TablePart(table, None, tuple(columns), condition), count, least=0)


def _read(url: str, columns: Sequence[str], condition: str = "(true)", count: int = 3, table: str = "people") -> Found:
    """The rows of a table, and in which forms they came; they are what the statement gives as rows."""
    with _session(url) as (driver, session):
        sliced = _sliced(driver, columns, condition, count, table)
        batches = [rows for _, rows in sliced(session)]
        found = [tuple(row) for rows in batches for row in rows]
        expected = [tuple(row) for _, rows in session.stream(sliced._everybody) for row in rows]
    assert all(0 < len(rows) <= BATCH for rows in batches)
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
    return found, {type(rows) for rows in batches}


def _fill(database: PeopleDatabase, count: int = 5000, columns: str = "i AS id, 'u' || i AS login") -> None:
    """A table ``people`` of so many rows, about 40 in a page."""
    rows = f"SELECT {columns}, repeat('x', 150) AS padding FROM generate_series(1, {count}) AS i"
    database.run(f"CREATE TABLE people AS {rows}", "ANALYZE people")


_TEXTS = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
    st.sampled_from(
        ['"', "\\", "\\u0041", "\x01", "\x1f", "\x7f", "\x85", "\u2028", "[1]", "null", "é", "\U0001f600", " a "]
    ),
)
_KINDS: dict[str, st.SearchStrategy[Any]] = {
    "text": _TEXTS,
    "varchar(20)": _TEXTS,
    "char(7)": _TEXTS,
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1, 0]) | st.integers(-9, 9),
    "boolean": st.booleans(),
    "name": _TEXTS,
    "word": _TEXTS,
    "number": st.integers(0, 9),
    "citext": _TEXTS,
    "mood": st.sampled_from(["sad", "ok"]),
    "uuid": st.uuids().map(str),
    "numeric": st.sampled_from(["1.10", "NaN", "12345678901234567890.5"]),
    "double precision": st.sampled_from(["0.1", "NaN", "Infinity", "-0"]),
    "timestamptz": st.sampled_from(["2024-02-03 04:05:06Z", "infinity", "-infinity"]),
    "date": st.sampled_from(["2024-02-03", "infinity"]),
    "bytea": st.sampled_from(["", "\\x0001"]),
    "text[]": st.sampled_from(["{}", "{a,NULL,b}"]),
    "json": st.sampled_from(["null", '{"a": 1}', "[1]"]),
    "jsonb": st.sampled_from(["null", '"a"']),
    "oid": st.integers(0, 9),
    "xml": st.sampled_from(["<a/>"]),
    "inet": st.sampled_from(["192.0.2.1"]),
}
#: Those of which all values are the same as JSON; a domain is what it is made of.
_EXACT = {"text", "varchar(20)", "char(7)", "smallint", "integer", "bigint", "boolean", "word", "number"}
_TYPES = (
    "CREATE EXTENSION citext",
    "CREATE TYPE mood AS ENUM ('sad', 'ok')",
    "CREATE DOMAIN word AS text",
    "CREATE DOMAIN number AS integer",
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_slices_hold_just_the_values_of_the_rows(database: PeopleDatabase, data: st.DataObject) -> None:
    kinds = data.draw(
        st.lists(st.sampled_from(sorted(_EXACT)) | st.sampled_from(sorted(_KINDS)), min_size=1, max_size=3)
    )
    rows = data.draw(st.lists(st.tuples(*(st.none() | _KINDS[kind] for kind in kinds)), min_size=1, max_size=9))
    columns = [f"c{i}" for i in range(len(kinds))]
    declared = ", ".join(f"{name} {kind}" for name, kind in zip(columns, kinds, strict=True))
    marks = ", ".join(f"CAST(CAST(:{name} AS text) AS {kind})" for name, kind in zip(columns, kinds, strict=True))
    _drop(database)
    # A row or two in a page.
    database.run(*_TYPES, f"CREATE TABLE people ({declared}, filling text) WITH (fillfactor = 10)")
    filling = "x" * 4000
    database.run("ALTER TABLE people ALTER filling SET STORAGE PLAIN")
    with database.connected() as connection:
        connection.execute(
            sa.text(f"INSERT INTO people VALUES ({marks}, :filling)"),
            # The planner reads a table of a few pages as a whole.
            [{**_texts(columns, row), "filling": filling} for row in rows * 20],
        )
    if data.draw(st.booleans()):
        database.run("ANALYZE people")
    condition = data.draw(st.sampled_from(["(true)", "(c0 IS NOT NULL\n)", "(false)"]))
    found, forms = _read(database.url, columns, condition)
    if found:
        assert (forms == {ColumnwiseRows}) is _EXACT.issuperset(kinds)


def _texts(columns: Sequence[str], row: Sequence[object]) -> Mapping[str, str | None]:
    return {name: None if value is None else str(value) for name, value in zip(columns, row, strict=True)}


def test_a_plain_table_is_read_by_columns(database: PeopleDatabase) -> None:
    _fill(database, columns="""i AS id, 'u' || i AS "Login%", CAST(NULL AS text) AS full_name""")
    condition = "(id % 5 > 0 AND padding LIKE 'x%' AND padding <> '\\:a' -- this ends it\n)"
    found, forms = _read(database.url, ["id", "Login%", "full_name"], condition, count=1000)
    assert found == [(i, f"u{i}", None) for i in range(1, 5001) if i % 5]
    assert forms == {ColumnwiseRows}


@pytest.mark.parametrize("columns", ["i AS id, 'u' || i AS first_", "i AS id, 'u' || i AS slice_"])
def test_columns_may_have_any_name(database: PeopleDatabase, columns: str) -> None:
    _fill(database, columns=columns)
    name = columns.split()[-1]
    found, _ = _read(database.url, ["id", name], f"({name} <> 'u7')", count=500)
    assert len(found) == 4999


@pytest.mark.parametrize("name", ["slice_", "people_"])
def test_tables_may_have_any_name(database: PeopleDatabase, name: str) -> None:
    _fill(database)
    database.run(f"ALTER TABLE people RENAME TO {name}")
    found, _ = _read(database.url, ["id", "login"], count=500, table=name)
    assert len(found) == 5000


def test_where_few_of_a_table_are_listed_batches_are_no_smaller(database: PeopleDatabase) -> None:
    _fill(database, 20_000)
    with _session(database.url) as (driver, session):
        batches = list(_sliced(driver, ["id"], "(id % 100 = 0)", count=100)(session))
    assert [row for _, rows in batches for row in rows] == [(i,) for i in range(100, 20001, 100)]
    assert all(50 <= len(rows) <= 52 for _, rows in batches[:-1])


def test_where_rows_were_counted_long_ago_batches_are_no_larger(database: PeopleDatabase) -> None:
    database.run("CREATE TABLE people AS SELECT i AS id FROM generate_series(1, 60000) AS i", "ANALYZE people")
    database.run("DELETE FROM people WHERE id % 200 > 0", "ANALYZE people", "VACUUM people")
    database.run("INSERT INTO people SELECT i FROM generate_series(1, 50000) AS i")
    found, forms = _read(database.url, ["id"], count=BATCH)
    assert len(found) == 50_300
    assert forms == {ColumnwiseRows}


_PEOPLE = "INSERT INTO people (login) VALUES ('ann'), ('bob')"
_TABLE = "CREATE TABLE people (login text, team text)"


@pytest.mark.parametrize(
    ("statements", "condition"),
    [
        (["CREATE TABLE p (login text)", "CREATE VIEW people AS SELECT login FROM p"], "(true)"),
        ([_TABLE, "CREATE TABLE more () INHERITS (people)", "INSERT INTO more VALUES ('cy')"], "(true)"),
        (
            [
                "CREATE TABLE people (login text) PARTITION BY LIST (login)",
                "CREATE TABLE rest PARTITION OF people DEFAULT",
                _PEOPLE,
            ],
            "(true)",
        ),
        (
            [
                _TABLE,
                "CREATE INDEX t ON people (team)",
                "INSERT INTO people SELECT i, i FROM generate_series(1, 9000) AS i",
                "ANALYZE people",
            ],
            "(team = '7')",
        ),
        ([_TABLE, "CREATE TABLE t (name text)", _PEOPLE], "(login IN (SELECT name FROM t))"),
        ([_TABLE, "CREATE TABLE t (name text)", _PEOPLE], "(login NOT IN (SELECT name FROM t))"),
        ([_TABLE, _PEOPLE], "(login <> (SELECT min(login) FROM people))"),
        ([_TABLE, _PEOPLE], "(true) ORDER BY (login\n)"),
        ([_TABLE, _PEOPLE], "(false) UNION (SELECT 'ann'\n)"),
    ],
)
def test_what_is_no_plain_table_read_from_end_to_end_is_read_by_rows(
    database: PeopleDatabase, statements: list[str], condition: str
) -> None:
    database.run(*statements)
    _, forms = _read(database.url, ["login"], condition)
    assert ColumnwiseRows not in forms


def test_a_condition_that_breaks_out_of_its_brackets_is_meant_as_a_whole(database: PeopleDatabase) -> None:
    _fill(database)
    found, forms = _read(database.url, ["id"], "(id < 3) OR (id > 4998)", count=500)
    assert found == [(1,), (2,), (4999,), (5000,)]
    assert forms == {ColumnwiseRows}


def test_a_table_with_row_security_gives_what_the_reader_may_see(database: PeopleDatabase) -> None:
    _fill(database, 5000, "i AS id, CASE WHEN i % 2 = 0 THEN current_user ELSE 'nobody' END AS owner")
    database.run(
        "ALTER TABLE people ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY own ON people USING (id % 3 = 0)",
        "DROP ROLE IF EXISTS clerk",
        "CREATE ROLE clerk LOGIN PASSWORD 'x'",
        "GRANT USAGE ON SCHEMA public TO clerk",
        "GRANT SELECT ON people TO clerk",
    )
    url = sa.make_url(database.url).set(username="clerk", password="x").render_as_string(hide_password=False)
    found, _ = _read(url, ["id"], count=500)
    assert {row[0] for row in found} == set(range(3, 5001, 3))
    database.run("DROP TABLE people", "DROP OWNED BY clerk", "DROP ROLE clerk")


def test_who_may_read_some_columns_alone_reads_rows(database: PeopleDatabase) -> None:
    _fill(database)
    database.run(
        "DROP ROLE IF EXISTS porter",
        "CREATE ROLE porter LOGIN PASSWORD 'x'",
        "GRANT USAGE ON SCHEMA public TO porter",
        "GRANT SELECT (id, login) ON people TO porter",
    )
    url = sa.make_url(database.url).set(username="porter", password="x").render_as_string(hide_password=False)
    found, forms = _read(url, ["id", "login"], count=500)
    assert (len(found), forms) == (5000, {list})
    database.run("DROP OWNED BY porter", "DROP ROLE porter")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_servers_and_connections_may_have_another_encoding(
    postgresql: PostgreSql, database: PeopleDatabase, encoding: str
) -> None:
    name = f"in_{encoding.lower()}"
    database.run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    url = f"{postgresql.url_of(name)}?client_encoding=utf8"
    _fill(PeopleDatabase(url), 500, "i AS id, 'Jürgen ' || i AS login")
    found, forms = _read(url, ["id", "login"], count=100)
    assert ((7, "Jürgen 7") in found, forms) == (True, {ColumnwiseRows})
    if encoding == "LATIN1":
        found, forms = _read(url.replace("utf8", "latin1"), ["id", "login"], count=100)
        assert ((7, "Jürgen 7") in found, forms) == (True, {list})


def test_text_in_another_encoding_than_the_database_says_is_the_same_error(database: PeopleDatabase) -> None:
    # As older versions let it in.
    database.run("CREATE CAST (bytea AS text) WITHOUT FUNCTION")
    _fill(database, columns=r"i AS id, CASE WHEN i = 4000 THEN CAST('\xfc'::bytea AS text) ELSE 'u' END AS login")
    database.run("DROP CAST (bytea AS text)")
    with _session(database.url) as (driver, session), pytest.raises(UnicodeDecodeError):
        list(_sliced(driver, ["id", "login"], "(true)", 500)(session))
    assert session.is_lost
    with _session(database.url) as (driver, session), pytest.raises(UnicodeDecodeError):
        list(session.stream(driver.query("SELECT id, login FROM people")))


def test_an_error_midway_is_raised_after_the_rows_before(database: PeopleDatabase) -> None:
    _fill(database)
    found = []
    with _session(database.url) as (driver, session), pytest.raises(driver.module.errors.DivisionByZero):
        found.extend(_sliced(driver, ["id"], "(1 / (4000 - id) < 9)", 500)(session))
    assert 3000 <= sum(len(rows) for _, rows in found) < 4000
    assert session.is_lost


@pytest.mark.parametrize("columns", [["id", "nothing"], ["id"]])
def test_a_wrong_statement_is_the_same_error(database: PeopleDatabase, columns: list[str]) -> None:
    if "nothing" in columns:
        _fill(database)
    with _session(database.url) as (driver, session):
        sliced = _sliced(driver, columns, "(true)", 500)
        with pytest.raises(driver.module.ProgrammingError) as found:
            list(sliced(session))
    with _session(database.url) as (driver, session), pytest.raises(type(found.value)) as expected:
        list(session.stream(sliced._everybody))
    assert str(found.value).splitlines()[0] == str(expected.value).splitlines()[0]


def test_slices_that_are_left_end_the_connection(database: PeopleDatabase) -> None:
    _fill(database)
    with _session(database.url) as (driver, session):
        batches = _sliced(driver, ["id", "login"], "(true)", 500)(session)
        assert isinstance(next(batches).rows, ColumnwiseRows)
        batches.close()
        assert session.is_lost


def test_nothing_is_left_behind_in_the_session(database: PeopleDatabase) -> None:
    _fill(database)
    with _session(database.url) as (driver, session):
        settings_before = session.fetch(driver.query("SELECT name, setting FROM pg_settings"), {}).rows
        for condition in ["(true)", "(true) ORDER BY (id)"] * 5:
            list(_sliced(driver, ["id", "login"], condition, 500)(session))
            session.end()
            session.begin()
        prepared = session.fetch(driver.query("SELECT statement FROM pg_prepared_statements"), {}).rows
        assert session.fetch(driver.query("SELECT name, setting FROM pg_settings"), {}).rows == settings_before
        # But for what an administrator asked for.
        assert all("pg_class" in statement for (statement,) in prepared)


def test_a_column_may_change_its_type_between_two_lists(database: PeopleDatabase) -> None:
    _fill(database)
    with _session(database.url) as (driver, session):
        sliced = _sliced(driver, ["id"], "(true)", 500)
        for change, form, value in [
            ("text", ColumnwiseRows, "1"),
            ("numeric USING id::numeric", list, Decimal(1)),
            ("integer", ColumnwiseRows, 1),
        ]:
            session.end()
            database.run(f"ALTER TABLE people ALTER id TYPE {change}")
            session.begin()
            batches = list(sliced(session))
            (found,) = batches[0].rows[0]
            assert (type(batches[0].rows), type(found), found) == (form, type(value), value)


def _large(database: PeopleDatabase) -> dict[str, Any]:
    """The settings of a backend with a table that is large enough to be read in slices by itself."""
    _fill(database, 20_000, "i AS id, 'u' || i AS login, 'Name ' || i AS full_name, '' AS password")
    return table_of(database.url, **SIMPLE, table="people")


def test_what_second_tables_hold_is_put_to_the_columns(database: PeopleDatabase, tmp_path: Path) -> None:
    table = _large(database)
    database.run("CREATE TABLE addresses AS SELECT id AS person, login || '@example.org' AS address FROM people")
    side = {"table": "addresses", "user_column": "person", "address_column": "address", "key_column": "id"}
    backend = opened({**table, "email_table": side, "map": {**table["map"], "emails": "emails"}}, tmp_path)
    batches = list(backend.users(soon()))
    assert {type(batch.rows) for batch in batches} == {ColumnwiseRows}
    position = {name: batches[0].names.index(name) for name in ("login", "emails")}
    found = {row[position["login"]]: list(row[position["emails"]]) for batch in batches for row in batch.rows}
    assert found == {f"u{i}": [f"u{i}@example.org"] for i in range(1, 20_001)}
    backend.close()


def test_who_writes_while_a_list_is_read_is_not_seen(database: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(_large(database), tmp_path)
    batches = backend.users(soon())
    first = next(batches)
    assert isinstance(first.rows, ColumnwiseRows)
    database.run(
        "DELETE FROM people WHERE id > 15000",
        "UPDATE people SET login = 'changed' WHERE id < 15000",
        "INSERT INTO people SELECT i, 'newcomer' FROM generate_series(20001, 30000) AS i",
        "VACUUM people",
    )
    found = [row for batch in (first, *batches) for row in batch.rows]
    assert found == [(i, f"u{i}", f"Name {i}") for i in range(1, 20_001)]
    backend.close()


def test_a_list_by_columns_ends_at_its_deadline_though_nobody_reads_it(
    database: PeopleDatabase, tmp_path: Path
) -> None:
    backend = opened(_large(database), tmp_path)
    batches = backend.users(Deadline(1))
    assert isinstance(next(batches).rows, ColumnwiseRows)
    time.sleep(1.2)
    with pytest.raises(BackendTimeout):
        list(batches)
    backend.close()


def test_a_server_that_freezes_meanwhile_is_a_timeout(
    database: PeopleDatabase, postgresql: PostgreSql, tmp_path: Path
) -> None:
    table = _large(database)
    # More than the kernel's buffers hold.
    database.run("UPDATE people SET full_name = repeat('x', 1500)")
    backend = opened(table, tmp_path)
    batches = backend.users(Deadline(3))
    assert isinstance(next(batches).rows, ColumnwiseRows)
    with postgresql.frozen(), pytest.raises(BackendTimeout):
        list(batches)
    backend.close()


def test_a_connection_that_ends_meanwhile_is_no_whole_list(database: PeopleDatabase, tmp_path: Path) -> None:
    table = _large(database)
    database.run("UPDATE people SET full_name = repeat('x', 1500)")
    backend = opened(table, tmp_path)
    batches = backend.users(soon())
    assert isinstance(next(batches).rows, ColumnwiseRows)
    database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'integration-server' AND datname = current_database()"
    )
    with pytest.raises(IncompleteListing):
        list(batches)
    backend.close()


def test_a_table_that_nobody_may_read_is_an_error(database: PeopleDatabase, tmp_path: Path) -> None:
    table = _large(database)
    database.run("DROP ROLE IF EXISTS stranger", "CREATE ROLE stranger LOGIN PASSWORD 'x'")
    database.run("GRANT USAGE ON SCHEMA public TO stranger")
    url = sa.make_url(database.url).set(username="stranger", password="x").render_as_string(hide_password=False)
    backend = opened({**table, "url": url}, tmp_path)
    with pytest.raises(BackendError, match="permission denied"):
        list(backend.users(soon()))
    backend.close()
    database.run("DROP OWNED BY stranger", "DROP ROLE stranger")


def test_a_small_table_is_read_by_rows(database: PeopleDatabase, tmp_path: Path) -> None:
    table = _large(database)
    database.run("DELETE FROM people WHERE id > 100", "VACUUM FULL people")
    backend = opened(table, tmp_path)
    (batch,) = backend.users(soon())
    assert (len(batch.rows), type(batch.rows)) == (100, list)
    backend.close()


def test_a_table_with_many_long_texts_is_read_by_rows(database: PeopleDatabase, tmp_path: Path) -> None:
    table = _large(database)
    database.run(
        "ALTER TABLE people ALTER padding SET STORAGE EXTERNAL",
        "UPDATE people SET padding = repeat('x', 12000) WHERE id < 1000",
    )
    backend = opened(table, tmp_path)
    batches = list(backend.users(soon()))
    assert sum(len(batch.rows) for batch in batches) == 20_000
    assert {type(batch.rows) for batch in batches} == {list}
    backend.close()
