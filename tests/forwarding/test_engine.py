"""The engine on real stores, with receivers of every temper."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_server.forwarding.delivery import engine as engine_module
from integration_server.forwarding.delivery.ledger import WINDOW
from integration_server.sdk.consumers import Delivery
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import ConsumerGone, ConsumerUnavailable, DeliveryFailed, DeliveryRefused
from integration_server.sdk.events import TEST_PING, USER_SNAPSHOT
from integration_server.store import Store
from integration_server.store.bell import Bell
from integration_server.store.journal import Change
from integration_server.store.subscriptions import StoredSecret
from tests.forwarding.receivers import (
    POST,
    Told,
    cursor,
    make_engine,
    running,
    subscription,
    write_events,
)
from tests.waiting import wait_for


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = request.getfixturevalue("postgresql").create_database() if request.param == "postgresql" else ""
    POST.__init__()  # type: ignore[misc]
    store = Store(url, tmp_path)
    yield store
    store.close()


def state(store: Store, id: str) -> str:
    found = store.subscriptions.get(id)
    assert found is not None
    return found.state


def test_every_event_arrives_once_and_in_order_per_person(store: Store) -> None:
    store.subscriptions.add(subscription("sub_1"))
    serials = write_events(store, [f"p{n % 17}" for n in range(1000)])

    with running(store):
        wait_for(lambda: len(POST.taken) == 1000)
        wait_for(lambda: cursor(store, "sub_1") == serials[-1])

    assert sorted(POST.serials()) == serials
    for person in range(17):
        assert POST.serials(person=f"p{person}") == serials[person::17]
    assert store.deliveries.find(None) == []
    assert store.deliveries.find(None, state="settled") == []
    newest = store.deliveries.attempts("sub_1", limit=1)[0]
    assert (newest.is_ok, newest.status, newest.response) == (True, 200, "thanks")


def test_events_arrive_soon_after_the_bell_and_without_it(sqlite: Store) -> None:
    sqlite.subscriptions.add(subscription("sub_1"))
    bell = Bell()
    with running(sqlite, bell=bell):
        write_events(sqlite, ["ada"])
        wait_for(lambda: len(POST.taken) == 1)
        write_events(sqlite, ["bob"])
        bell.ring()
        wait_for(lambda: len(POST.taken) == 2)


def test_batches_arrive_whole_and_in_order(store: Store) -> None:
    store.subscriptions.add(subscription("sub_1", batch_size=100))
    serials = write_events(store, [f"p{n % 250}" for n in range(1000)])

    with running(store):
        wait_for(lambda: cursor(store, "sub_1") == serials[-1])

    assert sorted(POST.serials()) == serials
    assert max(len(delivery.events) for delivery in POST.taken) == 100
    assert all(delivery.is_batch and delivery.id.startswith("bat_") for delivery in POST.taken)
    for person in range(250):
        assert POST.serials(person=f"p{person}") == serials[person::250]
    assert store.settlements.open_batches("sub_1") == []


@pytest.mark.parametrize(("state", "count"), [("ok", 2), ("resting", 40)])
def test_hanging_receivers_keep_nobody_else_waiting(sqlite: Store, state: str, count: int) -> None:
    hangs = {"timeout_seconds": 60.0}
    for number in range(count):
        sqlite.subscriptions.add(subscription(f"sub_hang_{number}", "hanging", settings=hangs, state=state))
    for number in range(10):
        sqlite.subscriptions.add(subscription(f"sub_{number}"))
    write_events(sqlite, [f"p{n}" for n in range(50)])

    engine = make_engine(sqlite, workers=8)
    engine.start()
    wait_for(lambda: len(POST.taken) == 500)
    engine.stop(0.5)


def test_hanging_receivers_of_one_owner_keep_no_other_owner_waiting(sqlite: Store) -> None:
    hangs = {"timeout_seconds": 60.0}
    for number in range(40):
        sqlite.subscriptions.add(subscription(f"sub_hang_{number}", "hanging", settings=hangs, owner="tok_a"))
    write_events(sqlite, [f"p{n}" for n in range(50)])
    engine = make_engine(sqlite, workers=8)
    engine.start()
    wait_for(lambda: POST.open >= 3)

    for number in range(10):
        sqlite.subscriptions.add(subscription(f"sub_{number}", owner="tok_b"))
    wait_for(lambda: len(POST.taken) == 500)

    engine.stop(0.5)


def test_failed_event_waits_while_everybody_else_goes_on_and_comes_before_what_follows(store: Store) -> None:
    def answer(delivery: Delivery, deadline: Deadline) -> None:
        if delivery.events[0].person_id == "ada":
            raise DeliveryFailed("500", 500, "oops")

    POST.answer = answer
    store.subscriptions.add(subscription("sub_1"))
    serials = write_events(store, ["ada", "bob", "ada", "cyd", "ada"])
    with running(store):
        wait_for(lambda: cursor(store, "sub_1") == serials[-1])
        rows = store.deliveries.find(["sub_1"])
        assert [(row.serial, row.state, row.attempts) for row in rows] == [
            (serials[0], "parked", 1),
            (serials[2], "held", 0),
            (serials[4], "held", 0),
        ]
        assert (rows[0].status, rows[0].error) == (500, "500")
        POST.answer = lambda delivery, deadline: None
        assert store.deliveries.retry(rows[0].id)
        wait_for(lambda: not store.deliveries.find(["sub_1"]))

    assert POST.serials(person="ada") == [serials[0], serials[2], serials[4]]


def test_receiver_that_is_down_loses_nothing_and_recovers_by_itself(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="integration_server.forwarding")
    is_down = threading.Event()
    is_down.set()

    def answer(delivery: Delivery, deadline: Deadline) -> None:
        if is_down.is_set():
            raise ConsumerUnavailable("connection refused", retry_after=1.0)

    POST.answer = answer
    store.subscriptions.add(subscription("sub_1"))
    serials = write_events(store, [f"p{n}" for n in range(50)])
    with running(store):
        wait_for(lambda: state(store, "sub_1") == "resting")
        assert store.deliveries.find(["sub_1"]) == []
        is_down.clear()
        wait_for(lambda: cursor(store, "sub_1") == serials[-1])

    assert sorted(POST.serials()) == serials
    assert state(store, "sub_1") == "ok"
    handed = [at for at, _ in POST.deliveries]
    assert handed[1] - handed[0] >= 0.9
    told = [
        record.getMessage() for record in caplog.records if record.getMessage().startswith("subscription sub_1 takes")
    ]
    assert told == [
        "subscription sub_1 takes no events for now, and is asked again until it does: connection refused",
        "subscription sub_1 takes events again",
    ]


def test_receiver_that_is_gone_ends_until_somebody_revives_it(store: Store) -> None:
    told = Told()
    POST.answer = lambda delivery, deadline: (_ for _ in ()).throw(ConsumerGone("410", 410))
    store.subscriptions.add(subscription("sub_1"))
    serials = write_events(store, ["ada", "bob"])
    with running(store, audit=told):
        wait_for(lambda: state(store, "sub_1") == "ended")
        wait_for(lambda: told.actions == [("subscription.ended", "sub_1")])
        assert len(POST.deliveries) == 1
        POST.answer = lambda delivery, deadline: None
        store.subscriptions.change("sub_1", is_active=True)
        wait_for(lambda: cursor(store, "sub_1") == serials[-1])

    assert POST.serials() == serials


def test_refused_event_is_dead_until_it_is_skipped(store: Store) -> None:
    told = Told()

    def answer(delivery: Delivery, deadline: Deadline) -> None:
        if delivery.events[0].serial == 1:
            raise DeliveryRefused("422", 422)

    POST.answer = answer
    store.subscriptions.add(subscription("sub_1"))
    write_events(store, ["ada", "ada", "bob"])
    with running(store, audit=told):
        wait_for(lambda: POST.serials() == [3])
        wait_for(lambda: store.deliveries.find(["sub_1"], state="dead"))
        [dead] = store.deliveries.find(["sub_1"], state="dead")
        assert store.deliveries.skip(dead.id, "nobody needs it")
        wait_for(lambda: POST.serials() == [3, 2])
        wait_for(lambda: not store.deliveries.find(["sub_1"]))

    assert told.actions == [("delivery.dead", "sub_1")]
    assert any(one.error == "skipped: nobody needs it" for one in store.deliveries.attempts("sub_1"))


def test_error_in_a_consumer_is_a_failure_whose_text_is_not_shown(sqlite: Store) -> None:
    sqlite.subscriptions.add(subscription("sub_1", "broken"))
    write_events(sqlite, ["ada"])
    with running(sqlite):
        wait_for(lambda: sqlite.deliveries.find(["sub_1"], state="parked"))

    [row] = sqlite.deliveries.find(["sub_1"])
    assert row.error == "ZeroDivisionError in the consumer"


def test_paused_receiver_gets_later_what_happened_meanwhile(sqlite: Store) -> None:
    sqlite.subscriptions.add(subscription("sub_1", is_active=False))
    serials = write_events(sqlite, ["ada", "bob"])
    with running(sqlite):
        time.sleep(0.7)
        assert POST.deliveries == []
        sqlite.subscriptions.change("sub_1", is_active=True)
        wait_for(lambda: POST.serials() == serials)


def test_removed_receiver_gets_nothing_more(sqlite: Store) -> None:
    sqlite.subscriptions.add(subscription("sub_1"))
    with running(sqlite):
        write_events(sqlite, ["ada"])
        wait_for(lambda: len(POST.taken) == 1)
        assert sqlite.subscriptions.remove("sub_1")
        wait_for(lambda: POST.open == 0)
        write_events(sqlite, ["bob"])
        time.sleep(0.7)

    assert len(POST.deliveries) == 1


def test_replay_from_a_serial_sends_the_same_ids_again(store: Store) -> None:
    store.subscriptions.add(subscription("sub_1"))
    serials = write_events(store, ["ada", "bob", "cyd"])
    with running(store):
        wait_for(lambda: cursor(store, "sub_1") == serials[-1])
        assert store.subscriptions.replay_from("sub_1", serials[0])
        wait_for(lambda: len(POST.taken) == 5)
        wait_for(lambda: cursor(store, "sub_1") == serials[-1])

    first, again = POST.taken[1:3], POST.taken[3:]
    assert sorted(one.id for one in first) == sorted(one.id for one in again)


def people(store: Store, *ids: str) -> int:
    changes = [
        Change("create", id, id.encode().ljust(16)[:16], {"id": id, "username": id, "groups": [], "state": "active"})
        for id in ids
    ]
    return store.journal.apply("hq", changes, store.journal.last_serial()).last_serial


@pytest.mark.parametrize("batch_size", [1, 10])
def test_replay_of_everybody_comes_before_what_follows_and_is_not_told_twice(store: Store, batch_size: int) -> None:
    people(store, *(f"p{n}" for n in range(30)))
    store.subscriptions.add(subscription("sub_1", cursor=store.journal.last_serial(), batch_size=batch_size))
    store.subscriptions.replay_snapshot("sub_1")
    last = people(store, "p3", "later") + 0
    with running(store):
        wait_for(lambda: cursor(store, "sub_1") == last)

    events = [event for delivery in POST.taken for event in delivery.events]
    assert sorted(event.person_id for event in events[:30]) == sorted(f"p{n}" for n in range(30))
    assert {event.type for event in events[:30]} == {USER_SNAPSHOT}
    assert [event.person_id for event in events[30:]] == ["later"]
    assert len({event.id for event in events}) == 31
    found = store.subscriptions.get("sub_1")
    assert found is not None
    assert found.replay_serial is None


def test_failed_person_of_a_replay_is_tried_again_after_it(store: Store) -> None:
    def answer(delivery: Delivery, deadline: Deadline) -> None:
        if delivery.events[0].person_id == "p1":
            raise DeliveryFailed("500", 500)

    POST.answer = answer
    people(store, "p0", "p1", "p2")
    store.subscriptions.add(subscription("sub_1", cursor=store.journal.last_serial()))
    store.subscriptions.replay_snapshot("sub_1")
    with running(store):
        wait_for(lambda: len(store.deliveries.find(["sub_1"])) == 1 and len(POST.taken) == 2)
        wait_for(lambda: getattr(store.subscriptions.get("sub_1"), "replay_serial", 0) is None)
        POST.answer = lambda delivery, deadline: None
        assert store.deliveries.retry_all("sub_1", "parked") == 1
        wait_for(lambda: not store.deliveries.find(["sub_1"]))

    tries = [one for _, one in POST.deliveries if one.events[0].person_id == "p1"]
    assert len(tries) >= 2
    assert len({one.id for one in tries}) == 1


def test_consumer_of_one_lane_gets_everything_in_order(sqlite: Store) -> None:
    sqlite.subscriptions.add(subscription("sub_1", "orderly"))
    serials = write_events(sqlite, [f"p{n % 7}" for n in range(200)])
    with running(sqlite):
        wait_for(lambda: cursor(sqlite, "sub_1") == serials[-1])

    assert POST.serials() == serials


def test_signal_is_given_once_for_all(sqlite: Store) -> None:
    sqlite.subscriptions.add(subscription("sub_1", "signal", settings={"quiet_seconds": 0.6}))
    serials = write_events(sqlite, ["ada", "bob", "cyd"])
    with running(sqlite):
        wait_for(lambda: cursor(sqlite, "sub_1") == serials[-1])

    assert POST.serials() == [serials[-1]]


def test_secrets_are_those_that_are_valid_the_newest_first(sqlite: Store) -> None:
    secrets = (StoredSecret("new"), StoredSecret("old", time.time() + 60), StoredSecret("gone", 1.0))
    sqlite.subscriptions.add(subscription("sub_1", secrets=secrets))
    write_events(sqlite, ["ada"])
    with running(sqlite):
        wait_for(lambda: len(POST.taken) == 1)

    assert POST.taken[0].secrets == ("new", "old")


def test_settings_that_do_not_fit_are_explained_and_stop_nobody_else(sqlite: Store) -> None:
    sqlite.subscriptions.add(subscription("sub_1", "no-such-type"))
    sqlite.subscriptions.add(subscription("sub_2", settings={"timeout_second": 1}))
    sqlite.subscriptions.add(subscription("sub_3"))
    write_events(sqlite, ["ada"])
    with running(sqlite):
        wait_for(lambda: len(POST.taken) == 1)
        reasons = [str(one.state_reason) for one in sqlite.subscriptions.all()]

    assert "no plugin has the consumer type" in reasons[0]
    assert "timeout_second" in reasons[1]


def test_button_sends_a_test_without_an_engine_running(sqlite: Store) -> None:
    sqlite.subscriptions.add(subscription("sub_1"))
    engine = make_engine(sqlite)

    assert engine.test("sub_1").status == 200
    assert POST.taken[0].events[0].type == TEST_PING
    with pytest.raises(KeyError):
        engine.test("sub_2")
    POST.answer = lambda delivery, deadline: (_ for _ in ()).throw(ConsumerGone("410", 410))
    with pytest.raises(ConsumerGone):
        engine.test("sub_1")
    assert state(sqlite, "sub_1") == "ok"
    assert POST.open == 0


def test_stop_returns_in_time_although_a_receiver_hangs_and_keeps_what_is_done(sqlite: Store) -> None:
    sqlite.subscriptions.add(subscription("sub_1"))
    sqlite.subscriptions.add(subscription("sub_2", "hanging", settings={"timeout_seconds": 5.0}))
    serials = write_events(sqlite, [f"p{n}" for n in range(100)])
    engine = make_engine(sqlite)
    engine.start()
    wait_for(lambda: len(POST.serials("sub_1")) == 100)
    wait_for(lambda: len(POST.deliveries) > 100)

    began = time.monotonic()
    engine.stop(1.5)

    assert time.monotonic() - began < 4
    assert cursor(sqlite, "sub_1") == serials[-1]
    assert cursor(sqlite, "sub_2") == 0
    with running(sqlite):
        time.sleep(0.5)
    assert len(POST.serials("sub_1")) == 100


def test_starting_and_stopping_leaves_nothing_behind(sqlite: Store) -> None:
    for number in range(5):
        sqlite.subscriptions.add(subscription(f"sub_{number}"))
    with running(sqlite):
        pass
    gc.collect()
    threads, objects = threading.active_count(), len(gc.get_objects())
    for _ in range(5):
        write_events(sqlite, [f"p{n}" for n in range(20)])
        with running(sqlite):
            wait_for(lambda: all(one.cursor == sqlite.journal.last_serial() for one in sqlite.subscriptions.all()))
    POST.deliveries.clear()
    POST.taken.clear()
    gc.collect()

    assert threading.active_count() <= threads
    assert POST.open == 0
    assert len(gc.get_objects()) - objects < 2000


def test_next_is_made_ready_while_an_answer_is_awaited_and_sent_after_it(store: Store) -> None:
    """With one connection, never two at a time."""
    at_once, most = threading.Semaphore(1), []

    def answer(delivery: Delivery, deadline: Deadline) -> None:
        is_alone = at_once.acquire(blocking=False)
        most.append(is_alone)
        time.sleep(0.005)
        if is_alone:
            at_once.release()

    POST.answer = answer
    store.subscriptions.add(subscription("sub_1"))
    serials = write_events(store, [f"p{n % 7}" for n in range(100)])
    with running(store, connections=1):
        wait_for(lambda: cursor(store, "sub_1") == serials[-1])

    assert sorted(POST.serials()) == serials
    assert all(most)
    ready = {delivery.id for delivery in POST.prepared}
    assert len(ready) > 50
    assert len(ready) == len(POST.prepared), "something was made ready twice"


def test_what_was_made_ready_is_not_sent_to_a_receiver_that_went_down_meanwhile(store: Store) -> None:
    def answer(delivery: Delivery, deadline: Deadline) -> None:
        time.sleep(0.01)
        if delivery.events[0].serial == serials[5] and len(POST.deliveries) == 6:
            raise ConsumerUnavailable("down")

    POST.answer = answer
    store.subscriptions.add(subscription("sub_1"))
    serials = write_events(store, [f"p{n}" for n in range(20)])
    with running(store, connections=1):
        wait_for(lambda: state(store, "sub_1") == "resting")
        handed = POST.handed()
        assert serials[6] in [delivery.events[0].serial for delivery in POST.prepared]
        store.subscriptions.change("sub_1", is_active=True)
        wait_for(lambda: cursor(store, "sub_1") == serials[-1])

    assert handed == serials[:6]
    assert sorted(POST.serials()) == serials


def test_secret_that_was_rotated_signs_what_was_made_ready_long_before(store: Store) -> None:
    """What waits behind an answer that takes long is made ready anew."""
    gate = threading.Event()

    def answer(delivery: Delivery, deadline: Deadline) -> None:
        if delivery.events[0].serial == serials[3]:
            gate.wait(20)

    POST.answer = answer
    store.subscriptions.add(subscription("sub_1"))
    serials = write_events(store, [f"p{n}" for n in range(6)])
    with running(store, connections=1):
        wait_for(lambda: serials[4] in [delivery.events[0].serial for delivery in POST.prepared])
        time.sleep(1.1)
        gate.set()
        wait_for(lambda: cursor(store, "sub_1") == serials[-1])

    sent = [delivery for _, delivery in POST.deliveries if delivery.events[0].serial == serials[4]]
    prepared = [delivery for delivery in POST.prepared if delivery.events[0].serial == serials[4]]
    assert len(sent) == 1
    assert sent[0] is not prepared[0]
    assert POST.serials() == serials


def test_what_fills_the_window_is_written_down_before_its_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_SETTLE_SECONDS", 3600.0)
    store.subscriptions.add(subscription("sub_1"))
    serials = write_events(store, [f"p{number}" for number in range(4 * WINDOW)])

    with running(store):
        wait_for(lambda: len(POST.serials()) == len(serials))
