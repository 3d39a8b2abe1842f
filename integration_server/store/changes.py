"""The journal searched, for people: the newest first, and never more of it at once than a page can wait for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from integration_server.sdk.events import Event
from integration_server.store.engine import reading
from integration_server.store.event_rows import event_of
from integration_server.store.schema import events as table
from integration_server.store.stuck import username_json

#: A search looks at so many events at a time.
LOOKED_AT = 10_000
_c = table.c
_COLUMNS = (
    _c.serial,
    _c.id,
    _c.type,
    _c.backend,
    _c.person_id,
    _c.noticed_at,
    _c.group_name,
    _c.groups,
    _c.origin,
    _c.body,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events; None for any. ``person_id`` is a whole id and goes with ``backend``; ``who`` is a whole id or the
    beginning of a user name. ``group`` is that of a membership event. ``origins`` are ids of who caused it."""

    backend: str | None = None
    type: str | None = None
    person_id: str | None = None
    who: str | None = None
    group: str | None = None
    origins: Sequence[str] | None = None

    @property
    def is_one_person(self) -> bool:
        """Whether an index leads to them."""
        return self.backend is not None and self.person_id is not None


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """``before`` leads to what is older, None at the end. ``is_cut``: the search has not looked at everything yet."""

    events: Sequence[Event]
    before: int | None
    is_cut: bool = False


class Changes:
    """The table ``events``. Does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def page(self, wanted: Wanted, before: int, floor: int, limit: int) -> ChangesPage:
        """Up to ``limit`` with serials below ``before`` and above ``floor``, the newest first."""
        some = sa.select(*_COLUMNS).where(_c.serial < before, _c.serial > floor, *_about(wanted))
        some = some.order_by(_c.serial.desc())
        looked_at = some if wanted.is_one_person else some.limit(LOOKED_AT)
        candidates = looked_at.subquery()
        query = sa.select(candidates).where(*_filters(wanted, candidates))
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(candidates.c.serial.desc()).limit(limit + 1)).all()
            last = None
            if len(rows) <= limit and not wanted.is_one_person:
                serials = sa.select(_c.serial).where(_c.serial < before, _c.serial > floor).order_by(_c.serial.desc())
                last = connection.scalar(serials.offset(LOOKED_AT - 1).limit(1))
        events = [event_of(row) for row in rows[:limit]]
        if len(rows) > limit:
            return ChangesPage(events, events[-1].serial)
        return ChangesPage(events, last, is_cut=last is not None)

    def event(self, id: str) -> Event | None:
        """One event; None where it is not kept."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(*_COLUMNS).where(_c.id == id)).one_or_none()
        return None if row is None else event_of(row)

    def about(self, backend: str, person_id: str, after: int, limit: int) -> list[Event]:
        """The events of one person with serials above ``after``, in order."""
        one = _about(Wanted(backend=backend, person_id=person_id))
        query = sa.select(*_COLUMNS).where(*one, _c.serial > after).order_by(_c.serial).limit(limit)
        with reading(self._engine) as connection:
            return [event_of(row) for row in connection.execute(query)]


def _about(wanted: Wanted) -> tuple[sa.ColumnElement[bool], ...]:
    if not wanted.is_one_person:
        return ()
    return (_c.backend == wanted.backend, _c.person_id == wanted.person_id)


def _filters(wanted: Wanted, of: sa.Subquery) -> list[sa.ColumnElement[bool]]:
    same: dict[sa.ColumnElement[Any], str | None] = {
        of.c.backend: wanted.backend,
        of.c.type: wanted.type,
        of.c.person_id: wanted.person_id,
        of.c.group_name: wanted.group,
    }
    found = [column == value for column, value in same.items() if value is not None]
    if wanted.origins is not None:
        found.append(of.c.origin.in_(wanted.origins))
    if wanted.who is not None:
        is_named = of.c.body.icontains(username_json(wanted.who), autoescape=True)
        found.append(sa.or_(of.c.person_id == wanted.who, is_named))
    return found
