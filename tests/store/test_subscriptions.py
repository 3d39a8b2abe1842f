"""Subscriptions that take the place of others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from integration_server.sdk.events import USER_SNAPSHOT
from integration_server.store.deliveries import Deliveries
from integration_server.store.engine import writing
from integration_server.store.schema import deliveries
from integration_server.store.schema import subscriptions as table
from integration_server.store.subscriptions import Subscriptions
from tests.cli.conftest import subscription


def _row(serial: int, state: str, event_type: str = "user.created") -> dict[str, Any]:
    texts = {"lane": "", "event_id": f"evt_{serial}_{state}", "event_type": event_type, "backend": "hq"}
    numbers = {"serial": serial, "attempts": 1, "created_at": 1.0, "changed_at": 1.0}
    return {"subscription_id": "sub_old", "person_id": "1", "state": state, **texts, **numbers}


@pytest.mark.parametrize(
    ("old", "rows", "expected"),
    [
        pytest.param({"cursor": 7}, [], (7, None, None), id="has all up to its cursor"),
        pytest.param({"cursor": 7}, [_row(4, "parked"), _row(5, "held")], (3, None, None), id="something waits"),
        pytest.param({"cursor": 3}, [_row(8, "parked")], (3, None, None), id="something later waits"),
        pytest.param({"cursor": 7}, [_row(4, "settled")], (7, None, None), id="nothing waits"),
        pytest.param({"cursor": 5, "replay_serial": 5, "replay_key": 9}, [], (5, 5, 0), id="a replay is under way"),
        pytest.param({"cursor": 7}, [_row(6, "parked", USER_SNAPSHOT)], (6, 6, 0), id="somebody replayed waits"),
        pytest.param({"cursor": 7, "state": "ended"}, [], (20, None, None), id="wants no more"),
        pytest.param(None, [], (20, None, None), id="is not there"),
    ],
)
def test_subscription_goes_on_where_the_one_is_that_it_replaces(
    engine: sa.Engine, old: dict[str, Any] | None, rows: Sequence[dict[str, Any]], expected: tuple[int, int, int]
) -> None:
    store = Subscriptions(engine)
    if old is not None:
        store.add(subscription("old", **old))
    with writing(engine) as connection:
        for row in rows:
            connection.execute(deliveries.insert().values(row))
    store.add(subscription("new", cursor=20), instead_of="sub_old")
    (found,) = store.all()
    assert (found.id, found.state) == ("sub_new", "ok")
    assert (found.cursor, found.replay_serial, found.replay_key) == expected


def test_what_is_delivered_is_paged_in_the_order_of_its_making(engine: sa.Engine) -> None:
    store = Subscriptions(engine)
    for number, owner in enumerate(["config", "dashboard", "config"]):
        store.add(subscription(f"Name_{number}%", id=f"sub_{number}", owner=owner))

    first = store.delivered_page((0.0, ""), 2)
    assert [one.id for one in first] == ["sub_0", "sub_1"]
    assert [one.id for one in store.delivered_page((1.0, "sub_1"), 2)] == ["sub_2"]
    assert [one.id for one in store.delivered_page((0.0, ""), 9, owner="config")] == ["sub_0", "sub_2"]
    assert [one.id for one in store.delivered_page((0.0, ""), 9, words="_1%")] == ["sub_1"]
    assert [one.id for one in store.delivered_page((0.0, ""), 9, words="sub_2")] == ["sub_2"]
    assert store.delivered_page((0.0, ""), 9, words="__") == []


def test_what_waits_is_counted_up_to_a_number(engine: sa.Engine) -> None:
    Subscriptions(engine).add(subscription("old"))
    rows = [_row(serial, "parked") for serial in range(5)] + [_row(9, "dead"), _row(8, "settled")]
    with writing(engine) as connection:
        connection.execute(deliveries.insert(), rows)

    counted = Deliveries(engine)
    assert counted.counts_up_to(3, ["sub_old", "sub_none"]) == {"sub_old": {"parked": 3, "dead": 1}}
    assert counted.counts_up_to(10, ["sub_old"]) == counted.counts()


def test_of_two_who_rotate_the_secret_at_one_moment_none_loses_theirs(engine: sa.Engine) -> None:
    store = Subscriptions(engine)
    store.add(subscription("old"))
    with ThreadPoolExecutor(4) as threads:
        with writing(engine) as connection:
            # Whoever reads before they may write has read by the time when they may.
            connection.execute(table.update().values(uid="held"))
            made = [threads.submit(store.rotate_secret, "sub_old", f"secret {number}", 3600) for number in range(4)]
            time.sleep(0.2)
        for one in made:
            one.result()
    found = store.get("sub_old")
    assert found is not None
    assert {f"secret {number}" for number in range(4)} <= set(found.active_secrets(time.time()))
