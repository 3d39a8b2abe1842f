"""Events: what changed about one person, as consumers get it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import orjson

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


def is_own_type(event_type: str) -> bool:
    """Whether events of a type are a plugin's own affair: see ``Notice``."""
    return event_type not in EVENT_TYPES and event_type != TEST_PING


def wants_type(pattern: str, event_type: str) -> bool:
    """Whether somebody who asks for ``pattern`` gets events of a type. Those of a plugin's own are got by those alone
    who name the plugin: ``*`` is not enough."""
    if is_own_type(event_type) and pattern.partition(".")[0] != event_type.partition(".")[0]:
        return False
    return fnmatchcase(event_type, pattern)


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
    #: See stored_event.
    _body: bytes | None = field(default=None, init=False, repr=False, compare=False)
    #: The event as JSON, once somebody needed it; see envelopes.
    _json: bytes | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def lane(self) -> str:
        """Events of one lane never overtake each other: those of one person."""
        return f"{self.backend}/{self.person_id}"

    if not TYPE_CHECKING:  # or every misspelt attribute would pass

        def __getattr__(self, name: str) -> object:
            """Reads the stored text when one of the fields in it is asked for; those are unset until then."""
            if name not in _IN_BODY:
                raise AttributeError(f"an event has no {name!r}", name=name, obj=self)
            body = orjson.loads(self._body)
            changed = body["changed"]
            pairs = {field: (one["old"], one["new"]) for field, one in changed.items()}
            _set_after(self, body["object"])
            _set_before(self, body.get("before"))
            _set_changed(self, pairs if changed or self.type == USER_UPDATED else None)
            return object.__getattribute__(self, name)


_IN_BODY = frozenset({"after", "before", "changed"})


def _setter(name: str) -> Callable[[Event, object], None]:
    """Sets a field of an event that is being made. The frozen class's own way takes thrice as long."""
    found: Any = getattr(Event, name).__set__
    return found  # type: ignore[no-any-return]


_set_serial, _set_id, _set_type, _set_backend = map(_setter, ("serial", "id", "type", "backend"))
_set_person_id, _set_noticed_at, _set_group = map(_setter, ("person_id", "noticed_at", "group"))
_set_groups, _set_origin, _set_body = map(_setter, ("groups", "origin", "_body"))
_set_after, _set_before, _set_changed = map(_setter, ("after", "before", "changed"))
#: Keeps an event as JSON with it; for ``envelopes``.
keep_json = _setter("_json")


def stored_body(
    after: object, before: Document | None, changed: Mapping[str, tuple[object, object]] | None
) -> dict[str, object]:
    """The part of an event that is about the person's fields, as JSON has it: members of the ``data`` of its envelope.

    ``object`` is the person now (null when deleted), ``before`` the person as they were (only when deleted),
    ``changed`` is ``{field: {"old", "new"}}``, empty where nothing is to be compared.
    """
    body: dict[str, object] = {"object": after}
    if before is not None:
        body["before"] = before
    body["changed"] = {field: {"old": old, "new": new} for field, (old, new) in (changed or {}).items()}
    return body


def stored_event(
    serial: int,
    id: str,
    type: str,
    backend: str,
    person_id: str,
    noticed_at: float,
    group: str | None,
    groups: tuple[str, ...],
    origin: str | None,
    body: bytes,
) -> Event:
    """An event whose ``after``, ``before`` and ``changed`` are still JSON, namely that of ``stored_body``.

    Most receivers get that text as it is, so it is parsed only when somebody looks at one of the three.
    """
    event = object.__new__(Event)
    _set_serial(event, serial)
    _set_id(event, id)
    _set_type(event, type)
    _set_backend(event, backend)
    _set_person_id(event, person_id)
    _set_noticed_at(event, noticed_at)
    _set_group(event, group)
    _set_groups(event, groups)
    _set_origin(event, origin)
    _set_body(event, body)
    keep_json(event, None)
    return event


def ping_event(noticed_at: float) -> Event:
    """What the test button sends, through the same path as every event. It is about nobody and has no serial."""
    return Event(0, f"evt_{secrets.token_hex(16)}", TEST_PING, backend="", person_id="", noticed_at=noticed_at)
