"""Delivers: one pump that feeds flows and writes down what became of it, and couriers that hand over.

The journal is the queue. Each subscription has a cursor in it; rows exist only for what is not simply done. See
``flow`` for the order that is kept and for what may come twice after a crash.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from integration_server.forwarding.audit import Audit
from integration_server.forwarding.delivery.courier import Couriers
from integration_server.forwarding.delivery.leases import Leases
from integration_server.forwarding.delivery.roster import ContextFactory, Roster, Workshop
from integration_server.forwarding.delivery.route import Route
from integration_server.forwarding.delivery.settler import Settler
from integration_server.forwarding.delivery.supply import Supply
from integration_server.sdk.consumers import Consumer, Delivery, Receipt
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BackendTimeout, ConfigError, ConsumerUnavailable, StoreUnavailable
from integration_server.sdk.events import ping_event
from integration_server.store import Store
from integration_server.store.bell import Bell

logger = logging.getLogger(__name__)

#: What a test of a bound channel comes to.
NOTHING_IS_SENT = (
    "nothing is sent to a channel: whoever registered it connects, and is told the serial of the latest change; "
    "a replay from an earlier serial has that told once more"
)

#: From one settlement to the next.
_SETTLE_SECONDS = 0.05
#: How often the store is asked for events that another process wrote.
_POLL_SECONDS = 0.5
#: How often it is asked for changed subscriptions.
_REFRESH_SECONDS = 0.5
#: A cursor that merely moved over events which nobody wanted is written so often.
_TIDY_SECONDS = 5.0
_AFTER_FAILURE = 1.0
#: A clock that differs from the monotonic one by more was set.
_CLOCK_STEP = 2.0
_LEASE_SLACK = 15.0


class EngineSettings(Protocol):
    """The part of ``[forwarding]`` that the engine needs."""

    @property
    def workers(self) -> int: ...
    @property
    def connections(self) -> int: ...
    @property
    def quarantine_hours(self) -> float: ...


class Engine:
    """Started once, stopped once; make another one to start again. Does not own the store."""

    def __init__(
        self,
        store: Store,
        consumers: Mapping[str, type[Consumer]],
        context: ContextFactory,
        settings: EngineSettings,
        audit: Audit,
        bell: Bell,
        node: str,
        clock: Callable[[], float] = time.time,
        lease_slack: float = _LEASE_SLACK,
        monotonic: Callable[[], float] = time.monotonic,
        count: Callable[[str, str], None] = lambda type, outcome: None,
    ) -> None:
        """``node`` is a name that no other process has. Where the store is PostgreSQL, each subscription is delivered
        by the one node that holds its lease; a lease lasts ``lease_slack`` seconds longer than the longest request.
        ``clock`` may be set at any time; by ``monotonic`` it is told how much time has passed. ``count`` is told the
        consumer type of every try, and how it ended."""
        self._store = store
        self._workshop = Workshop(consumers, context)
        self._bell = bell
        self._wall = clock
        self._monotonic = monotonic
        self._base = clock() - monotonic()
        self._leases = None if store.is_sqlite else Leases(store.leases, node, lease_slack)
        self._supply = Supply(store)
        self._settler = Settler(store.settlements, audit)
        quarantine = settings.quarantine_hours * 3600
        self._roster = Roster(store, self._workshop, self._supply, self._leases, settings.connections, quarantine)
        told = (self._settler.save, self._notice, self._settle_step, count)
        self._couriers = Couriers(settings.workers, self._now, *told)
        self._wake = threading.Event()
        #: Somebody can do no more before the pump has done its part.
        self._hurry = threading.Event()
        self._is_rung = self._is_stopping = False
        self._next_due = math.inf
        self._last_serial = 0
        self._polled_at = self._refreshed_at = self._settled_at = self._tidied_at = -1e9
        self._threads: list[threading.Thread] = []

    # -- from outside ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Returns at once."""
        for name, target in (("pump", self._run), ("bell of the pump", self._listen)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout: float) -> None:
        """Hand over nothing new, wait for what is under way for up to ``timeout`` seconds, write down what is known."""
        until = time.monotonic() + timeout
        self._couriers.stop(timeout * 0.8)
        self._is_stopping = True
        self._hurry.set()
        self._wake.set()
        for thread in self._threads:
            # The pump ends late where the store is locked; then the last deliveries come again.
            thread.join(max(0.0, until - time.monotonic()))

    def test(self, subscription_id: str) -> Receipt:
        """Send a made-up event, now, also when the engine does not run. Raises DeliveryError, ConfigError, KeyError."""
        subscription = self._store.subscriptions.get(subscription_id)
        if subscription is None:
            raise KeyError(subscription_id)
        if subscription.bound_to is not None:
            raise ConfigError(NOTHING_IS_SENT)
        consumer, settings = self._workshop.consumer(subscription)
        now = self._wall()
        event = ping_event(now)
        delivery = Delivery(event.id, subscription.id, (event,), 1, False, subscription.active_secrets(now))
        try:
            return consumer.deliver(delivery, Deadline(settings.timeout_seconds))
        except BackendTimeout as exc:
            raise ConsumerUnavailable(str(exc)) from exc
        finally:
            consumer.close()

    # -- told by couriers --------------------------------------------------------------------------------------------

    def _now(self) -> float:
        """Unix seconds that run evenly; see _mind_clock."""
        return self._monotonic() + self._base

    def _notice(self, route: Route, due: float | None) -> None:
        """Something happened to a route, which is due again then."""
        if route.flow.is_pressing:
            self._hurry.set()
        self._wake.set()

    def _settle_one(self, route: Route) -> None:
        self._settler.settle([route])

    def _settle_step(self, route: Route) -> None:
        if route.flow.is_closing:
            # The pump writes it down, unless it has ended, and another one begins with what comes again.
            return
        try:
            is_stale = not self._settler.step(route)
        except StoreUnavailable:
            return  # The pump tries again.
        if is_stale:
            with route.lock:
                route.flow.is_closing = True
            self._wake.set()

    # -- the pump ----------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        seen = self._bell.count
        while not self._is_stopping:
            count = self._bell.wait(seen, _POLL_SECONDS)
            if count != seen:
                seen, self._is_rung = count, True
                self._hurry.set()
                self._wake.set()

    def _run(self) -> None:
        while not self._is_stopping:
            try:
                self._turn()
            except StoreUnavailable:
                self._wait_after_failure()
            except Exception:
                logger.exception("the pump failed")
                self._wait_after_failure()
        self._end()

    def _wait_after_failure(self) -> None:
        until = time.monotonic() + _AFTER_FAILURE
        while not self._is_stopping and (left := until - time.monotonic()) > 0:
            self._wake.wait(left)
            self._wake.clear()

    def _end(self) -> None:
        routes = list(self._roster.routes.values())
        try:
            self._settler.settle(routes)
            if self._leases is not None:
                # What is still on the wire keeps its lease until its deadline has passed.
                self._leases.free([route.id for route in routes if not route.flow.in_flight])
        except StoreUnavailable:
            logger.warning("the last deliveries could not be written down; they will come again")
        for route in routes:
            self._roster.drop(route)

    def _turn(self) -> None:
        self._wait()
        self._mind_clock()
        now = self._monotonic()
        if now - self._refreshed_at >= _REFRESH_SECONDS:
            self._refreshed_at = now
            self._roster.refresh(self._settle_one)
        if self._is_rung or now - self._polled_at >= _POLL_SECONDS:
            self._is_rung, self._polled_at = False, now
            self._last_serial = self._store.journal.last_serial()
        if now - self._settled_at >= _SETTLE_SECONDS or self._is_full_soon():
            self._settle()
        self._next_due = math.inf
        made = [route for route in list(self._roster.routes.values()) if self._tend(route)]
        if made:
            self._settler.settle(made)

    def _is_full_soon(self) -> bool:
        return any(route.flow.must_settle_soon for route in self._roster.routes.values())

    def _wait(self) -> None:
        """Until there is something to do, and not longer than to the next poll."""
        until = min(self._polled_at + _POLL_SECONDS, self._refreshed_at + _REFRESH_SECONDS)
        until = min(until, self._next_due - self._base)
        self._wake.wait(max(0.0, until - self._monotonic()))
        # Let some more happen before it is written down, unless somebody waits for just that, or for more events.
        rest = min(self._settled_at + _SETTLE_SECONDS, self._next_due - self._base) - self._monotonic()
        if rest > 0:
            self._hurry.wait(rest)
        self._wake.clear()
        self._hurry.clear()

    def _mind_clock(self) -> None:
        step = self._wall() - self._now()
        if abs(step) > _CLOCK_STEP:
            logger.warning("the clock was set by %.0f s", step)
            self._base += step
            for route in self._roster.routes.values():
                with route.lock:
                    route.flow.shift(step)

    def _settle(self) -> None:
        routes = list(self._roster.routes.values())
        now = self._monotonic()
        is_tidying = now - self._tidied_at >= _TIDY_SECONDS
        dirty = routes if is_tidying else [route for route in routes if route.is_dirty or route.flow.ledger.is_dirty]
        self._settled_at = now
        stale = self._settler.settle(dirty)
        if is_tidying:
            self._tidied_at = now
            self._settler.trim(routes)
        for route in dirty:
            if route.id in stale:
                with route.lock:
                    route.flow.is_closing = True
                self._refreshed_at = -1e9
            elif _is_over(route):
                self._roster.end(route)

    def _tend(self, route: Route) -> bool:
        """Feed a flow and have it handed over what it is ready for; whether there are batches of it to be written down
        before they are sent."""
        flow, ledger = route.flow, route.flow.ledger
        while (lane := flow.wanted_lane()) is not None:
            self._settler.settle([route])
            with route.lock:
                self._supply.load(flow, lane)
        if ledger.is_replaying or ledger.read_position < self._last_serial or not flow.is_primed:
            # A piece for each in turn: so all of them share what was read once.
            with route.lock:
                is_hungry = flow.wants_input(self._now())
            # Nobody but this thread moves what was read, so couriers need not wait while it reads on.
            if is_hungry and (piece := self._supply.read(flow, self._last_serial)) is not None:
                with route.lock:
                    if self._supply.feed(flow, piece):
                        self._next_due = -math.inf
        now = self._now()
        with route.lock:
            has_made = flow.make_ready()
            due = route.due(now)
            is_served = due is not None and due <= now and route.has_courier(time.monotonic())
        if due is not None and not is_served:
            if due <= now:
                self._couriers.offer(route)
            else:
                self._next_due = min(self._next_due, due)
        return has_made


def _is_over(route: Route) -> bool:
    """Whether its receiver wants no more, and that is written down: it may have said so since the settlement began."""
    with route.lock:
        return route.flow.health.state == "ended" and not route.flow.in_flight and not route.is_dirty
