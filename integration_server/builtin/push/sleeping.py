"""Who can be woken, in SQL. Every function works on a connection that the caller has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy import Connection

from integration_server.builtin.push.registrations import chunks
from integration_server.builtin.push.tables import agents
from integration_server.builtin.push.waking import Sleeper

_COLUMNS = (agents.c.uaid, agents.c.kick, agents.c.in_flight_until)


def with_kick_data(connection: Connection, mount: str, uaids: Iterable[str], now: float) -> dict[str, Sleeper]:
    """Those that have kick data, by their UAID."""
    found = {}
    for chunk in chunks(uaids):
        query = sa.select(*_COLUMNS).where(
            agents.c.mount == mount, agents.c.uaid.in_(chunk), agents.c.kick.is_not(None)
        )
        for uaid, kick, in_flight_until in connection.execute(query):
            found[uaid] = Sleeper(uaid, json.loads(kick), now < in_flight_until)
    return found


def all_with_kick_data(connection: Connection, mount: str) -> Iterator[str]:
    """The UAIDs of all that have some."""
    query = sa.select(agents.c.uaid).where(agents.c.mount == mount, agents.c.kick.is_not(None))
    yield from connection.execute(query).scalars()
