"""How far a change feed may move on that goes by times or version numbers."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

#: Times, numbers or texts, all of one type within one feed.
Mark = TypeVar("Mark")


class Overlap(Generic[Mark]):
    """Remembers when which newest mark was seen, so that marks that come late are still met. Thread-safe.

    A row gets its mark (a time of last change, a version number) before it can be seen: a transaction ends later than
    it began, one machine's clock is behind another's, a replica lags. So a reader that moves on to the newest mark
    misses rows. It may move on to a mark when that has been the newest for longer than all of this can take
    (``seconds``): whatever shows up afterwards bears a later one. Only the length of time is measured here; what the
    clocks of the directory say does not matter.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, Any]] = deque()

    def now(self) -> float:
        """The moment to give to ``settled``; ask for it before reading begins."""
        return self._clock()

    def note(self, newest: Mark) -> None:
        """Take down the newest mark of a reading that has just ended."""
        with self._lock:
            if not self._seen or self._seen[-1][1] != newest:
                self._seen.append((self._clock(), newest))

    def settled(self, began: float) -> Mark | None:
        """The newest mark behind which a reading that began at ``began`` has left nothing; None where none is known."""
        until = began - self._seconds
        with self._lock:
            while len(self._seen) > 1 and self._seen[1][0] <= until:
                self._seen.popleft()
            if self._seen and self._seen[0][0] <= until:
                found: Mark = self._seen[0][1]
                return found
        return None
