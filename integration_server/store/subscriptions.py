"""Subscriptions: who is told what, and how far each has come.

Settings are changed by people, progress by the engine that delivers. ``changed_at`` moves with every change of a
person, so that the engine reads the subscription again; ``epoch`` grows when progress itself was changed (a replay), so
that what the engine still holds in memory from before is not written over it.
"""

from __future__ import annotations

import secrets as randomness
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from integration_server.sdk.errors import IntegrationError
from integration_server.sdk.events import USER_SNAPSHOT, Event, wants_type
from integration_server.store.bound_resources import release, tell_change
from integration_server.store.engine import reading, writing
from integration_server.store.event_rows import lock_serials
from integration_server.store.resources import Resource as Resource
from integration_server.store.schema import deliveries, journal_state, leases, open_batches
from integration_server.store.schema import subscriptions as table

#: The owner of what stands in the configuration.
CONFIG_OWNER = "config"
#: The owner of what a person added by command.
COMMAND_OWNER = "cli"
#: The owner of what an administrator made in the dashboard.
DASHBOARD_OWNER = "dashboard"
#: Owners of what no protocol and no program asked for.
BY_HAND = (COMMAND_OWNER, DASHBOARD_OWNER)

#: So many secrets sign what is sent, at most.
MOST_SECRETS = 8
_MOST_STUCK = 500

#: What makes somebody who rested worth a new try at once.
_REVIVING = frozenset({"settings", "secrets", "type"})
_FRESH: dict[str, Any] = {
    "state": "ok",
    "state_reason": None,
    "failing_since": None,
    "probes": 0,
    "next_probe_at": None,
}


class UidTaken(IntegrationError):
    """The owner has another subscription with this uid."""


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret to sign with; ``until`` (Unix seconds) is None for the current one."""

    secret: str = field(repr=False)
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """One receiver. Times are Unix seconds.

    ``cursor``: every matching event up to this serial is delivered or has a row. ``replay_serial`` is set while a
    replay of everybody as of that serial is under way; it has come as far as ``replay_key``. One that is ``bound_to``
    a resource is a channel: nothing is delivered to it, its holder asks for the resource's serial, and ``cursor`` is
    what the holder acknowledged.
    """

    id: str
    owner: str
    uid: str | None
    type: str
    resource: Resource
    events: tuple[str, ...]
    settings: dict[str, Any] = field(repr=False)
    secrets: tuple[StoredSecret, ...]
    batch_size: int
    rate_per_second: float | None
    is_coalescing: bool
    is_active: bool
    state: str
    state_reason: str | None
    created_at: float
    changed_at: float
    cursor: int
    replay_serial: int | None = None
    replay_key: int | None = None
    failing_since: float | None = None
    probes: int = 0
    next_probe_at: float | None = None
    epoch: int = 0
    bound_to: int | None = None

    def matches(self, event: Event) -> bool:
        """Whether its receiver is to be told of ``event``; nobody is told of what they did themselves."""
        return event.origin != self.id and self.wants_type(event.type) and self.resource.matches(event)

    def wants_type(self, event_type: str) -> bool:
        return any(wants_type(pattern, event_type) for pattern in self.events)

    def active_secrets(self, now: float) -> tuple[str, ...]:
        """Those to sign with, the newest first."""
        return tuple(kept.secret for kept in self.secrets if kept.until is None or kept.until > now)


def new_subscription_id() -> str:
    return f"sub_{randomness.token_hex(12)}"


class Subscriptions:
    """The table. Does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    def add(self, subscription: Subscription, instead_of: str | None = None) -> None:
        """``instead_of``: another one of the same receiver, which is removed; the new one goes on where that was,
        unless it had ended. Raises UidTaken."""
        with writing(self._engine) as connection:
            place = {} if instead_of is None else _place(connection, instead_of)
            try:
                connection.execute(table.insert().values({**as_row(subscription), **place}))
            except sa.exc.IntegrityError as exc:
                raise UidTaken(f"there is a subscription with the uid {subscription.uid!r} already") from exc
            if instead_of is not None:
                _remove(connection, instead_of)

    def get(self, id: str) -> Subscription | None:
        return self._one(table.c.id == id)

    def by_uid(self, owner: str, uid: str) -> Subscription | None:
        return self._one(table.c.owner == owner, table.c.uid == uid)

    def all(self, owner: str | None = None, type: str | None = None) -> list[Subscription]:
        """In the order in which they were made."""
        wanted = {table.c.owner: owner, table.c.type: type}
        return self._some(*(column == value for column, value in wanted.items() if value is not None))

    def page(self, owner: str, after: tuple[float, str], uid: str | None, limit: int) -> list[Subscription]:
        """The next of an owner's, in that order; ``after`` is when the one before was made, and its id."""
        same = (table.c.uid == uid,) if uid is not None else ()
        return self._some(table.c.owner == owner, _later(after), *same, limit=limit)

    def delivered_page(
        self, after: tuple[float, str], limit: int, owner: str | None = None, words: str | None = None
    ) -> list[Subscription]:
        """The next to which something is delivered, in the order in which they were made; of everybody, or of one
        owner. ``words`` must be part of the uid or be the id."""
        wanted = [table.c.bound_to.is_(None), _later(after)]
        if owner is not None:
            wanted.append(table.c.owner == owner)
        if words is not None:
            wanted.append(sa.or_(table.c.uid.contains(words, autoescape=True), table.c.id == words))
        return self._some(*wanted, limit=limit)

    def delivered(self) -> list[Subscription]:
        """Those to which something is delivered: all but bound channels."""
        return self._some(table.c.bound_to.is_(None))

    def foremost(self, limit: int, stuck: Collection[str] = ()) -> list[Subscription]:
        """Up to ``limit`` of those to which something is delivered, the ones first that a person should look at: those
        that take nothing, or are among the ``stuck``."""
        c = table.c
        is_well = sa.and_(c.state == "ok", c.failing_since.is_(None), c.id.not_in(list(stuck)[:_MOST_STUCK]))
        query = sa.select(table).where(c.bound_to.is_(None))
        with reading(self._engine) as connection:
            order = (sa.case((is_well, 1), else_=0), c.created_at, c.id)
            return [from_row(row) for row in connection.execute(query.order_by(*order).limit(limit))]

    def count(self, owner: str) -> int:
        """How many an owner has, bound channels not among them."""
        query = sa.select(sa.func.count()).select_from(table)
        with reading(self._engine) as connection:
            return connection.scalar(query.where(table.c.owner == owner, table.c.bound_to.is_(None))) or 0

    def versions(self) -> dict[str, float]:
        """``changed_at`` of each to which something is delivered, to see cheaply whether any changed."""
        query = sa.select(table.c.id, table.c.changed_at).where(table.c.bound_to.is_(None))
        with reading(self._engine) as connection:
            return {row.id: row.changed_at for row in connection.execute(query)}

    def change(self, id: str, **columns: Any) -> Subscription:
        """Write some fields, named and shaped as in Subscription. Raises KeyError for an unknown id, UidTaken.

        New settings, secrets or ``is_active=True`` end a rest or quarantine, and what is parked is tried at once;
        ``is_active=True`` also ends an end.
        """
        with writing(self._engine) as connection:
            return self._change(connection, id, columns)

    def _change(self, connection: sa.Connection, id: str, columns: Mapping[str, Any]) -> Subscription:
        values = {name: _ENCODERS.get(name, _as_is)(value) for name, value in columns.items()}
        found = connection.execute(sa.select(table.c.state, table.c.bound_to).where(table.c.id == id)).first()
        if found is None:
            raise KeyError(id)
        state, bound_to = found
        if bound_to is not None:
            tell_change(connection, bound_to)
        if columns.get("is_active") or (state != "ended" and not _REVIVING.isdisjoint(columns)):
            values = {**_FRESH, **values}
            parked = (deliveries.c.subscription_id == id, deliveries.c.state == "parked")
            connection.execute(deliveries.update().where(*parked).values(next_at=self._clock()))
        try:
            connection.execute(table.update().where(table.c.id == id).values(**values, **self._touched()))
        except sa.exc.IntegrityError as exc:
            raise UidTaken(f"there is a subscription with the uid {columns.get('uid')!r} already") from exc
        return from_row(connection.execute(sa.select(table).where(table.c.id == id)).one())

    def resume(self, id: str, begins_anew: bool) -> None:
        """Deliver again. One that had ended goes on where it stopped, or, where it ``begins_anew``, with what happens
        from now on. Raises KeyError for an unknown id."""
        found = self.get(id)
        if found is not None and found.state == "ended" and begins_anew:
            last = sa.select(journal_state.c.last_serial).scalar_subquery()
            self._replay(id, {"cursor": last, "replay_serial": None, "replay_key": None}, sa.true())
        self.change(id, is_active=True)

    def explain(self, id: str, reason: str) -> None:
        """Say for people why nothing is delivered; no change of the settings."""
        with writing(self._engine) as connection:
            connection.execute(table.update().where(table.c.id == id).values(state_reason=reason[:1000]))

    def remove(self, id: str) -> bool:
        """With everything undelivered. Whether it was there."""
        with writing(self._engine) as connection:
            return _remove(connection, id)

    def rotate_secret(self, id: str, new: str, overlap_seconds: float) -> Subscription:
        """Sign with ``new``, and for a while also with those of before: the latest few, since each makes what is sent
        with every delivery longer. Raises KeyError."""
        with writing(self._engine) as connection:
            # Read here, so that of two who rotate at one moment each finds the other's secret, and loses none.
            row = connection.execute(sa.select(table).where(table.c.id == id).with_for_update()).first()
            if row is None:
                raise KeyError(id)
            now = self._clock()
            ends = now + overlap_seconds
            old = [kept for kept in from_row(row).secrets if kept.until is None or kept.until > now]
            kept = [StoredSecret(one.secret, ends if one.until is None else min(one.until, ends)) for one in old]
            good = [one for one in kept if (one.until or 0) > now][: MOST_SECRETS - 1]
            return self._change(connection, id, {"secrets": (StoredSecret(new), *good)})

    def replay_from(self, id: str, serial: int) -> bool:
        """Deliver everything after ``serial`` (again). Whether the subscription is there. The holder of a bound channel
        is told the version once more, where something touched the resource after that."""
        values = {"cursor": serial, "replay_serial": None, "replay_key": None}
        return self._replay(id, values, deliveries.c.serial > serial)

    def replay_snapshot(self, id: str) -> bool:
        """Deliver everybody as they are now, and then what changes from here on. Whether the subscription is there."""
        last = sa.select(journal_state.c.last_serial).scalar_subquery()
        return self._replay(id, {"cursor": last, "replay_serial": last, "replay_key": 0}, sa.true())

    def lowest_cursor(self) -> int | None:
        """The highest serial that no living subscription needs any more; None where there is none at all. Bound
        channels need no events: all that they are told is a number."""
        alive = sa.and_(table.c.state != "ended", table.c.bound_to.is_(None))
        rows = sa.select(sa.func.min(deliveries.c.serial) - 1).join(table).where(alive)
        with reading(self._engine) as connection:
            cursors = [
                connection.execute(sa.select(sa.func.min(table.c.cursor)).where(alive)).scalar(),
                connection.execute(rows.where(deliveries.c.state != "settled")).scalar(),
            ]
        return min((int(cursor) for cursor in cursors if cursor is not None), default=None)

    def _one(self, *where: sa.ColumnElement[bool]) -> Subscription | None:
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(table).where(*where)).one_or_none()
        return None if row is None else from_row(row)

    def _some(self, *where: sa.ColumnElement[bool], limit: int | None = None) -> list[Subscription]:
        statement = sa.select(table).where(*where).order_by(table.c.created_at, table.c.id).limit(limit)
        with reading(self._engine) as connection:
            return [from_row(row) for row in connection.execute(statement)]

    def _replay(self, id: str, values: dict[str, Any], obsolete: sa.ColumnElement[bool]) -> bool:
        with writing(self._engine) as connection:
            bound_to = connection.scalar(sa.select(table.c.bound_to).where(table.c.id == id))
            if bound_to is not None:
                tell_change(connection, bound_to)
            statement = table.update().where(table.c.id == id)
            values = {**values, **self._touched(), "epoch": table.c.epoch + 1}
            if not connection.execute(statement.values(**values)).rowcount:
                return False
            connection.execute(deliveries.delete().where(deliveries.c.subscription_id == id, obsolete))
            connection.execute(open_batches.delete().where(open_batches.c.subscription_id == id))
            return True

    def _touched(self) -> dict[str, Any]:
        return touched(self._clock())


def _remove(connection: sa.Connection, id: str) -> bool:
    bound_to = connection.scalar(sa.select(table.c.bound_to).where(table.c.id == id))
    if bound_to is not None:
        lock_serials(connection)
        tell_change(connection, bound_to)
    connection.execute(leases.delete().where(leases.c.name == f"subscription/{id}"))
    was_there = connection.execute(table.delete().where(table.c.id == id)).rowcount > 0
    if bound_to is not None:
        release(connection, [bound_to])
    return was_there


def _place(connection: sa.Connection, id: str) -> dict[str, Any]:
    """How far a subscription has come, as columns; nothing for one that has ended or is not there. What waits is read
    again, and a replay of everybody that is not over begins again."""
    found = connection.execute(sa.select(table).where(table.c.id == id, table.c.state != "ended")).one_or_none()
    if found is None:
        return {}
    waiting = (deliveries.c.subscription_id == id, deliveries.c.state != "settled")
    told = (*waiting, deliveries.c.event_type == USER_SNAPSHOT)
    replay = found.replay_serial or connection.scalar(sa.select(sa.func.max(deliveries.c.serial)).where(*told))
    if replay is not None:
        return {"cursor": replay, "replay_serial": replay, "replay_key": 0}
    first = connection.scalar(sa.select(sa.func.min(deliveries.c.serial)).where(*waiting))
    return {"cursor": found.cursor if first is None else min(found.cursor, first - 1)}


def _later(than: tuple[float, str]) -> sa.ColumnElement[bool]:
    return sa.tuple_(table.c.created_at, table.c.id) > sa.tuple_(*map(sa.literal, than))


def touched(now: float) -> dict[str, Any]:
    """The column that tells the engine to look again; it moves also when the clock does not, or steps back."""
    later = sa.case((table.c.changed_at >= now, table.c.changed_at + 1e-5), else_=now)
    return {"changed_at": later}


def _as_is(value: Any) -> Any:
    return value


def _texts(value: Iterable[str]) -> str:
    return orjson.dumps(list(value)).decode()


def _secrets(value: Iterable[StoredSecret]) -> str:
    return orjson.dumps([{"secret": one.secret, "until": one.until} for one in value]).decode()


#: How fields are written that are no plain value.
_ENCODERS: dict[str, Callable[[Any], Any]] = {
    "resource": lambda value: orjson.dumps(value.as_json()).decode(),
    "events": _texts,
    "settings": lambda value: orjson.dumps(value).decode(),
    "secrets": _secrets,
}


def as_row(subscription: Subscription) -> dict[str, Any]:
    names = Subscription.__dataclass_fields__
    return {name: _ENCODERS.get(name, _as_is)(getattr(subscription, name)) for name in names}


def from_row(row: sa.Row[Any]) -> Subscription:
    """Of a row that may have more columns."""
    values = {name: row._mapping[name] for name in Subscription.__dataclass_fields__}
    values["resource"] = Resource.from_json(orjson.loads(values["resource"]))
    values["events"] = tuple(orjson.loads(values["events"]))
    values["settings"] = orjson.loads(values["settings"])
    values["secrets"] = tuple(StoredSecret(**one) for one in orjson.loads(values["secrets"]))
    return Subscription(**values)
