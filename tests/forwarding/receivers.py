"""What tests of delivery share: events in a journal, subscriptions, and receivers of several tempers."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import orjson
import sqlalchemy as sa

from integration_server.config import ForwardingSettings
from integration_server.forwarding.audit import Audit
from integration_server.forwarding.delivery.engine import Engine
from integration_server.forwarding.delivery.flow import Flow
from integration_server.forwarding.delivery.health import Health
from integration_server.forwarding.delivery.supply import Supply
from integration_server.sdk.consumers import Consumer, ConsumerContext, Delivery, Preparing, Receipt
from integration_server.sdk.deadline import Deadline, Watchdog
from integration_server.sdk.errors import ConsumerGone, ConsumerUnavailable, DeliveryFailed, DeliveryRefused
from integration_server.sdk.events import USER_UPDATED, stored_body
from integration_server.sdk.settings import ConsumerSettings
from integration_server.store import Store
from integration_server.store.bell import Bell
from integration_server.store.engine import writing
from integration_server.store.schema import events as events_table
from integration_server.store.schema import journal_state
from integration_server.store.subscriptions import Resource, Subscription


def engine_of(store: Store) -> sa.Engine:
    return store._engine


def cursor(store: Store, id: str) -> int:
    found = store.subscriptions.get(id)
    assert found is not None
    return found.cursor


def write_events(store: Store, people: Sequence[str | tuple[str, str]], **columns: Any) -> list[int]:
    """One event for each person, ``user.updated`` or of the type given with the person; their serials."""
    with writing(engine_of(store)) as connection:
        last: int = connection.execute(
            journal_state.update()
            .values(last_serial=journal_state.c.last_serial + len(people))
            .returning(journal_state.c.last_serial)
        ).scalar_one()
        serials = list(range(last - len(people) + 1, last + 1))
        rows = []
        for serial, one in zip(serials, people, strict=True):
            person, kind = (one, USER_UPDATED) if isinstance(one, str) else one
            body = stored_body({"id": person, "n": serial}, None, {"n": (serial - 1, serial)})
            row = {
                "serial": serial,
                "id": f"evt_{secrets.token_hex(16)}",
                "type": kind,
                "backend": "hq",
                "person_id": person,
                "group_name": None,
                "noticed_at": time.time(),
                "origin": None,
                "groups": "[]",
                "body": orjson.dumps(body).decode(),
            }
            rows.append({**row, **columns})
        connection.execute(events_table.insert(), rows)
    return serials


def subscription(id: str, type: str = "ok", cursor: int = 0, **fields: Any) -> Subscription:
    values: dict[str, Any] = {
        "owner": "config",
        "uid": id,
        "resource": Resource(),
        "events": ("*",),
        "settings": {},
        "secrets": (),
        "batch_size": 1,
        "rate_per_second": None,
        "is_coalescing": False,
        "is_active": True,
        "state": "ok",
        "state_reason": None,
        "created_at": time.time(),
        "changed_at": time.time(),
    }
    return Subscription(id=id, type=type, cursor=cursor, **{**values, **fields})


class Post:
    """What receivers got, in the order in which they were handed it. ``answers`` decides about each delivery: it
    returns, raises or waits."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.deliveries: list[tuple[float, Delivery]] = []
        self.taken: list[Delivery] = []
        self.prepared: list[Delivery] = []
        self.answer: Callable[[Delivery, Deadline], None] = lambda delivery, deadline: None
        self.open = 0

    def serials(self, subscription_id: str | None = None, person: str | None = None) -> list[int]:
        """Of what was taken."""
        with self.lock:
            return [
                event.serial
                for delivery in self.taken
                if subscription_id in (None, delivery.subscription_id)
                for event in delivery.events
                if person in (None, event.person_id)
            ]

    def handed(self, person: str | None = None) -> list[int]:
        """Of what was handed over, taken or not."""
        with self.lock:
            return [
                event.serial
                for _, delivery in self.deliveries
                for event in delivery.events
                if person in (None, event.person_id)
            ]


POST = Post()


class OkConsumer(Consumer, Preparing):
    """Takes everything, unless POST.answer has another opinion."""

    type: ClassVar[str] = "ok"
    Settings = ConsumerSettings

    def __init__(self, settings: ConsumerSettings, context: ConsumerContext) -> None:
        self._is_closed = False
        with POST.lock:
            POST.open += 1

    def prepare(self, delivery: Delivery) -> Callable[[Deadline], Receipt]:
        with POST.lock:
            POST.prepared.append(delivery)
        return lambda deadline: self._send(delivery, deadline)

    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        return self._send(delivery, deadline)

    def _send(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        with POST.lock:
            POST.deliveries.append((time.monotonic(), delivery))
        deadline.wait_begins()
        self.answer(delivery, deadline)
        with POST.lock:
            POST.taken.append(delivery)
        return Receipt(200, "thanks")

    def answer(self, delivery: Delivery, deadline: Deadline) -> None:
        POST.answer(delivery, deadline)

    def close(self) -> None:
        with POST.lock:
            POST.open -= not self._is_closed
            self._is_closed = True


class FailingConsumer(OkConsumer):
    type = "failing"

    def answer(self, delivery: Delivery, deadline: Deadline) -> None:
        raise DeliveryFailed("500 Internal Server Error", 500, "oops")


class HangingConsumer(OkConsumer):
    type = "hanging"

    def answer(self, delivery: Delivery, deadline: Deadline) -> None:
        while not deadline.is_over():
            time.sleep(0.02)
        raise ConsumerUnavailable("no answer in time")


class UnavailableConsumer(OkConsumer):
    type = "unavailable"

    def answer(self, delivery: Delivery, deadline: Deadline) -> None:
        raise ConsumerUnavailable("connection refused")


class GoneConsumer(OkConsumer):
    type = "gone"

    def answer(self, delivery: Delivery, deadline: Deadline) -> None:
        raise ConsumerGone("410 Gone", 410)


class RefusingConsumer(OkConsumer):
    type = "refusing"

    def answer(self, delivery: Delivery, deadline: Deadline) -> None:
        raise DeliveryRefused("400 Bad Request", 400)


class BrokenConsumer(OkConsumer):
    type = "broken"

    def answer(self, delivery: Delivery, deadline: Deadline) -> None:
        raise ZeroDivisionError("a secret")


class SignalConsumer(OkConsumer):
    type = "signal"
    takes = "signal"


class OrderlyConsumer(OkConsumer):
    """Everything in one lane."""

    type = "orderly"
    lane = "subscription"


class LoyalConsumer(OrderlyConsumer):
    """Everything in one lane, tried for ever; whoever leaves is told nothing of what waited."""

    type = "loyal"
    gives_up = False
    ends_for_good = True


class Clock:
    """The time, real but for what a test lets pass at once."""

    def __init__(self) -> None:
        self._passed = 0.0

    def let_pass(self, seconds: float) -> None:
        self._passed += seconds

    def time(self) -> float:
        return time.time() + self._passed

    def monotonic(self) -> float:
        return time.monotonic() + self._passed


CONSUMERS: dict[str, type[Consumer]] = {
    cls.type: cls
    for cls in (
        OkConsumer,
        FailingConsumer,
        HangingConsumer,
        UnavailableConsumer,
        GoneConsumer,
        RefusingConsumer,
        BrokenConsumer,
        SignalConsumer,
        OrderlyConsumer,
        LoyalConsumer,
    )
}


class Told:
    """An audit hook that remembers."""

    def __init__(self) -> None:
        self.actions: list[tuple[str, str]] = []

    def __call__(self, action: str, subject: str, details: object) -> None:
        self.actions.append((action, subject))


def context(subscription_id: str) -> ConsumerContext:
    return ConsumerContext(subscription_id, None, Watchdog(), Path(), time.time)  # type: ignore[arg-type]


def make_engine(store: Store, audit: Told | None = None, bell: Bell | None = None, **options: Any) -> Engine:
    settings = ForwardingSettings(**{k: options.pop(k) for k in list(options) if k in ForwardingSettings.model_fields})
    node = options.pop("node", "node")
    told = Audit([audit] if audit is not None else [])
    return Engine(store, CONSUMERS, context, settings, told, bell or Bell(), node, **options)


def flow_of(store: Store, id: str, is_one_lane: bool = False) -> tuple[Flow, Supply]:
    """A flow that begins with what is stored, as the roster makes it, and what it is fed with."""
    found = store.subscriptions.get(id)
    assert found is not None
    supply = Supply(store)
    batches = store.settlements.open_batches(id)
    known = store.settlements.beyond(id, found.cursor, found.replay_serial is not None)
    done = {batch.id: batch.members for batch in batches if batch.is_settled}
    chance = random.Random(7).random
    flow = Flow(found, Health(found, 3600.0, chance), 3, chance, known, done, is_one_lane)
    lane = "*" if is_one_lane else None
    open_batches = [batch for batch in batches if not batch.is_settled]
    flow.restore(store.settlements.lanes(id), supply.parcels(flow, open_batches, lane))
    return flow, supply


@contextmanager
def running(store: Store, **options: Any) -> Iterator[Engine]:
    engine = make_engine(store, **options)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop(5)
