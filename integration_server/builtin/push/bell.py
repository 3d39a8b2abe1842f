"""Wakes who waits for versions, within one process."""

from __future__ import annotations

import threading


class Bell:
    """A counter that can be waited for: who knows the count that they saw last misses no ring. Thread-safe."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.count = 0

    def ring(self) -> None:
        """Something came."""
        with self._condition:
            self.count += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until it has rung more than ``seen`` times, for at most ``timeout`` seconds; the count then."""
        with self._condition:
            self._condition.wait_for(lambda: self.count > seen, timeout)
            return self.count
