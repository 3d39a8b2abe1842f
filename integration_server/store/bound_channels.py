"""Bound channels: subscriptions of which nothing is delivered. Their holder asks for a version, which is the serial of
the latest event that touches the resource, and acknowledges it.

A channel waits where that serial is above what it acknowledged, so a change writes one row however many channels there
are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from integration_server.store.bound_resources import hold, release, tell_change
from integration_server.store.engine import reading, writing
from integration_server.store.event_rows import lock_serials
from integration_server.store.people import bound_set, marked, plain
from integration_server.store.schema import bound_resources as resources
from integration_server.store.schema import subscriptions as table
from integration_server.store.schema import tokens
from integration_server.store.standing_query import StandingConnection, StandingQuery
from integration_server.store.subscriptions import Subscription, as_row, from_row, touched

_TOKEN_IS_DEAD = "its token was revoked or has expired"
#: What is written at once while others wait.
_ACKNOWLEDGED_AT_ONCE = 2_000

_AMONG = {
    "sqlite": "s.id IN (SELECT value FROM json_each(:ids))",
    "postgresql": "s.id = ANY(CAST(:ids AS text[]))",
}
_AMONG_BOUND = {
    "sqlite": "s.bound_to IN (SELECT value FROM json_each(:ids))",
    "postgresql": "s.bound_to = ANY(CAST(:ids AS bigint[]))",
}
#: A token that was revoked, or whose time is up, is told nothing from that moment on, whoever noticed it.
_FIND = (
    "SELECT s.id, s.bound_to, r.serial, s.cursor, s.is_active AND s.state <> 'ended' AND t.revoked_at IS NULL"
    " AND (t.expires_at IS NULL OR t.expires_at > :now)"
    " FROM subscriptions s JOIN bound_resources r ON r.id = s.bound_to JOIN tokens t ON t.id = s.owner WHERE {among}"
)
_ACKNOWLEDGE = {
    "sqlite": "UPDATE subscriptions SET cursor = max(cursor, min(?, (SELECT r.serial FROM bound_resources r"
    " WHERE r.id = bound_to))) WHERE id = ? AND bound_to IS NOT NULL AND cursor < ?",
    "postgresql": "UPDATE subscriptions SET cursor = greatest(cursor, least(?, (SELECT r.serial FROM bound_resources r"
    " WHERE r.id = bound_to))) WHERE id = ? AND bound_to IS NOT NULL AND cursor < ?",
}


@dataclass(frozen=True, slots=True)
class BoundChannel:
    """A channel. ``resource`` is the id of what it is bound to. ``is_told``: it is neither paused nor ended, and its
    token lives."""

    id: str
    resource: int
    version: int
    acknowledged: int
    is_told: bool


class Mark(NamedTuple):
    """How far somebody has looked: the journal's last serial, and the number of changes to channels."""

    serial: int
    changes: int


class BoundChannels:
    """Those rows of ``subscriptions``, and the table ``bound_resources``. Does not own the engine. Its methods raise
    StoreUnavailable."""

    def __init__(
        self, engine: sa.Engine, standing: StandingConnection | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._clock = clock
        dialect = engine.dialect.name
        self._find = sa.text(_FIND.format(among=_AMONG[dialect]))
        self._pending = sa.text(f"{self._find.text} AND r.serial > s.cursor")
        self._pending_of = sa.text(_FIND.format(among=f"{_AMONG_BOUND[dialect]} AND r.serial > s.cursor"))
        self._acknowledge = _ACKNOWLEDGE[dialect]
        question = "SELECT last_serial, bound_changes FROM journal_state"
        self._mark = StandingQuery(standing or StandingConnection(engine), question)

    def bind(self, new: Subscription) -> BoundChannel:
        """Write a channel down, which knows of everything that happened until now. Where its owner has one with this
        uid, that one becomes bound to ``new.resource``, paused or not as before; if that is the same resource, what it
        did not acknowledge goes on waiting."""
        c = table.c
        with writing(self._engine) as connection:
            # Before the row is looked for: so two that bind the same wait for each other.
            last_serial = lock_serials(connection)
            is_it = (c.owner == new.owner, c.uid == new.uid, c.uid.is_not(None))
            found = connection.execute(sa.select(c.id, c.bound_to).where(*is_it)).first()
            id = hold(connection, new.resource, last_serial)
            serial: int = connection.scalars(sa.select(resources.c.serial).where(resources.c.id == id)).one()
            made = replace(new, bound_to=id, cursor=serial)
            if found is None:
                connection.execute(table.insert().values(as_row(made)))
                return BoundChannel(made.id, id, serial, serial, True)
            kept = (
                "id",
                "created_at",
                "changed_at",
                "epoch",
                "is_active",
                *(["cursor"] if found.bound_to == id else []),
            )
            values = {name: value for name, value in as_row(made).items() if name not in kept}
            if found.bound_to is not None:
                tell_change(connection, found.bound_to)
            connection.execute(table.update().where(c.id == found.id).values(**values, **touched(self._clock())))
            release(connection, [found.bound_to] if found.bound_to not in (None, id) else [])
            cursor: int = connection.scalars(sa.select(c.cursor).where(c.id == found.id)).one()
            return BoundChannel(found.id, id, serial, cursor, True)

    def count(self, owner: str) -> int:
        """How many an owner has."""
        query = sa.select(sa.func.count()).select_from(table)
        with reading(self._engine) as connection:
            return connection.scalar(query.where(table.c.bound_to.is_not(None), table.c.owner == owner)) or 0

    def count_by_owner(self, most: int) -> dict[str, int]:
        """How many each owner has, of the first ``most`` that are found."""
        some = sa.select(table.c.owner).where(table.c.bound_to.is_not(None)).limit(most).subquery()
        query = sa.select(some.c.owner, sa.func.count()).group_by(some.c.owner)
        with reading(self._engine) as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def page(self, owner: str, after: str, limit: int) -> list[tuple[Subscription, int]]:
        """The next of an owner's by uid, each with the serial of what it is bound to."""
        c = table.c
        found = sa.select(table, resources.c.serial.label("version")).join(resources, resources.c.id == c.bound_to)
        query = found.where(c.owner == owner, c.uid > after).order_by(c.uid).limit(limit)
        with reading(self._engine) as connection:
            return [(from_row(row), row.version) for row in connection.execute(query)]

    def find(self, ids: Collection[str], is_pending: bool = False) -> dict[str, BoundChannel]:
        """The channels among these ids; ``is_pending``: only those whose version is above what they acknowledged. One
        statement, however many they are."""
        if not ids:
            return {}
        values = {"ids": bound_set(self._engine.dialect.name, list(ids)), "now": self._clock()}
        with reading(self._engine) as connection:
            return _channels(connection.execute(self._pending if is_pending else self._find, values))

    def pending_of(self, bound_to: Collection[int]) -> dict[str, BoundChannel]:
        """The channels of these resources whose version is above what they acknowledged."""
        if not bound_to:
            return {}
        values = {"ids": bound_set(self._engine.dialect.name, list(bound_to)), "now": self._clock()}
        with reading(self._engine) as connection:
            return _channels(connection.execute(self._pending_of, values))

    def acknowledge(self, versions: Mapping[str, int]) -> None:
        """The holders know these versions, by channel. None goes back, or beyond its resource's serial; ids that are no
        channel's are passed over."""
        # In order, so that two never wait for each other.
        rows = [(version, id, version) for id, version in sorted(versions.items())]
        for begin in range(0, len(rows), _ACKNOWLEDGED_AT_ONCE):
            with writing(self._engine) as connection:
                some = rows[begin : begin + _ACKNOWLEDGED_AT_ONCE]
                connection.exec_driver_sql(marked(connection, self._acknowledge), some)

    def remove(self, ids: Collection[str]) -> None:
        """End channels for good; ids that are no channel's are passed over."""
        if not ids:
            return
        values = {"ids": bound_set(self._engine.dialect.name, list(ids))}
        among = sa.text(_AMONG[self._engine.dialect.name].replace("s.id", "subscriptions.id"))
        with writing(self._engine) as connection:
            lock_serials(connection)
            is_bound = (among, table.c.bound_to.is_not(None))
            bound = connection.scalars(sa.select(table.c.bound_to).where(*is_bound).distinct(), values).all()
            connection.execute(table.delete().where(*is_bound), values)
            release(connection, [id for id in bound if id is not None])

    def mark(self) -> Mark:
        """Now. Costs next to nothing."""
        return Mark._make(self._mark.first(()) or (0, 0))

    def changed_since(self, mark: Mark) -> frozenset[int]:
        """The resources that something touched since then, or one of whose channels somebody changed. Take the next
        mark before."""
        c = resources.c
        newer = sa.or_(c.serial > mark.serial, c.change > mark.changes)
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(sa.select(c.id).where(newer)))

    def serials(self) -> dict[int, int]:
        """The serial of each resource that something is bound to."""
        with reading(self._engine) as connection:
            return {row.id: row.serial for row in connection.execute(sa.select(resources.c.id, resources.c.serial))}

    def end_orphans(self) -> int:
        """Let people see of channels whose token is dead that they are told nothing any more. How many that are."""
        with writing(self._engine) as connection:
            return end_orphans(connection, self._clock())


def _channels(result: sa.CursorResult[Any]) -> dict[str, BoundChannel]:
    rows = plain(result)
    return {id: BoundChannel(id, of, serial, cursor, bool(is_told)) for id, of, serial, cursor, is_told in rows}


def end_orphans(connection: sa.Connection, now: float) -> int:
    """See BoundChannels. Raises SQLAlchemyError."""
    c = table.c
    dead = sa.select(tokens.c.id).where(sa.or_(tokens.c.revoked_at.is_not(None), tokens.c.expires_at <= now))
    ending = table.update().where(c.bound_to.is_not(None), c.state != "ended", c.owner.in_(dead))
    return connection.execute(ending.values(state="ended", state_reason=_TOKEN_IS_DEAD, **touched(now))).rowcount
