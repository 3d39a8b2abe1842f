"""The least that has to be done: raw rows to JSON in a file. Run as a process of its own: KIND SOURCE OUTPUT."""

from __future__ import annotations

import csv
import itertools
import sqlite3
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import orjson
import psycopg

_CHUNK = 1000


def _write(chunks: Iterable[list[tuple[str, ...]]], output: Path) -> None:
    """User name, full name, address; and the alias, or None, where rows have four values."""
    with output.open("wb") as file:
        file.write(b"[")
        separator = b""
        for chunk in chunks:
            if len(chunk[0]) == 3:
                users = [{"userName": u, "fullName": f, "emailAddresses": [e]} for u, f, e in chunk]
            else:
                users = [{"userName": u, "fullName": f, "emailAddresses": [e, a] if a else [e]} for u, f, e, a in chunk]
            file.write(separator + orjson.dumps(users)[1:-1])
            separator = b","
        file.write(b"]")


#: Of the table that is measured beside other software.
_LISTED = "SELECT username, full_name, email, alias FROM people WHERE active = 1"


def from_sqlite(source: Path, output: Path, columns: str = "username, full_name, email") -> None:
    """sqlite3's own rows."""
    cursor = sqlite3.connect(source).execute(f"SELECT {columns} FROM people")
    _write(iter(lambda: cursor.fetchmany(_CHUNK), []), output)


def from_sqlite_with_aliases(source: Path, output: Path) -> None:
    """The same with a second address."""
    from_sqlite(source, output, "username, full_name, email, alias")


def from_rivals_sqlite(source: Path, output: Path) -> None:
    """sqlite3's own rows of people that are active, with their aliases."""
    cursor = sqlite3.connect(source).execute(_LISTED)
    _write(iter(lambda: cursor.fetchmany(_CHUNK), []), output)


def from_rivals_postgresql(url: str, output: Path) -> None:
    """psycopg's own rows of the same, by a cursor of the server."""
    with psycopg.connect(url) as connection, connection.cursor("listed") as cursor:
        cursor.execute(_LISTED)
        _write(iter(lambda: cursor.fetchmany(_CHUNK), []), output)


def from_csv(source: Path, output: Path) -> None:
    """csv.reader's own rows."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        chosen = ((row[1], row[2], row[3], row[4]) for row in rows)
        _write(iter(lambda: list(itertools.islice(chosen, _CHUNK)), []), output)


def main() -> None:
    kind, source, output = sys.argv[1:]
    kinds = {
        "sqlite": from_sqlite,
        "sqlite-aliases": from_sqlite_with_aliases,
        "csv": from_csv,
        "rivals-sqlite": from_rivals_sqlite,
    }
    began = time.perf_counter()
    if kind == "rivals-postgresql":
        from_rivals_postgresql(source, Path(output))
    else:
        kinds[kind](Path(source), Path(output))
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
