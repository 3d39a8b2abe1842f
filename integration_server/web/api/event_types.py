"""``/event-types``: what can happen, with a JSON schema and an example of each."""

from __future__ import annotations

import inspect
from functools import cached_property

import flask
from pydantic import Field

from integration_server.sdk.envelopes import envelope
from integration_server.sdk.events import EVENT_TYPES, MEMBERSHIP_ADDED, USER_DELETED, USER_UPDATED, Event
from integration_server.store.tokens import SCOPES, Token
from integration_server.web.api.model import Model
from integration_server.web.api.operation import Operation, answer
from integration_server.web.api.wire import EVENT_MODELS

_ADA = {
    "id": "5f2c",
    "username": "ada",
    "full_name": "Ada Lovelace",
    "distinguished_name": None,
    "emails": [{"address": "ada@example.org", "is_verified": True, "is_preferred": True}],
    "groups": ["staff"],
    "nickname": None,
    "biography": None,
    "tz": "Europe/London",
    "state": "active",
}
_NOTICED_AT = 1_767_225_600.0


class EventType(Model):
    """One type of event."""

    type: str
    description: str
    json_schema: dict[str, object] = Field(alias="schema", description="of the event, as it is sent and listed")
    example: dict[str, object]


class EventTypes(Model):
    """Every type of event."""

    event_types: list[EventType]


def example(event_type: str) -> Event:
    """An event of a type, as it could be."""
    is_deleted, is_updated = event_type == USER_DELETED, event_type == USER_UPDATED
    return Event(
        serial=4711,
        id="evt_0f8fad5bd9cb469fa16570867728950e",
        type=event_type,
        backend="hq",
        person_id="5f2c",
        noticed_at=_NOTICED_AT,
        after=None if is_deleted else _ADA,
        before=_ADA if is_deleted else None,
        changed={"full_name": ("Ada Byron", "Ada Lovelace")} if is_updated else None,
        group="staff" if event_type.startswith(MEMBERSHIP_ADDED.partition(".")[0]) else None,
        groups=("staff",),
    )


class EventTypesApi:
    """The noun."""

    @cached_property
    def _answer(self) -> dict[str, object]:
        found = []
        for event_type in EVENT_TYPES:
            model = EVENT_MODELS[event_type]
            schema = model.model_json_schema()
            told = inspect.cleandoc(model.__doc__ or "")
            shown = {
                "type": event_type,
                "description": told,
                "schema": schema,
                "example": envelope(example(event_type)),
            }
            found.append(shown)
        return {"event_types": found}

    def operations(self) -> list[Operation]:
        return [
            Operation(
                "GET",
                "/event-types",
                "listEventTypes",
                "What can happen, with a JSON schema and an example of each",
                self.all,
                SCOPES,
                {200: EventTypes},
            )
        ]

    def all(self, token: Token) -> flask.Response:
        return answer(self._answer)
