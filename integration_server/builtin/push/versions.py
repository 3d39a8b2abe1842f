"""What waits for whom, in SQL. Every function works on a connection that the caller has, within their transaction.

A version is pending while it is above the one that the user agent acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from integration_server.builtin.push.registrations import chunks
from integration_server.builtin.push.tables import agents, channels

#: {UAID: {channel: version}}
Update = dict[str, dict[str, int]]

_IS_PENDING = sa.and_(
    channels.c.removed_at.is_(None),
    channels.c.version > sa.func.coalesce(channels.c.acknowledged, -1),
)

#: Of one endpoint, for ``Storage.question``.
ENDPOINT_STATE = (
    "SELECT c.uaid, c.channel, c.version, c.acknowledged, c.removed_at, c.binding, a.in_flight_until"
    " FROM push_channels c JOIN push_agents a ON a.mount = c.mount AND a.uaid = c.uaid"
    " WHERE c.mount = ? AND c.endpoint = ?"
)
LAST_CHANGE = "SELECT last_change FROM push_mounts WHERE mount = ?"

#: As the driver takes them: with every PUT, making a statement of something would cost more than the rest.
_NEXT_CHANGE = "UPDATE push_mounts SET last_change = last_change + 1 WHERE mount = ? RETURNING last_change"
#: Never downwards, and neither into what is removed nor into what gets its versions elsewhere.
_STORE = (
    "UPDATE push_channels SET version = ?, change = ?, changed_at = ?"
    " WHERE mount = ? AND endpoint = ? AND removed_at IS NULL AND binding IS NULL"
    " AND (version IS NULL OR version < ?)"
)
#: Never above what there is, since that would swallow what comes; never downwards.
_ACKNOWLEDGE = sa.text(
    "UPDATE push_channels SET acknowledged = CASE WHEN version < :version THEN version ELSE :version END"
    " WHERE mount = :mount AND endpoint = :endpoint AND version IS NOT NULL"
    " AND (acknowledged IS NULL OR acknowledged < :version) AND binding IS NULL"
)


@dataclass(frozen=True, slots=True)
class EndpointState:
    """What decides about a PUT; see the tables."""

    uaid: str
    channel: str
    version: int | None
    acknowledged: int | None
    removed_at: float | None
    binding: str | None
    in_flight_until: float

    @property
    def is_pending(self) -> bool:
        return self.version is not None and (self.acknowledged is None or self.acknowledged < self.version)


@dataclass(frozen=True, slots=True)
class Letter:
    """A version for an endpoint, given by its id; ``now`` is in Unix seconds."""

    endpoint: str
    version: int
    now: float


def store(connection: Connection, mount: str, letters: Sequence[Letter]) -> None:
    """Keep versions, as one change. Other writers of the mount wait from here on: whoever sees a change has been able
    to see all before it."""
    change = connection.exec_driver_sql(_for_driver(connection, _NEXT_CHANGE), (mount,)).scalar_one()
    rows = [(one.version, change, one.now, mount, one.endpoint, one.version) for one in letters]
    connection.exec_driver_sql(_for_driver(connection, _STORE), rows if len(rows) > 1 else rows[0])


def _for_driver(connection: Connection, statement: str) -> str:
    return statement if connection.dialect.paramstyle == "qmark" else statement.replace("?", "%s")


def pending(connection: Connection, mount: str, uaids: Iterable[str]) -> Update:
    """What waits for these; those for whom nothing does are left out."""
    found: Update = {}
    for chunk in chunks(uaids):
        query = sa.select(channels.c.uaid, channels.c.channel, channels.c.version).where(
            channels.c.mount == mount, channels.c.uaid.in_(chunk), _IS_PENDING
        )
        for uaid, channel, version in connection.execute(query):
            found.setdefault(uaid, {})[channel] = version
    return found


def changes(connection: Connection, mount: str, after: int, up_to: int) -> Update:
    """What waits of that which came with these changes."""
    query = sa.select(channels.c.uaid, channels.c.channel, channels.c.version).where(
        channels.c.mount == mount, channels.c.change > after, channels.c.change <= up_to, _IS_PENDING
    )
    found: Update = {}
    for uaid, channel, version in connection.execute(query):
        found.setdefault(uaid, {})[channel] = version
    return found


def acknowledge(connection: Connection, mount: str, versions: Mapping[str, int]) -> None:
    """A user agent has these versions, by the ids of endpoints, and older ones."""
    if versions:
        rows = [{"mount": mount, "endpoint": id, "version": version} for id, version in versions.items()]
        connection.execute(_ACKNOWLEDGE, rows)


def send(connection: Connection, mount: str, uaids: Iterable[str], until: float) -> None:
    """What is pending is on its way to these, until they acknowledge it or until that moment (Unix seconds)."""
    for chunk in chunks(uaids):
        connection.execute(
            channels.update()
            .where(channels.c.mount == mount, channels.c.uaid.in_(chunk), _IS_PENDING)
            .values(sent=channels.c.version)
        )
        connection.execute(
            agents.update().where(agents.c.mount == mount, agents.c.uaid.in_(chunk)).values(in_flight_until=until)
        )


def confirm(connection: Connection, mount: str, uaids: Iterable[str]) -> None:
    """These have what was on its way: nothing newer is acknowledged with it."""
    for chunk in chunks(uaids):
        connection.execute(
            channels.update()
            .where(
                channels.c.mount == mount,
                channels.c.uaid.in_(chunk),
                channels.c.sent > sa.func.coalesce(channels.c.acknowledged, -1),
            )
            .values(acknowledged=channels.c.sent)
        )


def land(connection: Connection, mount: str, uaids: Iterable[str]) -> None:
    """Nothing is on its way to these any more."""
    for chunk in chunks(uaids):
        connection.execute(
            agents.update().where(agents.c.mount == mount, agents.c.uaid.in_(chunk)).values(in_flight_until=0.0)
        )
