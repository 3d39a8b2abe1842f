"""What one transaction writes to snapshot and journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import orjson
import sqlalchemy as sa

from integration_server.sdk.events import Document
from integration_server.store.bound_resources import Touched
from integration_server.store.differences import Change, Seen, Told, json_text, told
from integration_server.store.event_rows import INSERT, EventIds, put_serial
from integration_server.store.people import VANISHED, marked

_DELETE = "DELETE FROM people WHERE key = ?"
_UPDATE = "UPDATE people SET digest = ?, document = ?, serial = ?, gone_at = ? WHERE key = ?"
#: Where the row was looked at before the transaction, and nobody has written to it since.
_UPDATE_SEEN = (
    "UPDATE people SET digest = ?, document = ?, serial = ?, gone_at = NULL WHERE key = ? AND serial = ? AND digest = ?"
)
_CREATE = "INSERT INTO people (backend, person_id, digest, document, serial) VALUES (?, ?, ?, ?, ?)"

Row = tuple[object, ...]


class StoredRow(NamedTuple):
    """What is stored of somebody whom a change is about."""

    person_id: str
    key: int
    digest: bytes
    document: str
    serial: int
    gone_at: float | None


@dataclass(slots=True)
class JournalPage:
    """What one transaction will write. ``serial`` is the last one there is, by and by that of the last event."""

    backend: str
    serial: int
    now: float
    origin: str | None
    bound: Touched
    events: list[Row] = field(default_factory=list)
    created: list[Row] = field(default_factory=list)
    updated: list[Row] = field(default_factory=list)
    seen: list[Row] = field(default_factory=list)
    deleted: list[Row] = field(default_factory=list)
    skipped: int = 0
    #: The serial before the first event.
    begin: int = field(init=False)
    ids: EventIds = field(init=False)

    def __post_init__(self) -> None:
        self.begin = self.serial
        self.ids = EventIds(self.now)

    def take(self, change: Change, stored: StoredRow | None) -> None:
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

    def take_seen(self, change: Change, seen: Seen, start_serial: int) -> None:
        """The same, given what was stored of the person when the change was found; ``write`` sees whether it still is.
        Left out where there was an event above ``start_serial`` by then."""
        serial, digest, events = seen
        if serial > start_serial:
            self.skipped += 1
            return
        for event in events:
            self._add(change.person_id, event)
        told_last = self.serial if events else serial
        self.seen.append((change.digest, change.as_json(), told_last, change.key, serial, digest))

    def _vanish(self, change: Change, stored: StoredRow | None, before: Document | None) -> None:
        assert stored is not None
        assert before is not None
        if stored.gone_at is None:
            after = {**before, "state": "disabled"}
            text = json_text(after)
            serial = self._note(change.person_id, before, after, text) or stored.serial
            self.updated.append((VANISHED, text, serial, self.now, stored.key))

    def _put(self, change: Change, stored: StoredRow | None, before: Document | None) -> None:
        text, digest = change.as_json(), change.digest
        assert text is not None
        assert digest is not None
        after = change.document if change.document is not None else orjson.loads(text)
        serial = self._note(change.person_id, before, after, text)
        if stored is None:
            self.created.append((self.backend, change.person_id, digest, text, serial))
        elif serial or stored.digest != digest or stored.gone_at is not None:
            self.updated.append((digest, text, serial or stored.serial, None, stored.key))

    def _note(self, person_id: str, before: Document | None, after: Document | None, text: str = "null") -> int:
        """Write down the events between two documents; the serial of the last, 0 where there is none. ``text`` is the
        second one as JSON."""
        begun = self.serial
        for event in told(before, after, text):
            self._add(person_id, event)
        return self.serial if self.serial > begun else 0

    def _add(self, person_id: str, event: Told) -> None:
        type, group, groups, body = event
        self.serial = serial = self.serial + 1
        names = orjson.dumps(groups).decode() if groups else "[]"
        id = self.ids.next()
        self.events.append((serial, id, type, self.backend, person_id, group, self.now, self.origin, names, body))
        self.bound.note(serial, group, groups)

    def write(self, connection: sa.Connection) -> bool:
        """False where somebody has written to a row since it was seen; then the transaction must be rolled back."""
        if self.seen:
            found = connection.exec_driver_sql(marked(connection, _UPDATE_SEEN), self.seen)
            if found.rowcount != len(self.seen):
                return False
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
        return True
