"""What is asked by libpq's own calls is answered as by psycopg's cursor."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from integration_server import Deadline
from integration_server.builtin.sql.driver import Query, Rows, names_of
from integration_server.builtin.sql.postgresql import PostgreSqlDriver, PostgreSqlSession
from integration_server.builtin.sql.postgresql_asking import numbered
from tests.servers import PostgreSql

VALUES: list[object] = [
    "text",
    "größer % %s",
    "",
    None,
    0,
    -1,
    40_000,
    2**40,
    Decimal("1.50"),
    True,
    1.5,
    b"\0bytes",
    uuid.UUID(int=5),
    dt.date(2026, 1, 31),
    dt.datetime(2026, 1, 31, 12, 30, tzinfo=dt.UTC),
    ["a", "b", None],
]
ANSWERS = [
    "SELECT 1::int2 AS a, 2::int8 AS b, 1.50::numeric AS c, 'x'::text AS \"größer\", NULL AS d WHERE :v = :v",
    "SELECT 'infinity'::timestamptz, '-infinity'::date, '2026-01-31'::date, now()::timestamp(0) WHERE :v <> 'b'",
    "SELECT '\\x00ff'::bytea, true, ARRAY['a', 'b'], '{\"a\": 1}'::jsonb, '12:30'::time, 1.5::float8 WHERE :v <> 'b'",
    "SELECT 10 % 3, 'a%b' LIKE '%b', 'a' AS \"per%cent\", '%s' WHERE :v LIKE '%'",
    "SELECT n, n AS n FROM generate_series(1, 50) AS n WHERE :v <> 'b'",
    "SELECT 1 WHERE :v = 'nobody'",
    "SELECT FROM generate_series(1, 3) WHERE :v <> 'b'",
]
MISTAKES = [
    "SELEC :v",
    "SELECT nothing FROM nowhere WHERE a = :v",
    "SELECT 1 / 0 WHERE :v <> 'b'",
    "SELECT CAST(:v AS integer)",
    "CREATE TABLE forbidden (a text DEFAULT :v)",
    "SELECT :v; SELECT 1",
]


@pytest.fixture(params=[False, True], ids=["unprepared", "prepared"])
def driver(postgresql: PostgreSql, request: pytest.FixtureRequest) -> PostgreSqlDriver:
    return PostgreSqlDriver("test", sa.make_url(postgresql.url), prepares=request.param)


@pytest.fixture
def session(driver: PostgreSqlDriver) -> Iterator[PostgreSqlSession]:
    found = driver.connect(Deadline(10), 10)
    yield found
    found.close()


def by_cursor(session: PostgreSqlSession, query: Query, values: dict[str, Any], limit: int) -> Rows:
    with session.connection.cursor() as cursor:
        cursor.execute(query.sql, query.arguments(values))
        return Rows(names_of(cursor.description), cursor.fetchmany(limit) if cursor.description else [])


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_go_and_come_as_by_a_cursor(driver: PostgreSqlDriver, session: PostgreSqlSession, value: object) -> None:
    query = driver.query("SELECT :v AS v, coalesce(:v) AS same")
    wanted = by_cursor(session, query, {"v": value}, 10)
    for _ in range(6):
        assert session.fetch(query, {"v": value}, 10) == wanted


@pytest.mark.parametrize("text", ANSWERS)
@pytest.mark.parametrize("limit", [1, 100])
def test_rows_are_those_of_a_cursor(
    driver: PostgreSqlDriver, session: PostgreSqlSession, text: str, limit: int
) -> None:
    query = driver.query(text)
    wanted = by_cursor(session, query, {"v": "a"}, limit)
    for _ in range(6):
        found = session.fetch(query, {"v": "a"}, limit)
        assert found == wanted
        assert [list(map(type, row)) for row in found.rows] == [list(map(type, row)) for row in wanted.rows]


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_those_of_a_cursor(driver: PostgreSqlDriver, session: PostgreSqlSession, text: str) -> None:
    query = driver.query(text)
    for _ in range(6):
        with pytest.raises(psycopg.Error) as wanted:
            by_cursor(session, query, {"v": "a"}, 10)
        with pytest.raises(psycopg.Error) as found:
            session.fetch(query, {"v": "a"}, 10)
        assert type(found.value) is type(wanted.value)
        assert str(found.value) == str(wanted.value)
        assert found.value.sqlstate == wanted.value.sqlstate
    assert not session.is_lost
    assert session.fetch(driver.query("SELECT :v"), {"v": "a"}).rows == [("a",)]


def test_lost_connection_is_an_outage(driver: PostgreSqlDriver, session: PostgreSqlSession) -> None:
    query = driver.query("SELECT :v")
    for _ in range(6):
        session.fetch(query, {"v": "a"})
    session.interrupt()
    with pytest.raises(psycopg.OperationalError):
        session.fetch(query, {"v": "a"})
    assert session.is_lost


def test_ended_by_the_server_is_an_outage(driver: PostgreSqlDriver, session: PostgreSqlSession) -> None:
    number = session.connection.info.backend_pid
    other = driver.connect(Deadline(10), 10)
    other.fetch(driver.query("SELECT pg_terminate_backend(:pid)"), {"pid": number})
    other.close()
    with pytest.raises(psycopg.OperationalError):
        session.fetch(driver.query("SELECT :v"), {"v": "a"})
    assert session.is_lost


def test_other_threads_run_while_the_server_is_waited_for(driver: PostgreSqlDriver, session: PostgreSqlSession) -> None:
    query = driver.query("SELECT pg_sleep(:seconds)")
    waiting = threading.Thread(target=session.fetch, args=(query, {"seconds": 0.5}))
    turns = 0
    waiting.start()
    while waiting.is_alive():
        turns += 1
        time.sleep(0.01)
    assert turns > 5


def test_interrupted_question_fails_at_once(driver: PostgreSqlDriver, session: PostgreSqlSession) -> None:
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            session.fetch(driver.query("SELECT pg_sleep(:seconds)"), {"seconds": 60})
        except psycopg.Error as exc:
            raised.append(exc)

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.05)
    session.cancel()
    asking.join(20)
    assert isinstance(raised[0], psycopg.OperationalError)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1", b"SELECT 1"),
        ("a = %s AND b = %s", b"a = $1 AND b = $2"),
        ("a %% 3 = %s", b"a % 3 = $1"),
        ("a LIKE '%%s' OR %s", b"a LIKE '%s' OR $1"),
        ("'%%%%' || %s", b"'%%' || $1"),
    ],
)
def test_marks_are_numbered(text: str, expected: bytes) -> None:
    assert numbered(text) == expected


def test_name_of_a_prepared_statement_stands_for_no_other_one(postgresql: PostgreSql) -> None:
    """Sessions may come to use each other's connections to the server, behind a pooler."""
    driver = PostgreSqlDriver("test", sa.make_url(postgresql.url), prepares=True)
    found = set()
    for text, values in [
        ("SELECT :v AS one", ["a"]),
        ("SELECT :v AS two", ["a"]),
        ("SELECT :v AS one", [7]),
        ("SELECT :v AS one", ["a"]),
    ]:
        session = driver.connect(Deadline(10), 10)
        for value in values * 5:
            session.fetch(driver.query(text), {"v": value})
        prepared = "SELECT name, statement, parameter_types::text FROM pg_prepared_statements"
        found.update(session.connection.execute(prepared).fetchall())
        session.close()
    assert len(found) == 3
    assert len({name for name, _, _ in found}) == 3
