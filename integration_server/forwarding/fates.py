"""What became of one event for one receiver, worked out of what is stored. Pure.

How far a receiver has come, the rows of what waits, and the log of tries say together what no table says alone. Where
they no longer tell, the answer says so: the log keeps the latest tries only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from integration_server.sdk.events import Event
from integration_server.store.deliveries import SKIPPED, AttemptRow, DeliveryRow
from integration_server.store.settlements import OpenBatch
from integration_server.store.subscriptions import Subscription


class Fate(Enum):
    """``PASSED``: the receiver has come past it, and nothing tells any more how. ``UNASKED``: it has not come there
    yet. ``UNDERWAY``: it was handed over in a batch whose answer is not written down."""

    DELIVERED = "delivered"
    WAITING = "waiting"
    UNDERWAY = "underway"
    SKIPPED = "skipped"
    OWN = "own"
    UNWANTED_TYPE = "unwanted type"
    UNWANTED_PEOPLE = "unwanted people"
    UNASKED = "unasked"
    EARLIER = "earlier"
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Told:
    """``row`` is set where it waits, ``attempt`` is the one that decided, or the latest."""

    subscription: Subscription
    fate: Fate
    row: DeliveryRow | None = None
    attempt: AttemptRow | None = None

    @property
    def reason(self) -> str | None:
        """Why it was skipped."""
        error = self.attempt.error if self.attempt is not None and self.fate is Fate.SKIPPED else None
        return error.removeprefix(SKIPPED) if error is not None else None


def fate_of(
    one: Subscription,
    event: Event,
    row: DeliveryRow | None,
    attempts: Sequence[AttemptRow],
    batches: Sequence[OpenBatch],
) -> Told:
    """``row`` is the one of this event, ``attempts`` are its tries, the newest first, ``batches`` all that are open."""
    latest = attempts[0] if attempts else None
    if row is not None and row.state != "settled":
        return Told(one, Fate.WAITING, row, latest)
    for attempt in attempts:
        if attempt.is_ok or (attempt.error or "").startswith(SKIPPED):
            return Told(one, Fate.DELIVERED if attempt.is_ok else Fate.SKIPPED, attempt=attempt)
    return Told(one, _unlogged(one, event, row, batches), attempt=latest)


def _unlogged(one: Subscription, event: Event, row: DeliveryRow | None, batches: Sequence[OpenBatch]) -> Fate:
    """Where the log has no try that decided."""
    if row is not None:
        return Fate.DELIVERED
    if event.origin == one.id:
        return Fate.OWN
    if not one.wants_type(event.type):
        return Fate.UNWANTED_TYPE
    if not one.resource.matches(event):
        return Fate.UNWANTED_PEOPLE
    if (batch := _batch_with(one, event, batches)) is not None:
        return Fate.DELIVERED if batch.is_settled else Fate.UNDERWAY
    if event.serial > one.cursor:
        return Fate.UNASKED
    return Fate.EARLIER if event.noticed_at < one.created_at else Fate.PASSED


def _batch_with(one: Subscription, event: Event, batches: Sequence[OpenBatch]) -> OpenBatch | None:
    if one.replay_serial is not None:
        # Then they are of people, by their keys.
        return None
    return next((batch for batch in batches if any(event.serial in unit for unit in batch.members)), None)


def untold(
    one: Subscription, events: Sequence[Event], known: set[str], batches: Sequence[OpenBatch] = ()
) -> list[Event]:
    """Those of some events that a receiver has not been asked to take. ``known`` are the ids of those that have a row,
    which says more."""
    return [
        event
        for event in events
        if event.id not in known and _unlogged(one, event, None, batches) in (Fate.UNASKED, Fate.UNDERWAY)
    ]
