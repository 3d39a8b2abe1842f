"""Events as the journal's table has them. Every event is read here, by every node, so this is kept quick."""

from __future__ import annotations

import orjson
import sqlalchemy as sa

from integration_server.sdk.events import Event, stored_event

_COLUMNS = 'serial, id, type, backend, person_id, noticed_at, group_name, "groups", origin, body'
_FOLLOWING = f"SELECT {_COLUMNS} FROM events WHERE serial > ? ORDER BY serial LIMIT ?"


def read_events(connection: sa.Connection, after: int, limit: int) -> list[Event]:
    """Up to ``limit`` events with a serial above ``after``, in order. Raises SQLAlchemyError."""
    is_qmark = connection.dialect.paramstyle == "qmark"
    found = connection.exec_driver_sql(_FOLLOWING if is_qmark else _FOLLOWING.replace("?", "%s"), (after, limit))
    # As the driver gives them: SQLAlchemy would make an object of each row.
    rows = found.cursor.fetchall()
    found.close()
    return [
        stored_event(serial, id, type, backend, person, noticed_at, group, _names(groups), origin, body)
        for serial, id, type, backend, person, noticed_at, group, groups, origin, body in rows
    ]


def _names(groups: str) -> tuple[str, ...]:
    return tuple(orjson.loads(groups)) if groups != "[]" else ()
