"""A database with the sample people: one table of persons, one of addresses, one of memberships."""

from __future__ import annotations

import base64
import functools
import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from integration_server import Deadline, Watchdog
from integration_server.builtin.sql import SqlBackend
from integration_server.sdk.testing import Outage, open_backend
from tests.servers import PEOPLE, Server
from tests.servers.people import Person
from tests.tcp_proxy import BlackHole, CutAfter, Fault, Refuse, TcpProxy

#: What stands under [backends.test.map].
MAP = {
    "id": "id",
    "username": {"from": "login", "ignore_case": True},
    "full_name": "full_name",
    "emails": "emails",
    "groups": "groups",
}


def ssha256(password: str) -> str:
    salt = hashlib.sha256(b"salt of " + password.encode()).digest()[:8]
    return "{SSHA256}" + base64.b64encode(hashlib.sha256(password.encode() + salt).digest() + salt).decode()


def settings(url: str, **changes: Any) -> dict[str, Any]:
    """A table of the configuration that uses everything."""
    table = {
        "type": "sql",
        "url": url,
        "table": "persons",
        "password_column": "password",
        "map": MAP,
        "email_table": {
            "table": "addresses",
            "user_column": "person",
            "address_column": "address",
            "key_column": "id",
            "primary_column": "is_primary",
            "order_column": "position",
        },
        "group_table": {"table": "memberships", "user_column": "person", "group_column": "name", "key_column": "id"},
    }
    table.update(changes)
    return {key: value for key, value in table.items() if value is not None}


#: A table of the configuration without second tables.
SIMPLE = {"email_table": None, "group_table": None, "map": {"id": "id", "username": "login", "full_name": "full_name"}}


def opened(table: Mapping[str, Any], folder: Path, *, watchdog: Watchdog | None = None) -> SqlBackend:
    backend = open_backend(SqlBackend, table, folder, watchdog=watchdog)
    assert isinstance(backend, SqlBackend)
    return backend


@functools.lru_cache(maxsize=16)
def _engine(url: str) -> sa.Engine:
    """One that keeps no connection; kept itself, since a new one first asks the server what it is."""
    # For TLS, the driver would read the authorities of the system each time.
    arguments = {"ssl_disabled": True} if url.startswith("mysql") else {}
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=arguments)
    if engine.dialect.name == "sqlite":
        # Nobody will miss what a power cut takes.
        sa.event.listen(engine, "connect", lambda driver, _: driver.execute("PRAGMA synchronous = OFF"))
    return engine


def soon() -> Deadline:
    return Deadline(30)


@dataclass(frozen=True, slots=True)
class PeopleDatabase:
    """A database that tests may change: ``url`` is SQLAlchemy's."""

    url: str

    @contextmanager
    def connected(self) -> Iterator[sa.Connection]:
        """A connection that commits by itself."""
        with self.engine(isolation_level="AUTOCOMMIT").connect() as connection:
            yield connection

    def engine(self, **options: Any) -> sa.Engine:
        return _engine(self.url).execution_options(**options)

    def run(self, *statements: str, **values: object) -> None:
        with self.connected() as connection:
            for statement in statements:
                connection.execute(sa.text(statement), values)

    def scalar(self, statement: str) -> Any:
        with self.connected() as connection:
            return connection.execute(sa.text(statement)).scalar()

    def create(self, people: Sequence[Person] = PEOPLE) -> None:
        """The tables and the people. The last address is written first, so that order is not an accident."""
        metadata = sa.MetaData()
        # One more letter than MySQL's TEXT types allow in an index.
        binary = sa.String(100).with_variant(sa.String(100, collation="utf8mb4_bin"), "mysql")
        persons = sa.Table(
            "persons",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("login", binary, unique=True),
            sa.Column("full_name", sa.String(200)),
            sa.Column("password", sa.String(200)),
        )
        addresses = sa.Table(
            "addresses",
            metadata,
            sa.Column("person", sa.Integer, index=True),
            sa.Column("address", sa.String(200)),
            sa.Column("is_primary", sa.Boolean),
            sa.Column("position", sa.Integer),
        )
        memberships = sa.Table(
            "memberships", metadata, sa.Column("person", sa.Integer, index=True), sa.Column("name", sa.String(50))
        )
        rows = [
            {"id": i, "login": p.uid, "full_name": p.full_name, "password": ssha256(p.password)}
            for i, p in enumerate(people, 1)
        ]
        mails = [
            {"person": i, "address": address, "is_primary": n == 0, "position": n}
            for i, p in enumerate(people, 1)
            for n, address in reversed(list(enumerate(p.emails)))
        ]
        groups = [{"person": i, "name": group} for i, p in enumerate(people, 1) for group in p.groups]
        with self.connected() as connection:
            metadata.create_all(connection)
            for into, values in ((persons, rows), (addresses, mails), (memberships, groups)):
                if values:
                    connection.execute(sa.insert(into), values)

    def load(self, count: int) -> None:
        """``count`` more people, u1 and so on, without addresses and groups, whose password is 'pw'."""
        stored = ssha256("pw")
        rows = [
            {"id": 1_000_000 + i, "login": f"u{i}", "full_name": f"Üser Nümber {i}", "password": stored}
            for i in range(1, count + 1)
        ]
        table = sa.table("persons", *map(sa.column, ("id", "login", "full_name", "password")))
        with self.engine().begin() as connection:
            connection.execute(sa.insert(table), rows)


def population(passwords: int = len(PEOPLE)) -> dict[str, str | None]:
    """Everybody, some of them with a known password: the suites try each against each."""
    return {person.uid: person.password if i < passwords else None for i, person in enumerate(PEOPLE)}


# -- ways to break it ------------------------------------------------------------------------------------------------


def renamed(database: PeopleDatabase, table: str = "persons") -> Outage:
    """The table has vanished."""

    @contextmanager
    def start() -> Iterator[None]:
        database.run(f"ALTER TABLE {table} RENAME TO elsewhere")
        try:
            yield
        finally:
            database.run(f"ALTER TABLE elsewhere RENAME TO {table}")

    return Outage(f"the table {table} has vanished", start)


def held(database: PeopleDatabase, *statements: str) -> Outage:
    """Somebody holds a lock on what we read. Nobody gets SQLite's while a listing is being read."""

    @contextmanager
    def start() -> Iterator[None]:
        with database.connected() as connection:
            try:
                for statement in statements:
                    connection.exec_driver_sql(statement)
            except sa.exc.OperationalError:
                # Nobody gets SQLite's lock while a listing is being read.
                assert database.url.startswith("sqlite")
            # Closing the connection gives it back.
            yield

    return Outage("the table is locked", start)


@contextmanager
def gone(path: Path) -> Iterator[None]:
    """SQLite's file is not there."""
    path.rename(path.with_suffix(".away"))
    try:
        yield
    finally:
        path.with_suffix(".away").rename(path)


@contextmanager
def garbage(path: Path) -> Iterator[None]:
    """SQLite's file holds something else."""
    content = path.read_bytes()
    path.write_bytes(b"This is no database." * 500)
    try:
        yield
    finally:
        path.write_bytes(content)


def frozen(server: Server) -> Outage:
    return Outage("the server is frozen", server.frozen)


def network_faults(proxy: TcpProxy) -> list[Outage]:
    """What a network does between us and the server."""
    return [
        Outage("the server refuses", lambda: faulty(proxy, Refuse(), drops=True)),
        Outage("the network swallows everything", lambda: faulty(proxy, BlackHole())),
        Outage("the answer is cut", lambda: faulty(proxy, CutAfter(30))),
    ]


@contextmanager
def faulty(proxy: TcpProxy, fault: Fault, *, drops: bool = False) -> Iterator[None]:
    before = proxy.fault
    proxy.fault = fault
    if drops:
        proxy.drop()
    try:
        yield
    finally:
        proxy.fault = before
        # A connection that lost bytes stays broken when the network heals.
        proxy.drop()


def through(proxy: TcpProxy, url: str) -> str:
    """The same database by way of the proxy."""
    return sa.make_url(url).set(port=proxy.port).render_as_string(hide_password=False)


def in_thread(work: Any) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
