"""The shapes of events and people, as ``sdk/envelopes`` writes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from integration_server.sdk.events import (
    MEMBERSHIP_ADDED,
    MEMBERSHIP_REMOVED,
    USER_CREATED,
    USER_DELETED,
    USER_SNAPSHOT,
    USER_UPDATED,
)
from integration_server.web.api.model import Model, Moment, Serial


class Email(Model):
    """One address of a person."""

    address: str
    is_verified: bool
    is_preferred: bool


class PersonDocument(Model):
    """A person. Never a password or a hash."""

    id: str = Field(description="never changes for this person within the backend")
    username: str
    full_name: str | None = None
    distinguished_name: str | None = None
    emails: list[Email] = Field(default=[], description="the preferred one first")
    groups: list[str] = Field(default=[])
    nickname: str | None = None
    biography: str | None = None
    tz: str | None = None
    state: Literal["active", "disabled", "expired", "locked", "password expired"] = "active"


class FieldChange(Model):
    """What one field was before and is now."""

    old: JsonValue
    new: JsonValue


class EventData(Model):
    """What is known of the change."""

    serial: Serial = Field(description="its place in the journal")
    backend: str
    person_id: str
    object: PersonDocument = Field(description="the person after the change")
    before: PersonDocument | None = Field(default=None, description="the person before the change, where that is told")
    changed: dict[str, FieldChange] = Field(description="fields that differ; empty where nothing is to be compared")


class DeletedData(Model):
    """Who is gone."""

    serial: Serial = Field(description="its place in the journal")
    backend: str
    person_id: str
    object: None = None
    before: PersonDocument = Field(description="the person before the deletion")
    changed: dict[str, FieldChange] = Field(description="empty")


class MembershipData(Model):
    """Which membership changed."""

    serial: Serial = Field(description="its place in the journal")
    backend: str
    person_id: str
    group: str = Field(description="the group's name")
    object: PersonDocument | None = Field(description="the person after the change; null when deleted")
    before: PersonDocument | None = Field(default=None, description="the person before the change, where that is told")
    changed: dict[str, FieldChange] = Field(description="empty, or the fields that differ")


class _Envelope(Model):
    specversion: Literal["1.0"] = Field(description="of CloudEvents")
    id: str = Field(description="stays the same over all tries and replays")
    source: str = Field(description="/backends/NAME")
    subject: str = Field(description="the person's id")
    time: Moment = Field(description="when the change was noticed")
    datacontenttype: Literal["application/json"]
    timestamp: Moment = Field(description="the same as time, as Standard Webhooks names it")


class UserCreated(_Envelope):
    """Somebody is new."""

    type: Literal["user.created"]
    data: EventData


class UserUpdated(_Envelope):
    """Something about somebody changed, other than the groups."""

    type: Literal["user.updated"]
    data: EventData


class UserDeleted(_Envelope):
    """Somebody is gone."""

    type: Literal["user.deleted"]
    data: DeletedData


class UserSnapshot(_Envelope):
    """Somebody as they are now, told in a replay of everybody. No change, and in no journal."""

    type: Literal["user.snapshot"]
    data: EventData


class MembershipAdded(_Envelope):
    """Somebody came into a group."""

    type: Literal["membership.added"]
    data: MembershipData


class MembershipRemoved(_Envelope):
    """Somebody left a group."""

    type: Literal["membership.removed"]
    data: MembershipData


AnyEvent = Annotated[
    UserCreated | UserUpdated | UserDeleted | UserSnapshot | MembershipAdded | MembershipRemoved,
    Field(discriminator="type"),
]

EVENT_MODELS: dict[str, type[_Envelope]] = {
    USER_CREATED: UserCreated,
    USER_UPDATED: UserUpdated,
    USER_DELETED: UserDeleted,
    USER_SNAPSHOT: UserSnapshot,
    MEMBERSHIP_ADDED: MembershipAdded,
    MEMBERSHIP_REMOVED: MembershipRemoved,
}
