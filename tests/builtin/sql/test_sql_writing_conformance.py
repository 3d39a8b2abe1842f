"""The contract of groups, memberships and accounts, on each kind of database and in each way to configure it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from integration_server.builtin.sql import SqlBackend
from integration_server.sdk.testing import (
    AccountWriterConformance,
    GroupReaderConformance,
    MembershipWriterConformance,
    Outage,
)
from tests.builtin.sql import people_database as db
from tests.builtin.sql.people_database import PeopleDatabase
from tests.servers import MariaDb, PostgreSql
from tests.servers.people import GROUPS

TABLES = ("persons", "addresses", "memberships", "clubs")
MAP = {
    **db.MAP,
    "biography": "bio",
    "tz": "zone",
    "preferred_emails": "emails_preferred",
    "unverified_emails": "emails_unverified",
}
EMAILS = {
    "table": "addresses",
    "user_column": "person",
    "address_column": "address",
    "key_column": "id",
    "primary_column": "is_primary",
    "verified_column": "is_verified",
    "order_column": "position",
}
MEMBERSHIPS = {"table": "memberships", "user_column": "person", "group_column": "name", "key_column": "id"}
CLUBS = {"table": "clubs", "id_column": "id", "title_column": "title"}
COLUMNS = {
    "username_column": "login",
    "full_name_column": "full_name",
    "biography_column": "bio",
    "tz_column": "zone",
}
STATEMENTS = {
    "create_statements": [
        "INSERT INTO persons (login, full_name, bio, zone) VALUES (:email, :full_name, :biography, :tz)",
        "INSERT INTO addresses (person, address, is_primary, is_verified) "
        "SELECT id, :email, 1 = 1, 1 = 1 FROM persons WHERE login = :email",
    ],
    "confirm_email_statements": [
        "UPDATE addresses SET is_primary = (1 = 1) WHERE person = :user AND address = :email AND NOT EXISTS "
        "(SELECT 1 FROM (SELECT * FROM addresses) held WHERE person = :user AND is_primary AND is_verified)",
        "UPDATE addresses SET is_verified = (1 = 1) WHERE person = :user AND address = :email",
    ],
    "add_member_statements": "INSERT INTO memberships (person, name) VALUES (:user, :group)",
    "remove_member_statements": "DELETE FROM memberships WHERE person = :user AND name = :group",
}


def prepare(database: PeopleDatabase) -> None:
    """Unverified addresses for two people, one of whom has no other, and a table of groups with one of no members."""
    database.run(
        "ALTER TABLE persons ADD COLUMN bio VARCHAR(200)",
        "ALTER TABLE persons ADD COLUMN zone VARCHAR(60)",
        "ALTER TABLE addresses ADD COLUMN is_verified BOOLEAN",
        "UPDATE addresses SET is_verified = (address <> 'alice@example.net')",
        "INSERT INTO addresses VALUES (3, 'carol@example.org', 1 = 0, 0, 1 = 0)",
        "CREATE TABLE clubs (id VARCHAR(50) PRIMARY KEY, title VARCHAR(50))",
        "INSERT INTO clubs VALUES ('staff', 'Staff'), ('admins', NULL), ('external', ''), ('O''Hara''s', 'Empty')",
    )


def by_rows(url: str) -> dict[str, Any]:
    return db.settings(
        url,
        map=MAP,
        email_table={**EMAILS, "is_writable": True},
        group_table={**MEMBERSHIPS, "is_writable": True},
        group_list=CLUBS,
        writing=COLUMNS,
    )


class SqlWriting(GroupReaderConformance, MembershipWriterConformance, AccountWriterConformance):
    backend_class = SqlBackend
    outage_seconds = 0.3

    @pytest.fixture
    def population(self) -> dict[str, str | None]:
        return db.population()

    @pytest.fixture
    def group_ids(self) -> list[str]:
        return [*GROUPS, "O'Hara's"]

    @pytest.fixture
    def unproved(self) -> dict[str, str]:
        return {"alice": "alice@example.net", "carol": "carol@example.org"}

    @pytest.fixture
    def read_only_table(self, table: dict[str, Any]) -> dict[str, Any]:
        read_only = {**table, "email_table": EMAILS, "group_table": MEMBERSHIPS}
        return {key: value for key, value in read_only.items() if key != "writing"}


class WithoutAList(MembershipWriterConformance):
    """Nothing says which groups there are, so any id is one."""

    backend_class = SqlBackend
    outage_seconds = 0.3

    @pytest.fixture
    def population(self) -> dict[str, str | None]:
        return db.population()

    @pytest.fixture
    def group_ids(self) -> None:
        return None

    @pytest.fixture
    def joinable(self) -> list[str]:
        return ["rowing", "chess", "staff"]

    @pytest.fixture
    def read_only_table(self, table: dict[str, Any]) -> dict[str, Any]:
        return {**table, "group_table": MEMBERSHIPS}


# -- SQLite ----------------------------------------------------------------------------------------------------------


class Sqlite:
    @pytest.fixture
    def outages(self, sqlite_database: PeopleDatabase, tmp_path: Path) -> list[Outage]:
        path = tmp_path / "people.db"
        return [
            db.held(sqlite_database, "PRAGMA busy_timeout = 0", "BEGIN EXCLUSIVE"),
            Outage("the file is gone", lambda: db.gone(path)),
            Outage("the file is garbage", lambda: db.garbage(path)),
        ]


class TestSqlite(Sqlite, SqlWriting):
    @pytest.fixture
    def table(self, sqlite_database: PeopleDatabase) -> dict[str, Any]:
        prepare(sqlite_database)
        return by_rows("sqlite:///people.db")


class TestSqliteByStatements(Sqlite, SqlWriting):
    @pytest.fixture
    def table(self, sqlite_database: PeopleDatabase) -> dict[str, Any]:
        prepare(sqlite_database)
        listed = {"statement": "SELECT id, title FROM clubs WHERE title IS NULL OR title <> 'gone'", **CLUBS}
        del listed["table"]
        return {
            **by_rows("sqlite:///people.db"),
            "email_table": EMAILS,
            "group_table": MEMBERSHIPS,
            "group_list": listed,
            "writing": STATEMENTS,
        }


class TestSqliteWithoutAList(Sqlite, WithoutAList):
    @pytest.fixture
    def table(self, sqlite_database: PeopleDatabase) -> dict[str, Any]:
        return db.settings("sqlite:///people.db", group_table={**MEMBERSHIPS, "is_writable": True})


# -- PostgreSQL ------------------------------------------------------------------------------------------------------


class PostgreSqlOutages:
    @pytest.fixture
    def outages(self, postgresql: PostgreSql, postgresql_database: PeopleDatabase) -> list[Outage]:
        lock = f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE"
        return [db.frozen(postgresql), db.held(postgresql_database, "BEGIN", lock)]


class TestPostgreSql(PostgreSqlOutages, SqlWriting):
    @pytest.fixture
    def table(self, postgresql_database: PeopleDatabase) -> dict[str, Any]:
        prepare(postgresql_database)
        # The people of the sample were numbered by hand.
        postgresql_database.run("SELECT setval(pg_get_serial_sequence('persons', 'id'), 1000)")
        return by_rows(postgresql_database.url)


class TestPostgreSqlByStatements(PostgreSqlOutages, SqlWriting):
    @pytest.fixture
    def table(self, postgresql_database: PeopleDatabase) -> dict[str, Any]:
        prepare(postgresql_database)
        postgresql_database.run("SELECT setval(pg_get_serial_sequence('persons', 'id'), 1000)")
        own = {"email_table": EMAILS, "group_table": MEMBERSHIPS, "writing": STATEMENTS}
        return {**by_rows(postgresql_database.url), **own}


class TestPostgreSqlWithoutAList(WithoutAList):
    @pytest.fixture
    def table(self, postgresql_database: PeopleDatabase) -> dict[str, Any]:
        return db.settings(postgresql_database.url, group_table={**MEMBERSHIPS, "is_writable": True})

    @pytest.fixture
    def outages(self, postgresql_database: PeopleDatabase) -> list[Outage]:
        return [db.renamed(postgresql_database, "memberships")]


# -- MariaDB ---------------------------------------------------------------------------------------------------------


class TestMariaDb(SqlWriting):
    @pytest.fixture
    def table(self, mariadb_database: PeopleDatabase) -> dict[str, Any]:
        prepare(mariadb_database)
        return by_rows(mariadb_database.url)

    @pytest.fixture
    def outages(self, mariadb: MariaDb, mariadb_database: PeopleDatabase) -> list[Outage]:
        return [
            db.frozen(mariadb),
            db.held(mariadb_database, "LOCK TABLES " + ", ".join(f"{table} WRITE" for table in TABLES)),
        ]


class TestMariaDbWithoutAList(WithoutAList):
    @pytest.fixture
    def table(self, mariadb_database: PeopleDatabase) -> dict[str, Any]:
        return db.settings(mariadb_database.url, group_table={**MEMBERSHIPS, "is_writable": True})

    @pytest.fixture
    def outages(self, mariadb_database: PeopleDatabase) -> list[Outage]:
        return [db.renamed(mariadb_database, "memberships")]
