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

_CHUNK = 1000


def _write(chunks: Iterable[list[tuple[str, str, str, str | None]]], output: Path) -> None:
    with output.open("wb") as file:
        file.write(b"[")
        separator = b""
        for chunk in chunks:
            users = [{"userName": u, "fullName": f, "emailAddresses": [e, a] if a else [e]} for u, f, e, a in chunk]
            file.write(separator + orjson.dumps(users)[1:-1])
            separator = b","
        file.write(b"]")


def from_sqlite(source: Path, output: Path) -> None:
    """sqlite3's own rows."""
    cursor = sqlite3.connect(source).execute("SELECT username, full_name, email, alias FROM people")
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
    began = time.perf_counter()
    {"sqlite": from_sqlite, "csv": from_csv}[kind](Path(source), Path(output))
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
