"""Writes down what happened in many flows, in one transaction."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from integration_server.forwarding.audit import Audit
from integration_server.forwarding.delivery.health import OK, RESTING
from integration_server.forwarding.delivery.ledger import Draft
from integration_server.forwarding.delivery.parcels import Parcel
from integration_server.forwarding.delivery.route import Route
from integration_server.sdk.errors import StoreUnavailable
from integration_server.store.settlements import Settlements

logger = logging.getLogger(__name__)

_TRIM_AFTER = 250
#: How bad what a flow notes is, and how the log says it; the details are the audit's, too.
_TOLD = {
    "delivery.dead": (
        logging.WARNING,
        "an event about %(person_id)r is dead, and what follows about them waits until somebody decides: %(error)s",
    ),
    "subscription.ended": (logging.WARNING, "the receiver wants no more events: %(reason)s"),
    "subscription.quarantined": (logging.WARNING, "it has failed for so long that it is asked hourly: %(reason)s"),
    "subscription.recovered": (logging.INFO, "it takes events again after its quarantine"),
}


class Settler:
    """Used by the pump and by couriers that need a batch written down before they send it."""

    def __init__(self, settlements: Settlements, audit: Audit) -> None:
        self._settlements = settlements
        self._audit = audit
        # One at a time, so that whoever waited for it knows that what it saw collected is written.
        self._lock = threading.Lock()

    def settle(self, routes: Sequence[Route]) -> frozenset[str]:
        """The ids of routes that count no more: they must begin again from the store. Raises StoreUnavailable; then
        nothing is lost and it goes with the next time."""
        with self._lock:
            return self._settle(routes)

    def step(self, route: Route) -> bool:
        """Write down what became of the one event that a route handed over, so that it may hand over the next; whether
        the route still counts. Raises StoreUnavailable, as ``settle``."""
        with self._lock:
            with route.lock:
                found = route.flow.ledger.advance(route.flow.health) if route.lease is None else None
            if found is None:
                return not self._settle([route])
            cursor, finished = found
            if not self._settlements.advance(route.id, route.subscription.epoch, cursor):
                return False
            with route.lock:
                route.flow.ledger.advanced(cursor, finished)
            return True

    def save(self, route: Route, parcel: Parcel) -> None:
        """Write down what is in a batch; mostly that happened together with the one before. Raises StoreUnavailable."""
        if parcel.is_saved:
            return
        with self._lock:
            if not parcel.is_saved:
                self._settle([route])

    def _settle(self, routes: Sequence[Route]) -> frozenset[str]:
        drafts = [(route, draft) for route in routes if (draft := _collected(route)) is not None]
        if not drafts:
            return frozenset()
        try:
            stale = self._settlements.settle([draft.settlement for _, draft in drafts])
        except StoreUnavailable:
            for route, draft in drafts:
                with route.lock:
                    route.flow.ledger.put_back(draft)
                    route.is_dirty = True
            raise
        for route, draft in drafts:
            self._settled(route, draft, route.id in stale)
        return stale

    def _settled(self, route: Route, draft: Draft, is_stale: bool) -> None:
        with route.lock:
            route.flow.ledger.settled(draft, is_written=not is_stale)
            notices, route.flow.notices = route.flow.notices, []
        route.attempts += len(draft.settlement.attempts)
        if is_stale:
            return
        for action, details in notices:
            level, words = _TOLD[action]
            logger.log(level, "subscription %s: %s", route.name, words % details)
            self._audit.tell(action, route.id, details)
        self._tell_health(route, draft.settlement.health)

    def _tell_health(self, route: Route, health: Mapping[str, Any]) -> None:
        """Log where a receiver begins to rest and where that ends; quarantine and end have notices of their own."""
        was, now = route.told_state, health.get("state", route.told_state)
        route.told_state = now
        if (was, now) == (OK, RESTING):
            logger.warning(
                "subscription %s takes no events for now, and is asked again until it does: %s",
                route.name,
                health["state_reason"],
            )
        elif (was, now) == (RESTING, OK):
            logger.info("subscription %s takes events again", route.name)

    def trim(self, routes: Sequence[Route]) -> None:
        """Keep the log of attempts from growing. Raises StoreUnavailable."""
        long = [route for route in routes if route.attempts >= _TRIM_AFTER]
        if long:
            self._settlements.trim_attempts([route.id for route in long])
            for route in long:
                route.attempts = 0


def _collected(route: Route) -> Draft | None:
    with route.lock:
        route.is_dirty = False
        return route.flow.collect(route.lease)
