"""The same people in a SQLite file, a PostgreSQL database and a slapd, and who of them is to be listed.

Ids begin at 1: privacyIDEA takes 0 for none. Every fiftieth account is disabled, and nobody may list it.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psycopg

from bench import people
from tests.servers.postgresql import PostgreSql
from tests.servers.slapd import Slapd

Kind = Literal["sqlite", "postgresql", "ldap"]

_TABLE = """CREATE TABLE people (id INTEGER PRIMARY KEY, username VARCHAR(64) NOT NULL UNIQUE, full_name VARCHAR(200),
    email VARCHAR(200), alias VARCHAR(200), password VARCHAR(200), active INTEGER NOT NULL)"""
_COLUMNS = "id, username, full_name, email, alias, password, active"
_CHUNK = 10_000
#: privacyIDEA asks for names with LIKE, which the index of the names themselves does not serve.
_INDEX = {
    "sqlite": "CREATE INDEX people_like ON people (username COLLATE NOCASE)",
    "postgresql": "CREATE INDEX people_like ON people (username varchar_pattern_ops)",
}

#: Who is listed, for LDAP; for SQL it is ``active = 1``.
LDAP_FILTER = "(&(objectClass=inetOrgPerson)(!(employeeType=left)))"

#: User name, full name and addresses as a caller reads them.
User = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Source:
    """Where people are. ``address`` is the path of the SQLite file, the URL of PostgreSQL or that of slapd."""

    kind: Kind
    address: str
    count: int
    #: Of LDAP: where people are, and who may read them.
    base: str = ""
    user: str = ""
    password: str = ""

    @property
    def title(self) -> str:
        return {"sqlite": "SQLite", "postgresql": "PostgreSQL", "ldap": "slapd"}[self.kind]

    @property
    def is_sql(self) -> bool:
        return self.kind != "ldap"

    @property
    def database(self) -> tuple[str, int, str, str, str]:
        """Host, port, user, password and name of the PostgreSQL database."""
        parts = urlsplit(self.address)
        return str(parts.hostname), int(parts.port or 0), str(parts.username), str(parts.password), parts.path[1:]


def expected(count: int) -> list[User]:
    """The people that a list has to hold, in order."""
    listed = (person for person in people.people(count) if not people.has_left(person[0]))
    return sorted((name, full, (email, alias) if alias else (email,)) for _, name, full, email, alias, _ in listed)


def numbers(count: int) -> list[int]:
    """The numbers of people who may log in."""
    return [number for number in range(count) if not people.has_left(number)]


def _rows(count: int) -> Iterator[tuple[int, str, str, str, str | None, str, int]]:
    for number, *rest, password in people.people(count):
        name, full_name, email, alias = rest
        yield number + 1, str(name), str(full_name), str(email), alias, password, int(not people.has_left(number))


def sqlite(folder: Path, count: int) -> Source:
    path = folder / f"rivals-{count}.db"
    if not path.exists():
        connection = sqlite3.connect(path)
        connection.execute(_TABLE)
        connection.executemany(f"INSERT INTO people ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", _rows(count))
        connection.execute(_INDEX["sqlite"])
        connection.commit()
        connection.close()
    return Source("sqlite", str(path), count)


@contextmanager
def postgresql(folder: Path, count: int) -> Iterator[Source]:
    place = folder / f"postgresql-{count}"
    place.mkdir()
    # PostgreSQL does not run as root, and another user has to get to its folder.
    folder.chmod(0o711)
    server = PostgreSql(place)
    server.start()
    try:
        url = server.create_database()
        with psycopg.connect(url.replace("+psycopg", "")) as connection, connection.cursor() as cursor:
            cursor.execute(_TABLE)
            with cursor.copy(f"COPY people ({_COLUMNS}) FROM STDIN") as copy:
                for row in _rows(count):
                    copy.write_row(row)
            cursor.execute(_INDEX["postgresql"])
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE people")
        yield Source("postgresql", url, count)
    finally:
        server.destroy()


@contextmanager
def ldap(folder: Path, count: int) -> Iterator[Source]:
    place = folder / f"rivals-slapd-{count}"
    place.mkdir()
    slapd = Slapd(place)
    slapd.start()
    try:
        slapd.load(0)
        entries = (_entry(slapd.crowd, person) for person in people.people(count))
        while some := "".join(itertools.islice(entries, _CHUNK)):
            slapd.load_entries(some)
        yield Source("ldap", slapd.uri, count, slapd.crowd, slapd.admin_dn, slapd.admin_password)
    finally:
        slapd.destroy()


def _entry(parent: str, person: people.Person) -> str:
    number, name, full_name, email, alias, _ = person
    salt = b"%08d" % number
    digest = hashlib.sha1(people.password_of(number).encode() + salt).digest()
    shown = base64.b64encode(full_name.encode()).decode()
    return (
        f"dn: uid={name},{parent}\nobjectClass: inetOrgPerson\nuid: {name}\ncn:: {shown}\nsn:: {shown}\nmail: {email}\n"
        + (f"mail: {alias}\n" if alias else "")
        + ("employeeType: left\n" if people.has_left(number) else "")
        + f"userPassword: {{SSHA}}{base64.b64encode(digest + salt).decode()}\n\n"
    )
