"""What belongs to one subscription while it is delivered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from integration_server.forwarding.delivery.flow import Flow
from integration_server.forwarding.delivery.parcels import Parcel
from integration_server.sdk.consumers import Consumer, Receipt
from integration_server.sdk.deadline import Deadline
from integration_server.store.subscriptions import Subscription

#: Who waits less has little use for another connection: to change threads takes as long.
_QUICK_SECONDS = 0.000_15
#: Nor has who waits for less than so many times as long as it takes to make the next parcel ready, as with batches.
_QUICK_TIMES = 2.0
#: So many tries count for both.
_TRIES = 16
#: A quick receiver answers long before.
_STUCK_SECONDS = 0.05
#: (name, owner, fence) of a lease.
LeaseKey = tuple[str, str, int]


@dataclass(slots=True, eq=False)
class Ready:
    """A parcel to hand over; ``send`` does what is left of it, if that was made ready ``at`` some moment (monotonic
    seconds)."""

    parcel: Parcel
    at: float = 0.0
    send: Callable[[Deadline], Receipt] | None = None


class Route:
    """One subscription with everything that is needed to deliver: its flow, its consumer, its lease.

    ``lock`` guards the flow. ``lease_until`` (monotonic seconds) is None where there are no leases.
    """

    def __init__(self, subscription: Subscription, flow: Flow, consumer: Consumer, timeout: float) -> None:
        self.subscription = subscription
        self.flow = flow
        self.consumer = consumer
        self.timeout = timeout
        self.lock = threading.Lock()
        self.lease: LeaseKey | None = None
        self.lease_until: float | None = None
        self.is_dirty = False
        self.is_queued = False
        self.attempts = 0
        #: What was made ready before there was room for it; whoever has room sends it.
        self.ahead: Ready | None = None
        #: Couriers that are at work on it, and when each sent something last (monotonic seconds).
        self.couriers: dict[object, float] = {}
        #: Seconds, about, that a courier has nothing to do until an answer comes, and those for which it has.
        self.idle_seconds = 1.0
        self.making_seconds = 0.0
        #: The state of the receiver that the log knows of.
        self.told_state = subscription.state

    @property
    def id(self) -> str:
        return self.subscription.id

    @property
    def name(self) -> str:
        """What people call it."""
        return self.subscription.uid or self.subscription.id

    @property
    def is_quick(self) -> bool:
        """Whether it answers so soon that one connection takes all that can be made ready."""
        return self.idle_seconds < max(_QUICK_SECONDS, _QUICK_TIMES * self.making_seconds)

    def note(self, making: float, idle: float) -> None:
        """Of one try: how long a courier had something to do until the answer came, and how long it had not."""
        self.making_seconds += (making - self.making_seconds) / _TRIES
        self.idle_seconds += (idle - self.idle_seconds) / _TRIES

    def has_courier(self, now: float) -> bool:
        """Whether one is at work that needs no help. ``now`` in monotonic seconds. Under the lock, as all that follows
        here."""
        if not self.couriers or not self.is_quick:
            return False
        if self._is_served(now, None):
            return True
        # It was quick, and is not any more.
        self.idle_seconds = 1.0
        return False

    def is_spare(self, courier: object, now: float) -> bool:
        """Whether the others that are at work need this one no more. ``now`` as above."""
        return self.is_quick and self._is_served(now, courier)

    def _is_served(self, now: float, but: object) -> bool:
        """Whether one at least is not stuck with a request."""
        return any(now - at <= _STUCK_SECONDS for courier, at in self.couriers.items() if courier is not but)

    def due(self, now: float) -> float | None:
        """When there may be something to send, as Flow.due; what was made ready is sent as soon as there is room."""
        return now if self.ahead is not None and self.flow.has_room() else self.flow.due(now)

    def is_ours(self) -> bool:
        """Whether the lease outlives a request that begins now."""
        return self.lease_until is None or time.monotonic() + self.timeout < self.lease_until
