"""Changes become rows of snapshot and journal, decided against what is stored at that moment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import sqlalchemy as sa

from integration_server.store.bound_resources import Touched, touched
from integration_server.store.differences import Change
from integration_server.store.engine import begun
from integration_server.store.event_rows import lock_journal
from integration_server.store.journal_page import JournalPage, StoredRow
from integration_server.store.people import among_keys, bound_set, joined_ids, plain

_FEW = 100
#: What SQLite keeps of its file for more than a few changes: a thousand people are on as many pages.
_CACHE_KB = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """Changes of one transaction, by person, in order. Whoever has an event above ``start_serial`` is left out."""

    backend: str
    changes: Mapping[str, Change]
    start_serial: int
    origin: str | None = None
    is_last: bool = True

    def unseen(self) -> Step:
        """The same, with nothing known of the rows."""
        return replace(self, changes={id: change._replace(seen=None) for id, change in self.changes.items()})


def next_step(backend: str, rest: Iterator[Change], start_serial: int, size: int) -> Step:
    """The next ``size`` of many changes. Of two of one person the later counts."""
    some = list(islice(rest, size))
    changes = {change.person_id: change for change in some}
    return Step(backend, changes, start_serial, is_last=len(some) < size)


class Applying:
    """Begins transactions that apply changes. Thread-safe; owns nothing."""

    def __init__(self, dialect: str, clock: Callable[[], float]) -> None:
        self._clock = clock
        columns = ("person_id", "key", "digest", "document", "serial", "gone_at")
        self._by_key = sa.text(f"SELECT {', '.join(columns)} FROM people WHERE {among_keys(dialect)}")
        aliased = ", ".join(f"t.{column}" for column in columns)
        self._by_id = sa.text(f"SELECT {aliased} FROM {joined_ids(dialect, 'people')}")
        self._newer = sa.text(
            f"SELECT DISTINCT t.person_id FROM {joined_ids(dialect, 'events')} AND t.serial > :serial"
        )

    def begin(
        self, connection: sa.Connection, step: Step, foreseen: JournalPage | None = None
    ) -> tuple[sa.RootTransaction, JournalPage]:
        """A transaction in which everything is written; the caller commits it. Raises SQLAlchemyError."""
        # A serial that somebody saw must never be given out twice, so it has to reach the disk first.
        begin = partial(begun, connection, is_durable=True)
        if len(step.changes) > _FEW:
            begin = partial(begin, cache_kb=_CACHE_KB)
        transaction = begin()
        page = self._page(connection, step, foreseen)
        if not page.write(connection):
            # Somebody else has written to a person since they were looked at: look at everybody again.
            transaction.rollback()
            transaction = begin()
            page = self._page(connection, step.unseen())
            page.write(connection)
        return transaction, page

    def foreseen(self, step: Step, last_serial: int) -> JournalPage | None:
        """What will be written if there is no serial above ``last_serial`` by then, and nothing is bound; None where
        that cannot be told without the store."""
        if any(change.seen is None for change in step.changes.values()):
            return None
        page = JournalPage(step.backend, last_serial, self._clock(), step.origin, Touched(step.backend))
        _fill(page, step, {}, ())
        return page

    def _page(self, connection: sa.Connection, step: Step, foreseen: JournalPage | None = None) -> JournalPage:
        last_serial, is_bound = lock_journal(connection)
        if foreseen is not None and foreseen.begin == last_serial and not is_bound:
            return foreseen
        bound = touched(connection, step.backend) if is_bound else Touched(step.backend)
        page = JournalPage(step.backend, last_serial, self._clock(), step.origin, bound)
        unseen = {id: change for id, change in step.changes.items() if change.seen is None}
        stored = self._stored(connection, step.backend, unseen) if unseen else {}
        is_newer = last_serial > step.start_serial and unseen
        _fill(page, step, stored, self._newer_ids(connection, step, unseen, stored) if is_newer else ())
        return page

    def _stored(self, connection: sa.Connection, backend: str, changes: Mapping[str, Change]) -> dict[str, StoredRow]:
        dialect = connection.dialect.name
        keys = [change.key for change in changes.values() if change.key is not None]
        found: dict[str, StoredRow] = {}
        if keys:
            rows = plain(connection.execute(self._by_key, {"keys": bound_set(dialect, keys)}))
            found = {row[0]: StoredRow._make(row) for row in rows}
        # A key that is nobody's any more says nothing: the person may be known again, under another.
        ids = [person_id for person_id in changes if person_id not in found]
        if ids:
            values = {"backend": backend, "ids": bound_set(dialect, ids)}
            found |= {row[0]: StoredRow._make(row) for row in plain(connection.execute(self._by_id, values))}
        return found

    def _newer_ids(
        self, connection: sa.Connection, step: Step, changes: Mapping[str, Change], stored: Mapping[str, StoredRow]
    ) -> Collection[str]:
        """Those about whom there is a newer event. Who is gone has left events only."""
        newer = {person_id for person_id, row in stored.items() if row.serial > step.start_serial}
        unknown = [person_id for person_id in changes if person_id not in stored]
        if unknown:
            ids = bound_set(connection.dialect.name, unknown)
            values = {"backend": step.backend, "ids": ids, "serial": step.start_serial}
            newer.update(connection.scalars(self._newer, values))
        return newer


def _fill(page: JournalPage, step: Step, stored: Mapping[str, StoredRow], newer: Collection[str]) -> None:
    for person_id, change in step.changes.items():
        if change.seen is not None:
            page.take_seen(change, change.seen, step.start_serial)
        elif person_id in newer:
            page.skipped += 1
        else:
            page.take(change, stored.get(person_id))
