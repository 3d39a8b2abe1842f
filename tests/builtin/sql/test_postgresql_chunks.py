"""Rows of PostgreSQL come in chunks, and are those of psycopg's own stream, with the same errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa

from integration_server.builtin.sql.driver import BATCH
from integration_server.builtin.sql.postgresql import PostgreSqlDriver, PostgreSqlSession
from tests.builtin.sql.people_database import PeopleDatabase, soon


@pytest.fixture
def driver(postgresql_people: PeopleDatabase) -> PostgreSqlDriver:
    return PostgreSqlDriver("hq", sa.make_url(postgresql_people.url))


@pytest.fixture(params=[True, False], ids=["in chunks", "one by one"])
def session(driver: PostgreSqlDriver, request: pytest.FixtureRequest) -> Iterator[PostgreSqlSession]:
    """One with a libpq that gives chunks, and one as before libpq 17."""
    made = driver.connect(soon(), 30)
    assert made._can_chunk
    made._can_chunk = request.param
    with closing(made):
        yield made


_COLUMNS = """SELECT i, 'ü%' || i AS "na%me", CASE WHEN i % 3 = 0 THEN '' WHEN i % 3 = 1 THEN 'x' END AS alias,
    i % 2 = 0 AS is_active, i / 8.0 AS part, ARRAY['a', NULL, i::text] AS mails, i::text::bytea AS raw,
    CASE WHEN i % 2 = 0 THEN 'infinity' ELSE timestamptz '2024-02-03 04:05:06Z' END AS until,
    json_build_object('n', i) AS extra FROM generate_series(1, {count}) AS i"""


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH + 500])
def test_the_rows_are_those_of_a_cursor(driver: PostgreSqlDriver, session: PostgreSqlSession, count: int) -> None:
    query = driver.query(_COLUMNS.format(count=count))
    batches = list(session.stream(query))
    expected = session.fetch(query, {})
    assert [row for _, rows in batches for row in rows] == expected.rows
    assert {names for names, _ in batches} <= {expected.names}
    assert [len(rows) for _, rows in batches] == [BATCH] * (count // BATCH) + [count % BATCH] * (count % BATCH > 0)
    assert not session.is_lost


def test_an_error_midway_is_raised_after_the_rows_before(driver: PostgreSqlDriver, session: PostgreSqlSession) -> None:
    query = driver.query("SELECT 1 / (5000 - i) AS login FROM generate_series(1, 9000) AS i")
    found = []
    with pytest.raises(driver.module.errors.DivisionByZero, match="division by zero"):
        found.extend(session.stream(query))
    assert 2 * BATCH <= sum(len(rows) for _, rows in found) < 5000
    assert session.is_lost


@pytest.mark.parametrize("statement", ["SELECT nothing FROM nowhere", "SET work_mem = '8MB'", "DELETE FROM persons"])
def test_a_statement_that_gives_no_rows_is_an_error(
    driver: PostgreSqlDriver, session: PostgreSqlSession, statement: str
) -> None:
    with pytest.raises(driver.module.Error):
        list(session.stream(driver.query(statement)))
    assert session.is_lost


def test_a_stream_that_is_left_ends_the_connection(driver: PostgreSqlDriver, session: PostgreSqlSession) -> None:
    stream = session.stream(driver.query("SELECT i, pg_sleep(i / 2500) FROM generate_series(1, 9000) AS i"))
    assert len(next(stream).rows) == BATCH
    stream.close()
    assert session.is_lost
