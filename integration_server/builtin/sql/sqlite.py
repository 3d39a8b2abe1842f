"""SQLite files, opened read-only."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from typing import Any, ClassVar
from urllib.parse import quote

import sqlalchemy as sa

from integration_server import BackendUnavailable, Deadline, normalize_name
from integration_server.builtin.sql.driver import (
    BATCH,
    EVERY,
    NO_VALUES,
    Driver,
    Facts,
    Query,
    Reader,
    Row,
    Rows,
    Session,
    Step,
    TablePart,
    Values,
    names_of,
    plain,
)
from integration_server.builtin.sql.sqlite_slices import SlicedTable

#: How long a statement waits for the application that holds the file's lock.
_BUSY_SECONDS = 5.0
_CANONICAL_INTEGER = re.compile(r"-?[1-9][0-9]{0,17}|0")

#: An INTEGER PRIMARY KEY is the row's own number and has no index.
_UNIQUE = """
SELECT MAX(i.name) FROM pragma_index_list(:table) l, pragma_index_info(l.name) i
WHERE l."unique" AND NOT l.partial GROUP BY l.name HAVING COUNT(*) = 1 AND MAX(i.name) IS NOT NULL
UNION SELECT MAX(name) FROM pragma_table_info(:table) WHERE pk > 0
HAVING COUNT(*) = 1 AND UPPER(MAX(type)) = 'INTEGER'
"""


class SqliteSession(Session):
    can_interleave: ClassVar[bool] = True
    lets_go: ClassVar[bool] = True

    def __init__(self, path: str, file: tuple[int, int], connection: sqlite3.Connection) -> None:
        super().__init__()
        self._path = path
        self._file = file
        self._connection = connection
        self._busy_seconds = _BUSY_SECONDS
        self._is_closed = False

    @property
    def connection(self) -> sqlite3.Connection:
        return self._connection

    @property
    def is_lost(self) -> bool:
        return self._is_closed

    def is_fresh(self, deadline: Deadline) -> bool:
        """A file that was moved away or replaced would be answered from for ever, so the path is looked at each time.

        Raises BackendUnavailable where it is gone.
        """
        if file_of(self._path) != self._file:
            return False
        seconds = _patience(deadline)
        if seconds < _BUSY_SECONDS or self._busy_seconds < _BUSY_SECONDS:
            self._connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
            self._busy_seconds = seconds
        return True

    def fetch(self, query: Query, values: Values, limit: int = EVERY) -> Rows:
        cursor = self._connection.execute(query.sql, query.arguments(values))
        try:
            rows: list[Row] = cursor.fetchmany(limit)
            return Rows(names_of(cursor.description), rows)
        finally:
            cursor.close()

    def stream(self, query: Query, values: Values = NO_VALUES) -> Generator[Rows, None, None]:
        # A cursor that an exception's traceback keeps alive outlives the connection, and its lock keeps the file's
        # owner from writing.
        with closing(self._connection.execute(query.sql, query.arguments(values))) as cursor:
            names = names_of(cursor.description)
            while rows := cursor.fetchmany(BATCH):
                yield Rows(names, rows)

    def begin(self) -> None:
        self._connection.execute("BEGIN")

    def end(self) -> None:
        self._connection.execute("ROLLBACK")

    def begin_changes(self, lock: str, deadline: Deadline) -> None:
        """Whoever writes into the file waits."""
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("BEGIN IMMEDIATE")

    def change(self, query: Query, values: Values) -> int:
        with closing(self._connection.execute(query.sql, query.arguments(values))) as cursor:
            return max(cursor.rowcount, len(cursor.fetchall()))

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def interrupt(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.interrupt()

    def close(self) -> None:
        self._is_closed = True
        with suppress(sqlite3.Error):
            self._connection.close()


def _patience(deadline: Deadline) -> float:
    """How long to wait for a lock; a little less than there is, so that the error names the lock."""
    return min(_BUSY_SECONDS, deadline.remaining() * 0.9)


def file_of(path: str) -> tuple[int, int]:
    """Which file a path names now. Raises BackendUnavailable where there is none."""
    try:
        found = os.stat(path)
    except OSError as exc:
        raise BackendUnavailable(f"{path}: {exc.strerror}") from exc
    return found.st_dev, found.st_ino


class SqliteDriver(Driver):
    """``takes_bytes``: text that is not UTF-8 comes as bytes instead of an error (slower)."""

    def __init__(self, name: str, url: sa.URL, *, takes_bytes: bool) -> None:
        super().__init__(name, url)
        self._path = url.database or ""
        self._takes_bytes = takes_bytes
        self._unique = self.query(_UNIQUE)

    def connect(self, deadline: Deadline, seconds: float) -> SqliteSession:
        """Never creates a file: ``mode=ro``. Raises BackendUnavailable where it is missing."""
        return self._opened("ro", deadline)

    def connect_for_writing(self, deadline: Deadline, seconds: float) -> SqliteSession:
        return self._opened("rw", deadline)

    def _opened(self, mode: str, deadline: Deadline) -> SqliteSession:
        file = file_of(self._path)
        connection = sqlite3.connect(
            _uri(self._path, mode), uri=True, timeout=_patience(deadline), isolation_level=None, check_same_thread=False
        )
        if self._takes_bytes:
            connection.text_factory = _text_or_bytes
        connection.create_function("same_name", 2, _is_same_name, deterministic=True)
        return SqliteSession(self._path, file, connection)

    def describe(self, session: Session) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def study(self, session: Session, table: str, schema: str | None, columns: Sequence[str]) -> Facts:
        """Any column may hold texts."""
        return Facts(dict.fromkeys(columns, "text"))

    def unique_columns(self, session: Session, table: str, schema: str | None) -> frozenset[str]:
        if schema is not None:
            return frozenset()
        return frozenset(str(name) for (name,) in session.fetch(self._unique, {"table": table}).rows)

    def steps(self, column: str, ignore_case: bool, facts: Facts) -> tuple[Step, ...]:
        """Case is folded by SQLite for ASCII only (NOCASE); other letters need a look at every row."""
        exact = (Step("{column} = :value", plain), Step("{column} = :value", _integer))
        if not ignore_case:
            return exact
        every = "CASE WHEN {column} LIKE :pattern ESCAPE '!' THEN same_name({column}, :folded) END"
        return (*exact, Step("{column} = :value COLLATE NOCASE", _ascii), Step(every, _pattern))

    def reader(self, everybody: Query, part: TablePart) -> Reader:
        return super().reader(everybody, part) if part.schema is not None else SlicedTable(self, everybody, part)

    def uses_index(self, session: Session, query: Query, values: Values) -> bool | None:
        plan = session.fetch(Query(query.text, f"EXPLAIN QUERY PLAN {query.sql}", query.names), values, 1000)
        return not any(str(row[-1]).startswith("SCAN") for row in plan.rows)


def _uri(path: str, mode: str) -> str:
    plain_path = path.replace(os.sep, "/")
    return f"file://{'' if plain_path.startswith('/') else '/'}{quote(plain_path)}?mode={mode}"


def _text_or_bytes(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _is_same_name(value: Any, folded: str) -> bool:
    return isinstance(value, str) and normalize_name(value.strip()) == folded


def _integer(value: str) -> Values | None:
    """Numbers of a view's or an untyped column equal no text."""
    return {"value": int(value)} if _CANONICAL_INTEGER.fullmatch(value) else None


def _ascii(value: str) -> Values | None:
    return plain(value) if value.isascii() else None


def _pattern(value: str) -> Values | None:
    """A quick LIKE spares most rows the Python function: what stands before the first and after the last letter
    that is not ASCII must be there, in any case.
    """
    if value.isascii():
        return None
    folded = normalize_name(value)
    others = [i for i, letter in enumerate(folded) if not letter.isascii()]
    first, last = (others[0], others[-1] + 1) if others else (0, len(folded))
    head, tail = folded[:first], folded[last:]
    return {"pattern": f"{_literal(head)}%{_literal(tail)}", "folded": folded}


def _literal(part: str) -> str:
    return re.sub(r"([!%_])", r"!\1", part)
