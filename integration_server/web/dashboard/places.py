"""How many may sign in, or be on the dashboard's pages, at one time. To check a password takes long on purpose, and
strangers may ask for it: they must not take every thread, nor may one of them keep all others out. And where the store
is locked, each page of an administrator waits for it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from integration_server.sdk.errors import CallerRefused

_SIGNING_IN = "Too many people are signing in at this moment, so nothing was looked at. Try again in some seconds."
#: For pages.
BUSY = "The dashboard is busy with other pages at this moment, so nothing was done. Try again in some seconds."


class Places:
    """``most`` places, ``most_of_one`` of them for one address. Thread-safe."""

    def __init__(self, most: int, most_of_one: int, told: str = _SIGNING_IN) -> None:
        """``told``: to whoever finds none free."""
        self._most = most
        self._most_of_one = most_of_one
        self._told = told
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def one(self, address: str) -> Iterator[None]:
        """Raises CallerRefused where none is free: nobody waits for one."""
        with self._lock:
            if self._taken.total() >= self._most or self._taken[address] >= self._most_of_one:
                raise CallerRefused(503, self._told)
            self._taken[address] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[address] -= 1
                # One that is at zero stays in memory otherwise.
                self._taken += Counter()
