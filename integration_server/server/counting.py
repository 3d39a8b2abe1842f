"""Takes what this process counted, and the certificates that it met, to the store: every few seconds and at its end.

No request waits for that. A process that is killed loses the last seconds; while the store cannot be written to,
everything stays in memory and is added up there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar, cast

from integration_server.meters import Tallies, Tally
from integration_server.sdk.certificates import Sightings
from integration_server.sdk.errors import StoreUnavailable
from integration_server.server.posts import Loop
from integration_server.store import Store
from integration_server.store.hourly_counts import HourlyCount, What

logger = logging.getLogger(__name__)

T = TypeVar("T")

_EVERY_SECONDS = 10.0
#: Time for the last of it, when the process is to end.
_STOP_SECONDS = 5.0


class Counting:
    """A thread. Stop it when the last request was answered, and before the store is closed."""

    def __init__(self, store: Store, tally: Tally, sightings: Sightings, every_seconds: float = _EVERY_SECONDS) -> None:
        self._store = store
        self._tally = tally
        self._sightings = sightings
        self._every_seconds = every_seconds
        self._loop = Loop("counting", self._run)

    def start(self) -> None:
        self._loop.start()

    def stop(self, timeout: float = _STOP_SECONDS) -> None:
        self._loop.stop(timeout)

    def flush(self) -> None:
        """Take everything to the store now. Raises StoreUnavailable; then it is kept for the next time."""
        _kept(self._tally.take(), self._put_counts, self._tally.give_back)
        _kept(self._sightings.take(), self._store.certificates.put, self._sightings.give_back)

    def _put_counts(self, taken: Tallies) -> None:
        counts: Sequence[HourlyCount] = [
            HourlyCount(frontend, hour, cast(What, word), tallied.number, tallied.latest_at)
            for (frontend, hour, word), tallied in taken.items()
        ]
        self._store.hourly_counts.add(counts)

    def _run(self, stop: threading.Event) -> None:
        is_last = False
        while not is_last:
            is_last = stop.wait(self._every_seconds)
            # The store has said so in the log.
            with suppress(StoreUnavailable):
                self.flush()


def _kept(taken: T, keep: Callable[[T], None], give_back: Callable[[T], None]) -> None:
    if not taken:
        return
    try:
        keep(taken)
    except BaseException:
        give_back(taken)
        raise
