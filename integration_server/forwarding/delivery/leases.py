"""Which subscriptions are this node's, where several nodes share the store.

A lease is prolonged well before it ends, and nothing is sent that could outlast it. When a node dies, another one takes
over once the lease has run out, which is after the deadline of every request that the dead one may have sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from integration_server.store.leases import LeaseTable

_PREFIX = "subscription/"


@dataclass(frozen=True, slots=True)
class Lease:
    """``until`` is on this process's monotonic clock, and not later than the database's own."""

    name: str
    owner: str
    fence: int
    until: float

    @property
    def key(self) -> tuple[str, str, int]:
        return self.name, self.owner, self.fence


class Leases:
    """This node's leases of subscriptions."""

    def __init__(
        self, table: LeaseTable, owner: str, slack_seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """A lease lasts ``slack_seconds`` longer than the longest request; it is prolonged when a third of that is
        used up."""
        self._table = table
        self._owner = owner
        self._slack = slack_seconds
        self._monotonic = monotonic
        self._next_at = 0.0

    def is_due(self) -> bool:
        return self._monotonic() >= self._next_at

    def hold(self, timeouts: Mapping[str, float]) -> dict[str, Lease]:
        """Take or prolong the leases of these subscriptions (id -> longest request in seconds); those that are ours.

        Raises StoreUnavailable.
        """
        began = self._monotonic()
        self._next_at = began + self._slack / 3
        times = {_PREFIX + id: timeout + self._slack for id, timeout in timeouts.items()}
        fences = self._table.take(self._owner, times)
        # Counted from before the question was asked: the database cannot have begun to count earlier.
        return {
            name.removeprefix(_PREFIX): Lease(name, self._owner, fence, began + times[name])
            for name, fence in fences.items()
        }

    def free(self, ids: Sequence[str]) -> None:
        """Let others have them at once; only for what is not being delivered. Raises StoreUnavailable."""
        self._table.free(self._owner, [_PREFIX + id for id in ids])
