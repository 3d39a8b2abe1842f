"""Events as JSON: CloudEvents' names, and whole people."""

from __future__ import annotations

import dataclasses
import pickle

import orjson
import pytest

from integration_server import Event, batch_envelope, batch_json, envelope, event_json, ping_event
from integration_server.sdk.envelopes import rfc3339
from integration_server.sdk.events import stored_body, stored_event

ANN = {"id": "7", "username": "ann", "emails": [{"address": "ann@example.org"}], "groups": ["staff"], "state": "active"}
AT = 1_700_000_000.25
TIME = "2023-11-14T22:13:20.250Z"


def test_update_shows_the_person_and_what_changed() -> None:
    changed = {"full_name": ("Ann", "Ann Lee"), "nickname": (None, "Annie")}
    event = Event(
        12, "evt_a", "user.updated", "hq", "7", AT, after=ANN, changed=changed, groups=("staff",), origin="sub_x"
    )
    assert envelope(event) == {
        "specversion": "1.0",
        "id": "evt_a",
        "source": "/backends/hq",
        "type": "user.updated",
        "subject": "7",
        "time": TIME,
        "datacontenttype": "application/json",
        "timestamp": TIME,
        "data": {
            "serial": 12,
            "backend": "hq",
            "person_id": "7",
            "object": ANN,
            "changed": {"full_name": {"old": "Ann", "new": "Ann Lee"}, "nickname": {"old": None, "new": "Annie"}},
        },
    }


def test_deletion_shows_the_person_before() -> None:
    data = envelope(Event(1, "evt_b", "user.deleted", "hq", "7", AT, before=ANN))["data"]
    assert data == {"serial": 1, "backend": "hq", "person_id": "7", "object": None, "before": ANN, "changed": {}}


def test_membership_names_the_group_and_shows_the_person() -> None:
    data = envelope(Event(1, "evt_c", "membership.added", "hq", "7", AT, after=ANN, group="staff"))["data"]
    assert data["group"] == "staff"
    assert data["object"] == ANN


def test_batch_holds_whole_events_in_their_order_and_is_the_same_at_every_try() -> None:
    events = [Event(n, f"evt_{n}", "user.created", "hq", str(n), AT + n, after=ANN) for n in (3, 1, 2)]
    batch = batch_envelope("bat_x", events)
    assert batch == {
        "type": "batch",
        "id": "bat_x",
        "timestamp": "2023-11-14T22:13:23.250Z",
        "data": {"events": [envelope(event) for event in events]},
    }
    assert orjson.dumps(batch) == orjson.dumps(batch_envelope("bat_x", events))


def test_test_event_is_about_nobody() -> None:
    one, other = ping_event(AT), ping_event(AT)
    assert one.id != other.id
    assert envelope(one) == {
        "specversion": "1.0",
        "id": one.id,
        "source": "/",
        "type": "test.ping",
        "time": TIME,
        "datacontenttype": "application/json",
        "timestamp": TIME,
        "data": {},
    }


def test_times_are_rfc_3339_in_utc() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(1_700_000_000.9996) in ("2023-11-14T22:13:20.999Z", "2023-11-14T22:13:21.000Z")


def test_any_person_can_be_written() -> None:
    odd: dict[str, object] = {"id": '\u2028/"\\\0', "emails": [], "tz": None}
    event = Event(2**53, "evt_d", "user.created", "b-1", "ä/../?", AT, after=odd)
    assert orjson.loads(orjson.dumps(envelope(event)))["data"]["object"] == odd


ODD: dict[str, object] = {"id": '\u2028/"\\\0', "emails": [], "tz": None, "nickname": "ä🙂"}
EVENTS = [
    Event(1, "evt_1", "user.created", "hq", "7", AT, after=ANN, groups=("staff", "ä"), origin="sub_x"),
    Event(2, "evt_2", "user.updated", "hq", "7", AT, after=ANN, changed={"tz": (None, "UTC"), "state": ("a", "b")}),
    Event(3, "evt_3", "user.updated", "hq", "7", AT, after=ANN, changed={}),
    Event(4, "evt_4", "user.deleted", "b-1", "ä/../?\0", AT + 0.0004, before=ODD),
    Event(5, "evt_5", "membership.added", "hq", "7", AT, after=ODD, group='a "group"'),
    Event(6, "evt_6", "membership.removed", "hq", "7", AT, before=ANN, group="staff"),
]


def as_stored(event: Event) -> Event:
    """The same event as the journal gives it."""
    body = orjson.dumps(stored_body(event.after, event.before, event.changed))
    about = (event.serial, event.id, event.type, event.backend, event.person_id, event.noticed_at)
    return stored_event(*about, event.group, event.groups, event.origin, body)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_stored_event_is_the_same_as_one_made_of_its_fields(event: Event) -> None:
    stored = as_stored(event)
    assert stored == event
    assert repr(as_stored(event)) == repr(event)
    assert dataclasses.replace(as_stored(event), serial=9) == dataclasses.replace(event, serial=9)
    assert pickle.loads(pickle.dumps(as_stored(event))) == event
    assert (stored.after, stored.before, stored.changed) == (event.after, event.before, event.changed)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_text_on_the_wire_is_the_envelope_byte_by_byte(event: Event) -> None:
    expected = orjson.dumps(envelope(event))
    assert event_json(event) == event_json(as_stored(event)) == expected


def test_text_of_a_batch_is_its_envelope_byte_by_byte() -> None:
    expected = orjson.dumps(batch_envelope("bat_x", EVENTS))
    assert batch_json("bat_x", EVENTS) == batch_json("bat_x", [as_stored(event) for event in EVENTS]) == expected


def test_changed_copy_of_an_event_has_a_text_of_its_own() -> None:
    event = as_stored(EVENTS[1])
    event_json(event)
    copy = dataclasses.replace(event, changed={"tz": ("UTC", None)})
    assert orjson.loads(event_json(copy))["data"]["changed"] == {"tz": {"old": "UTC", "new": None}}


def test_event_has_no_field_that_it_does_not_have() -> None:
    with pytest.raises(AttributeError):
        as_stored(EVENTS[0]).afterwards  # type: ignore[attr-defined]  # noqa: B018
