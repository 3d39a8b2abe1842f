"""The contract of backends, on each kind of database and in each way to configure it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from integration_server.builtin.sql import SqlBackend
from integration_server.sdk.testing import AuthenticatorConformance, BackendConformance, Outage
from tests.builtin.sql import people_database as db
from tests.builtin.sql.people_database import PeopleDatabase
from tests.servers import PEOPLE, MariaDb, PostgreSql
from tests.tcp_proxy import TcpProxy


class SqlConformance(AuthenticatorConformance, BackendConformance):
    backend_class = SqlBackend
    verifies_from_entry = True
    outage_seconds = 0.3

    @pytest.fixture
    def population(self) -> dict[str, str | None]:
        return db.population(5)

    @pytest.fixture
    def secrets(self, population: dict[str, str | None]) -> list[str]:
        passwords = [password for password in population.values() if password]
        return [*passwords, *map(db.ssha256, passwords), "a-secret"]


class TestSqlite(SqlConformance):
    @pytest.fixture
    def population(self) -> dict[str, str | None]:
        return db.population()

    @pytest.fixture
    def table(self, sqlite_database: PeopleDatabase) -> dict[str, Any]:
        return db.settings("sqlite:///people.db")

    @pytest.fixture
    def outages(self, sqlite_database: PeopleDatabase, tmp_path: Path) -> list[Outage]:
        path = tmp_path / "people.db"
        return [
            db.held(sqlite_database, "PRAGMA busy_timeout = 0", "BEGIN EXCLUSIVE"),
            Outage("the file is gone", lambda: db.gone(path)),
            Outage("the file is garbage", lambda: db.garbage(path)),
        ]


class TestSqliteByStatements(SqlConformance):
    can_ignore_case = False

    @pytest.fixture
    def table(self, sqlite_database: PeopleDatabase) -> dict[str, Any]:
        # Readers then keep no writer out, and the table can vanish while it is read.
        sqlite_database.run("PRAGMA journal_mode = WAL")
        people = "SELECT id, login AS uid, full_name, password FROM persons"
        mails = "SELECT group_concat(address, ';') FROM (SELECT * FROM addresses WHERE person = id ORDER BY position)"
        return {
            "type": "sql",
            "url": "sqlite:///people.db",
            "list_statement": f"SELECT *, ({mails}) AS mails FROM ({people});",
            "find_statement": f"SELECT *, ({mails}) AS mails FROM ({people}) WHERE uid = :value",
            "password_column": "password",
            "map": {
                "id": "id",
                "username": "uid",
                "full_name": "full_name",
                "emails": {"from": "mails", "separator": ";"},
            },
        }

    @pytest.fixture
    def outages(self, sqlite_database: PeopleDatabase) -> list[Outage]:
        return [db.renamed(sqlite_database)]


class TestPostgreSql(SqlConformance):
    @pytest.fixture
    def table(self, postgresql_people: PeopleDatabase) -> dict[str, Any]:
        return db.settings(postgresql_people.url)

    @pytest.fixture
    def outages(self, postgresql: PostgreSql, postgresql_people: PeopleDatabase) -> list[Outage]:
        lock = "LOCK TABLE persons IN ACCESS EXCLUSIVE MODE"
        return [
            db.frozen(postgresql),
            db.renamed(postgresql_people),
            db.held(postgresql_people, "BEGIN", lock),
        ]


class TestPostgreSqlByStatements(SqlConformance):
    can_ignore_case = False
    verifies_from_entry = False

    @pytest.fixture
    def table(self, postgresql_people: PeopleDatabase, proxy: TcpProxy) -> dict[str, Any]:
        people = (
            "SELECT p.id, login, full_name, array(SELECT address::text FROM addresses a WHERE a.person = p.id "
            "ORDER BY position) AS mails FROM persons p"
        )
        return {
            "type": "sql",
            "url": db.through(proxy, postgresql_people.url),
            "list_statement": people,
            "find_statement": f"{people} WHERE login = :value",
            "auth_statement": "SELECT password FROM persons WHERE login = :username",
            "map": {"id": "id", "username": "login", "full_name": "full_name", "emails": "mails"},
        }

    @pytest.fixture
    def proxy(self, postgresql: PostgreSql, tcp_proxy: Callable[[int], TcpProxy]) -> TcpProxy:
        return tcp_proxy(postgresql.port)

    @pytest.fixture
    def outages(self, proxy: TcpProxy) -> list[Outage]:
        return db.network_faults(proxy)


class TestMariaDb(SqlConformance):
    @pytest.fixture
    def table(self, mariadb_people: PeopleDatabase) -> dict[str, Any]:
        return db.settings(mariadb_people.url)

    @pytest.fixture
    def outages(self, mariadb: MariaDb, mariadb_people: PeopleDatabase) -> list[Outage]:
        return [
            db.frozen(mariadb),
            db.renamed(mariadb_people),
            db.held(mariadb_people, "LOCK TABLES persons WRITE"),
        ]


class TestMariaDbByStatements(SqlConformance):
    can_ignore_case = False
    verifies_from_entry = False

    @pytest.fixture
    def table(self, mariadb_people: PeopleDatabase, proxy: TcpProxy) -> dict[str, Any]:
        return {
            "type": "sql",
            "url": db.through(proxy, mariadb_people.url),
            "list_statement": "SELECT id, login, full_name FROM persons",
            "find_statement": "SELECT id, login, full_name FROM persons WHERE login = :value",
            "auth_statement": "SELECT hash = SHA2(CONCAT('salt', :password), 256) FROM secrets WHERE person = :id",
            "map": {"id": "id", "username": "login", "full_name": "full_name"},
        }

    @pytest.fixture(autouse=True)
    def _passwords_in_a_form_of_their_own(self, mariadb_people: PeopleDatabase) -> None:
        mariadb_people.run("CREATE OR REPLACE TABLE secrets (person INT PRIMARY KEY, hash CHAR(64))")
        with mariadb_people.connected() as connection:
            statement = sa.text("INSERT INTO secrets VALUES (:n, SHA2(CONCAT('salt', :p), 256))")
            connection.execute(statement, [{"n": n, "p": person.password} for n, person in enumerate(PEOPLE, 1)])

    @pytest.fixture
    def proxy(self, mariadb: MariaDb, tcp_proxy: Callable[[int], TcpProxy]) -> TcpProxy:
        return tcp_proxy(mariadb.port)

    @pytest.fixture
    def outages(self, proxy: TcpProxy) -> list[Outage]:
        return db.network_faults(proxy)


def test_nothing_is_written_beside_the_file(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    before = os.stat(tmp_path / "people.db").st_mtime_ns, (tmp_path / "people.db").read_bytes()
    backend = db.opened(db.settings("sqlite:///people.db"), tmp_path)
    assert sum(len(batch.rows) for batch in backend.users(db.soon())) == len(PEOPLE)
    list(backend.check(db.soon()))
    backend.close()
    assert (os.stat(tmp_path / "people.db").st_mtime_ns, (tmp_path / "people.db").read_bytes()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "people.db"]
