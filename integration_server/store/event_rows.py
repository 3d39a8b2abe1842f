"""Events as the journal's table has them. Every event is read here, by every node, so this is kept quick."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from integration_server.sdk.events import Event, stored_body, stored_event
from integration_server.sdk.storage import Notice
from integration_server.sdk.stretches import EventPage
from integration_server.store.people import marked
from integration_server.store.schema import journal_state

_COLUMNS = ("serial", "id", "type", "backend", "person_id", "noticed_at", "group_name", '"groups"', "origin", "body")
_MOMENT = _COLUMNS.index("noticed_at")
_FOLLOWING = f"SELECT {', '.join(_COLUMNS)} FROM events WHERE serial > ? ORDER BY serial LIMIT ?"
#: The same as one row of columns. Python's sqlite3 lets go of the interpreter and takes it back for each row, and where
#: other threads are at work that alone takes thirty times as long as the row. (SQLite's JSON would cut numbers short.)
_EXACT = _FOLLOWING.replace("noticed_at", "printf('%!.17g', noticed_at) AS noticed_at")
#: No JSON has this in it: control characters are escaped. Bodies are most of what is read, and go out as they are.
_BETWEEN = b"\x1e"
_COLUMNWISE = ", ".join(f"json_group_array({column})" for column in _COLUMNS[:-1])
_COLUMNWISE = f"SELECT {_COLUMNWISE}, CAST(group_concat(body, char({_BETWEEN[0]})) AS BLOB) FROM ({_EXACT})"

INSERT = (
    'INSERT INTO events (serial, id, type, backend, person_id, group_name, noticed_at, origin, "groups", body)'
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_c = journal_state.c
_LOCK = journal_state.update().values(last_serial=_c.last_serial).returning(_c.last_serial, _c.bound_changes)

#: Ids of events that are made at a time.
_IDS_AT_ONCE = 256
_RANDOM_BYTES = 10


class EventIds:
    """Ids of events that are noticed now. Each begins with the time, as UUIDv7 (RFC 9562) does: an index of wholly
    random ids would be written to all over."""

    def __init__(self, now: float) -> None:
        self._begin = f"evt_{int(now * 1000) & 0xFFFFFFFFFFFF:012x}"
        self._ids: list[str] = []

    def next(self, count: int = _IDS_AT_ONCE) -> str:
        """Another one. ``count``: as many are made ahead."""
        if not self._ids:
            random = os.urandom(_RANDOM_BYTES * count).hex()
            self._ids = [
                self._begin + random[i : i + 2 * _RANDOM_BYTES] for i in range(0, len(random), 2 * _RANDOM_BYTES)
            ]
        return self._ids.pop()


def lock_serials(connection: sa.Connection) -> int:
    """The last serial there is. Nobody else gives one out until the transaction ends, so that they become visible in
    order. Raises SQLAlchemyError."""
    return lock_journal(connection)[0]


def lock_journal(connection: sa.Connection) -> tuple[int, bool]:
    """The same, and whether anything was ever bound to a resource: where nothing was, nobody need look."""
    # Both of the one row: in PostgreSQL anything else would be as it was before the wait for the lock.
    serial, changes = connection.execute(_LOCK).one()
    return serial, changes > 0


def put_serial(connection: sa.Connection, serial: int) -> None:
    """The last serial there is from now on. Raises SQLAlchemyError."""
    connection.execute(journal_state.update().values(last_serial=serial))


def write_notices(connection: sa.Connection, notices: Sequence[Notice], now: float) -> None:
    """Journal what plugins tell, noticed at ``now`` (Unix seconds), as a part of this transaction. Raises
    SQLAlchemyError."""
    if not notices:
        return
    serial = lock_serials(connection)
    ids = EventIds(now)
    rows: list[tuple[object, ...]] = []
    for one in notices:
        serial += 1
        body = orjson.dumps(stored_body(one.details, None, None)).decode()
        id = ids.next(len(notices))
        rows.append((serial, id, one.type, one.backend, one.person_id, None, now, one.origin, "[]", body))
    connection.exec_driver_sql(marked(connection, INSERT), rows)
    put_serial(connection, serial)


def read_page(connection: sa.Connection, after: int, limit: int) -> EventPage:
    """Up to ``limit`` events with a serial above ``after``, in order. Raises SQLAlchemyError."""
    columns: list[Sequence[Any]]
    if connection.dialect.name == "sqlite":
        *arrays, joined = connection.exec_driver_sql(_COLUMNWISE, (after, limit)).one()
        bodies = [] if joined is None else joined.split(_BETWEEN)
        columns = [_column(array, len(bodies)) for array in arrays]
        columns[_MOMENT] = list(map(float, columns[_MOMENT]))
        columns.append(bodies)
        return EventPage(*columns)
    found = connection.exec_driver_sql(_FOLLOWING.replace("?", "%s"), (after, limit))
    # As the driver gives them: SQLAlchemy would make an object of each row.
    rows = found.cursor.fetchall()
    found.close()
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * len(_COLUMNS)
    columns[-1] = [body.encode() for body in columns[-1]]
    return EventPage(*columns)


def _column(array: str, count: int) -> list[Any]:
    """So many values in a JSON array. What one transaction wrote is alike in most columns: then one value is made."""
    first = array[1 : array.find(",")]
    # As many values as there are commas and one more: if this is equal, none of them has a comma within.
    if count > 1 and array == f"[{','.join([first] * count)}]":
        value: list[Any] = orjson.loads(f"[{first}]")
        return value * count
    found: list[Any] = orjson.loads(array)
    return found


def event_of(row: Any) -> Event:
    """One row of the table, with these columns in this order. For few; ``read_page`` is for many."""
    serial, id, type, backend, person_id, at, group, groups, origin, body = row
    return stored_event(serial, id, type, backend, person_id, at, group, _names(groups), origin, body.encode())


def _names(groups: str) -> tuple[str, ...]:
    return tuple(orjson.loads(groups))
