"""Forgetting old events, none of which anybody still needs, and what else is bounded by age."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from integration_server.store import Store
from integration_server.store.hourly_counts import HOUR_SECONDS

logger = logging.getLogger(__name__)

_DAY_SECONDS = 86400.0
#: How long hours are counted for the dashboard, and certificates remembered that nobody has shown again.
HOURS_DAYS, _CERTIFICATES_DAYS = 14, 30
#: Among so many rows of a subscription its lowest is looked for, only to say its name.
_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed. ``holders`` are the subscriptions because of which older events than wanted were kept, by id;
    ``kept_from`` is the lowest serial that they need."""

    events: int
    pruned_serial: int
    holders: tuple[str, ...] = ()
    kept_from: int | None = None


def prune(store: Store, days: float, now: float) -> Pruned:
    """Remove events noticed more than ``days`` ago, but none that a living subscription has not got; bound channels
    hold nothing back, and those of a token that has expired meanwhile end. Raises
    StoreUnavailable.
    """
    store.bound_channels.end_orphans()
    before = now - days * _DAY_SECONDS
    lowest = store.subscriptions.lowest_cursor()
    last = store.journal.last_serial()
    keep_after = last if lowest is None else min(lowest, last)
    count = store.journal.prune(before, keep_after)
    pruned = store.journal.pruned_serial()
    if count:
        logger.info("removed %d events from before the last %g days, up to serial %d", count, days, pruned)
    # Only the subscriptions stop it where the next event is old enough, too.
    following = store.journal.events(pruned, 1)
    if pruned < keep_after or not following or following[0].noticed_at >= before:
        return Pruned(count, pruned)
    return Pruned(count, pruned, _holders(store, keep_after), keep_after + 1)


def prune_records(store: Store, audit_days: float, now: float) -> None:
    """Forget what the dashboard need not show any more: old entries of the audit log, hours, and certificates. Raises
    StoreUnavailable."""
    done = store.audit_log.prune(now - audit_days * _DAY_SECONDS)
    if done:
        logger.info("removed %d entries of the audit log from before the last %g days", done, audit_days)
    store.hourly_counts.prune(int((now - HOURS_DAYS * _DAY_SECONDS) // HOUR_SECONDS))
    store.certificates.prune(now - _CERTIFICATES_DAYS * _DAY_SECONDS)


def _holders(store: Store, keep_after: int) -> tuple[str, ...]:
    """The living subscriptions that have not come further, or have undelivered events from there."""
    living = [one for one in store.subscriptions.delivered() if one.state != "ended"]
    return tuple(one.id for one in living if one.cursor <= keep_after or _lowest_row(store, one.id) == keep_after + 1)


def _lowest_row(store: Store, subscription_id: str) -> int | None:
    return min((row.serial for row in store.deliveries.find([subscription_id], limit=_ROWS)), default=None)
