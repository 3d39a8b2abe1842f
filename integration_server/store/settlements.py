"""What the engine writes down while it delivers: cursors, rows, open batches and attempts, many flows at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import orjson
import sqlalchemy as sa

from integration_server.store.deliveries import DeliveryRow
from integration_server.store.engine import reading, writing
from integration_server.store.leases import are_held, limit_idling
from integration_server.store.schema import attempts, journal_state, open_batches, subscriptions
from integration_server.store.schema import deliveries as table
from integration_server.store.standing_query import StandingConnection, StandingStatement
from integration_server.store.subscriptions import touched

#: So many attempts are kept of each subscription.
ATTEMPTS_KEPT = 1000
_PROGRESS = ("cursor", "replay_serial", "replay_key")
_HEALTH = ("state", "state_reason", "failing_since", "probes", "next_probe_at")
_CHANGING = ("state", "attempts", "next_at", "error", "status", "changed_at")
_ROW = ("subscription_id", "serial", "lane", "event_id", "event_type", "backend", "person_id", *_CHANGING, "created_at")
_BATCH = ("id", "subscription_id", "serials", "is_settled", "created_at")
_ABOUT = ("subscription_id", "delivery_id", "serial", "event_count", "person_id")
_LOGGED = (*_ABOUT, "at", "seconds", "is_ok", "status", "error", "response")
_progress, _health, _row, _changing, _logged = (
    itemgetter(*names) for names in (_PROGRESS, _HEALTH, _ROW, _CHANGING, _LOGGED)
)

#: Of a batch, the serials (in a replay the keys of people) of its events; those that were merged into one, together.
Members = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class RowChange:
    """What becomes of the row of one event. ``values`` is None where it goes; ``is_new`` where it may not be there."""

    event_id: str
    values: dict[str, Any] | None
    is_new: bool


@dataclass(frozen=True, slots=True)
class Settlement:
    """Everything about one subscription that must become true at once.

    ``epoch`` is the one that its progress belongs to, ``seen_at`` the ``changed_at`` of the settings it worked with,
    ``lease`` the name, owner and fence without which nothing counts. ``progress`` are the columns ``cursor``,
    ``replay_serial`` and ``replay_key``, ``health`` those about the receiver's state. Batches are ``opened`` before
    they are sent, ``closed`` when they are done or broken up, and only ``marked`` when they are done above the cursor.
    ``is_cancelled``: nothing waits any more, since the receiver has ended for good.
    """

    subscription_id: str
    epoch: int
    seen_at: float
    lease: tuple[str, str, int] | None
    progress: dict[str, Any]
    health: dict[str, Any]
    rows: Sequence[RowChange] = ()
    opened: Mapping[str, Members] = field(default_factory=dict)
    marked: Sequence[str] = ()
    closed: Sequence[str] = ()
    attempts: Sequence[dict[str, Any]] = ()
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch that was or may have been sent. See Members. ``is_settled``: it is done, while older events are not."""

    id: str
    members: list[list[int]]
    is_settled: bool


@dataclass(frozen=True, slots=True)
class LaneRows:
    """What is stored of one lane: how many rows wait, and the one that holds it, if any."""

    lane: str
    count: int
    holder: DeliveryRow | None


class Settlements:
    """The engine's side of the tables of deliveries. Does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(
        self, engine: sa.Engine, writer: StandingConnection | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """``writer`` is for others to share."""
        self._engine = engine
        self._clock = clock
        # Not back: where another engine serves it by now, it may be farther.
        advance = "UPDATE subscriptions SET cursor = ? WHERE id = ? AND epoch = ? AND cursor <= ?"
        self._advance = StandingStatement(writer or StandingConnection(engine), advance)
        # Straight to the driver: every delivery passes here, and SQLAlchemy spends more on a row than the database.
        mark = "?" if engine.dialect.paramstyle == "qmark" else "%s"
        self._mark = mark
        ours = f"subscription_id = {mark} AND event_id = {mark}"
        self._move = f"UPDATE subscriptions SET {_set(_PROGRESS, mark)} WHERE id = {mark}"
        self._heal = f"UPDATE subscriptions SET {_set(_HEALTH, mark)} WHERE id = {mark}"
        self._delete = f"DELETE FROM deliveries WHERE {ours}"
        # What somebody skipped meanwhile stays skipped.
        self._change = f"UPDATE deliveries SET {_set(_CHANGING, mark)} WHERE {ours} AND state <> 'settled'"
        excluded = ", ".join(f"{name} = excluded.{name}" for name in _CHANGING)
        self._upsert = (
            f"{_insert('deliveries', _ROW, mark)} ON CONFLICT (subscription_id, event_id) DO UPDATE SET {excluded}"
            " WHERE deliveries.state <> 'settled'"
        )
        # It may be there: a commit whose answer was lost is written again.
        self._open = f"{_insert('open_batches', _BATCH, mark)} ON CONFLICT (id) DO NOTHING"
        self._settle = f"UPDATE open_batches SET is_settled = {mark} WHERE id = {mark}"
        self._close = f"DELETE FROM open_batches WHERE id = {mark}"
        self._log = _insert("attempts", _LOGGED, mark)

    def advance(self, subscription_id: str, epoch: int, cursor: int) -> bool:
        """What a settlement of nothing but a cursor does, which no lease guards, in a fraction of its time; whether it
        counted."""
        return self._advance.run((cursor, subscription_id, epoch, cursor)) > 0

    def settle(self, settlements: Sequence[Settlement]) -> frozenset[str]:
        """Write all of them in one transaction; the ids of those that did not count: their subscription is gone, was
        made to begin again, or is another node's by now.

        On SQLite the last of them may be lost in a power cut, never by the end of a process.
        """
        with writing(self._engine) as connection:
            limit_idling(connection)
            seen = self._lock(connection, [one.subscription_id for one in settlements])
            held = are_held(connection, [one.lease for one in settlements if one.lease is not None])
            valid = [
                one
                for one in settlements
                if one.subscription_id in seen
                and seen[one.subscription_id][0] == one.epoch
                and (one.lease is None or one.lease in held)
            ]
            if valid:
                self._write(connection, valid, seen)
        return frozenset(one.subscription_id for one in settlements) - {one.subscription_id for one in valid}

    def _lock(self, connection: sa.Connection, ids: Sequence[str]) -> dict[str, tuple[int, float]]:
        query = f"SELECT id, epoch, changed_at FROM subscriptions WHERE id IN ({', '.join([self._mark] * len(ids))})"
        # In order, so that two nodes never wait for each other. SQLite's writer is alone anyway.
        query += " ORDER BY id" if connection.dialect.name == "sqlite" else " ORDER BY id FOR UPDATE"
        found = connection.exec_driver_sql(query, tuple(ids))
        return {id: (epoch, changed_at) for id, epoch, changed_at in found}

    def _write(
        self, connection: sa.Connection, valid: Sequence[Settlement], seen: Mapping[str, tuple[int, float]]
    ) -> None:
        progress = [(*_progress(one.progress), one.subscription_id) for one in valid if one.progress]
        # Who changed the settings meanwhile has said what the state is to be.
        health = [
            (*_health(one.health), one.subscription_id)
            for one in valid
            if one.health and seen[one.subscription_id][1] == one.seen_at
        ]
        _run(connection, self._move, progress)
        _run(connection, self._heal, health)
        self._write_rows(connection, valid, seen)
        self._write_batches(connection, valid)
        for one in valid:
            if one.is_cancelled and seen[one.subscription_id][1] == one.seen_at:
                cancel_waiting(connection, one.subscription_id)
        _run(connection, self._log, [_logged(attempt) for one in valid for attempt in one.attempts])

    def _write_rows(
        self, connection: sa.Connection, valid: Sequence[Settlement], seen: Mapping[str, tuple[int, float]]
    ) -> None:
        now = self._clock()
        new, changed, gone = [], [], []
        for one in valid:
            for row in one.rows:
                if row.values is None:
                    gone.append((one.subscription_id, row.event_id))
                    continue
                values = {**row.values, "created_at": now, "changed_at": now}
                if values["state"] == "parked" and seen[one.subscription_id][1] != one.seen_at:
                    # Who changed the settings meanwhile wants it tried with these.
                    values["next_at"] = now
                if row.is_new:
                    new.append(_row(values))
                else:
                    changed.append((*_changing(values), one.subscription_id, row.event_id))
        _run(connection, self._delete, gone)
        _run(connection, self._change, changed)
        _run(connection, self._upsert, new)

    def _write_batches(self, connection: sa.Connection, valid: Sequence[Settlement]) -> None:
        now = self._clock()
        opened = [
            (id, one.subscription_id, orjson.dumps(members).decode(), False, now)
            for one in valid
            for id, members in one.opened.items()
        ]
        _run(connection, self._close, [(id,) for one in valid for id in one.closed])
        _run(connection, self._open, opened)
        _run(connection, self._settle, [(True, id) for one in valid for id in one.marked])

    def end(self, subscription_id: str, reason: str) -> None:
        """The receiver said elsewhere that it wants no more: what waits for it is cancelled."""
        c = subscriptions.c
        ended = {"state": "ended", "state_reason": reason[:1000], "epoch": c.epoch + 1, **touched(self._clock())}
        with writing(self._engine) as connection:
            connection.execute(subscriptions.update().where(c.id == subscription_id).values(ended))
            cancel_waiting(connection, subscription_id)

    def trim_attempts(self, subscription_ids: Iterable[str]) -> None:
        """Forget all but the newest attempts."""
        c = attempts.c
        with writing(self._engine) as connection:
            for id in subscription_ids:
                newest = sa.select(c.id).where(c.subscription_id == id).order_by(c.id.desc())
                oldest_kept = newest.offset(ATTEMPTS_KEPT - 1).limit(1).scalar_subquery()
                connection.execute(attempts.delete().where(c.subscription_id == id, c.id < oldest_kept))

    def lanes(self, subscription_id: str) -> list[LaneRows]:
        """Every lane that has rows which wait."""
        c = table.c
        waiting = (c.subscription_id == subscription_id, c.state != "settled")
        counted = sa.select(c.lane, sa.func.count()).where(*waiting).group_by(c.lane)
        holders = (
            sa.select(table).where(*waiting, c.state.in_(("parked", "dead"))).order_by(c.serial.desc(), c.id.desc())
        )
        with reading(self._engine) as connection:
            held = {row.lane: DeliveryRow(*row) for row in connection.execute(holders)}
            return [LaneRows(lane, count, held.get(lane)) for lane, count in connection.execute(counted)]

    def beyond(self, subscription_id: str, cursor: int, is_replaying: bool) -> dict[str, str]:
        """event id -> state of the rows of what will be read again from the cursor on, and of all that is settled."""
        c = table.c
        query = sa.select(c.event_id, c.state).where(c.subscription_id == subscription_id)
        if not is_replaying:
            query = query.where(sa.or_(c.serial > cursor, c.state == "settled"))
        with reading(self._engine) as connection:
            return {row.event_id: row.state for row in connection.execute(query)}

    def drop(self, subscription_id: str, event_ids: Sequence[str]) -> None:
        """Forget rows of events that are no longer there."""
        ours = table.c.subscription_id == subscription_id
        with writing(self._engine) as connection:
            connection.execute(table.delete().where(ours, table.c.event_id.in_(event_ids)))

    def waiting(self, subscription_id: str, lane: str, limit: int) -> list[DeliveryRow]:
        """The first rows of a lane, in order."""
        c = table.c
        query = sa.select(table).where(c.subscription_id == subscription_id, c.lane == lane, c.state != "settled")
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(c.serial, c.id).limit(limit))
            return [DeliveryRow(*row) for row in rows]

    def open_batches(self, subscription_id: str) -> list[OpenBatch]:
        """In the order in which they were made up."""
        c = open_batches.c
        query = sa.select(c.id, c.serials, c.is_settled).where(c.subscription_id == subscription_id)
        with reading(self._engine) as connection:
            rows = connection.execute(query)
            found = [OpenBatch(row.id, orjson.loads(row.serials), row.is_settled) for row in rows]
        return sorted(found, key=lambda batch: batch.members)


def cancel_waiting(connection: sa.Connection, subscription_id: str) -> None:
    """Forget whatever waits for a receiver, what it was not asked to take yet included. Raises SQLAlchemyError."""
    last = sa.select(journal_state.c.last_serial).scalar_subquery()
    values = {"cursor": last, "replay_serial": None, "replay_key": None}
    connection.execute(subscriptions.update().where(subscriptions.c.id == subscription_id).values(values))
    connection.execute(table.delete().where(table.c.subscription_id == subscription_id))
    connection.execute(open_batches.delete().where(open_batches.c.subscription_id == subscription_id))


def _run(connection: sa.Connection, statement: str, rows: list[Any]) -> None:
    if rows:
        connection.exec_driver_sql(statement, rows)


def _set(names: Sequence[str], mark: str) -> str:
    return ", ".join(f"{name} = {mark}" for name in names)


def _insert(which: str, names: Sequence[str], mark: str) -> str:
    return f"INSERT INTO {which} ({', '.join(names)}) VALUES ({', '.join([mark] * len(names))})"
