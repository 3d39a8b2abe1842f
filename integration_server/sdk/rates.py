"""How often callers may have something, kept in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_MOST_CALLERS = 10_000


class Rates:
    """A bucket for each caller: full at first, and filled again within a minute. Thread-safe.

    Of more callers than ``most``, those who have not come for longest are forgotten, and begin with a full bucket.
    """

    def __init__(
        self, per_minute: float, clock: Callable[[], float] = time.monotonic, most: int = _MOST_CALLERS
    ) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        #: What is left, and when that was so; those who came last are last.
        self._buckets: dict[str, tuple[float, float]] = {}

    def allows(self, caller: str, factor: float = 1.0) -> bool:
        """Whether the caller may have one more now, which then counts. ``factor``: how many times the usual they may
        have."""
        full = self._per_minute * factor
        now = self._clock()
        with self._lock:
            left, at = self._buckets.pop(caller, (full, now))
            left = min(full, left + (now - at) * full / 60)
            is_allowed = left >= 1
            self._buckets[caller] = (left - is_allowed, now)
            if len(self._buckets) > self._most:
                del self._buckets[next(iter(self._buckets))]
        return is_allowed
