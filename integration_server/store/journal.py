"""The journal: every change that was noticed, numbered, in the order in which readers may see them.

Serials are taken from one row that each writing transaction locks first, so a reader that saw N + 1 has been able to
see N. Snapshot, events and whatever else must agree with them move in one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from integration_server.sdk.events import (
    MEMBERSHIP_REMOVED,
    USER_DELETED,
    USER_UPDATED,
    Document,
    Event,
    stored_body,
)
from integration_server.sdk.stretches import EventPage
from integration_server.store.bound_resources import Touched, touched
from integration_server.store.differences import CLOSINGS, Change, Draft, Kind, drafts
from integration_server.store.engine import reading, writing
from integration_server.store.event_rows import INSERT, EventIds, lock_journal, put_serial, read_page
from integration_server.store.people import VANISHED, Person, among_keys, bound_set, joined_ids, marked, plain
from integration_server.store.schema import events as events_table
from integration_server.store.schema import journal_state
from integration_server.store.schema import people as people_table

__all__ = ["Applied", "Change", "Journal", "Kind", "Losses", "Person"]

MOST_EVENTS = 10_000
_PRUNED_AT_ONCE = 5_000
_FEW = 100

_DELETE = "DELETE FROM people WHERE key = ?"
_UPDATE = "UPDATE people SET digest = ?, document = ?, serial = ?, gone_at = ? WHERE key = ?"
_CREATE = "INSERT INTO people (backend, person_id, digest, document, serial) VALUES (?, ?, ?, ?, ?)"

Row = tuple[object, ...]
BeforeCommit = Callable[[sa.Connection], None]


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
        dialect = engine.dialect.name
        columns = ("person_id", "key", "digest", "document", "serial", "gone_at")
        self._by_key = sa.text(f"SELECT {', '.join(columns)} FROM people WHERE {among_keys(dialect)}")
        aliased = ", ".join(f"t.{column}" for column in columns)
        self._by_id = sa.text(f"SELECT {aliased} FROM {joined_ids(dialect, 'people')}")
        self._newer = sa.text(
            f"SELECT DISTINCT t.person_id FROM {joined_ids(dialect, 'events')} AND t.serial > :serial"
        )

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
        latest = {change.person_id: change for change in changes}
        # A serial that somebody saw must never be given out twice, so it has to reach the disk first.
        is_large = len(latest) > _FEW
        with writing(self._engine, is_durable=True, is_large=is_large) as connection:
            last_serial, is_bound = lock_journal(connection)
            stored = self._stored_people(connection, backend, latest)
            newer = (
                self._touched(connection, backend, latest, stored, start_serial) if last_serial > start_serial else ()
            )
            bound = touched(connection, backend) if is_bound else Touched(backend)
            page = _Page(backend, last_serial, self._clock(), origin, bound)
            for person_id, change in latest.items():
                if person_id not in newer:
                    page.take(change, stored.get(person_id))
            page.write(connection)
            if before_commit is not None:
                before_commit(connection)
        return Applied(len(page.events), len(newer), page.serial)

    def _stored_people(
        self, connection: sa.Connection, backend: str, latest: Mapping[str, Change]
    ) -> dict[str, _Stored]:
        dialect = connection.dialect.name
        keys = [change.key for change in latest.values() if change.key is not None]
        found: dict[str, _Stored] = {}
        if keys:
            rows = plain(connection.execute(self._by_key, {"keys": bound_set(dialect, keys)}))
            found = {row[0]: _Stored._make(row) for row in rows}
        # A key that is nobody's any more says nothing: the person may be known again, under another.
        ids = [person_id for person_id in latest if person_id not in found]
        if ids:
            values = {"backend": backend, "ids": bound_set(dialect, ids)}
            found |= {row[0]: _Stored._make(row) for row in plain(connection.execute(self._by_id, values))}
        return found

    def _touched(
        self,
        connection: sa.Connection,
        backend: str,
        latest: Mapping[str, Change],
        stored: Mapping[str, _Stored],
        serial: int,
    ) -> frozenset[str]:
        """Those about whom there is a newer event. Who is gone has left events only."""
        newer = {person_id for person_id, row in stored.items() if row.serial > serial}
        unknown = [person_id for person_id in latest if person_id not in stored]
        if unknown:
            ids = bound_set(connection.dialect.name, unknown)
            newer.update(connection.scalars(self._newer, {"backend": backend, "ids": ids, "serial": serial}))
        return frozenset(newer)

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


class _Stored(NamedTuple):
    """What is stored of somebody whom a change is about."""

    person_id: str
    key: int
    digest: bytes
    document: str
    serial: int
    gone_at: float | None


@dataclass(slots=True)
class _Page:
    """What one transaction will write."""

    backend: str
    serial: int
    now: float
    origin: str | None
    bound: Touched
    events: list[Row] = field(default_factory=list)
    created: list[Row] = field(default_factory=list)
    updated: list[Row] = field(default_factory=list)
    deleted: list[Row] = field(default_factory=list)
    ids: EventIds = field(init=False)

    def __post_init__(self) -> None:
        self.ids = EventIds(self.now)

    def take(self, change: Change, stored: _Stored | None) -> None:
        """Turn a change into rows, given what is stored of the person now."""
        if change.kind in ("delete", "vanish") and stored is None:
            return
        before: Document | None = orjson.loads(stored.document) if stored is not None else None
        if change.kind == "delete":
            assert stored is not None
            self._note(change.person_id, before, None)
            self.deleted.append((stored.key,))
        elif change.kind == "vanish":
            self._vanish(change, stored, before)
        else:
            self._put(change, stored, before)

    def _vanish(self, change: Change, stored: _Stored | None, before: Document | None) -> None:
        assert stored is not None
        assert before is not None
        if stored.gone_at is None:
            after = {**before, "state": "disabled"}
            text = orjson.dumps(after)
            serial = self._note(change.person_id, before, after, text) or stored.serial
            self.updated.append((VANISHED, text.decode(), serial, self.now, stored.key))

    def _put(self, change: Change, stored: _Stored | None, before: Document | None) -> None:
        text, digest = change.as_json(), change.digest
        assert text is not None
        assert digest is not None
        after = change.document if change.document is not None else orjson.loads(text)
        serial = self._note(change.person_id, before, after, text)
        if stored is None:
            self.created.append((self.backend, change.person_id, digest, text.decode(), serial))
        elif serial or stored.digest != digest or stored.gone_at is not None:
            self.updated.append((digest, text.decode(), serial or stored.serial, None, stored.key))

    def _note(self, person_id: str, before: Document | None, after: Document | None, text: bytes = b"null") -> int:
        """Write down the events between two documents; the serial of the last, 0 where there is none. ``text`` is the
        second one as JSON."""
        begun = self.serial
        written = orjson.Fragment(text)
        for draft in drafts(before, after):
            self.serial += 1
            self.events.append(self._event_row(person_id, draft, written))
            self.bound.note(self.serial, draft.group, draft.groups)
        return self.serial if self.serial > begun else 0

    def _event_row(self, person_id: str, draft: Draft, after: orjson.Fragment) -> Row:
        # Every event tells of the same person afterwards, who is written out once.
        body = stored_body(after, draft.before, draft.changed)
        groups = _text(draft.groups) if draft.groups else "[]"
        about = (self.backend, person_id, draft.group, self.now, self.origin, groups)
        return (self.serial, self.ids.next(), draft.type, *about, _text(body))

    def write(self, connection: sa.Connection) -> None:
        for statement, rows in (
            (_DELETE, self.deleted),
            (_UPDATE, self.updated),
            (_CREATE, self.created),
            (INSERT, self.events),
        ):
            if rows:
                connection.exec_driver_sql(marked(connection, statement), rows)
        if self.events:
            self.bound.write(connection, self.serial)
            put_serial(connection, self.serial)


def _text(value: object) -> str:
    return orjson.dumps(value).decode()


def _person(row: sa.Row[Any]) -> Person:
    return Person(row.key, row.backend, row.person_id, orjson.loads(row.document), row.serial, row.gone_at)
