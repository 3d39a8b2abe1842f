"""A table of PostgreSQL read a column at a time, the rows of some pages in a slice.

To make tuples of rows and columns of tuples takes psycopg and us twice as long as it takes orjson to read columns as
JSON, which PostgreSQL writes in a process of its own meanwhile. One statement gives all slices, a row for each, and
finds them by the addresses of their pages: together they cost no more than the table. What JSON would not tell exactly
is read as rows.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import orjson

from integration_server import ColumnwiseRows
from integration_server.builtin.sql.driver import BATCH, NO_VALUES, Driver, Query, Rows, Session, TablePart, Values
from integration_server.builtin.sql.postgresql_chunks import answer, row_by_row

#: The first one that reads a range of addresses without the rest of the table.
_VERSION = 140000
#: bool, int8, int2, int4, text, bpchar, varchar: psycopg makes of them what orjson makes of their JSON.
_EXACT = frozenset({16, 20, 21, 23, 25, 1042, 1043})
#: In a smaller table, to look whether this can be done takes longer than it spares.
_LEAST_PAGES = 256
#: In a slice, where nobody has counted the rows; and at most, as counts grow old. A page holds no more than 291 rows.
_PAGES, _MOST_PAGES = 32, 256
#: Long texts are kept beside the table: with more of them, a slice might be larger than a value may be.
_MOST_LONG_BYTES = 8 << 20

#: Where there are tables that inherit from this one, their rows are read with its own, and are elsewhere.
_FACTS = f"""SELECT CAST(least({_MOST_PAGES}, CASE WHEN c.reltuples > 0 AND c.relpages > 0
    THEN greatest(1, floor(CAST(:count AS bigint) * c.relpages / c.reltuples)) ELSE {_PAGES} END) AS integer)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am a ON a.oid = c.relam
WHERE c.oid = to_regclass(:table) AND c.relkind IN ('r', 'm') AND NOT c.relhassubclass AND a.amname = 'heap'
AND pg_relation_size(c.oid) / CAST(current_setting('block_size') AS integer) >= CAST(:least AS bigint)
AND (c.reltoastrelid = 0 OR pg_relation_size(c.reltoastrelid) <= {_MOST_LONG_BYTES})"""
_SLICES = """SELECT people_.* FROM pg_catalog.generate_series(
    0, pg_catalog.pg_relation_size(pg_catalog.to_regclass(CAST(:table AS text)))
        / CAST(pg_catalog.current_setting('block_size') AS integer), CAST(:pages AS bigint)) AS slice_(first_)
CROSS JOIN LATERAL (SELECT {arrays} FROM {table} WHERE ({condition})
    AND ctid >= CAST(pg_catalog.format('(%s,0)', slice_.first_) AS tid)
    AND ctid < CAST(pg_catalog.format('(%s,0)', slice_.first_ + CAST(:pages AS bigint)) AS tid)
    HAVING pg_catalog.count(*) > 0) AS people_"""

#: What plans have to be: from the whole, no index spares anything; of slices, each costs no more than its pages.
_WHOLE = ["Seq Scan"]
_SLICED = ["Nested Loop", "Function Scan", "Aggregate", "Tid Range Scan"]
#: The planner knows too little of slices to judge whether to compile them, or to keep them, pays.
_BEGIN = "SAVEPOINT slices_; SET LOCAL jit = off; SET LOCAL enable_memoize = off"
_UNDO = "ROLLBACK TO SAVEPOINT slices_"


class SlicedTable:
    """Reads everybody's columns of ``part``; ``everybody`` is the statement that gives them as rows. About ``count``
    rows of the table, listed or not, are in a slice; a table of fewer than ``least`` pages is read by rows."""

    def __init__(
        self, driver: Driver, everybody: Query, part: TablePart, count: int = BATCH, least: int = _LEAST_PAGES
    ) -> None:
        self._module = driver.module
        self._count = count
        self._everybody = everybody
        self._columns = part.columns
        self._where = {"table": driver.qualified(part.table, part.schema), "count": count, "least": least}
        columns = [driver.quote(name) for name in part.columns]
        arrays = ", ".join(f"pg_catalog.json_agg({column})" for column in columns)
        table = driver.table(part.table, part.schema)
        self._facts = driver.query(_FACTS)
        self._types = driver.query(f"SELECT {', '.join(columns)} FROM {table} WHERE 1 = 0")
        self._slices = driver.query(_SLICES.format(arrays=arrays, table=table, condition=part.condition))

    def __call__(self, session: Session) -> Generator[Rows, None, None]:
        values = self._values(session)
        if values is None:
            yield from session.stream(self._everybody)
            return
        try:
            with closing(row_by_row(self._module, session.connection, self._slices, values)) as slices:
                yield from self._batches(slices)
        except BaseException:
            # The rest of the answer still comes to it.
            session.connection.close()
            raise

    def _values(self, session: Session) -> Values | None:
        """The parameters of the slices; None where the table has to be read by rows."""
        connection = session.connection
        if connection.info.server_version < _VERSION or connection.info.encoding != "utf-8":
            return None
        found = session.fetch(self._facts, self._where).rows
        if not found:
            return None
        values = {**self._where, "pages": found[0][0]}
        connection.execute(_BEGIN)
        try:
            if self._can_slice(connection, values):
                return values
        except self._module.Error:
            if session.is_cancelled or session.is_lost:
                raise
            # The statement itself is wrong, and will say so; or it goes on after the condition, by ORDER BY, say.
        connection.execute(_UNDO)
        return None

    def _can_slice(self, connection: Any, values: Values) -> bool:
        # From the first of these statements on, nobody changes the table until the transaction ends.
        types = answer(self._module, connection, self._types)
        if not _EXACT.issuperset(map(types.ftype, range(types.nfields))):
            return False
        whole = self._plan(connection, self._everybody, NO_VALUES)
        return whole == _WHOLE and self._plan(connection, self._slices, values) == _SLICED

    def _plan(self, connection: Any, query: Query, values: Values) -> list[str]:
        explained = replace(query, sql=f"EXPLAIN (FORMAT JSON) {query.sql}")
        text = answer(self._module, connection, explained, values).get_value(0, 0)
        return list(_kinds(orjson.loads(text)[0]["Plan"]))

    def _batches(self, slices: Iterator[Sequence[bytes | None]]) -> Iterator[Rows]:
        """Batches of about as many rows as others have, where few of the table's rows are listed, too."""
        gathered: list[list[object]] = []
        for row in slices:
            columns = list(map(_column, row))
            gathered = [mine + more for mine, more in zip(gathered, columns, strict=True)] if gathered else columns
            if 2 * len(gathered[0]) >= self._count:
                yield from self._cut(gathered)
                gathered = []
        if gathered:
            yield from self._cut(gathered)

    def _cut(self, columns: list[list[object]]) -> Iterator[Rows]:
        rows = ColumnwiseRows(columns)
        for start in range(0, len(rows), BATCH):
            yield Rows(self._columns, rows if len(rows) <= BATCH else rows[start : start + BATCH])


def _kinds(plan: dict[str, Any]) -> Iterator[str]:
    """The kinds of a plan's nodes, from the top."""
    yield plan["Node Type"]
    for inner in plan.get("Plans", ()):
        yield from _kinds(inner)


def _column(text: bytes | None) -> list[object]:
    """The values of a column. Raises UnicodeError, as psycopg does for a text in another encoding."""
    assert text is not None
    try:
        values: list[object] = orjson.loads(text)
    except ValueError:
        text.decode()
        raise
    return values
