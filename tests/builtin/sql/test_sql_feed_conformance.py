"""The contract of change feeds, on each kind of database and for both ways to notice changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from integration_server.builtin.sql import SqlBackend
from integration_server.sdk.testing import ChangeFeedConformance, Outage
from tests.builtin.sql import people_database as db
from tests.builtin.sql.feed_edits import NOW, SqlEdits, put_back, with_outbox, with_updated_at
from tests.builtin.sql.people_database import PeopleDatabase
from tests.servers import MariaDb, PostgreSql
from tests.tcp_proxy import TcpProxy


class SqlFeed(ChangeFeedConformance):
    backend_class = SqlBackend
    outage_seconds = 0.3

    @pytest.fixture
    def population(self) -> dict[str, str | None]:
        return db.population(0)


class ByUpdatedAt(SqlFeed):
    tells_gone = False

    @pytest.fixture
    def edits(self, source: PeopleDatabase) -> SqlEdits:
        return SqlEdits(source, _now(source))

    @pytest.fixture
    def table(self, source: PeopleDatabase) -> dict[str, Any]:
        return db.settings(source.url, updated_at_column="updated_at")


class ByOutbox(SqlFeed):
    @pytest.fixture
    def table(self, source: PeopleDatabase) -> dict[str, Any]:
        return db.settings(source.url, outbox_table={"table": "integration_outbox"})

    @pytest.fixture
    def edits(self, source: PeopleDatabase) -> SqlEdits:
        return SqlEdits(source)


def _now(database: PeopleDatabase) -> str:
    return next(iter(NOW[sa.make_url(database.url).get_backend_name()].values()))


def _prepared(database: PeopleDatabase) -> PeopleDatabase:
    """With the column and the outbox: each feed overlooks the other's."""
    with_updated_at(database)
    with_outbox(database)
    return database


@pytest.fixture(scope="session")
def postgresql_source(postgresql: PostgreSql) -> PeopleDatabase:
    database = PeopleDatabase(postgresql.create_database())
    database.create()
    return _prepared(database)


@pytest.fixture(scope="session")
def mariadb_source(mariadb: MariaDb) -> PeopleDatabase:
    database = PeopleDatabase(mariadb.create_database())
    database.create()
    return _prepared(database)


class OnSqlite:
    @pytest.fixture
    def source(self, sqlite_database: PeopleDatabase) -> PeopleDatabase:
        sqlite_database.run("PRAGMA journal_mode = WAL")
        return _prepared(sqlite_database)

    @pytest.fixture
    def outages(self, source: PeopleDatabase, tmp_path: Path) -> list[Outage]:
        return [db.renamed(source)]


class OnPostgreSql:
    @pytest.fixture
    def source(self, postgresql_source: PeopleDatabase) -> PeopleDatabase:
        put_back(postgresql_source)
        return postgresql_source

    @pytest.fixture
    def outages(self, postgresql: PostgreSql, source: PeopleDatabase) -> list[Outage]:
        return [db.frozen(postgresql), db.renamed(source)]


class OnMariaDb:
    @pytest.fixture
    def source(self, mariadb_source: PeopleDatabase) -> PeopleDatabase:
        put_back(mariadb_source)
        return mariadb_source

    @pytest.fixture
    def outages(self, mariadb: MariaDb, source: PeopleDatabase) -> list[Outage]:
        return [db.frozen(mariadb)]


class TestUpdatedAtOnSqlite(OnSqlite, ByUpdatedAt):
    pass


class TestUpdatedAtOnPostgreSql(OnPostgreSql, ByUpdatedAt):
    pass


class TestUpdatedAtOnMariaDb(OnMariaDb, ByUpdatedAt):
    pass


class TestOutboxOnSqlite(OnSqlite, ByOutbox):
    @pytest.fixture
    def outages(self, source: PeopleDatabase) -> list[Outage]:
        return [db.renamed(source, "integration_outbox")]


class TestOutboxOnPostgreSql(OnPostgreSql, ByOutbox):
    @pytest.fixture
    def outages(self, postgresql: PostgreSql, source: PeopleDatabase) -> list[Outage]:
        return [db.frozen(postgresql), db.renamed(source, "integration_outbox")]


class TestOutboxOnMariaDb(OnMariaDb, ByOutbox):
    @pytest.fixture
    def table(self, source: PeopleDatabase, proxy: TcpProxy) -> dict[str, Any]:
        return db.settings(db.through(proxy, source.url), outbox_table={"table": "integration_outbox"})

    @pytest.fixture
    def proxy(self, mariadb: MariaDb, tcp_proxy: Callable[[int], TcpProxy]) -> TcpProxy:
        return tcp_proxy(mariadb.port)

    @pytest.fixture
    def outages(self, proxy: TcpProxy) -> list[Outage]:
        return db.network_faults(proxy)


class TestUpdatedAtThroughAnyDriver(ByUpdatedAt):
    """PostgreSQL by a driver that this plugin knows nothing of, and by own statements."""

    can_ignore_case = False

    @pytest.fixture
    def source(self, postgresql_source: PeopleDatabase) -> PeopleDatabase:
        put_back(postgresql_source)
        return postgresql_source

    @pytest.fixture
    def table(self, source: PeopleDatabase) -> dict[str, Any]:
        people = "SELECT id, login, full_name, updated_at FROM persons"
        return {
            "type": "sql",
            "url": source.url.replace("+psycopg", "+pg8000"),
            "list_statement": people,
            "find_statement": f"{people} WHERE login = :value",
            "changes_statement": f"{people} WHERE updated_at > :since",
            "updated_at_column": "updated_at",
            "map": {"id": "id", "username": "login", "full_name": "full_name"},
        }

    @pytest.fixture
    def outages(self, source: PeopleDatabase) -> list[Outage]:
        return [db.renamed(source)]
