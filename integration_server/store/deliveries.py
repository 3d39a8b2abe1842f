"""Deliveries that are not simply done, as people see them, and the log of attempts.

What the engine writes is in ``settlements``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from integration_server.sdk.errors import IntegrationError
from integration_server.sdk.events import USER_UPDATED
from integration_server.store.engine import reading, writing
from integration_server.store.schema import attempts as attempts_table
from integration_server.store.schema import deliveries as table
from integration_server.store.schema import events, subscriptions
from integration_server.store.subscriptions import touched

#: How the log of attempts begins to say that a person gave a delivery up, and why.
SKIPPED = "skipped: "


class EarlierWaits(IntegrationError):
    """earlier updates of this person wait, and all of them are handed over as one: skip the earlier ones first"""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One event for one subscription that is not done. ``state``: parked (waits for ``next_at``), held (behind another
    one of its lane), dead (tries are used up), or settled (done while older ones are not, or skipped)."""

    id: int
    subscription_id: str
    serial: int
    lane: str
    event_id: str
    event_type: str
    backend: str
    person_id: str
    state: str
    attempts: int
    next_at: float | None
    error: str | None
    status: int | None
    created_at: float
    changed_at: float


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One try. ``delivery_id`` is the id sent: an event's or a batch's; serial and person are its first event's."""

    id: int
    subscription_id: str
    delivery_id: str
    serial: int
    event_count: int
    person_id: str
    at: float
    seconds: float
    is_ok: bool
    status: int | None
    error: str | None
    response: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one subscription: how many rows in each state, and when the oldest of the events was noticed."""

    counts: Mapping[str, int]
    oldest_at: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits, by subscription. Where ``is_partial`` there is more of it than was looked at: the oldest rows
    were."""

    waiting: Mapping[str, Waiting]
    is_partial: bool


class Deliveries:
    """The tables. Does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    def find(
        self,
        subscription_ids: Sequence[str] | None,
        state: str | None = None,
        backend: str | None = None,
        person_id: str | None = None,
        since: float | None = None,
        until: float | None = None,
        after_id: int = 0,
        limit: int = 100,
    ) -> list[DeliveryRow]:
        """By id, from ``after_id`` on. ``None`` as ids: of every subscription. Times are those of the row's making.

        Settled ones are bookkeeping, and given only when asked for.
        """
        wanted: list[sa.ColumnElement[bool]] = [table.c.id > after_id]
        wanted.append(table.c.state != "settled" if state is None else table.c.state == state)
        if subscription_ids is not None:
            wanted.append(table.c.subscription_id.in_(subscription_ids))
        if backend is not None:
            wanted.append(table.c.backend == backend)
        if person_id is not None:
            wanted.append(table.c.person_id == person_id)
        if since is not None:
            wanted.append(table.c.created_at >= since)
        if until is not None:
            wanted.append(table.c.created_at < until)
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(table).where(*wanted).order_by(table.c.id).limit(limit))
            return [DeliveryRow(*row) for row in rows]

    def get(self, id: int) -> DeliveryRow | None:
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(table).where(table.c.id == id)).one_or_none()
        return None if row is None else DeliveryRow(*row)

    def retry(self, id: int) -> bool:
        """Try a parked or dead one now, with all its tries before it. False where there is no such one."""
        with writing(self._engine) as connection:
            return self._retry(connection, table.c.id == id, table.c.state.in_(("parked", "dead"))) > 0

    def retry_all(self, subscription_id: str, state: str = "dead") -> int:
        """Try all dead (or parked) ones of a subscription now; how many."""
        if state not in ("dead", "parked"):
            raise ValueError(f"only dead and parked deliveries can be retried, not {state}")
        with writing(self._engine) as connection:
            return self._retry(connection, table.c.subscription_id == subscription_id, table.c.state == state)

    def retry_person(self, subscription_id: str, backend: str, person_id: str) -> int:
        """Try now what is parked or dead about one person, with all its tries before it; how many that are. What waits
        behind it follows."""
        c = table.c
        about = (c.subscription_id == subscription_id, c.backend == backend, c.person_id == person_id)
        with writing(self._engine) as connection:
            return self._retry(connection, *about, c.state.in_(("parked", "dead")))

    def skip(self, id: int, reason: str) -> bool:
        """Give up one parked, held or dead delivery; the next of its lane follows. False where there is no such one.
        Raises EarlierWaits.

        Earlier updates that went into it go with it: sent now, they would come after what they became.
        """
        with writing(self._engine) as connection:
            row = connection.execute(sa.select(table).where(table.c.id == id, table.c.state != "settled")).one_or_none()
            if row is None:
                return False
            self._give_up(connection, row, reason)
            return True

    def skip_person(
        self, subscription_id: str, backend: str, person_id: str, reason: str, up_to: int, limit: int = 1000
    ) -> int:
        """Give up what waits about one person up to the serial ``up_to``, in order; how many that were, ``limit`` at
        most. What came later is left: nobody has seen it."""
        c = table.c
        about = (c.subscription_id == subscription_id, c.backend == backend, c.person_id == person_id)
        wanted = sa.select(c.id).where(*about, c.state != "settled", c.serial <= up_to)
        count = 0
        with writing(self._engine) as connection:
            for id in connection.scalars(wanted.order_by(c.serial, c.id).limit(limit)).all():
                still = sa.select(table).where(c.id == id, c.state != "settled")
                # One that was made into one with a later one has gone with it.
                if (row := connection.execute(still).one_or_none()) is not None:
                    self._give_up(connection, row, reason)
                count += 1
        return count

    def _give_up(self, connection: sa.Connection, row: sa.Row[Any], reason: str) -> None:
        """Raises EarlierWaits."""
        now = self._clock()
        ours = subscriptions.c.id == row.subscription_id
        is_coalescing = connection.execute(
            subscriptions.update().where(ours).values(**_helped(now)).returning(subscriptions.c.is_coalescing)
        ).scalar_one()
        if is_coalescing and row.state == "held":
            _refuse_before_earlier(connection, row)
        c = table.c
        given_up = c.id == row.id
        if row.state != "held":
            # What waits before the one that holds the lane was made into one with it.
            merged = sa.and_(c.lane == row.lane, c.state == "held", c.serial < row.serial)
            given_up = sa.and_(c.subscription_id == row.subscription_id, sa.or_(given_up, merged))
        # The row stays until the engine has begun again: it keeps the event from being read once more, and tells
        # which open batches cannot go as they were.
        done = {"state": "settled", "next_at": None, "changed_at": now}
        connection.execute(table.update().where(given_up).values(**done))
        connection.execute(attempts_table.insert().values(_skipped(row, reason, now)))

    def attempts(self, subscription_id: str, before_id: int | None = None, limit: int = 100) -> list[AttemptRow]:
        """The newest first, from before ``before_id`` on."""
        statement = sa.select(attempts_table).where(attempts_table.c.subscription_id == subscription_id)
        if before_id is not None:
            statement = statement.where(attempts_table.c.id < before_id)
        with reading(self._engine) as connection:
            rows = connection.execute(statement.order_by(attempts_table.c.id.desc()).limit(limit))
            return [AttemptRow(*row) for row in rows]

    def counts(self) -> dict[str, dict[str, int]]:
        """subscription id -> state -> how many rows, settled ones left out."""
        number = sa.func.count()
        statement = sa.select(table.c.subscription_id, table.c.state, number).where(table.c.state != "settled")
        found: dict[str, dict[str, int]] = {}
        with reading(self._engine) as connection:
            for id, state, count in connection.execute(statement.group_by(table.c.subscription_id, table.c.state)):
                found.setdefault(id, {})[state] = count
        return found

    def counts_up_to(self, most: int, ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """The same of these subscriptions alone, none counted beyond ``most``."""
        found: dict[str, dict[str, int]] = {}
        with reading(self._engine) as connection:
            for id in ids:
                for state in ("parked", "held", "dead"):
                    some = sa.select(table.c.id).where(table.c.subscription_id == id, table.c.state == state)
                    query = sa.select(sa.func.count()).select_from(some.limit(most).subquery())
                    if count := connection.scalar(query):
                        found.setdefault(id, {})[state] = count
        return found

    def backlog(self, most: int) -> Backlog:
        """What waits for subscriptions, of the oldest ``most`` rows that are parked, held or dead."""
        c = table.c
        oldest = sa.select(c.subscription_id, c.state, c.serial, c.created_at).where(c.state != "settled")
        some = oldest.order_by(c.id).limit(most).subquery()
        columns = (some.c.subscription_id, some.c.state)
        numbers = (sa.func.count(), sa.func.min(some.c.serial), sa.func.min(some.c.created_at))
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(*columns, *numbers).group_by(*columns)).all()
            serials = {serial for _, _, _, serial, _ in rows}
            about = sa.select(events.c.serial, events.c.noticed_at).where(events.c.serial.in_(serials))
            noticed = {row.serial: row.noticed_at for row in connection.execute(about)} if serials else {}
        waiting: dict[str, Waiting] = {}
        for id, state, count, serial, created_at in rows:
            # Of somebody who is told of everybody there is no event.
            at = min(created_at, noticed.get(serial, created_at))
            before = waiting.get(id, Waiting({}, at))
            waiting[id] = Waiting({**before.counts, state: count}, min(before.oldest_at, at))
        return Backlog(waiting, sum(row[2] for row in rows) >= most)

    def _retry(self, connection: sa.Connection, *which: sa.ColumnElement[bool]) -> int:
        now = self._clock()
        again = {"state": "parked", "next_at": now, "attempts": 0, "changed_at": now}
        statement = table.update().where(*which).values(**again).returning(table.c.subscription_id)
        found = connection.execute(statement).scalars().all()
        if found:
            ours = subscriptions.c.id.in_(set(found))
            connection.execute(subscriptions.update().where(ours).values(**_helped(now)))
        return len(found)


def _helped(now: float) -> dict[str, Any]:
    """Columns of a subscription whose deliveries a person has looked after: a receiver that rests is asked at once."""
    return {**touched(now), "next_probe_at": None}


def _refuse_before_earlier(connection: sa.Connection, row: sa.Row[Any]) -> None:
    """Raises EarlierWaits where the row may have been sent already as one with an update that waits before it: that one
    would come after what it became."""
    c = table.c
    lane = (c.subscription_id == row.subscription_id, c.lane == row.lane, c.state != "settled")
    before = sa.select(c.event_type, c.backend, c.person_id).where(*lane, c.serial < row.serial)
    found = connection.execute(before.order_by(c.serial.desc(), c.id.desc()).limit(1)).one_or_none()
    if found == (USER_UPDATED, row.backend, row.person_id) and row.event_type == USER_UPDATED:
        raise EarlierWaits


def _skipped(row: sa.Row[Any], reason: str, now: float) -> dict[str, Any]:
    return {
        "subscription_id": row.subscription_id,
        "delivery_id": row.event_id,
        "serial": row.serial,
        "event_count": 1,
        "person_id": row.person_id,
        "at": now,
        "seconds": 0.0,
        "is_ok": False,
        "error": SKIPPED + reason,
    }
