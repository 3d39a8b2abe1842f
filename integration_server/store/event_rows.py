"""Events as the journal's table has them. Every event is read here, by every node, so this is kept quick."""

from __future__ import annotations

import orjson
import sqlalchemy as sa

from integration_server.sdk.events import Event, stored_event

_COLUMNS = ("serial", "id", "type", "backend", "person_id", "noticed_at", "group_name", '"groups"', "origin", "body")
_FOLLOWING = f"SELECT {', '.join(_COLUMNS)} FROM events WHERE serial > ? ORDER BY serial LIMIT ?"
#: The same as one row of JSON. Python's sqlite3 lets go of the interpreter and takes it back for each row, and where
#: other threads are at work that alone takes thirty times as long as the row. (SQLite's JSON would cut numbers short.)
_AS_JSON = _FOLLOWING.replace("noticed_at", "printf('%!.17g', noticed_at) AS noticed_at")
_AS_JSON = f"SELECT json_group_array(json_array({', '.join(_COLUMNS)})) FROM ({_AS_JSON})"


def read_events(connection: sa.Connection, after: int, limit: int) -> list[Event]:
    """Up to ``limit`` events with a serial above ``after``, in order. Raises SQLAlchemyError."""
    if connection.dialect.name == "sqlite":
        rows = orjson.loads(connection.exec_driver_sql(_AS_JSON, (after, limit)).scalar_one())
    else:
        found = connection.exec_driver_sql(_FOLLOWING.replace("?", "%s"), (after, limit))
        # As the driver gives them: SQLAlchemy would make an object of each row.
        rows = found.cursor.fetchall()
        found.close()
    return [
        # Most are in no group, and nothing need be called to know that.
        stored_event(
            serial, id, type, of, person, float(at), group, _names(groups) if groups != "[]" else (), origin, body
        )
        for serial, id, type, of, person, at, group, groups, origin, body in rows
    ]


def _names(groups: str) -> tuple[str, ...]:
    return tuple(orjson.loads(groups))
