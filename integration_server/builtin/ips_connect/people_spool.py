"""People who were read, on the disk until all of them are there: in a database that vanishes with the process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from integration_server import ConfigError, normalize_name
from integration_server.builtin.ips_connect.account import Account

_BATCH = 1000
_LONGEST_SHOWN = 60
_COLUMNS = tuple(Account.__dataclass_fields__)
_IS_BANNED = _COLUMNS.index("is_banned")
_MAKE = f"CREATE TABLE people (number INTEGER PRIMARY KEY, place, folded_name, folded_email, {', '.join(_COLUMNS)})"
_ADD = f"INSERT INTO people VALUES (NULL, {', '.join('?' * (3 + len(_COLUMNS)))})"
#: What no two people share, and in which form it is compared.
_KEYS = {"id": "id", "name": "folded_name", "email": "folded_email"}


class Spool:
    """Used by one thread. Memory stays flat."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._waiting: list[tuple[object, ...]] = []
        self.count = 0

    def add(self, place: str, account: Account) -> None:
        values = tuple(getattr(account, name) for name in _COLUMNS)
        self._waiting.append((place, normalize_name(account.name), normalize_name(account.email), *values))
        self.count += 1
        if len(self._waiting) >= _BATCH:
            self._flush()

    def accounts(self) -> Iterator[Account]:
        """Everybody, by id."""
        self._flush()
        for row in self._database.execute(f"SELECT {', '.join(_COLUMNS)} FROM people ORDER BY id"):
            values = [*row[:_IS_BANNED], bool(row[_IS_BANNED]), *row[_IS_BANNED + 1 :]]
            yield Account(*values)

    def place(self, id: int) -> str:
        """Where somebody stood."""
        found = self._database.execute("SELECT place FROM people WHERE id = ?", (id,)).fetchone()
        return str(found[0]) if found else ""

    def twins(self, limit: int) -> list[str]:
        """What two people share who must not, in words."""
        self._flush()
        told: list[str] = []
        for what, key in _KEYS.items():
            shared = (
                "SELECT min(number), max(number) FROM people"
                f" GROUP BY {key} HAVING count(*) > 1 ORDER BY min(number) LIMIT ?"
            )
            for first, last in self._database.execute(shared, (limit,)).fetchall():
                (one, _), (other, value) = self._who(first, what), self._who(last, what)
                told.append(f"{other}: {what}: {value!r} is also that of {one}")
        return told[:limit]

    def _who(self, number: int, what: str) -> tuple[str, object]:
        """Whom a row is about, and one of their values."""
        query = f"SELECT place, id, name, {what} FROM people WHERE number = ?"
        place, id, name, value = self._database.execute(query, (number,)).fetchone()
        return f"{place} (id {id}, {name[:_LONGEST_SHOWN]!r})", value

    def _flush(self) -> None:
        self._database.executemany(_ADD, self._waiting)
        self._waiting.clear()


@contextmanager
def opened_spool() -> Iterator[Spool]:
    """An empty one. It lies in the system's folder for temporary files, under no name, and is nobody else's to read.
    Raises ConfigError where there is no room."""
    try:
        with closing(sqlite3.connect("", isolation_level=None)) as database:
            # Nothing of it need survive.
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute(_MAKE)
            database.execute("BEGIN")
            yield Spool(database)
    except sqlite3.Error as exc:
        raise ConfigError(f"the folder for temporary files cannot be used: {exc}") from exc
