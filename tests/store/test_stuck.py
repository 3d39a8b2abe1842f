"""Whom receivers were not told about, and the journal searched, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from integration_server.store import changes as changes_module
from integration_server.store import stuck as stuck_module
from integration_server.store.changes import Changes, Wanted
from integration_server.store.deliveries import Deliveries
from integration_server.store.engine import writing
from integration_server.store.journal import Change, Journal
from integration_server.store.schema import deliveries, people
from integration_server.store.stuck import Key, Search, Stuck
from integration_server.store.subscriptions import Subscriptions
from tests.cli.conftest import subscription


def row(one: str, person: str, serial: int, state: str, **columns: Any) -> dict[str, Any]:
    texts = {"lane": f"hq/{person}", "event_id": f"evt_{serial}", "event_type": "user.updated", "backend": "hq"}
    numbers = {"serial": serial, "attempts": 1, "created_at": 10.0 + serial, "changed_at": 1.0}
    values = {"subscription_id": one, "person_id": person, "state": state, "next_at": None, **texts, **numbers}
    return {**values, "error": f"error {serial}", "status": 500, **columns}


@pytest.fixture
def stuck(engine: sa.Engine) -> Stuck:
    """Two receivers: Ann and Bob wait for one, Ann for the other, and Cid is done."""
    for name in ("one", "two"):
        Subscriptions(engine).add(subscription(name))
    rows = [
        row("sub_one", "ann", 1, "dead"),
        row("sub_one", "ann", 2, "held", event_type="membership.added"),
        row("sub_one", "ann", 3, "held"),
        row("sub_one", "bob", 4, "parked", next_at=99.0),
        row("sub_one", "cid", 5, "settled"),
        row("sub_two", "ann", 2, "held"),
    ]
    document = orjson.dumps({"id": "bob", "username": 'Rob"ert'}).decode()
    with writing(engine) as connection:
        connection.execute(deliveries.insert(), rows)
        person = {"backend": "hq", "person_id": "bob", "digest": b"x", "document": document, "serial": 4}
        connection.execute(people.insert().values(person))
    return Stuck(engine)


def keys(stuck: Stuck, **search: Any) -> list[tuple[str, str]]:
    return [(one.key.subscription_id, one.key.person_id) for one in stuck.people(Search(**search), None, 10).people]


def test_people_are_told_with_what_holds_them_up(stuck: Stuck) -> None:
    ann, bob, other = stuck.people(Search(), None, 10).people
    assert (ann.key, ann.count, ann.since, ann.state) == (Key("sub_one", "hq", "ann"), 3, 11.0, "dead")
    assert ann.types == {"membership.added": 1, "user.updated": 2}
    assert ann.holder is not None
    assert (ann.holder.serial, ann.holder.error, ann.holder.status) == (1, "error 1", 500)
    assert bob.state == "parked"
    assert (other.state, other.holder) == ("held", None)
    assert stuck.one(ann.key) == ann
    assert stuck.one(Key("sub_one", "hq", "cid")) is None
    assert stuck.about("hq", "ann") == [ann, other]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({"subscription_id": "sub_two"}, [("sub_two", "ann")]),
        ({"state": "dead"}, [("sub_one", "ann")]),
        ({"state": "held"}, [("sub_two", "ann")]),
        ({"text": "AN"}, [("sub_one", "ann"), ("sub_two", "ann")]),
        ({"text": 'rob"E'}, [("sub_one", "bob")]),
        ({"text": "ert"}, []),
        ({"text": "%"}, []),
        ({"text": "ann", "state": "parked"}, []),
    ],
)
def test_people_are_searched(search: dict[str, Any], expected: Sequence[tuple[str, str]], stuck: Stuck) -> None:
    assert keys(stuck, **search) == expected


def test_pages_of_people_follow_each_other(stuck: Stuck) -> None:
    first = stuck.people(Search(), None, 2)
    assert (len(first.people), first.after, first.is_cut) == (2, Key("sub_one", "hq", "bob"), False)
    second = stuck.people(Search(), first.after, 2)
    assert ([one.key.subscription_id for one in second.people], second.after) == (["sub_two"], None)


def test_a_search_ends_somewhere_and_goes_on(stuck: Stuck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stuck_module, "LOOKED_AT", 2)
    first = stuck.people(Search(state="held"), None, 10)
    assert (first.people, first.after, first.is_cut) == ([], Key("sub_one", "hq", "bob"), True)
    second = stuck.people(Search(state="held"), first.after, 10)
    assert ([one.key.subscription_id for one in second.people], second.is_cut) == (["sub_two"], False)


def test_rows_come_in_order_and_are_counted(stuck: Stuck) -> None:
    ann = Key("sub_one", "hq", "ann")
    first = stuck.rows(ann, (0, 0), 2)
    assert [one.serial for one in first] == [1, 2]
    assert [one.serial for one in stuck.rows(ann, (first[-1].serial, first[-1].id), 2)] == [3]
    assert stuck.counts() == {"sub_one": {"held": 2, "parked": 1, "dead": 1}, "sub_two": {"held": 1}}
    assert stuck.rows_about("evt_2", ["sub_one", "sub_two"]).keys() == {"sub_one", "sub_two"}
    assert stuck.rows_of("hq", "cid", 9) == {("sub_one", "evt_5"): "settled"}
    holder = stuck.holder("sub_one", "hq/ann")
    assert holder is not None
    assert holder.serial == 1
    assert stuck.holder("sub_two", "hq/ann") is None


def test_one_person_is_retried_and_skipped_in_order(stuck: Stuck, engine: sa.Engine) -> None:
    store, ann = Deliveries(engine), Key("sub_one", "hq", "ann")
    assert store.retry_person(*ann) == 1
    assert store.retry_person("sub_two", "hq", "ann") == 0, "it waits behind another"
    assert store.skip_person(*ann, "why", up_to=9, limit=2) == 2
    assert store.skip_person(*ann, "why", up_to=2) == 0
    assert [one.serial for one in stuck.rows(ann, (0, 0), 9)] == [3]
    tries = stuck.tries(["sub_one"], ["evt_1", "evt_2"], 9)
    assert [(one.delivery_id, one.error) for one in tries] == [("evt_2", "skipped: why"), ("evt_1", "skipped: why")]
    assert store.skip_person(*ann, "why", up_to=3) == 1
    assert keys(stuck, subscription_id="sub_one") == [("sub_one", "bob")]


# -- the journal -----------------------------------------------------------------------------------------------------


@pytest.fixture
def changes(engine: sa.Engine) -> Changes:
    """Ann comes, Bob comes, Ann is renamed by a receiver."""
    journal = Journal(engine)
    for person, name, origin in (("ann", "Ann", None), ("bob", "Bob", None), ("ann", "Anna", "sub_one")):
        document = {"id": person, "username": name, "groups": []}
        digest = name.encode().ljust(16)
        journal.apply("hq", [Change("update", person, digest, document)], journal.last_serial(), origin)
    return Changes(engine)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [3, 2, 1]),
        ({"backend": "hq", "person_id": "ann"}, [3, 1]),
        ({"backend": "hq", "person_id": "ann", "type": "user.created"}, [1]),
        ({"person_id": "ann"}, [3, 1]),
        ({"backend": "none"}, []),
        ({"type": "user.updated"}, [3]),
        ({"who": "anna"}, [3]),
        ({"who": "an"}, [3, 1]),
        ({"who": "bob"}, [2]),
        ({"origins": ["sub_one", "x"]}, [3]),
        ({"group": "staff"}, []),
    ],
)
def test_events_are_searched_the_newest_first(wanted: dict[str, Any], expected: list[int], changes: Changes) -> None:
    page = changes.page(Wanted(**wanted), 99, 0, 10)
    assert ([event.serial for event in page.events], page.before) == (expected, None)


def test_pages_of_events_follow_each_other(changes: Changes, monkeypatch: pytest.MonkeyPatch) -> None:
    page = changes.page(Wanted(), 4, 0, 2)
    assert ([event.serial for event in page.events], page.before, page.is_cut) == ([3, 2], 2, False)
    assert [event.serial for event in changes.page(Wanted(), 2, 0, 2).events] == [1]
    assert [event.serial for event in changes.page(Wanted(), 4, 2, 2).events] == [3]
    monkeypatch.setattr(changes_module, "LOOKED_AT", 2)
    page = changes.page(Wanted(who="nobody"), 4, 0, 2)
    assert (page.events, page.before, page.is_cut) == ([], 2, True)
    assert changes.page(Wanted(who="nobody"), 2, 0, 2).before is None


def test_one_event_is_found_by_its_id(changes: Changes) -> None:
    (first, last) = changes.about("hq", "ann", 0, 9)
    assert changes.event(first.id) == first
    assert (last.serial, last.changed) == (3, {"username": ("Ann", "Anna")})
    assert changes.about("hq", "ann", 1, 9) == [last]
    assert changes.event("evt_none") is None
