"""A table of SQLite read a column at a time, some thousand rows in a slice.

Python's sqlite3 makes a tuple of each row, and for each lets go of the interpreter and takes it back: all that takes
twice as long as SQLite needs to write columns as JSON, and orjson to read them. Slices follow the table's own row
numbers, so that each costs no more than its rows. What JSON would not tell exactly is read as rows.

A slice is one statement: each gives the interpreter away twice, and waits until it has it back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any

import orjson

from integration_server import ColumnwiseRows
from integration_server.builtin.sql.driver import Driver, Query, Rows, Session, TablePart

_SLICE = 2000
_NOBODY: list[list[Any]] = []
_FIRST, _LAST = -(2**63), 2**63 - 1
#: JSON tells these exactly; real numbers it cuts short.
_EXACT = frozenset({str, int, type(None)})

_TABLE = """SELECT 1 FROM pragma_table_list
WHERE schema = 'main' AND name = ? COLLATE NOCASE AND type = 'table' AND wr = 0"""
_COLUMNS = "SELECT lower(name), upper(type), hidden FROM pragma_table_xinfo(?)"
_WITHIN = "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"


class SlicedTable:
    """Reads everybody's columns of ``part``; ``everybody`` is the statement that gives them as rows. ``count`` rows of
    the table, listed or not, are in a slice."""

    def __init__(self, driver: Driver, everybody: Query, part: TablePart, count: int = _SLICE) -> None:
        self._count = count
        self._everybody = everybody
        self._table = part.table
        self._columns = part.columns
        source = f"FROM {driver.table(part.table, None)} WHERE"
        columns = [driver.quote(name) for name in part.columns]
        arrays = ", ".join(f"CAST(json_group_array({column}) AS BLOB)" for column in columns)
        # SQLite makes an error of blobs, or since 3.45 whatever they happen to mean in its own binary JSON.
        blobs = " OR ".join(f"{column} >= X''" for column in columns)
        count_of_blobs = f"COUNT(*) FILTER (WHERE {blobs})"
        self._any = driver.query(f"SELECT 1 {source} 1")
        # Of the slice that begins at a row: its last one, its columns; and all rows from there on.
        end = f"SELECT _rowid_ {source} _rowid_ >= :first ORDER BY _rowid_ LIMIT 1 OFFSET :others"
        self._slice = driver.query(
            f"WITH slice_(last_) AS (SELECT coalesce(({end}), {_LAST}))"
            f" SELECT (SELECT last_ FROM slice_), {count_of_blobs}, {arrays} {source} {part.condition}"
            " AND _rowid_ BETWEEN :first AND (SELECT last_ FROM slice_)"
        )
        listed = f"SELECT {', '.join(columns)} {source} {part.condition} AND _rowid_"
        self._rows = driver.query(f"{listed} BETWEEN :first AND :last")
        self._rest = driver.query(f"{listed} >= :first ORDER BY _rowid_")

    def __call__(self, session: Session) -> Generator[Rows, None, None]:
        numeric = self._numeric_columns(session)
        if numeric is None:
            yield from session.stream(self._everybody)
            return
        # While a statement is under way, an interruption holds for all that follow.
        with closing(session.connection.execute(self._any.sql)):
            first, gathered = _FIRST, _NOBODY
            while first <= _LAST:
                last, columns = self._read(session, first, numeric)
                if columns is None:
                    break
                # Where few of the table's rows are listed, batches are not so small for that.
                gathered = [mine + more for mine, more in zip(gathered, columns, strict=True)] if gathered else columns
                if 2 * len(gathered[0]) >= self._count:
                    yield Rows(self._columns, ColumnwiseRows(gathered))
                    gathered = _NOBODY
                first = last + 1
            if gathered and gathered[0]:
                yield Rows(self._columns, ColumnwiseRows(gathered))
            if first <= _LAST:
                yield from session.stream(self._rest, {"first": first})

    def _numeric_columns(self, session: Session) -> list[int] | None:
        """Which columns may hold numbers. None where this is no plain table that is read from beginning to end.

        A computed column might make JSON by itself; and a column may have the name of the row's number.
        """
        connection = session.connection
        try:
            if not connection.execute(_TABLE, (self._table,)).fetchone():
                return None
            types = {name: (kind, hidden) for name, kind, hidden in connection.execute(_COLUMNS, (self._table,))}
            if "_rowid_" in types or any(types.get(name.lower(), ("", 1))[1] for name in self._columns):
                return None
            if not self._is_read_whole(connection):
                return None
        except sqlite3.Error:
            if session.is_cancelled:
                raise
            # An old SQLite; or the statement itself is wrong, and will say so.
            return None
        return [i for i, name in enumerate(self._columns) if not _is_text(types[name.lower()][0])]

    def _is_read_whole(self, connection: sqlite3.Connection) -> bool:
        whole = _plan(connection, self._everybody.sql, ())
        sliced = _plan(connection, self._rows.sql, (0, 0))
        return len(whole) == len(sliced) == 1 and _is_scan(whole[0]) and sliced[0].endswith(_WITHIN)

    def _read(self, session: Session, first: int, numeric: Sequence[int]) -> tuple[int, list[list[Any]] | None]:
        """Where the slice ends that begins at ``first``, and its columns, or None where rows have to be read."""
        try:
            ((last, count_of_blobs, *arrays),) = session.fetch(
                self._slice, {"first": first, "others": self._count - 1}
            ).rows
            if count_of_blobs:
                return first, None
            columns: list[list[Any]] = [orjson.loads(array) for array in arrays]
        except (sqlite3.Error, ValueError):
            # Text that is not UTF-8, an infinite number; what else there is, rows will meet, too.
            return first, None
        return int(last), columns if all(_EXACT.issuperset(map(type, columns[i])) for i in numeric) else None


def _is_text(declared: str) -> bool:
    """Whether SQLite turns numbers that come into a column of this type into text (SQLite, Datatypes §3.1)."""
    return "INT" not in declared and any(kind in declared for kind in ("CHAR", "CLOB", "TEXT"))


def _is_scan(step: str) -> bool:
    # SQLite before 3.36 says SCAN TABLE.
    return step.startswith("SCAN ") and " USING " not in step


def _plan(connection: sqlite3.Connection, sql: str, values: Sequence[object]) -> list[str]:
    return [str(row[-1]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
