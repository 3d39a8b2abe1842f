"""Wakes those who wait for events, within one process."""

from __future__ import annotations

import threading


class Bell:
    """A condition with a counter: whoever knows the count they saw last misses no ring."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """How often it has rung so far."""
        with self._condition:
            return self._count

    def ring(self) -> None:
        """Something was written."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until it has rung more than ``seen`` times, for at most ``timeout`` seconds; the count then."""
        with self._condition:
            self._condition.wait_for(lambda: self._count > seen, timeout)
            return self._count
