"""The breaker: a backend that keeps failing is left alone, and tried again by one call at a time."""

from __future__ import annotations

import threading

import pytest

from integration_server import BackendUnavailable
from integration_server.directory.breaker import Breaker
from tests.directory.house import Clock


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=3, seconds=15, clock=clock)


def open_up(breaker: Breaker) -> None:
    for _ in range(3):
        breaker.enter()
        breaker.failed()


def test_calls_pass_until_so_many_failed_in_a_row(breaker: Breaker) -> None:
    for outcome in (breaker.failed, breaker.failed, breaker.succeeded, breaker.failed, breaker.failed):
        breaker.enter()
        outcome()
    assert not breaker.is_open
    breaker.enter()
    breaker.failed()

    assert breaker.is_open
    with pytest.raises(BackendUnavailable, match="3 failures"):
        breaker.enter()


def test_after_the_pause_one_call_passes_as_a_probe(breaker: Breaker, clock: Clock) -> None:
    open_up(breaker)
    clock.now += 14.9
    with pytest.raises(BackendUnavailable):
        breaker.enter()
    clock.now += 0.1
    breaker.enter()

    with pytest.raises(BackendUnavailable):
        breaker.enter()


def test_a_probe_that_succeeds_lets_everybody_in(breaker: Breaker, clock: Clock) -> None:
    open_up(breaker)
    clock.now += 15
    breaker.enter()
    breaker.succeeded()

    for _ in range(5):
        breaker.enter()
    assert not breaker.is_open


def test_a_probe_that_fails_starts_another_pause(breaker: Breaker, clock: Clock) -> None:
    open_up(breaker)
    clock.now += 15
    breaker.enter()
    clock.now += 5
    breaker.failed()
    clock.now += 14.9
    with pytest.raises(BackendUnavailable):
        breaker.enter()
    clock.now += 0.2

    breaker.enter()


def test_a_probe_that_never_reports_does_not_close_the_door_for_good(breaker: Breaker, clock: Clock) -> None:
    open_up(breaker)
    clock.now += 15
    breaker.enter()
    clock.now += 15

    breaker.enter()


def test_only_one_of_many_threads_becomes_the_probe(breaker: Breaker, clock: Clock) -> None:
    open_up(breaker)
    clock.now += 15
    start = threading.Barrier(16)
    passed: list[int] = []

    def come(number: int) -> None:
        start.wait(10)
        try:
            breaker.enter()
        except BackendUnavailable:
            return
        passed.append(number)

    threads = [threading.Thread(target=come, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(passed) == 1
