"""Made-up people, the same for every source: SQLite, PostgreSQL, CSV and LDAP."""

from __future__ import annotations

import base64
import csv
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

Person = tuple[int, str, str, str, str | None, str]

_FIRST = ("Ada", "Jürgen", "Zoë", "Øyvind", "María", "Li", "Grace", "Noël", "Søren", "Ewa")
_LAST = ("Lovelace", "Groß", "Łukasz", "Müller", "Nguyễn", "Hopper", "Ångström", "Çelik", "Dvořák", "Smith")

#: Everybody's password is this word and their number.
PASSWORD = "secret"


def password_of(number: int) -> str:
    return f"{PASSWORD}{number}"


def _hash(number: int) -> str:
    salt = number.to_bytes(8, "big")
    digest = hashlib.sha256(password_of(number).encode() + salt).digest()
    return "{SSHA256}" + base64.b64encode(digest + salt).decode()


def people(count: int) -> Iterator[Person]:
    """Id, user name, full name, address, alias (every third person has one), password hash."""
    for i in range(count):
        full_name = f"{_FIRST[i % 10]} {_LAST[i // 10 % 10]} {i}"
        alias = f"alias{i}@example.net" if i % 3 == 0 else None
        yield i, f"user{i}", full_name, f"user{i}@example.org", alias, _hash(i)


def has_left(number: int) -> bool:
    """Whether the account is disabled where a source tells that; every fiftieth person's is."""
    return number % 50 == 7


def write_sqlite(path: Path, count: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE, full_name TEXT, email TEXT,"
        " alias TEXT, password TEXT)"
    )
    connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)", people(count))
    connection.commit()
    connection.close()


def write_csv(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "username", "full_name", "email", "alias", "password"))
        writer.writerows(people(count))
