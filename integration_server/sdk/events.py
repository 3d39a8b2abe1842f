"""Events: what changed about one person, as consumers get it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

USER_CREATED = "user.created"
USER_UPDATED = "user.updated"
USER_DELETED = "user.deleted"
#: Somebody as they are now, sent in a replay of everybody; not a change.
USER_SNAPSHOT = "user.snapshot"
MEMBERSHIP_ADDED = "membership.added"
MEMBERSHIP_REMOVED = "membership.removed"

#: Nothing happened; somebody tries whether events arrive. In no journal, and in nobody's choice of events.
TEST_PING = "test.ping"

EVENT_TYPES = (USER_CREATED, USER_UPDATED, USER_DELETED, USER_SNAPSHOT, MEMBERSHIP_ADDED, MEMBERSHIP_REMOVED)

#: A person as a JSON object: id, username, full_name, distinguished_name, emails ([{address, is_verified,
#: is_preferred}], the preferred one first), groups ([name]), nickname, biography, tz, state. Never a password or hash.
Document = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Event:
    """One change of one person.

    ``serial`` is its place in the journal, ``id`` stays the same over all tries and replays, ``noticed_at`` is in Unix
    seconds. ``after`` is the person after the change and None for ``user.deleted``; ``before`` is the person before a
    deletion. ``changed`` maps a field's name to its old and its new value. ``groups`` are the names of the groups in
    which the person was before or after. ``origin`` is the subscription whose own write caused it, if any.
    """

    serial: int
    id: str
    type: str
    backend: str
    person_id: str
    noticed_at: float
    after: Document | None = None
    before: Document | None = None
    changed: Mapping[str, tuple[object, object]] | None = None
    group: str | None = None
    groups: tuple[str, ...] = ()
    origin: str | None = None

    @property
    def lane(self) -> str:
        """Events of one lane never overtake each other: those of one person."""
        return f"{self.backend}/{self.person_id}"


def ping_event(noticed_at: float) -> Event:
    """What the test button sends, through the same path as every event. It is about nobody and has no serial."""
    return Event(0, f"evt_{secrets.token_hex(16)}", TEST_PING, backend="", person_id="", noticed_at=noticed_at)
