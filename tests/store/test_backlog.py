"""What waits for receivers, and which of them a person should look at, on SQLite and PostgreSQL."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa

from integration_server.store.deliveries import Deliveries
from integration_server.store.engine import writing
from integration_server.store.schema import deliveries as table
from integration_server.store.schema import events as events_table
from integration_server.store.subscriptions import Subscriptions
from integration_server.store.watches import Watches
from tests.forwarding.receivers import subscription


@pytest.fixture
def subscriptions(engine: sa.Engine) -> Subscriptions:
    return Subscriptions(engine)


def event(engine: sa.Engine, serial: int, noticed_at: float) -> None:
    row = {"serial": serial, "id": f"evt_{serial}", "type": "user.updated", "backend": "hq", "person_id": "1"}
    more = {"noticed_at": noticed_at, "groups": "[]", "body": "{}"}
    with writing(engine) as connection:
        connection.execute(events_table.insert(), [row | more])


def wait(engine: sa.Engine, id: str, serial: int, state: str, created_at: float) -> None:
    row = {"subscription_id": id, "serial": serial, "lane": "x", "event_id": f"evt_{serial}", "state": state}
    about = {"event_type": "user.updated", "backend": "hq", "person_id": "1", "attempts": 1}
    with writing(engine) as connection:
        connection.execute(table.insert(), [row | about | {"created_at": created_at, "changed_at": created_at}])


def test_rows_are_counted_by_state_and_the_oldest_event_told(engine: sa.Engine, subscriptions: Subscriptions) -> None:
    for id in ("wiki", "forum", "well"):
        subscriptions.add(subscription(id))
    event(engine, 1, 100.0)
    for serial, (id, state) in enumerate(
        [("wiki", "parked"), ("wiki", "held"), ("forum", "dead"), ("well", "settled")]
    ):
        wait(engine, id, serial + 1, state, 500.0 + serial)
    found = Deliveries(engine).backlog(100)
    assert not found.is_partial
    assert {id: dict(waiting.counts) for id, waiting in found.waiting.items()} == {
        "wiki": {"parked": 1, "held": 1},
        "forum": {"dead": 1},
    }
    assert found.waiting["wiki"].oldest_at == 100.0, "of the event"
    assert found.waiting["forum"].oldest_at == 502.0, "of the row, where the event is no longer kept"


def test_no_more_rows_are_counted_than_wanted(engine: sa.Engine, subscriptions: Subscriptions) -> None:
    subscriptions.add(subscription("wiki"))
    for serial in range(6):
        wait(engine, "wiki", serial, "parked", float(serial))
    found = Deliveries(engine).backlog(4)
    assert (found.is_partial, found.waiting["wiki"].counts, found.waiting["wiki"].oldest_at) == (True, {"parked": 4}, 0)
    assert Deliveries(engine).backlog(7).is_partial is False


def test_receivers_with_trouble_come_first(engine: sa.Engine, subscriptions: Subscriptions) -> None:
    for number in range(5):
        subscriptions.add(subscription(f"well{number}", created_at=float(number)))
    subscriptions.add(subscription("failing", created_at=10.0, failing_since=5.0))
    subscriptions.add(subscription("ended", created_at=11.0, state="ended"))
    subscriptions.add(subscription("stuck", created_at=12.0))
    found = [one.id for one in subscriptions.foremost(5, ["stuck", "nobody"])]
    assert found == ["failing", "ended", "stuck", "well0", "well1"]
    assert [one.id for one in subscriptions.foremost(2)] == ["failing", "ended"]


def test_the_first_of_several_failures_gives_the_time(engine: sa.Engine) -> None:
    watches, now = Watches(engine), time.time()
    watches.fail("hq", now, "down")
    watches.fail("hq", now + 60, "still down")
    assert (watches.get("hq").failed_at, watches.get("hq").failure) == (now, "still down")
    watches.change("hq", failed_at=None, failure=None)
    watches.fail("hq", now + 120, "down")
    assert watches.get("hq").failed_at == now + 120
