"""The journal: every change that was noticed, numbered, in the order in which readers may see them.

Serials are taken from one row that each writing transaction locks first, so a reader that saw N + 1 has been able to
see N. Snapshot, events and whatever else must agree with them move in one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import sqlalchemy as sa

from integration_server.sdk.aside import Aside
from integration_server.sdk.events import MEMBERSHIP_REMOVED, USER_DELETED, USER_UPDATED, Event
from integration_server.sdk.stretches import EventPage
from integration_server.store.applying import Applying, Step, next_step
from integration_server.store.differences import CLOSINGS, Change, Kind
from integration_server.store.engine import reading, translated, writing
from integration_server.store.event_rows import read_page
from integration_server.store.journal_page import JournalPage
from integration_server.store.people import Person
from integration_server.store.schema import events as events_table
from integration_server.store.schema import journal_state
from integration_server.store.schema import people as people_table

__all__ = ["Applied", "Change", "Journal", "Kind", "Losses", "Person"]

MOST_EVENTS = 10_000
#: Changes in one transaction: the store's write lock is held for moments only.
APPLIED_AT_ONCE = 1_000
#: The first of many are fewer, since nothing is done beside their making ready.
APPLIED_FIRST = 200
_PRUNED_AT_ONCE = 5_000

BeforeCommit = Callable[[sa.Connection], None]
#: A step, and what it will write, where that can be foreseen.
_Ready = tuple[Step, JournalPage | None]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of some changes: events written, changes left out because somebody newer was here, and the last
    serial there is now."""

    events: int
    skipped: int
    last_serial: int


@dataclass(frozen=True, slots=True)
class Losses:
    """How many people were deleted, disabled, and taken out of a group."""

    deleted: int = 0
    disabled: int = 0
    regrouped: int = 0


class Journal:
    """The tables ``people``, ``events`` and ``journal_state``. Thread-safe; does not own the engine."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._applying = Applying(engine.dialect.name, lambda: self._clock())

    # -- writing -----------------------------------------------------------------------------------------------------

    def apply(
        self,
        backend: str,
        changes: Sequence[Change],
        start_serial: int,
        origin: str | None = None,
        before_commit: BeforeCommit | None = None,
    ) -> Applied:
        """Write changes to snapshot and journal, in order, in one transaction that survives a power cut.

        A change of somebody about whom there is an event above ``start_serial`` is left out: what it says is older than
        what is known. Of two changes of one person the later counts. ``before_commit`` may write more with the same
        connection. Hand over some thousand changes at once: the store's write lock is held meanwhile.
        Raises StoreUnavailable; then nothing was written.
        """
        step = Step(backend, {change.person_id: change for change in changes}, start_serial, origin)
        with translated(), self._engine.connect() as connection:
            transaction, page = self._applying.begin(connection, step)
            if before_commit is not None:
                before_commit(connection)
            return _committed(transaction, page)

    def apply_all(self, backend: str, changes: Iterable[Change], start_serial: int) -> Iterator[Applied]:
        """Write any number of changes as ``apply`` does, in steps, each whole by itself; what became of each step.

        While one reaches the disk, the next is made ready in a thread, which also takes it out of ``changes``. Raises
        StoreUnavailable and what ``changes`` raises; the steps before are written then.
        """
        rest = iter(changes)
        step = next_step(backend, rest, start_serial, min(APPLIED_FIRST, APPLIED_AT_ONCE))
        if not step.changes:
            return
        foreseen: JournalPage | None = None
        with Aside[_Ready]("journal") as aside, translated(), self._engine.connect() as connection:
            while step.changes:
                transaction, page = self._applying.begin(connection, step, foreseen)
                if step.is_last:
                    yield _committed(transaction, page)
                    return
                aside.begin(partial(self._ready, backend, rest, start_serial, page.serial), hands_over=False)
                yield _committed(transaction, page)
                step, foreseen = aside.outcome()

    def _ready(self, backend: str, rest: Iterator[Change], start_serial: int, last_serial: int) -> _Ready:
        step = next_step(backend, rest, start_serial, APPLIED_AT_ONCE)
        return step, self._applying.foreseen(step, last_serial)

    def prune(self, before: float, keep_after: int) -> int:
        """Delete events noticed before ``before`` (Unix seconds), none with a serial above ``keep_after``, and none
        above one that stays. Returns how many."""
        c = events_table.c
        bound = min(self._below(before), keep_after)
        pruned, deleted = self.pruned_serial(), 0
        while pruned < bound:
            pruned = min(pruned + _PRUNED_AT_ONCE, bound)
            with writing(self._engine) as connection:
                deleted += connection.execute(events_table.delete().where(c.serial <= pruned)).rowcount
                moved = journal_state.update().where(journal_state.c.pruned_serial < pruned)
                connection.execute(moved.values(pruned_serial=pruned))
        return deleted

    def losses(self, backend: str, since: float) -> Losses:
        """How many people of a backend lost what, after that moment (Unix seconds)."""
        c = events_table.c
        recent = (c.noticed_at > since, c.backend == backend)
        people = sa.func.count(c.person_id.distinct())
        deleted = sa.select(people).where(*recent, c.type == USER_DELETED)
        # A quotation mark within a value is escaped, so this is found nowhere else.
        closings = [f'"state":{{"old":"{old}","new":"{new}"' for old, new in CLOSINGS]
        is_disabled = sa.or_(*(c.body.contains(closing, autoescape=True) for closing in closings))
        disabled = sa.select(people).where(*recent, c.type == USER_UPDATED, is_disabled)
        # Who was deleted lost all groups, too, and is counted once.
        is_there = c.body.not_like('{"object":null%')
        regrouped = sa.select(people).where(*recent, c.type == MEMBERSHIP_REMOVED, is_there)
        with reading(self._engine) as connection:
            return Losses(*(connection.scalar(query) or 0 for query in (deleted, disabled, regrouped)))

    def count_since(self, moment: float, limit: int) -> int:
        """How many events were noticed after that moment (Unix seconds), or ``limit`` where there are more."""
        some = sa.select(events_table.c.noticed_at).where(events_table.c.noticed_at > moment).limit(limit)
        with reading(self._engine) as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0

    # -- reading -----------------------------------------------------------------------------------------------------

    def events(self, after: int, limit: int) -> list[Event]:
        """Up to ``limit`` (at most 10,000) events with a serial above ``after``, in order."""
        return self.page(after, limit).events

    def page(self, after: int, limit: int) -> EventPage:
        """The same as columns."""
        with reading(self._engine) as connection:
            return read_page(connection, after, min(limit, MOST_EVENTS))

    def counts(self, after: int, origin: str) -> dict[tuple[str, str], int]:
        """How many events have a serial above ``after``, by type and backend; those that the subscription ``origin``
        caused are left out."""
        c = events_table.c
        others = sa.or_(c.origin.is_(None), c.origin != origin)
        query = sa.select(c.type, c.backend, sa.func.count()).where(c.serial > after, others)
        with reading(self._engine) as connection:
            rows = connection.execute(query.group_by(c.type, c.backend))
            return {(type, backend): count for type, backend, count in rows}

    def last_serial(self) -> int:
        """The serial of the latest event ever, 0 before the first."""
        return self._state(journal_state.c.last_serial)

    def noticed_at(self, serial: int) -> float | None:
        """When an event was noticed (Unix seconds); None where it is no longer kept."""
        with reading(self._engine) as connection:
            found: float | None = connection.scalar(
                sa.select(events_table.c.noticed_at).where(events_table.c.serial == serial)
            )
            return found

    def pruned_serial(self) -> int:
        """Events up to here are no longer kept."""
        return self._state(journal_state.c.pruned_serial)

    def serial_at(self, moment: float) -> int | None:
        """The serial below the first event that was noticed at ``moment`` (Unix seconds) or later; None where such an
        event may be among those that are no longer kept."""
        serial, pruned = self._below(moment), self.pruned_serial()
        return None if serial <= pruned and pruned else serial

    def _below(self, moment: float) -> int:
        c = events_table.c
        with reading(self._engine) as connection:
            # In this order: what is written in between is later than the moment, or not yet spoken of.
            last: int = connection.scalar(sa.select(journal_state.c.last_serial)) or 0
            first = sa.select(c.serial).where(c.noticed_at >= moment).order_by(c.serial).limit(1)
            later: int | None = connection.scalar(first)
        return last if later is None else later - 1

    def _state(self, column: sa.Column[Any]) -> int:
        with reading(self._engine) as connection:
            return int(connection.scalar(sa.select(column)) or 0)

    def people(self, backend: str | None, after_key: int, limit: int) -> list[Person]:
        """The next people by key, of one backend or of all; the keys of a page's last person leads to the next page."""
        c = people_table.c
        query = sa.select(people_table).where(c.key > after_key).order_by(c.key).limit(limit)
        if backend is not None:
            query = query.where(c.backend == backend)
        with reading(self._engine) as connection:
            return [_person(row) for row in connection.execute(query)]

    def person(self, backend: str, person_id: str) -> Person | None:
        """One person as last noticed."""
        c = people_table.c
        with reading(self._engine) as connection:
            row = connection.execute(
                sa.select(people_table).where(c.backend == backend, c.person_id == person_id)
            ).one_or_none()
        return _person(row) if row is not None else None


def _committed(transaction: sa.RootTransaction, page: JournalPage) -> Applied:
    transaction.commit()
    return Applied(len(page.events), page.skipped, page.serial)


def _person(row: sa.Row[Any]) -> Person:
    return Person(row.key, row.backend, row.person_id, orjson.loads(row.document), row.serial, row.gone_at)
