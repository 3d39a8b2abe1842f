"""What is made ready while an answer is awaited: never lost, never in the way, and nobody else is to blame for it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration_server.forwarding.delivery.handing import Desk, Handing
from integration_server.forwarding.delivery.parcels import Ending, Outcome
from integration_server.forwarding.delivery.route import Route
from integration_server.sdk.consumers import Delivery, Receipt
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import DeliveryFailed
from integration_server.sdk.settings import ConsumerSettings
from integration_server.store import Store
from tests.forwarding.receivers import (
    POST,
    OkConsumer,
    context,
    cursor,
    engine_of,
    flow_of,
    running,
    subscription,
    write_events,
)
from tests.waiting import wait_for


def everybody(count: int) -> list[str]:
    return [f"p{number}" for number in range(count)]


def quick_route(store: Store, people: list[str]) -> tuple[Route, list[int]]:
    """One whose receiver has proven itself and answers at once, with events for these people at hand."""
    store.subscriptions.add(subscription("sub_1"))
    serials = write_events(store, people)
    flow, supply = flow_of(store, "sub_1")
    piece = supply.read(flow, store.journal.last_serial())
    assert piece is not None
    supply.feed(flow, piece)
    flow.health.succeed()
    route = Route(flow.subscription, flow, OkConsumer(ConsumerSettings(type="ok"), context("sub_1")), 20.0)
    route.idle_seconds = 0.0
    return route, serials


def nothing(*_: Any) -> None:
    """Done about whatever is told."""


def desk(count: Callable[[str, str], None] = nothing, notify: Callable[..., None] = nothing) -> Desk:
    return Desk(time.time, nothing, notify, nothing, count, nothing)


def test_last_event_does_not_wait_for_a_receiver_that_hangs_after_having_been_quick(sqlite: Store) -> None:
    """It was made ready behind the one that hangs, while other connections are free."""
    gate = threading.Event()

    def answer(delivery: Delivery, deadline: Deadline) -> None:
        if delivery.events[0].person_id == "slow":
            gate.wait(20)

    POST.answer = answer
    sqlite.subscriptions.add(subscription("sub_1"))
    serials = write_events(sqlite, everybody(1000))
    with running(sqlite):
        wait_for(lambda: cursor(sqlite, "sub_1") == serials[-1])
        _, last = write_events(sqlite, ["slow", "ada"])
        try:
            wait_for(lambda: last in POST.serials(), seconds=10)
        finally:
            gate.set()


def test_of_two_couriers_that_could_both_be_spared_one_stays(sqlite: Store) -> None:
    """Otherwise what waits would wait for the pump's next look around."""
    route, serials = quick_route(sqlite, everybody(9))
    both, is_leaving, is_answered = threading.Barrier(2), threading.Event(), threading.Event()

    def answer(delivery: Delivery, deadline: Deadline) -> None:
        if len(POST.deliveries) <= 2 and both.wait(10) == 0:
            is_leaving.wait(10)
            is_answered.set()

    def count(type: str, outcome: str) -> None:
        is_leaving.set()
        is_answered.wait(10)
        time.sleep(0.05)

    POST.answer = answer
    threads = [threading.Thread(target=lambda: Handing(route, desk(count), lambda: True).run()) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert route.couriers == {}
    assert sorted(POST.serials()) == serials


def test_courier_is_not_spared_for_one_that_is_stuck(sqlite: Store) -> None:
    route, serials = quick_route(sqlite, everybody(9))
    route.couriers["stuck"] = time.monotonic() - 1.0
    Handing(route, desk(), lambda: True).run()
    assert POST.serials() == serials
    assert route.is_quick, "it is, on all connections but one"


def test_unproven_receiver_leaves_its_place_to_those_that_wait_for_it(sqlite: Store) -> None:
    """After each try, not only once it rests."""

    def answer(delivery: Delivery, deadline: Deadline) -> None:
        if delivery.subscription_id == "sub_1":
            time.sleep(0.3)
            raise DeliveryFailed("500", 500)

    POST.answer = answer
    sqlite.subscriptions.add(subscription("sub_1"))
    write_events(sqlite, everybody(20))
    with running(sqlite, workers=2):
        wait_for(lambda: POST.deliveries)
        sqlite.subscriptions.add(subscription("sub_2"))
        wait_for(lambda: POST.taken, seconds=20)

    told = [delivery.subscription_id for _, delivery in POST.deliveries]
    assert told.index("sub_2") < 4, "it waited until the other rested"


@pytest.mark.parametrize("is_raised", [False, True])
def test_consumer_that_answers_or_raises_odd_things_has_failed_and_holds_up_nobody(
    sqlite: Store, monkeypatch: pytest.MonkeyPatch, is_raised: bool
) -> None:
    def send(consumer: OkConsumer, delivery: Delivery, deadline: Deadline) -> Receipt | None:
        if delivery.events[0].person_id != "p0":
            return Receipt(200)
        if is_raised:
            raise asyncio.CancelledError
        return None

    monkeypatch.setattr(OkConsumer, "_send", send)
    sqlite.subscriptions.add(subscription("sub_1"))
    serials = write_events(sqlite, everybody(40))
    with running(sqlite, workers=2):
        wait_for(lambda: cursor(sqlite, "sub_1") == serials[-1])

    [row] = sqlite.deliveries.find(["sub_1"])
    assert (row.serial, row.state) == (serials[0], "parked")
    assert (row.error or "").endswith("in the consumer")


def test_consumer_that_cannot_make_ready_delivers_all_the_same(sqlite: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(consumer: OkConsumer, delivery: Delivery) -> Callable[[Deadline], Receipt]:
        raise SystemExit("cannot")

    monkeypatch.setattr(OkConsumer, "prepare", prepare)
    sqlite.subscriptions.add(subscription("sub_1"))
    serials = write_events(sqlite, everybody(40))
    with running(sqlite, connections=1):
        wait_for(lambda: cursor(sqlite, "sub_1") == serials[-1])
    assert sorted(POST.serials()) == serials


def test_consumer_that_begins_to_wait_when_all_is_over_has_nothing_made_ready(sqlite: Store) -> None:
    """In a thread of its own, perhaps: nobody would come for it."""
    route, _ = quick_route(sqlite, everybody(2))
    late: list[Deadline] = []
    is_over: list[bool] = []

    class Late(OkConsumer):
        def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
            late.append(deadline)
            return Receipt(200)

    route.consumer = Late(ConsumerSettings(type="ok"), context("sub_1"))
    assert Handing(route, desk(), lambda: bool(is_over)).run()
    is_over.append(True)
    late[0].wait_begins()
    assert route.ahead is None
    assert route.flow.in_flight == 0


def test_courier_that_breaks_down_leaves_nothing_behind(sqlite: Store) -> None:
    """What was made ready is not held by somebody who is gone."""
    route, serials = quick_route(sqlite, everybody(3))

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Handing(route, desk(notify=broken), lambda: True).run()
    assert route.ahead is None
    assert route.couriers == {}
    POST.deliveries.clear()
    assert not Handing(route, desk(), lambda: True).run()
    assert route.flow.in_flight == 0
    assert sorted(POST.serials()) == serials


def test_courier_that_leaves_all_there_is_to_the_store_asks_for_more(sqlite: Store) -> None:
    """Everything at hand was about somebody whose lane is held, and the journal has more."""
    sqlite.subscriptions.add(subscription("sub_1", batch_size=2))
    write_events(sqlite, ["ada"])
    flow, supply = flow_of(sqlite, "sub_1")
    piece = supply.read(flow, sqlite.journal.last_serial())
    assert piece is not None
    supply.feed(flow, piece)
    parcel = flow.take(time.time())
    assert parcel is not None
    flow.finish(parcel, Outcome(Ending.REFUSED), time.time())
    (serial,) = write_events(sqlite, ["ada"])
    flow.feed_page(sqlite.journal.page(serial - 1, 1), 0, False)
    told: list[float | None] = []
    route = Route(flow.subscription, flow, OkConsumer(ConsumerSettings(type="ok"), context("sub_1")), 20.0)

    assert not Handing(route, desk(notify=lambda route, due: told.append(due)), lambda: True).run()

    assert told == [None]


def test_attempts_at_a_receiver_of_one_order_are_written_down_soon_after_the_last(sqlite: Store) -> None:
    sqlite.subscriptions.add(subscription("sub_1", "loyal"))
    serials = write_events(sqlite, everybody(30))

    def attempts() -> int:
        with engine_of(sqlite).connect() as connection:
            found: int = connection.exec_driver_sql("SELECT count(*) FROM attempts").scalar_one()
            return found

    with running(sqlite):
        wait_for(lambda: cursor(sqlite, "sub_1") == serials[-1])
        wait_for(lambda: attempts() == len(serials), lambda: f"{attempts()} attempts", seconds=5)


def test_receiver_is_not_to_blame_for_a_store_that_is_locked_while_it_answers(sqlite: Store, tmp_path: Path) -> None:
    """Its answer has come long before we come back to it."""

    def answer(delivery: Delivery, deadline: Deadline) -> None:
        deadline.remaining()

    POST.answer = answer
    sqlite.subscriptions.add(subscription("sub_1", "loyal", settings={"timeout_seconds": 0.5}))
    serials = write_events(sqlite, everybody(600))
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    with running(sqlite):
        wait_for(lambda: len(POST.taken) > 20)
        other.execute("BEGIN IMMEDIATE")
        time.sleep(1.5)
        other.execute("ROLLBACK")
        wait_for(lambda: cursor(sqlite, "sub_1") == serials[-1])
    other.close()
    assert POST.handed() == serials
