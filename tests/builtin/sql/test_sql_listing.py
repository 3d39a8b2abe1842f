"""Lists are whole, as of one moment, or an error; and nothing is ever written."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from integration_server import (
    BackendError,
    BackendMisconfigured,
    BackendTimeout,
    BackendUnavailable,
    BadEntry,
    Deadline,
    IncompleteListing,
    Lookup,
)
from integration_server.builtin.sql import SqlBackend
from integration_server.sdk.testing import list_users, open_mapper
from tests.builtin.sql.people_database import SIMPLE, PeopleDatabase, faulty, opened, settings, soon, through
from tests.servers import PEOPLE, MariaDb, PostgreSql, Server
from tests.tcp_proxy import BlackHole, CutAfter, Drip, Fault, FreezeAfter, TcpProxy
from tests.waiting import wait_for

Servers = dict[str, Server]


@pytest.fixture(scope="module")
def crowds(postgresql: PostgreSql, mariadb: MariaDb) -> dict[str, PeopleDatabase]:
    """The sample people and 9,000 more, on each server."""
    found = {}
    for name, url in (("postgresql", postgresql.create_database()), ("mariadb", mariadb.create_database())):
        found[name] = PeopleDatabase(url)
        found[name].create()
        found[name].load(9_000)
    return found


@pytest.fixture(params=["postgresql", "mariadb"])
def crowd(request: pytest.FixtureRequest, crowds: dict[str, PeopleDatabase]) -> PeopleDatabase:
    return crowds[request.param]


@pytest.fixture
def proxy(crowd: PeopleDatabase, tcp_proxy: Callable[[int], TcpProxy]) -> TcpProxy:
    port = sa.make_url(crowd.url).port
    assert port is not None
    return tcp_proxy(port)


def _rows(backend: SqlBackend, deadline: Deadline | None = None) -> list[dict[str, Any]]:
    return [
        dict(zip(batch.names, row, strict=True)) for batch in backend.users(deadline or soon()) for row in batch.rows
    ]


def test_a_list_of_many_batches_has_everybody_with_their_own(crowd: PeopleDatabase, tmp_path: Path) -> None:
    table = settings(crowd.url)
    backend = opened(table, tmp_path)
    users = {user.username: user for user in list_users(backend, open_mapper(SqlBackend, table, tmp_path), soon())}
    assert len(users) == len(PEOPLE) + 9_000
    for person in PEOPLE:
        found = users[person.uid]
        assert tuple(email.address for email in found.emails) == person.emails
        assert sorted(found.groups) == sorted(person.groups)
    assert users["u9000"].emails == ()
    backend.close()


def test_a_list_shows_one_moment(crowd: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(crowd.url), tmp_path)
    with closing(backend.users(soon())) as batches:
        first = next(batches)
        # By the time that the others are read, somebody has come, somebody has gone, and addresses have changed.
        crowd.run(
            "UPDATE addresses SET address = 'changed' WHERE person = 1",
            "DELETE FROM persons WHERE id = 1009000",
            "INSERT INTO persons (id, login) VALUES (2000000, 'newcomer')",
        )
        try:
            rows = [*first.rows, *(row for batch in batches for row in batch.rows)]
        finally:
            crowd.run(
                "DELETE FROM persons WHERE id = 2000000",
                "INSERT INTO persons (id, login) VALUES (1009000, 'u9000')",
                "DELETE FROM addresses WHERE person = 1",
                *(
                    f"INSERT INTO addresses VALUES (1, '{address}', {n == 0}, {n})"
                    for n, address in enumerate(PEOPLE[0].emails)
                ),
            )
    names = {row[1] for row in rows}
    assert "newcomer" not in names
    assert "u9000" in names
    assert not any("changed" in str(row) for row in rows)
    backend.close()


@pytest.mark.parametrize("sides", [True, False])
@pytest.mark.parametrize("fault", [CutAfter(300_000), CutAfter(300_000, is_reset=True)])
def test_a_list_cut_midway_is_incomplete(
    crowd: PeopleDatabase, proxy: TcpProxy, tmp_path: Path, fault: Fault, sides: bool
) -> None:
    backend = opened(settings(through(proxy, crowd.url), **({} if sides else SIMPLE)), tmp_path)

    def is_incomplete() -> bool:
        with faulty(proxy, fault), pytest.raises(BackendUnavailable) as caught:
            _rows(backend)
        return sides or isinstance(caught.value, IncompleteListing)

    # A reset takes along what came and was not read yet: all of it, where the reader is slow.
    wait_for(is_incomplete)
    assert len(_rows(backend)) == len(PEOPLE) + 9_000
    backend.close()


@pytest.mark.parametrize("fault", [FreezeAfter(100_000), Drip(0.01), BlackHole()])
def test_a_list_that_stalls_ends_at_its_deadline(
    crowd: PeopleDatabase, proxy: TcpProxy, tmp_path: Path, fault: Fault
) -> None:
    backend = opened(settings(through(proxy, crowd.url), **SIMPLE), tmp_path)
    started = time.monotonic()
    with faulty(proxy, fault), pytest.raises(BackendTimeout):
        _rows(backend, Deadline(0.7))
    assert time.monotonic() - started < 5
    assert len(_rows(backend)) == len(PEOPLE) + 9_000
    backend.close()


def test_a_list_left_in_the_middle_ends_its_connection_at_once(
    crowd: PeopleDatabase, proxy: TcpProxy, tmp_path: Path
) -> None:
    backend = opened(settings(through(proxy, crowd.url), **SIMPLE), tmp_path)
    batches = backend.users(soon())
    next(batches)
    assert proxy.connections == 1
    # Even from a server that says nothing any more.
    with faulty(proxy, BlackHole()):
        started = time.monotonic()
        batches.close()
        assert time.monotonic() - started < 5
    for _ in range(200):
        if not proxy.connections:
            break
        time.sleep(0.01)
    assert proxy.connections == 0
    backend.close()


def test_a_list_that_nobody_reads_on_ends_at_its_deadline(crowd: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(crowd.url, **SIMPLE), tmp_path)
    batches = backend.users(Deadline(0.5))
    next(batches)
    time.sleep(0.7)
    with pytest.raises(BackendTimeout):
        list(batches)
    backend.close()


_SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) "
    "SELECT max(i) AS login FROM n",
    "postgresql": "SELECT 1 AS login FROM pg_sleep(60)",
    "mysql": "SELECT SLEEP(60) AS login",
}


def test_a_slow_statement_ends_at_its_deadline(people: PeopleDatabase, tmp_path: Path) -> None:
    slow = _SLOW[sa.make_url(people.url).get_backend_name()]
    backend = opened(
        {
            "type": "sql",
            "url": people.url,
            "list_statement": slow,
            "find_statement": f"{slow} WHERE :value = 'x'"
            if "SLEEP(" in slow.upper()
            else f"{slow} WHERE :value <> ''",
            "map": {"username": "login"},
        },
        tmp_path,
    )
    calls: list[Callable[[Deadline], object]] = [
        lambda until: list(backend.users(until)),
        lambda until: backend.find(Lookup("login", "x"), until),
    ]
    for call in calls:
        started = time.monotonic()
        with pytest.raises(BackendTimeout):
            call(Deadline(0.4))
        assert time.monotonic() - started < 5
    backend.close()


def test_servers_are_told_to_give_up_slow_statements_themselves(crowd: PeopleDatabase, tmp_path: Path) -> None:
    setting = (
        "current_setting('statement_timeout')" if "postgresql" in crowd.url else "CAST(@@max_statement_time AS CHAR)"
    )
    expected = {"postgresql": ("4s", "31s"), "mysql": ("4.000000", "31.000000")}[
        sa.make_url(crowd.url).get_backend_name()
    ]
    statement = f"SELECT {setting} AS login"
    backend = opened(
        {
            "type": "sql",
            "url": crowd.url,
            "list_statement": statement,
            "find_statement": f"{statement} WHERE :value <> ''",
            "map": {"username": "login"},
            "auth_seconds": 3.0,
            "list_seconds": 30.0,
        },
        tmp_path,
    )
    assert str(_rows(backend)[0]["login"]) == expected[1]
    assert backend.find(Lookup("login", expected[0]), soon()) is not None
    backend.close()


def test_the_database_cannot_be_written(people: PeopleDatabase, tmp_path: Path) -> None:
    table = {**settings(people.url, **SIMPLE), "password_column": None}
    table["auth_statement"] = "UPDATE persons SET full_name = 'x' WHERE login = :value"
    backend = opened(table, tmp_path)
    entry = backend.find(Lookup("login", "alice"), soon())
    assert entry is not None
    with pytest.raises(BackendMisconfigured, match=r"read.?only|READ ONLY"):
        backend.verify(entry, "x", soon())
    backend.close()
    backend = opened(
        {
            "type": "sql",
            "url": people.url,
            "list_statement": "DELETE FROM persons",
            "find_statement": "SELECT login FROM persons WHERE login = :value",
            "map": {"username": "login"},
        },
        tmp_path,
    )
    with pytest.raises(BackendError):
        _rows(backend)
    backend.close()
    assert people.scalar("SELECT COUNT(*) FROM persons WHERE full_name <> 'x'") == len(PEOPLE)


def test_a_server_that_cuts_every_answer_short_is_overruled(mariadb: MariaDb, tmp_path: Path) -> None:
    database = PeopleDatabase(mariadb.create_database())
    database.create()
    database.run("SET GLOBAL sql_select_limit = 3")
    try:
        backend = opened(settings(database.url), tmp_path)
        assert len(_rows(backend)) == len(PEOPLE)
        backend.close()
    finally:
        database.run("SET GLOBAL sql_select_limit = DEFAULT")


@pytest.mark.parametrize("table", ["addresses", "memberships"])
def test_a_vanished_second_table_is_no_list_without_addresses(
    database: PeopleDatabase, tmp_path: Path, table: str
) -> None:
    backend = opened(settings(database.url), tmp_path)
    database.run(f"DROP TABLE {table}")
    with pytest.raises(BackendMisconfigured, match=table):
        _rows(backend)
    with pytest.raises(BackendMisconfigured, match=table):
        backend.find(Lookup("login", "alice"), soon())
    backend.close()


def test_keys_of_another_type_or_case_find_their_rows(database: PeopleDatabase, tmp_path: Path) -> None:
    database.run(
        "CREATE TABLE mails (who VARCHAR(20), address VARCHAR(50))",
        "INSERT INTO mails VALUES ('1', 'alice@example.org'), ('2', 'bob@example.org'), ('2x', 'nobody@example.org')",
    )
    side = {"table": "mails", "user_column": "who", "address_column": "address", "key_column": "id"}
    backend = opened(settings(database.url, email_table=side), tmp_path)
    found = {row["login"]: row["emails"] for row in _rows(backend)}
    assert found["alice"] == ["alice@example.org"]
    assert found["bob"] == ["bob@example.org"]
    assert not any(emails for login, emails in found.items() if login not in ("alice", "bob"))
    entry = backend.find(Lookup("login", "bob"), soon())
    assert entry is not None
    assert entry.attributes["emails"] == ["bob@example.org"]
    backend.close()


def test_a_second_table_may_be_a_join(people: PeopleDatabase, tmp_path: Path) -> None:
    side = {
        "statement": "SELECT p.login, m.name AS team FROM persons p JOIN memberships m ON m.person = p.id -- both",
        "user_column": "login",
        "group_column": "team",
        "key_column": "login",
    }
    backend = opened(settings(people.url, group_table=side), tmp_path)
    found = {row["login"]: row["groups"] for row in _rows(backend)}
    assert {login: sorted(groups) for login, groups in found.items()} == {p.uid: sorted(p.groups) for p in PEOPLE}
    backend.close()


def test_a_primary_mark_that_means_nothing_is_a_bad_entry(database: PeopleDatabase, tmp_path: Path) -> None:
    database.run("CREATE TABLE mails (who INTEGER, address VARCHAR(50), kind VARCHAR(20))")
    database.run("INSERT INTO mails VALUES (1, 'alice@example.org', 'main')")
    side = {"table": "mails", "user_column": "who", "address_column": "address", "key_column": "id"}
    backend = opened(settings(database.url, email_table={**side, "primary_column": "kind"}), tmp_path)
    with pytest.raises(BadEntry, match="'main' is neither yes nor no"):
        _rows(backend)
    backend.close()


def test_memory_stays_flat_while_a_list_is_read(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    sqlite_database.load(30_000)
    backend = opened(settings(sqlite_database.url), tmp_path)
    gc.collect()
    tracemalloc.start()
    count = sum(len(batch.rows) for batch in backend.users(soon()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == len(PEOPLE) + 30_000
    assert peak < 5_000_000, "a list of 30,000 takes above 10 MB as a whole"
    backend.close()


def test_columns_that_the_database_keeps_unique_are_told(database: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(database.url, **SIMPLE), tmp_path)
    assert next(backend.users(soon())).unique == {"id", "login"}
    backend.close()
    database.run(
        "CREATE TABLE names (login VARCHAR(50), one INTEGER, two INTEGER, UNIQUE (one, two))",
        "CREATE INDEX by_login ON names (login)",
        "INSERT INTO names VALUES ('ann', 1, 1)",
    )
    backend = _names(database, tmp_path, map={"username": "login", "nickname": "one"})
    assert next(backend.users(soon())).unique == frozenset()
    if "postgresql" in database.url:
        database.run(
            "CREATE UNIQUE INDEX partial ON names (login) WHERE one > 1", "CREATE TABLE heirs () INHERITS (names)"
        )
        assert next(backend.users(soon())).unique == frozenset()
        database.run("CREATE UNIQUE INDEX whole ON names (login)")
        assert next(backend.users(soon())).unique == frozenset()
        database.run("DROP TABLE heirs", "VACUUM ANALYZE names")
    else:
        database.run("CREATE UNIQUE INDEX whole ON names (login)")
    assert next(backend.users(soon())).unique == {"login"}
    database.run("CREATE VIEW view_of_names AS SELECT login FROM names")
    backend.close()
    backend = _names(database, tmp_path, table="view_of_names", map={"username": "login"})
    assert next(backend.users(soon())).unique == frozenset()
    backend.close()


# -- values that only one database has -------------------------------------------------------------------------------


def _names(database: PeopleDatabase, folder: Path, **changes: Any) -> SqlBackend:
    alone = {"table": "names", "password_column": None}
    return opened(settings(database.url, **{**SIMPLE, **alone, **changes}), folder)


def test_text_that_is_not_utf8_is_a_bad_entry_that_may_be_allowed(
    sqlite_database: PeopleDatabase, tmp_path: Path
) -> None:
    sqlite_database.run(
        "CREATE TABLE names (login TEXT)",
        "INSERT INTO names VALUES ('ann'), (CAST(X'6AFC7267656E' AS TEXT)), ('bob')",
    )
    mapping = {"username": "login"}
    backend = _names(sqlite_database, tmp_path, map=mapping)
    with pytest.raises(BadEntry, match=r"not UTF-8 in column 'login'") as caught:
        _rows(backend)
    assert "rgen" not in repr(caught.value.__cause__)
    backend.close()
    backend = _names(sqlite_database, tmp_path, map=mapping, bad_rows_allowed=1)
    assert [row["login"] for row in _rows(backend)] == ["ann", b"j\xfcrgen", "bob"]
    backend.close()


def test_postgresql_says_never_with_infinity(postgresql_database: PeopleDatabase, tmp_path: Path) -> None:
    postgresql_database.run(
        "CREATE TABLE names (login TEXT, until TIMESTAMPTZ, day DATE)",
        "INSERT INTO names VALUES ('ann', 'infinity', 'infinity'), ('bob', '-infinity', '2024-02-03')",
    )
    backend = _names(postgresql_database, tmp_path, map={"username": "login", "expires_at": "until", "tz": "day"})
    ann, bob = _rows(backend)
    assert (ann["until"], ann["day"]) == (None, None)
    assert bob["until"].year == 1
    assert str(bob["day"]) == "2024-02-03"
    backend.close()


def test_postgresql_arrays_are_several_values(postgresql_database: PeopleDatabase, tmp_path: Path) -> None:
    postgresql_database.run(
        "CREATE TABLE names (login TEXT, mails TEXT[])", "INSERT INTO names VALUES ('ann', '{a@x,b@x}'), ('bob', NULL)"
    )
    table = settings(postgresql_database.url, **{**SIMPLE, "table": "names", "password_column": None})
    table["map"] = {"username": "login", "emails": "mails"}
    backend = opened(table, tmp_path)
    users = list_users(backend, open_mapper(SqlBackend, table, tmp_path), soon())
    assert [[email.address for email in user.emails] for user in users] == [["a@x", "b@x"], []]
    backend.close()


def test_mariadb_says_never_with_zeros_and_yes_with_bits(mariadb_database: PeopleDatabase, tmp_path: Path) -> None:
    mariadb_database.run(
        "CREATE TABLE names (login VARCHAR(20), until DATETIME, off BIT(1))",
        "SET STATEMENT sql_mode = '' FOR INSERT INTO names VALUES ('ann', '0000-00-00 00:00:00', b'1')",
        "INSERT INTO names VALUES ('bob', '2024-02-03 04:05:06', b'0')",
    )
    table = settings(mariadb_database.url, **{**SIMPLE, "table": "names", "password_column": None})
    table["map"] = {"username": "login", "expires_at": "until", "is_disabled": "off"}
    backend = opened(table, tmp_path)
    users = list_users(backend, open_mapper(SqlBackend, table, tmp_path), soon())
    assert [user.state.value for user in users] == ["disabled", "expired"]
    backend.close()
