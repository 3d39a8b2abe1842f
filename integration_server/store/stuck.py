"""Whom receivers have not been told about: the rows of deliveries that wait, by receiver and person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import orjson
import sqlalchemy as sa

from integration_server.store.deliveries import AttemptRow, DeliveryRow
from integration_server.store.engine import reading
from integration_server.store.schema import attempts as attempts_table
from integration_server.store.schema import deliveries as table
from integration_server.store.schema import people as people_table
from integration_server.store.schema import subscriptions

#: A search looks at so many people at a time.
LOOKED_AT = 5_000
#: One person is shown with so many receivers at most.
MOST_RECEIVERS = 500
#: Of each receiver and state, rows are counted so far.
MOST_COUNTED = 10_000

State = Literal["dead", "parked", "held"]
_RANKS: tuple[State, ...] = ("held", "parked", "dead")
_c = table.c
_KEY = (_c.subscription_id, _c.backend, _c.person_id)
_WAITS = _c.state != "settled"


class Key(NamedTuple):
    """What receiver is not told about whom."""

    subscription_id: str
    backend: str
    person_id: str


@dataclass(frozen=True, slots=True)
class StuckPerson:
    """What waits for one receiver about one person: ``count`` events since ``since`` (Unix seconds), by type in
    ``types``. ``state`` is ``dead`` or ``parked`` where ``holder``, which holds up the rest, is so, else ``held``."""

    key: Key
    count: int
    since: float
    state: State
    types: Mapping[str, int] = field(default_factory=dict)
    holder: DeliveryRow | None = None


@dataclass(frozen=True, slots=True)
class StuckPage:
    """``after`` leads to the next page, None on the last. ``is_cut``: the search has not looked at everybody yet."""

    people: Sequence[StuckPerson]
    after: Key | None
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """Which are wanted. ``text`` is the beginning of a person's id or user name."""

    subscription_id: str | None = None
    state: State | None = None
    text: str | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether somebody who is looked at may not be wanted."""
        return self.state is not None or self.text is not None


class Stuck:
    """The tables, read for people. Does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def people(self, search: Search, after: Key | None, limit: int) -> StuckPage:
        """Up to ``limit`` by their keys, from behind ``after`` on."""
        most = LOOKED_AT if search.is_narrow else limit + 1
        candidates = _groups(_scope(search), after).limit(most).subquery()
        with reading(self._engine) as connection:
            found = connection.execute(_chosen(candidates, search).limit(limit + 1)).all()
            last = None
            if len(found) <= limit and search.is_narrow:
                keys = sa.select(candidates.c.subscription_id, candidates.c.backend, candidates.c.person_id)
                last = connection.execute(_ordered(keys, candidates).offset(most - 1).limit(1)).one_or_none()
            shown = self._described(connection, found[:limit])
        if len(found) > limit:
            return StuckPage(shown, shown[-1].key)
        return StuckPage(shown, Key._make(last) if last is not None else None, is_cut=last is not None)

    def about(self, backend: str, person_id: str) -> list[StuckPerson]:
        """What waits about one person, for each receiver."""
        where = (_c.backend == backend, _c.person_id == person_id)
        with reading(self._engine) as connection:
            found = connection.execute(_groups(where, None).limit(MOST_RECEIVERS)).all()
            return self._described(connection, found)

    def one(self, key: Key) -> StuckPerson | None:
        """What waits for one receiver about one person; None for nothing."""
        with reading(self._engine) as connection:
            found = connection.execute(_groups(_same(key), None)).all()
            return next(iter(self._described(connection, found)), None)

    def rows(self, key: Key, after: tuple[int, int], limit: int) -> list[DeliveryRow]:
        """The events that wait, in their order, from behind one with this serial and id on."""
        later = sa.tuple_(_c.serial, _c.id) > sa.tuple_(*map(sa.literal, after))
        query = sa.select(table).where(*_same(key), _WAITS, later).order_by(_c.serial, _c.id).limit(limit)
        with reading(self._engine) as connection:
            return [DeliveryRow(*row) for row in connection.execute(query)]

    def holder(self, subscription_id: str, lane: str) -> DeliveryRow | None:
        """What holds up a lane: the one whose next try is waited for, or whose tries are used up."""
        where = (_c.subscription_id == subscription_id, _c.lane == lane, _c.state.in_(("parked", "dead")))
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(table).where(*where).order_by(_c.serial).limit(1)).one_or_none()
        return None if row is None else DeliveryRow(*row)

    def rows_of(self, backend: str, person_id: str, limit: int) -> dict[tuple[str, str], str]:
        """(subscription id, event id) -> state, of all rows about a person, those included that are settled."""
        query = sa.select(_c.subscription_id, _c.event_id, _c.state)
        query = query.where(_c.backend == backend, _c.person_id == person_id).limit(limit)
        with reading(self._engine) as connection:
            return {(one.subscription_id, one.event_id): one.state for one in connection.execute(query)}

    def rows_about(self, event_id: str, subscription_ids: Sequence[str]) -> dict[str, DeliveryRow]:
        """Subscription id -> its row of an event, settled or not."""
        query = sa.select(table).where(_c.subscription_id.in_(subscription_ids), _c.event_id == event_id)
        with reading(self._engine) as connection:
            return {row.subscription_id: DeliveryRow(*row) for row in connection.execute(query)}

    def tries(self, subscription_ids: Sequence[str], delivery_ids: Sequence[str], limit: int) -> list[AttemptRow]:
        """The latest tries of what was sent under one of these ids, the newest first."""
        c = attempts_table.c
        wanted = (c.subscription_id.in_(subscription_ids), c.delivery_id.in_(delivery_ids))
        query = sa.select(attempts_table).where(*wanted).order_by(c.id.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [AttemptRow(*row) for row in connection.execute(query)]

    def counts(self) -> dict[str, dict[State, int]]:
        """subscription id -> state -> how many rows wait; counting ends beyond ``MOST_COUNTED``."""
        ours = _c.subscription_id == subscriptions.c.id
        columns = []
        for state in _RANKS:
            some = sa.select(sa.literal(1)).where(ours, _c.state == state).limit(MOST_COUNTED + 1)
            some = some.correlate(subscriptions)
            columns.append(sa.select(sa.func.count()).select_from(some.subquery()).scalar_subquery().label(state))
        query = sa.select(subscriptions.c.id, *columns).where(subscriptions.c.bound_to.is_(None))
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        found = {id: dict(zip(_RANKS, counted, strict=True)) for id, *counted in rows}
        return {id: {state: n for state, n in of.items() if n} for id, of in found.items() if any(of.values())}

    def _described(self, connection: sa.Connection, groups: Sequence[sa.Row[Any]]) -> list[StuckPerson]:
        keys = [Key(row.subscription_id, row.backend, row.person_id) for row in groups]
        if not keys:
            return []
        ours = (sa.tuple_(*_KEY).in_(keys), _WAITS)
        types: dict[Key, dict[str, int]] = {}
        counted = sa.select(*_KEY, _c.event_type, sa.func.count()).where(*ours).group_by(*_KEY, _c.event_type)
        for *key, event_type, count in connection.execute(counted.order_by(_c.event_type)):
            types.setdefault(Key(*key), {})[event_type] = count
        holding = sa.select(table).where(*ours, _c.state.in_(("parked", "dead"))).order_by(_c.serial.desc())
        holders = {}
        for row in connection.execute(holding):
            one = DeliveryRow(*row)
            holders[Key(one.subscription_id, one.backend, one.person_id)] = one
        return [
            StuckPerson(key, row.count_, row.since, _RANKS[row.rank], types.get(key, {}), holders.get(key))
            for key, row in zip(keys, groups, strict=True)
        ]


def _same(key: Key) -> tuple[sa.ColumnElement[bool], ...]:
    return tuple(column == value for column, value in zip(_KEY, key, strict=True))


def _scope(search: Search) -> tuple[sa.ColumnElement[bool], ...]:
    return () if search.subscription_id is None else (_c.subscription_id == search.subscription_id,)


def _groups(where: Sequence[sa.ColumnElement[bool]], after: Key | None) -> sa.Select[Any]:
    """A row for each receiver and person, in the order of the index."""
    rank = sa.func.max(sa.case((_c.state == "dead", 2), (_c.state == "parked", 1), else_=0))
    columns = (sa.func.count().label("count_"), sa.func.min(_c.created_at).label("since"), rank.label("rank"))
    query = sa.select(*_KEY, *columns).where(_WAITS, *where).group_by(*_KEY).order_by(*_KEY)
    return query if after is None else query.where(sa.tuple_(*_KEY) > sa.tuple_(*map(sa.literal, after)))


def _chosen(candidates: sa.Subquery, search: Search) -> sa.Select[Any]:
    """Those of them who are wanted."""
    query = _ordered(sa.select(candidates), candidates)
    if search.state is not None:
        query = query.where(candidates.c.rank == _RANKS.index(search.state))
    if search.text is not None:
        p = people_table.c
        is_it = sa.and_(p.backend == candidates.c.backend, p.person_id == candidates.c.person_id)
        query = query.outerjoin(people_table, is_it).where(
            sa.or_(
                candidates.c.person_id.istartswith(search.text, autoescape=True),
                p.document.icontains(username_json(search.text), autoescape=True),
            )
        )
    return query


def _ordered(query: sa.Select[Any], candidates: sa.Subquery) -> sa.Select[Any]:
    return query.order_by(candidates.c.subscription_id, candidates.c.backend, candidates.c.person_id)


def username_json(text: str) -> str:
    """The beginning of a user name as it stands in a document. A quotation mark within a value is escaped there, so
    this is found nowhere else."""
    return f'"username":{orjson.dumps(text).decode()[:-1]}'


def as_state(text: str | None) -> State | None:
    """A state by its name; None for anything else."""
    return next((state for state in _RANKS if state == text), None)
