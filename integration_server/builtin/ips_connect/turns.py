"""How many passwords are hashed at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from integration_server import BackendTimeout, Deadline

_CORES = os.cpu_count() or 2


class Turns:
    """One for each core: a hash takes half a second of it, and more at once would be none the faster."""

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(_CORES)

    @contextmanager
    def one(self, deadline: Deadline) -> Iterator[None]:
        """One turn. Raises BackendTimeout where none is free in time."""
        if not self._free.acquire(timeout=min(deadline.remaining(), threading.TIMEOUT_MAX)):
            raise BackendTimeout("too many passwords are being checked")
        try:
            yield
        finally:
            self._free.release()
