"""Everybody, in batches, with what second tables hold."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from integration_server import Batch, ColumnwiseRows
from integration_server.builtin.sql.driver import Row, Rows, Session
from integration_server.builtin.sql.plans import Layout, Plan
from integration_server.builtin.sql.side_tables import SideRows


def batches(session: Session, plan: Plan, sides: Sequence[SideRows], folder: Path) -> Generator[Batch, None, None]:
    """Every entry, as the session's transaction sees them."""
    unique = plan.unique_columns(session)
    stream = plan.reader(session)
    if sides and not session.can_interleave:
        stream = _spooled(stream, folder)
    with closing(stream) as found:
        for names, rows in found:
            layout = plan.list_layout(names)
            yield Batch(names_given(layout, sides), completed(session, layout, sides, rows), unique)


def names_given(layout: Layout, sides: Sequence[SideRows]) -> tuple[str, ...]:
    """The names of what ``completed`` makes."""
    return (*layout.names, *(name for side in sides for name in side.attributes))


def _spooled(stream: Generator[Rows, None, None], folder: Path) -> Generator[Rows, None, None]:
    """The same batches by way of a nameless file: afterwards the connection is free for the second tables.

    A second connection would see another moment of the database, and memory does not hold a million people.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        count = 0
        with closing(stream) as found:
            for rows in found:
                pickle.dump(rows, file, pickle.HIGHEST_PROTOCOL)
                count += 1
        file.seek(0)
        for _ in range(count):
            yield pickle.load(file)


def completed(session: Session, layout: Layout, sides: Sequence[SideRows], rows: Sequence[Row]) -> Sequence[Row]:
    """Rows of everybody's columns as rows of the attributes, with what the second tables hold."""
    if not rows or (layout.is_whole_row and not sides):
        return rows
    columns = rows.columns if isinstance(rows, ColumnwiseRows) else list(zip(*rows, strict=True))
    of_sides = [
        column for side, key in zip(sides, layout.keys, strict=True) for column in side.columns(session, columns[key])
    ]
    return ColumnwiseRows([*(columns[i] for i in layout.picks), *of_sides])
