"""Leaves a backend alone that keeps failing, and lets one call through now and then to see whether it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from integration_server.sdk.errors import BackendUnavailable


class Breaker:
    """Closed: calls pass. Open after ``failures`` outages in a row: calls fail at once. Half-open after ``seconds``:
    one call passes as a probe; its success closes the breaker, its failure opens it for another pause.
    """

    def __init__(self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._probe_at = 0.0

    @property
    def is_open(self) -> bool:
        return self._failures >= self._limit

    @property
    def has_failures(self) -> bool:
        """Whether there is anything for ``enter`` or ``succeeded`` to look at."""
        return self._failures > 0

    def enter(self) -> None:
        """Before a call. Raises BackendUnavailable while the backend is left alone."""
        if self._failures < self._limit:
            return
        with self._lock:
            left = self._probe_at - self._clock()
            if self._failures >= self._limit:
                if left > 0:
                    raise BackendUnavailable(f"left alone after {self._failures} failures; next try in {left:.0f} s")
                # This call is the probe; nobody else until it has reported, or until another pause is over.
                self._probe_at = self._clock() + self._seconds

    def succeeded(self) -> None:
        """The backend answered, whatever it said."""
        if self._failures:
            with self._lock:
                self._failures = 0

    def failed(self) -> None:
        """The backend could not be asked."""
        with self._lock:
            self._failures += 1
            self._probe_at = self._clock() + self._seconds
