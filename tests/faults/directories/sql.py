"""Databases: a file of SQLite's, and PostgreSQL and MariaDB over TLS through the proxy."""

from __future__ import annotations

import contextlib
import sqlite3
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from tests.builtin.sql.people_database import PeopleDatabase, through
from tests.faults.directories.directory import Directory, Outage
from tests.servers import PEOPLE
from tests.servers.tls import TlsMariaDb, TlsPostgreSql
from tests.tcp_proxy import TcpProxy

#: Beside the sample people; together more bytes than one piece of an answer.
CROWD = 400
_READER, _SECRET = "reader", "the reader's secret"


class _SqlDirectory(Directory):
    database: PeopleDatabase

    @abstractmethod
    def url(self) -> str:
        """As the server knows the database."""

    def fill(self) -> None:
        self.database.create()
        self.database.load(CROWD)
        self.database.run("ALTER TABLE persons ADD COLUMN version INTEGER DEFAULT 0 NOT NULL")
        self.people = {person.uid for person in PEOPLE} | {f"u{number}" for number in range(1, CROWD + 1)}
        self.login = (PEOPLE[0].uid, PEOPLE[0].password)

    def table(self) -> str:
        return (
            f'type = "sql"\nurl = "{self.url()}"\ntable = "persons"\npassword_column = "password"\n'
            'updated_at_column = "version"\n'
            '[backends.people.map]\nid = "id"\nusername = "login"\nfull_name = "full_name"\n'
        )

    def change(self, number: int) -> None:
        statement = "UPDATE persons SET full_name = :name, version = :version WHERE login = :login"
        self.database.run(statement, name=f"Alice {number}", version=number, login=self.login[0])

    @property
    def outages(self) -> Mapping[str, Outage]:
        return {"time limit": self.slow, "lock held": self.locked, "table gone": self.gone}

    @contextmanager
    def gone(self) -> Iterator[None]:
        self.database.run("ALTER TABLE persons RENAME TO elsewhere")
        try:
            yield
        finally:
            self.database.run("ALTER TABLE elsewhere RENAME TO persons")

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self.database.connected() as connection:
            for statement in self.locks:
                connection.exec_driver_sql(statement)
            yield
            # As if who held it had died: closing the connection gives it back.
            connection.invalidate()

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Every row takes its time, so that a list takes longer than it may."""
        columns = "id, login, full_name, password, version"
        self.database.run(
            "ALTER TABLE persons RENAME TO all_persons",
            f"CREATE VIEW persons AS SELECT {columns} FROM all_persons AS one WHERE {self.slow_condition}",
            *self.limits,
        )
        self.forget_connections()
        try:
            yield
        finally:
            self.database.run("DROP VIEW persons", "ALTER TABLE all_persons RENAME TO persons", *self.no_limits)
            self.forget_connections()

    locks: tuple[str, ...]
    slow_condition: str
    #: Statements that set the server's own limit, and take it away.
    limits: tuple[str, ...] = ()
    no_limits: tuple[str, ...] = ()

    def forget_connections(self) -> None:
        """End those that there are: settings hold for new ones."""
        if self.proxy is not None:
            self.proxy.drop()


class SqliteDirectory(_SqlDirectory):
    name = "SQLite"
    locks = ("BEGIN EXCLUSIVE",)
    slow_condition = (
        "(WITH RECURSIVE count_(n) AS (SELECT one.id UNION ALL SELECT n + 1 FROM count_ WHERE n < one.id + 200000)"
        " SELECT count(*) FROM count_) > 0"
    )

    @property
    def file(self) -> Path:
        return self.folder / "people.db"

    def open(self) -> None:
        self.database = PeopleDatabase(self.url())
        self.fill()

    def url(self) -> str:
        return f"sqlite:///{self.file}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        with contextlib.closing(sqlite3.connect(self.file, timeout=10, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
            connection.execute("ROLLBACK")

    @property
    def outages(self) -> Mapping[str, Outage]:
        return {**super().outages, "file half-written": self.torn}

    @contextmanager
    def torn(self) -> Iterator[None]:
        content = self.file.read_bytes()
        self.file.write_bytes(content[: len(content) // 2])
        try:
            yield
        finally:
            self.file.write_bytes(content)


class _DatabaseServer(_SqlDirectory):
    server: TlsPostgreSql | TlsMariaDb

    def open(self) -> None:
        self.server = self.make(self.own_folder())
        self.stack.callback(self.server.destroy)
        self.server.start()
        self.database = PeopleDatabase(self.server.create_database())
        self.fill()
        self.database.run(*self.accounts())
        self.proxy = self.stack.enter_context(TcpProxy(("127.0.0.1", self.server.port)))

    @abstractmethod
    def make(self, folder: Path) -> TlsPostgreSql | TlsMariaDb:
        """The server, not yet started."""

    @abstractmethod
    def accounts(self) -> tuple[str, ...]:
        """Statements that make the reader's account."""

    def url(self) -> str:
        assert self.proxy is not None
        url = sa.make_url(through(self.proxy, self.database.url)).set(username=_READER, password=_SECRET)
        shown = url.render_as_string(hide_password=False)
        ca_file = str(self.server.certificate.certificate.with_name("ca.pem")).replace(" ", "%20")
        return f"{shown}{'&' if '?' in shown else '?'}{self.server.trust.format(ca_file)}"

    @property
    def outages(self) -> Mapping[str, Outage]:
        return {
            **super().outages,
            "frozen": self.server.frozen,
            "wrong bind password": self.wrong_password,
            "expired certificate": self.expired,
        }

    @contextmanager
    def wrong_password(self) -> Iterator[None]:
        self.set_password("another secret")
        try:
            yield
        finally:
            self.set_password(_SECRET)

    def set_password(self, password: str) -> None:
        self.database.run(self.password_statement.format(reader=_READER, password=password.replace("'", "''")))
        self.forget_connections()

    password_statement: str

    @contextmanager
    def expired(self) -> Iterator[None]:
        self.server.show(is_expired=True)
        self.forget_connections()
        try:
            yield
        finally:
            self.server.show(is_expired=False)
            self.forget_connections()


class PostgreSqlDirectory(_DatabaseServer):
    name = "PostgreSQL"
    locks = ("BEGIN", "LOCK TABLE persons IN ACCESS EXCLUSIVE MODE")
    slow_condition = "(pg_sleep(0.02)::text = '' AND one.id IS NOT NULL)"
    limits = (f"ALTER ROLE {_READER} SET statement_timeout = '500ms'", f"GRANT SELECT ON persons TO {_READER}")
    no_limits = (f"ALTER ROLE {_READER} RESET statement_timeout",)
    password_statement = "ALTER ROLE {reader} PASSWORD '{password}'"

    def make(self, folder: Path) -> TlsPostgreSql:
        return TlsPostgreSql(folder)

    def accounts(self) -> tuple[str, ...]:
        secret = _SECRET.replace("'", "''")
        return (f"CREATE ROLE {_READER} LOGIN PASSWORD '{secret}'", f"GRANT SELECT ON persons TO {_READER}")


class MariaDbDirectory(_DatabaseServer):
    name = "MariaDB"
    locks = ("LOCK TABLES persons WRITE",)
    slow_condition = "SLEEP(0.02) = 0"
    limits = (f"ALTER USER {_READER}@'%' WITH MAX_STATEMENT_TIME 0.5",)
    no_limits = (f"ALTER USER {_READER}@'%' WITH MAX_STATEMENT_TIME 0",)
    password_statement = "ALTER USER {reader}@'%' IDENTIFIED BY '{password}'"

    def make(self, folder: Path) -> TlsMariaDb:
        return TlsMariaDb(folder)

    def accounts(self) -> tuple[str, ...]:
        secret = _SECRET.replace("'", "''")
        return (f"CREATE USER {_READER}@'%' IDENTIFIED BY '{secret}'", f"GRANT SELECT ON *.* TO {_READER}@'%'")

    @property
    def outages(self) -> Mapping[str, Outage]:
        return {**super().outages, "size limit": self.limited}

    @contextmanager
    def limited(self) -> Iterator[None]:
        self.database.run("SET GLOBAL sql_select_limit = 3")
        self.forget_connections()
        try:
            yield
        finally:
            self.database.run("SET GLOBAL sql_select_limit = DEFAULT")
            self.forget_connections()
