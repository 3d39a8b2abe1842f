"""What changed about one person, as events. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import orjson

from integration_server.sdk.events import (
    MEMBERSHIP_ADDED,
    MEMBERSHIP_REMOVED,
    USER_CREATED,
    USER_DELETED,
    USER_UPDATED,
    Document,
    stored_body,
)
from integration_server.sdk.model import CLOSED_STATES, AccountState

Kind = Literal["create", "update", "delete", "vanish"]

#: The fields of a document that ``user.updated`` tells of; groups have events of their own.
FIELDS = (
    "username",
    "full_name",
    "distinguished_name",
    "emails",
    "nickname",
    "biography",
    "tz",
    "state",
)
_CLOSED = frozenset(state.value for state in CLOSED_STATES)
_OPEN = frozenset(state.value for state in AccountState) - _CLOSED
#: How the state changes for somebody who is disabled, old and new.
CLOSINGS = tuple((old, new) for old in sorted(_OPEN) for new in sorted(_CLOSED))


#: An event that has no serial yet, as the journal keeps it: type, group, groups of the person, body.
Told = tuple[str, str | None, tuple[str, ...], str]
#: The row that a change was held beside, by its serial and digest, and the events that lead on from there. Runs find
#: thousands of them, so they are plain tuples.
Seen = tuple[int, bytes, tuple[Told, ...]]


class Change(NamedTuple):
    """One person as a run saw them. ``create`` and ``update`` carry digest and document; ``delete`` and ``vanish``
    (missing, but the deletion waits some days) only the id. What becomes of it is decided against what is stored when
    it is applied: an update of somebody unknown creates them. ``key`` is where the person was last stored, if known.
    The document may be there as JSON only, since thousands of parsed ones keep the garbage collector busy. ``seen``
    spares looking again, as long as the row is still the same; it goes with ``key`` and is only of updates."""

    kind: Kind
    person_id: str
    digest: bytes | None = None
    document: Document | None = None
    key: int | None = None
    text: str | None = None
    seen: Seen | None = None

    def as_json(self) -> str | None:
        """The document as JSON."""
        return self.text if self.text is not None or self.document is None else json_text(self.document)


class Draft(NamedTuple):
    """An event that has no serial yet."""

    type: str
    groups: tuple[str, ...]
    after: Document | None = None
    before: Document | None = None
    changed: Mapping[str, tuple[object, object]] | None = None
    group: str | None = None


def json_text(value: object) -> str:
    """The value as JSON, for thousands that are kept.

    As text: bytes that come out of orjson end where it had asked for more, and to keep each makes the allocator of
    glibc give memory back and ask for it again, which takes ten times as long as the JSON.
    """
    return orjson.dumps(value).decode()


def told(before: Document | None, after: Document | None, text: str = "null") -> tuple[Told, ...]:
    """``drafts`` written out. ``text`` is the person afterwards as JSON, which all events tell of."""
    written = orjson.Fragment(text)
    if before is not None and after is not None and before.get("groups") == after.get("groups"):
        # The usual change, without what thousands of drafts take.
        changed = changed_fields(before, after)
        if not changed:
            return ()
        groups = tuple(sorted(_groups(after))) if after.get("groups") else ()
        return ((USER_UPDATED, None, groups, json_text(stored_body(written, None, changed))),)
    return tuple(
        [
            (draft.type, draft.group, draft.groups, json_text(stored_body(written, draft.before, draft.changed)))
            for draft in drafts(before, after)
        ]
    )


def drafts(before: Document | None, after: Document | None) -> Iterator[Draft]:
    """The events that lead from one document to the other, in order; None is for not being there.

    What is taken away comes first, then the person, then what is given: so nobody is ever seen in a group as somebody
    whom the reader has not been told of.
    """
    if before is not None and after is not None and before.get("groups") == after.get("groups"):
        # The usual change.
        if changed := changed_fields(before, after):
            yield Draft(USER_UPDATED, tuple(sorted(_groups(after))), after, changed=changed)
        return
    old, new = _groups(before), _groups(after)
    groups = tuple(sorted({*old, *new}))
    gone_before = before if after is None else None
    for group in old:
        if group not in new:
            yield Draft(MEMBERSHIP_REMOVED, groups, after, gone_before, group=group)
    if before is None and after is not None:
        yield Draft(USER_CREATED, groups, after)
    elif before is not None and after is None:
        yield Draft(USER_DELETED, groups, before=before)
    elif before is not None and after is not None and (changed := changed_fields(before, after)):
        yield Draft(USER_UPDATED, groups, after, changed=changed)
    for group in new:
        if group not in old:
            yield Draft(MEMBERSHIP_ADDED, groups, after, group=group)


def changed_fields(before: Document, after: Document) -> dict[str, tuple[object, object]]:
    """Old and new value of each field that differs, groups aside."""
    return {field: (before.get(field), after.get(field)) for field in FIELDS if before.get(field) != after.get(field)}


def is_closing(before: Document, after: Document) -> bool:
    """Whether somebody who could be used becomes somebody who cannot. Being locked for a while is not that."""
    return after.get("state") in _CLOSED and before.get("state") in _OPEN


def lost_groups(before: Document, after: Document) -> tuple[str, ...]:
    """The groups that somebody is no longer in."""
    if before.get("groups") == after.get("groups"):
        return ()
    new = _groups(after)
    return tuple(group for group in _groups(before) if group not in new)


def _groups(document: Document | None) -> dict[str, None]:
    """In the directory's order. Their order means nothing, so it is no change."""
    return dict.fromkeys(document.get("groups") or ()) if document is not None else {}  # type: ignore[call-overload]
