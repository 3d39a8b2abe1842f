"""Which subscriptions are being delivered, kept in step with the store. Used by one thread."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping

from pydantic import ValidationError

from integration_server.forwarding.delivery.flow import Flow
from integration_server.forwarding.delivery.health import Health
from integration_server.forwarding.delivery.leases import Lease, Leases
from integration_server.forwarding.delivery.route import Route
from integration_server.forwarding.delivery.signal import SignalFlow
from integration_server.forwarding.delivery.supply import Supply
from integration_server.forwarding.subscriptions import table_of
from integration_server.sdk.consumers import Consumer, ConsumerContext
from integration_server.sdk.errors import ConfigError
from integration_server.sdk.settings import ConsumerSettings
from integration_server.store import Store
from integration_server.store.subscriptions import Subscription

logger = logging.getLogger(__name__)

ContextFactory = Callable[[str], ConsumerContext]


class Workshop:
    """Makes consumers of what is stored about them."""

    def __init__(self, consumers: Mapping[str, type[Consumer]], context: ContextFactory) -> None:
        self._consumers = consumers
        self._context = context

    def consumer(self, subscription: Subscription) -> tuple[Consumer, ConsumerSettings]:
        """The caller closes it. Raises ConfigError."""
        settings = self.settings(subscription)
        return self._consumers[subscription.type](settings, self._context(subscription.id)), settings

    def settings(self, subscription: Subscription) -> ConsumerSettings:
        """What is stored of its settings, read. Raises ConfigError."""
        cls = self._consumers.get(subscription.type)
        if cls is None:
            raise ConfigError(f"no plugin has the consumer type {subscription.type!r}")
        try:
            base_dir = self._context(subscription.id).base_dir
            return cls.Settings.model_validate(table_of(subscription), context={"base_dir": base_dir})
        except ValidationError as exc:
            faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in exc.errors())
            raise ConfigError(f"its settings do not fit the consumer type: {faults}") from None


class Roster:
    """The routes by subscription id."""

    def __init__(
        self,
        store: Store,
        workshop: Workshop,
        supply: Supply,
        leases: Leases | None,
        connections: int,
        quarantine_seconds: float,
    ) -> None:
        self._store = store
        self._workshop = workshop
        self._supply = supply
        self._leases = leases
        self._connections = connections
        self._quarantine_seconds = quarantine_seconds
        self.routes: dict[str, Route] = {}
        #: Version (``changed_at``) of what is not delivered: paused, ended, or unable to begin.
        self._idle: dict[str, float] = {}
        #: What another node had when leases were last asked for.
        self._asked: set[str] = set()

    def refresh(self, settle: Callable[[Route], None]) -> None:
        """Begin, end and begin anew what was added, removed and changed. Raises StoreUnavailable.

        What has requests under way is ended once they are over, at a later call.
        """
        versions = self._store.subscriptions.versions()
        for id, route in list(self.routes.items()):
            if id not in versions:
                self.drop(route)
            elif versions[id] != route.subscription.changed_at or route.flow.is_closing:
                self._close(route, settle)
        self._idle = {id: at for id, at in self._idle.items() if versions.get(id) == at}
        wanted = {id for id in versions if id not in self.routes and id not in self._idle}
        if self._leases is None:
            for id in wanted:
                self._begin(id, None)
        elif self._leases.is_due() or not wanted <= self._asked:
            self._hold(self._leases, wanted)

    def _close(self, route: Route, settle: Callable[[Route], None]) -> None:
        with route.lock:
            route.flow.is_closing = True
            is_busy = route.flow.in_flight > 0
        if not is_busy:
            settle(route)
            self.drop(route)

    def end(self, route: Route) -> None:
        """Its receiver wants no more; wait until somebody changes it."""
        self._idle[route.id] = route.subscription.changed_at
        self.drop(route)

    def drop(self, route: Route) -> None:
        """Forget it; what it has in flight counts no more."""
        with route.lock:
            route.flow.is_closing = True
        self.routes.pop(route.id, None)
        try:
            route.consumer.close()
        except Exception:
            logger.exception("the consumer of %s cannot be closed", route.id)

    def _begin(self, id: str, lease: Lease | None) -> None:
        # Read only now: the node that had the lease until a moment ago may have written.
        subscription = self._store.subscriptions.get(id)
        if subscription is None:
            return
        if not _is_alive(subscription):
            self._idle[id] = subscription.changed_at
            return
        try:
            route = self._route(subscription)
        except ConfigError as exc:
            logger.error("subscription %s cannot be delivered: %s", id, exc)
            self._store.subscriptions.explain(id, str(exc))
            self._idle[id] = subscription.changed_at
            return
        _give(route, lease)
        self.routes[id] = route

    def _route(self, subscription: Subscription) -> Route:
        consumer, settings = self._workshop.consumer(subscription)
        try:
            flow = self._flow(subscription, consumer, settings)
        except BaseException:
            consumer.close()
            raise
        return Route(subscription, flow, consumer, settings.timeout_seconds)

    def _flow(self, subscription: Subscription, consumer: Consumer, settings: ConsumerSettings) -> Flow:
        health = Health(subscription, self._quarantine_seconds, random.random)
        if consumer.takes == "signal":
            return SignalFlow(subscription, health, settings.quiet_seconds, random.random)
        settlements = self._store.settlements
        is_replaying = subscription.replay_serial is not None
        known = settlements.beyond(subscription.id, subscription.cursor, is_replaying)
        is_one_lane = consumer.lane == "subscription"
        batches = settlements.open_batches(subscription.id)
        done = {batch.id: batch.members for batch in batches if batch.is_settled}
        flow = Flow(
            subscription,
            health,
            self._connections,
            random.random,
            known,
            done,
            is_one_lane,
            consumer.gives_up,
            consumer.ends_for_good,
        )
        lanes = settlements.lanes(subscription.id)
        open_batches = [batch for batch in batches if not batch.is_settled]
        flow.restore(lanes, self._supply.parcels(flow, open_batches, "*" if is_one_lane else None))
        return flow

    def _hold(self, leases: Leases, wanted: set[str]) -> None:
        """Prolong what is ours, and take over what nobody has."""
        found = [one for one in self._store.subscriptions.delivered() if one.id in wanted] if wanted else []
        self._idle.update({one.id: one.changed_at for one in found if not _is_alive(one)})
        timeouts = {one.id: _longest(one) for one in found if _is_alive(one)}
        held = leases.hold({**timeouts, **{id: route.timeout for id, route in self.routes.items()}})
        self._asked = wanted - held.keys()
        for id, route in list(self.routes.items()):
            lease = held.get(id)
            if lease is None or route.lease != lease.key:
                logger.warning("subscription %s is another node's now", id)
                self.drop(route)
            else:
                _give(route, lease)
        for id in timeouts:
            if id in held:
                self._begin(id, held[id])


def _is_alive(subscription: Subscription) -> bool:
    return subscription.is_active and subscription.state != "ended"


def _longest(subscription: Subscription) -> float:
    """Seconds that a request may take."""
    timeout = subscription.settings.get("timeout_seconds")
    default: float = ConsumerSettings.model_fields["timeout_seconds"].default
    return float(timeout) if isinstance(timeout, (int, float)) else default


def _give(route: Route, lease: Lease | None) -> None:
    if lease is not None:
        route.lease, route.lease_until = lease.key, lease.until
