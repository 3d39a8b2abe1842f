"""Several processes on one socket: Windows hands it over by process id, and ends none of them with their parent."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3

from tests.waiting import wait_for
from tests.windows.conftest import Place
from tests.windows.machine import WAIT_SECONDS, Service


@pytest.fixture(scope="module")
def running(place: Place) -> Iterator[Service]:
    with place.serve("--processes", 2) as service:
        place.wait_until_answered(service)
        yield service


def _answered_by_two(place: Place, running: Service, *gone: str) -> set[str]:
    """Both are ready sooner or later; one that is idle takes every request that comes alone."""

    def those() -> set[str]:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: place.ask("/healthz"), range(40)))
        found = running.answered_by() - {*gone}
        return found if len(found) >= 2 else set()

    return wait_for(those, lambda: f"answered by {running.answered_by()}", WAIT_SECONDS, 0.5)


def test_both_processes_answer(place: Place, running: Service) -> None:
    assert len(_answered_by_two(place, running)) == 2
    assert not running.has_said(" ended with exit code ")


def test_process_that_is_killed_is_replaced(place: Place, running: Service) -> None:
    killed = min(_answered_by_two(place, running))
    running.kill(killed)
    running.wait_until_said(rf"worker process \d \(process id {killed}\) ended with exit code 9; it is replaced")
    assert len(_answered_by_two(place, running, killed)) >= 2
    assert place.listed()


def test_all_end_when_the_service_is_stopped(place: Place, running: Service) -> None:
    """Last of all, since the server has ended then."""
    running.ask_to_stop()
    assert running.code() == 0
    assert not running.has_said("did not stop within")
    with pytest.raises(urllib3.exceptions.HTTPError):
        place.ask("/healthz")
