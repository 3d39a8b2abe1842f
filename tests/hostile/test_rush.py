"""A rush of logins is no outage."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from integration_server import BackendError, Deadline
from tests.directory.house import House, clock, empty_store, house, store

__all__ = ["clock", "empty_store", "house", "store"]

PARALLEL = 16


def rush(house: House, delay: float) -> Counter[str]:
    """How the lookups of as many threads at once ended, at a backend with four calls in flight."""
    people = house.people("one", ann="right")
    source = house.source("one", max_calls=4, auth_seconds=5, breaker_failures=100)
    people.delay = delay
    start = threading.Barrier(PARALLEL)

    def look(_: int) -> str:
        start.wait()
        try:
            return "found" if source.locate("ann", Deadline(3)) is not None else "nobody"
        except BackendError as exc:
            return "refused" if "too many calls" in str(exc) else "timeout"

    with ThreadPoolExecutor(PARALLEL) as threads:
        return Counter(threads.map(look, range(PARALLEL)))


def test_a_rush_at_a_slow_backend_waits_its_turn(house: House) -> None:
    assert rush(house, 0.1) == {"found": PARALLEL}


def test_a_hanging_backend_holds_no_more_threads_than_it_may(house: House) -> None:
    assert rush(house, 60) == {"timeout": 4, "refused": PARALLEL - 4}
