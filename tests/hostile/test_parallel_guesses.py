"""Guesses that race: the brake counts those that are under way, too."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from integration_server.directory.throttle import Throttle, ThrottlePolicy
from integration_server.sdk.errors import CallerRefused, Throttled
from integration_server.sdk.settings import FrontendSettings
from integration_server.store import Store
from integration_server.store.failed_logins import Who
from integration_server.web.callers import CallerCheck

WHO = Who("m", "alice", "127.0.0.1")
PARALLEL = 24


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store("", tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def throttle(store: Store) -> Throttle:
    return Throttle(store.failed_logins, b"k" * 32, ThrottlePolicy(free_failures=5))


def at_once(work: Callable[[int], object]) -> None:
    """``work(0)``, ``work(1)`` ... begun at the same moment, in threads."""
    start = threading.Barrier(PARALLEL)

    def begin(number: int) -> None:
        start.wait()
        work(number)

    with ThreadPoolExecutor(PARALLEL) as threads:
        for done in [threads.submit(begin, number) for number in range(PARALLEL)]:
            done.result()


def test_racing_guesses_get_no_more_than_the_free_ones(throttle: Throttle) -> None:
    checked: list[int] = []

    def guess(number: int) -> None:
        try:
            with throttle.attempt(WHO, f"guess {number}"):
                checked.append(number)
                time.sleep(0.1)
                throttle.failure(WHO, f"guess {number}")
        except Throttled:
            pass

    at_once(guess)

    assert 1 <= len(checked) <= 5


def test_one_password_over_many_connections_is_no_guessing(throttle: Throttle) -> None:
    checked: list[int] = []

    def log_in(number: int) -> None:
        with throttle.attempt(WHO, "right") as failures:
            checked.append(number)
            time.sleep(0.05)
            throttle.success(WHO, failures)

    at_once(log_in)

    assert len(checked) == PARALLEL


def test_what_fails_for_another_reason_leaves_no_count_behind(throttle: Throttle) -> None:
    for number in range(10):
        with pytest.raises(ZeroDivisionError), throttle.attempt(WHO, f"guess {number}"):
            raise ZeroDivisionError

    with throttle.attempt(WHO, "right") as failures:
        assert failures.count == 0


def test_made_up_service_names_do_not_buy_guesses_of_their_own(throttle: Throttle, store: Store) -> None:
    settings = FrontendSettings(
        type="t", path="/m", backends=("hq",), username="mailstore", password=SecretStr("secret")
    )
    callers = CallerCheck("m", settings, throttle)
    statuses = []
    for number in range(2000):
        header = "Basic " + base64.b64encode(f"name{number}:x{number}".encode()).decode()
        with pytest.raises(CallerRefused) as refused:
            callers.admit("192.0.2.1", False, True, header)
        statuses.append(refused.value.status)

    rows = sum(failures.count for failures in store.failed_logins.everybody(0.0))
    assert rows == statuses.count(401) <= 256 * 5
    assert statuses.count(429) > 500
