"""Receivers that get everything in one order, are never given up, and leave for good."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from integration_server.forwarding.delivery.roster import Workshop
from integration_server.forwarding.delivery.route import Route
from integration_server.forwarding.delivery.settler import Settler
from integration_server.forwarding.subscriptions import columns, table_of
from integration_server.sdk.consumers import Delivery
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import ConsumerGone, ConsumerUnavailable, DeliveryFailed
from integration_server.store import Store
from integration_server.store.deliveries import DeliveryRow
from integration_server.store.subscriptions import Resource
from tests.forwarding.receivers import (
    CONSUMERS,
    POST,
    Clock,
    context,
    cursor,
    make_engine,
    running,
    subscription,
    write_events,
)
from tests.waiting import wait_for

WEEK = 7 * 86_400.0


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = request.getfixturevalue("postgresql").create_database() if request.param == "postgresql" else ""
    POST.__init__()  # type: ignore[misc]
    store = Store(url, tmp_path)
    yield store
    store.close()


def refusing(*serials: int) -> None:
    """Let these events fail."""

    def answer(delivery: Delivery, deadline: Deadline) -> None:
        if delivery.events[0].serial in serials:
            raise DeliveryFailed("500", 500)

    POST.answer = answer


def is_told(store: Store, serial: int) -> bool:
    return cursor(store, "sub") == serial and not store.deliveries.find(["sub"])


def parked_at(store: Store, serial: int) -> DeliveryRow:
    """The event that holds everything, once it is this one."""

    def found() -> list[DeliveryRow]:
        return [row for row in store.deliveries.find(["sub"], state="parked") if row.serial == serial]

    return wait_for(found)[0]


def people(count: int) -> list[str]:
    return [f"p{number % 7}" for number in range(count)]


def test_failed_event_holds_everybody_behind_it(store: Store) -> None:
    store.subscriptions.add(subscription("sub", "loyal"))
    serials = write_events(store, people(6))
    refusing(serials[2])
    with running(store):
        parked = parked_at(store, serials[2])
        late = write_events(store, people(3))
        time.sleep(1)
        assert POST.serials() == serials[:2]
        refusing()
        assert (parked.event_type, parked.person_id) == ("user.updated", "p2")
        assert store.deliveries.retry(parked.id)
        wait_for(lambda: is_told(store, late[-1]))
    assert POST.serials() == [*serials, *late]


def test_event_that_is_skipped_never_comes_and_what_follows_goes_on(store: Store) -> None:
    store.subscriptions.add(subscription("sub", "loyal"))
    serials = write_events(store, people(6))
    refusing(serials[0], serials[3])
    with running(store):
        for number in (0, 3):
            assert store.deliveries.skip(parked_at(store, serials[number]).id, "it cannot be")
        wait_for(lambda: is_told(store, serials[-1]))
    assert POST.serials() == [serials[1], serials[2], serials[4], serials[5]]


def test_receiver_that_leaves_is_told_nothing_of_what_waited(store: Store) -> None:
    """Neither what was parked, nor what was behind it, nor what it was not asked to take at all."""
    store.subscriptions.add(subscription("sub", "loyal"))
    serials = write_events(store, people(1500))
    refusing(serials[1])
    with running(store):
        parked = parked_at(store, serials[1])

        def leave(delivery: Delivery, deadline: Deadline) -> None:
            raise ConsumerGone("DISABLED")

        POST.answer = leave
        store.deliveries.retry(parked.id)
        wait_for(lambda: getattr(store.subscriptions.get("sub"), "state", "") == "ended")
        assert is_told(store, serials[-1])
        POST.answer = lambda delivery, deadline: None
        missed = write_events(store, people(2))
        time.sleep(1)
        assert POST.serials() == serials[:1]
        store.subscriptions.change("sub", is_active=True)
        wait_for(lambda: is_told(store, missed[-1]))
    assert POST.serials() == [serials[0], *missed]


def test_receiver_that_left_elsewhere_is_told_nothing_of_what_waited(store: Store) -> None:
    store.subscriptions.add(subscription("sub", "loyal"))
    serials = write_events(store, people(1500))
    refusing(serials[1])
    with running(store):
        parked_at(store, serials[1])
        store.settlements.end("sub", "it said so in a call of its own")
        assert is_told(store, serials[-1])
        refusing()
        missed = write_events(store, people(2))
        time.sleep(1)
        store.subscriptions.change("sub", is_active=True)
        wait_for(lambda: is_told(store, missed[-1]))
    assert POST.serials() == [serials[0], *missed]


def test_receiver_that_leaves_while_a_settlement_is_under_way_has_left(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def leave(delivery: Delivery, deadline: Deadline) -> None:
        asked.set()
        go_on.wait(10)
        raise ConsumerGone("DISABLED")

    POST.answer = leave
    settle = Settler.settle

    def settle_slowly(self: Settler, routes: Sequence[Route]) -> frozenset[str]:
        found = settle(self, routes)
        if routes and asked.is_set() and not go_on.is_set():
            go_on.set()
            wait_for(lambda: routes[0].flow.health.state == "ended")
        return found

    monkeypatch.setattr(Settler, "settle", settle_slowly)
    store.subscriptions.add(subscription("sub", "loyal"))
    serials = write_events(store, people(5))
    with running(store):
        wait_for(lambda: getattr(store.subscriptions.get("sub"), "state", "") == "ended")
        assert is_told(store, serials[-1])


def test_receiver_that_was_set_up_anew_while_it_left_stays(store: Store) -> None:
    """Its answer was to the old settings."""
    asked, go_on = threading.Event(), threading.Event()

    def leave(delivery: Delivery, deadline: Deadline) -> None:
        if not go_on.is_set():
            asked.set()
            go_on.wait(10)
            raise ConsumerGone("DISABLED")

    POST.answer = leave
    store.subscriptions.add(subscription("sub", "loyal"))
    serials = write_events(store, people(5))
    with running(store):
        assert asked.wait(10)
        store.subscriptions.change("sub", settings={"timeout_seconds": 19.0}, is_active=True)
        go_on.set()
        wait_for(lambda: is_told(store, serials[-1]))
    assert POST.serials() == serials


def test_new_settings_have_what_is_parked_tried_at_once(store: Store) -> None:
    store.subscriptions.add(subscription("sub", "loyal"))
    (serial,) = write_events(store, ["ann"])
    refusing(serial)
    clock = Clock()
    with running(store, clock=clock.time, monotonic=clock.monotonic):
        wait_for(lambda: store.deliveries.find(["sub"], state="parked"))
        while len(POST.deliveries) < 4:
            clock.let_pass(20)
            time.sleep(0.05)
        wait_for(lambda: store.deliveries.find(["sub"])[0].attempts == 4)
        refusing()
        store.subscriptions.change("sub", settings={"timeout_seconds": 19.0})
        wait_for(lambda: is_told(store, serial))
    assert POST.serials() == [serial]


@pytest.mark.parametrize("is_retry", [True, False])
def test_event_that_is_retried_or_skipped_has_a_receiver_that_rests_asked_at_once(store: Store, is_retry: bool) -> None:
    store.subscriptions.add(subscription("sub", "loyal"))
    serials = write_events(store, people(3))
    refusing(*serials)
    clock = Clock()
    with running(store, clock=clock.time, monotonic=clock.monotonic):
        while getattr(store.subscriptions.get("sub"), "probes", 0) < 8:
            clock.let_pass(100)
            time.sleep(0.05)
        refusing()
        row = parked_at(store, serials[0])
        assert store.deliveries.retry(row.id) if is_retry else store.deliveries.skip(row.id, "enough")
        wait_for(lambda: is_told(store, serials[-1]))
    assert POST.serials() == serials[not is_retry :]


def test_failure_with_the_old_settings_does_not_put_off_the_new_ones(store: Store) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def answer(delivery: Delivery, deadline: Deadline) -> None:
        if not go_on.is_set():
            asked.set()
            go_on.wait(10)
            raise DeliveryFailed("BAD_KEY", retry_after=3600)

    POST.answer = answer
    store.subscriptions.add(subscription("sub", "loyal"))
    serials = write_events(store, people(3))
    with running(store):
        assert asked.wait(10)
        store.subscriptions.change("sub", settings={"timeout_seconds": 19.0})
        go_on.set()
        wait_for(lambda: is_told(store, serials[-1]))
    assert POST.serials() == serials


@pytest.mark.parametrize("failure", [ConsumerUnavailable, DeliveryFailed])
def test_receiver_that_is_back_after_a_week_gets_everything_in_order(
    store: Store, failure: type[DeliveryFailed]
) -> None:
    def answer(delivery: Delivery, deadline: Deadline) -> None:
        raise failure("it is down")

    POST.answer = answer
    store.subscriptions.add(subscription("sub", "loyal"))
    clock = Clock()
    # PostgreSQL takes as many as fit into a test.
    many = 10_000 if store.is_sqlite else 2_000
    with running(store, clock=clock.time, monotonic=clock.monotonic):
        serials = write_events(store, people(many // 2))
        wait_for(lambda: POST.deliveries)
        while getattr(store.subscriptions.get("sub"), "state", "") != "quarantined":
            clock.let_pass(WEEK / 5)
            time.sleep(0.05)
        serials += write_events(store, people(many - many // 2))
        time.sleep(0.5)
        POST.answer = lambda delivery, deadline: None
        clock.let_pass(4000)
        began = time.monotonic()
        wait_for(lambda: is_told(store, serials[-1]), lambda: f"{len(POST.taken)} taken", 300)
    print(f"{len(serials) / (time.monotonic() - began):.0f} events a second")
    assert POST.serials() == serials


def test_at_most_two_events_come_again_after_a_crash(store: Store) -> None:
    """With more, what was taken would come again after somebody else's events that followed from it."""
    store.subscriptions.add(subscription("sub", "loyal"))
    serials = write_events(store, people(400))
    with running(store):
        for _ in range(200):
            told = len(POST.taken)
            assert told - bisect_right(serials, cursor(store, "sub")) <= 2, "taken and not yet written down"
            time.sleep(0.002)
        wait_for(lambda: is_told(store, serials[-1]))
    assert POST.serials() == serials


def test_answer_that_comes_long_after_a_stop_takes_nothing_back(sqlite: Store) -> None:
    """Another engine serves the receiver by then."""
    gate = threading.Event()

    def answer(delivery: Delivery, deadline: Deadline) -> None:
        if delivery.events[0].serial == serials[1] and len(POST.deliveries) == 2:
            gate.wait(20)

    POST.answer = answer
    sqlite.subscriptions.add(subscription("sub", "loyal"))
    serials = write_events(sqlite, people(9))
    first = make_engine(sqlite)
    first.start()
    wait_for(lambda: len(POST.deliveries) == 2)
    first.stop(0.5)
    with running(sqlite):
        wait_for(lambda: is_told(sqlite, serials[-1]))
        gate.set()
        wait_for(lambda: len(POST.taken) == len(serials) + 1)
        time.sleep(0.2)
        assert cursor(sqlite, "sub") == serials[-1]


def test_settings_of_a_consumer_are_what_its_table_says(tmp_path: Path) -> None:
    one = subscription("sub", resource=Resource("group", "hq", "staff"), events=("user.*",), batch_size=7)
    settings = Workshop(CONSUMERS, context).settings(one)
    assert (settings.backend, settings.group, settings.events, settings.batch_size) == ("hq", "staff", ("user.*",), 7)
    written = columns(table_of(one), settings)
    assert {name: getattr(one, name) for name in written} == written


def test_progress_of_before_a_replay_does_not_count(store: Store) -> None:
    store.subscriptions.add(subscription("sub", "loyal"))
    assert store.settlements.advance("sub", 0, 3)
    store.subscriptions.replay_from("sub", 1)
    assert not store.settlements.advance("sub", 0, 4)
    assert cursor(store, "sub") == 1
    assert not store.settlements.advance("nobody", 0, 4)
